package ledgertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine" // checks that a history of concurrent calls is one of calls one after another

	"reelpass/internal/reel"
)

// The history of a linearizability test: several supervisors, each with a store of its own, work at one ledger from several
// goroutines. Each call is noted with its answer. Each account is checked by itself: what happens to one account says nothing of
// another, but that there is nothing to claim says something of all.
const (
	linearAccounts = 4
	linearJobs     = 2 // of each account
	linearWorkers  = 2 // goroutines of each supervisor
	linearCalls    = 40
)

// call is what was asked, about one account, and the answer.
type call struct {
	what string
	sup  int
	job  int // of the account
	to   reel.State
	from reel.State // where somebody settles what he saw
	look bool       // with in_doubt: it is to be looked at

	fence, claimed int64 // that it was made under; that was claimed
	lookup         bool
	err            error // of reel's
	leases         [linearJobs]int64
}

// desk is what an account is: its jobs, and whether a pass is open.
type desk struct {
	jobs [linearJobs]deskJob
	open bool
}

type deskJob struct {
	state reel.State
	owner int // 0: nobody, else the supervisor and 1
	fence int64
	next  bool // due in the next pass
	look  bool
	again bool // a look could not tell
}

func (d desk) busy() bool {
	return slices.ContainsFunc(d.jobs[:], func(j deskJob) bool { return j.owner != 0 })
}

func (d desk) first(which func(deskJob) bool) int {
	if d.busy() {
		return -1
	}
	return slices.IndexFunc(d.jobs[:], which)
}

func (d desk) nextLook() int { return d.first(func(j deskJob) bool { return j.look }) }

func (d desk) nextJob() int {
	return d.first(func(j deskJob) bool { return d.open && j.state.Ready() && !j.next })
}

// step says whether the answer fits, and what the account is then.
func (d desk) step(c call) (bool, desk) {
	j := &d.jobs[c.job] // of our copy
	holds := j.fence == c.fence && j.owner != 0
	switch c.what {
	case "nothing":
		return d.nextLook() < 0 && d.nextJob() < 0, d
	case "claim":
		n := d.nextJob()
		if c.lookup {
			n = d.nextLook()
		} else if d.nextLook() >= 0 {
			return false, d
		}
		if n != c.job || c.claimed <= j.fence {
			return false, d
		}
		j.owner, j.fence, j.look, j.again = c.sup+1, c.claimed, false, false
		if !c.lookup {
			j.state = reel.Running
		}
		return true, d
	case "intent":
		if !holds || j.state != reel.Running {
			return errors.Is(c.err, reel.ErrLost), d
		}
		j.state = reel.Publishing
		return c.err == nil, d
	case "record":
		if !holds || !j.state.InFlight() || c.from != "" && c.from != j.state {
			return errors.Is(c.err, reel.ErrLost), d
		}
		j.state, j.owner, j.next, j.look = c.to, 0, true, c.look
		return c.err == nil, d
	case "look":
		if !holds || j.state != reel.InDoubt {
			return errors.Is(c.err, reel.ErrLost), d
		}
		j.state, j.owner, j.next, j.again = c.to, 0, true, c.to == reel.InDoubt
		return c.err == nil, d
	case "release":
		if holds && j.state == reel.InDoubt {
			j.owner, j.look = 0, true
		}
		return c.err == nil, d
	case "renew", "held": // one's own leases, and those of all others
		for k, j := range d.jobs {
			want := int64(0)
			if j.owner != 0 && (j.owner == c.sup+1) == (c.what == "renew") {
				want = j.fence
			}
			if c.leases[k] != want {
				return false, d
			}
		}
		return true, d
	case "close":
		for _, j := range d.jobs {
			if j.owner != 0 || j.look || d.open && j.state.Ready() && !j.next {
				return false, d
			}
		}
		d.open = false
		return true, d
	case "open":
		for k := range d.jobs {
			j := &d.jobs[k]
			j.next, j.look, j.again = false, j.look || j.again, false
		}
		d.open = true
		return true, d
	}
	return false, d
}

func (c call) String() string {
	return fmt.Sprintf("%s sup=%d job=%d fence=%d claimed=%d from=%s to=%s look=%t leases=%v: %v", c.what, c.sup, c.job, c.fence, c.claimed, c.from, c.to, c.look || c.lookup, c.leases, c.err)
}

