package runner_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// The times of leases, in a bubble whose clock jumps, with a real ledger: each supervisor has opened the file for itself.

// open opens a ledger beside others.
func open(t *testing.T, path string) *ledger.Store {
	t.Helper()
	s, err := ledger.Open(t.Context(), path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ledgerOf(t *testing.T, jobs ...reel.Job) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ledger.db")
	b := &bench{store: open(t, path)}
	b.add(t, jobs)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// host is where supervisors run; whoever is killed is dead.
type host struct {
	mu   sync.Mutex
	dead map[int]time.Time
}

func (h *host) Here(p reel.Process) bool { return p.Host == "here" }
func (h *host) Alive(p reel.Process) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return p.Host == "here" && h.dead[p.PID].IsZero()
}

func (h *host) Kill(p reel.Process) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead[p.PID].IsZero() {
		h.dead[p.PID] = time.Now()
	}
	return nil
}
func (h *host) KillOrphans(context.Context, string, reel.Process) error { return nil }

// cut is a supervisor's way to the ledger for its renewals: from a moment on they get no answer for as long as it lasts.
type cut struct {
	*ledger.Store
	from, to time.Time
}

func (c *cut) Renew(ctx context.Context, supervisor string) ([]reel.Lease, error) {
	if now := time.Now(); !now.Before(c.from) && now.Before(c.to) {
		<-time.After(c.to.Sub(now))
		return nil, errors.New("no answer")
	}
	return c.Store.Renew(ctx, supervisor)
}

// supervisor is a runner at a ledger of its own opening, whose end is told through died.
func supervisor(s *ledger.Store, leases runner.Leases, p runner.Processes, pid int, on string, w runner.Worker) *runner.Runner {
	return &runner.Runner{
		Config: runner.Config{
			Batch: "b", Workers: 1, PerWorker: 1, Limits: reel.DefaultLimits(),
			Supervisor: reel.Supervisor{ID: on + string(rune('0'+pid)), Name: on, Process: reel.Process{Host: on, PID: pid}},
		},
		Slots: s, Leases: leases, Passes: s, Processes: p, NewWorker: func(int) runner.Worker { return w }, Judge: judge,
		Clock: time.Now, Watch: func(reel.Event) {},
	}
}

// state is where the only job stands.
func stateOf(t *testing.T, s *ledger.Store) reel.State {
	t.Helper()
	st, err := s.Story(context.Background(), "b", "1")
	if err != nil {
		t.Fatal(err)
	}
	return st.Record.State
}

// when waits, a second at a time, until something is so, and says how long that took since a moment.
func when(t *testing.T, since time.Time, so func() bool) time.Duration {
	t.Helper()
	for range 1200 {
		if so() {
			return time.Since(since)
		}
		<-time.After(time.Second)
	}
	t.Fatal("it never came to be")
	return 0
}

func between(t *testing.T, what string, got, from, to time.Duration) {
	t.Helper()
	if got < from || got > to {
		t.Errorf("%s after %s, promised between %s and %s", what, got, from, to)
	}
}

func one() reel.Job { return reel.Job{ID: "1", Account: "a", VideoPath: "/v/1.mp4"} }

// busy is a worker that shares where it may, and never ends by itself.
func busy(dies func()) stuck { return stuck{share: true, killed: dies} }

func TestALeaseIsSettledInTime(t *testing.T) {
	for name, c := range map[string]struct {
		hangs    time.Duration // after its claim
		watched  time.Duration // since when somebody watches, after the claim
		from, to time.Duration // when it is settled, after the last renewal or the first watch
		renewals int
	}{
		"it hangs before its first renewal":     {hangs: 5 * time.Second, from: 30 * time.Second, to: 36 * time.Second},
		"it hangs after ten minutes":            {hangs: 605 * time.Second, renewals: 60, from: 30 * time.Second, to: 36 * time.Second},
		"it was expired before anybody watched": {hangs: 5 * time.Second, watched: 5 * time.Minute, from: 15 * time.Second, to: 21 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := ledgerOf(t, one())
				mine, other := open(t, path), open(t, path)
				h := &host{dead: map[int]time.Time{}}
				began := time.Now()
				// The first one leads, and claims; its renewals stop, and so does its own sense of time: it hangs.
				hangs := began.Add(c.hangs)
				r := supervisor(mine, &cut{Store: mine, from: hangs, to: hangs.Add(time.Hour)}, h, 1, "here", busy(func() {}))
				ctx, kill := context.WithCancel(t.Context())
				var all sync.WaitGroup
				all.Go(func() { _, _ = r.Lead(ctx) })
				synctest.Wait()
				<-time.After(c.watched)
				since := began.Add(time.Duration(c.renewals) * reel.RenewEvery)
				if c.watched > 0 {
					since = time.Now()
				}
				lender := supervisor(other, other, h, 2, "here", scripted{posts: &posts{n: map[reel.JobID]int{}}})
				lender.Batch = "c"
				if _, err := other.Import(t.Context(), "c", func(yield func(reel.Post, error) bool) {
					yield(reel.Post{Job: reel.Job{ID: "x", Account: "z", VideoPath: "/v/x.mp4", PublishAt: began.Add(2 * time.Hour)}}, nil)
				}); err != nil {
					t.Fatal(err)
				}
				watching, enough := context.WithCancel(t.Context())
				all.Go(func() { _, _ = lender.Lead(watching) })
				got := when(t, since, func() bool { return !stateOf(t, other).InFlight() })
				between(t, "settled", got, c.from, c.to)
				if h.Alive(reel.Process{Host: "here", PID: 1}) {
					t.Error("settled while its supervisor lived")
				}
				enough()
				kill()
				all.Wait()
				_, _ = mine.Close(), other.Close()
			})
		})
	}
}

func TestWhatThisHostLeftInDoubtIsBuried(t *testing.T) {
	for name, c := range map[string]struct {
		host  string
		lives bool
		want  []string
	}{
		"its supervisor is dead":   {"here", false, []string{"kill workers", "bury"}},
		"its supervisor lives":     {"here", true, nil},
		"it is of a third machine": {"elsewhere", false, nil},
	} {
		for _, how := range []string{"lead", "lend"} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, finished: make(chan struct{})}
					s.held = func() []reel.Held {
						if slices.Contains(s.log, "bury") {
							return nil
						}
						return []reel.Held{{
							Claim: reel.Claim{Lease: reel.Lease{Key: 5, Fence: 2}, Attempt: 1}, State: reel.InDoubt, Away: true,
							Supervisor: reel.Supervisor{ID: "other", Process: reel.Process{Host: c.host, PID: 9}},
						}}
					}
					time.AfterFunc(time.Minute, func() { close(s.finished) })
					r := s.runner(stuck{}, grave{s: s, lives: c.lives})
					var err error
					if how == "lead" {
						_, err = r.Lead(context.Background())
					} else {
						err = r.Lend(context.Background(), func(context.Context) (bool, error) { return true, nil })
					}
					if err != nil || !slices.Equal(s.log, c.want) {
						t.Errorf("%q (%v), want %q", s.log, err, c.want)
					}
				})
			})
		}
	}
}
