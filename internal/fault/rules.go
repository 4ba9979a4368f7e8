package fault

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"reelpass/internal/reel"
)

//go:embed rules/*.yaml
var ruleFiles embed.FS

//go:embed cases/*.yaml
var caseFiles embed.FS

// View names the part of evidence that the words of a rule are looked for in. See read for how the parts are cut.
type View string

// The views.
const (
	// Words is what was said without addresses, paths, file names and negated statements. It is the default: words about
	// an account are only worth something here.
	Words View = "words"
	// Said is what was said, whole.
	Said View = "said"
	// Prose is a language model's description of a screen, without what it denies, guesses or quotes from captions.
	Prose View = "prose"
)

// Rule is one line of the table of verdicts. It hits when one of its codes was seen (if it names any), and one of its
// texts or its expression is found (if it has any), and one of And (if it has any), and none of Not nor NotMatch.
type Rule struct {
	ID       string        `yaml:"id"`
	Category reel.Category `yaml:"category"`
	Type     string        `yaml:"type"`
	// Sources are those it may fire on; none means all. Evidence without a source may be judged by every rule.
	Sources []reel.Source `yaml:"sources"`
	In      View          `yaml:"in"` // empty means Words
	// Codes are exact (`geelark:20136`), a range (`geelark:20200..20203`) or a beginning (`http:5*`); see codes.
	Codes []string `yaml:"codes"`
	// Texts are substrings, compared after normalisation (see normalise); Match is an RE2 expression over normalised text.
	Texts []string `yaml:"texts"`
	Match string   `yaml:"match"`
	And   []string `yaml:"and"`
	Not   []string `yaml:"not"`
	// NotMatch is an RE2 expression that must not match.
	NotMatch string `yaml:"not_match"`
	// Refine lets a later rule that hits with the same category give the verdict instead: the code settles the category, the
	// words may know the type.
	Refine bool `yaml:"refine"`
	// RetryAfter is how long to wait after it, as 15m, where the message itself names no time. Holds says what waits: account
	// (the default) or publisher, that is everything.
	RetryAfter string `yaml:"retry_after"`
	Holds      string `yaml:"holds"`
	// Why says what the rule knows that its words do not show.
	Why   string `yaml:"why"`
	Cases []Case `yaml:"cases"`
	// File is the name of the file that the rule was read from.
	File string `yaml:"-"`
}

// Case is one message with the verdict that it must get.
type Case struct {
	Text   string      `yaml:"text"`
	Source reel.Source `yaml:"source"`
	Code   string      `yaml:"code"`
	// Want is a category, or category/type. Empty means that the rule which the case belongs to must be the one that hits.
	Want string `yaml:"want"`
}

// Rules is a table of verdicts, tried in order. It is immutable and safe for concurrent use.
type Rules struct {
	list    []Rule
	alone   bool // a user's file that wants no base rules behind it
	traps   []trap
	matcher *matcher
	places  map[string]int // of the rules in list, by id
}

// trap is a named list of cases that belong to no rule.
type trap struct {
	name  string
	cases []Case
}

// order is the sequence of the built-in files. It matters: codes outrank words, names that programs give to things outrank
// sentences, and what is said about another service's account is taken away before words about Instagram's are looked for.
func order() []string {
	return []string{"codes", "instagram", "services", "prose", "tools", "content", "sockets", "screens", "logins", "notices", "families", "network"}
}

// builtin parses the embedded rules once; they are part of the program, so a mistake in them is a bug and panics.
var builtin = sync.OnceValue(func() *Rules {
	var list []Rule
	for _, name := range order() {
		file := "rules/" + name + ".yaml"
		data, err := ruleFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		rules, _, err := parseFile(file, data)
		if err != nil {
			panic(err)
		}
		list = append(list, rules...)
	}
	traps, err := attachCases(list, caseFiles)
	if err != nil {
		panic(err)
	}
	rules, err := build(list)
	if err != nil {
		panic(err)
	}
	rules.traps = traps
	return rules
})

// Default is the built-in table of verdicts. It is parsed once.
func Default() *Rules { return builtin() }

// All lists the rules in the order in which they are tried. The caller may change the list, but not what it refers to.
func (r *Rules) All() []Rule { return slices.Clone(r.list) }

// Before puts these rules in front of base: they are tried first. A rule with the id of a base rule replaces it and stands
// where this file puts it. Rules from a file with `replace: true` stand alone.
func (r *Rules) Before(base *Rules) *Rules {
	if r.alone || base == nil {
		return r
	}
	list := slices.Clone(r.list)
	for _, rule := range base.list {
		if !slices.ContainsFunc(r.list, func(own Rule) bool { return own.ID == rule.ID }) {
			list = append(list, rule)
		}
	}
	merged, err := build(list)
	if err != nil {
		panic(err) // both halves were built before from the same rules
	}
	merged.traps = append(slices.Clone(r.traps), base.traps...)
	return merged
}

// build makes a table of checked rules ready for judging.
func build(list []Rule) (*Rules, error) {
	m, err := newMatcher(list)
	if err != nil {
		return nil, err
	}
	places := make(map[string]int, len(list))
	for i := range list {
		places[list[i].ID] = i
	}
	return &Rules{list: list, matcher: m, places: places}, nil
}

// attachCases gives each rule the cases of the file named after it, and returns the lists that belong to no rule.
func attachCases(list []Rule, files fs.FS) ([]trap, error) {
	names, err := fs.Glob(files, "cases/*.yaml")
	if err != nil {
		return nil, err
	}
	var traps []trap
	for _, file := range names {
		data, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		cases, err := parseCases(file, data)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "cases/"), ".yaml")
		if at := slices.IndexFunc(list, func(rule Rule) bool { return rule.ID == name }); at >= 0 {
			list[at].Cases = append(list[at].Cases, cases...)
			continue
		}
		if !strings.HasPrefix(name, "trap-") {
			return nil, fmt.Errorf("%s: there is no rule %q", file, name)
		}
		traps = append(traps, trap{name: name, cases: cases})
	}
	return traps, nil
}
