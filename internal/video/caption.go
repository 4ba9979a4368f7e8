package video

import (
	"unicode"
	"unicode/utf16"
)

// What a caption may hold (Meta, reference of ig-user/media). Characters are counted as UTF-16 units: how Meta counts is not said, and
// that is the stricter way.
const (
	mostUnits    = 2200
	mostHashtags = 30
	mostMentions = 20
)

// CheckCaption holds a caption against the platform's rules.
func CheckCaption(caption string) []Problem {
	var all []Problem
	for _, r := range []struct {
		code, what string
		is, most   int
	}{
		{"caption_too_long", "characters", Units(caption), mostUnits},
		{"caption_hashtags", "hashtags", count(caption, '#'), mostHashtags},
		{"caption_mentions", "mentions", count(caption, '@'), mostMentions},
	} {
		if text := when(r.is > r.most, "the caption has %d %s; Instagram takes up to %d", r.is, r.what, r.most); text != "" {
			all = append(all, Problem{r.code, text, true})
		}
	}
	return all
}

// Units is the length of a text in UTF-16 units.
func Units(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// count counts words that begin with a sign: a letter, digit or underscore follows it, and none stands before it. The sign of an
// address or inside a word is none; one that follows another word with the same sign (#a#b) is.
func count(s string, sign rune) int {
	n := 0
	before, tagged := ' ', false // tagged: in a word that such a sign began
	runes := []rune(s)
	for i, r := range runes {
		next := ' '
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		inWord := word(before) || before == '/' || before == '&' || before == '.' && sign == '#'
		if r == sign && word(next) && (!inWord || tagged) {
			n++
			tagged = true
		} else if !word(r) {
			tagged = false
		}
		before = r
	}
	return n
}

func word(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
