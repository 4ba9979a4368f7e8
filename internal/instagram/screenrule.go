package instagram

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"reelpass/internal/phone"
)

// ruleText is a rule as it is written. A mark stands for "some element has this":
//
//	#share_button       its resource id, whole or behind the slash; #cam_dest_* is a beginning
//	=Save draft?        its text or description, whole (case, kind of quotes and blanks do not matter)
//	^Posted!            its beginning
//	~\breel\b           a regular expression over it
//	=@login ^@login     some phrase of that list, in any language
//	package:com.android.vending
//	#title =Save draft? both on the same element
//
// {me} in a text is the account's own handle. Three marks speak of the whole screen: web (no element has an id of the app, as in the
// pages that it shows from the web), blank (nothing is written anywhere) and small (as few elements as a dialog has).
type ruleText struct {
	ID      string   `yaml:"id"`
	Screen  string   `yaml:"screen"`
	Variant string   `yaml:"variant"`
	Trouble string   `yaml:"trouble"`
	Proof   string   `yaml:"proof"` // never, or shared: if Share was tapped in this run
	All     []string `yaml:"all"`   // each of these marks
	Any     []string `yaml:"any"`   // at least one
	Two     []string `yaml:"two"`   // at least two
	None    []string `yaml:"none"`  // not one
}

type rule struct {
	id, screen, variant string
	trouble             Trouble
	proven              string
	all, any, two, none []mark
}

// What proof a rule gives.
const (
	proofNever  = "never"
	proofShared = "shared"
)

func (r *rule) proof(c Context) Proof {
	switch {
	case r.proven == proofNever, r.proven == proofShared && c.Shared == SharedNo:
		return NotPosted
	case r.proven == proofShared && c.Shared == SharedYes:
		return Posted
	}
	return ""
}

// fits says whether the rule is about a screen, and which element was its first mark, -1 where that speaks of the whole screen.
func (r *rule) fits(v *seen) (first int, ok bool) {
	first = -1
	note := func(at int) {
		if first < 0 {
			first = at
		}
	}
	for i := range r.none {
		if _, ok := r.none[i].on(v); ok {
			return -1, false
		}
	}
	for i := range r.all {
		at, ok := r.all[i].on(v)
		if !ok {
			return -1, false
		}
		note(at)
	}
	for _, choice := range []struct {
		marks []mark
		want  int
	}{{r.any, 1}, {r.two, 2}} {
		n := 0
		for i := range choice.marks {
			if at, ok := choice.marks[i].on(v); ok {
				note(at)
				if n++; n == choice.want {
					break
				}
			}
		}
		if len(choice.marks) > 0 && n < choice.want {
			return -1, false
		}
	}
	return first, true
}

// seen is a screen as marks look at it.
type seen struct {
	nodes  []seenNode
	me     string
	ids    bool // some element has an id of the app
	blank  bool
	weight int // elements that say something
}

type seenNode struct {
	id, whole  string // behind the slash, and whole
	app        string
	text, desc string // normal
}

// Instagram is the package of the app; its resource ids begin with it.
const Instagram = "com.instagram.android"

func view(s phone.Screen, c Context) seen {
	v := seen{me: normal(c.Me), blank: true, nodes: make([]seenNode, len(s.Nodes))}
	for i, n := range s.Nodes {
		short := n.ID
		if _, after, ok := strings.Cut(n.ID, ":id/"); ok {
			short = after
		}
		v.nodes[i] = seenNode{id: short, whole: n.ID, app: n.Package, text: normal(n.Text), desc: normal(n.Desc)}
		if strings.HasPrefix(n.ID, Instagram+":") && short != "background_dimmer" && !strings.HasPrefix(short, "layout_container") {
			v.ids = true
		}
		if v.nodes[i].text != "" || v.nodes[i].desc != "" {
			v.blank = false
			v.weight++
		}
	}
	return v
}

// dialogWeight is more elements with words than any dialog that stands alone has.
const dialogWeight = 12

// mark is one compiled mark.
type mark struct {
	whole   string // web, blank or small
	id      string
	prefix  bool
	app     string
	texts   []string // any of them, as op says
	op      byte     // '=' or '^'
	pattern *regexp.Regexp
}

