package notify

import (
	"context"
	"log/slog"
	"time"

	"reelpass/internal/reel"
)

// Source is the journal. An error of it is one of the moment: it is asked again.
type Source interface {
	// Head is the number of the last event.
	Head(ctx context.Context) (int64, error)
	// Journal returns up to most events that follow event number after, the oldest first.
	Journal(ctx context.Context, after int64, most int) ([]reel.Event, error)
	// Batches says where each batch stands.
	Batches(ctx context.Context) ([]reel.Status, error)
}

// Courier brings a message to everybody, or not: it says nothing that matters here.
type Courier interface {
	Send(ctx context.Context, m Message) []Result
}

// Config is what Run needs.
type Config struct {
	Source  Source
	Courier Courier
	File    string // that remembers the place in the journal
	Ledger  string // its name: the place in another one is none in this
	Options Options
	Clock   func() time.Time
	Log     *slog.Logger
}

const (
	tick   = time.Second      // how often the journal is looked at
	atOnce = 2000             // events of one reading
	saved  = 30 * time.Second // how often the place is kept where there is nothing to tell
	news   = time.Hour        // what happened before is no news when it is read for the first time
)

// Run follows the journal and has people told until ctx ends, and then keeps its place. Without a place it begins at the journal's head.
// What ends it in the middle of a sending may have that message sent again, with the same ID.
func Run(ctx context.Context, c Config) {
	r := &run{Config: c, place: newPlace(c.File, c.Ledger)}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		r.step(ctx)
		select {
		case <-ctx.Done():
			r.stop()
			return
		case <-t.C:
		}
	}
}

// run is a Run that goes on.
type run struct {
	Config
	place    *place
	ours     bool       // the place
	c        *Collector // nil before the place is known
	behind   bool       // the journal was not read to its end yet
	old      int        // events that were too old to be told
	savedSeq int64
	savedAt  time.Time
	said     string // the trouble that was logged last: it is logged once
}

// step reads what is new and sends what is due.
func (r *run) step(ctx context.Context) {
	if !r.begin(ctx) || !r.read(ctx) {
		return
	}
	now := r.Clock()
	due := r.c.Due(now)
	if len(due) > 0 || r.c.Memory().Seq != r.savedSeq && now.Sub(r.savedAt) >= saved {
		r.save(now)
	}
	for _, m := range due {
		if ctx.Err() != nil {
			return // the next start sends it
		}
		// Whoever stops the program does not cut a message off: half of the targets would get it twice.
		r.Courier.Send(context.WithoutCancel(ctx), m)
		r.c.Sent(m)
		r.save(r.Clock())
	}
}

// begin takes the place and finds out where to read on.
func (r *run) begin(ctx context.Context) bool {
	if r.c != nil {
		return true
	}
	if !r.ours {
		ours, err := r.place.take()
		if err != nil || !ours {
			r.trouble("alerts of this ledger are told by another reelpass serve; this one waits for its end", err)
			return false
		}
		r.ours = true
	}
	mem, there, err := r.place.load()
	if err != nil {
		r.Log.Warn("the place of the alerts cannot be read", "error", err)
	}
	head, err := r.Source.Head(ctx)
	if err == nil {
		var all []reel.Status
		if all, err = r.Source.Batches(ctx); err == nil {
			r.collect(mem, there, head, all)
			return true
		}
	}
	r.unreadable(ctx, err)
	return false
}

func (r *run) collect(mem Memory, there bool, head int64, all []reel.Status) {
	now := r.Clock()
	if !there || mem.Seq > head { // or it is another ledger under the same name
		mem = Memory{Seq: head}
	}
	r.c, r.behind = NewCollector(r.Options, mem), mem.Seq < head
	r.old = r.c.Forget(now.Add(-news))
	for _, b := range all {
		if b.Phase == reel.PhaseRunning || b.Phase == reel.PhaseWaiting || b.Phase == reel.PhasePaused {
			r.c.Lead(b.Name, b.Phase == reel.PhasePaused, now)
		}
	}
	r.save(now)
}

// read takes the journal to its end.
func (r *run) read(ctx context.Context) bool {
	for ctx.Err() == nil {
		events, err := r.Source.Journal(ctx, r.c.Memory().Seq, atOnce)
		if err != nil {
			r.unreadable(ctx, err)
			return false
		}
		now := r.Clock()
		for _, e := range events {
			if r.behind && e.At.Before(now.Add(-news)) {
				r.c.Note(e, now)
				r.old++
				continue
			}
			r.c.Add(e, now)
		}
		if len(events) < atOnce {
			if r.old > 0 {
				r.Log.Info("events of more than an hour ago are not told", "events", r.old)
			}
			r.behind, r.old, r.said = false, 0, ""
			return true
		}
	}
	return false
}

func (r *run) unreadable(ctx context.Context, err error) {
	if ctx.Err() == nil {
		r.trouble("the journal cannot be read for alerts", err)
	}
}

// trouble is logged once, until things are well again.
func (r *run) trouble(what string, err error) {
	text := what
	if err != nil {
		text += err.Error()
	}
	if text == r.said {
		return
	}
	r.said = text
	if err != nil {
		r.Log.Warn(what, "error", err)
		return
	}
	r.Log.Warn(what)
}

func (r *run) save(now time.Time) {
	if err := r.place.save(r.c.Memory(), now); err != nil {
		r.trouble("the place of the alerts cannot be kept", err)
		return
	}
	r.savedSeq, r.savedAt = r.c.Memory().Seq, now
}

func (r *run) stop() {
	if r.c != nil {
		r.save(r.Clock())
	}
	if err := r.place.release(); err != nil {
		r.Log.Warn("the place of the alerts stays locked", "error", err)
	}
}
