package command

import (
	"context"
	"log/slog"
	"os"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

const (
	stderrShown = 4 << 10 // of the program's stderr in the evidence
	whyShown    = 2 << 10 // of the find program's stderr in a look
)

// Worker carries jobs out with the user's program. It belongs to one slot and is used from one goroutine.
type Worker struct {
	cfg    Config
	opt    Options
	env    []string       // of every process, without the job's part
	client *worker.Client // with ProtocolJSONL
}

// New makes a Worker; nothing is started and nothing checked yet, see Check.
func New(c Config, o Options) *Worker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Worker{cfg: c, opt: o}
	// The job's variables are removed first: this supervisor may itself run under another one.
	add := append([]string{worker.EnvMark}, jobVariables()...)
	w.env = worker.Environment(os.Environ(), append(add, o.Env...)...)
	if c.protocol() == ProtocolJSONL {
		w.client = worker.NewClient(worker.Options{
			Argv: c.Run, Env: o.Env, Dir: o.Dir, Timeout: c.timeout(), Grace: o.Grace,
			Log: o.Log, Mark: o.Mark, Secrets: o.Secrets,
		})
	}
	return w
}

// CanFind says that a look may give another answer than unsure.
func (w *Worker) CanFind() bool { return len(w.cfg.Find) > 0 || w.client != nil }

// Process identifies the long-lived process of a program that speaks the protocol; a plain program has none between jobs.
func (w *Worker) Process() reel.Process {
	if w.client != nil {
		return w.client.Process()
	}
	return reel.Process{}
}

// Close ends the long-lived process, if there is one. The error is always nil.
func (w *Worker) Close() error {
	if w.client != nil {
		return w.client.Close()
	}
	return nil
}

// Publish executes one assignment and reports how it ended. A cancelled ctx kills the process group at once.
//
// With the exit protocol the desk is asked for the go before the program starts, because nobody can tell when in its life
// it shares. Then exit 0 means posted. Any other code is the program's word that nothing was posted (docs say so to its
// author), save those that tell of a kill inside of it (killedInside): that leaves a doubt, as does the
// program's own death by a signal or by the timeout, and anything of it that cannot be killed.
func (w *Worker) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	if w.client != nil {
		return w.client.Publish(ctx, a, d)
	}
	if ctx.Err() != nil {
		return failed(reel.CodeInterrupted, "interrupted before the program was started")
	}
	line, err := worker.JobLine(a)
	if err != nil {
		return failed(reel.CodeWorkerStart, w.clean(err.Error()))
	}
	if d.Share == nil || !d.Share(ctx) {
		if ctx.Err() != nil {
			return failed(reel.CodeInterrupted, "interrupted before the program was started")
		}
		return failed(reel.CodeLeaseLost, "told to stop before the program was started: the job is no longer ours")
	}
	if ctx.Err() != nil {
		return failed(reel.CodeInterrupted, "interrupted before the program was started")
	}
	r := w.run(ctx, w.cfg.Run, w.jobEnv(a, time.Time{}), line, func(p reel.Process) {
		if d.Started != nil {
			d.Started(p)
		}
	})
	return w.judge(r)
}

// judge makes a report of how the program ended.
func (w *Worker) judge(r result) reel.Report {
	switch {
	case r.startErr != nil:
		return failed(reel.CodeWorkerStart, w.clean("program could not be started: "+r.startErr.Error()))
	case r.exit.Code == 0:
		return reel.Report{Posted: true, Receipt: w.receipt(r.stdout.LastLine())}
	case r.exit.Code > 0:
		text := r.stderr.Last(stderrShown)
		if text == "" {
			text = r.exit.Text
		}
		return reel.Report{Evidence: reel.Evidence{
			Source: reel.SourceExit, Code: itoa(r.exit.Code), Text: text, ShareBegun: killedInside(r.exit.Code) || r.survivors != nil,
		}}
	}
	code, text := reel.CodeWorkerLost, "program ended: "+r.exit.Text
	switch r.killed {
	case byContext:
		code, text = reel.CodeInterrupted, "interrupted; the program was killed"
	case byTimeout:
		code, text = reel.CodeWorkerTimeout, "not done within "+w.cfg.timeout().String()+"; the program was killed"
	case byNobody:
	}
	if tail := r.stderr.Last(whyShown); tail != "" {
		text += "\n" + tail
	}
	rep := failed(code, text)
	rep.Evidence.ShareBegun = true
	return rep
}

// killedInside says that an exit code tells of a program that was killed inside of what we ran: as a shell tells it (128 + the
// signal), as Python's subprocess does (256 - the signal), or as timeout(1) does (124). 255 is an ordinary failure of too many.
func killedInside(code int) bool {
	return code == 124 || code > 128 && code < 160 || code > 224 && code < 255
}

func failed(code, text string) reel.Report {
	return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: code, Text: text}}
}

func (w *Worker) clean(text string) string { return worker.Clean(text, stderrShown, w.opt.Secrets...) }
