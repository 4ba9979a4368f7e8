package notify

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says of what an alert tells.
type Kind string

// The kinds of alerts.
const (
	PassEnded     Kind = "pass_ended"
	BatchEnded    Kind = "batch_ended"    // it has a result, or its run was cut short; never held back
	BreakerOpened Kind = "breaker_opened" // nothing is claimed, because too much fails alike or the publisher asked for time
	AccountHeld   Kind = "account_held"   // an account verdict set an account aside, until a person releases it
	JobInDoubt    Kind = "in_doubt"       // a share began and its outcome is not known
	Stalled       Kind = "stalled"        // a batch is run, and nothing was done for a while
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{PassEnded, BatchEnded, BreakerOpened, AccountHeld, JobInDoubt, Stalled}
}

// ParseKinds reads the names of kinds; none means all. The error names what is wrong and what there is.
func ParseKinds(names []string) ([]Kind, error) {
	if len(names) == 0 {
		return Kinds(), nil
	}
	var kinds []Kind
	for _, n := range names {
		k := Kind(strings.TrimSpace(n))
		if !slices.Contains(Kinds(), k) {
			all := make([]string, 0, len(Kinds()))
			for _, k := range Kinds() {
				all = append(all, string(k))
			}
			return nil, fmt.Errorf("no kind of alert is called %q: there are %s", n, strings.Join(all, ", "))
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}
