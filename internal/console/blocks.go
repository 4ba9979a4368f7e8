package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// runStarted tells what begins, and the limits it keeps to.
func (p page) runStarted(b *strings.Builder, e reel.Event) {
	head := "batch " + Clean(e.Batch)
	if e.Batch == "" {
		head = "run started"
	}
	if e.Totals != nil {
		head += ": " + count(e.Totals.Jobs, "job")
		if e.Totals.Attempts > 0 { // it goes on where it was cut
			head += ", " + byState(*e.Totals)
		}
	}
	p.write(b, entry{at: e.At, mark: "-", fields: []string{head}, more: some(Clean(e.Text))})
	if e.Limits == nil {
		return
	}
	p.title(b, bold, "RETRY CONFIGURATION")
	l := *e.Limits
	rows := [][2]string{
		{"Max passes:", strconv.Itoa(l.MaxPasses)},
		{"Max attempts per job:", strconv.Itoa(l.MaxAttempts)},
		{"Delay between passes:", span(l.RetryDelay.Std())},
		{"Infra retry limit:", strconv.Itoa(l.Infrastructure)},
		{"Unknown retry limit:", strconv.Itoa(l.Unknown)},
		{"Retry unknown errors:", yes(l.RetryUnknown)},
		{"Account hold:", yes(l.AccountHold)},
		{"Longest wait:", span(l.MaxWait.Std())},
		{"Breaker:", "off"},
	}
	if l.Breaker.Fails > 0 {
		rows[len(rows)-1][1] = fmt.Sprintf("%d of %d attempts alike, probes after %s", l.Breaker.Fails, l.Breaker.Of, span(l.Breaker.Wait.Std()))
	}
	if e.Workers > 0 {
		rows = append(rows, [2]string{"Workers:", strconv.Itoa(e.Workers)})
	}
	p.rows(b, rows)
	p.rule(b)
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// byState lists the states that some job is in.
func byState(t reel.Totals) string {
	var parts []string
	for _, s := range reel.States() {
		if n := t.Of(s); n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words(string(s))))
		}
	}
	return strings.Join(parts, ", ")
}

// banner is the prominent start of a pass.
func (p page) banner(b *strings.Builder, e reel.Event) {
	w := min(p.cols, boxWidth)
	title := fmt.Sprintf("PASS %d", e.Pass)
	if e.MaxPass > 0 {
		title += fmt.Sprintf(" OF %d", e.MaxPass)
	}
	line := func(s string) {
		b.WriteString(p.paint(cyan, "#") + p.paint(bold, p.center(s, w-2)) + p.paint(cyan, "#") + "\n")
	}
	full := p.paint(cyan, strings.Repeat("#", w)) + "\n"
	b.WriteString("\n" + full)
	line("")
	line(title)
	line(count(e.Count, "job"))
	line("")
	b.WriteString(full + "\n")
}

// box draws lines of one width. With wide ambiguous characters its walls take two cells each, and an odd width one less.
type box struct {
	page
	width int
	wall  string
	wallW int
}

func (p page) newBox() box {
	x := box{page: p, width: min(p.cols, boxWidth), wall: "║", wallW: p.width("║")}
	x.width -= x.width % x.wallW
	return x
}

func (x box) edge(b *strings.Builder, left, right string) {
	b.WriteString(left + x.repeat("═", x.width-2*x.wallW) + right + "\n")
}

func (x box) line(b *strings.Builder, inner string, s style) {
	b.WriteString(x.wall + x.paint(s, x.right(inner, x.width-2*x.wallW)) + x.wall + "\n")
}

// row is a name and a value. A value that fits stands at the right edge, as numbers must; a longer one is wrapped, never cut.
func (x box) row(b *strings.Builder, name, value string, s style) {
	inner := x.width - 2*x.wallW
	label := 30
	if inner < 72 {
		label = 27 // the longest name, and a blank
	}
	room := inner - label - 4 // two blanks before the name, one between, one behind
	lines := x.wrap(value, room)
	if len(lines) == 0 {
		lines = []string{""}
	}
	for i, l := range lines {
		if i > 0 {
			name = ""
		}
		if len(lines) == 1 {
			l = x.left(l, room)
		}
		x.line(b, "  "+x.right(name, label)+" "+x.right(l, room), s)
	}
}

