package ledgertest

import (
	"errors"
	"time"

	"reelpass/internal/reel"
)

// aside sets the ready jobs of a held account aside, of all where account is empty.
func (m *model) aside(batch, account string) {
	for _, j := range m.of(batch, func(j *modelJob) bool {
		return j.state.Ready() && m.setsAside(j.Account) && (account == "" || account == j.Account)
	}) {
		j.state, j.aside = reel.SetAside, true
	}
}

func (m *model) noLooks(account string) {
	for _, j := range m.jobs {
		if j.Account == account {
			j.look = false
		}
	}
}

// hold keeps an account until a person releases it, holdUntil until a time where it is not held for longer.
func (m *model) hold(account string) {
	m.expireOne(account)
	m.held[account] = true
	delete(m.until, account)
	m.noLooks(account)
}

func (m *model) holdUntil(account string, until time.Time) {
	m.expireOne(account)
	if !m.held[account] && until.After(m.until[account]) {
		m.until[account] = until
	}
}

// far says that a hold ends by itself, but later than a run waits for; waits that it ends early enough; setsAside that its jobs
// do not wait.
func (m *model) far(account string) bool {
	return m.until[account].After(m.room.now().Add(m.room.limits.MaxWait.Std()))
}

func (m *model) waits(account string) bool {
	return m.until[account].After(m.room.now()) && !m.far(account)
}

func (m *model) setsAside(account string) bool { return m.held[account] || m.far(account) }

// expire returns what was set aside by holds that are over.
func (m *model) expire() {
	for account := range m.until {
		m.expireOne(account)
	}
}

func (m *model) expireOne(account string) {
	if until, ok := m.until[account]; !ok || until.After(m.room.now()) {
		return
	}
	delete(m.until, account)
	for _, j := range m.jobs {
		if j.Account == account && j.aside && j.state == reel.SetAside {
			j.state, j.due, j.aside = reel.Pending, m.batches[j.batch].pass+1, false
		}
	}
}

// waiting checks what a claim says of why nothing is due.
func (m *model) waiting(err error, kept bool) {
	var w *reel.Waiting
	if !errors.As(err, &w) {
		if kept {
			m.Fatalf("%v, the model says that the breaker is open", err)
		}
		return
	}
	if (w.Outage != nil) != kept {
		m.Fatalf("waits for %+v, kept back by the breaker: %v", *w, kept)
	}
	if w.Outage == nil && m.room.now().Add(w.For) != m.until[w.Account] {
		m.Fatalf("waits %s for %s, the model says until %s", w.For, w.Account, m.until[w.Account])
	}
}
