package command

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// pipeSure is what an empty pipe always takes at once (PIPE_BUF on Linux). A longer input needs somebody who goes on writing.
const pipeSure = 4096

// attendAfter is when a program that still runs is attended to: what it writes is read from then on, and its process is
// noted. One that ends sooner has left in its pipes what it wrote, and its mark finds it as surely as its number.
const attendAfter = 50 * time.Millisecond

// envLongest is the longest value that goes into a variable. Linux refuses to start a program with one of 128 KiB.
const envLongest = 100 << 10

// result is what was seen of one process.
type result struct {
	startErr error // it never ran
	exit     worker.Exit
	killed   killer
	// survivors says that something which the program started could not be killed, and may still act.
	survivors error
	stdout    *worker.Tail
	stderr    *worker.Tail
}

// killer says who ended a process that was killed here.
type killer int32

const (
	byNobody killer = iota
	byContext
	byTimeout
)

// run runs one process to its end, and ends its whole group with it.
func (w *Worker) run(ctx context.Context, argv, env []string, input []byte, started func(reel.Process)) result {
	r := result{
		stdout: worker.NewTail(nil, ""),
		stderr: worker.NewTail(w.opt.Log, "program stderr", w.opt.Secrets...),
	}
	path, err := worker.Program(argv, w.opt.Dir)
	if err != nil {
		r.startErr = err
		return r
	}
	var p pipes
	if r.startErr = p.open(); r.startErr != nil {
		return r
	}
	defer p.close()
	if len(input) <= pipeSure {
		_, _ = p.inW.Write(input)
		_ = p.inW.Close()
	}
	mark := worker.OwnMark(w.opt.Mark)
	var killed atomic.Int32
	var unhook func() bool
	var timer, attend *time.Timer
	var streams sync.WaitGroup
	attended := make(chan struct{})
	r.exit, r.startErr = worker.Run(worker.Spec{
		Path: path, Argv: argv, Env: append(env, worker.EnvMark+"="+mark), Dir: w.opt.Dir, Stdin: p.inR, Stdout: p.outW, Stderr: p.errW,
	}, func(child *worker.Child) {
		p.closeTheirs()
		kill := func(by killer) func() {
			return func() {
				killed.CompareAndSwap(int32(byNobody), int32(by))
				child.Kill()
			}
		}
		unhook = context.AfterFunc(ctx, kill(byContext))
		timer = time.AfterFunc(w.cfg.timeout(), kill(byTimeout))
		attend = time.AfterFunc(attendAfter, func() {
			defer close(attended)
			p.outR, p.errR = watched(p.outR), watched(p.errR)
			streams.Go(func() { worker.Drain(r.stdout, p.outR) })
			streams.Go(func() { worker.Drain(r.stderr, p.errR) })
			started(child.Process())
		})
		if len(input) > pipeSure {
			p.inW = watched(p.inW)
			streams.Go(func() {
				_, _ = p.inW.Write(input) // a program that does not read it does not want it
				_ = p.inW.Close()
			})
		}
	})
	if r.startErr != nil {
		return r
	}
	unhook()
	timer.Stop()
	r.killed = killer(killed.Load())
	if r.exit.Code != 0 && w.opt.Mark != "" {
		// The job is tried or looked up again: what left the program's group must not act for it any more.
		_, r.survivors = worker.KillMarked(context.Background(), mark)
	}
	if attend.Stop() {
		drain(r.stdout, p.outR)
		drain(r.stderr, p.errR)
	} else {
		<-attended
		worker.HurryUp(p.outR, p.errR)
	}
	worker.HurryUp(p.inW)
	streams.Wait()
	r.stderr.Close()
	return r
}

// pipes are the two ends of a process's three streams.
type pipes struct {
	inR, inW, outR, outW, errR, errW *os.File
}

func (p *pipes) open() (err error) {
	if p.inR, p.inW, err = newPipe(); err != nil {
		return err
	}
	if p.outR, p.outW, err = newPipe(); err != nil {
		p.close()
		return err
	}
	if p.errR, p.errW, err = newPipe(); err != nil {
		p.close()
	}
	return err
}

// closeTheirs closes the child's ends: while one is open here, no end of the stream is seen.
func (p *pipes) closeTheirs() {
	for _, f := range []*os.File{p.inR, p.outW, p.errW} {
		_ = f.Close()
	}
}

// close closes what is still open. Closing twice is an error nobody needs; closing nothing is none.
func (p *pipes) close() {
	for _, f := range []*os.File{p.inR, p.inW, p.outR, p.outW, p.errR, p.errW} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// jobVariables lists the variables that describe a job.
func jobVariables() []string {
	return []string{
		"REELPASS_JOB_ID", "REELPASS_ACCOUNT", "REELPASS_VIDEO_PATH", "REELPASS_CAPTION", "REELPASS_ATTEMPT", "REELPASS_PASS",
		"REELPASS_WORKER_ID", "REELPASS_SINCE", "REELPASS_OMITTED",
	}
}

// jobEnv is the environment of one process. A value that no variable can hold (a NUL byte in it, or more than 100 KiB) is
// left out, and REELPASS_OMITTED names the variable; the line on stdin has it in any case.
func (w *Worker) jobEnv(a reel.Assignment, since time.Time) []string {
	env := make([]string, len(w.env), len(w.env)+9)
	copy(env, w.env)
	var omitted []string
	add := func(name, value string) {
		if strings.ContainsRune(value, 0) || len(value) > envLongest {
			omitted = append(omitted, name)
			return
		}
		env = append(env, name+"="+value)
	}
	add("REELPASS_JOB_ID", string(a.JobID))
	add("REELPASS_ACCOUNT", a.Account)
	add("REELPASS_VIDEO_PATH", a.VideoPath)
	add("REELPASS_CAPTION", a.Caption)
	add("REELPASS_ATTEMPT", itoa(a.Attempt))
	add("REELPASS_PASS", itoa(a.Pass))
	add("REELPASS_WORKER_ID", itoa(a.WorkerID))
	if !since.IsZero() {
		add("REELPASS_SINCE", since.UTC().Format(time.RFC3339))
	}
	if len(omitted) > 0 {
		env = append(env, "REELPASS_OMITTED="+strings.Join(omitted, ","))
		w.opt.Log.Warn("a value cannot stand in the environment; it is on the program's stdin only",
			"job", a.JobID, "variables", strings.Join(omitted, ","))
	}
	return env
}

// receipt reads the program's last line. Identifiers are often written as numbers, too large for a float.
func (w *Worker) receipt(line string) reel.Receipt {
	var fields struct{ ID, URL json.RawMessage }
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &fields) != nil {
		return reel.Receipt{}
	}
	text := func(raw json.RawMessage) string {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			if s = string(raw); strings.Trim(s, "0123456789") != "" {
				return ""
			}
		}
		return w.clean(s)
	}
	return reel.Receipt{ID: text(fields.ID), URL: text(fields.URL)}
}

func itoa(n int) string { return strconv.Itoa(n) }
