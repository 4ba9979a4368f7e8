package workertest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// Worker is what a slot needs of a worker.
type Worker interface {
	Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report
	Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look
	Process() reel.Process
	Close() error
}

// Factory makes the worker under test, and says what can be asked of it.
type Factory struct {
	New func(t *testing.T, s *Stage) Worker
	// Inside: it asks for the go in the middle of a job, so that before and after the share can be told apart.
	Inside bool
	// Jobs are those it can play beside Posts, Fails, DiesAfter and Hangs.
	Jobs []reel.JobID
}

// run is one job on a new worker.
type run struct {
	report  reel.Report
	shares  int
	early   int // effects that were there before the go
	steps   []string
	process reel.Process
}

type bench struct {
	*testing.T
	stage  *Stage
	worker Worker
	ctx    context.Context
}

func assignment(job reel.JobID) reel.Assignment {
	return reel.Assignment{
		JobID: job, Account: "acc1", VideoPath: "/v/1.mp4", Caption: "Größe <b>\n\"x\"", Attempt: 1, Pass: 1, WorkerID: 3,
	}
}

func (b *bench) publish(job reel.JobID, goAhead bool) run {
	b.Helper()
	var r run
	r.report = b.worker.Publish(b.ctx, assignment(job), reel.Desk{
		Share: func(context.Context) bool {
			r.shares++
			r.early += Effects(b.stage.World, job)
			return goAhead
		},
		Step:    func(name string) { r.steps = append(r.steps, name) },
		Started: func(p reel.Process) { r.process = p },
	})
	if r.report.Posted {
		if r.report.Evidence != (reel.Evidence{}) {
			b.Errorf("%s: posted, and yet there is evidence %+v", job, r.report.Evidence)
		}
	} else if e := r.report.Evidence; !slices.Contains(reel.Sources(), e.Source) || e.Text == "" {
		b.Errorf("%s: evidence without source or text: %+v", job, e)
	}
	return r
}

func (b *bench) wantWorkerCode(r run, code string, begun bool) {
	b.Helper()
	e := r.report.Evidence
	if r.report.Posted || e.Source != reel.SourceWorker || e.Code != code || e.ShareBegun != begun {
		b.Errorf("got %+v, want evidence of the worker, code %s, share begun %t", r.report, code, begun)
	}
}

// wantTold says that a process was told of. One that ends within a moment need not be.
func (b *bench) wantTold(p reel.Process) {
	b.Helper()
	if p.PID == 0 || p.Host != worker.Host() || p.Started == 0 {
		b.Errorf("the process was not told of: %+v", p)
	}
}

func (b *bench) wantDead(ps ...reel.Process) {
	b.Helper()
	for _, p := range ps {
		if worker.Alive(p) {
			b.Errorf("process %d still lives", p.PID)
		}
	}
}

