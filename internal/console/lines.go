package console

import (
	"fmt"
	"slices"
	"strings"

	"reelpass/internal/reel"
)

// columns remembers how wide jobs and accounts have been so far, so that lines stand below each other without anybody
// knowing the names of all jobs beforehand. They only grow, and not beyond a quarter of the line each.
type columns struct{ job, account int }

func newColumns() columns { return columns{job: 6, account: 6} }

func (c *columns) see(p page, e reel.Event) {
	if e.Job == "" {
		return
	}
	most := p.cols / 4
	if w := p.width(Clean(string(e.Job))); w <= most {
		c.job = max(c.job, w)
	}
	if w := p.width(Clean(e.Account)); w <= most {
		c.account = max(c.account, w)
	}
}

// text writes what a person reads of an event, which may be nothing.
func (c *Console) text(b *strings.Builder, e reel.Event) {
	p := c.page
	c.cols.see(p, e)
	switch e.Kind {
	case reel.EventRunStarted:
		c.started, c.passes = e.At, 0
		p.runStarted(b, e)
		return
	case reel.EventPassOpened:
		c.waiting, c.passes = 0, max(c.passes, e.Pass)
		p.banner(b, e)
		return
	case reel.EventPassClosed:
		c.passes = max(c.passes, e.Pass)
		if e.Stats != nil {
			p.summary(b, *e.Stats, e.Text)
			return
		}
	case reel.EventWaiting:
		if c.waiting != e.Pass {
			c.waiting = e.Pass
			p.waiting(b, e)
		} else if e.Remaining > 0 {
			fmt.Fprintf(b, "  ... %ds remaining until pass %d\n", seconds(e.Remaining.Std()), e.Pass)
		}
		return
	case reel.EventFinished, reel.EventInterrupted:
		p.final(b, e, c.started, c.passes)
		return
	case reel.EventClaimed, reel.EventKept, reel.EventIntent, reel.EventStep, reel.EventWorkerUp:
		if !c.o.Verbose {
			return
		}
	default: // a line
	}
	p.write(b, p.entry(e, c.cols))
}

// entry is an event as a line with what belongs to it. A kind that is not known here becomes a plain line.
func (p page) entry(e reel.Event, cols columns) entry {
	out := entry{at: e.At, mark: "-"}
	if e.Job != "" {
		out.fields = []string{p.right(Clean(string(e.Job)), cols.job), p.right(Clean(e.Account), cols.account)}
	}
	told := p.say(e)
	if p.verbose && (e.Kind == reel.EventFailed || e.Kind == reel.EventInDoubt) {
		told.tail = append(told.tail, who(e)...)
	}
	out.mark, out.style = told.mark, told.style
	out.fields = append(append(out.fields, told.head), told.tail...)
	if e.Kind == reel.EventSucceeded && told.seen != "" {
		// The address stands in the line where all fits, and else on lines of its own: a person copies it, so it is never cut.
		// A bare id is in the ledger for whoever needs it: it is not worth a line for each post.
		short := slices.Insert(slices.Clone(out.fields), len(out.fields)-len(told.tail), told.seen)
		if p.width(strings.Join(short, "  ")) <= p.cols-textAt {
			out.fields = short
		} else if p.verbose || e.Receipt.URL != "" {
			out.more = append(out.more, told.seen)
		}
	} else {
		out.seen = told.seen
	}
	out.more = append(out.more, told.more...)
	if why := next(e); why != "" && !slices.Contains(out.more, why) {
		out.more = append(out.more, arrow+why)
	}
	return out
}

// next is what becomes of the job, in the words of plan.
func next(e reel.Event) string {
	if e.Decision != nil && e.Decision.Why != "" {
		return Clean(e.Decision.Why)
	}
	if e.Kind == reel.EventInDoubt {
		return "it is not tried again before it is known whether the post is there"
	}
	return ""
}

// told is what an event says, before it is set: a heading, what was seen (which may be cut), small facts, paragraphs.
type told struct {
	mark  string
	style style
	head  string
	seen  string
	tail  []string
	more  []string
}

