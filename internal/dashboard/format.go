package dashboard

import (
	"fmt"
	"html/template"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// stateWord is a state in the words of pages: what is not posted is never one thing.
func stateWord(s reel.State) string {
	switch s {
	case reel.Pending:
		return "waiting"
	case reel.Running:
		return "running"
	case reel.Publishing:
		return "publishing"
	case reel.Succeeded:
		return "posted"
	case reel.Failed:
		return "will retry"
	case reel.SetAside:
		return "set aside"
	case reel.Exhausted:
		return "gave up"
	case reel.OutOfPasses:
		return "out of passes"
	case reel.InDoubt:
		return "in doubt"
	case reel.Cancelled:
		return "cancelled"
	}
	return string(s)
}

// icon is a picture of the sprite, told apart by its outline. What it means stands beside it in words.
func icon(name any) template.HTML {
	return template.HTML(`<svg class="i" aria-hidden="true" focusable="false"><use href="#i-` + template.HTMLEscapeString(fmt.Sprint(name)) + `"/></svg>`) //nolint:gosec // escaped
}

// chip is a state as icon and word.
func chip(s reel.State) template.HTML {
	return template.HTML(`<span class="chip s-`+template.HTMLEscapeString(string(s))+`">`) + icon(s) + template.HTML(stateWord(s)+`</span>`) //nolint:gosec // escaped, and fixed words
}

// num is a number as people read it: 1,000.
func num(n int) string {
	text := strconv.Itoa(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(text) - 3; i > start; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// shownDuration is a length of time in at most two units: 3 s, 4 m 12 s, 1 h 03 m, 2 d 4 h.
func shownDuration(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", max(0, s))
	case s < 3600:
		if s%60 == 0 {
			return fmt.Sprintf("%d m", s/60)
		}
		return fmt.Sprintf("%d m %02d s", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%d h %02d m", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// words is an identifier as words: worker_lost becomes worker lost.
func words(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") }

func groupName(g overview.Group) string { return strings.ReplaceAll(g.String(), " ", "-") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return num(n) + " " + many
}

// accountName is an account as people write it.
func accountName(name string) string {
	if strings.HasPrefix(name, "@") {
		return clean(name)
	}
	return "@" + clean(name)
}

// shownVideo is a video's file without its folder, and without what an address carries beside its path.
func shownVideo(p string) string {
	return clean(path.Base(strings.ReplaceAll(reel.ShownVideo(p), `\`, "/")))
}

// clean takes the signs out of a text that would change how the text around it reads: controls, and those that turn its direction.
func clean(s any) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\ufe0f':
			return '\ufffd'
		}
		return r
	}, fmt.Sprint(s))
}