// history notes calls.
type history struct {
	began time.Time
	mu    sync.Mutex
	calls [linearAccounts][]porcupine.Operation

	undecided int // accounts whose check took too long
}

// note notes a call of one account, or with -1 of all.
func (h *history) note(client, account int, since time.Duration, c call) {
	until := time.Since(h.began)
	h.mu.Lock()
	defer h.mu.Unlock()
	for a := range h.calls {
		if account < 0 || account == a {
			h.calls[a] = append(h.calls[a], porcupine.Operation{ClientId: client, Input: c, Call: int64(since), Return: int64(until)})
		}
	}
}

// unlike finds the accounts whose calls cannot have happened one after another.
func (h *history) unlike() []string {
	var bad []string
	model := porcupine.Model{
		Init: func() any {
			d := desk{open: true}
			for k := range d.jobs {
				d.jobs[k].state = reel.Pending
			}
			return d
		},
		Step: func(state, input, _ any) (bool, any) { return state.(desk).step(input.(call)) },
	}
	for a, ops := range h.calls {
		switch r := porcupine.CheckOperationsTimeout(model, ops, time.Minute); r {
		case porcupine.Ok:
		case porcupine.Unknown:
			h.undecided++
		case porcupine.Illegal:
			slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			var text strings.Builder
			fmt.Fprintf(&text, "account %d: microseconds, and what was called\n", a)
			for _, o := range ops {
				fmt.Fprintf(&text, "%9d %9d  %v\n", o.Call/1000, o.Return/1000, o.Input)
			}
			bad = append(bad, text.String())
		}
	}
	return bad
}

// linear is one supervisor's goroutine in a history.
type linear struct {
	*room
	*history
	store  Store
	sup    int
	client int
	chance *rand.Rand
}

func (l *linear) place(c reel.Claim) (account, job int) {
	_, err := fmt.Sscanf(string(c.Job.ID), "a%dj%d", &account, &job)
	l.must(err)
	return account, job
}

func (l *linear) now() time.Duration { return time.Since(l.began) }

func (l *linear) known(err error) error {
	for _, e := range []error{nil, reel.ErrLost, reel.ErrNothingDue, reel.ErrNotYet, reel.ErrDuplicate} {
		if errors.Is(err, e) {
			return e
		}
	}
	l.Error(err)
	return err
}

// work makes some calls.
func (l *linear) work() {
	for range linearCalls {
		switch l.chance.IntN(10) {
		case 0:
			l.renew()
		case 1, 2:
			l.settle()
		case 3:
			l.pass()
		default:
			l.job()
		}
	}
}

func (l *linear) job() {
	since := l.now()
	c, _, err := l.store.Claim(l.ctx, claimant(batch, l.sup))
	if err = l.known(err); err != nil {
		l.note(l.client, -1, since, call{what: "nothing", sup: l.sup})
		return
	}
	account, job := l.place(c)
	l.note(l.client, account, since, call{what: "claim", sup: l.sup, job: job, claimed: c.Fence, lookup: c.Lookup})
	if l.chance.IntN(4) == 0 {
		return // left to whoever settles it
	}
	if c.Lookup {
		l.look(c)
		return
	}
	e := l.failing(c, reel.Unknown, false)
	if l.chance.IntN(5) > 0 {
		since = l.now()
		_, err = l.store.Intent(l.ctx, c, l.fp(c), false)
		err = l.known(err)
		l.note(l.client, account, since, call{what: "intent", sup: l.sup, job: job, fence: c.Fence, err: err})
		if e = l.failing(c, reel.Unknown, true); err == nil && l.chance.IntN(4) == 0 {
			e = l.posted(c)
		} else if err != nil {
			e = l.failing(c, reel.Unknown, false)
		}
	}
	l.end(c, e)
}

func (l *linear) end(c reel.Claim, e reel.Ending) {
	account, job := l.place(c)
	since := l.now()
	_, err := l.store.Record(l.ctx, c, e)
	l.note(l.client, account, since, call{
		what: "record", sup: l.sup, job: job, fence: c.Fence, to: e.Decision.State, from: e.From, look: e.Look && e.Decision.State == reel.InDoubt, err: l.known(err),
	})
}

