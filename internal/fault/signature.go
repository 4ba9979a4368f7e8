package fault

import (
	"regexp"
	"strings"

	"reelpass/internal/reel"
)

// signatureLength is how much of a message names it, in characters.
const signatureLength = 120

var (
	addressLike = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	pathLike    = regexp.MustCompile(`(?:[a-z]:)?[/\\][^\s"'<>:,;()]+`)
	varies      = regexp.MustCompile(`[^\s"'<>:,;()\[\]{}=]*\d[^\s"'<>:,;()\[\]{}=]*`)
)

// Signature names a failure so that the same trouble of another job has the same name: its verdict, its code and the line that
// tells most, without what differs from job to job: numbers, ids, addresses, paths, and the words given in own.
func Signature(e reel.Evidence, v reel.Verdict, own ...string) string {
	line := rubbed(e, own)
	if runes := []rune(line); len(runes) > signatureLength {
		line = string(runes[:signatureLength])
	}
	parts := []string{string(v.Category)}
	if v.Type != "" {
		parts[0] += "/" + v.Type
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if line != "" {
		parts = append(parts, line)
	}
	return strings.Join(parts, " ")
}

// rubbed is the line of evidence that tells most, normalised, with # where something differs from job to job.
func rubbed(e reel.Evidence, own []string) string {
	line := telling(e)
	for _, word := range own {
		if len(word) >= shortest {
			line = strings.ReplaceAll(line, word, "#")
		}
	}
	line = normalise(line)
	line = addressLike.ReplaceAllString(line, "#")
	line = pathLike.ReplaceAllString(line, "#")
	return varies.ReplaceAllString(line, "#")
}

// telling is the line of a text that says what happened: programs end with it, everybody else begins with it.
func telling(e reel.Evidence) string {
	first, last := "", ""
	for line := range strings.Lines(bound(e.Text)) {
		if line = strings.TrimSpace(line); line != "" {
			if last = line; first == "" {
				first = line
			}
		}
	}
	if e.Source == reel.SourceExit || strings.HasPrefix(first, "Traceback ") {
		return last
	}
	return first
}
