package fault

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// judged is how many bytes are judged of each end of a long text. Programs print the cause at the beginning (an exception)
// or at the end (the last lines of a log); megabytes in between would only cost time.
const judged = 16 << 10

// bound cuts the middle out of a long text.
func bound(text string) string { return bothEnds(text, 2*judged) }

// headOfText is the beginning of a text, at whole runes.
func headOfText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// bothEnds cuts the middle out of a text, at whole runes.
func bothEnds(text string, most int) string {
	if len(text) <= most {
		return text
	}
	from := len(text) - most/2
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return headOfText(text, most/2) + " ... " + text[from:]
}

// normalise makes texts comparable: small letters, Latin letters without marks, one space for any white space, straight
// quotes, no invisible characters. The texts of rules pass through it too.
func normalise(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := true // swallows leading space
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == ' ' || c >= '\t' && c <= '\r':
				if !space {
					b.WriteByte(' ')
					space = true
				}
				continue
			case c < ' ' || c == 0x7f:
				continue
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			}
			b.WriteByte(c)
			space = false
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		plain := plainRune(text[i:i+size], r)
		i += size
		for _, p := range plain {
			if p == ' ' {
				if !space {
					b.WriteByte(' ')
					space = true
				}
				continue
			}
			b.WriteRune(p)
			space = false
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

// plainRune is what a rune outside ASCII becomes.
func plainRune(bytes string, r rune) string {
	switch r {
	case '‘', '’', '‚', '‛', '′', 'ʼ', '`':
		return "'"
	case '“', '”', '„', '‟', '″', '«', '»':
		return `"`
	case '…':
		return "..."
	case '–', '—', '‐', '‑', '−':
		return "-"
	case 'ı':
		return "i"
	case 'ß':
		return "ss"
	case 'ø', 'Ø':
		return "o"
	case 'ł', 'Ł':
		return "l"
	case 'đ', 'Đ':
		return "d"
	case 'æ', 'Æ':
		return "ae"
	case 'œ', 'Œ':
		return "oe"
	case 'ё', 'Ё':
		return "е"
	case utf8.RuneError, '\u00ad', '\ufeff':
		return ""
	}
	switch {
	case unicode.IsSpace(r):
		return " "
	case r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x2069,
		r >= 0x0300 && r <= 0x036f, r >= 0x064b && r <= 0x0652, r < 0xa0:
		return "" // invisible, or a mark on the letter before
	case r >= 0xff01 && r <= 0xff5e:
		return strings.ToLower(string(r - 0xfee0)) // the wide forms of ASCII
	case r < 0x250 || r >= 0x1e00 && r <= 0x1eff:
		if d := norm.NFD.PropertiesString(bytes).Decomposition(); len(d) > 0 && d[0] < utf8.RuneSelf {
			return strings.ToLower(string(d[:1]))
		}
	}
	return string(unicode.ToLower(r))
}

// unmark takes the marks off the Latin letters of an expression, which must otherwise stay as it is.
func unmark(expr string) string {
	var b strings.Builder
	for i, r := range expr {
		if r < utf8.RuneSelf || r == utf8.RuneError {
			b.WriteRune(r)
			continue
		}
		b.WriteString(plainRune(expr[i:i+utf8.RuneLen(r)], r))
	}
	return b.String()
}

// strip takes out of normalised text what only looks like words: addresses, paths, host and file names. A login in an URL
// or a file called banned.mp4 says nothing about an account.
func strip(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); {
		if end := address(text, i); end > i {
			b.WriteByte(' ')
			i = end
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

// address is the end of an URL, path, host or file name that begins at i, or i.
func address(text string, i int) int {
	if i > 0 && !opens(text[i-1]) {
		return i
	}
	end := i
	for end < len(text) && !closes(text[end]) {
		end++
	}
	word := text[i:end]
	switch {
	case len(word) < 4:
		return i
	case strings.Contains(word, "://"):
		return end
	case word[0] == '/' && word[1] != '/' && word[1] < utf8.RuneSelf:
		return end
	case word[1] == ':' && (word[2] == '\\' || word[2] == '/'):
		// A Windows path may hold blanks; it ends where a quote, or a word without a backslash, begins.
		return end
	case strings.HasPrefix(word, "www."):
		return end
	}
	word = strings.TrimRight(word, ".:;!?")
	if dots := strings.Count(word, "."); dots > 0 && isName(word, dots) {
		return i + len(word)
	}
	return i
}

// isName says that a word with dots is a host or a file rather than two sentences that lack a blank.
func isName(word string, dots int) bool {
	for j := 0; j < len(word); j++ {
		c := word[j]
		if c >= utf8.RuneSelf || c == '"' || c == '!' || c == '?' {
			return false
		}
	}
	if strings.Contains(word, "exception") {
		return false // a class, and its name may be all that was said
	}
	if dots > 1 {
		return true
	}
	ending := word[strings.LastIndexByte(word, '.')+1:]
	host, port, found := strings.Cut(ending, ":")
	if found && port != "" && port[0] >= '0' && port[0] <= '9' {
		return true
	}
	switch host {
	case "mp4", "mov", "m4v", "m4a", "mp3", "webm", "mkv", "jpg", "jpeg", "png", "webp", "heic", "apk", "json", "jsonl", "py", "js",
		"ts", "go", "java", "kt", "html", "txt", "log", "xml", "yaml", "yml", "csv", "db", "exe", "sh", "com", "net", "org", "io",
		"dev", "app", "ai", "co", "invalid", "local", "internal":
		return true
	}
	return false
}

func opens(c byte) bool {
	return strings.IndexByte(" \"'(<[{=,:|`", c) >= 0
}

func closes(c byte) bool {
	return strings.IndexByte(" \"'()<>[]{},|`", c) >= 0
}
