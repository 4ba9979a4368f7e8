package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reelpass/internal/reel"
)

// Codes are written scheme:value. A rule may name
//
//	exit:65          the exit code of a program (evidence of source exit)
//	worker:worker_lost  what the supervisor saw of its worker (source worker); the value is the code of reel
//	geelark:20136    a code of GeeLark's API or of its automation tasks, five digits
//	graph:190        a code of Meta's Graph API, with any subcode
//	graph:190/460    the same with this subcode
//	subcode:2207051  a subcode of the Graph API, whatever the code
//	http:503         the status of an HTTP answer
//
// and anything else exactly as evidence carries it. A value may be a range (geelark:20200..20203) or a beginning (http:5*).

// code is one entry of a rule's list of codes.
type code struct {
	scheme, value string
	prefix        bool
	lo, hi        int // a range when hi > 0
}

// parseCode reads an entry of a rule's list of codes.
func parseCode(text string) (code, error) {
	c := code{value: strings.ToLower(strings.TrimSpace(text))}
	if c.value == "" {
		return c, fmt.Errorf("a code is empty")
	}
	if scheme, value, ok := strings.Cut(c.value, ":"); ok && value != "" && !strings.Contains(scheme, " ") {
		c.scheme, c.value = scheme, value
	}
	if from, to, ok := strings.Cut(c.value, ".."); ok {
		lo, errLo := strconv.Atoi(from)
		hi, errHi := strconv.Atoi(to)
		if errLo != nil || errHi != nil || lo > hi || hi <= 0 {
			return c, fmt.Errorf("code %q is not a range of numbers", text)
		}
		c.lo, c.hi = lo, hi
		return c, nil
	}
	if beginning, ok := strings.CutSuffix(c.value, "*"); ok {
		if beginning == "" && c.scheme == "" {
			return c, fmt.Errorf("code %q would be any code", text)
		}
		c.value, c.prefix = beginning, true
	}
	return c, nil
}

// matches says whether a code that was seen is meant.
func (c *code) matches(s seenCode) bool {
	switch {
	case c.scheme != s.scheme:
		return false
	case c.hi > 0:
		return s.number >= c.lo && s.number <= c.hi
	case c.prefix:
		return strings.HasPrefix(s.value, c.value)
	}
	return c.value == s.value
}

// seenCode is a code found in evidence.
type seenCode struct {
	scheme, value string
	number        int // of a value that is one, else -1
}

func seen(scheme, value string) seenCode {
	n, err := strconv.Atoi(value)
	if err != nil {
		n = -1
	}
	return seenCode{scheme: scheme, value: value, number: n}
}

// codesOf lists the codes of evidence: its own code, and those that its text carries. text is normalised.
func codesOf(e reel.Evidence, text string) []seenCode {
	var list []seenCode
	if own := strings.ToLower(strings.TrimSpace(e.Code)); own != "" {
		list = append(list, ownCodes(e.Source, own)...)
	}
	if e.Source == reel.SourceWorker || e.Source == reel.SourceScreen {
		return list // numbers on a screen, or in the supervisor's own words, are not codes
	}
	return appendTextCodes(list, text)
}

// ownCodes reads the Code field: as it is, with the scheme it names itself, and with the one its source and size imply.
func ownCodes(source reel.Source, own string) []seenCode {
	list := []seenCode{seen("", own)}
	if scheme, value, ok := strings.Cut(own, ":"); ok && value != "" {
		list = append(list, seen(scheme, value))
		if scheme == "graph" {
			list = append(list, graphCodes(value)...)
		}
		return list
	}
	n, err := strconv.Atoi(own)
	switch {
	case source == reel.SourceExit:
		list = append(list, seen("exit", own))
	case source == reel.SourceWorker:
		list = append(list, seen("worker", own))
	case strings.Contains(own, "/"):
		list = append(list, graphCodes(own)...)
	case err != nil:
	case isGeelark(n):
		list = append(list, seen("geelark", own))
	case n >= 400 && n <= 599:
		list = append(list, seen("http", own))
	case source == reel.SourceHTTP:
		list = append(list, seen("graph", own))
	}
	return list
}

// graphCodes reads "190/460" or "190".
func graphCodes(value string) []seenCode {
	main, sub, ok := strings.Cut(value, "/")
	list := []seenCode{seen("graph", main)}
	if ok {
		list = append(list, seen("graph", value), seen("subcode", sub))
	}
	return list
}

// isGeelark says that a number lies where GeeLark's codes lie.
func isGeelark(n int) bool {
	switch {
	case n >= 20002 && n <= 21099, n >= 29900 && n <= 29999: // automation tasks
		return true
	case n >= 40000 && n <= 50099, n == 51001, n == 52001, n == 53001, n >= 60001 && n <= 60099, n >= 90000 && n <= 90006: // the API
		return true
	}
	return false
}

