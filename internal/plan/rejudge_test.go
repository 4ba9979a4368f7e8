package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// Whatever a job went through, by new verdicts its counts are what they would be had they been given at once, freeness and
// forgiveness as they were; and what becomes of it is the law's, if it waits at all.
func TestRejudgeCountsAsThoughAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SliceOfN(rapid.SampledFrom(reel.Categories()), 3, 3)
		old, now := table.Draw(t, "old"), table.Draw(t, "new")
		judge := func(table []reel.Category) func(reel.Evidence) reel.Verdict {
			return func(e reel.Evidence) reel.Verdict { return reel.Verdict{Category: table[e.Text[0]-'a']} }
		}
		h := reel.History{Limits: limits().Draw(t, "limits"), LastPass: 9, Free: map[int]bool{}, Mended: rapid.Bool().Draw(t, "mended")}
		h.State = rapid.SampledFrom([]reel.State{reel.Failed, reel.Failed, reel.Pending, reel.SetAside, reel.Exhausted, reel.OutOfPasses, reel.Cancelled}).Draw(t, "state")
		h.MaxAttempts = rapid.IntRange(0, 4).Draw(t, "own")
		n := rapid.IntRange(1, 6).Draw(t, "attempts")
		asks := rapid.Bool().Draw(t, "asks")
		var want reel.Rejudgement
		judged := 0
		for i := range n {
			a := reel.Attempt{Number: i + 1, Pass: i + 1, Outcome: reel.OutcomeFailed, Evidence: reel.Evidence{Text: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "text")}}
			a.Verdict = judge(old)(a.Evidence)
			is := judge(now)(a.Evidence)
			h.Tally, want.Tally = h.Tally.Failed(a.Verdict.Category), want.Tally.Failed(is.Category)
			if rapid.IntRange(0, 3).Draw(t, "free") == 0 {
				h.Free[a.Number] = true
				h.Forgiven, want.Forgiven = h.Forgiven.Plus(reel.Tally{}.Failed(a.Verdict.Category)), want.Forgiven.Plus(reel.Tally{}.Failed(is.Category))
			}
			if i < n-1 && rapid.IntRange(0, 3).Draw(t, "retried") == 0 {
				h.Forgiven, want.Forgiven = h.Tally, want.Tally
			}
			if a.Verdict != is {
				judged++
			}
			h.Attempts, h.Verdict, want.Verdict = append(h.Attempts, a), a.Verdict, is
		}
		r := plan.Rejudge(h, judge(now), func(reel.Evidence, reel.Verdict, time.Time) reel.Pause {
			if asks {
				return reel.Pause{For: time.Second}
			}
			return reel.Pause{}
		})
		renewed := 0
		for _, a := range r.Renewed {
			if a.Was != a.Verdict {
				renewed++
			}
		}
		if r.Tally != want.Tally || r.Forgiven != want.Forgiven || r.Verdict != want.Verdict || r.Judged != n || renewed != judged {
			t.Fatalf("got %+v, want %+v with %d of %d renewed", r, want, judged, n)
		}
		l, v, counts := h.Limits, want.Verdict.Category, want.Tally.Minus(want.Forgiven)
		own := l.MaxAttempts
		if h.MaxAttempts > 0 {
			own = min(own, h.MaxAttempts)
		}
		state := reel.Failed
		switch {
		case asks && v != reel.Content && (v != reel.Unknown || l.RetryUnknown): // its time is past
		case v == reel.Account || v == reel.Content || v == reel.Unknown && !l.RetryUnknown:
			state = reel.SetAside
		case h.Free[n]:
		case counts.Failures(v) >= l.Of(v) || counts.Attempts >= own:
			state = reel.Exhausted
		}
		if d := r.Decision; h.State != reel.Failed || state == reel.Failed || judged == 0 {
			if d != nil {
				t.Fatalf("%s, and it becomes %+v", h.State, *d)
			}
		} else if d == nil || d.State != state || d.Wait != 0 || d.Free || d.Hold != (v == reel.Account && l.AccountHold && !h.Mended) {
			t.Fatalf("decided %+v, the law says %s", d, state)
		} else if r.Renewed[len(r.Renewed)-1].Number != n {
			t.Fatal("the decision stands at another attempt than the last")
		}
	})
}

// What no rule judged at the time none judges now: what an earlier orchestrator did, posts, doubts, and failures of which nothing was kept.
func TestRejudgeLeavesTheRest(t *testing.T) {
	seen := reel.Evidence{Text: "seen"}
	h := reel.History{Record: reel.Record{State: reel.Succeeded, Tally: reel.Tally{Attempts: 4, Unknown: 2}}, Attempts: []reel.Attempt{
		{Number: 1, Outcome: reel.OutcomeFailed, Evidence: seen, Verdict: reel.Verdict{Category: reel.Unknown}},
		{Number: 2, Pass: 1, Outcome: reel.OutcomeFailed, Verdict: reel.Verdict{Category: reel.Unknown}},
		{Number: 3, Pass: 2, Outcome: reel.OutcomeInDoubt, Evidence: seen, Verdict: reel.Verdict{Category: reel.Unknown}},
		{Number: 4, Pass: 3, Outcome: reel.OutcomeSucceeded},
	}}
	r := plan.Rejudge(h, func(reel.Evidence) reel.Verdict { return reel.Verdict{Category: reel.Content} }, nil)
	if r.Judged != 0 || len(r.Renewed) != 0 || r.Tally != h.Tally {
		t.Errorf("%+v", r)
	}
}
