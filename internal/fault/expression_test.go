package fault

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// Leaving out what cannot match must never leave out what can.
func TestExpressionIsItsRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		atom := rapid.SampledFrom([]string{"abc", "ab", "b", "bcd", "[abc]", "x?", "(?:ab)+", "(?:abc|abd)", "(?:a|bc|abca)", `\b`, "(?:abc){2}", "(?:cab)?", "(?:ab|cd.{0,2})*", "^", "$", "|", "(?:a|b|)", "[|)x]", "[]|a]", "[^]|]", `\|`, `[\]|]`, "[[:alpha:]|]", "ABC", `\D`})
		text := ""
		for range rapid.IntRange(1, 6).Draw(t, "atoms") {
			text += atom.Draw(t, "atom")
		}
		re, err := regexp.Compile("(?i)" + text)
		if err != nil {
			t.Skip()
		}
		n := newNeedles()
		e, err := newExpression(text, n.add)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		s := rapid.StringMatching(`[abcdx ]{0,12}`).Draw(t, "text")
		if got, want := e.matches(s, n.find(s)), re.MatchString(s); got != want {
			t.Fatalf("%q in %q: %v, want %v", text, s, got, want)
		}
	})
}

// Every built-in expression has texts without which it cannot match, so that judging stays cheap.
func TestBuiltinExpressionsHaveNeeds(t *testing.T) {
	for _, rule := range Default().matcher.rules {
		for _, e := range []expression{rule.match, rule.notMatch} {
			for _, a := range e {
				if len(a.needs) == 0 && views()[rule.view] != Prose {
					t.Errorf("%s is tried on every text: %.200s", rule.verdict.Rule, a.re)
				}
			}
		}
	}
}
