package fault

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"reelpass/internal/reel"
)

// reading is evidence made ready for the rules: its three views, in the order of views, and its codes.
type reading struct {
	views [3]string
	codes []seenCode
}

// seen says whether one of a rule's codes is among those of the evidence.
func (r *reading) seen(wanted []code) bool {
	for i := range wanted {
		for _, s := range r.codes {
			if wanted[i].matches(s) {
				return true
			}
		}
	}
	return false
}

// read makes a reading. A language model that describes a screen writes of everything that is *not* on it, so its sentences
// are cut off from what was said and judged by rules of their own; and nobody describes screens on a screen.
func read(e reel.Evidence) reading {
	said, prose := normalise(unescape(bound(e.Text))), ""
	if e.Source != reel.SourceScreen {
		if at := proseAt(said); at >= 0 {
			said, prose = said[:at], affirmed(said[at:])
		}
	}
	words := said
	if e.Source != reel.SourceScreen {
		words = dropDenials(strip(said))
	}
	return reading{views: [3]string{words, said, prose}, codes: codesOf(e, said)}
}

// unescape decodes \uXXXX, as JSON and Python print what is not ASCII.
func unescape(text string) string {
	if !strings.Contains(text, `\u`) {
		return text
	}
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) {
			return s
		}
		return string(rune(n))
	})
}

// The expressions of this file are over normalised text, but for escaped.
var (
	escaped = regexp.MustCompile(`\\u[0-9a-fA-F]{4}`)

	// describing finds where a description of a screen begins.
	describing = regexp.MustCompile(`\b(?:vision|ai|llm|model|claude|gpt[-.\w]*|gemini|screenshot|image|visual|screen)(?:'s)? ` +
		`(?:analysis|explanation|description|says|said|reasoning|note|comment|summary|observation)\b` +
		`|\b(?:the|this|current) (?:current |provided |attached |phone |phone's |app |device |android |instagram )*` +
		`(?:screen|screenshot|image|picture|page|view|interface|ui)(?: here)?(?: now| currently| clearly| only)?` +
		` (?:shows|displays|depicts|shown|is showing|is displaying|appears|looks|seems|contains|indicates|is (?:a|an|the|instagram|currently)\b)` +
		`|^this (?:shows|is|appears|looks)\b|\bi (?:can |can't |cannot |do not |don't |only |also )?(?:see|notice|observe|find|detect)\b` +
		`|\b(?:looking at|based on|according to) (?:the|this) (?:current |provided |attached )?(?:screen|screenshot|image)\b` +
		`|\b(?:from|in) (?:the|this) (?:current |provided |attached )?screenshot\b` +
		`|\bthere (?:are|is|were|was) no (?:visible|error|sign|indication|evidence|popup|pop-up)` +
		`|\bla (?:pantalla|captura) (?:actual )?(?:muestra|es)\b|\ba (?:tela|captura) (?:atual )?(?:mostra|exibe)\b` +
		`|\bl'ecran (?:affiche|montre)\b|\bder bildschirm zeigt\b|\blo schermo mostra\b|\bekran[a-z]* .{0,40}goster|\blayar (?:ini )?menampilkan\b` +
		`|на (?:экране|скриншоте)|экран показывает|(?:屏幕|截图|画面)(?:上)?(?:显示|顯示)|画面には`)
	describingCues = []string{
		"screen", "image", "picture", "page", "view", "interface", "ui ", "analysis", "explanation", "description", "reasoning", "claude",
		"gpt", "gemini", "model", "llm", "vision", "this shows", "this is", "this appears", "this looks", "i see", "i can", "i notice", "i find", "i detect", "i only", "i also",
		"i observe", "i don't see", "i do not", "i cannot", "there are no", "there is no", "there was no", "there were no", "pantalla", "captura", "tela",
		"ecran", "bildschirm", "schermo", "ekran", "layar", "экран", "скриншот", "屏幕", "截图", "画面",
	}

	// denying finds a negation, and absent the words that say that what was negated is not on the screen.
	denying = regexp.MustCompile(`\b(?:no|zero|without|none of|neither|nor|free of|absence of|(?:do|does|did|can|could|is|are|was|were)(?: not|n't)|cannot|not any|` +
		`no hay|ningun|ninguna|sin|nenhum|nenhuma|sem|nao ha|aucun|aucune|kein|keine|keinen|ohne|nessun|nessuna|senza)\b`)
	absent = regexp.MustCompile(`\b(?:visible|visibles|visivel|visiveis|visibile|visibili|sichtbar|displayed|displaying|shown|showing|present|presented|detected|seen|see|` +
		`appear|appears|appeared|appearing|on (?:the |this )?screen|in sight|warnings?|popups?|pop-ups?|dialogs?|notices?|prompts?|banners?|sign of|` +
		`evidence of|indication of|mensaje|mensajes|aviso|avisos)\b`)
	denyingCues = []string{
		"visible", "visivel", "visiveis", "visibil", "sichtbar", "display", "shown", "showing", "present", "detected", "see", "appear", "screen", "sight",
		"warning", "popup", "pop-up", "dialog", "notice", "prompt", "banner", "sign of", "evidence of", "indication of", "mensaje", "aviso",
	}
	// untrue finds a state that is denied.
	untrue = regexp.MustCompile(`(?:\bnot|n't|\bnever|\bno longer) (?:been |yet |currently |actually |get |getting |be |being |temporarily |permanently )*` +
		`(?:suspended|banned|disabled|blocked|restricted|logged out|signed out|action[- ]blocked|locked|limited|flagged|checkpointed|deactivated|terminated|shadowbanned)\b`)
	untrueCues = []string{"not ", "n't ", "never ", "no longer "}

	// notIn and notPosted are denials that state a fault.
	notPosted = regexp.MustCompile(`\b(?:can't|cannot|can not|couldn't|could not|wasn't|was not) (?:be )?(?:posted|shared|uploaded|published)\b`)
	notIn     = regexp.MustCompile(`\b(?:is not|isn't|not|no longer) (?:currently )?(?:logged|signed) in\b`)
)

