package fault

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"reelpass/internal/reel"
)

// ErrPlain says that a cluster has no words by which a rule could tell it from other failures.
var ErrPlain = errors.New("its words do not tell it from other failures")

// The bounds of a proposed rule.
const (
	ownWords    = 12 // words of a text at most: more would only make it miss messages that are a little different
	idWords     = 4  // words of an id at most
	lengthy     = 10 // characters of a word that says enough alone
	apart       = 160
	caseLength  = 500
	wordLetters = 3
)

// Propose makes a rule of a cluster of failures that no rule of base knows: its sources, a text or an expression of words that
// all its messages have, an id that base does not have, and a case. Category and type are taken from said, where the person has
// said them, and else left empty: whose trouble it is no program can know. The rule takes all the cluster's examples, and none of
// the cases of base. ErrPlain where no such rule can be made, which happens to messages such as "error: failed".
func Propose(base *Rules, c Cluster, said reel.Verdict) (Rule, error) {
	if len(c.Examples) == 0 {
		return Rule{}, fmt.Errorf("cluster without examples: %w", ErrPlain)
	}
	for _, parts := range wordings(c) {
		rule := Rule{Category: reel.Unknown, In: Words}
		if c.Source != "" {
			rule.Sources = []reel.Source{c.Source}
		}
		if len(parts) == 1 {
			rule.Texts = parts
		} else {
			quoted := make([]string, len(parts))
			for i, part := range parts {
				quoted[i] = regexp.QuoteMeta(part)
			}
			rule.Match = strings.Join(quoted, fmt.Sprintf(`.{1,%d}`, apart))
		}
		rule.ID = freeID(base, parts)
		if field, _ := rule.Fault(); field != "" {
			continue
		}
		alone, err := build([]Rule{rule})
		if err != nil {
			continue
		}
		knows := func(e reel.Evidence) bool { return alone.Judge(e).Rule != "" }
		if slices.ContainsFunc(c.Examples, func(e reel.Evidence) bool { return !knows(e) }) || base.hasCase(knows) {
			continue
		}
		rule.Category, rule.Type = said.Category, said.Type
		rule.Cases = []Case{shortCase(c.Examples[0], knows)}
		return rule, nil
	}
	return Rule{}, ErrPlain
}

// hasCase says whether one of the cases is such.
func (r *Rules) hasCase(such func(reel.Evidence) bool) bool {
	one := func(c Case) bool { return such(c.evidence()) }
	return slices.ContainsFunc(r.list, func(rule Rule) bool { return slices.ContainsFunc(rule.Cases, one) }) ||
		slices.ContainsFunc(r.traps, func(t trap) bool { return slices.ContainsFunc(t.cases, one) })
}

// shortCase is an example as a case, without what its verdict does not need. Its code is left out where the words do.
func shortCase(e reel.Evidence, knows func(reel.Evidence) bool) Case {
	line := e
	line.Text = strings.ToValidUTF8(headOfText(telling(e), caseLength), "")
	line.Code = ""
	if !knows(line) {
		line.Text = strings.ToValidUTF8(e.Text, "")
	}
	return Case{Text: line.Text, Source: e.Source}
}

// wordings lists what a rule for the cluster could look for, the best first: one text, or several that follow each other.
func wordings(c Cluster) [][]string {
	var runs []run
	var now []string
	end := func() {
		if r := newRun(now); r.distinct > 0 {
			runs = append(runs, r)
		}
		now = nil
	}
	for _, token := range c.tokens {
		if token == anyWord || strings.Contains(token, "#") {
			end()
			continue
		}
		now = append(now, token)
	}
	end()
	best := slices.Clone(runs)
	slices.SortStableFunc(best, func(a, b run) int { return b.distinct - a.distinct })
	var list [][]string
	for _, r := range best {
		if r.enough() {
			list = append(list, []string{r.text})
		}
	}
	all, words := make([]string, 0, len(runs)), 0
	for _, r := range runs {
		all, words = append(all, r.text), words+r.distinct
	}
	if len(runs) > 1 && words > 1 {
		list = append(list, all)
	}
	return list
}

// run is a row of words that all messages of a cluster have.
type run struct {
	text     string
	distinct int // words that say something
	longest  int
}

// newRun cuts a row of words to those between the first and the last that say something, ownWords at most.
func newRun(tokens []string) (r run) {
	first, last := -1, -1
	for i, token := range tokens {
		if !distinctive(token) || first >= 0 && i >= first+ownWords {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		r.distinct++
		r.longest = max(r.longest, utf8.RuneCountInString(bare(token)))
	}
	if first < 0 {
		return run{}
	}
	r.text = bare(strings.Join(tokens[first:last+1], " "))
	return r
}

// enough says that a run may stand alone.
func (r run) enough() bool { return r.distinct > 1 || r.longest >= lengthy }

// bare is a text without the punctuation around it.
func bare(text string) string {
	return strings.TrimFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// distinctive says that a word is not one of those that stand in all failures.
func distinctive(token string) bool {
	word := bare(token)
	if isCommon(word) {
		return false
	}
	letters := 0
	for _, c := range word {
		switch {
		case c >= 0x2e80 && unicode.IsLetter(c): // scripts without blanks: a letter is a word
			return true
		case unicode.IsLetter(c):
			letters++
		}
	}
	return letters >= wordLetters
}

// isCommon says that a word says nothing of what went wrong.
func isCommon(word string) bool { return slices.Contains(commonWords(), word) }

var commonWords = sync.OnceValue(func() []string { return strings.Fields(common) })

const common = ` error errors err errno failed fails fail failure failures exception exceptions fatal warning warn critical panic traceback problem issue wrong bad
 invalid unexpected unknown unable cannot can't could couldn't can not did didn't does doesn't was wasn't were is are be been being has have had will would
 should may might must the this that these those there then than and but nor for with without from into onto over under after before while when where during
 because due again try trying tried retry retries retrying please later now new old all any some none its it's you your our their his her him they them
 code status request response message messages reason cause details detail info result results returned return returns got get gets getting received
 line file files path name type value values data object process processing program command task job jobs worker attempt attempts step steps times time
 account accounts user users post posts posting video videos reel reels upload uploading uploaded publish publishing published share sharing instagram
 occurred happened something went null none nil true false undefined exit exited ended stopped aborted via see more most least only also just not yet out
 use used using make made call called calling run running ran start started starting end done set left one two raise raised throw thrown caught expected `

// freeID makes an id of the words of a rule that base does not have.
func freeID(base *Rules, parts []string) string {
	var words []string
	for _, word := range strings.FieldsFunc(strings.Join(parts, " "), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }) {
		if distinctive(word) && len(words) < idWords {
			words = append(words, word)
		}
	}
	id := strings.Join(append([]string{"my"}, words...), "-")
	free := id
	for n := 2; ; n++ {
		if _, taken := base.places[free]; !taken {
			return free
		}
		free = fmt.Sprintf("%s-%d", id, n)
	}
}
