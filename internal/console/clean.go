package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text from outside harmless on a terminal: one line, no control characters, no escape sequences, nothing that
// turns the direction of writing. What a control character was stays visible (ESC becomes ␛), so that nobody wonders where
// it went; characters that nothing shows are dropped, because they make widths uncertain. Everything that console prints
// of captions, accounts, paths and evidence goes through here. Bytes that are no UTF-8 become U+FFFD.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == '\r' && i < len(s) && s[i] == '\n' {
			continue // the newline that follows stands for both
		}
		if r = harmless(r); r >= 0 {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain says that s is printable ASCII, as nearly everything is.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// harmless is what to print for r, or -1 for nothing.
func harmless(r rune) rune {
	switch {
	case r == '\n', r == '\r', r == '\t', r == '\v', r == '\f':
		return ' '
	case r < 0x20:
		return 0x2400 + r // the control pictures
	case r == 0x7f:
		return 0x2421
	case r < 0x7f:
		return r
	case r < 0xa0: // C1: 0x9b alone begins an escape sequence
		return utf8.RuneError
	case r == 0x200c, r == 0x200d: // joiners: scripts and emoji need them
		return r
	case r == 0xfe0e, r == 0xfe0f: // presentation selectors: terminals disagree about the width they give
		return -1
	case r == 0x061c, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction of writing
		return utf8.RuneError
	case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // format characters, but visible ones
		return r
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return -1
	}
	return r
}

// cleanLines splits text at its line ends and makes each line harmless; blank lines at both ends are left out.
func cleanLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	lines := strings.FieldsFunc(strings.Trim(s, "\n"), func(r rune) bool { return r == '\n' })
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		if l = strings.TrimRight(Clean(strings.ReplaceAll(l, "\t", "    ")), " "); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// firstLine is the first line of s that says something.
func firstLine(s string) string {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(Clean(l)); l != "" {
			return l
		}
	}
	return ""
}
