package runner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// shelf is a ledger of one job, for the timing of leases: it answers what a test wants and notes what it was told.
type shelf struct {
	mu       sync.Mutex
	claims   []reel.Claim
	renew    func() ([]reel.Lease, error)
	held     func() []reel.Held
	blind    func() error // where set, why the leases cannot be read now
	endings  []reel.Ending
	log      []string
	finished chan struct{} // Advance answers a result when closed
	silence  func() error  // where set, what a claim fails with at this moment
	leader   func() reel.Leadership
	bids     []reel.Bid
	lead     error // what a bid is answered
}

func (s *shelf) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
}

func (s *shelf) Claim(context.Context, reel.Claimant) (reel.Claim, []reel.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silence != nil {
		if err := s.silence(); err != nil {
			return reel.Claim{}, nil, err
		}
	}
	if len(s.claims) == 0 {
		return reel.Claim{}, nil, reel.ErrNothingDue
	}
	c := s.claims[0]
	s.claims = s.claims[1:]
	return c, nil, nil
}

func (s *shelf) Intent(context.Context, reel.Claim, reel.Fingerprint, bool) ([]reel.Event, error) {
	return nil, nil
}

func (s *shelf) Record(_ context.Context, _ reel.Claim, e reel.Ending) ([]reel.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endings = append(s.endings, e)
	s.log = append(s.log, "record "+string(e.Decision.State))
	return nil, nil
}

func (s *shelf) RecordLook(context.Context, reel.Claim, reel.Look, reel.Decision) ([]reel.Event, error) {
	return nil, nil
}
func (s *shelf) Started(reel.Lease, reel.Process)                    {}
func (s *shelf) Enlist(reel.Supervisor) error                        { return nil }
func (s *shelf) Release(context.Context, reel.Claim) error           { s.note("release"); return nil }
func (s *shelf) Bury(context.Context, reel.Claim) error              { s.note("bury"); return nil }
func (s *shelf) Renew(context.Context, string) ([]reel.Lease, error) { return s.renew() }

func (s *shelf) Held(context.Context, string) ([]reel.Held, error) {
	if s.blind != nil {
		if err := s.blind(); err != nil {
			return nil, err
		}
	}
	return s.held(), nil
}

func (s *shelf) Leader(context.Context, string) (reel.Leadership, error) {
	if s.leader == nil {
		return reel.Leadership{}, nil
	}
	return s.leader(), nil
}

func (s *shelf) Lead(_ context.Context, b reel.Bid) (reel.Round, []reel.Event, error) {
	s.bids = append(s.bids, b)
	return reel.Round{Term: b.Term + 1, Pass: 1, Open: true}, nil, s.lead
}

func (s *shelf) OpenPass(context.Context, string, int64, int) ([]reel.Event, error) { return nil, nil }

func (s *shelf) Advance(context.Context, string, int64, func(reel.Standing) reel.Step) (reel.Step, []reel.Event, error) {
	select {
	case <-s.finished:
		return reel.Step{Result: reel.AllComplete}, nil, nil
	default:
		return reel.Step{}, nil, reel.ErrNotYet
	}
}

func (s *shelf) StepDown(context.Context, string, int64, string) ([]reel.Event, error) {
	return nil, nil
}

func (s *shelf) runner(w runner.Worker, p runner.Processes) *runner.Runner {
	return &runner.Runner{
		Config: runner.Config{
			Batch: "b", Workers: 1, PerWorker: 1, Limits: reel.DefaultLimits(),
			Supervisor: reel.Supervisor{ID: "me", Process: reel.Process{Host: "here", PID: 1}},
		},
		Slots: s, Leases: s, Passes: s, Processes: p, NewWorker: func(int) runner.Worker { return w }, Judge: judge, Sign: sign,
		Clock: time.Now, Watch: func(reel.Event) {},
	}
}

// stuck shares and then answers only when it is killed.
type stuck struct {
	share  bool
	killed func()
}

func (w stuck) Publish(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
	begun := w.share && d.Share(ctx)
	<-ctx.Done()
	w.killed()
	return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeInterrupted, ShareBegun: begun}}
}

func (stuck) Find(context.Context, reel.Assignment, time.Time, reel.Desk) reel.Look {
	return reel.Look{Finding: reel.Unsure}
}
func (stuck) Process() reel.Process { return reel.Process{} }
func (stuck) Close() error          { return nil }

