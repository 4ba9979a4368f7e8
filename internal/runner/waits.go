package runner

import (
	"errors"
	"time"

	"reelpass/internal/reel"
)

// hindrance is what keeps due jobs waiting, and when a person is to hear of it again.
type hindrance struct {
	account string
	until   time.Time
	again   time.Time
}

// hindered tells, while nothing runs here, what keeps due jobs waiting: at once, and the more seldom the longer it takes.
func (r *Runner) hindered(err error) {
	var w *reel.Waiting
	if !errors.As(err, &w) {
		return
	}
	now := r.Clock()
	r.state.mu.Lock()
	was, busy := r.state.told, len(r.state.active) > 0
	until := now.Add(w.For).Round(time.Second)
	same := was.account == w.Account && was.until.Sub(until).Abs() <= time.Second
	if busy || w.For <= 0 || same && now.Before(was.again) {
		r.state.mu.Unlock()
		return
	}
	r.state.told = hindrance{account: w.Account, until: until, again: now.Add(max(countdownEvery, w.For/10))}
	r.state.mu.Unlock()
	r.tell(reel.Event{
		At: now.UTC(), Kind: reel.EventOnHold, Batch: r.Batch, Account: w.Account, Count: w.Accounts, Text: w.Why,
		Remaining: reel.Seconds(w.For.Round(time.Second)), Until: until.UTC(), Outage: w.Outage,
	})
}
