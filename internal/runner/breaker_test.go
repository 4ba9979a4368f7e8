package runner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// asks reads off a text what it asks for: "infra: x for 90s" of the account, "infra: x all 90s" of the publisher.
func asks(e reel.Evidence, _ reel.Verdict, _ time.Time) reel.Pause {
	for word, publisher := range map[string]bool{" for ": false, " all ": true} {
		if _, text, ok := strings.Cut(e.Text, word); ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				panic(err)
			}
			return reel.Pause{For: d, Publisher: publisher}
		}
	}
	return reel.Pause{}
}

func sign(e reel.Evidence, v reel.Verdict, _ reel.Job) string {
	return string(v.Category) + e.Code + e.Text
}

// careful is a runner whose breaker and waits are on.
func (b *bench) careful(id string, workers int, l reel.Limits) *runner.Runner {
	r := b.runner(id, workers, l)
	r.Pause, r.Sign = asks, sign
	return r
}

// neighbour is a machine on which everybody lives.
type neighbour struct{ noProcesses }

func (neighbour) Alive(reel.Process) bool { return true }

// watched is a worker that notes what was tried when, and asks broke what goes wrong.
type watched struct {
	scripted
	tries *tries
}

type tries struct {
	mu    sync.Mutex
	began time.Time
	at    map[reel.JobID][]time.Duration
	broke func(reel.Assignment) string
}

func (w watched) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	w.tries.mu.Lock()
	w.tries.at[a.JobID] = append(w.tries.at[a.JobID], time.Since(w.tries.began).Round(time.Second))
	text := w.tries.broke(a)
	w.tries.mu.Unlock()
	<-time.After(time.Second) // a post takes its time
	if text != "" {
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: text}}
	}
	return w.scripted.Publish(ctx, a, d)
}

func (b *bench) watch(r *runner.Runner, t *tries) *runner.Runner {
	r.NewWorker = func(int) runner.Worker { return watched{scripted{script: b.script, posts: b.posts}, t} }
	return r
}

func (b *bench) kinds(kinds ...reel.EventKind) (all []reel.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if slices.Contains(kinds, e.Kind) {
			all = append(all, e)
		}
	}
	return all
}

// The breaker only delays: whatever it does, what becomes of every job and the numbers of every pass are those of the law.
func TestTheBreakerChangesNoResult(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 40
	}
	var tripped atomic.Int64
	t.Run("scenarios", func(t *testing.T) {
		const shards = 8
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < n; seed += shards {
					synctest.Test(t, func(t *testing.T) {
						tripped.Add(int64(scenarioOf(t, uint64(seed), func(b *bench, workers int, l reel.Limits) *runner.Runner {
							l.Breaker = reel.BreakerLimits{Fails: 2, Of: 3 + seed%3, Wait: reel.Seconds(time.Minute)}
							l.MaxWait = reel.Seconds(1000 * time.Hour)
							return b.careful("one", workers, l)
						})))
					})
					if t.Failed() {
						t.Fatalf("seed %d", seed)
					}
				}
			})
		}
	})
	if int(tripped.Load()) < n/10 {
		t.Errorf("it opened %d times in %d scenarios: too few to show anything", tripped.Load(), n)
	}
}