// TestWorker checks that a worker keeps its promises.
func TestWorker(t *testing.T, f Factory) {
	promise := func(name string, needs reel.JobID, timeout time.Duration, check func(*bench)) {
		if needs != "" && !slices.Contains(f.Jobs, needs) {
			return
		}
		t.Run(name, func(t *testing.T) {
			s := NewStage(t)
			if timeout > 0 {
				s.Timeout = timeout
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			b := &bench{T: t, stage: s, worker: f.New(t, s), ctx: ctx}
			check(b)
			last := b.worker.Process()
			if err := b.worker.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if last.PID != 0 {
				b.wantDead(last)
			}
			if n, err := worker.KillMarked(context.Background(), s.Mark); n > 0 || err != nil {
				t.Errorf("%d processes were left after Close (%v)", n, err)
			}
		})
	}
	inside := func(job reel.JobID) reel.JobID {
		if !f.Inside {
			return "cannot" // no factory has it
		}
		return job
	}

	promise("posts once, and only after the go", "", 0, func(b *bench) {
		r := b.publish(Posts, true)
		if !r.report.Posted || r.report.Receipt.ID == "" {
			b.Errorf("got %+v", r.report)
		}
		if n := Effects(b.stage.World, Posts); r.shares != 1 || r.early != 0 || n != 1 {
			b.Errorf("%d questions for the go, %d effects before it, %d in all", r.shares, r.early, n)
		}
	})
	promise("a stop means no share", "", 0, func(b *bench) {
		r := b.publish(Posts, false)
		b.wantWorkerCode(r, reel.CodeLeaseLost, false)
		if n := Effects(b.stage.World, Posts); n != 0 {
			b.Errorf("%d effects", n)
		}
	})
	promise("a failure is evidence, and the next job goes on", "", 0, func(b *bench) {
		r := b.publish(Fails, true)
		if e := r.report.Evidence; !strings.Contains(e.Text, FailText) || e.Source == reel.SourceWorker || e.ShareBegun {
			b.Errorf("got %+v", r.report)
		}
		if r := b.publish(Posts, true); !r.report.Posted {
			b.Errorf("the next job: %+v", r.report)
		}
	})
	promise("a failure after the go is marked", inside(FailsAfter), 0, func(b *bench) {
		if r := b.publish(FailsAfter, true); !r.report.Evidence.ShareBegun || r.report.Posted {
			b.Errorf("got %+v", r.report)
		}
	})
	promise("a death before the share is no doubt, and a fresh process follows", inside(DiesBefore), 0, func(b *bench) {
		dead := b.publish(DiesBefore, true)
		b.wantWorkerCode(dead, reel.CodeWorkerLost, false)
		if !strings.Contains(dead.report.Evidence.Text, "killed") {
			b.Errorf("evidence does not say how it ended: %q", dead.report.Evidence.Text)
		}
		b.wantDead(dead.process)
		if next := b.publish(Posts, true); !next.report.Posted || next.process == dead.process && dead.process.PID != 0 {
			b.Errorf("the next job: %+v in process %+v after %+v", next.report, next.process, dead.process)
		}
	})
	promise("a death after the share is a doubt", "", 0, func(b *bench) {
		r := b.publish(DiesAfter, true)
		b.wantWorkerCode(r, reel.CodeWorkerLost, true)
		b.wantDead(r.process)
		if n := Effects(b.stage.World, DiesAfter); n != 1 {
			b.Errorf("%d effects", n)
		}
	})
	promise("no progress is a timeout", "", 300*time.Millisecond, func(b *bench) {
		r := b.publish(Hangs, true)
		b.wantWorkerCode(r, reel.CodeWorkerTimeout, !f.Inside)
		b.wantTold(r.process)
		b.wantDead(r.process)
	})
	promise("progress puts the timeout off", Plods, plodTimeout, func(b *bench) {
		if r := b.publish(Plods, true); !r.report.Posted || len(r.steps) < 6 {
			b.Errorf("got %+v with steps %q", r.report, r.steps)
		}
	})
	promise("a cancelled run leaves no process of the group", Crowds, 0, func(b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		met := make(chan []reel.Process, 1)
		go func() {
			met <- b.stage.Meet(b.T, 2)
			cancel()
		}()
		b.ctx = ctx
		r := b.publish(Crowds, true)
		b.wantWorkerCode(r, reel.CodeInterrupted, !f.Inside)
		b.wantDead(append(<-met, r.process)...)
	})
	promise("a run cancelled before starts nothing", "", 0, func(b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		b.ctx = ctx
		r := b.publish(Posts, true)
		b.wantWorkerCode(r, reel.CodeInterrupted, false)
		if r.shares != 0 || r.process.PID != 0 {
			b.Errorf("%d questions for the go, process %+v", r.shares, r.process)
		}
	})
	promise("a look has three answers", Puzzles, 0, func(b *bench) {
		b.publish(Posts, true)
		for job, want := range map[reel.JobID]reel.Finding{Posts: reel.Found, Fails: reel.Absent, Puzzles: reel.Unsure} {
			look := b.worker.Find(b.ctx, assignment(job), time.Now(), reel.Desk{})
			if look.Finding != want || (want == reel.Unsure) != (look.Why != "") || (want == reel.Found) != (look.Receipt.ID != "") {
				b.Errorf("%s: got %+v, want %s", job, look, want)
			}
		}
	})
	promise("a look that is cut short cannot tell", "", 0, func(b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		if look := b.worker.Find(ctx, assignment(Posts), time.Now(), reel.Desk{}); look.Finding != reel.Unsure || look.Why == "" {
			b.Errorf("got %+v", look)
		}
	})
	promise("a panic is evidence, its stack is in the log, and a fresh process follows", Panics, 0, func(b *bench) {
		r := b.publish(Panics, true)
		if e := r.report.Evidence; !strings.Contains(e.Text, "at the disco") || e.ShareBegun {
			b.Errorf("got %+v", r.report)
		}
		if next := b.publish(Posts, true); !next.report.Posted || next.process == r.process {
			b.Errorf("the next job: %+v", next.report)
		}
		if log := b.stage.Logged(); !strings.Contains(log, "child.go") || !strings.Contains(log, "goroutine") {
			b.Errorf("no stack in the log: %s", log)
		}
	})
	promise("no secret in evidence or log", Leaks, 0, func(b *bench) {
		r := b.publish(Leaks, true)
		_ = b.worker.Close() // the log is complete when the process is gone
		e := r.report.Evidence
		for where, text := range map[string]string{
			"text": e.Text, "note": e.Note, "step": e.Step + strings.Join(r.steps, " "), "log": b.stage.Logged(),
		} {
			if strings.Contains(text, b.stage.Secret) {
				b.Errorf("the secret is in the %s: %s", where, text)
			}
		}
		if !strings.Contains(b.stage.Logged(), "stderr has") {
			b.Error("stderr is not in the log")
		}
	})
}
