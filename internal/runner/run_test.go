package runner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

func fast() reel.Limits {
	l := reel.DefaultLimits()
	l.RetryDelay = 0
	return l
}

func jobs(n int, account func(i int) string) []reel.Job {
	var all []reel.Job
	for i := range n {
		all = append(all, reel.Job{ID: reel.JobID(fmt.Sprintf("job-%d", i)), Account: account(i), VideoPath: fmt.Sprintf("/v/%d.mp4", i), Caption: "c"})
	}
	return all
}

func own(i int) string { return fmt.Sprintf("acc-%d", i) }

func states(rs map[reel.JobID]reel.Record) map[reel.State]int {
	m := map[reel.State]int{}
	for _, r := range rs {
		m[r.State]++
	}
	return m
}

// The scenarios A to D of the first plan.
func TestScenarios(t *testing.T) {
	for _, c := range []struct {
		name   string
		jobs   int
		script map[reel.JobID][]string
		want   map[reel.State]int
		result reel.Result
		passes int
	}{
		{"A all succeed", 5, nil, map[reel.State]int{reel.Succeeded: 5}, reel.AllComplete, 1},
		{
			"B account failures only", 5,
			map[reel.JobID][]string{"job-0": {"account: suspended"}, "job-1": {"account: suspended"}},
			map[reel.State]int{reel.Succeeded: 3, reel.SetAside: 2},
			reel.OnlyNonRetryable, 1,
		},
		{
			"C hiccups that heal", 5,
			map[reel.JobID][]string{"job-0": {"infra: adb", "ok"}, "job-1": {"infra: adb", "infra: adb", "ok"}},
			map[reel.State]int{reel.Succeeded: 5},
			reel.AllComplete, 3,
		},
		{
			"C hiccups that stay", 5,
			map[reel.JobID][]string{"job-0": {"infra: adb"}, "job-1": {"infra: adb"}},
			map[reel.State]int{reel.Succeeded: 3, reel.Exhausted: 2},
			reel.OnlyNonRetryable, 3,
		},
		{
			"D mixed", 10,
			map[reel.JobID][]string{
				"job-0": {"account: x"}, "job-1": {"account: x"}, "job-2": {"account: x"},
				"job-3": {"infra: x", "ok"}, "job-4": {"infra: x", "ok"}, "job-5": {"infra: x", "ok"},
			},
			map[reel.State]int{reel.Succeeded: 7, reel.SetAside: 3},
			reel.OnlyNonRetryable, 2,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, jobs(c.jobs, own), c.script)
			result, err := b.runner("one", 3, fast()).Lead(context.Background())
			if err != nil || result != c.result {
				t.Fatalf("%s, %v; want %s", result, err, c.result)
			}
			if got := states(b.records(t)); !maps.Equal(got, c.want) {
				t.Errorf("states %v, want %v", got, c.want)
			}
			if st := b.status(t); len(st.Passes) != c.passes {
				t.Errorf("%d passes, want %d", len(st.Passes), c.passes)
			}
		})
	}
}

