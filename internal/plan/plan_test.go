package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func limits() *rapid.Generator[reel.Limits] {
	return rapid.Custom(func(t *rapid.T) reel.Limits {
		return reel.Limits{
			MaxPasses: rapid.IntRange(1, 6).Draw(t, "passes"), RetryDelay: reel.Seconds(time.Duration(rapid.IntRange(0, 60).Draw(t, "delay")) * time.Second),
			Infrastructure: rapid.IntRange(0, 5).Draw(t, "infra"), Unknown: rapid.IntRange(0, 5).Draw(t, "unknown"),
			MaxAttempts: rapid.IntRange(1, 7).Draw(t, "attempts"), RetryUnknown: rapid.Bool().Draw(t, "retry"), AccountHold: rapid.Bool().Draw(t, "hold"),
			MaxWait: reel.Seconds(time.Duration(rapid.IntRange(0, 60).Draw(t, "wait")) * time.Second),
		}
	})
}

func tries() *rapid.Generator[plan.Try] {
	return rapid.Custom(func(t *rapid.T) plan.Try {
		tally := reel.Tally{Infrastructure: rapid.IntRange(0, 5).Draw(t, "i"), Unknown: rapid.IntRange(0, 5).Draw(t, "u")}
		tally.Attempts = tally.Infrastructure + tally.Unknown
		return plan.Try{
			Tally: tally, Pass: rapid.IntRange(1, 6).Draw(t, "pass"), LastPass: 6,
			MaxAttempts: rapid.IntRange(0, 4).Draw(t, "own"), ShareBegun: rapid.Bool().Draw(t, "begun"),
			Pause: reel.Pause{For: time.Duration(max(0, rapid.IntRange(-60, 120).Draw(t, "asked"))) * time.Second, Publisher: rapid.Bool().Draw(t, "publisher")},
		}
	})
}

func verdicts() *rapid.Generator[reel.Verdict] {
	return rapid.Map(rapid.SampledFrom(reel.Categories()), func(c reel.Category) reel.Verdict { return reel.Verdict{Category: c} })
}

// The invariants of semantics.md, rules 4 and 5, for every combination of counts, limits and categories.
func TestAfterHoldsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, try, v := limits().Draw(t, "limits"), tries().Draw(t, "try"), verdicts().Draw(t, "verdict")
		d := plan.After(try, v, l)
		now := try.Tally.Failed(v.Category)
		asked := try.Pause.For > 0 && v.Category != reel.Content && (v.Category != reel.Unknown || l.RetryUnknown)
		if asked {
			switch {
			case d.Wait.Std() != try.Pause.For || d.Hold == try.Pause.Publisher:
				t.Fatalf("asked %+v, decided %+v", try.Pause, d)
			case try.ShareBegun && (d.State != reel.InDoubt || d.Free):
				t.Fatalf("the share had begun, decided %+v", d)
			case !try.ShareBegun && !d.Free:
				t.Fatal("a wait costs the job one of its limits")
			case !try.ShareBegun && try.Pause.Publisher && d.State != reel.Failed,
				!try.ShareBegun && !try.Pause.Publisher && (d.State == reel.Failed) != (try.Pause.For <= l.MaxWait.Std()):
				t.Fatalf("asked %+v, a run waits %s, decided %+v", try.Pause, l.MaxWait.Std(), d)
			case d.State == reel.Failed && d.DuePass != try.Pass+1, d.State == reel.SetAside && d.Reason != reel.ReasonAccountHold:
				t.Fatalf("decided %+v", d)
			}
			return
		}
		if d.Wait != 0 || d.Free {
			t.Fatalf("nobody asked, decided %+v", d)
		}
		if try.ShareBegun && d.State != reel.InDoubt {
			t.Fatalf("the share had begun and the job becomes %s: it may be repeated", d.State)
		}
		if !try.ShareBegun && d.State == reel.InDoubt {
			t.Fatal("in doubt though nothing was shared")
		}
		if d.State == reel.Failed {
			switch {
			case v.Category == reel.Account || v.Category == reel.Content:
				t.Fatalf("%s is retried", v.Category)
			case v.Category == reel.Unknown && !l.RetryUnknown:
				t.Fatal("unknown is retried against the setting")
			case now.Failures(v.Category) >= l.Of(v.Category):
				t.Fatalf("failure %d is retried, the limit is %d", now.Failures(v.Category), l.Of(v.Category))
			case now.Attempts >= l.MaxAttempts || try.MaxAttempts > 0 && now.Attempts >= try.MaxAttempts:
				t.Fatalf("attempt %d is followed by another", now.Attempts)
			case d.DuePass != try.Pass+1:
				t.Fatalf("due in pass %d after pass %d", d.DuePass, try.Pass)
			case d.Reason != reel.NoReason:
				t.Fatalf("a living job has the reason %s", d.Reason)
			}
		}
		if d.State == reel.Exhausted && now.Failures(v.Category) < l.Of(v.Category) && d.Reason != reel.ReasonMaxAttempts {
			t.Fatalf("exhausted below its limit: %s", d.Reason)
		}
		if d.Hold != (v.Category == reel.Account && l.AccountHold) {
			t.Fatalf("hold is %t for %s", d.Hold, v.Category)
		}
		if d.Why == "" {
			t.Fatal("a decision without its reason")
		}
		if !reel.CanBecome(reel.Running, d.State) && !reel.CanBecome(reel.Publishing, d.State) {
			t.Fatalf("no attempt may end in %s", d.State)
		}
	})
}