// say puts an event into words. The job's and account's own columns are set by the caller.
func (p page) say(e reel.Event) told {
	text := Clean(e.Text)
	switch e.Kind {
	case reel.EventImported:
		return told{mark: "+", head: count(e.Count, "job") + " added" + to(" to batch ", e.Batch), more: some(text)}
	case reel.EventClaimed:
		return told{mark: "-", head: "claimed", tail: who(e), more: some(text)}
	case reel.EventKept:
		return told{mark: "-", head: "kept " + text, tail: who(e)}
	case reel.EventIntent:
		return told{mark: "-", head: "the share may begin now", tail: who(e), more: some(text)}
	case reel.EventStep:
		return told{mark: "-", head: "step " + text, tail: who(e)}
	case reel.EventSucceeded:
		return told{mark: "✓", style: green, head: "posted", seen: receipt(e.Receipt), tail: who(e), more: some(text)}
	case reel.EventFailed:
		t := failure(e)
		t.more = some(text)
		return t
	case reel.EventInDoubt:
		t := failure(e)
		t.mark, t.style = "!", alarm
		t.head, t.tail = "IN DOUBT", append(some(t.head), t.tail...)
		t.more = append([]string{"the share had begun; whether it was posted is not known"}, some(text)...)
		return t
	case reel.EventLooked:
		return looked(e, text)
	case reel.EventDuplicate:
		return told{mark: "=", style: yellow, head: "duplicate", tail: []string{"already published on this account; not shared again"}, more: some(text)}
	case reel.EventHeldBack:
		return told{mark: "✗", style: yellow, head: account(e) + count(max(e.Count, 1), "job") + " set aside without an attempt: the account is held", more: some(text)}
	case reel.EventHold:
		return p.held(e, text)
	case reel.EventOnHold:
		return p.onHold(e, text)
	case reel.EventBreakerOpen, reel.EventProbe, reel.EventBreakerShut:
		return p.breaker(e)
	case reel.EventReleased:
		return told{mark: "+", style: cyan, head: account(e) + "account released" + by(e) + returned(e.Count), more: some(text)}
	case reel.EventRetried:
		return told{mark: "+", style: cyan, head: "returned to the batch" + by(e), more: some(text)}
	case reel.EventCancelled:
		return told{mark: "-", style: cyan, head: "cancelled" + by(e), more: some(text)}
	case reel.EventDoubted:
		return told{mark: "?", style: yellow, head: "in doubt, for the ledger is an old copy" + by(e), more: some(text)}
	case reel.EventRejudged:
		return rejudged(e)
	case reel.EventOutOfPasses:
		return told{mark: "✗", style: yellow, head: count(e.Count, "job") + " could be tried again, but the passes are used up", more: some(text)}
	case reel.EventPassClosed:
		return told{mark: "-", head: fmt.Sprintf("pass %d closed", e.Pass), more: some(text)}
	case reel.EventPassOpened:
		return told{mark: "-", head: fmt.Sprintf("pass %d opened: %s", e.Pass, count(e.Count, "job")), more: some(text)}
	case reel.EventRunStarted:
		return told{mark: "-", head: "run started" + to(" with ", counted(e.Workers, "worker")), more: some(text)}
	case reel.EventFinished:
		return told{mark: "-", head: "finished: " + words(string(e.Result)), more: some(text)}
	case reel.EventInterrupted:
		return told{mark: "!", style: yellow, head: "interrupted" + to(": ", text)}
	case reel.EventPaused:
		return told{mark: "!", style: yellow, head: "paused" + by(e) + ": no job is claimed until 'reelpass resume'", more: some(text)}
	case reel.EventResumed:
		return told{mark: "+", style: cyan, head: "resumed" + by(e), more: some(text)}
	case reel.EventRulesAdded:
		return told{mark: "+", style: cyan, head: "rules added" + by(e), more: some(text)}
	case reel.EventWaiting:
		return told{mark: "-", head: fmt.Sprintf("%ds until pass %d", seconds(e.Remaining.Std()), e.Pass)}
	case reel.EventWorkerUp:
		return told{mark: "-", head: fmt.Sprintf("worker %d started", e.Worker), more: some(text)}
	case reel.EventWorkerDown:
		return told{mark: "!", style: yellow, head: fmt.Sprintf("worker %d ended", e.Worker) + to(": ", text)}
	case reel.EventSettled:
		return told{mark: "-", style: cyan, head: "settled what a dead predecessor left", more: some(text)}
	case reel.EventStopping:
		return told{mark: "!", style: alarm, head: "stopping" + to(": ", text)}
	case reel.EventNotice:
		return told{mark: "!", style: yellow, head: account(e) + text}
	}
	t := failure(e)
	return told{mark: "-", head: account(e) + words(string(e.Kind)), seen: t.seen, tail: append(some(t.head), t.tail...), more: some(text)}
}

