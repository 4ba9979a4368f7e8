package plan

import (
	"fmt"

	"reelpass/internal/reel"
)

// Next decides what comes after a pass, or at the start of a run: another pass, or the end and its result (semantics,
// rules 3 and 7). A pass without a job is never opened, and the delay stands between two passes only. A pass whose jobs wait for
// their accounts' time stays open, unless others could go on in the next one: then they wait there.
func Next(s reel.Standing, l reel.Limits) reel.Step {
	due := s.Totals.Pending + s.Totals.Failed
	next := s.Round.Pass + 1
	switch {
	case s.Waiting && (!s.Others || s.Round.Used() >= l.MaxPasses):
		return reel.Step{Stay: true, Why: "WAITING: the accounts of all jobs that are left asked for time"}
	case due > 0 && s.Round.Used() < l.MaxPasses:
		step := reel.Step{Open: next, Why: fmt.Sprintf("STARTING: %s to do in pass %d", jobs(due), next)}
		if s.Round.Used() > 0 {
			step.Wait = l.RetryDelay.Std()
			step.Why = fmt.Sprintf("CONTINUING: %s will retry in pass %d", jobs(due), next)
		}
		return step
	case due > 0 || s.Totals.OutOfPasses > 0:
		return reel.Step{Result: reel.MaxPassesReached, Why: fmt.Sprintf(
			"STOPPING: max passes (%d) reached, %s could still be tried", l.MaxPasses, jobs(due+s.Totals.OutOfPasses))}
	case s.Totals.Succeeded+s.Totals.Cancelled == s.Totals.Jobs:
		return reel.Step{Result: reel.AllComplete, Why: complete(s.Totals)}
	default:
		return reel.Step{Result: reel.OnlyNonRetryable, Why: stopping(s.Totals)}
	}
}

func complete(t reel.Totals) string {
	switch {
	case t.Jobs == 0:
		return "COMPLETE: there is nothing to do"
	case t.Cancelled > 0:
		return fmt.Sprintf("COMPLETE: %s succeeded, %d cancelled", jobs(t.Succeeded), t.Cancelled)
	}
	return "COMPLETE: all jobs succeeded!"
}

func stopping(t reel.Totals) string {
	text := "STOPPING: only non-retryable jobs remain:"
	sep := " "
	for _, part := range []struct {
		n    int
		what string
	}{{t.SetAside, "set aside"}, {t.Exhausted, "exhausted"}, {t.InDoubt, "in doubt"}} {
		if part.n > 0 {
			text += fmt.Sprintf("%s%d %s", sep, part.n, part.what)
			sep = ", "
		}
	}
	return text
}

func jobs(n int) string {
	if n == 1 {
		return "1 job"
	}
	return fmt.Sprintf("%d jobs", n)
}
