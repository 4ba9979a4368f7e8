package posts

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

//go:embed page.html
var pageSource string

// WriteHTML writes a batch as one page that needs nothing beside it: no script, no font, no picture. Times are of loc (nil
// means time.Local), whose name is on the page. The jobs go straight to w, so the page may be larger than memory, and is
// incomplete when an error is returned: write it beside the old one and rename.
func WriteHTML(w io.Writer, s reel.Status, records iter.Seq2[reel.Record, error], loc *time.Location) error {
	if loc == nil {
		loc = time.Local
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"thousands": thousands,
		"rate":      func(f reel.Percent) string { return strconv.FormatFloat(float64(f), 'f', 1, 64) + "%" },
		"shown":     func(t time.Time) string { return t.In(loc).Format("2006-01-02 15:04:05") },
		"stamp":     func(t time.Time) string { return t.In(loc).Format(time.RFC3339) },
	}).Parse(pageSource)
	if err != nil {
		return fmt.Errorf("write html: %w", err)
	}
	var broken error
	err = page.Execute(w, pageData{
		Status: s, Zone: zoneName(loc), Headline: headline(s), Summary: summary(s.Totals), States: stateCounts(s.Totals),
		Jobs: func(yield func(jobRow) bool) {
			for r, err := range records {
				if err != nil {
					broken = err
					return
				}
				if !yield(newJobRow(r)) {
					return
				}
			}
		},
	})
	if broken != nil {
		err = broken
	}
	if err != nil {
		return fmt.Errorf("write html: %w", err)
	}
	return nil
}

type pageData struct {
	Status   reel.Status
	Zone     string
	Headline string
	Summary  string
	States   []stateCount
	Jobs     iter.Seq[jobRow]
}

type stateCount struct {
	State reel.State
	Word  string
	Count int
}

type jobRow struct {
	reel.Record
	Word    string
	Sign    string
	Next    string
	Link    string // the receipt's URL, where it is one that a browser may follow
	Failure string // category and type
}

func newJobRow(r reel.Record) jobRow {
	row := jobRow{Record: r, Word: stateWord(r.State), Sign: stateSign(r.State), Next: next(r)}
	row.VideoPath = reel.ShownVideo(r.VideoPath)
	if strings.HasPrefix(r.Receipt.URL, "https://") || strings.HasPrefix(r.Receipt.URL, "http://") {
		row.Link = r.Receipt.URL
	}
	if r.State == reel.Succeeded {
		row.Error = ""
		return row
	}
	row.Failure = string(r.Verdict.Category)
	if r.Verdict.Type != "" {
		row.Failure += "/" + r.Verdict.Type
	}
	return row
}

// zoneName names the zone for a reader who may sit elsewhere, to whom "Local" would say nothing.
func zoneName(loc *time.Location) string {
	if name := loc.String(); name != "Local" {
		return name
	}
	return "the local time of the machine that wrote this page"
}

// summary is the page's first sentence: what a person would tell a colleague.
func summary(t reel.Totals) string {
	parts := []string{fmt.Sprintf("%s of %s posted", thousands(t.Succeeded), thousands(t.Jobs))}
	for _, s := range reel.States() {
		if n := t.Of(s); n > 0 && s != reel.Succeeded {
			parts = append(parts, thousands(n)+" "+stateWord(s))
		}
	}
	return strings.Join(parts, ", ")
}

// headline says how the batch ended, or what it is doing.
func headline(s reel.Status) string {
	switch s.Result {
	case reel.AllComplete:
		return "All complete: every job is posted."
	case reel.OnlyNonRetryable:
		return "Only non-retryable jobs remain: each of them needs a person, or will never be posted."
	case reel.MaxPassesReached:
		return "Max passes reached: jobs remain that could be retried."
	case reel.Interrupted:
		return "Interrupted: the next run continues it."
	case reel.NoResult:
	}
	return "Not finished: " + string(s.Phase) + "."
}

func stateCounts(t reel.Totals) []stateCount {
	counts := make([]stateCount, 0, len(reel.States()))
	for _, s := range reel.States() {
		counts = append(counts, stateCount{State: s, Word: stateWord(s), Count: t.Of(s)})
	}
	return counts
}

// stateWord is a state in plain words. "Failed" alone says too little to a person: will it be tried again?
func stateWord(s reel.State) string {
	switch s {
	case reel.Pending:
		return "waiting"
	case reel.Running, reel.Publishing, reel.Cancelled:
		return string(s)
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
	}
	return string(s)
}

// stateSign is a second signal beside the word, for those who scan; colour is the third.
func stateSign(s reel.State) string {
	switch s {
	case reel.Pending:
		return "○"
	case reel.Running, reel.Publishing:
		return "▷"
	case reel.Succeeded:
		return "✓"
	case reel.Failed:
		return "↻"
	case reel.SetAside:
		return "⊘"
	case reel.Exhausted:
		return "✗"
	case reel.OutOfPasses:
		return "‖"
	case reel.InDoubt:
		return "?"
	case reel.Cancelled:
		return "–"
	}
	return ""
}

// next says what becomes of a job now.
func next(r reel.Record) string {
	switch r.State {
	case reel.Pending:
		if r.DuePass > 0 {
			return fmt.Sprintf("in pass %d", r.DuePass)
		}
		return "in the next pass"
	case reel.Failed:
		if r.DuePass > 0 {
			return fmt.Sprintf("again in pass %d", r.DuePass)
		}
		return "again in the next pass"
	case reel.Running, reel.Publishing:
		return "a worker has it"
	case reel.Succeeded:
		return "nothing: posted"
	case reel.InDoubt:
		return "never by itself: somebody must look whether it was posted"
	case reel.SetAside:
		if r.Reason == reel.ReasonAccountHold {
			return "never, until the account is released"
		}
		return "never, until a person returns it"
	case reel.Exhausted, reel.OutOfPasses, reel.Cancelled:
		return "never, unless a person retries it"
	}
	return ""
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