// A dependency that is down for a while: claiming stops, single jobs probe at growing distances, and when it is back all goes on.
// Two supervisors share the ledger.
func TestAnOutagePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const back = 6 * time.Minute
		b := newBench(t, jobs(60, own), nil)
		w := &tries{began: time.Now(), at: map[reel.JobID][]time.Duration{}}
		w.broke = func(reel.Assignment) string {
			if time.Since(w.began) < back {
				return "infra: connection refused"
			}
			return ""
		}
		lender := b.watch(b.careful("two", 3, reel.Limits{}), w)
		lender.Processes = neighbour{}
		over := make(chan struct{})
		go func() {
			defer close(over)
			if err := lender.Lend(context.Background(), func(context.Context) (bool, error) { return b.status(t).Result != reel.NoResult, nil }); err != nil {
				t.Error(err)
			}
		}()
		leader := b.watch(b.careful("one", 3, reel.DefaultLimits()), w)
		leader.Processes = neighbour{} // else a canary of the lender that is due at a sweep is taken for a dead one's
		result, err := leader.Lead(context.Background())
		if err != nil || result != reel.AllComplete {
			t.Fatal(result, err)
		}
		<-over
		var before []time.Duration
		for _, at := range w.at {
			for _, d := range at {
				if d < back {
					before = append(before, d)
				}
			}
		}
		slices.Sort(before)
		// Six at once trip it at the fifth end, one second later nobody begins; then probes one, two and four minutes apart.
		if len(before) < 7 || len(before) > 6+6+2 {
			t.Fatalf("tried at %v while it was down", before)
		}
		probes := before[len(before)-2:]
		if first := probes[0]; first < 60*time.Second || first > 65*time.Second || probes[1]-first < 120*time.Second || probes[1]-first > 125*time.Second {
			t.Errorf("canaries at %v", probes)
		}
		opened, shut, canaries := b.kinds(reel.EventBreakerOpen), b.kinds(reel.EventBreakerShut), b.kinds(reel.EventProbe)
		if len(opened) != 3 || len(shut) != 1 || len(canaries) != 3 {
			t.Errorf("opened %d times, closed %d, %d canaries", len(opened), len(shut), len(canaries))
		}
		if told := b.kinds(reel.EventOnHold); len(told) == 0 || told[0].Outage == nil || told[0].Remaining <= 0 {
			t.Errorf("told of waits: %+v", told)
		}
		if got := states(b.records(t)); !maps.Equal(got, map[reel.State]int{reel.Succeeded: 60}) {
			t.Error(got)
		}
	})
}

// An outage that does not end: the run ends and says why, and what was not attempted is as it was. The next run begins with one job.
func TestAnOutageThatStaysEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobs(40, own), nil)
		w := &tries{began: time.Now(), at: map[reel.JobID][]time.Duration{}, broke: func(reel.Assignment) string { return "infra: refused" }}
		l := reel.DefaultLimits()
		l.MaxWait = reel.Seconds(2 * time.Hour)
		result, err := b.watch(b.careful("one", 1, l), w).Lead(context.Background())
		var outage *reel.OutageError
		if !errors.As(err, &outage) || result != reel.NoResult {
			t.Fatal(result, err)
		}
		if took := time.Since(w.began); took > 2*time.Hour || took < 100*time.Minute {
			t.Errorf("ended after %s", took)
		}
		st := b.status(t)
		if st.Totals.Pending != 40-len(w.at) || st.Totals.Failed != len(w.at) || len(w.at) > 5+10 || st.Phase != reel.PhaseInterrupted {
			t.Errorf("%d tried, %+v", len(w.at), st)
		}
		w.broke = func(reel.Assignment) string { return "" }
		w.began = time.Now()
		if result, err := b.watch(b.careful("two", 4, l), w).Lead(context.Background()); err != nil || result != reel.AllComplete {
			t.Fatal(result, err)
		}
		if took := time.Since(w.began); took > 2*time.Minute {
			t.Errorf("the next run took %s", took)
		}
	})
}

// An account that asks for time is left alone until then, at no cost; the others go on, also in later passes.
func TestAccountsThatAskForTimeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobs(6, func(i int) string { return []string{"limited", "limited", "x", "y", "z", "limited"}[i] }), map[reel.JobID][]string{
			"job-0": {"infra: slow down for 10m", "ok"}, "job-2": {"infra: hiccup", "ok"},
		})
		w := &tries{began: time.Now(), at: map[reel.JobID][]time.Duration{}, broke: func(reel.Assignment) string { return "" }}
		l := reel.DefaultLimits()
		l.Infrastructure = 2
		l.MaxAttempts = 2
		if result, err := b.watch(b.careful("one", 3, l), w).Lead(context.Background()); err != nil || result != reel.AllComplete {
			t.Fatal(result, err)
		}
		for id, at := range w.at {
			for _, d := range at[max(0, len(at)-1):] {
				if limited := id == "job-0" || id == "job-1" || id == "job-5"; limited != (d >= 10*time.Minute) || d > 11*time.Minute+30*time.Second {
					t.Errorf("%s at %v", id, at)
				}
			}
		}
		if r := b.records(t)["job-0"]; r.Tally.Minus(r.Forgiven) != (reel.Tally{Attempts: 1}) || r.Tally.Attempts != 2 {
			t.Errorf("it cost %+v", r.Tally.Minus(r.Forgiven))
		}
		told := b.kinds(reel.EventOnHold)
		if len(told) < 2 || told[0].Account != "limited" || told[0].Until.Sub(w.began).Round(time.Minute) != 10*time.Minute || told[0].Count != 1 {
			t.Errorf("told %+v", told)
		}
		if len(told) > 40 {
			t.Errorf("told %d times", len(told))
		}
	})
}