func (m *mark) on(v *seen) (at int, ok bool) {
	switch m.whole {
	case "web":
		return -1, !v.ids
	case "blank":
		return -1, v.blank
	case "small":
		return -1, v.weight <= dialogWeight
	}
	for i := range v.nodes {
		if m.fits(&v.nodes[i], v.me) {
			return i, true
		}
	}
	return -1, false
}

func (m *mark) fits(n *seenNode, me string) bool {
	if m.id != "" && !m.named(n) {
		return false
	}
	if m.app != "" && n.app != m.app {
		return false
	}
	switch {
	case m.pattern != nil:
		return m.pattern.MatchString(n.text) || m.pattern.MatchString(n.desc)
	case m.op == '=':
		return m.says(func(t string) bool { return n.text == t || n.desc == t }, me)
	case m.op == '^':
		return m.says(func(t string) bool { return strings.HasPrefix(n.text, t) || strings.HasPrefix(n.desc, t) }, me)
	}
	return true
}

func (m *mark) named(n *seenNode) bool {
	if m.prefix {
		return strings.HasPrefix(n.id, m.id) || strings.HasPrefix(n.whole, m.id)
	}
	return n.id == m.id || n.whole == m.id
}

func (m *mark) says(is func(string) bool, me string) bool {
	return slices.ContainsFunc(m.texts, func(t string) bool {
		if strings.Contains(t, "{me}") {
			if me == "" {
				return false
			}
			t = strings.ReplaceAll(t, "{me}", me)
		}
		return is(t)
	})
}

type compiler struct{ phrases map[string][]string }

func (c compiler) rule(t ruleText) (r rule, err error) {
	r = rule{id: t.ID, screen: t.Screen, variant: t.Variant, trouble: Trouble(t.Trouble), proven: t.Proof}
	switch {
	case t.ID == "" || t.Screen == "":
		return r, errors.New("it needs an id and a screen")
	case t.Trouble != "" && !slices.Contains(Troubles(), r.trouble):
		return r, fmt.Errorf("unknown trouble %q", t.Trouble)
	case t.Proof != "" && t.Proof != proofNever && t.Proof != proofShared:
		return r, fmt.Errorf("proof is never or shared, not %q", t.Proof)
	case len(t.All)+len(t.Any)+len(t.Two) == 0:
		return r, errors.New("it would fit every screen")
	}
	for _, list := range []struct {
		from []string
		to   *[]mark
	}{{t.All, &r.all}, {t.Any, &r.any}, {t.Two, &r.two}, {t.None, &r.none}} {
		for _, text := range list.from {
			m, err := c.mark(text)
			if err != nil {
				return r, fmt.Errorf("mark %q: %w", text, err)
			}
			*list.to = append(*list.to, m)
		}
	}
	return r, nil
}

func (c compiler) mark(text string) (m mark, err error) {
	switch text {
	case "web", "blank", "small":
		m.whole = text
		return m, nil
	}
	for rest := text; rest != ""; {
		var word string
		switch rest[0] {
		case '#':
			word, rest, _ = strings.Cut(rest[1:], " ")
			m.id, m.prefix = strings.CutSuffix(word, "*")
			if m.id == "" {
				return m, errors.New("it has no id")
			}
		case '=', '^':
			m.op, word, rest = rest[0], rest[1:], ""
			if list, ok := strings.CutPrefix(word, "@"); ok {
				if m.texts = c.phrases[list]; len(m.texts) == 0 {
					return m, fmt.Errorf("there are no phrases %q", list)
				}
			} else if word = normal(word); word == "" {
				return m, errors.New("it has no text")
			} else {
				m.texts = []string{word}
			}
		case '~':
			if m.pattern, err = regexp.Compile(rest[1:]); err != nil {
				return m, err
			}
			rest = ""
		default:
			word, rest, _ = strings.Cut(rest, " ")
			app, ok := strings.CutPrefix(word, "package:")
			if !ok || app == "" {
				return m, fmt.Errorf("no mark begins with %q", word)
			}
			m.app = app
		}
	}
	return m, nil
}

// normal makes texts comparable: the app writes the same words with other quotes, blanks and dots from one version to the next.
func normal(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u200b' || r == '\u200e' || r == '\u200f':
			blank = b.Len() > 0
			continue
		case r == '’' || r == '‘' || r == '`':
			r = '\''
		case r == '“' || r == '”':
			r = '"'
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(b.String(), "...", "…")
}
