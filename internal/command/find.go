package command

import (
	"context"
	"regexp"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// crashed is how programs say that they came to grief, which most do with exit code 1. A look that crashed has not seen that the
// post is absent, and taking it for that would post twice.
var crashed = regexp.MustCompile(`(?m)^Traceback \(most recent call last\)|^\s+File "[^"]+", line \d+|` +
	`^(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Timeout|Exit|Interrupt)\b|^(?i:fatal|panic):|^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |` +
	`^Node\.js v\d|^Exception in thread|^\s+at .+:\d+:\d+\)?$|^.+:\d+:in .+\(\w*Error\)|Uncaught `)

// crashShown is how much of stderr is looked through for a crash: a traceback may be long.
const crashShown = 8 << 10

// Find looks whether the assignment's post, made at or after since, is there: it runs the find program, whose exit code 0
// means found and 1 absent. Everything else means that nobody can tell, and so does a 1 whose stderr shows an interpreter's
// crash. Without a find program a publisher that speaks the protocol is asked itself.
func (w *Worker) Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look {
	switch {
	case len(w.cfg.Find) == 0 && w.client != nil:
		return w.client.Find(ctx, a, since, d)
	case len(w.cfg.Find) == 0:
		return unsure("no find command is configured")
	case ctx.Err() != nil:
		return unsure("interrupted before the find command was started")
	}
	line, err := worker.FindLine(a, since)
	if err != nil {
		return unsure(w.clean(err.Error()))
	}
	r := w.run(ctx, w.cfg.Find, w.jobEnv(a, since), line, func(reel.Process) {})
	if r.startErr != nil {
		return unsure(w.clean("find command could not be started: " + r.startErr.Error()))
	}
	tail := r.stderr.Last(whyShown)
	switch {
	case r.exit.Code == 0:
		return reel.Look{Finding: reel.Found, Receipt: w.receipt(r.stdout.LastLine())}
	case r.exit.Code == 1 && r.survivors == nil && !crashed.MatchString(r.stderr.Last(crashShown)):
		return reel.Look{Finding: reel.Absent}
	}
	why := "find command ended: " + r.exit.Text
	switch r.killed {
	case byContext:
		why = "interrupted; the find command was killed"
	case byTimeout:
		why = "the find command was not done within " + w.cfg.timeout().String() + " and was killed"
	case byNobody:
	}
	if tail != "" {
		why += "\n" + tail
	}
	return unsure(why)
}

func unsure(why string) reel.Look { return reel.Look{Finding: reel.Unsure, Why: why} }