func (l *linear) look(c reel.Claim) {
	account, job := l.place(c)
	since := l.now()
	n := call{what: "look", sup: l.sup, job: job, fence: c.Fence, to: reel.InDoubt}
	var err error
	switch look := (reel.Look{Finding: reel.Unsure, Why: "?"}); l.chance.IntN(4) {
	case 0:
		n.what = "release"
		err = l.store.Release(l.ctx, c)
	case 1:
		look = reel.Look{Finding: reel.Absent}
		d := l.absent(c)
		n.to = d.State
		_, err = l.store.RecordLook(l.ctx, c, look, d)
	case 2:
		look = reel.Look{Finding: reel.Found}
		n.to = reel.Succeeded
		_, err = l.store.RecordLook(l.ctx, c, look, reel.Decision{})
	default:
		_, err = l.store.RecordLook(l.ctx, c, look, reel.Decision{})
	}
	n.err = l.known(err)
	l.note(l.client, account, since, n)
}

func (l *linear) renew() {
	since := l.now()
	held, err := l.store.Renew(l.ctx, sup(l.sup).ID)
	l.must(err)
	l.leases(since, "renew", held)
}

// leases notes which leases were seen, for each account.
func (l *linear) leases(since time.Duration, what string, held []reel.Lease) {
	for a := range linearAccounts {
		n := call{what: what, sup: l.sup}
		for _, h := range held {
			if k := int(h.Key - 1); k/linearJobs == a { // keys are given in the order of the file
				n.leases[k%linearJobs] = h.Fence
			}
		}
		l.note(l.client, a, since, n)
	}
}

// settle ends somebody's lease, as though that were dead.
func (l *linear) settle() {
	since := l.now()
	held, err := l.store.Held(l.ctx, sup(l.sup).ID)
	l.must(err)
	all := make([]reel.Lease, 0, len(held))
	for _, h := range held {
		all = append(all, h.Lease)
	}
	l.leases(since, "held", all)
	if len(held) == 0 {
		return
	}
	h := held[l.chance.IntN(len(held))]
	if h.Lookup {
		l.look(h.Claim)
		return
	}
	e := l.failing(h.Claim, reel.Unknown, h.State == reel.Publishing)
	e.From = h.State
	l.end(h.Claim, e)
}

// pass closes the pass, if it is over, and opens the next.
func (l *linear) pass() {
	if l.sup != 0 || l.client != 0 {
		return
	}
	since := l.now()
	step, _, err := l.store.Advance(l.ctx, batch, l.terms[batch], func(s reel.Standing) reel.Step { return reel.Step{Open: s.Round.Pass + 1} })
	if l.known(err) != nil {
		return
	}
	l.note(l.client, -1, since, call{what: "close"})
	since = l.now()
	events, err := l.store.OpenPass(l.ctx, batch, l.terms[batch], step.Open)
	l.must(err)
	if len(events) > 0 {
		l.note(l.client, -1, since, call{what: "open"})
	}
}

// TestLinear records what several supervisors do at once, and checks that it could have happened one after another. spoil, where
// set, stands between a supervisor and its store: then the histories must give it away.
func TestLinear(t *testing.T, make Factory, histories int, spoil func(Store) Store) {
	for n := range histories {
		r := newRoom(t, make)
		r.look = true
		r.limits.MaxAttempts, r.limits.Unknown, r.limits.MaxPasses = 1000, 1000, 1000
		var specs []string
		for a := range linearAccounts {
			for j := range linearJobs {
				specs = append(specs, fmt.Sprintf("a%dj%d@%d", a, j, a))
			}
		}
		r.add(batch, specs...)
		r.start(batch)
		h := &history{began: time.Now()}
		var all sync.WaitGroup
		for s := range 3 {
			store := r.Beside(t)
			if spoil != nil {
				store = spoil(store)
			}
			for w := range linearWorkers {
				client := s*linearWorkers + w
				l := &linear{room: r, history: h, store: store, sup: s, client: client, chance: rand.New(rand.NewPCG(uint64(n), uint64(client)))}
				all.Go(l.work)
			}
		}
		all.Wait()
		bad := h.unlike()
		switch {
		case spoil == nil && len(bad) > 0:
			t.Fatalf("history %d cannot have happened one after another\n%s", n, bad[0])
		case h.undecided > 0:
			t.Fatalf("history %d: the check of %d accounts took too long", n, h.undecided)
		case spoil != nil && len(bad) > 0:
			return
		}
	}
	if spoil != nil {
		t.Errorf("a store that is broken was not found out in %d histories", histories)
	}
}
