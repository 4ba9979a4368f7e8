package runner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

var errCrash = errors.New("crashed")

// crashing is a ledger whose user dies at the n-th change: before it is made, or after it and before the answer arrives.
// What comes later changes nothing, as from a dead process.
type crashing struct {
	*ledger.Store
	mu    sync.Mutex
	left  int
	after bool // die after the change, not before it
	dead  bool
}

// step says whether the change may be made and whether its answer arrives.
func (c *crashing) step() (do, answer bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false, false
	}
	c.left--
	if c.left > 0 {
		return true, true
	}
	c.dead = true
	return c.after, false
}

func crashPoint[T any](c *crashing, lost error, f func() (T, error)) (v T, err error) {
	do, answer := c.step()
	if do {
		v, err = f()
	}
	if !answer {
		var zero T
		return zero, lost
	}
	return v, err
}

func (c *crashing) Claim(ctx context.Context, who reel.Claimant) (claim reel.Claim, ev []reel.Event, err error) {
	claim, err = crashPoint(c, errCrash, func() (cl reel.Claim, err error) {
		cl, ev, err = c.Store.Claim(ctx, who)
		return cl, err
	})
	return claim, ev, err
}

func (c *crashing) Intent(ctx context.Context, cl reel.Claim, f reel.Fingerprint, r bool) ([]reel.Event, error) {
	return crashPoint(c, errCrash, func() ([]reel.Event, error) { return c.Store.Intent(ctx, cl, f, r) })
}

// The dead do not insist: to their goroutines every record is answered as lost.
func (c *crashing) Record(ctx context.Context, cl reel.Claim, e reel.Ending) ([]reel.Event, error) {
	return crashPoint(c, reel.ErrLost, func() ([]reel.Event, error) { return c.Store.Record(ctx, cl, e) })
}

func (c *crashing) RecordLook(ctx context.Context, cl reel.Claim, l reel.Look, d reel.Decision) ([]reel.Event, error) {
	return crashPoint(c, reel.ErrLost, func() ([]reel.Event, error) { return c.Store.RecordLook(ctx, cl, l, d) })
}

func (c *crashing) Started(l reel.Lease, p reel.Process) {}

func (c *crashing) OpenPass(ctx context.Context, b string, term int64, pass int) ([]reel.Event, error) {
	return crashPoint(c, errCrash, func() ([]reel.Event, error) { return c.Store.OpenPass(ctx, b, term, pass) })
}

func (c *crashing) Advance(ctx context.Context, b string, term int64, decide func(reel.Standing) reel.Step) (s reel.Step, ev []reel.Event, err error) {
	s, err = crashPoint(c, errCrash, func() (st reel.Step, err error) {
		st, ev, err = c.Store.Advance(ctx, b, term, decide)
		return st, err
	})
	return s, ev, err
}

func (c *crashing) StepDown(ctx context.Context, b string, term int64, why string) ([]reel.Event, error) {
	return crashPoint(c, reel.ErrLost, func() ([]reel.Event, error) { return c.Store.StepDown(ctx, b, term, why) })
}

// TestCrashAtEveryChange kills the supervisor at each change of a run in turn, before and after it, and lets heirs finish:
// nothing is posted twice, nothing is lost, and what was posted is known to be posted.
func TestCrashAtEveryChange(t *testing.T) {
	script := map[reel.JobID][]string{
		"job-0": {"ok"}, "job-1": {"infra: x", "ok"}, "job-2": {"account: x"}, "job-3": {"!crash-after-share"},
		"job-4": {"!crash-after-share-unposted", "ok"}, "job-5": {"unknown: x", "infra: x", "ok"},
	}
	for _, after := range []bool{false, true} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("after %t, %d workers", after, workers), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					if !crashOnce(t, script, n, after, workers) || t.Failed() {
						if n < 20 {
							t.Errorf("only %d changes in a run", n)
						}
						return
					}
				}
			})
		}
	}
}

// crashOnce says whether the run got as far as its n-th change.
func crashOnce(t *testing.T, script map[reel.JobID][]string, n int, after bool, workers int) bool {
	t.Helper()
	ctx := context.Background()
	b := newBench(t, jobs(len(script), own), script)
	c := &crashing{Store: b.store, left: n, after: after}
	r := b.runner("victim", workers, fast())
	r.Slots, r.Passes, r.Look = c, c, true
	if _, err := r.Lead(ctx); err != nil && !errors.Is(err, errCrash) && !errors.Is(err, reel.ErrLost) {
		t.Fatalf("change %d: %v", n, err)
	}
	heir := b.runner("heir", workers, fast())
	heir.Look = true
	if _, err := heir.Lead(ctx); err != nil {
		t.Fatalf("change %d: the heir: %v", n, err)
	}
	totals := reel.Totals{}
	for id, rec := range b.records(t) {
		totals.Jobs++
		totals.Add(rec.State, 1)
		totals.Attempts += rec.Tally.Attempts
		posted := b.posts.n[id]
		if posted > 1 {
			t.Errorf("change %d: %s is posted %d times", n, id, posted)
		}
		if !rec.State.Final() {
			t.Errorf("change %d: %s is left %s", n, id, rec.State)
		}
		if (rec.State == reel.Succeeded) != (posted == 1) {
			t.Errorf("change %d: %s is %s/%s and posted %d times", n, id, rec.State, rec.Reason, posted)
		}
	}
	if st := b.status(t); st.Totals != totals {
		t.Errorf("change %d: the counters say %+v, the jobs %+v", n, st.Totals, totals)
	}
	return c.dead
}
