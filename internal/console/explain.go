package console

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Explain writes one job's whole story: what it is, where it stands and why, every attempt with what was seen, what that was
// taken for and by which rule, what was decided, and the journal in the order of time. next is what comes next, in words of
// the caller; it is the last line. It returns the writer's error.
func Explain(w io.Writer, r reel.Record, attempts []reel.Attempt, events []reel.Event, next string, o Options) error {
	p := newPage(o)
	var b strings.Builder
	p.what(&b, r)
	if len(attempts) == 0 {
		p.heading(&b, "Attempts: none yet")
	}
	for _, a := range attempts {
		p.attempt(&b, a, events)
	}
	if len(events) > 0 {
		p.journal(&b, events)
	}
	b.WriteString("\n")
	p.hang(&b, bold, "Next: ", Clean(next))
	_, err := io.WriteString(w, b.String())
	return err
}

// what is the job and where it stands.
func (p page) what(b *strings.Builder, r reel.Record) {
	mark, s := stateMark(r.State)
	head := "Job " + Clean(string(r.ID)) + ": " + words(string(r.State))
	if r.Reason != reel.NoReason {
		head += " (" + words(string(r.Reason)) + ")"
	}
	p.hang(b, s, mark+" ", head)
	var rows [][2]string
	row := func(name, value string) {
		if value = Clean(value); value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	row("Batch:", r.Batch)
	row("Account:", r.Account)
	row("Video:", reel.ShownVideo(r.VideoPath))
	row("Caption:", r.Caption)
	if !r.PublishAt.IsZero() {
		row("Not before:", p.moment(r.PublishAt))
	}
	row("Attempts:", tally(r.Tally))
	if r.Forgiven != (reel.Tally{}) {
		row("Forgiven by a retry:", tally(r.Forgiven))
	}
	if r.MaxAttempts > 0 {
		row("Max attempts of its own:", strconv.Itoa(r.MaxAttempts))
	}
	if r.State.Ready() && r.DuePass > 0 {
		row("Due in pass:", strconv.Itoa(r.DuePass))
	}
	if r.State.InFlight() {
		row("In the hands of:", fmt.Sprintf("worker %d since %s", r.Worker, p.moment(r.ClaimedAt)))
	}
	if !r.CompletedAt.IsZero() {
		row("Ended:", p.moment(r.CompletedAt))
	}
	row("Post:", receipt(&r.Receipt))
	if r.Receipt.URL != "" {
		row("Post id:", r.Receipt.ID)
	}
	if r.Verdict != (reel.Verdict{}) {
		row("Last verdict:", verdict(r.Verdict))
	}
	p.rows(b, rows)
}

// tally is the number of attempts, with the failures among them by category.
func tally(t reel.Tally) string {
	var parts []string
	for _, c := range reel.Categories() {
		if n := t.Failures(c); n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c))
		}
	}
	out := strconv.Itoa(t.Attempts)
	if len(parts) > 0 {
		out += ", failures: " + strings.Join(parts, ", ")
	}
	return out
}

func (p page) attempt(b *strings.Builder, a reel.Attempt, events []reel.Event) {
	p.heading(b, fmt.Sprintf("Attempt %d in pass %d: %s", a.Number, a.Pass, words(string(a.Outcome))))
	var rows [][2]string
	row := func(name, value string) {
		if value = Clean(value); value != "" {
			rows = append(rows, [2]string{name, value})
		}
	}
	when := p.moment(a.StartedAt)
	if !a.EndedAt.IsZero() {
		when += ", took " + between(a.StartedAt, a.EndedAt)
	}
	row("When:", when)
	row("By:", fmt.Sprintf("worker %d", a.Worker)+to(" on ", a.Host))
	if a.Outcome != reel.OutcomeSucceeded {
		begun := "not begun"
		switch {
		case a.ShareBegun || a.Evidence.ShareBegun:
			begun = "had begun"
		case slices.ContainsFunc(events, func(e reel.Event) bool { return e.Kind == reel.EventIntent && e.Attempt == a.Number }):
			begun = "allowed, and not begun"
		}
		row("The share:", begun)
	}
	row("Post:", receipt(&a.Receipt))
	p.rows(b, rows)
	if a.Evidence != (reel.Evidence{}) {
		p.evidence(b, a.Evidence)
	}
	rows = nil
	if a.Verdict != (reel.Verdict{}) {
		row("Verdict:", kind(a.Verdict))
		rule := a.Verdict.Rule
		if rule == "" {
			rule = "none"
		}
		row("Rule:", rule)
	}
	for _, e := range events {
		if e.Attempt != a.Number || e.Decision == nil {
			continue
		}
		name := "Decision:"
		switch e.Kind {
		case reel.EventLooked:
			name = "After the look:"
		case reel.EventRejudged:
			name = "Judged anew:"
		}
		row(name, decision(*e.Decision))
	}
	p.rows(b, rows)
}

