package console

import (
	"fmt"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Widths in cells.
const (
	defaultWidth = 80
	minWidth     = 44 // below this the summary's labels have no room; a narrower terminal wraps by itself
	boxWidth     = 80 // banners and summaries, as wide as the earlier system's
	ruleWidth    = 60 // the === lines around smaller blocks
	labelWidth   = 25 // names in blocks, so that their values stand below each other
	markAt       = 10 // "HH:MM:SS  "
	textAt       = markAt + 2
	moreAt       = textAt + 2 // what belongs to the line above
	hangAt       = 6          // the same, where no time begins the line
)

// style is an SGR colour. It is never the only bearer of a meaning: a mark or a word says the same.
type style string

const (
	plainStyle style = ""
	bold       style = "1"
	dim        style = "2"
	red        style = "31"
	green      style = "32"
	yellow     style = "33"
	cyan       style = "36"
	alarm      style = "1;33"
)

// page is how text is set: its width, its colours, its zone. It has no state that changes.
type page struct {
	ruler
	cols    int
	color   bool
	zone    *time.Location
	verbose bool
}

func newPage(o Options) page {
	p := page{ruler: newRuler(o.WideAmbiguous), cols: o.Width, color: o.Color, zone: o.Location, verbose: o.Verbose}
	if p.cols <= 0 {
		p.cols = defaultWidth
	}
	p.cols = max(p.cols, minWidth)
	if p.zone == nil {
		p.zone = time.UTC
	}
	return p
}

func (p page) paint(s style, text string) string {
	if !p.color || s == plainStyle || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p page) clock(t time.Time) string {
	if t.IsZero() {
		return "--:--:--"
	}
	return t.In(p.zone).Format("15:04:05")
}

func (p page) moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(p.zone).Format("2006-01-02 15:04:05")
}

// entry is one event as people read it: when, a mark, fields beside each other as long as they fit and below as soon as
// they do not, and then paragraphs that belong to it.
type entry struct {
	at     time.Time
	style  style
	mark   string
	fields []string // clean text; blank ones are left out
	seen   string   // what was seen, clean: it may be cut, since explain shows it whole
	more   []string // clean paragraphs, wrapped, never cut
}

func (p page) write(b *strings.Builder, e entry) {
	b.WriteString(p.paint(dim, p.clock(e.at)) + "  " + p.paint(e.style, e.mark) + " ")
	for i, l := range p.quoted(p.flow(e.fields, p.cols-textAt, p.cols-moreAt), e.seen) {
		if i > 0 {
			b.WriteString(blanks(moreAt))
		}
		b.WriteString(l + "\n")
	}
	for _, m := range e.more {
		p.indent(b, moreAt, m)
	}
}

// quoted puts what was seen behind the last line where it fits, or below it, and cuts it there. A line that is narrower than usual takes as
// many lines as hold what a usual one would.
func (p page) quoted(lines []string, seen string) []string {
	if seen == "" {
		return lines
	}
	const worth = 30 // with less room than this on a line of its own kind, begin another
	last, room := len(lines)-1, p.cols-textAt
	if last > 0 {
		room = p.cols - moreAt
	}
	left := room - p.width(lines[last]) - 2
	if p.width(seen) <= left || (last > 0 && left >= worth && p.cols >= defaultWidth) {
		lines[last] += "  " + p.cut(seen, left)
		return lines
	}
	room = p.cols - moreAt
	most := max(defaultWidth-moreAt+room-1, room) / room
	below := p.wrap(seen, room)
	if len(below) > most {
		below = append(below[:most-1], p.cut(strings.Join(below[most-1:], " "), room))
	}
	return append(lines, below...)
}

// Hanging is a line that begins with a mark or a name, with the rest wrapped below itself where a terminal is narrower. Where no width is
// known it is one line, for scripts.
func Hanging(begin, text string, o Options) string {
	p := newPage(o)
	at := p.width(begin)
	if o.Width <= 0 || at+p.width(text) <= p.cols {
		return begin + text
	}
	if at > p.cols/2 { // a long name has its own line
		begin, at = strings.TrimRight(begin, " ")+"\n"+blanks(hangAt), hangAt
	}
	return begin + strings.Join(p.wrap(text, p.cols-at), "\n"+blanks(at))
}