func TestBrokenAccountsAreLeftAlone(t *testing.T) {
	script := map[reel.JobID][]string{"job-0": {"account: suspended"}}
	b := newBench(t, jobs(6, func(i int) string { return fmt.Sprintf("acc-%d", i%2) }), script)
	if _, err := b.runner("one", 4, fast()).Lead(context.Background()); err != nil {
		t.Fatal(err)
	}
	rs := b.records(t)
	for _, id := range []reel.JobID{"job-2", "job-4"} {
		if r := rs[id]; r.State != reel.SetAside || r.Reason != reel.ReasonAccountHold || r.Tally.Attempts != 0 {
			t.Errorf("%s of the broken account: %s/%s after %d attempts", id, r.State, r.Reason, r.Tally.Attempts)
		}
	}
	t.Run("in a later batch too", func(t *testing.T) {
		more := []reel.Job{{ID: "late", Account: "acc-0", VideoPath: "/v/late.mp4"}}
		b.add(t, more)
		if _, err := b.runner("two", 1, fast()).Lead(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r := b.records(t)["late"]; r.Reason != reel.ReasonAccountHold || r.Tally.Attempts != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("until a person releases it", func(t *testing.T) {
		script["job-0"] = []string{"account: suspended", "ok"}
		if n, err := b.store.ReleaseAccount(context.Background(), "acc-0", "ana", true); err != nil || n != 4 {
			t.Fatal(n, err)
		}
		if res, err := b.runner("three", 2, fast()).Lead(context.Background()); err != nil || res != reel.AllComplete {
			t.Fatal(res, err)
		}
	})
	t.Run("unless holds are turned off", func(t *testing.T) {
		l := fast()
		l.AccountHold = false
		b := newBench(t, jobs(3, func(int) string { return "acc" }), map[reel.JobID][]string{"job-0": {"account: x"}})
		if _, err := b.runner("one", 2, l).Lead(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := states(b.records(t)); got[reel.Succeeded] != 2 || got[reel.SetAside] != 1 {
			t.Error(got)
		}
	})
}

// watchful counts how many jobs of an account are in hand at once.
type watchful struct {
	scripted
	inHand map[string]*atomic.Int32
	worst  *atomic.Int32
}

func (w watchful) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	n := w.inHand[a.Account].Add(1)
	defer w.inHand[a.Account].Add(-1)
	for old := w.worst.Load(); n > old && !w.worst.CompareAndSwap(old, n); old = w.worst.Load() {
	}
	return w.scripted.Publish(ctx, a, d)
}

func TestOneJobOfAnAccountAtATime(t *testing.T) {
	b := newBench(t, jobs(60, func(i int) string { return fmt.Sprintf("acc-%d", i%3) }), nil)
	w := watchful{inHand: map[string]*atomic.Int32{"acc-0": {}, "acc-1": {}, "acc-2": {}}, worst: &atomic.Int32{}}
	r := b.runner("one", 16, fast())
	w.scripted = scripted{script: b.script, posts: b.posts}
	r.NewWorker = func(int) runner.Worker { return w }
	if res, err := r.Lead(context.Background()); err != nil || res != reel.AllComplete {
		t.Fatal(res, err)
	}
	if w.worst.Load() != 1 {
		t.Errorf("%d jobs of one account at once", w.worst.Load())
	}
}

func TestSoftStopFinishesWhatRunsAndTheNextRunContinues(t *testing.T) {
	hang := make(chan struct{})
	b := newBench(t, jobs(10, own), map[reel.JobID][]string{"job-0": {"!hang", "ok"}})
	r := b.runner("one", 1, fast())
	r.NewWorker = func(int) runner.Worker { return scripted{script: b.script, posts: b.posts, hang: hang} }
	watch := r.Watch
	r.Watch = func(e reel.Event) {
		watch(e)
		if e.Kind == reel.EventClaimed && e.Job == "job-0" {
			r.Stop()
			close(hang)
		}
	}
	result, err := r.Lead(context.Background())
	if err != nil || result != reel.Interrupted {
		t.Fatal(result, err)
	}
	if st := b.status(t); st.Phase != reel.PhaseInterrupted || st.Totals.Failed != 1 || st.Totals.Pending != 9 {
		t.Fatalf("%+v", st)
	}
	result, err = b.runner("two", 4, fast()).Lead(context.Background())
	if err != nil || result != reel.AllComplete {
		t.Fatal(result, err)
	}
	st := b.status(t)
	if len(st.Passes) != 2 || st.Passes[0].Processed != 10 || st.Passes[1].Processed != 1 {
		t.Errorf("passes %+v: the interrupted pass goes on, and the failed job waits for the next", st.Passes)
	}
}

func TestHardStopKillsAndRecords(t *testing.T) {
	b := newBench(t, jobs(3, own), map[reel.JobID][]string{"job-0": {"!hang"}, "job-1": {"!hang"}, "job-2": {"!hang"}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := b.runner("one", 3, fast())
	var claimed atomic.Int32
	watch := r.Watch
	r.Watch = func(e reel.Event) {
		watch(e)
		if e.Kind == reel.EventClaimed && claimed.Add(1) == 3 {
			cancel()
		}
	}
	result, err := r.Lead(ctx)
	if err != nil || result != reel.Interrupted {
		t.Fatal(result, err)
	}
	for id, rec := range b.records(t) {
		if rec.State != reel.Failed || rec.Verdict.Type != reel.CodeInterrupted {
			t.Errorf("%s: %s %+v", id, rec.State, rec.Verdict)
		}
	}
}

func TestASecondRunIsRefusedByName(t *testing.T) {
	hang := make(chan struct{})
	b := newBench(t, jobs(1, own), map[reel.JobID][]string{"job-0": {"!hang"}})
	r := b.runner("first", 1, fast())
	r.Processes = alive{}
	r.NewWorker = func(int) runner.Worker { return scripted{script: b.script, posts: b.posts, hang: hang} }
	claimed, done := make(chan struct{}), make(chan error, 1)
	watch := r.Watch
	r.Watch = func(e reel.Event) {
		watch(e)
		if e.Kind == reel.EventClaimed && e.Attempt == 1 {
			close(claimed)
		}
	}
	go func() {
		_, err := r.Lead(context.Background())
		done <- err
	}()
	<-claimed
	second := b.runner("second", 1, fast())
	second.Processes = alive{}
	_, err := second.Lead(context.Background())
	var taken *runner.TakenError
	if !errors.As(err, &taken) || taken.Leader.Name != "first" || !errors.Is(err, reel.ErrTaken) {
		t.Errorf("the second run: %v", err)
	}
	close(hang)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// alive is a machine on which every process lives.
type alive struct{ noProcesses }

func (alive) Alive(reel.Process) bool { return true }

// TestDeadPredecessor: a supervisor of this host died with one job before and one after its intent.
func TestDeadPredecessor(t *testing.T) {
	for _, posted := range []bool{true, false} {
		t.Run(fmt.Sprintf("posted %t", posted), func(t *testing.T) {
			ctx := context.Background()
			b := newBench(t, jobs(2, own), nil)
			dead := reel.Supervisor{ID: "dead", Name: "the dead", Process: reel.Process{Host: "here", PID: 7}}
			b.die(t, dead, "job-1", posted)
			r := b.runner("heir", 2, fast())
			r.Look = true
			var orphans orphanage
			r.Processes = &orphans
			result, err := r.Lead(ctx)
			if err != nil || result != reel.AllComplete {
				t.Fatal(result, err)
			}
			rs := b.records(t)
			if a := rs["job-0"]; a.State != reel.Succeeded || a.Tally.Attempts != 2 || a.Tally.Infrastructure != 1 {
				t.Errorf("the job before its intent: %s %+v", a.State, a.Tally)
			}
			if n := b.posts.n["job-1"]; n != 1 {
				t.Errorf("the job after its intent is posted %d times", n)
			}
			if !slices.Contains(orphans.killed, "dead") {
				t.Error("the dead supervisor's workers were not made sure of")
			}
		})
	}
}

type orphanage struct {
	noProcesses
	killed []string
}

func (o *orphanage) KillOrphans(_ context.Context, sup string, _ reel.Process) error {
	o.killed = append(o.killed, sup)
	return nil
}

// die leaves the ledger as a supervisor does that is killed with every job claimed, and the intent of one recorded.
func (b *bench) die(t *testing.T, sup reel.Supervisor, intent reel.JobID, posted bool) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.store.Enlist(sup))
	round, _, err := b.store.Lead(ctx, reel.Bid{Batch: "b", Leader: sup, Limits: fast()})
	must(err)
	_, err = b.store.OpenPass(ctx, "b", round.Term, 1)
	must(err)
	for {
		c, _, err := b.store.Claim(ctx, reel.Claimant{Batch: "b", Supervisor: sup.ID, Worker: 1})
		if errors.Is(err, reel.ErrNothingDue) {
			return
		}
		must(err)
		if c.Job.ID == intent {
			_, err = b.store.Intent(ctx, c, reel.Fingerprint{Key: "path:" + c.Job.VideoPath, Path: "path:" + c.Job.VideoPath}, false)
			must(err)
			if posted {
				b.posts.add(c.Job.ID)
			}
		}
	}
}

func TestInDoubtIsNeverRepeatedWithoutALook(t *testing.T) {
	b := newBench(t, jobs(1, own), map[reel.JobID][]string{"job-0": {"!crash-after-share", "ok"}})
	for i := range 3 {
		if res, err := b.runner(fmt.Sprint(i), 2, fast()).Lead(context.Background()); err != nil || res != reel.OnlyNonRetryable {
			t.Fatal(res, err)
		}
	}
	if r := b.records(t)["job-0"]; r.State != reel.InDoubt || r.Tally.Attempts != 1 || b.posts.n["job-0"] != 1 {
		t.Errorf("%s after %d attempts and %d posts", r.State, r.Tally.Attempts, b.posts.n["job-0"])
	}
}

func TestLooksSettleDoubts(t *testing.T) {
	b := newBench(t, jobs(2, own), map[reel.JobID][]string{"job-0": {"!crash-after-share"}, "job-1": {"!crash-after-share-unposted", "ok"}})
	r := b.runner("one", 2, fast())
	r.Look = true
	if res, err := r.Lead(context.Background()); err != nil || res != reel.AllComplete {
		t.Fatal(res, err)
	}
	rs := b.records(t)
	if rs["job-0"].Tally.Attempts != 1 || rs["job-1"].Tally.Attempts != 2 || b.posts.n["job-0"] != 1 || b.posts.n["job-1"] != 1 {
		t.Errorf("%+v %+v %v", rs["job-0"].Tally, rs["job-1"].Tally, b.posts.n)
	}
}

func TestMorePassesReopenWhatOnlyLackedPasses(t *testing.T) {
	b := newBench(t, jobs(1, own), map[reel.JobID][]string{"job-0": {"infra: x", "infra: x", "ok"}})
	l := fast()
	l.MaxPasses = 1
	if res, err := b.runner("one", 1, l).Lead(context.Background()); err != nil || res != reel.MaxPassesReached {
		t.Fatal(res, err)
	}
	if res, err := b.runner("two", 1, l).Lead(context.Background()); err != nil || res != reel.MaxPassesReached || b.status(t).Totals.Attempts != 1 {
		t.Fatal("the same limits try nothing again", res, err)
	}
	l.MaxPasses = 4
	if res, err := b.runner("three", 1, l).Lead(context.Background()); err != nil || res != reel.AllComplete {
		t.Fatal(res, err)
	}
}

func TestWaitsCountDownAndEndWithAStop(t *testing.T) {
	b := newBench(t, jobs(1, own), map[reel.JobID][]string{"job-0": {"infra: x"}})
	l := fast()
	l.RetryDelay = reel.Seconds(25 * time.Second)
	r := b.runner("one", 1, l)
	watch := r.Watch
	r.Watch = func(e reel.Event) {
		watch(e)
		if e.Kind == reel.EventWaiting {
			r.Stop()
		}
	}
	start := time.Now()
	res, err := r.Lead(context.Background())
	if err != nil || res != reel.Interrupted || time.Since(start) > 10*time.Second {
		t.Fatal(res, err, time.Since(start))
	}
	st := b.status(t)
	if len(st.Passes) != 1 || st.Passes[0].EndedAt.IsZero() {
		t.Errorf("a cancelled wait started or left open a pass: %+v", st.Passes)
	}
}

// A machine that lends its workers decides by the limits of the run that leads, which may begin after it.
func TestLentWorkersKeepTheLeadersLimits(t *testing.T) {
	b := newBench(t, jobs(1, own), map[reel.JobID][]string{"job-0": {"infra: x"}})
	lender := b.runner("lender", 1, reel.Limits{})
	done := make(chan error, 1)
	tried := func(context.Context) (bool, error) { return b.status(t).Totals.Attempts == 1, nil }
	go func() { done <- lender.Lend(context.Background(), tried) }()
	ctx := context.Background()
	leader := reel.Supervisor{ID: "leader", Name: "leader", Process: reel.Process{Host: "there", PID: 7}}
	if err := b.store.Enlist(leader); err != nil {
		t.Fatal(err)
	}
	round, _, err := b.store.Lead(ctx, reel.Bid{Batch: "b", Leader: leader, Limits: fast()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.OpenPass(ctx, "b", round.Term, 1); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := b.records(t)["job-0"]; r.State != reel.Failed || r.DuePass != 2 {
		t.Errorf("%s/%s, due in pass %d", r.State, r.Reason, r.DuePass)
	}
}

// A machine that lends its workers outlives a ledger that does not answer for a while, but not one that has lost its batch.
func TestLendingOutlivesASilentLedger(t *testing.T) {
	silence := errors.New("no answer")
	for name, test := range map[string]struct {
		answers func(after time.Duration) (bool, error)
		want    error
		until   time.Duration
	}{
		"for a while": {func(d time.Duration) (bool, error) {
			return d > 12*time.Second, map[bool]error{true: silence}[d < 12*time.Second]
		}, nil, 14 * time.Second},
		"for too long":      {func(time.Duration) (bool, error) { return false, silence }, silence, 27 * time.Second},
		"the batch is gone": {func(time.Duration) (bool, error) { return false, reel.ErrNotFound }, reel.ErrNotFound, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, held: func() []reel.Held { return nil }, finished: make(chan struct{})}
				began := time.Now()
				err := s.runner(stuck{}, noProcesses{}).Lend(context.Background(), func(context.Context) (bool, error) { return test.answers(time.Since(began)) })
				if !errors.Is(err, test.want) || time.Since(began) > test.until {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		})
	}
}

// A shared ledger that is silent now and then, for less than a lease's time each, ends no run; one that stays silent does.
func TestARunOutlivesShortSilences(t *testing.T) {
	silence := errors.New("no answer")
	for name, test := range map[string]struct {
		silent func(after time.Duration) bool
		want   error
	}{
		"twice, with rest between": {func(d time.Duration) bool { return d < 15*time.Second || d > 60*time.Second && d < 75*time.Second }, nil},
		"for too long":             {func(time.Duration) bool { return true }, silence},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, held: func() []reel.Held { return nil }, finished: make(chan struct{})}
				began := time.Now()
				s.silence = func() error {
					if test.silent(time.Since(began)) {
						return silence
					}
					return nil
				}
				time.AfterFunc(90*time.Second, func() { close(s.finished) })
				r := s.runner(stuck{}, noProcesses{})
				r.Shared = true
				if _, err := r.Lead(context.Background()); !errors.Is(err, test.want) {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		})
	}
}