func decision(d reel.Decision) string {
	out := words(string(d.State))
	if d.Reason != reel.NoReason {
		out += " (" + words(string(d.Reason)) + ")"
	}
	if d.DuePass > 0 {
		out += fmt.Sprintf(", due in pass %d", d.DuePass)
	}
	switch {
	case d.Hold && d.Wait > 0:
		out += ", account held for " + span(d.Wait.Std())
	case d.Hold:
		out += ", account held"
	case d.Wait > 0:
		out += ", the batch waits for " + span(d.Wait.Std())
	}
	return out + to(": ", d.Why)
}

// evidence shows what was seen, whole: each line of it behind a bar, so that it is not taken for words of ours.
func (p page) evidence(b *strings.Builder, e reel.Evidence) {
	var rows [][2]string
	source := Clean(string(e.Source))
	if source == "" {
		source = "not recorded"
	}
	rows = append(rows, [2]string{"Seen by:", source})
	if e.Code != "" {
		rows = append(rows, [2]string{"Code:", Clean(e.Code)})
	}
	if e.Step != "" {
		rows = append(rows, [2]string{"At step:", Clean(e.Step)})
	}
	if e.RetryAfter != "" {
		rows = append(rows, [2]string{"Asked to wait:", Clean(e.RetryAfter) + to(", for ", e.Holds)})
	}
	p.rows(b, rows)
	lines := cleanLines(e.Text)
	if len(lines) == 0 {
		lines = []string{"(no text)"}
	}
	p.quote(b, lines)
	if note := cleanLines(e.Note); len(note) > 0 {
		p.hang(b, dim, "  ", "Somebody's explanation, which is not evidence and was not judged:")
		p.quote(b, note)
	}
}

// quote sets lines behind a bar. Blanks at their beginning stay, so that a trace keeps its shape.
func (p page) quote(b *strings.Builder, lines []string) {
	const bar = "    | "
	for _, l := range lines {
		room := p.cols - len(bar)
		if p.width(l) <= room {
			b.WriteString(bar + l + "\n")
			continue
		}
		for _, part := range p.wrap(l, room) {
			b.WriteString(bar + part + "\n")
		}
	}
}

// journal lists events by time; those of one moment stay in the order in which they were written.
func (p page) journal(b *strings.Builder, events []reel.Event) {
	p.heading(b, "Journal")
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(x, y reel.Event) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Seq, y.Seq))
	})
	for _, e := range sorted {
		bare := e
		bare.Job = "" // the whole story is about one job
		if e.Job != "" {
			bare.Account = ""
		}
		t := p.say(bare)
		fields := append([]string{t.head}, t.tail...)
		if t.seen != "" {
			fields = append(fields, t.seen)
		}
		const at = len("  2006-01-02 15:04:05  - ")
		b.WriteString("  " + p.paint(dim, p.right(p.moment(e.At), len(time.DateTime))) + "  " + p.paint(t.style, t.mark) + " ")
		for i, l := range p.flow(fields, p.cols-at, p.cols-at-2) {
			if i > 0 {
				b.WriteString(blanks(at + 2))
			}
			b.WriteString(l + "\n")
		}
		for _, m := range t.more {
			p.indent(b, at+2, m)
		}
	}
}

func (p page) heading(b *strings.Builder, text string) {
	b.WriteString("\n")
	p.hang(b, bold, "", text)
}

// hang wraps text below a lead.
func (p page) hang(b *strings.Builder, s style, lead, text string) {
	at := p.width(lead)
	lines := p.wrap(text, p.cols-at)
	if len(lines) == 0 {
		lines = []string{"-"}
	}
	for i, l := range lines {
		if i > 0 {
			lead = blanks(at)
		}
		b.WriteString(lead + p.paint(s, l) + "\n")
	}
}

// Sentence is an event in one line of plain words, as the journal of Explain shows it, for whoever sets it otherwise.
func Sentence(e reel.Event, zone *time.Location) string {
	t := newPage(Options{Location: zone, Width: 10_000}).say(e)
	parts := append([]string{t.head}, t.tail...)
	if t.seen != "" {
		parts = append(parts, t.seen)
	}
	return strings.Join(append(parts, t.more...), " · ")
}