// indent writes a paragraph at a column. A paragraph that begins with an arrow hangs from it.
func (p page) indent(b *strings.Builder, at int, text string) {
	hang := 0
	if strings.HasPrefix(text, arrow) {
		hang = p.width(arrow)
		text = text[len(arrow):]
		b.WriteString(blanks(at) + arrow)
	} else {
		b.WriteString(blanks(at))
	}
	lines := p.wrap(text, p.cols-at-hang)
	b.WriteString(strings.Join(lines, "\n"+blanks(at+hang)) + "\n")
}

const arrow = "→ "

// flow sets fields beside each other; one that does not fit any more begins a new line, one wider than a line is wrapped.
func (p page) flow(fields []string, first, next int) []string {
	var lines []string
	room, line := first, ""
	push := func() {
		lines, line, room = append(lines, strings.TrimRight(line, " ")), "", next
	}
	for _, f := range fields {
		if strings.TrimSpace(f) == "" {
			continue
		}
		if line != "" && p.width(line)+2+p.width(strings.TrimRight(f, " ")) <= room {
			line += "  " + f
			continue
		}
		if line != "" {
			push()
		}
		if p.width(strings.TrimRight(f, " ")) <= room {
			line = f
			continue
		}
		for i, l := range p.wrap(f, min(room, next)) {
			if i > 0 {
				push()
			}
			line = l
		}
	}
	push()
	return lines
}

// rows writes names and values below each other; a value that is too long goes on below itself.
func (p page) rows(b *strings.Builder, rows [][2]string) {
	for _, r := range rows {
		lines := p.wrap(r[1], p.cols-labelWidth-2)
		b.WriteString("  " + p.right(r[0], labelWidth) + strings.Join(lines, "\n"+blanks(labelWidth+2)) + "\n")
	}
}

func (p page) rule(b *strings.Builder) {
	b.WriteString(strings.Repeat("=", min(ruleWidth, p.cols)) + "\n")
}

// title is a block's heading between two rules, after a blank line.
func (p page) title(b *strings.Builder, s style, text string) {
	b.WriteString("\n")
	p.rule(b)
	for _, l := range p.wrap(text, p.cols) {
		b.WriteString(p.paint(s, l) + "\n")
	}
	p.rule(b)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// span is a duration as people say it: 0.4s, 42s, 1m05s, 2h03m10s.
func span(d time.Duration) string {
	if d < 0 {
		return "-"
	}
	if d < 10*time.Second {
		if t := d.Round(100 * time.Millisecond); t%time.Second != 0 {
			return fmt.Sprintf("%.1fs", t.Seconds())
		}
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm%02ds", s/3600, s/60%60, s%60)
}

// between is how long something lasted, or "N/A" while that is not known.
func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return "N/A"
	}
	return span(to.Sub(from))
}

// seconds rounds up: a countdown that says 0 is over.
func seconds(d time.Duration) int64 {
	return int64((max(d, 0) + time.Second - 1) / time.Second)
}

func words(s string) string { return strings.ReplaceAll(Clean(s), "_", " ") }

// categoryMark is the sign of a failure's category, stateMark that of a job's state.
func categoryMark(c reel.Category) (string, style) {
	switch c {
	case reel.Account, reel.Content:
		return "✗", red
	case reel.Infrastructure:
		return "⟳", yellow
	case reel.Unknown:
		return "?", yellow
	}
	return "?", yellow
}

func stateMark(s reel.State) (string, style) {
	switch s {
	case reel.Succeeded:
		return "✓", green
	case reel.SetAside, reel.Exhausted, reel.OutOfPasses:
		return "✗", red
	case reel.Failed:
		return "⟳", yellow
	case reel.InDoubt:
		return "!", alarm
	case reel.Pending, reel.Running, reel.Publishing, reel.Cancelled:
		return "-", plainStyle
	}
	return "-", plainStyle
}
