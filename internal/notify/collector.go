package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Options say of what people are told, and how often.
type Options struct {
	Kinds []Kind
	// Throttle is the least time between two messages of one kind and batch, 0: none. The end of a batch is never held back.
	Throttle time.Duration
	// Stalled is how long nothing may be done in a batch that is run, 0: for ever.
	Stalled time.Duration
}

// gather is how long what comes in numbers is gathered before it is told: accounts set aside, jobs in doubt.
const gather = time.Minute

// Memory is what a Collector knows. It can be kept, and a Collector goes on from it.
type Memory struct {
	Seq     int64                `json:"seq"`               // of the last event that was taken
	Pending []Group              `json:"pending,omitempty"` // in the order in which they began
	Ready   []Message            `json:"ready,omitempty"`   // due, and not sent yet
	Told    map[string]time.Time `json:"told,omitempty"`    // when a kind of a batch was told of last
	Watched map[string]Watch     `json:"watched,omitempty"` // by batch
}

// Watch is how a batch is run, as far as its events say.
type Watch struct {
	Led    bool         `json:"led"`
	Paused bool         `json:"paused,omitempty"`
	Last   time.Time    `json:"last"`             // when something was done in it
	Quiet  time.Time    `json:"quiet,omitzero"`   // until then nothing is expected
	Delay  reel.Seconds `json:"delay,omitempty"`  // between its passes
	Open   bool         `json:"open,omitempty"`   // its breaker
	Warned bool         `json:"warned,omitempty"` // that it stalls
}

// Collector makes messages of events. It reads no clock. It is not safe for concurrent use.
type Collector struct {
	opt Options
	mem Memory
}

// NewCollector goes on from what was kept; the zero Memory is a beginning.
func NewCollector(opt Options, mem Memory) *Collector {
	c := &Collector{opt: opt, mem: Memory{
		Seq: mem.Seq, Pending: slices.Clone(mem.Pending), Ready: slices.Clone(mem.Ready), Told: map[string]time.Time{}, Watched: map[string]Watch{},
	}}
	maps.Copy(c.mem.Told, mem.Told)
	maps.Copy(c.mem.Watched, mem.Watched)
	return c
}

// Memory is what the collector knows, to be kept. It is its own only until the next call of the collector.
func (c *Collector) Memory() Memory { return c.mem }

// Forget drops what is not sent yet and is older than a moment, and says how many events that were.
func (c *Collector) Forget(before time.Time) (events int) {
	c.mem.Pending = slices.DeleteFunc(c.mem.Pending, func(g Group) bool {
		if g.Last.Before(before) {
			events += g.Count
			return true
		}
		return false
	})
	c.mem.Ready = slices.DeleteFunc(c.mem.Ready, func(m Message) bool {
		if m.At.Before(before) {
			events += m.Count
			return true
		}
		return false
	})
	return events
}

// Lead says that a batch is run, or paused, of which the collector may have heard nothing.
func (c *Collector) Lead(batch string, paused bool, now time.Time) {
	if _, known := c.mem.Watched[batch]; !known {
		c.mem.Watched[batch] = Watch{Led: !paused, Paused: paused, Last: now}
	}
}

// Note takes the next event of the journal without telling of it: it is too old.
func (c *Collector) Note(e reel.Event, now time.Time) {
	c.mem.Seq = max(c.mem.Seq, e.Seq)
	if e.Batch != "" {
		c.watch(e, now)
	}
}

// Add takes the next event of the journal, heard of at a moment.
func (c *Collector) Add(e reel.Event, now time.Time) {
	c.Note(e, now)
	if e.Batch == "" || e.By != "" { // what a person did here they know
		return
	}
	switch e.Kind {
	case reel.EventPassClosed:
		c.count(PassEnded, e, now, fmt.Sprintf("pass %d", e.Pass), passLine(e))
	case reel.EventBreakerOpen:
		if e.Outage != nil && e.Outage.Probes == 0 { // else it is open still
			c.count(BreakerOpened, e, now, "", e.Outage.Why())
		}
	case reel.EventHold:
		if e.Until.IsZero() { // else it ends by itself
			line := ""
			if e.Verdict != nil {
				line = strings.ReplaceAll(e.Verdict.Type, "_", " ")
			}
			c.count(AccountHeld, e, now, e.Account, line)
		}
	case reel.EventInDoubt:
		c.count(JobInDoubt, e, now, string(e.Job), "")
	case reel.EventLooked:
		if g := c.group(JobInDoubt, e.Batch); g != nil && e.Look != nil && e.Look.Finding != reel.Unsure {
			g.Settled++
		}
	case reel.EventFinished, reel.EventInterrupted:
		c.end(e)
	}
}

func (c *Collector) wants(k Kind) bool { return slices.Contains(c.opt.Kinds, k) }

func (c *Collector) group(k Kind, batch string) *Group {
	i := slices.IndexFunc(c.mem.Pending, func(g Group) bool { return g.Kind == k && g.Batch == batch })
	if i < 0 {
		return nil
	}
	return &c.mem.Pending[i]
}

