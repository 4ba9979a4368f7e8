package runner_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// The model: semantics.md said straightforwardly, one job after another, with no store, no leases and no goroutines.

type modelJob struct {
	state    reel.State
	reason   reel.Reason
	attempts int
	fails    map[string]int
}

type modelPass struct {
	processed, succeeded, inDoubt, setAside, exhausted, retryable int
	failed                                                        map[string]int
}

func model(ids []reel.JobID, script map[reel.JobID][]string, l reel.Limits) (map[reel.JobID]*modelJob, []modelPass, reel.Result) {
	jobs := map[reel.JobID]*modelJob{}
	for _, id := range ids {
		jobs[id] = &modelJob{state: reel.Pending, fails: map[string]int{}}
	}
	var passes []modelPass
	todo := ids
	for len(todo) > 0 && len(passes) < l.MaxPasses {
		p := modelPass{failed: map[string]int{}}
		var again []reel.JobID
		for _, id := range todo {
			j := jobs[id]
			j.attempts++
			p.processed++
			s := script[id]
			o := s[min(j.attempts, len(s))-1]
			cat := map[string]string{"account: x": "account", "content: x": "content", "infra: x": "infra", "!crash-before-share": "infra"}[o]
			if cat == "" {
				cat = "unknown"
			}
			if o == "ok" {
				j.state = reel.Succeeded
				p.succeeded++
				continue
			}
			if o == "!crash-after-share" {
				j.state = reel.InDoubt
				p.inDoubt++
				continue
			}
			j.fails[cat]++
			p.failed[cat]++
			limit := map[string]int{"infra": l.Infrastructure, "unknown": l.Unknown}[cat]
			switch {
			case cat == "account" || cat == "content":
				j.state, j.reason = reel.SetAside, reel.Reason(cat)
				p.setAside++
			case cat == "unknown" && !l.RetryUnknown:
				j.state, j.reason = reel.SetAside, reel.ReasonUnknownNotRetry
				p.setAside++
			case j.fails[cat] >= limit:
				j.state = reel.Exhausted
				j.reason = map[string]reel.Reason{"infra": reel.ReasonInfraLimit, "unknown": reel.ReasonUnknownLimit}[cat]
				p.exhausted++
			case j.attempts >= l.MaxAttempts:
				j.state, j.reason = reel.Exhausted, reel.ReasonMaxAttempts
				p.exhausted++
			default:
				j.state = reel.Failed
				p.retryable++
				again = append(again, id)
			}
		}
		passes = append(passes, p)
		todo = again
	}
	result := reel.AllComplete
	for _, j := range jobs {
		if j.state == reel.Failed {
			j.state, j.reason = reel.OutOfPasses, reel.ReasonMaxPasses
		}
		if j.state != reel.Succeeded && result == reel.AllComplete {
			result = reel.OnlyNonRetryable
		}
		if j.state == reel.OutOfPasses {
			result = reel.MaxPassesReached
		}
	}
	return jobs, passes, result
}

// TestSemantics compares whole runs with the model. REELPASS_SCENARIOS sets another number of scenarios.
func TestSemantics(t *testing.T) {
	n := scenarios
	if testing.Short() {
		n = 100
	}
	if v, err := strconv.Atoi(os.Getenv("REELPASS_SCENARIOS")); err == nil {
		n = v
	}
	const shards = 8
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += shards {
				scenario(t, uint64(seed))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func scenario(t *testing.T, seed uint64) {
	scenarioOf(t, seed, func(b *bench, workers int, l reel.Limits) *runner.Runner { return b.runner("one", workers, l) })
}

// scenarioOf runs a scenario with a runner of the caller's, compares it with the model, and says how often the breaker opened.
func scenarioOf(t *testing.T, seed uint64, run func(*bench, int, reel.Limits) *runner.Runner) (opened int) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	outcomes := []string{"ok", "ok", "infra: x", "infra: x", "unknown: x", "account: x", "content: x", "!crash-before-share", "!crash-after-share", ""}
	l := reel.Limits{
		MaxPasses: 1 + rnd.IntN(6), Infrastructure: rnd.IntN(5), Unknown: rnd.IntN(4), MaxAttempts: 1 + rnd.IntN(6),
		RetryUnknown: rnd.IntN(4) > 0, AccountHold: true,
	}
	script := map[reel.JobID][]string{}
	var ids []reel.JobID
	var jobs []reel.Job
	for i := range rnd.IntN(9) {
		id := reel.JobID(fmt.Sprintf("job-%d", i))
		for range 1 + rnd.IntN(6) {
			script[id] = append(script[id], outcomes[rnd.IntN(len(outcomes))])
		}
		ids = append(ids, id)
		jobs = append(jobs, reel.Job{ID: id, Account: "acc-" + string(id), VideoPath: "/v/" + string(id), Caption: "c"})
	}
	b := newBench(t, jobs, script)
	workers := []int{1, 4, 16}[rnd.IntN(3)]
	result, err := run(b, workers, l).Lead(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want, passes, wantResult := model(ids, script, l)
	if result != wantResult {
		t.Errorf("result %s, the model says %s", result, wantResult)
	}
	for id, r := range b.records(t) {
		w := want[id]
		if r.State != w.state || r.Reason != w.reason || r.Tally.Attempts != w.attempts || r.Tally.Infrastructure != w.fails["infra"] ||
			r.Tally.Unknown != w.fails["unknown"] || r.Tally.Account != w.fails["account"] || r.Tally.Content != w.fails["content"] {
			t.Errorf("job %s: %s/%s %+v, the model says %+v (script %q, limits %+v)", id, r.State, r.Reason, r.Tally, *w, script[id], l)
		}
	}
	st := b.status(t)
	if len(st.Passes) != len(passes) {
		t.Fatalf("%d passes, the model says %d", len(st.Passes), len(passes))
	}
	attempts := 0
	for i, p := range st.Passes {
		w := passes[i]
		attempts += p.Processed
		if p.Processed != w.processed || p.Succeeded != w.succeeded || p.InDoubt != w.inDoubt || p.SetAside != w.setAside || p.Exhausted != w.exhausted ||
			p.Retryable != w.retryable || p.Failed != (reel.Failures{
			Account: w.failed["account"], Content: w.failed["content"],
			Infrastructure: w.failed["infra"], Unknown: w.failed["unknown"],
		}) {
			t.Errorf("pass %d: %+v, the model says %+v", i+1, p, w)
		}
	}
	if st.Totals.Attempts != attempts {
		t.Errorf("%d attempts in total, %d in the passes", st.Totals.Attempts, attempts)
	}
	for id, n := range b.posts.n {
		if n > 1 {
			t.Errorf("job %s was posted %d times", id, n)
		}
	}
	return len(b.kinds(reel.EventBreakerOpen))
}
