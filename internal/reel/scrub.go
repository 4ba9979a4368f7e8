package reel

import (
	"regexp"
	"slices"
	"strings"
)

// masked stands where a secret stood. It is shorter than any secret that is given by value, so that taking secrets out
// always makes a text shorter and comes to an end.
const masked = "***"

// shortestSecret is the length below which a given value is no secret: masking every "1" would leave nothing to read.
const shortestSecret = 4

// Scrub masks secrets in text before it is logged, stored or shown: the given values (of at least 4 bytes), and what looks
// like one: values of fields named token, secret, password, API key, session id and the like, authorization headers,
// cookies, names and passwords in URLs and proxy addresses, the code after glogin, JSON web tokens and the keys of known
// vendors. Scrubbing twice changes nothing more. Text without secrets comes back as it is.
//
// Prose is left alone as far as can be: "Error validating access token: Session has expired" is evidence, and rules judge
// it by its words.
func Scrub(text string, secrets ...string) string {
	text = scrubValues(text, secrets)
	for range 8 { // each round only finds what the one before laid open; two are the most that was ever seen
		if !suspicious(text) {
			return text
		}
		next := scrubValues(scrubPatterns(text), secrets)
		if next == text {
			break
		}
		text = next
	}
	return text
}

func scrubValues(text string, secrets []string) string {
	present := func(s string) bool { return len(s) >= shortestSecret && strings.Contains(text, s) }
	if !slices.ContainsFunc(secrets, present) {
		return text
	}
	// The longest first: a secret may be part of another, and its rest would stay.
	longest := slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for slices.ContainsFunc(longest, present) {
		for _, s := range longest {
			if present(s) {
				text = strings.ReplaceAll(text, s, masked)
			}
		}
	}
	return text
}

// suspicious says quickly whether any pattern could fit. Most texts hold nothing of the kind, and the patterns are slow.
func suspicious(text string) bool {
	for i := range len(text) {
		var words []string
		switch text[i] | 0x20 {
		case 't':
			words = wordsT
		case 's':
			words = wordsS
		case 'p':
			words = wordsP
		case 'a':
			words = wordsA
		case 'b':
			words = wordsB
		case 'c':
			words = wordsC
		case 'e':
			words = wordsE
		case 'g':
			words = wordsG
		case 'i':
			words = wordsI
		case '-': // also \r, which fits nothing
			words = wordsDash
		case '@' | 0x20:
			if text[i] == '@' {
				return true
			}
		case ':':
			if portFollows(text[i+1:]) {
				return true
			}
		}
		for _, w := range words {
			if len(text)-i >= len(w) && strings.EqualFold(text[i:i+len(w)], w) {
				return true
			}
		}
	}
	return false
}

// portFollows says that text begins like the rest of host:port:user:password.
func portFollows(text string) bool {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n >= 4 && n <= 5 && n < len(text) && text[n] == ':'
}

var (
	wordsT    = []string{"token"}
	wordsS    = []string{"secret", "session", "sk-", "signature"}
	wordsP    = []string{"passw", "passphrase", "pwd", "private"}
	wordsA    = []string{"api", "access", "auth"}
	wordsB    = []string{"bearer", "basic"}
	wordsC    = []string{"cookie", "credential", "csrf"}
	wordsE    = []string{"eyj", "eaa"}
	wordsG    = []string{"glogin"}
	wordsI    = []string{"igq", "igaa"}
	wordsDash = []string{"-----begin"}
)

