package plan_test

import (
	"strings"
	"testing"
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func TestOutlookHasAWordForEveryState(t *testing.T) {
	l := reel.DefaultLimits()
	for _, s := range reel.States() {
		for _, held := range []bool{false, true} {
			if plan.Outlook(reel.Record{State: s, DuePass: 2}, held, time.Time{}, l, 5) == "" {
				t.Errorf("nothing is said of %s (held %t)", s, held)
			}
		}
	}
	failed := reel.Record{State: reel.Failed, DuePass: 3, Verdict: reel.Verdict{Category: reel.Infrastructure}, Tally: reel.Tally{Attempts: 2, Infrastructure: 2}}
	for want, got := range map[string]string{
		"tried again in pass 3":          plan.Outlook(failed, false, time.Time{}, l, 5),
		"2 of 3 infrastructure failures": plan.Outlook(failed, false, time.Time{}, l, 5),
		"pass 2 is the last":             plan.Outlook(failed, false, time.Time{}, l, 2),
		"until a person releases":        plan.Outlook(failed, true, time.Time{}, l, 5),
		"releases the account":           plan.Outlook(reel.Record{State: reel.SetAside, Reason: reel.ReasonAccountHold}, true, time.Time{}, l, 5),
		"must be allowed by a person":    plan.Outlook(reel.Record{State: reel.SetAside, Reason: reel.ReasonDuplicate}, false, time.Time{}, l, 5),
		"the machine does not look":      plan.Outlook(reel.Record{State: reel.InDoubt}, true, time.Time{}, l, 5),
		"refused on this account":        plan.Outlook(reel.Record{State: reel.Succeeded}, false, time.Time{}, l, 5),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}