// summary is the box at the end of a pass. What comes next is somebody else's decision: it is text here.
func (p page) summary(b *strings.Builder, s reel.PassStats, next string) {
	x := p.newBox()
	b.WriteString("\n")
	x.edge(b, "╔", "╗")
	x.line(b, p.center(fmt.Sprintf("PASS %d SUMMARY", s.Pass), x.width-2*x.wallW), bold)
	x.edge(b, "╠", "╣")
	number := func(name string, n int, st style) {
		if n == 0 {
			st = plainStyle
		}
		x.row(b, name, strconv.Itoa(n), st)
	}
	number("Jobs Processed:", s.Processed, plainStyle)
	number("✓ Succeeded:", s.Succeeded, green)
	number("✗ Failed (account issues):", s.Failed.Account, red)
	number("✗ Failed (content):", s.Failed.Content, red)
	number("⟳ Failed (infrastructure):", s.Failed.Infrastructure, yellow)
	number("? Failed (unknown):", s.Failed.Unknown, yellow)
	if s.InDoubt > 0 {
		number("! In doubt:", s.InDoubt, alarm)
	}
	x.edge(b, "╠", "╣")
	x.row(b, "Success Rate:", fmt.Sprintf("%.1f%%", s.SuccessRate), plainStyle)
	x.row(b, "Duration:", between(s.StartedAt, s.EndedAt), plainStyle)
	x.edge(b, "╠", "╣")
	x.row(b, "Next:", Clean(next), bold)
	x.edge(b, "╚", "╝")
	b.WriteString("\n")
}

// waiting announces the wait before a pass.
func (p page) waiting(b *strings.Builder, e reel.Event) {
	n := seconds(e.Remaining.Std())
	unit := "SECONDS"
	if n == 1 {
		unit = "SECOND"
	}
	p.title(b, yellow, fmt.Sprintf("WAITING %d %s BEFORE PASS %d", n, unit, e.Pass))
}

// final tells how a run ended.
func (p page) final(b *strings.Builder, e reel.Event, started time.Time, passes int) {
	result, head, s := e.Result, "MULTI-PASS RETRY COMPLETE", bold
	if e.Kind == reel.EventInterrupted {
		result, head, s = reel.Interrupted, "MULTI-PASS RETRY INTERRUPTED", alarm
	}
	p.title(b, s, head)
	rows := [][2]string{{"Result:", Clean(string(result))}, {"", sentence(result, e.Totals)}}
	if e.Text != "" {
		rows = append(rows, [2]string{"", Clean(e.Text)})
	}
	if n := max(passes, e.Pass); n > 0 {
		rows = append(rows, [2]string{"Passes:", strconv.Itoa(n)})
	}
	if !started.IsZero() && !e.At.Before(started) {
		rows = append(rows, [2]string{"Duration:", between(started, e.At)})
	}
	p.rows(b, rows)
	if e.Totals != nil {
		p.totals(b, *e.Totals)
	}
	p.rule(b)
}

// totals lists a batch's jobs by state, those states only that some job is in.
func (p page) totals(b *strings.Builder, t reel.Totals) {
	w := max(len(strconv.Itoa(t.Jobs)), len(strconv.Itoa(t.Attempts)))
	row := func(mark string, s style, name string, n int) {
		b.WriteString("  " + p.paint(s, mark) + p.right(name, labelWidth-p.width(mark)) + fmt.Sprintf("%*d\n", w, n))
	}
	row("", plainStyle, "Jobs:", t.Jobs)
	for _, s := range reel.States() {
		if n := t.Of(s); n != 0 {
			mark, st := stateMark(s)
			row("  "+mark+" ", st, words(string(s)), n)
		}
	}
	row("", plainStyle, "Attempts:", t.Attempts)
}

// sentence says in plain words how a batch ended.
func sentence(r reel.Result, t *reel.Totals) string {
	var n reel.Totals
	if t != nil {
		n = *t
	}
	switch r {
	case reel.AllComplete:
		switch {
		case t != nil && n.Jobs == 0:
			return "There was nothing to post."
		case n.Cancelled > 0:
			return "Every job that was not cancelled is posted."
		}
		return "Every job is posted."
	case reel.OnlyNonRetryable:
		out := "Nothing is left that may be tried again."
		if left := n.SetAside + n.Exhausted + n.InDoubt; left > 0 {
			out += " " + count(left, "job") + verb(left, " waits", " wait") + " for a person."
		}
		return out
	case reel.MaxPassesReached:
		out := "The passes are used up."
		if n.OutOfPasses > 0 {
			out += " " + count(n.OutOfPasses, "job") + " could still be tried again."
		}
		return out
	case reel.Interrupted:
		return "The run was cut short; the next run continues it."
	case reel.NoResult:
		return "The batch is not finished."
	}
	return ""
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
