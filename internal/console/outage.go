package console

import (
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// onHold says what due jobs wait for, and until when.
func (p page) onHold(e reel.Event, text string) told {
	t := told{mark: "-", style: yellow, head: "waiting until " + p.hour(e.Until, e.At)}
	switch {
	case e.Outage != nil:
		t.tail = []string{"then one job probes"}
	case e.Account != "":
		t.head = "waiting for " + Clean(e.Account) + " until " + p.hour(e.Until, e.At)
		t.tail = some(bracketed(words(text)))
		if e.Count > 1 {
			t.tail = append(t.tail, "and "+count(e.Count-1, "more account"))
		}
	}
	t.tail = append(t.tail, span(e.Remaining.Std())+" left")
	return t
}

// breaker says that nothing is claimed and why, that a job probes, or that all goes on.
func (p page) breaker(e reel.Event) told {
	if e.Kind == reel.EventProbe {
		return told{mark: "-", style: cyan, head: "THE CANARY", tail: []string{"this job alone is tried; if it works, all goes on"}}
	}
	o := reel.Outage{}
	if e.Outage != nil {
		o = *e.Outage
	}
	if e.Kind == reel.EventBreakerShut {
		return told{mark: "+", style: green, head: "the breaker is closed", tail: []string{"jobs are claimed again"}}
	}
	t := told{mark: "!", style: alarm, head: "BREAKER OPEN", seen: Clean(o.Signature)}
	switch {
	case o.Probes > 0:
		t.head = "BREAKER STAYS OPEN"
		t.tail = []string{"the canary failed alike"}
	case o.Failed == 0:
		t.tail = []string{"the publisher asks to wait"}
	default:
		t.tail = []string{fmt.Sprintf("%d of the last %d attempts failed alike, over %s, since %s",
			o.Failed, o.Of, count(o.Accounts, "account"), p.hour(o.Since, e.At))}
	}
	if o.Over {
		t.more = []string{arrow + "a run does not wait for so long: this one ends when what runs has ended, and the next one probes"}
		return t
	}
	t.more = []string{arrow + "no job is claimed until " + p.hour(o.Until, e.At) + "; then one job probes"}
	return t
}

// hour is a moment near another: without its day where that is the same.
func (p page) hour(t, near time.Time) string {
	if t.IsZero() {
		return "-"
	}
	if t.In(p.zone).Format(time.DateOnly) == near.In(p.zone).Format(time.DateOnly) {
		return p.clock(t)
	}
	return p.moment(t)
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}
