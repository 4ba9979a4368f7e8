package fault

import (
	"slices"

	"reelpass/internal/reel"
)

// matcher is a list of rules made ready: its texts are numbered, its expressions compiled.
type matcher struct {
	needles *needles
	rules   []ready
}

// ready is one rule of a matcher. The ints are numbers of needles.
type ready struct {
	sources  []reel.Source
	view     int
	codes    []code
	texts    []int
	and, not []int
	match    expression
	notMatch expression
	refine   bool
	verdict  reel.Verdict
}

func newMatcher(list []Rule) (*matcher, error) {
	m := &matcher{needles: newNeedles()}
	number := func(texts []string) []int {
		var ids []int
		for _, text := range texts {
			ids = append(ids, m.needles.add(normalise(text)))
		}
		return ids
	}
	for i := range list {
		rule := &list[i]
		r := ready{
			sources: rule.Sources,
			view:    slices.Index(views(), rule.In),
			texts:   number(rule.Texts),
			and:     number(rule.And),
			not:     number(rule.Not),
			refine:  rule.Refine,
			verdict: reel.Verdict{Category: rule.Category, Type: rule.Type, Rule: rule.ID},
		}
		var err error
		if r.match, err = newExpression(rule.Match, m.needles.add); err != nil {
			return nil, err
		}
		if r.notMatch, err = newExpression(rule.NotMatch, m.needles.add); err != nil {
			return nil, err
		}
		for _, text := range rule.Codes {
			c, err := parseCode(text)
			if err != nil {
				return nil, err
			}
			r.codes = append(r.codes, c)
		}
		m.rules = append(m.rules, r)
	}
	return m, nil
}

func views() []View { return []View{Words, Said, Prose} }

// Judge gives the verdict on evidence: that of the first rule that hits, or unknown without a type.
//
// Four steps, each in its own file. The text is bounded (first and last 16 KiB) and normalised (text.go). It is read into
// what was said and a language model's prose, and negated statements are taken out of the words (prose.go). Codes of GeeLark,
// the Graph API and HTTP are taken from the code and out of the text (codes.go). Then the rules are tried in order. Evidence
// with a source is judged only by rules that may fire on it. Note and Step are never judged.
func (r *Rules) Judge(evidence reel.Evidence) reel.Verdict {
	reading := read(evidence)
	var found [3]hits
	for i, text := range reading.views {
		found[i] = r.matcher.needles.find(text)
	}
	settled := reel.Verdict{Category: reel.Unknown}
	refining := false
	for i := range r.matcher.rules {
		rule := &r.matcher.rules[i]
		if refining && rule.verdict.Category != settled.Category || !rule.hits(evidence.Source, &reading, found[rule.view]) {
			continue
		}
		if !rule.refine {
			return rule.verdict
		}
		if !refining {
			settled, refining = rule.verdict, true
		}
	}
	return settled
}

// hits says whether the rule applies to a reading. found are the needles in the rule's view.
func (r *ready) hits(source reel.Source, reading *reading, found hits) bool {
	if source != "" && len(r.sources) > 0 && !slices.Contains(r.sources, source) {
		return false
	}
	if len(r.codes) > 0 && !reading.seen(r.codes) {
		return false
	}
	text := reading.views[r.view]
	if (len(r.texts) > 0 || r.match != nil) && !found.any(r.texts) && !r.match.matches(text, found) {
		return false
	}
	if len(r.and) > 0 && !found.any(r.and) {
		return false
	}
	return !found.any(r.not) && !r.notMatch.matches(text, found)
}
