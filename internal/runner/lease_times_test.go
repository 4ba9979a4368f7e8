package runner_test

import (
	"context"
	"errors"
	"path/filepath"
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

func (h *host) Here(p reel.Process) bool    { return p.Host == "here" }
func (h *host) OtherBoot(reel.Process) bool { return false }
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

// supervisor is a runner at a ledger of its own opening.
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

// stateOf is where the only job stands.
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

// watching is a supervisor that leads a batch of its own which has nothing to do for hours, and settles what it sees.
func watching(t *testing.T, s *ledger.Store, p runner.Processes) *runner.Runner {
	t.Helper()
	if _, err := s.Import(t.Context(), "c", func(yield func(reel.Post, error) bool) {
		yield(reel.Post{Job: reel.Job{ID: "x", Account: "z", VideoPath: "/v/x.mp4", PublishAt: time.Now().Add(2 * time.Hour)}}, nil)
	}); err != nil {
		t.Fatal(err)
	}
	r := supervisor(s, s, p, 2, "here", scripted{posts: &posts{n: map[reel.JobID]int{}}})
	r.Batch = "c"
	return r
}

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
				enough, stop := context.WithCancel(t.Context())
				watcher := watching(t, other, h)
				all.Go(func() { _, _ = watcher.Lead(enough) })
				got := when(t, since, func() bool { return !stateOf(t, other).InFlight() })
				between(t, "settled", got, c.from, c.to)
				if h.Alive(reel.Process{Host: "here", PID: 1}) {
					t.Error("settled while its supervisor lived")
				}
				stop()
				kill()
				all.Wait()
				_, _ = mine.Close(), other.Close()
			})
		})
	}
}

// On a shared ledger whoever loses its way to it ends its workers before anybody else settles their jobs; when the way is there
// again it is told that they are dead, and the doubt can be looked up.
func TestASharedLeaseEndsItsWorkerBeforeItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := ledgerOf(t, one())
		mine, other := open(t, path), open(t, path)
		began := time.Now()
		from, to := began.Add(12*time.Second), began.Add(5*time.Minute) // one renewal at 10 s
		var died time.Time
		r := supervisor(mine, &cut{Store: mine, from: from, to: to}, &host{}, 1, "there", busy(func() {
			died = time.Now()
			<-time.After(to.Sub(died)) // its end, too, reaches the ledger only then
		}))
		r.Shared = true
		var all sync.WaitGroup
		all.Go(func() { _, _ = r.Lead(t.Context()) })
		synctest.Wait()
		watcher := watching(t, other, &host{})
		watcher.Shared, watcher.Look = true, true
		enough, stop := context.WithCancel(t.Context())
		all.Go(func() { _, _ = watcher.Lead(enough) })
		renewed := began.Add(reel.RenewEvery)
		settled := when(t, renewed, func() bool { return !stateOf(t, other).InFlight() })
		between(t, "settled", settled, 30*time.Second, 36*time.Second)
		between(t, "its worker ended", died.Sub(renewed), 24*time.Second, 27*time.Second)
		if s := stateOf(t, other); s != reel.InDoubt {
			t.Errorf("it is %s", s)
		}
		if n := away(t, other); n != 1 {
			t.Errorf("%d doubts of another host", n)
		}
		when(t, to, func() bool { return away(t, other) == 0 })
		r.Stop()
		stop()
		all.Wait()
		_, _ = mine.Close(), other.Close()
	})
}

func away(t *testing.T, s *ledger.Store) (n int) {
	t.Helper()
	held, err := s.Held(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if h.Away {
			n++
		}
	}
	return n
}

func TestALeadIsTakenOverInTime(t *testing.T) {
	for name, c := range map[string]struct {
		kill     bool
		from, to time.Duration // after the last renewal, or the death
	}{
		"its leader hangs":   {from: 29 * time.Second, to: 32 * time.Second},
		"its leader is dead": {kill: true, from: 0, to: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := ledgerOf(t, one())
				mine, other := open(t, path), open(t, path)
				h := &host{dead: map[int]time.Time{}}
				began := time.Now()
				hangs := began.Add(65 * time.Second)
				first := supervisor(mine, &cut{Store: mine, from: hangs, to: hangs.Add(10 * time.Minute)}, h, 1, "here", busy(func() {}))
				ctx, kill := context.WithCancel(t.Context())
				var all sync.WaitGroup
				late := errors.New("it has not ended")
				all.Go(func() { _, late = first.Lead(ctx) })
				<-time.After(hangs.Sub(began) + time.Second)
				since := began.Add(60 * time.Second) // its last renewal
				if c.kill {
					since = time.Now()
					_ = h.Kill(reel.Process{Host: "here", PID: 1})
				}
				next := supervisor(other, other, h, 2, "here", scripted{posts: &posts{n: map[reel.JobID]int{"1": 1}}})
				next.Look = true
				var taken time.Duration
				var result reel.Result
				next.Watch = func(e reel.Event) {
					if e.Kind == reel.EventRunStarted {
						taken = time.Since(since)
					}
				}
				when(t, since, func() bool {
					var err error
					if result, err = next.Lead(t.Context()); err != nil && !errors.Is(err, reel.ErrTaken) {
						t.Fatal(err)
					}
					return err == nil
				})
				between(t, "taken over", taken, c.from, c.to)
				if result != reel.AllComplete {
					t.Errorf("the next run: %s", result)
				}
				<-time.After(time.Minute) // the one that hung goes on, and is late
				kill()
				all.Wait()
				if st, err := other.Status(t.Context(), "b"); err != nil || st.Result != reel.AllComplete || stateOf(t, other) != reel.Succeeded {
					t.Errorf("a late leader changed something: %s, %s, %v", st.Result, stateOf(t, other), err)
				}
				if late != nil && !errors.Is(late, reel.ErrLost) {
					t.Errorf("it ended with %v", late)
				}
				_, _ = mine.Close(), other.Close()
			})
		})
	}
}