func TestALostLeaseKillsItsWorker(t *testing.T) {
	lease := reel.Lease{Key: 1, Fence: 7}
	for name, c := range map[string]struct {
		renew func() ([]reel.Lease, error)
		after time.Duration // when the worker must be dead
		not   time.Duration // until when it must live
	}{
		"settled by somebody else":        {func() ([]reel.Lease, error) { return nil, nil }, 11 * time.Second, 9 * time.Second},
		"given again under a new fence":   {func() ([]reel.Lease, error) { return []reel.Lease{{Key: 1, Fence: 8}}, nil }, 11 * time.Second, 9 * time.Second},
		"a ledger that cannot be reached": {func() ([]reel.Lease, error) { return nil, errors.New("unreachable") }, 31 * time.Second, 25 * time.Second},
		"a shared one that does not answer": {func() ([]reel.Lease, error) {
			<-time.After(time.Minute)
			return nil, errors.New("too late")
		}, 26 * time.Second, 24 * time.Second},
		"one that cannot be reached, and the clock is set back": {func() ([]reel.Lease, error) { return nil, errors.New("unreachable") }, 31 * time.Second, 25 * time.Second},
		"a shared one that does not answer, and the clock is set back": {func() ([]reel.Lease, error) {
			<-time.After(time.Minute)
			return nil, errors.New("too late")
		}, 26 * time.Second, 24 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{claims: []reel.Claim{{Lease: lease, Attempt: 1, Pass: 1, Limits: reel.DefaultLimits()}}, renew: c.renew, held: func() []reel.Held { return nil }, finished: make(chan struct{})}
				start := time.Now()
				var died time.Duration
				r := s.runner(stuck{share: true, killed: func() { died = time.Since(start); close(s.finished) }}, noProcesses{})
				r.Shared = strings.Contains(name, "shared")
				if strings.Contains(name, "set back") {
					r.Clock = func() time.Time {
						if time.Since(start) > 5*time.Second {
							return time.Now().Round(0).Add(-2 * time.Hour)
						}
						return time.Now()
					}
				}
				if _, err := r.Lead(context.Background()); err != nil {
					t.Fatal(err)
				}
				if died > c.after || died < c.not {
					t.Errorf("the worker died after %s", died)
				}
				if len(s.endings) != 1 || s.endings[0].Attempt.Evidence.Code != reel.CodeLeaseLost || s.endings[0].Decision.State != reel.InDoubt {
					t.Errorf("recorded: %+v", s.endings)
				}
			})
		})
	}
}

func TestARenewedLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := reel.Lease{Key: 1, Fence: 7}
		renewals := 0
		s := &shelf{claims: []reel.Claim{{Lease: lease, Attempt: 1, Pass: 1, Limits: reel.DefaultLimits()}}, held: func() []reel.Held { return nil }, finished: make(chan struct{})}
		var r *runner.Runner
		s.renew = func() ([]reel.Lease, error) {
			if renewals++; renewals == 60 { // ten minutes: a job may be longer than any lease
				close(s.finished)
			}
			return []reel.Lease{lease}, nil
		}
		killed := 0
		r = s.runner(stuck{killed: func() { killed++ }}, noProcesses{})
		ctx, cancel := context.WithTimeout(context.Background(), 11*time.Minute)
		defer cancel()
		if _, err := r.Lead(ctx); err != nil {
			t.Fatal(err)
		}
		if e := s.endings[0].Attempt.Evidence; e.Code != reel.CodeInterrupted {
			t.Errorf("killed before its time: %+v", e)
		}
	})
}

// grave notes in the shelf's log what was killed.
type grave struct {
	noProcesses
	s     *shelf
	lives bool
}

func (g grave) Alive(reel.Process) bool { return g.lives }
func (g grave) Kill(reel.Process) error { g.s.note("kill supervisor"); return nil }
func (g grave) KillOrphans(context.Context, string, reel.Process) error {
	g.s.note("kill workers")
	return nil
}