// A job that only fails always comes to an end, within the limits of attempts and of its category.
func TestFailingJobsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits().Draw(t, "limits")
		var tally reel.Tally
		for n := 1; ; n++ {
			v := verdicts().Draw(t, "verdict")
			d := plan.After(plan.Try{Tally: tally, Pass: n, LastPass: 100}, v, l)
			tally = tally.Failed(v.Category)
			if d.State != reel.Failed {
				return
			}
			if n >= l.MaxAttempts {
				t.Fatalf("%d attempts and still going, the limit is %d", n, l.MaxAttempts)
			}
		}
	})
}

func TestNextHoldsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits().Draw(t, "limits")
		n := func(name string) int { return rapid.IntRange(0, 3).Draw(t, name) }
		totals := reel.Totals{
			Pending: n("pending"), Failed: n("failed"), Succeeded: n("ok"), SetAside: n("aside"), Exhausted: n("exhausted"),
			OutOfPasses: n("out"), InDoubt: n("doubt"), Cancelled: n("cancelled"),
		}
		for _, s := range reel.States() {
			totals.Jobs += totals.Of(s)
		}
		base := n("base")
		round := reel.Round{Base: base, Pass: base + rapid.IntRange(0, l.MaxPasses).Draw(t, "used")}
		standing := reel.Standing{Round: round, Totals: totals}
		due := totals.Pending + totals.Failed
		if due > 0 && round.Used() > 0 {
			standing.Waiting, standing.Others = rapid.Bool().Draw(t, "waiting"), due > 1 && rapid.Bool().Draw(t, "others")
		}
		s := plan.Next(standing, l)
		if s.Stay != (standing.Waiting && (!standing.Others || round.Used() == l.MaxPasses)) {
			t.Fatalf("%+v: %+v", standing, s)
		}
		if s.Stay {
			return
		}
		switch {
		case s.Open > 0 && due == 0:
			t.Fatal("a pass without a job")
		case s.Open > 0 && (s.Open != round.Pass+1 || s.Open > base+l.MaxPasses):
			t.Fatalf("pass %d after %d, the round may open up to %d", s.Open, round.Pass, base+l.MaxPasses)
		case s.Open > 0 && s.Result != reel.NoResult, s.Open == 0 && s.Result == reel.NoResult:
			t.Fatalf("neither or both of a pass and a result: %+v", s)
		case s.Open > 0 && round.Used() == 0 && s.Wait != 0:
			t.Fatal("a wait before the first pass")
		case s.Open > 0 && round.Used() > 0 && s.Wait != l.RetryDelay.Std():
			t.Fatalf("waits %s between two passes, the delay is %s", s.Wait, l.RetryDelay.Std())
		case s.Result == reel.AllComplete && totals.Succeeded+totals.Cancelled != totals.Jobs:
			t.Fatalf("all complete with %+v", totals)
		case s.Result == reel.OnlyNonRetryable && due+totals.OutOfPasses > 0:
			t.Fatalf("only non-retryable with %+v", totals)
		case s.Result == reel.MaxPassesReached && due+totals.OutOfPasses == 0:
			t.Fatalf("out of passes with %+v", totals)
		}
	})
}

// The contradictions of the plans, by their numbers in docs/semantics.md.