// appendTextCodes takes codes out of normalised text. A number counts only where the words around it say that it is a code:
// ports, milliseconds, addresses and Windows' own error numbers are many, and mean nothing.
func appendTextCodes(list []seenCode, text string) []seenCode {
	if !strings.ContainsAny(text, "0123456789") {
		return list
	}
	graph := containsAny(text, "oauthexception", "fbtrace_id", "subcode", "graphmethodexception", "igapiexception", "graph api",
		"graph.facebook", "graph.instagram", "graphresponse", "(#")
	main, sub := "", ""
	for i := 0; i < len(text); {
		if text[i] < '0' || text[i] > '9' {
			i++
			continue
		}
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		number := text[start:i]
		ends := i == len(text) || strings.HasPrefix(text[i:], ". ") || text[i:] == "."
		if start > 0 && joins(text[start-1]) || !ends && joins(text[i]) {
			continue
		}
		before, after := text[max(0, start-32):start], text[i:min(len(text), i+32)]
		label := strings.TrimRight(before, " :=\"'([{#<\\-")
		first := label == "" && start < 32
		n, _ := strconv.Atoi(number)
		switch {
		case len(number) == 7 && strings.HasPrefix(number, "2207"):
			sub = number
		case graph && strings.HasSuffix(label, "subcode") || graph && strings.HasSuffix(label, "sub error code"):
			sub = number
		case graph && (strings.HasSuffix(before, "(#") || isGraphLabel(label)) && len(number) <= 6 && !isGeelark(n):
			if main == "" {
				main = number
			}
		case strings.HasSuffix(label, "request error") && len(number) <= 3:
			main = number
		case len(number) == 5 && isGeelark(n):
			aside := n < 30000 && strings.HasSuffix(before, " (") && strings.HasPrefix(after, ")")
			if (first || aside || isLabel(label) || strings.HasSuffix(strings.TrimRight(before, "[(#"), ": ")) && !isUnit(after) {
				list = append(list, seen("geelark", number))
			}
		case len(number) == 3 && n >= 400 && n <= 599:
			if (first && isReason(after, true) || isLabel(label) || isReason(after, false)) && !isUnit(after) {
				list = append(list, seen("http", number))
			}
		}
	}
	if main != "" {
		list = append(list, seen("graph", main))
	}
	if sub != "" {
		list = append(list, seen("subcode", sub))
		if main != "" {
			list = append(list, seen("graph", main+"/"+sub))
		}
	}
	return list
}

// joins says that a byte beside a number makes it part of a longer thing: a word, a decimal, an address.
func joins(c byte) bool {
	return c >= 'a' && c <= 'z' || c == '_' || c == '.' || c == '/' || c == '\\' || c >= 0x80
}

// isLabel says that the words before a number call it a code.
func isLabel(label string) bool {
	for _, end := range []string{
		"code", "error", "http", "status", "failcode", "errcode", "errno", "response", "http/1.1", "http/1.0", "http/2", "http/2.0",
		"geelark", "returned", "request return", "got", "answered", "statuscodeerror", "responded with", "codigo", "fehler", "код",
	} {
		if strings.HasSuffix(label, end) {
			return true
		}
	}
	return false
}

// isGraphLabel says that the words before a number call it the code of a Graph answer rather than its HTTP status.
func isGraphLabel(label string) bool {
	return strings.HasSuffix(label, "code") && !strings.HasSuffix(label, "http error code") && !strings.HasSuffix(label, "status code") && !strings.HasSuffix(label, "status_code") &&
		!strings.HasSuffix(label, "statuscode") && !strings.HasSuffix(label, "httpcode")
}

// isReason says that the words after a number are those of an HTTP status; after a number at the very beginning any words
// but a unit will do.
func isReason(after string, first bool) bool {
	after = strings.TrimLeft(after, " :-]})\"'<>")
	if first {
		return true
	}
	for _, reason := range []string{
		"client error", "server error", "bad gateway", "service unavailable", "service temporarily", "gateway time", "too many requests",
		"internal server error", "unauthorized", "forbidden", "not found", "request timeout", "proxy authentication", "bad request",
	} {
		if strings.HasPrefix(after, reason) {
			return true
		}
	}
	return false
}

// isUnit says that a number is an amount of something.
func isUnit(after string) bool {
	after = strings.TrimLeft(after, " ")
	if strings.HasPrefix(after, "msg") {
		return false
	}
	for _, unit := range []string{"ms", "millis", "s ", "sec", "bytes", "kb", "mb", "px", "%", "steps", "times", "min"} {
		if strings.HasPrefix(after, unit) {
			return true
		}
	}
	return false
}

// containsAny says whether text contains one of the parts.
func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}
