package instagram

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"

	"reelpass/internal/phone"
)

// Trouble is what a screen says is wrong with the account.
type Trouble string

// The troubles. The zero Trouble is none. With each of them the only right thing is to stop and tell a person.
const (
	Suspended     Trouble = "suspended"      // can be appealed
	Disabled      Trouble = "disabled"       // for good
	Banned        Trouble = "banned"         // for good, in other words
	LoggedOut     Trouble = "logged_out"     // asks for the password
	Verification  Trouble = "verification"   // asks who the person is: an ID, a selfie, a code
	Captcha       Trouble = "captcha"        // asks for a proof to be human
	ActionBlocked Trouble = "action_blocked" // an action is refused for a while
)

// Troubles lists them all.
func Troubles() []Trouble {
	return []Trouble{Suspended, Disabled, Banned, LoggedOut, Verification, Captcha, ActionBlocked}
}

// Proof says whether a screen proves that a reel was posted just now.
type Proof string

// The proofs. The zero Proof says that the screen says nothing about it, or that it cannot be told.
const (
	Posted    Proof = "posted"     // it proves the post
	NotPosted Proof = "not_posted" // it could be mistaken for a proof: an upload that runs, an older reel, a banner of an earlier run
)

// Context is what is known of the run beside the screen.
type Context struct {
	Me     string // the account's own handle; empty where not known
	Shared Shared
}

// Shared says whether Share was tapped earlier in this run.
type Shared string

// Whether Share was tapped. The zero value: not known.
const (
	SharedYes Shared = "yes"
	SharedNo  Shared = "no"
)

// UnknownScreen is the name of a screen that no rule knows.
const UnknownScreen = "unknown"

// Sighting is what a screen was taken for.
type Sighting struct {
	Screen  string // a name of screens.yaml, or UnknownScreen
	Variant string // of the screen; often empty
	Trouble Trouble
	Proof   Proof
	Rule    string // the id of the rule that said so; empty where none did
	// Mark is the element that the rule knew it by, nil where it was not one: what the screen says of trouble, in its own words.
	Mark *phone.Node
}

// Recogniser names screens. It is safe for use by many at once.
type Recogniser struct {
	rules    []rule
	variants map[string][]rule
}

//go:embed screens.yaml
var builtin string

// NewRecogniser knows the screens that come with this program. It panics only if those are damaged, which a test rules out.
func NewRecogniser() *Recogniser {
	r, err := ReadRules(strings.NewReader(builtin))
	if err != nil {
		panic(err)
	}
	return r
}

// screensFile is the form of screens.yaml.
type screensFile struct {
	Phrases  map[string]map[string][]string `yaml:"phrases"`  // by name and language
	Screens  []ruleText                     `yaml:"screens"`  // tried in order
	Variants []ruleText                     `yaml:"variants"` // of a screen, tried in order
}

// ReadRules reads rules in the form of screens.yaml.
func ReadRules(in io.Reader) (_ *Recogniser, err error) {
	defer func() { // the YAML library panics on some malformed input
		if recover() != nil {
			err = errors.New("screens: not readable as YAML")
		}
	}()
	var f screensFile
	if err := yaml.NewDecoder(in, yaml.Strict()).Decode(&f); err != nil {
		return nil, fmt.Errorf("screens: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	c := f.compiler()
	z := &Recogniser{variants: map[string][]rule{}}
	seen := map[string]bool{}
	for _, t := range f.Screens {
		r, err := c.rule(t)
		if err == nil && seen[r.id] {
			err = errors.New("there are two of that id")
		}
		if err != nil {
			return nil, fmt.Errorf("screens: rule %q: %w", t.ID, err)
		}
		seen[r.id] = true
		z.rules = append(z.rules, r)
	}
	for _, t := range f.Variants {
		t.ID = t.Screen + "/" + t.Variant
		r, err := c.rule(t)
		if err != nil {
			return nil, fmt.Errorf("screens: variant %q: %w", t.ID, err)
		}
		z.variants[t.Screen] = append(z.variants[t.Screen], r)
	}
	return z, nil
}

func (f screensFile) compiler() compiler {
	c := compiler{phrases: map[string][]string{}}
	for name, languages := range f.Phrases {
		for _, texts := range languages {
			for _, t := range texts {
				c.phrases[name] = append(c.phrases[name], normal(t))
			}
		}
	}
	return c
}

// phrasesOf compiles marks with the phrases of a file of screens.
func phrasesOf(text string) (compiler, error) {
	var f screensFile
	if err := yaml.UnmarshalWithOptions([]byte(text), &f, yaml.Strict()); err != nil {
		return compiler{}, fmt.Errorf("screens: %w", err)
	}
	return f.compiler(), nil
}

// Recognise says what a screen is. The first rule that fits says it.
func (z *Recogniser) Recognise(s phone.Screen, c Context) Sighting {
	v := view(s, c)
	for i := range z.rules {
		r := &z.rules[i]
		mark, ok := r.fits(&v)
		if !ok {
			continue
		}
		found := Sighting{Screen: r.screen, Trouble: r.trouble, Proof: r.proof(c), Rule: r.id}
		if mark >= 0 {
			found.Mark = &s.Nodes[mark]
		}
		for i := range z.variants[r.screen] {
			if _, ok := z.variants[r.screen][i].fits(&v); ok {
				found.Variant = z.variants[r.screen][i].variant
				break
			}
		}
		return found
	}
	return Sighting{Screen: UnknownScreen}
}

// Screens lists the names that the rules give, in their order.
func (z *Recogniser) Screens() (names []string) {
	seen := map[string]bool{UnknownScreen: true}
	for _, r := range z.rules {
		if !seen[r.screen] {
			seen[r.screen] = true
			names = append(names, r.screen)
		}
	}
	return append(names, UnknownScreen)
}