func TestSweep(t *testing.T) {
	other := reel.Supervisor{ID: "other", Name: "other", Process: reel.Process{Host: "here", PID: 9}}
	held := func(until time.Time, state reel.State) []reel.Held {
		return []reel.Held{{
			Claim: reel.Claim{Lease: reel.Lease{Key: 5, Fence: 2}, Pass: 1, Attempt: 1, Limits: reel.DefaultLimits()}, State: state, Supervisor: other, Until: until,
		}}
	}
	run := func(t *testing.T, lives bool, limit time.Duration, h func(start time.Time) []reel.Held) *shelf {
		t.Helper()
		start := time.Now()
		s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, finished: make(chan struct{})}
		s.held = func() []reel.Held {
			if len(s.endings) > 0 {
				return nil
			}
			return h(start)
		}
		time.AfterFunc(limit, func() { close(s.finished) })
		if _, err := s.runner(stuck{}, grave{s: s, lives: lives}).Lead(context.Background()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("a dead one of this host is settled at once, after its workers are dead", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := run(t, false, time.Millisecond, func(start time.Time) []reel.Held { return held(start.Add(30*time.Second), reel.Running) })
			if want := []string{"kill supervisor", "kill workers", "record failed"}; !slices.Equal(s.log, want) {
				t.Errorf("%q, want %q", s.log, want)
			}
			if e := s.endings[0]; e.Signature != "" || e.Breaker != nil {
				t.Errorf("the breaker hears of a supervisor's death: %+v", e)
			}
		})
	})
	t.Run("after its intent it is in doubt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := run(t, false, time.Millisecond, func(start time.Time) []reel.Held { return held(start.Add(30*time.Second), reel.Publishing) })
			if len(s.endings) != 1 || s.endings[0].Decision.State != reel.InDoubt {
				t.Errorf("%+v", s.endings)
			}
		})
	})
	t.Run("an intent that was its last word is not overlooked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			looked := 0
			s := run(t, false, time.Millisecond, func(start time.Time) []reel.Held {
				if looked++; looked == 1 {
					return held(start.Add(30*time.Second), reel.Running)
				}
				return held(start.Add(30*time.Second), reel.Publishing) // written between our look and its death
			})
			if len(s.endings) != 1 || s.endings[0].Decision.State != reel.InDoubt {
				t.Errorf("%+v", s.endings)
			}
		})
	})
	t.Run("one that hangs is killed and settled only after its lease expired under our eyes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			early := run(t, true, 10*time.Second, func(start time.Time) []reel.Held { return held(start.Add(-time.Minute), reel.Running) })
			if len(early.log) > 0 {
				t.Errorf("settled on the word of a wall clock: %q", early.log)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			s := run(t, true, 40*time.Second, func(start time.Time) []reel.Held { return held(start.Add(-time.Minute), reel.Running) })
			if want := []string{"kill supervisor", "kill workers", "record failed"}; !slices.Equal(s.log, want) {
				t.Errorf("%q, want %q", s.log, want)
			}
		})
	})
	t.Run("one that hangs is settled in time though the clock was set back by hours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ahead := func(start time.Time) []reel.Held { return held(start.Add(3*time.Hour), reel.Running) }
			if early := run(t, true, 37500*time.Millisecond, ahead); len(early.log) > 0 {
				t.Errorf("settled before its lease was over: %q", early.log)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			s := run(t, true, 46*time.Second, func(start time.Time) []reel.Held { return held(start.Add(3*time.Hour), reel.Running) })
			if want := []string{"kill supervisor", "kill workers", "record failed"}; !slices.Equal(s.log, want) {
				t.Errorf("%q, want %q", s.log, want)
			}
		})
	})
	// Two supervisors of one machine lose their way to a server together. Whoever finds it again first must not take the other for hung.
	t.Run("one that was not seen for a while is not taken for one that did not renew", func(t *testing.T) {
		for name, blind := range map[string]func(after time.Duration) error{
			"the ledger does not answer": func(after time.Duration) error {
				if after > 7*time.Second && after < time.Minute {
					return errors.New("unreachable")
				}
				return nil
			},
			"it answers late": func(after time.Duration) error {
				if after > 7*time.Second && after < time.Minute {
					<-time.After(time.Minute - after)
				}
				return nil
			},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, finished: make(chan struct{})}
					s.blind = func() error { return blind(time.Since(start)) }
					s.held = func() []reel.Held {
						if after := time.Since(start); after > 70*time.Second { // it renews as soon as it can
							return held(start.Add(after.Truncate(reel.RenewEvery)+reel.LeaseTTL), reel.Publishing)
						}
						return held(start.Add(reel.LeaseTTL), reel.Publishing)
					}
					time.AfterFunc(2*time.Minute, func() { close(s.finished) })
					if _, err := s.runner(stuck{}, grave{s: s, lives: true}).Lead(context.Background()); err != nil {
						t.Fatal(err)
					}
					if len(s.log) > 0 {
						t.Errorf("a living supervisor was swept: %q", s.log)
					}
				})
			})
		}
	})
	t.Run("one that renews is left alone, whatever the wall clock says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := run(t, true, 5*time.Minute, func(start time.Time) []reel.Held {
				renewed := time.Since(start).Truncate(reel.RenewEvery)
				return held(start.Add(-time.Hour).Add(renewed), reel.Publishing)
			})
			if len(s.log) > 0 {
				t.Errorf("a living supervisor was swept: %q", s.log)
			}
		})
	})
}
