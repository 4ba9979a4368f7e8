package console

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// ruler measures text in cells of a terminal. It never asks the environment what an ambiguous character is wide: the same
// text has the same width everywhere unless the caller says otherwise.
type ruler struct{ cond *runewidth.Condition }

func newRuler(wideAmbiguous bool) ruler {
	return ruler{&runewidth.Condition{EastAsianWidth: wideAmbiguous, StrictEmojiNeutral: true}}
}

func (r ruler) width(s string) int { return r.cond.StringWidth(s) }

// right fills s with blanks on its right up to w cells, left on its left; what is wider stays as it is.
func (r ruler) right(s string, w int) string { return s + blanks(w-r.width(s)) }
func (r ruler) left(s string, w int) string  { return blanks(w-r.width(s)) + s }

// center puts s in the middle of w cells, the odd blank on the right as Python's format does.
func (r ruler) center(s string, w int) string {
	free := w - r.width(s)
	return blanks(free/2) + s + blanks(free-free/2)
}

// cut shortens s to at most w cells, with … where it was cut.
func (r ruler) cut(s string, w int) string {
	if r.width(s) <= w {
		return s
	}
	tail := "…"
	if r.width(tail) > w {
		return ""
	}
	for take := w; take > 0; take-- { // a cluster may measure otherwise beside its tail; then take less
		if t := strings.TrimRight(r.cond.Truncate(s, take, tail), " "); r.width(t) <= w {
			return t
		}
	}
	return ""
}

// wrap breaks s into lines of at most w cells, at blanks where it can; a word wider than a line is broken too. Nothing but
// blanks gets lost. No text gives no line.
func (r ruler) wrap(s string, w int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && r.width(line+" "+word) <= w {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = r.head(word, w)
		for word = word[len(line):]; word != ""; word = word[len(line):] {
			lines = append(lines, line)
			line = r.head(word, w)
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// head is the longest beginning of s that fits into w cells, and at least one character.
func (r ruler) head(s string, w int) string {
	const most = 64 // bytes a cell takes at most, before its cluster is broken: it keeps long words cheap
	if end := w * most; end < len(s) {
		for range utf8.UTFMax - 1 {
			if utf8.RuneStart(s[end]) {
				break
			}
			end--
		}
		s = s[:end]
	}
	if h := r.cond.Truncate(s, w, ""); h != "" && r.width(h) <= w {
		return h
	}
	_, n := utf8.DecodeRuneInString(s) // a cluster wider than the line: break it
	for n < len(s) {
		_, more := utf8.DecodeRuneInString(s[n:])
		if r.width(s[:n+more]) > w {
			break
		}
		n += more
	}
	return s[:n]
}

// repeat fills w cells with the character s, which may be wide; a rest smaller than it stays empty.
func (r ruler) repeat(s string, w int) string {
	n := max(w, 0) / max(r.width(s), 1)
	return strings.Repeat(s, n) + blanks(w-n*r.width(s))
}

func blanks(n int) string { return strings.Repeat(" ", max(n, 0)) }
