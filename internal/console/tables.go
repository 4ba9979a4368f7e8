package console

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"reelpass/internal/reel"
)

// Status writes where a batch stands: the text of `reelpass status`. It returns the writer's error.
func Status(w io.Writer, s reel.Status, o Options) error {
	p := newPage(o)
	var b strings.Builder
	head := "Batch " + Clean(s.Name) + ": " + Clean(string(s.Phase))
	if s.Result != reel.NoResult {
		head += ", " + Clean(string(s.Result))
	}
	for _, l := range p.wrap(head, p.cols) {
		b.WriteString(p.paint(bold, l) + "\n")
	}
	if s.Outage != nil && s.Result == reel.NoResult {
		for _, l := range p.wrap("The breaker is open: "+Clean(s.Outage.Why())+".", p.cols) {
			b.WriteString(p.paint(alarm, l) + "\n")
		}
	}
	if s.Result != reel.NoResult {
		for _, l := range p.wrap(sentence(s.Result, &s.Totals), p.cols) {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString("\n")
	if len(s.Passes) > 0 {
		p.passes(&b, s.Passes)
		b.WriteString("\n")
	}
	p.totals(&b, s.Totals)
	_, err := io.WriteString(w, b.String())
	return err
}

// passes is a table with as many cells between the columns, and as long names above them, as the width allows.
func (p page) passes(b *strings.Builder, passes []reel.PassStats) {
	long := []string{"Pass", "Jobs", "Posted", "Account", "Content", "Infra", "Unknown", "In doubt", "Rate", "Duration"}
	short := []string{"Pass", "Jobs", "OK", "Acct", "Cont", "Infr", "Unkn", "Doubt", "Rate", "Duration"}
	var rows [][]string
	for _, s := range passes {
		duration := between(s.StartedAt, s.EndedAt)
		if s.EndedAt.IsZero() {
			duration = "open"
		}
		rows = append(rows, []string{
			strconv.Itoa(s.Pass), strconv.Itoa(s.Processed), strconv.Itoa(s.Succeeded), strconv.Itoa(s.Failed.Account),
			strconv.Itoa(s.Failed.Content), strconv.Itoa(s.Failed.Infrastructure), strconv.Itoa(s.Failed.Unknown),
			strconv.Itoa(s.InDoubt), fmt.Sprintf("%.1f%%", s.SuccessRate), duration,
		})
	}
	for _, try := range []struct {
		names []string
		gap   int
	}{{long, 3}, {long, 2}, {short, 2}, {short, 1}} {
		widths, sum := make([]int, len(try.names)), -try.gap
		for i, n := range try.names {
			widths[i] = p.width(n)
			for _, r := range rows {
				widths[i] = max(widths[i], p.width(r[i]))
			}
			sum += widths[i] + try.gap
		}
		if sum > p.cols && try.gap > 1 {
			continue
		}
		p.aligned(b, try.names, widths, try.gap, bold)
		for _, r := range rows {
			p.aligned(b, r, widths, try.gap, plainStyle)
		}
		return
	}
}

func (p page) aligned(b *strings.Builder, cells []string, widths []int, gap int, s style) {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = p.left(c, widths[i])
	}
	b.WriteString(p.paint(s, strings.Join(out, blanks(gap))) + "\n")
}

// lookAhead is how many jobs are read before the first is written, to learn how wide the columns need to be.
const lookAhead = 256

// Jobs writes a table of jobs as they come, in constant memory: the columns' widths follow from the first jobs and the width of
// the line. The name of a job or an account is never cut, since a person needs it whole for the next command: what does not
// fit pushes the rest of its row to the line below. It returns the sequence's error as it is, or the writer's.
func Jobs(w io.Writer, jobs iter.Seq2[reel.Record, error], o Options) error {
	p := newPage(o)
	var first []reel.Record
	var t *jobTable
	for r, err := range jobs {
		switch {
		case err != nil && t == nil:
			return errors.Join(err, p.newJobTable(first).write(w, first))
		case err != nil:
			return err
		case t != nil:
			if err := t.write(w, []reel.Record{r}); err != nil {
				return err
			}
			continue
		}
		if first = append(first, r); len(first) == lookAhead {
			t = p.newJobTable(first)
			if err := t.write(w, first); err != nil {
				return err
			}
		}
	}
	if t == nil {
		return p.newJobTable(first).write(w, first)
	}
	return nil
}

// jobTable is a table of jobs whose columns have their widths.
type jobTable struct {
	page
	job, account int
	begun        bool
	below        bool // why stands on a line of its own
}

const stateWidth, triesWidth = len("out of passes"), len("TRIES")

// newJobTable gives both names what they need where twenty cells are left to say why. Else they get a sixth of the line each, and
// few rows break; where most would, to say why takes a line of its own.
func (p page) newJobTable(first []reel.Record) *jobTable {
	t := &jobTable{page: p, job: len("JOB"), account: len("ACCOUNT")}
	narrow, long := max(p.cols/6, 10), 0
	for _, r := range first {
		job, account := p.width(Clean(string(r.ID))), p.width(Clean(r.Account))
		t.job, t.account = max(t.job, job), max(t.account, account)
		if job > narrow || account > narrow {
			long++
		}
	}
	switch rest := t.rest(); {
	case rest >= 20:
	case rest >= -2 && 2*long > len(first):
		t.below = true
	default:
		t.job, t.account = min(t.job, narrow, 24), min(t.account, narrow, 24)
		t.below = t.rest() < 20
	}
	return t
}

// rest is what is left of the line to say why.
func (t *jobTable) rest() int { return t.cols - t.job - t.account - stateWidth - triesWidth - 4*2 - 2 }

func (t *jobTable) write(w io.Writer, jobs []reel.Record) error {
	var b strings.Builder
	if !t.begun {
		t.begun = true
		head := "  " + t.right("JOB", t.job) + "  " + t.right("ACCOUNT", t.account) + "  " + t.right("STATE", stateWidth) + "  TRIES"
		if !t.below {
			head += "  WHY"
		}
		b.WriteString(t.paint(bold, head) + "\n")
	}
	for _, r := range jobs {
		job, account := Clean(string(r.ID)), Clean(r.Account)
		mark, s := stateMark(r.State)
		line := t.paint(s, mark) + " " + t.right(job, t.job) + "  " + t.right(account, t.account)
		if t.width(job) > t.job || t.width(account) > t.account {
			line = t.paint(s, mark) + " " + job + "  " + account + "\n" + blanks(2+t.job+2+t.account)
		}
		line += "  " + t.right(words(string(r.State)), stateWidth) + "  " + fmt.Sprintf("%*d", triesWidth, r.Tally.Attempts)
		reason := why(r)
		if !t.below {
			line += "  " + t.cut(reason, t.rest())
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		if t.below && reason != "" {
			b.WriteString(blanks(4) + t.cut(reason, t.cols-4) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// why is the shortest answer to the question why a job is where it is.
func why(r reel.Record) string {
	if r.State == reel.Succeeded {
		return receipt(&r.Receipt)
	}
	var parts []string
	if r.Reason != reel.NoReason {
		parts = append(parts, words(string(r.Reason)))
	}
	switch {
	case r.Verdict.Type != "":
		parts = append(parts, Clean(r.Verdict.Type))
	case r.Verdict.Category != "" && string(r.Verdict.Category) != string(r.Reason):
		parts = append(parts, Clean(string(r.Verdict.Category)))
	}
	if t := firstLine(r.Error); t != "" {
		parts = append(parts, t)
	}
	return strings.Join(parts, ": ")
}

// Holds writes the accounts that are held, each with why: the text of `reelpass accounts`. It returns the writer's error.
func Holds(w io.Writer, holds []reel.Hold, o Options) error {
	p := newPage(o)
	var b strings.Builder
	if len(holds) == 0 {
		b.WriteString("No account is held.\n")
	}
	for _, h := range holds {
		mark, s, state := "!", red, "held since "+p.moment(h.Since)
		if !h.Until.IsZero() {
			s, state = yellow, "held until "+p.moment(h.Until)
		}
		if !h.ReleasedAt.IsZero() {
			mark, s, state = "-", plainStyle, "released "+p.moment(h.ReleasedAt)+to(" by ", h.ReleasedBy)
		}
		fields := []string{Clean(h.Account), state}
		if h.ReleasedAt.IsZero() || h.Waiting > 0 {
			fields = append(fields, count(h.Waiting, "job")+" set aside")
		}
		for i, l := range p.flow(fields, p.cols-2, p.cols-4) {
			if i == 0 {
				b.WriteString(p.paint(s, mark) + " " + l + "\n")
				continue
			}
			b.WriteString(blanks(4) + l + "\n")
		}
		var cause []string
		if h.Job != "" {
			cause = append(cause, "job "+Clean(string(h.Job))+to(" of batch ", h.Batch))
		} else {
			cause = append(cause, "held by a person")
		}
		if h.Verdict != (reel.Verdict{}) {
			cause = append(cause, verdict(h.Verdict))
		}
		for _, l := range p.flow(cause, p.cols-4, p.cols-4) {
			b.WriteString(blanks(4) + l + "\n")
		}
		for _, l := range cleanLines(h.Text) {
			p.indent(&b, 4, l)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