func (c *Collector) count(k Kind, e reel.Event, now time.Time, name, line string) {
	if !c.wants(k) {
		return
	}
	g := c.group(k, e.Batch)
	if g == nil {
		c.mem.Pending = append(c.mem.Pending, Group{Kind: k, Batch: e.Batch, Since: now})
		g = &c.mem.Pending[len(c.mem.Pending)-1]
	}
	g.add(e, name, line)
}

// end makes the message of a batch that ended. What waits to be told of it goes with that, and does not come after it.
func (c *Collector) end(e reel.Event) {
	if !c.wants(BatchEnded) {
		return
	}
	var untold []Group
	c.mem.Pending = slices.DeleteFunc(c.mem.Pending, func(g Group) bool {
		if g.Batch == e.Batch {
			untold = append(untold, g)
		}
		return g.Batch == e.Batch
	})
	c.mem.Ready = append(c.mem.Ready, ended(e, untold))
}

// watch keeps how a batch is run.
func (c *Collector) watch(e reel.Event, now time.Time) {
	w, known := c.mem.Watched[e.Batch]
	switch e.Kind {
	case reel.EventRunStarted, reel.EventPassOpened, reel.EventClaimed:
		w.Led = true
	case reel.EventFinished, reel.EventInterrupted:
		w.Led, w.Open = false, false
	case reel.EventPaused:
		w.Paused = true
	case reel.EventResumed:
		w.Paused = false
	default:
		if !known {
			return
		}
	}
	if !w.Led && !w.Paused {
		delete(c.mem.Watched, e.Batch)
		return
	}
	switch e.Kind {
	case reel.EventRunStarted:
		if e.Limits != nil {
			w.Delay = e.Limits.RetryDelay
		}
	case reel.EventPassClosed:
		w.Quiet = now.Add(w.Delay.Std())
	case reel.EventBreakerOpen:
		w.Open, w.Quiet = true, now.Add(e.Remaining.Std())
	case reel.EventBreakerShut:
		w.Open = false
	}
	w.Last, w.Warned = now, false
	c.mem.Watched[e.Batch] = w
}

// Due is what to send now, the oldest first. Whoever sent a message says so with Sent.
func (c *Collector) Due(now time.Time) []Message {
	c.mem.Pending = slices.DeleteFunc(c.mem.Pending, func(g Group) bool {
		if !c.gathered(g, now) || !c.may(g.Kind, g.Batch, now) {
			return false
		}
		c.mem.Ready = append(c.mem.Ready, g.message())
		return true
	})
	if c.opt.Stalled > 0 && c.wants(Stalled) {
		for _, batch := range slices.Sorted(maps.Keys(c.mem.Watched)) {
			c.stalled(batch, now)
		}
	}
	for key, at := range c.mem.Told {
		if now.Sub(at) >= c.opt.Throttle {
			delete(c.mem.Told, key)
		}
	}
	return slices.Clone(c.mem.Ready)
}

// Sent says that a message was sent, whether it arrived or not.
func (c *Collector) Sent(m Message) {
	c.mem.Ready = slices.DeleteFunc(c.mem.Ready, func(r Message) bool { return r.ID == m.ID })
}

// gathered says that no more events of a group are waited for.
func (c *Collector) gathered(g Group, now time.Time) bool {
	if g.Kind != AccountHeld && g.Kind != JobInDoubt {
		return true
	}
	waited := now.Sub(g.Since)
	return waited >= min(gather, c.opt.Throttle) || waited < 0 // the clock was set back
}

// may asks the throttle, and counts the message where it answers yes.
func (c *Collector) may(k Kind, batch string, now time.Time) bool {
	key := string(k) + " " + batch
	if at, told := c.mem.Told[key]; told {
		if since := now.Sub(at); since >= 0 && since < c.opt.Throttle {
			return false
		}
	}
	c.mem.Told[key] = now
	return true
}

// stalled tells once of each silence.
func (c *Collector) stalled(batch string, now time.Time) {
	w := c.mem.Watched[batch]
	since := w.Last
	if w.Quiet.After(since) {
		since = w.Quiet
	}
	if !w.Led || w.Paused || w.Warned || now.Sub(since) < c.opt.Stalled || !c.may(Stalled, batch, now) {
		return
	}
	w.Warned = true
	c.mem.Watched[batch] = w
	text := "The batch is run and nothing was done in it. Its run may have died, or wait for an account, a publisher or a time: reelpass status, reelpass doctor."
	if w.Open {
		text = "The breaker is open. " + text
	}
	c.mem.Ready = append(c.mem.Ready, Message{
		ID: fmt.Sprintf("%s:%s:%d", Stalled, batch, c.mem.Seq), Kind: Stalled, Batch: batch, Count: 1, At: now.UTC(),
		Title: title(batch, "nothing done for "+minutes(now.Sub(w.Last))), Text: text,
	})
}

// minutes is a time in words, rounded down.
func minutes(d time.Duration) string {
	n, unit := int(d.Minutes()), "minute"
	if n >= 120 {
		n, unit = n/60, "hour"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