// held says that an account is held and why. The job that caused it has its own line, with what was seen, just before.
func (p page) held(e reel.Event, text string) told {
	t := failure(e)
	out := told{mark: "!", style: red, head: "ACCOUNT HELD", tail: append(some(t.head), t.tail...)}
	out.more = append([]string{"no job of it is attempted until a person releases it"}, some(text)...)
	if !e.Until.IsZero() {
		out.style = yellow
		out.more[0] = "no job of it is attempted until " + p.hour(e.Until, e.At) + "; then it goes on by itself"
	}
	if e.Job == "" {
		out.head, out.seen = account(e)+out.head, t.seen
	}
	return out
}

// rejudged says what an attempt is called by newer rules.
func rejudged(e reel.Event) told {
	t := told{mark: "-", style: cyan, head: fmt.Sprintf("attempt %d judged anew", e.Attempt) + by(e), more: some(next(e))}
	if e.Verdict == nil || e.Was == nil {
		return t
	}
	if *e.Verdict == *e.Was {
		t.tail = []string{"still " + verdict(*e.Verdict)}
	} else {
		t.tail = []string{verdict(*e.Verdict), "was " + verdict(*e.Was)}
	}
	return t
}

// failure puts evidence and verdict into words.
func failure(e reel.Event) told {
	t := told{mark: "✗", style: red}
	if e.Verdict != nil {
		t.mark, t.style = categoryMark(e.Verdict.Category)
		t.head, t.tail = kind(*e.Verdict), rule(*e.Verdict)
	} else if e.Kind == reel.EventFailed {
		t.head = "failed"
	}
	if e.Evidence != nil {
		t.seen = seen(*e.Evidence)
	}
	return t
}

func looked(e reel.Event, text string) told {
	t := told{mark: "?", style: cyan, head: "looked up" + by(e), more: some(text)}
	if e.Look == nil {
		return t
	}
	switch e.Look.Finding {
	case reel.Found:
		t.mark, t.style = "✓", green
		t.tail = []string{"the post is there"}
	case reel.Absent:
		t.mark = "-"
		t.tail = []string{"the post is certainly not there"}
	case reel.Unsure:
		t.mark, t.style = "!", alarm
		t.tail = []string{"cannot tell whether the post is there"}
	default:
		t.tail = []string{words(string(e.Look.Finding))}
	}
	if e.By == "" && e.Look.By != "" {
		t.head += " by " + Clean(e.Look.By)
	}
	t.more = append(t.more, some(receipt(&e.Look.Receipt))...)
	t.more = append(t.more, some(Clean(e.Look.Why))...)
	return t
}

// kind is category/type, rule the rule that said so, in brackets.
func kind(v reel.Verdict) string {
	return Clean(string(v.Category)) + to("/", v.Type)
}

func rule(v reel.Verdict) []string {
	if v.Rule == "" {
		return nil
	}
	return []string{"(" + Clean(v.Rule) + ")"}
}

// verdict is both together.
func verdict(v reel.Verdict) string {
	return strings.Join(append([]string{kind(v)}, rule(v)...), " ")
}

// seen is evidence in one line: the code where it says more than the source, and the first line of the text.
func seen(e reel.Evidence) string {
	text := firstLine(e.Text)
	if text == "" {
		text = "(no text)"
	}
	if e.Code == "" {
		return text
	}
	code := Clean(e.Code)
	switch e.Source {
	case reel.SourceHTTP:
		code = "HTTP " + code
	case reel.SourceExit:
		code = "exit " + code
	case reel.SourceScreen, reel.SourceTool:
		code = "code " + code
	case reel.SourceWorker: // its codes are words
	}
	return code + ": " + text
}

func receipt(r *reel.Receipt) string {
	switch {
	case r == nil:
		return ""
	case r.URL != "":
		return Clean(r.URL)
	case r.ID != "":
		return "id " + Clean(r.ID)
	}
	return ""
}

// who says which attempt, by which worker.
func who(e reel.Event) []string {
	var out []string
	if e.Attempt > 0 {
		out = append(out, fmt.Sprintf("attempt %d", e.Attempt))
	}
	if e.Worker > 0 {
		out = append(out, fmt.Sprintf("worker %d", e.Worker))
	}
	return out
}

func by(e reel.Event) string { return to(" by ", Clean(e.By)) }

// account begins a line that is about an account and no job.
func account(e reel.Event) string {
	if e.Account == "" || e.Job != "" {
		return ""
	}
	return Clean(e.Account) + ": "
}

// to is text with a lead, or nothing where there is no text.
func to(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + Clean(text)
}

func counted(n int, noun string) string {
	if n == 0 {
		return ""
	}
	return count(n, noun)
}

func returned(n int) string {
	if n == 0 {
		return ""
	}
	return "; " + count(n, "job") + " returned"
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
