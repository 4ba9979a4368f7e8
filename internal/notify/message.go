package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"reelpass/internal/reel"
)

// Message is what people are told. It is also the body of a webhook.
type Message struct {
	ID    string    `json:"id"` // the same when a message is sent again after a crash
	Kind  Kind      `json:"event"`
	Batch string    `json:"batch"`
	Count int       `json:"count"`           // events that it tells of
	Names []string  `json:"names,omitempty"` // the first few accounts, jobs or passes
	Also  []Tally   `json:"also,omitempty"`  // of a batch that ended: what was not told yet
	Title string    `json:"title"`
	Text  string    `json:"text"`
	At    time.Time `json:"at"` // of the last event
}

// Tally is a number of events of a kind.
type Tally struct {
	Kind  Kind     `json:"event"`
	Count int      `json:"count"`
	Names []string `json:"names,omitempty"`
}

// Trial is the message that `reelpass alerts test` sends.
func Trial(now time.Time) Message {
	return Message{
		ID: "test:" + now.UTC().Format(time.RFC3339), Kind: "test", Count: 1, At: now.UTC(),
		Title: "reelpass: test", Text: "This is how alerts of reelpass arrive here. Nothing happened.",
	}
}

// fewNames is how many a message names, and longText how many characters of foreign text it repeats.
const (
	fewNames = 5
	longText = 200
	longName = 60
)

// Group is what happened of one kind in one batch and is not told yet.
type Group struct {
	Kind    Kind      `json:"kind"`
	Batch   string    `json:"batch"`
	Count   int       `json:"count"`
	Names   []string  `json:"names,omitempty"`
	Settled int       `json:"settled,omitempty"` // doubts of the batch that a look settled meanwhile
	Line    string    `json:"line,omitempty"`    // what the last event said
	Since   time.Time `json:"since"`             // when the first was heard of
	Last    time.Time `json:"last"`              // when the last one happened
	Seq     int64     `json:"seq"`               // of the last
}

func (g *Group) add(e reel.Event, name, line string) {
	g.Count++
	if name = clean(name, longName); name != "" && len(g.Names) < fewNames {
		g.Names = append(g.Names, name)
	}
	g.Line, g.Last, g.Seq = clean(line, longText), e.At.UTC(), e.Seq
}

// headline is the group in a few words.
func (g Group) headline() string {
	many := func(one, more string) string {
		if g.Count == 1 {
			return one
		}
		return fmt.Sprintf("%d %s", g.Count, more)
	}
	switch g.Kind {
	case PassEnded:
		if g.Count == 1 && len(g.Names) == 1 {
			return g.Names[0] + " ended"
		}
		return many("1 pass", "passes") + " ended"
	case BreakerOpened:
		return many("the breaker opened", "times the breaker opened")
	case AccountHeld:
		return many("1 account", "accounts") + " set aside"
	case JobInDoubt:
		return many("1 job is", "jobs are") + " in doubt"
	case BatchEnded, Stalled:
	}
	return string(g.Kind)
}

// named lists the first few, and says how many more there are.
func (g Group) named() string {
	text := strings.Join(g.Names, ", ")
	if n := g.Count - len(g.Names); n > 0 && text != "" {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// body is the group in whole sentences.
func (g Group) body() string {
	lines := []string{}
	switch g.Kind {
	case PassEnded:
		lines = append(lines, g.Line)
	case BreakerOpened:
		lines = append(lines, "Nothing is claimed: "+g.Line)
	case AccountHeld:
		lines = append(lines, g.named()+".")
		if g.Line != "" {
			lines = append(lines, "The last was held for: "+g.Line+".")
		}
		lines = append(lines, "Nothing is attempted on them until a person releases them (reelpass accounts).")
	case JobInDoubt:
		lines = append(lines, g.named()+".")
		if g.Settled > 0 {
			lines = append(lines, fmt.Sprintf("Doubts of this batch that a look settled meanwhile: %d.", g.Settled))
		}
		lines = append(lines, "Nothing repeats them. Where no look settles it, a person must: reelpass jobs --state in_doubt, reelpass resolve.")
	case BatchEnded, Stalled:
	}
	return strings.Join(lines, "\n")
}

func (g Group) message() Message {
	return Message{
		ID: fmt.Sprintf("%s:%s:%d", g.Kind, g.Batch, g.Seq), Kind: g.Kind, Batch: g.Batch, Count: g.Count, Names: g.Names, At: g.Last,
		Title: title(g.Batch, g.headline()), Text: g.body(),
	}
}

func title(batch, what string) string { return clean(batch, longName) + ": " + what }

// ended is the message of a batch that ended, with what was not told of it yet.
func ended(e reel.Event, untold []Group) Message {
	m := Message{ID: fmt.Sprintf("%s:%s:%d", BatchEnded, e.Batch, e.Seq), Kind: BatchEnded, Batch: e.Batch, Count: 1, At: e.At.UTC()}
	what := "the batch ended: " + string(e.Result)
	if e.Kind == reel.EventInterrupted {
		what = "the run was cut short, work is left"
	}
	m.Title = title(e.Batch, what)
	var lines []string
	if e.Totals != nil {
		lines = append(lines, totals(*e.Totals))
	}
	if text := clean(e.Text, longText); text != "" {
		lines = append(lines, text)
	}
	for _, g := range untold {
		m.Also = append(m.Also, Tally{Kind: g.Kind, Count: g.Count, Names: g.Names})
		line := "Since the last message: " + g.headline()
		switch names := g.named(); {
		case g.Kind == PassEnded, g.Kind == BreakerOpened:
			line += ". " + g.Line
		case names != "":
			line += ": " + names
		}
		lines = append(lines, line)
	}
	m.Text = strings.Join(lines, "\n")
	return m
}

// totals says how the jobs of a batch stand, without what there is none of.
func totals(t reel.Totals) string {
	parts := []string{}
	for _, s := range reel.States() {
		if n := t.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(s), "_", " ")))
		}
	}
	return fmt.Sprintf("Jobs: %d (%s).", t.Jobs, strings.Join(parts, ", "))
}

// passLine says how a pass went.
func passLine(e reel.Event) string {
	if e.Stats == nil {
		return e.Text
	}
	s := *e.Stats
	line := fmt.Sprintf("Pass %d: %d of %d attempts posted (%.1f%%), %d failed", s.Pass, s.Succeeded, s.Processed, float64(s.SuccessRate), s.Failed.Total())
	if s.InDoubt > 0 {
		line += fmt.Sprintf(", %d in doubt", s.InDoubt)
	}
	return strings.TrimSpace(line + ". " + e.Text)
}

// clean makes foreign text fit for a line of a chat or the subject of a mail: without secrets, without what does not print, not long.
func clean(text string, longest int) string {
	text = reel.Scrub(text)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }), " ")
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest-1]) + "…"
	}
	return text
}
