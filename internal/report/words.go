package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// zoneName names the zone for a reader who may sit elsewhere, to whom "Local" would say nothing.
func zoneName(loc *time.Location, at time.Time) string {
	offset := at.In(loc).Format("UTC-07:00")
	if name := loc.String(); name == "UTC" {
		return name
	} else if name != "Local" {
		return name + " (" + offset + ")"
	}
	return offset
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

type stateCount struct {
	State reel.State
	Word  string
	Sign  string
	Count int
}

// stateCounts are the states that any job is in.
func stateCounts(t reel.Totals) []stateCount {
	counts := make([]stateCount, 0, len(reel.States()))
	for _, s := range reel.States() {
		if n := t.Of(s); n > 0 {
			counts = append(counts, stateCount{State: s, Word: stateWord(s), Sign: stateSign(s), Count: n})
		}
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
