package runner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
)

// A machine that lends its workers takes the lead within 40 seconds of its leader's end, and not while it lives.
func TestALeaderThatIsGoneIsReplaced(t *testing.T) {
	never := time.Duration(0)
	elsewhere := reel.Supervisor{ID: "old", Name: "old", Process: reel.Process{Host: "there", PID: 9}}
	here := reel.Supervisor{ID: "old", Name: "old", Process: reel.Process{Host: "here", PID: 9}}
	for name, c := range map[string]struct {
		leader  reel.Supervisor
		lives   bool                                           // as far as can be seen from here
		renewed func(start time.Time, now time.Time) time.Time // when its lease was renewed last
		lead    error
		from    time.Duration // it leads from here after so long, or never
		to      time.Duration
	}{
		"dead on another machine": {elsewhere, false, atFirst, nil, 30 * time.Second, 32 * time.Second},
		"dead on this machine":    {here, false, atFirst, nil, 0, 2 * time.Second},
		"hanging on this machine": {here, true, atFirst, nil, 30 * time.Second, 32 * time.Second},
		"cut off after a minute": {elsewhere, false, func(start, now time.Time) time.Time {
			return start.Add(min(now.Sub(start), time.Minute).Truncate(reel.RenewEvery))
		}, nil, 90 * time.Second, 92 * time.Second},
		"alive":               {elsewhere, false, func(_, now time.Time) time.Time { return now }, nil, never, never},
		"stopped by a person": {reel.Supervisor{}, false, atFirst, nil, never, never},
		"replaced by another": {elsewhere, false, atFirst, reel.ErrTaken, never, never},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				limits := reel.DefaultLimits()
				limits.MaxPasses = 7
				s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, held: func() []reel.Held { return nil }, finished: make(chan struct{}), lead: c.lead}
				s.leader = func() reel.Leadership {
					return reel.Leadership{Batch: "b", Leader: c.leader, Term: 3, Limits: limits, Until: c.renewed(start, time.Now()).Add(reel.LeaseTTL)}
				}
				close(s.finished) // a leader finds the batch done at once
				over := func(context.Context) (bool, error) { return time.Since(start) > 5*time.Minute, nil }
				if err := s.runner(stuck{}, grave{s: s, lives: c.lives}).Lend(context.Background(), over); err != nil {
					t.Fatal(err)
				}
				after := time.Since(start)
				if c.to == never {
					if after < 5*time.Minute || c.lead == nil && len(s.bids) > 0 {
						t.Fatalf("it led after %s: %+v", after, s.bids)
					}
					return
				}
				if after < c.from || after > c.to {
					t.Errorf("it led after %s, not between %s and %s", after, c.from, c.to)
				}
				if len(s.bids) != 1 || s.bids[0].Limits != limits || s.bids[0].Term != 3 {
					t.Errorf("its bids: %+v", s.bids)
				}
			})
		})
	}
}

func atFirst(start, _ time.Time) time.Time { return start }

// Slots that wait are woken by news, and when nothing can be heard they look for themselves.
func TestNewsWakesTheSlots(t *testing.T) {
	for name, c := range map[string]struct {
		listen func(ctx context.Context, heard func()) error
		within time.Duration
	}{
		"heard": {func(ctx context.Context, heard func()) error {
			<-time.After(10*time.Second + 100*time.Millisecond)
			heard()
			<-ctx.Done()
			return nil
		}, 200 * time.Millisecond},
		"deaf":    {nil, 1100 * time.Millisecond},
		"cut off": {func(context.Context, func()) error { return context.DeadlineExceeded }, 1100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, held: func() []reel.Held { return nil }, finished: make(chan struct{})}
				var taken []time.Duration
				begun := func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					taken = append(taken, time.Since(start))
				}
				r := s.runner(telling{begun}, noProcesses{})
				r.Workers, r.Listen = 3, c.listen
				time.AfterFunc(10*time.Second, func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					for i := range 3 {
						s.claims = append(s.claims, reel.Claim{Lease: reel.Lease{Key: int64(i + 1), Fence: 1}, Attempt: 1, Pass: 1, Limits: reel.DefaultLimits()})
					}
				})
				over := func(context.Context) (bool, error) { return time.Since(start) > 20*time.Second, nil }
				if err := r.Lend(context.Background(), over); err != nil {
					t.Fatal(err)
				}
				if len(taken) != 3 || taken[2] > 10*time.Second+c.within {
					t.Errorf("jobs that came after 10s were begun after %s", taken)
				}
			})
		})
	}
}

// telling takes five seconds for a job, and tells when it begins.
type telling struct{ begun func() }

func (w telling) Publish(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
	w.begun()
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
	}
	return reel.Report{Posted: d.Share(ctx)}
}

func (telling) Find(context.Context, reel.Assignment, time.Time, reel.Desk) reel.Look {
	return reel.Look{Finding: reel.Unsure}
}
func (telling) Process() reel.Process { return reel.Process{} }
func (telling) Close() error          { return nil }