// The patterns. What a match is replaced with is decided beside each in scrubPatterns.
var (
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|$)`)
	authHeader = regexp.MustCompile(`(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?)((?:bearer|basic|digest|negotiate|token|oauth)\s+)?([^\s"'\\,;]+)`)
	cookie     = regexp.MustCompile(`(?i)(cookie\\*["']?\s*[:=]\s*\\*["']?)([^\r\n"']*=[^\r\n"']*)`)
	scheme     = regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/\-]{6,}={0,2})`)
	userinfo   = regexp.MustCompile(`(://)[^\s/?#"'<>]*@`)
	bareProxy  = regexp.MustCompile(`[^\s:@/"'=,()<>]+:[^\s:@/"'<>]+(@[\w.\-]+:\d)`)
	hostProxy  = regexp.MustCompile(`((?:\d{1,3}(?:\.\d{1,3}){3}|[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}):\d{4,5}:)([^\s:/"',]+)(:[^\s/"',]+)`)
	glogin     = regexp.MustCompile(`(?i)(shell['",\s]+)?\b(glogin\\*['",\s]+)([A-Za-z0-9]{4,})`)
	session    = regexp.MustCompile(`(/session/)([A-Za-z0-9\-]{16,})`)
	vendorKeys = regexp.MustCompile(`\b(?:eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*)?|sk-[A-Za-z0-9_\-]{16,}|EAA[A-Za-z0-9]{20,}|IG(?:Q|AA)[A-Za-z0-9_\-]{20,})`)
	field      = regexp.MustCompile(`(?i)([\w.\-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|credential|csrf|signature|session[-_ ]?id)s?)([\w.\-]*)(\\*["']?\s*[:=]\s*)` +
		`(\\+["'][^"'\\]*|"(?:[^"\\]|\\.)*|'(?:[^'\\]|\\.)*|[^\s,;&"'<>{}\[\]()|\\]+)([\s,;]*)`)
	gloginSaid = regexp.MustCompile(`(?i)^(?:fail\w*|time\w*|error\w*|expire\w*|need\w*|require\w*|succe\w*|again|first|returned|with|then|code|command|login)$`)
	noSecret   = regexp.MustCompile(`(?i)^(?:null|nil|none|true|false|undefined|\*+)?$`)
)

func scrubPatterns(text string) string {
	text = privateKey.ReplaceAllString(text, masked)
	text = authHeader.ReplaceAllString(text, "${1}${2}"+masked)
	text = cookie.ReplaceAllString(text, "${1}"+masked)
	text = replace(text, scheme, func(g []string) string {
		if !random(g[3], strings.EqualFold(g[1], "basic")) {
			return g[0]
		}
		return g[1] + g[2] + masked
	})
	text = userinfo.ReplaceAllString(text, "${1}"+masked+"@")
	text = bareProxy.ReplaceAllString(text, masked+"${1}")
	text = replace(text, hostProxy, func(g []string) string {
		if strings.Trim(g[2], "0123456789") == "" {
			return g[0] // file.go:1234:56: is a place in a file
		}
		return g[1] + masked
	})
	text = replace(text, glogin, func(g []string) string {
		if gloginSaid.MatchString(g[3]) || g[1] == "" && !strings.ContainsAny(g[3], "0123456789") {
			return g[0]
		}
		return g[1] + g[2] + masked
	})
	text = session.ReplaceAllString(text, "${1}"+masked)
	text = vendorKeys.ReplaceAllString(text, masked)
	return replace(text, field, scrubField)
}

// scrubField decides about one name with a value: g is name, rest of the name, separator, value, what follows.
func scrubField(g []string) string {
	name, rest, separator, value, after := g[1], g[2], g[3], g[4], g[5]
	bare := strings.TrimLeft(value, `\"'`)
	quote := value[:len(value)-len(bare)]
	digits := strings.ContainsAny(bare, "0123456789")
	if noSecret.MatchString(bare) {
		return g[0]
	}
	if lower := strings.ToLower(name); strings.HasSuffix(lower, "tokens") && strings.Trim(bare, "0123456789.") == "" {
		return g[0] // a count of them
	}
	if quote == "" && !strings.ContainsAny(separator, `="'`) {
		// "name: value" is also how sentences look: only what no sentence says there is taken for a secret.
		spaced := strings.TrimSpace(separator) != separator
		last := after == "" || strings.ContainsAny(after, "\n,;")
		password := strings.HasSuffix(strings.ToLower(name), "d") || strings.HasSuffix(strings.ToLower(name), "secret")
		switch {
		case rest != "", len(bare) < 4, strings.HasPrefix(bare, "//"):
			return g[0]
		case !spaced, digits, len(bare) >= 20, password && last:
		default:
			return g[0]
		}
	}
	return name + rest + separator + quote + masked + after
}

// random says that a word does not look like one of a language.
func random(word string, short bool) bool {
	if strings.ContainsAny(word, "0123456789=") || !short && len(word) >= 20 {
		return true
	}
	inner := word[1:]
	return short && strings.ToLower(inner) != inner && strings.ToUpper(inner) != inner
}

// replace is ReplaceAllStringFunc with the groups of each match.
func replace(text string, re *regexp.Regexp, f func(groups []string) string) string {
	var b strings.Builder
	end := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		groups := make([]string, len(m)/2)
		for i := range groups {
			if m[2*i] >= 0 {
				groups[i] = text[m[2*i]:m[2*i+1]]
			}
		}
		b.WriteString(text[end:m[0]])
		b.WriteString(f(groups))
		end = m[1]
	}
	if end == 0 {
		return text
	}
	b.WriteString(text[end:])
	return b.String()
}