func TestContradictions(t *testing.T) {
	l := reel.DefaultLimits()
	after := func(t *testing.T, tally reel.Tally, c reel.Category, l reel.Limits) reel.Decision {
		t.Helper()
		return plan.After(plan.Try{Tally: tally, Pass: 1, LastPass: l.MaxPasses}, reel.Verdict{Category: c}, l)
	}
	next := func(used int, totals reel.Totals) reel.Step {
		return plan.Next(reel.Standing{Round: reel.Round{Pass: used}, Totals: totals}, l)
	}
	t.Run("3 and 6: an exhausted job opens no pass and is no max_passes_reached", func(t *testing.T) {
		if s := next(2, reel.Totals{Jobs: 1, Exhausted: 1}); s.Result != reel.OnlyNonRetryable {
			t.Fatal(s)
		}
		if s := next(5, reel.Totals{Jobs: 1, Exhausted: 1}); s.Result != reel.OnlyNonRetryable {
			t.Fatal(s)
		}
		if s := next(5, reel.Totals{Jobs: 2, Exhausted: 1, Failed: 1}); s.Result != reel.MaxPassesReached {
			t.Fatal(s)
		}
	})
	t.Run("4: unknown failures that are not retried are not all_complete", func(t *testing.T) {
		l := l
		l.RetryUnknown = false
		if d := after(t, reel.Tally{}, reel.Unknown, l); d.State != reel.SetAside || d.Reason != reel.ReasonUnknownNotRetry {
			t.Fatal(d)
		}
		if s := next(1, reel.Totals{Jobs: 2, Succeeded: 1, SetAside: 1}); s.Result != reel.OnlyNonRetryable {
			t.Fatal(s)
		}
	})
	t.Run("7: max_passes 0 and below are refused, 1 means no retry", func(t *testing.T) {
		for _, n := range []int{0, -1} {
			bad := l
			bad.MaxPasses = n
			if bad.Validate() == nil {
				t.Fatal(n)
			}
		}
		one := l
		one.MaxPasses = 1
		s := plan.Next(reel.Standing{Round: reel.Round{Pass: 1}, Totals: reel.Totals{Jobs: 1, Failed: 1}}, one)
		if s.Open != 0 || s.Result != reel.MaxPassesReached {
			t.Fatal(s)
		}
	})
	t.Run("9: no job, no pass, all_complete", func(t *testing.T) {
		if s := next(0, reel.Totals{}); s.Open != 0 || s.Result != reel.AllComplete {
			t.Fatal(s)
		}
	})
	t.Run("12: max_attempts_per_job counts all attempts, the first included", func(t *testing.T) {
		l := l
		l.MaxAttempts = 2
		if d := after(t, reel.Tally{Attempts: 1, Unknown: 1}, reel.Infrastructure, l); d.Reason != reel.ReasonMaxAttempts {
			t.Fatal(d)
		}
	})
	t.Run("13: limit 3 is three failures, two retries; 0 and 1 are none", func(t *testing.T) {
		if d := after(t, reel.Tally{Attempts: 1, Infrastructure: 1}, reel.Infrastructure, l); d.State != reel.Failed {
			t.Fatal(d)
		}
		if d := after(t, reel.Tally{Attempts: 2, Infrastructure: 2}, reel.Infrastructure, l); d.Reason != reel.ReasonInfraLimit {
			t.Fatal(d)
		}
		for n := range 2 {
			l := l
			l.Infrastructure = n
			if d := after(t, reel.Tally{}, reel.Infrastructure, l); d.State != reel.Exhausted {
				t.Fatal(n, d)
			}
		}
	})
	t.Run("14: a category counts its own failures: infra, infra, unknown goes on", func(t *testing.T) {
		if d := after(t, reel.Tally{Attempts: 2, Infrastructure: 2}, reel.Unknown, l); d.State != reel.Failed {
			t.Fatal(d)
		}
	})
	t.Run("15: the unknown limit is a setting", func(t *testing.T) {
		for n := 1; n < 5; n++ {
			l := l
			l.Unknown = n
			if d := after(t, reel.Tally{Attempts: n - 1, Unknown: n - 1}, reel.Unknown, l); d.Reason != reel.ReasonUnknownLimit {
				t.Fatal(n, d)
			}
		}
	})
	t.Run("16: a job's own max_attempts counts only where it is lower", func(t *testing.T) {
		for own, want := range map[int]reel.State{1: reel.Exhausted, 9: reel.Failed, 0: reel.Failed} {
			if d := plan.After(plan.Try{Pass: 1, LastPass: 5, MaxAttempts: own}, reel.Verdict{Category: reel.Infrastructure}, l); d.State != want {
				t.Fatal(own, d)
			}
		}
	})
	t.Run("24: one predicate: account and content are never retried, whatever the limits", func(t *testing.T) {
		wide := reel.Limits{MaxPasses: 99, Infrastructure: 99, Unknown: 99, MaxAttempts: 99, RetryUnknown: true}
		for _, c := range []reel.Category{reel.Account, reel.Content} {
			if d := after(t, reel.Tally{}, c, wide); d.State != reel.SetAside {
				t.Fatal(c, d)
			}
		}
	})
	t.Run("39: a lost worker is counted, and ends", func(t *testing.T) {
		var tally reel.Tally
		for range 3 {
			d := after(t, tally, reel.Infrastructure, l)
			tally = tally.Failed(reel.Infrastructure)
			if d.State == reel.Exhausted {
				return
			}
		}
		t.Fatal("loops")
	})
}

func ExampleAfter() {
	l := reel.DefaultLimits()
	try := plan.Try{Tally: reel.Tally{Attempts: 1, Infrastructure: 1}, Pass: 2, LastPass: 5}
	fmt.Println(plan.After(try, reel.Verdict{Category: reel.Infrastructure, Type: "adb"}, l).Why)
	// Output: infrastructure failure 2 of 3 allowed, attempt 2 of 5: tried again in pass 3
}

func ExampleNext() {
	standing := reel.Standing{Round: reel.Round{Pass: 1}, Totals: reel.Totals{Jobs: 10, Succeeded: 7, SetAside: 1, Failed: 2}}
	fmt.Println(plan.Next(standing, reel.DefaultLimits()).Why)
	// Output: CONTINUING: 2 jobs will retry in pass 2
}
