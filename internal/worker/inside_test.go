package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

func inside(f func(context.Context, reel.Assignment, reel.Desk) reel.Report) *worker.Inside {
	return &worker.Inside{Publisher: acting{f}, Secrets: []string{"hunter2-hunter2"}}
}

func fails(code, text string) reel.Report {
	return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Code: code, Text: text}}
}

// What a process cannot do either: post without a go, share twice, hide that the share began, tell a secret.
func TestInsideKeepsTheRules(t *testing.T) {
	a := reel.Assignment{JobID: "a"}
	for name, c := range map[string]struct {
		do     func(context.Context, reel.Assignment, reel.Desk) reel.Report
		posted bool
		code   string
		begun  bool
	}{
		"posts": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			d.Step("up")
			return reel.Report{Posted: d.Share(ctx), Receipt: reel.Receipt{ID: "hunter2-hunter2"}}
		}, true, "", false},
		"fails before": {func(context.Context, reel.Assignment, reel.Desk) reel.Report {
			return fails("x", "boom hunter2-hunter2")
		}, false, "x", false},
		"fails after": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			d.Share(ctx)
			return fails("x", "boom")
		}, false, "x", true},
		"is refused after": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			d.Share(ctx)
			r := fails("x", "boom")
			r.Refused = true
			return r
		}, false, "x", false},
		"is refused and panics": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			d.Share(ctx)
			panic("x")
		}, false, "", true},
		"posts unasked": {func(context.Context, reel.Assignment, reel.Desk) reel.Report { return reel.Report{Posted: true} }, false, reel.CodeWorkerProtocol, true},
		"asks twice": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			d.Share(ctx)
			return reel.Report{Posted: d.Share(ctx)}
		}, false, "", true},
		"panics":       {func(context.Context, reel.Assignment, reel.Desk) reel.Report { panic("at hunter2-hunter2") }, false, "", false},
		"panics after": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report { d.Share(ctx); panic("x") }, false, "", true},
		"keeps a secret": {func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			if d.Keep(ctx, "a", "hunter2-hunter2") || d.Keep(ctx, "bad name", "1") || !d.Keep(ctx, "a", "1") {
				return fails("kept", "")
			}
			return fails("x", "")
		}, false, "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := inside(c.do)
			w.Log = slog.New(slog.NewTextHandler(&log, nil))
			var m memory
			r := w.Publish(t.Context(), a, m.desk())
			if r.Posted != c.posted || r.Evidence.Code != c.code || r.Evidence.ShareBegun != c.begun || !r.Posted && r.Evidence.Source == "" {
				t.Errorf("%+v", r)
			}
			if strings.Contains(r.Evidence.Text+r.Receipt.ID+log.String(), "hunter2-hunter2") && !strings.Contains(log.String(), "stack") {
				t.Errorf("a secret: %+v, %s", r, log.String())
			}
			if strings.HasPrefix(name, "panics") && (!strings.HasPrefix(r.Evidence.Text, "panic: ") || !strings.Contains(log.String(), "inside_test.go")) {
				t.Errorf("%+v, %s", r, log.String())
			}
		})
	}
}

func TestInsideEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
			for range 3 { // progress puts it off
				<-time.After(50 * time.Second)
				d.Step("on")
			}
			<-ctx.Done()
			return fails("x", ctx.Err().Error())
		}
		w := inside(hangs)
		w.Timeout = time.Minute
		var m memory
		began := time.Now()
		if r := w.Publish(t.Context(), reel.Assignment{}, m.desk()); r.Evidence.Code != reel.CodeWorkerTimeout || time.Since(began) != 210*time.Second {
			t.Errorf("%+v after %s", r, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if r := w.Publish(ctx, reel.Assignment{}, m.desk()); r.Evidence.Code != reel.CodeInterrupted {
			t.Errorf("%+v", r)
		}
	})
}

func TestInsideLooks(t *testing.T) {
	w := inside(nil)
	if look := w.Find(t.Context(), reel.Assignment{JobID: "a"}, time.Unix(0, 0), reel.Desk{}); look.Finding != reel.Found || !strings.HasPrefix(look.Receipt.ID, "a") {
		t.Errorf("%+v", look)
	}
	if w.Process() != (reel.Process{}) || w.Close() != nil {
		t.Error("there is a process")
	}
}