// A time that is too far away does not keep the run: the account's jobs are set aside, and a run after it takes them by itself.
func TestATimeTooFarAwayEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobs(4, func(i int) string { return []string{"limited", "limited", "x", "y"}[i] }), map[reel.JobID][]string{"job-0": {"infra: slow down for 24h", "ok"}})
		began := time.Now()
		if result, err := b.careful("one", 2, reel.DefaultLimits()).Lead(context.Background()); err != nil || result != reel.OnlyNonRetryable || time.Since(began) > time.Minute {
			t.Fatal(result, err, time.Since(began))
		}
		if r := b.records(t)["job-1"]; r.Reason != reel.ReasonAccountHold || r.Tally.Attempts != 0 {
			t.Errorf("%+v", r)
		}
		<-time.After(25 * time.Hour)
		if result, err := b.careful("two", 2, reel.DefaultLimits()).Lead(context.Background()); err != nil || result != reel.AllComplete {
			t.Fatal(result, err)
		}
	})
}

// A publisher that asks for time has it from everybody, whatever the breaker's setting; then one job is tried first.
func TestAPublisherThatAsksForTimeGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, jobs(20, own), nil)
		w := &tries{began: time.Now(), at: map[reel.JobID][]time.Duration{}}
		w.broke = func(reel.Assignment) string {
			if d := time.Since(w.began); d < 5*time.Minute {
				return fmt.Sprintf("infra: quota all %s", 5*time.Minute-d)
			}
			return ""
		}
		l := reel.DefaultLimits()
		l.Infrastructure, l.Breaker.Fails, l.RetryDelay = 1, 0, 0
		if result, err := b.watch(b.careful("one", 4, l), w).Lead(context.Background()); err != nil || result != reel.AllComplete {
			t.Fatal(result, err)
		}
		early := 0
		for _, at := range w.at {
			for _, d := range at {
				if d < 5*time.Minute {
					early++
				}
			}
		}
		if early != 4 {
			t.Errorf("%d were tried before its time, four were on their way", early)
		}
		if canaries := b.kinds(reel.EventProbe); len(canaries) != 1 {
			t.Errorf("%d canaries", len(canaries))
		}
	})
}

// What a person or a lost lease does to workers says nothing of the publisher.
func TestAStopTripsNothing(t *testing.T) {
	b := newBench(t, jobs(6, own), map[reel.JobID][]string{
		"job-0": {"!hang"}, "job-1": {"!hang"}, "job-2": {"!hang"}, "job-3": {"!hang"}, "job-4": {"!hang"}, "job-5": {"!hang"},
	})
	l := fast()
	l.Breaker.Fails = 2
	r := b.careful("one", 6, l)
	watch, claimed := r.Watch, 0
	ctx, kill := context.WithCancel(context.Background())
	r.Watch = func(e reel.Event) {
		watch(e)
		if e.Kind == reel.EventClaimed {
			if claimed++; claimed == 6 {
				kill()
			}
		}
	}
	var mu sync.Mutex
	inner := r.Watch
	r.Watch = func(e reel.Event) { mu.Lock(); defer mu.Unlock(); inner(e) }
	if result, err := r.Lead(ctx); err != nil || result != reel.Interrupted {
		t.Fatal(result, err)
	}
	if o := b.status(t).Outage; o != nil {
		t.Errorf("open: %+v", *o)
	}
}
