package fault

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// expression is a compiled RE2 expression, cut at its outermost alternatives. Each is only tried on texts that hold what it
// cannot match without; trying all of them would make a judgement twenty times dearer.
type expression []alternative

// alternative is one part of an expression. The text must hold one needle of each set of needs.
type alternative struct {
	re    *regexp.Regexp
	needs [][]int
}

// newExpression compiles an expression over normalised text, and numbers its needs with add.
func newExpression(text string, add func(string) int) (expression, error) {
	if text == "" {
		return nil, nil
	}
	var e expression
	for _, part := range outermost(lower(text)) {
		re, err := regexp.Compile(part)
		if err != nil {
			return nil, err
		}
		tree, err := syntax.Parse(part, syntax.Perl)
		if err != nil {
			return nil, err
		}
		a := alternative{re: re}
		for _, texts := range needs(tree.Simplify()) {
			var ids []int
			for _, text := range texts {
				ids = append(ids, add(text))
			}
			a.needs = append(a.needs, ids)
		}
		e = append(e, a)
	}
	return e, nil
}

// lower makes an expression one for normalised text: small letters, and Latin letters without marks. Ignoring case instead
// would make RE2 several times slower. What follows a backslash is not a letter and stays.
func lower(expr string) string {
	var b strings.Builder
	for i := 0; i < len(expr); {
		end := i
		if expr[i] == '\\' {
			end = escapeEnd(expr, i)
			b.WriteString(expr[i:end])
			i = end
			continue
		}
		for end < len(expr) && expr[end] != '\\' {
			end++
		}
		b.WriteString(unmark(strings.ToLower(expr[i:end])))
		i = end
	}
	return b.String()
}

// escapeEnd is where the escape that begins at i ends.
func escapeEnd(expr string, i int) int {
	if rest := expr[i:]; strings.HasPrefix(rest, `\p{`) || strings.HasPrefix(rest, `\P{`) || strings.HasPrefix(rest, `\x{`) {
		if close := strings.IndexByte(rest, '}'); close > 0 {
			return i + close + 1
		}
	}
	if i+1 == len(expr) {
		return i + 1
	}
	_, size := utf8.DecodeRuneInString(expr[i+1:])
	return i + 1 + size
}

// outermost cuts a valid expression at the bars outside of groups and classes. One with flags or quoted text is left whole.
func outermost(expr string) []string {
	if strings.Contains(expr, `\Q`) || flags.MatchString(expr) {
		return []string{expr}
	}
	var parts []string
	depth, class, start := 0, -1, 0
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			i = escapeEnd(expr, i) - 1
		case class >= 0:
			// A bracket right at the beginning of a class is one of its members.
			if c == ']' && i > class+1 && expr[class+1:i] != "^" {
				class = -1
			} else if strings.HasPrefix(expr[i:], "[:") {
				if close := strings.Index(expr[i:], ":]"); close > 0 {
					i += close + 1
				}
			}
		case c == '[':
			class = i
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, expr[start:i])
			start = i + 1
		}
	}
	return append(parts, expr[start:])
}

// flags finds a change of flags that reaches over a bar.
var flags = regexp.MustCompile(`\(\?[a-zA-Z-]+\)`)

// matches says whether the expression matches a text, of which found are the needles; an empty expression does not.
func (e expression) matches(text string, found hits) bool {
	return slices.ContainsFunc(e, func(a alternative) bool {
		for _, ids := range a.needs {
			if !found.any(ids) {
				return false
			}
		}
		return a.re.MatchString(text)
	})
}

// needs lists sets of texts: whatever re matches holds at least one text of each set. Sets with a text too short to be looked
// up are left out.
func needs(re *syntax.Regexp) [][]string {
	if texts := exact(re); texts != nil {
		return usable(texts)
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return needs(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needs(re.Sub[0])
		}
	case syntax.OpConcat:
		// Neighbours that match known texts are looked up as one: the parser cuts "ban|block" into b(?:an|lock).
		var all [][]string
		run := []string{""}
		for _, sub := range re.Sub {
			texts := exact(sub)
			longer := product(run, texts)
			if longer != nil {
				run = longer
				continue
			}
			all = append(all, usable(run)...)
			run = []string{""}
			if texts != nil {
				run = texts
				continue
			}
			all = append(all, needs(sub)...)
		}
		return append(all, usable(run)...)
	case syntax.OpAlternate:
		var union []string
		for _, sub := range re.Sub {
			best := sharpest(needs(sub))
			if best == nil {
				return nil
			}
			union = append(union, best...)
		}
		return [][]string{union}
	}
	return nil
}

// most is how many texts a set may have.
const most = 64

// exact lists all texts that re matches, where they are few; nil means that they are not known.
func exact(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpWordBoundary, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return []string{""}
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		var all []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] >= most {
				return nil
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				all = append(all, string(r))
			}
		}
		if len(all) > 0 && len(all) <= most {
			return all
		}
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpQuest:
		if texts := exact(re.Sub[0]); texts != nil {
			return append([]string{""}, texts...)
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts := exact(sub)
			if texts == nil || len(all)+len(texts) > most {
				return nil
			}
			all = append(all, texts...)
		}
		return all
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			if all = product(all, exact(sub)); all == nil {
				return nil
			}
		}
		return all
	}
	return nil
}

// product lists each of a followed by each of b; nil where b is nil or there are too many.
func product(a, b []string) []string {
	if b == nil || len(a)*len(b) > most {
		return nil
	}
	all := make([]string, 0, len(a)*len(b))
	for _, head := range a {
		for _, tail := range b {
			all = append(all, head+tail)
		}
	}
	return all
}

// usable is a list of the set, or of nothing where a text is too short.
func usable(texts []string) [][]string {
	if len(texts) == 0 || shortestOf(texts) < gram {
		return nil
	}
	return [][]string{texts}
}

// sharpest is the set whose shortest text is longest, or nil.
func sharpest(sets [][]string) []string {
	var best []string
	for _, set := range sets {
		if best == nil || shortestOf(set) > shortestOf(best) {
			best = set
		}
	}
	return best
}

func shortestOf(texts []string) int {
	least := len(texts[0])
	for _, text := range texts {
		least = min(least, len(text))
	}
	return least
}
