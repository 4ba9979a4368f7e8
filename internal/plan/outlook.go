package plan

import (
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// Outlook says in a sentence what will happen to a job next, and what a person could do about it. until is the end of its
// account's hold, zero for one that only a person ends; it is said in its own zone.
func Outlook(r reel.Record, held bool, until time.Time, l reel.Limits, lastPass int) string {
	switch r.State {
	case reel.Pending, reel.Failed:
		switch {
		case held && !until.IsZero():
			return fmt.Sprintf("nothing before %s: its account is held until then, and then tried by itself", moment(until))
		case held:
			return "nothing until a person releases the account: it is held"
		case r.DuePass > lastPass && lastPass > 0:
			return fmt.Sprintf("nothing in this run: it could be tried again, but pass %d is the last", lastPass)
		case r.State == reel.Failed:
			return fmt.Sprintf("it is tried again in pass %d; %s", r.DuePass, left(r, l))
		}
		return fmt.Sprintf("it is tried in pass %d", r.DuePass)
	case reel.Running:
		return "a worker has it; nothing irreversible has begun"
	case reel.Publishing:
		return "a worker has it and the share may have begun; should the worker die now, it is in doubt and never simply repeated"
	case reel.Succeeded:
		return "nothing: it is posted, and the same video is refused on this account"
	case reel.InDoubt:
		if held {
			return "a person must look whether it is posted and say so: the account is held, so the machine does not look"
		}
		return "it is looked up when the batch runs and its publisher can look; what that does not settle, a person must say"
	case reel.SetAside:
		if r.Reason == reel.ReasonAccountHold && held && !until.IsZero() {
			return fmt.Sprintf("a run after %s takes it: its account is held until then", moment(until))
		}
		if r.Reason == reel.ReasonAccountHold {
			return "nothing until a person releases the account; then it is tried in the next pass"
		}
		if r.Reason == reel.ReasonDuplicate {
			return "nothing: posting the same video twice on one account must be allowed by a person"
		}
		return "nothing by itself: a person may return it once its cause is mended"
	case reel.Exhausted, reel.OutOfPasses:
		return "nothing by itself: a person may return it"
	case reel.Cancelled:
		return "nothing: a person took it back"
	}
	return ""
}

// left says what the limits still allow.
func left(r reel.Record, l reel.Limits) string {
	t := r.Tally.Minus(r.Forgiven)
	c := r.Verdict.Category
	return fmt.Sprintf("%d of %d %s failures and %d of %d attempts are used", t.Failures(c), l.Of(c), c, t.Attempts, l.MaxAttempts)
}

func moment(t time.Time) string { return t.Format("2006-01-02 15:04:05") }