// proseAt is where a language model's description of a screen begins in normalised text, or -1.
func proseAt(text string) int {
	if !containsAny(text, describingCues...) {
		return -1
	}
	at := describing.FindStringIndex(text)
	if at == nil {
		return -1
	}
	return at[0]
}

// affirmed is what prose says is there: each clause up to where it denies or begins to guess.
func affirmed(prose string) string {
	var b strings.Builder
	for _, sentence := range sentences(strip(prose)) {
		if strings.Contains(sentence, "ed in") {
			sentence = notIn.ReplaceAllString(sentence, "logged out")
		}
		if containsAny(sentence, "posted", "shared", "uploaded", "published") {
			sentence = notPosted.ReplaceAllString(sentence, "upload failed")
		}
		for _, s := range clauses(sentence) {
			if s = strings.TrimSpace(s[:guessAt(s)]); s != "" {
				b.WriteString(s)
				b.WriteString(". ")
			}
		}
	}
	return b.String()
}

// guessAt is where a clause of prose leaves what is there for what is not or may be, or quotes what people wrote; else its
// length.
func guessAt(clause string) int {
	letter := func(c byte) bool { return c >= 'a' && c <= 'z' || c == '\'' || c >= 0x80 }
	previous := ""
	for i := 0; i < len(clause); {
		if !letter(clause[i]) {
			i++
			continue
		}
		start := i
		for i < len(clause) && letter(clause[i]) {
			i++
		}
		word := strings.Trim(clause[start:i], "'")
		switch word {
		case "no", "not", "without", "neither", "nor", "none", "nothing", "cannot", "never", "lack", "lacks", "absence",
			"may", "might", "could", "would", "should", "possibly", "perhaps", "maybe", "likely", "probably", "potentially", "presumably",
			"suggest", "suggests", "suggesting", "suggested", "if", "unless", "whether", "due", "because", "rather", "instead",
			"caption", "captioned", "comment", "comments", "article", "advertisement", "hashtag", "hashtags":
			return start
		case "about", "titled", "saying", "from", "that", "reads", "says":
			if previous == "post" || previous == "ad" {
				return start
			}
		}
		if strings.HasSuffix(word, "n't") {
			return start
		}
		previous = word
	}
	return len(clause)
}

// dropDenials takes denied statements out of words.
func dropDenials(text string) string {
	if !containsAny(text, denyingCues...) && !containsAny(text, untrueCues...) {
		return text
	}
	var b strings.Builder
	for _, s := range sentences(text) {
		b.WriteString(deny(s))
	}
	return b.String()
}

// deny takes the denials out of a sentence. A "but" ends what is denied.
func deny(sentence string) string {
	if containsAny(sentence, untrueCues...) {
		sentence = untrue.ReplaceAllString(sentence, " ")
	}
	if !containsAny(sentence, denyingCues...) {
		return sentence
	}
	var b strings.Builder
	for _, clause := range clauses(sentence) {
		for {
			from, to := denial(clause)
			if to == 0 {
				break
			}
			b.WriteString(clause[:from])
			clause = clause[to:]
		}
		b.WriteString(clause)
	}
	return b.String()
}

// reach is how far, in bytes, a negation denies, and how far apart two words of absence of one denial stand.
const reach = 240

// denial is the first denied part of a clause: from a negation to the last word of absence in reach, because "no X popup or Y
// warning is visible" denies Y as well. to is 0 where nothing is denied.
func denial(clause string) (from, to int) {
	for start := 0; start < len(clause); {
		at := denying.FindStringIndex(clause[start:])
		if at == nil {
			return 0, 0
		}
		from, end := start+at[0], start+at[1]
		for last := end; ; last = end {
			found := absent.FindStringIndex(clause[last:min(len(clause), last+reach)])
			if found == nil {
				break
			}
			end, to = last+found[1], last+found[1]
		}
		if to > 0 {
			return from, to
		}
		start = end
	}
	return 0, 0
}

// clauses cuts a sentence before each word that takes back what was denied.
func clauses(sentence string) []string {
	return cutOutsideQuotes(sentence, func(rest string) int {
		for _, turn := range []string{" but ", " however", " although ", " except ", "; "} {
			if strings.HasPrefix(rest, turn) {
				return 1
			}
		}
		return 0
	})
}

// sentences cuts normalised text after each full stop, question and exclamation mark that is followed by a blank and stands
// outside double quotes.
func sentences(text string) []string {
	return cutOutsideQuotes(text, func(rest string) int {
		if len(rest) > 1 && (rest[0] == '.' || rest[0] == '!' || rest[0] == '?') && rest[1] == ' ' {
			return 2
		}
		return 0
	})
}

// cutOutsideQuotes cuts text behind each place for which width is not zero. A quotation that is not closed within 400 bytes
// is none.
func cutOutsideQuotes(text string, width func(rest string) int) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); {
		if text[i] == '"' {
			if end := strings.IndexByte(text[i+1:], '"'); end >= 0 && end < 400 {
				i += end + 2
				continue
			}
		}
		if n := width(text[i:]); n > 0 {
			parts = append(parts, text[start:i+n])
			i += n
			start = i
			continue
		}
		i++
	}
	return append(parts, text[start:])
}
