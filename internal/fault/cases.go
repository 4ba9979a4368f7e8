package fault

import (
	"fmt"
	"strings"

	"reelpass/internal/reel"
)

// Mismatch is a case that does not get the verdict it must get, or a rule without cases.
type Mismatch struct {
	Rule string       // the rule, or the name of a list of traps
	Case Case         // zero where the rule has no case
	Got  reel.Verdict // what Judge said
	Why  string
}

// String says the mismatch in a line.
func (m Mismatch) String() string {
	if m.Case == (Case{}) {
		return m.Rule + ": " + m.Why
	}
	return fmt.Sprintf("%s: %q: %s", m.Rule, m.Case.Text+m.Case.Code, m.Why)
}

// Test runs every case and returns those that fail; none means that all is well. Each rule must have at least one case that
// it takes itself: a rule whose cases are all taken by an earlier one is never reached, and that is a mismatch too.
func (r *Rules) Test() []Mismatch {
	var wrong []Mismatch
	for i := range r.list {
		rule := &r.list[i]
		own := 0
		for _, c := range rule.Cases {
			got := r.Judge(c.evidence())
			if c.Want == "" {
				own++
			}
			if why := c.miss(rule.ID, got); why != "" {
				wrong = append(wrong, Mismatch{Rule: rule.ID, Case: c, Got: got, Why: why})
			}
		}
		if own == 0 {
			wrong = append(wrong, Mismatch{Rule: rule.ID, Why: "it has no case of its own"})
		}
	}
	for _, t := range r.traps {
		for _, c := range t.cases {
			got := r.Judge(c.evidence())
			if why := c.miss("", got); why != "" {
				wrong = append(wrong, Mismatch{Rule: t.name, Case: c, Got: got, Why: why})
			}
		}
	}
	return wrong
}

func (c Case) evidence() reel.Evidence {
	return reel.Evidence{Source: c.Source, Code: c.Code, Text: c.Text}
}

// miss says why a verdict is not what the case wants; "" means that it is.
func (c Case) miss(rule string, got reel.Verdict) string {
	if c.Want == "" {
		if rule != "" && got.Rule != rule {
			return fmt.Sprintf("it is taken by %s (%s)", orNone(got.Rule), got.Category)
		}
		return ""
	}
	category, kind, typed := strings.Cut(c.Want, "/")
	switch {
	case string(got.Category) != category, typed && got.Type != kind:
		return fmt.Sprintf("it must be %s, and %s says %s/%s", c.Want, orNone(got.Rule), got.Category, got.Type)
	}
	return ""
}

func orNone(rule string) string {
	if rule == "" {
		return "no rule"
	}
	return "rule " + rule
}
