package plan

import (
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// Try is one attempt as the decision sees it.
type Try struct {
	Tally       reel.Tally // what counted before this attempt, forgiven parts taken off
	Pass        int        // the pass it belongs to
	LastPass    int        // the last pass of the round
	MaxAttempts int        // the job's own limit, 0 for none
	ShareBegun  bool       // the irreversible step may have happened
	Pause       reel.Pause // what the account or the publisher asked for
}

// After decides what becomes of a job whose attempt ended without a post (semantics, rules 4, 5 and 9).
//
// The order is the law's: an attempt whose share had begun is in doubt whatever it looked like, for a repetition could
// post twice; then whose trouble it was; then the limit of that kind; then the limit of attempts. A job that passes all
// of them is Failed and due in the next pass, whether or not there is a pass left: that is Next's to say.
func After(t Try, v reel.Verdict, l reel.Limits) reel.Decision {
	d := reel.Decision{Hold: v.Category == reel.Account && l.AccountHold}
	asked := t.Pause.For > 0 && v.Category != reel.Content && (v.Category != reel.Unknown || l.RetryUnknown)
	if asked {
		d.Hold, d.Wait = !t.Pause.Publisher, reel.Seconds(t.Pause.For)
	}
	if t.ShareBegun {
		d.State = reel.InDoubt
		d.Why = "the share had begun: it may be posted, so it is looked up and never simply repeated"
		return d
	}
	now := t.Tally.Failed(v.Category)
	maxAttempts := l.MaxAttempts
	if t.MaxAttempts > 0 && t.MaxAttempts < maxAttempts {
		maxAttempts = t.MaxAttempts
	}
	switch {
	case asked && d.Hold && t.Pause.For > l.MaxWait.Std():
		d.State, d.Reason, d.Free = reel.SetAside, reel.ReasonAccountHold, true
		d.Why = fmt.Sprintf("the account asks to wait for %s, and a run waits for %s at most: a run after that takes it",
			brief(t.Pause.For), brief(l.MaxWait.Std()))
	case asked:
		d.State, d.DuePass, d.Free = reel.Failed, t.Pass+1, true
		d.Why = fmt.Sprintf("%s asks to wait for %s, which costs the job none of its limits%s", whose(d.Hold), brief(t.Pause.For), after(t))
	case v.Category == reel.Account:
		d.State, d.Reason = reel.SetAside, reel.ReasonAccount
		d.Why = "trouble with the account: not tried again until a person has looked"
	case v.Category == reel.Content:
		d.State, d.Reason = reel.SetAside, reel.ReasonContent
		d.Why = "trouble with the video or caption: the same post would fail again"
	case v.Category == reel.Unknown && !l.RetryUnknown:
		d.State, d.Reason = reel.SetAside, reel.ReasonUnknownNotRetry
		d.Why = "no rule knows this error, and unknown errors are not retried in this run"
	case now.Failures(v.Category) >= l.Of(v.Category):
		d.State = reel.Exhausted
		d.Reason = reel.ReasonInfraLimit
		if v.Category == reel.Unknown {
			d.Reason = reel.ReasonUnknownLimit
		}
		d.Why = fmt.Sprintf("%s failure %d, and the limit is %d", v.Category, now.Failures(v.Category), l.Of(v.Category))
	case now.Attempts >= maxAttempts:
		d.State, d.Reason = reel.Exhausted, reel.ReasonMaxAttempts
		d.Why = fmt.Sprintf("attempt %d, and the limit is %d", now.Attempts, maxAttempts)
	default:
		d.State, d.DuePass = reel.Failed, t.Pass+1
		d.Why = fmt.Sprintf("%s failure %d of %d allowed, attempt %d of %d",
			v.Category, now.Failures(v.Category), l.Of(v.Category), now.Attempts, maxAttempts) + after(t)
	}
	return d
}

// after says when a job that may be tried again is.
func after(t Try) string {
	if t.Pass < t.LastPass {
		return fmt.Sprintf(": tried again in pass %d", t.Pass+1)
	}
	return fmt.Sprintf(": could be tried again, but pass %d is the last", t.LastPass)
}

func whose(account bool) string {
	if account {
		return "the account"
	}
	return "the publisher"
}

// brief is a duration to the second.
func brief(d time.Duration) string { return d.Round(time.Second).String() }

// Posted is the decision after a post.
func Posted() reel.Decision { return reel.Decision{State: reel.Succeeded, Why: "posted"} }
