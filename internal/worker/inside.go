package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Inside executes assignments in the supervisor's own process, for publishers that only wait for a network: a goroutine each in the place
// of a process. A panic is evidence and ends nothing. What cannot be had without a process is its death: a publisher must return soon when
// its context ends, and nothing of it may act after that. It is safe for use by many at once.
type Inside struct {
	Publisher Publisher
	Timeout   time.Duration // without progress for so long the context ends; DefaultTimeout where zero
	Log       *slog.Logger
	Secrets   []string
}

// errSilent ends an assignment that shows no progress.
var errSilent = errors.New("no progress")

// Publish executes one assignment and reports how it ended.
func (i *Inside) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	begun := false
	w := i.watch(ctx)
	defer w.end()
	desk := reel.Desk{
		Started: func(reel.Process) {},
		Step: func(name string) {
			w.alive()
			if d.Step != nil {
				d.Step(Clean(name, wordKept, i.Secrets...))
			}
		},
		Share: func(ctx context.Context) bool {
			if begun || ctx.Err() != nil || d.Share == nil || !d.Share(ctx) {
				return false
			}
			begun = true
			return ctx.Err() == nil
		},
		Keep: i.keep(d),
	}
	var r reel.Report
	panicked := i.guarded(a, func() { r = i.Publisher.Publish(w.ctx, a, desk) })
	switch {
	case panicked != "":
		r = reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Text: panicked, ShareBegun: begun}}
	case r.Posted && !begun:
		r = failed(reel.CodeWorkerProtocol, "worker said posted without a go")
		r.Evidence.ShareBegun = true
	case r.Posted:
		c := Client{opt: Options{Secrets: i.Secrets}}
		r.Receipt = c.receipt(r.Receipt)
	case ctx.Err() != nil:
		r = failed(reel.CodeInterrupted, "interrupted; the worker was ended")
		r.Evidence.ShareBegun = begun
	case errors.Is(context.Cause(w.ctx), errSilent):
		r = failed(reel.CodeWorkerTimeout, fmt.Sprintf("no progress for %s; the worker was ended", w.most))
		r.Evidence.ShareBegun = begun
	default:
		own := r.Evidence.Source == reel.SourceWorker
		c := Client{opt: Options{Secrets: i.Secrets}}
		code := r.Evidence.Code
		if r.Evidence = c.evidence(r.Evidence); r.Evidence.Source == "" {
			r.Evidence.Source = reel.SourceTool
		}
		if own {
			r.Evidence.Source, r.Evidence.Code = reel.SourceWorker, code
		}
		r.Evidence.ShareBegun = !r.Refused && (r.Evidence.ShareBegun || begun)
	}
	return r
}

func (i *Inside) keep(d reel.Desk) func(context.Context, string, string) bool {
	return func(ctx context.Context, name, value string) bool {
		m := answer{Type: typeKeep, Name: name, Value: value}
		return m.wrong(i.Secrets) == "" && d.Keep != nil && d.Keep(ctx, name, value)
	}
}

// Find asks whether the assignment's post is there.
func (i *Inside) Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look {
	w := i.watch(ctx)
	defer w.end()
	var look reel.Look
	desk := reel.Desk{Keep: i.keep(d), Step: func(name string) {
		w.alive()
		if d.Step != nil {
			d.Step(Clean(name, wordKept, i.Secrets...))
		}
	}}
	if panicked := i.guarded(a, func() { look = i.Publisher.Find(w.ctx, a, since, desk) }); panicked != "" {
		return unsure(panicked)
	}
	switch {
	case look.Finding == reel.Found:
		c := Client{opt: Options{Secrets: i.Secrets}}
		return reel.Look{Finding: reel.Found, Receipt: c.receipt(look.Receipt)}
	case look.Finding == reel.Absent && w.ctx.Err() == nil:
		return reel.Look{Finding: reel.Absent, Why: Clean(look.Why, textKept, i.Secrets...)}
	}
	return unsure(Clean(look.Why, textKept, i.Secrets...))
}

// guarded runs f and gives its panic in words; the stack goes into the log.
func (i *Inside) guarded(a reel.Assignment, f func()) (panicked string) {
	defer func() {
		if r := recover(); r != nil {
			panicked = Clean(fmt.Sprintf("panic: %v", r), textKept, i.Secrets...)
			if i.Log != nil {
				i.Log.Error("publisher panicked", "job", a.JobID, "panic", panicked, "stack", string(debug.Stack()))
			}
		}
	}()
	f()
	return ""
}

// Process is none.
func (*Inside) Process() reel.Process { return reel.Process{} }

// Close has nothing to do: nothing outlives an assignment.
func (*Inside) Close() error { return nil }

// watch ends a context when nothing is heard for too long.
type watch struct {
	ctx   context.Context
	end   func()
	most  time.Duration
	mu    sync.Mutex
	timer *time.Timer
}

func (i *Inside) watch(ctx context.Context) *watch {
	w := &watch{most: i.Timeout}
	if w.most <= 0 {
		w.most = DefaultTimeout
	}
	inner, cancel := context.WithCancelCause(ctx)
	w.ctx = inner
	w.timer = time.AfterFunc(w.most, func() { cancel(errSilent) })
	w.end = func() { w.timer.Stop(); cancel(nil) }
	return w
}

func (w *watch) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(w.most)
}
