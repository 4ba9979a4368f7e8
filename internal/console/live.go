package console

import (
	"fmt"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// live is how the open pass goes, computed from its events alone. The zero live has nothing to tell.
type live struct {
	now      time.Time // the latest moment known, from events and ticks
	pass     int       // 0: no pass is open
	of       int
	total    int // jobs due when the pass opened, 0 where it was not seen to open
	began    time.Time
	flight   map[reel.JobID]bool
	ok       int // posted
	failed   int // failed, and not set aside
	aside    int // set aside, with or without an attempt
	doubt    int
	waitPass int       // the pass that is waited for, 0: none
	until    time.Time // when it begins
	stopping bool
	paused   bool
	hold     string    // what due jobs wait for, empty for nothing
	holdEnds time.Time // when one may be claimed
}

func (l *live) at(t time.Time) {
	if t.After(l.now) {
		l.now = t
	}
}

func (l *live) open(e reel.Event) {
	*l = live{now: l.now, paused: l.paused, stopping: l.stopping, pass: e.Pass, of: e.MaxPass, began: e.At}
}

// see takes an event in. Jobs in flight are kept by name, so that an event that comes twice does not count twice.
func (l *live) see(e reel.Event) {
	l.at(e.At)
	switch e.Kind {
	case reel.EventPassOpened:
		l.open(e)
		l.total = e.Count
	case reel.EventClaimed:
		if e.Pass != l.pass { // a pass that was open already when we came
			l.open(e)
		}
		if l.flight == nil {
			l.flight = map[reel.JobID]bool{}
		}
		l.flight[e.Job] = true
		l.hold = ""
	case reel.EventSucceeded:
		l.ok++
	case reel.EventFailed:
		if e.Decision != nil && e.Decision.State == reel.SetAside {
			l.aside++
		} else {
			l.failed++
		}
	case reel.EventInDoubt:
		l.doubt++
	case reel.EventDuplicate:
		l.aside++
	case reel.EventHeldBack:
		l.aside += max(e.Count, 1)
	case reel.EventWaiting:
		l.pass, l.waitPass, l.until = 0, e.Pass, e.At.Add(e.Remaining.Std())
	case reel.EventPassClosed, reel.EventFinished, reel.EventInterrupted:
		*l = live{now: l.now}
	case reel.EventOnHold:
		l.hold, l.holdEnds = "breaker open: one job probes in ", e.At.Add(e.Remaining.Std())
		if e.Outage == nil {
			l.hold = "waiting for " + Clean(e.Account)
			if why := words(e.Text); why != "" {
				l.hold += " (" + why + ")"
			}
			l.hold += ": "
		}
	case reel.EventStopping:
		l.stopping = true
	case reel.EventPaused, reel.EventResumed:
		l.paused = e.Kind == reel.EventPaused
	default: // the other kinds change none of these figures
	}
	switch e.Kind {
	case reel.EventSucceeded, reel.EventFailed, reel.EventInDoubt, reel.EventDuplicate, reel.EventLooked, reel.EventSettled,
		reel.EventCancelled:
		delete(l.flight, e.Job)
	default: // still in somebody's hands, or never was
	}
}

// part is a figure of the live line. Where the line is too narrow, parts of low worth go first.
type part struct {
	text  string
	worth int
}

// line is the live line in at most w cells.
func (l *live) line(r ruler, w int) string {
	var parts []part
	switch {
	case l.waitPass > 0:
		parts = []part{{fmt.Sprintf("waiting: pass %d begins in %ds", l.waitPass, seconds(l.until.Sub(l.now))), 9}}
	case l.pass > 0:
		parts = l.parts()
	default:
		return ""
	}
	for {
		texts, least := make([]string, len(parts)), 0
		for i, p := range parts {
			texts[i] = p.text
			if p.worth < parts[least].worth {
				least = i
			}
		}
		line := strings.Join(texts, "  ")
		if len(parts) == 1 || r.width(line) <= w {
			return r.cut(line, w)
		}
		parts = append(parts[:least], parts[least+1:]...)
	}
}

func (l *live) parts() []part {
	head := fmt.Sprintf("pass %d", l.pass)
	if l.of > 0 {
		head += fmt.Sprintf("/%d", l.of)
	}
	done := l.ok + l.failed + l.aside + l.doubt
	if l.total > 0 {
		// A hold can set jobs aside that had their turn in this pass already; there are never more done than were due.
		done = min(done, l.total)
		head += fmt.Sprintf("  %d/%d done", done, l.total)
	} else {
		head += fmt.Sprintf("  %d done", done)
	}
	if l.stopping {
		head = "stopping: " + head
	} else if l.paused {
		head = "paused: " + head
	}
	if l.hold != "" {
		return []part{{head, 8}, {l.hold + span(max(0, l.holdEnds.Sub(l.now)).Round(time.Second)), 9}}
	}
	parts := []part{{head, 9}, {fmt.Sprintf("%d in flight", len(l.flight)), 4}, {fmt.Sprintf("✓ %d  ✗ %d", l.ok, l.failed), 8}}
	if l.aside > 0 {
		parts = append(parts, part{fmt.Sprintf("set aside %d", l.aside), 5})
	}
	if l.doubt > 0 {
		parts = append(parts, part{fmt.Sprintf("in doubt %d", l.doubt), 7})
	}
	tried := l.ok + l.failed + l.doubt // what was held back took no time
	if took := l.now.Sub(l.began); tried > 0 && took > 0 {
		parts = append(parts, part{rate(float64(tried) / took.Minutes()), 3})
		if left := l.total - done; left > 0 {
			parts = append(parts, part{"ETA " + span((took / time.Duration(tried) * time.Duration(left)).Round(time.Second)), 6})
		}
	}
	return parts
}

// rate is attempts a minute; a tenth matters only where there are few.
func rate(perMinute float64) string {
	if perMinute < 10 {
		return fmt.Sprintf("%.1f/min", perMinute)
	}
	return fmt.Sprintf("%.0f/min", perMinute)
}
