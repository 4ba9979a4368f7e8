package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"reelpass/internal/reel"
)

// Options say how a Client runs its process.
type Options struct {
	Argv    []string      // program and arguments; the program is looked for in PATH
	Env     []string      // added to the supervisor's environment, as Environment does
	Dir     string        // working directory; empty means the supervisor's
	Timeout time.Duration // no line of the protocol for so long: the process is killed; 0 means 10 minutes
	Grace   time.Duration // how long Close waits before it kills; 0 means 5 s
	Log     *slog.Logger  // takes the process's stderr, and what it prints beside the protocol; nil drops them
	Mark    string        // value of REELPASS_MARK in the process
	Secrets []string      // values that are masked in evidence and log, beside what reel.Scrub knows by itself
}

const (
	// DefaultTimeout is how long a worker may go without a sign of progress.
	DefaultTimeout = 10 * time.Minute
	defaultGrace   = 5 * time.Second
	// pauseFirst and pauseCap are the pauses before a process is started again that keeps dying: none after the first
	// death, then 100 ms, doubled each time, up to 5 s.
	pauseFirst = 100 * time.Millisecond
	pauseCap   = 5 * time.Second
	// stderrShown is how much of a dead worker's stderr stands in the evidence.
	stderrShown = 2 << 10
	// textKept bounds the text of one piece of evidence.
	textKept = 16 << 10
	// wordKept bounds names of steps and parts of receipts.
	wordKept = 2 << 10
)

// Client is the supervisor's end: it executes assignments in one long-lived process that speaks the protocol. The process
// is started at the first assignment, and a fresh one at the next after a fault. A Client is used from one goroutine.
type Client struct {
	opt    Options
	ses    *session
	deaths int // in a row without a finished job
}

// NewClient makes a Client; nothing is started yet.
func NewClient(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{opt: o}
}

// Process identifies the running process; it is zero when none runs.
func (c *Client) Process() reel.Process {
	if c.ses == nil || c.ses.over() {
		return reel.Process{}
	}
	return c.ses.child.Process()
}

// Close ends the process: its input is closed, and after the grace it is killed with its group. It waits for the end and
// may be called again; the error is always nil.
func (c *Client) Close() error {
	if c.ses != nil {
		c.ses.leave(c.opt.Grace)
		c.ses = nil
	}
	return nil
}

// ready makes sure that a process runs. fault is what keeps it from running, as evidence.
func (c *Client) ready(ctx context.Context) (s *session, fault *reel.Evidence) {
	if ctx.Err() != nil {
		return nil, interrupted("before the worker was given the job")
	}
	if c.ses != nil {
		c.settle()
	}
	if c.ses != nil {
		return c.ses, nil
	}
	if !c.pause(ctx) {
		return nil, interrupted("before the worker was started")
	}
	path, err := Program(c.opt.Argv, c.opt.Dir)
	if err == nil {
		mark := OwnMark(c.opt.Mark)
		c.ses, err = openSession(Spec{
			Path: path, Argv: c.opt.Argv, Dir: c.opt.Dir,
			Env: append(Environment(os.Environ(), append([]string{EnvMark}, c.opt.Env...)...), EnvMark+"="+mark),
		}, NewTail(c.opt.Log, "worker stderr", c.opt.Secrets...))
		if err == nil {
			c.ses.mark = mark
		}
	}
	if err != nil {
		c.deaths++
		return nil, &reel.Evidence{
			Source: reel.SourceWorker, Code: reel.CodeWorkerStart,
			Text: Clean(fmt.Sprintf("worker could not be started: %v", err), textKept, c.opt.Secrets...),
		}
	}
	return c.ses, nil
}

// settle looks at the process as the last job left it. One that has ended, or that went on talking after its answer, is
// not trusted with another job.
func (c *Client) settle() {
	for {
		select {
		case line, ok := <-c.ses.lines:
			if !ok {
				c.drop("worker ended between two jobs")
				return
			}
			m, ours, err := decodeAnswer(line)
			switch {
			case !ours:
				c.noise(line)
			case err != nil || m.Type != typeStep:
				c.drop("worker spoke without being asked: " + m.Type)
				return
			}
		default:
			if c.ses.over() {
				c.drop("worker ended between two jobs")
			}
			return
		}
	}
}

// drop kills the process, if it still runs, and counts it as a death.
func (c *Client) drop(why string) {
	if c.ses == nil {
		return
	}
	c.ses.kill()
	c.opt.Log.Warn(why, "pid", c.ses.child.Process().PID, "exit", c.ses.exit.Text)
	c.ses = nil
	c.deaths++
}

// pause waits before a process is started again that keeps dying. It says false when ctx ends first.
func (c *Client) pause(ctx context.Context) bool {
	wait := time.Duration(0)
	if c.deaths > 1 {
		wait = min(pauseCap, pauseFirst<<min(c.deaths-2, 10))
	}
	if wait == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (c *Client) noise(line []byte) {
	if text := Clean(string(line[:min(len(line), 2*lineKept)]), lineKept, c.opt.Secrets...); text != "" {
		c.opt.Log.Info("worker stdout", "line", text)
	}
}

// Program finds the file of a program as the system would for a child in dir: in PATH, or by its path. It fails with
// exec.ErrNotFound, or with what is wrong with the file.
func Program(argv []string, dir string) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", fmt.Errorf("no program is named: %w", exec.ErrNotFound)
	}
	name := argv[0]
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		abs, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("find program: %w", err)
		}
		name = abs
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find program: %w", err)
	}
	return path, nil
}

func interrupted(when string) *reel.Evidence {
	return &reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeInterrupted, Text: "interrupted " + when}
}
