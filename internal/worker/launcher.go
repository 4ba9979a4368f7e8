package worker

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"reelpass/internal/reel"
)

// Spec says what a child process runs.
type Spec struct {
	Path   string   // the program's file, as exec.LookPath found it
	Argv   []string // with its own name first
	Env    []string // the whole environment, see Environment
	Dir    string   // empty means the supervisor's
	Stdin  *os.File // nil means none
	Stdout *os.File
	Stderr *os.File
}

// Launcher starts child processes, each the leader of a process group of its own, that the kernel kills when the
// supervisor dies. The kernel sends that signal when the thread dies that created the child (golang/go#27505), and Go ends
// threads as it likes, so a Launcher keeps threads of its own for as long as it lives.
type Launcher struct {
	host     string
	requests chan launch
	closed   chan struct{}
	once     sync.Once
	threads  sync.WaitGroup
}

type launch struct {
	spec  Spec
	reply chan launched
}

type launched struct {
	child *Child
	err   error
}

// ErrClosed is the answer of a closed Launcher.
var ErrClosed = errors.New("launcher is closed")

// NewLauncher makes a Launcher with so many threads. A number below 1 means 2: on two cores, four slots of /bin/true ran at
// 0.73 of the rate of a bare loop with one thread, at 0.80 to 0.85 with two, at 0.76 to 0.81 with four (command's
// BenchmarkTrue, three runs each). More do not help, because Go lets one fork run at a time.
func NewLauncher(threads int) *Launcher {
	if threads < 1 {
		threads = 2
	}
	l := &Launcher{host: Host(), requests: make(chan launch), closed: make(chan struct{})}
	for range threads {
		l.threads.Add(1)
		go l.run()
	}
	return l
}

// run starts children on one thread. It never unlocks the thread, so that the thread ends with it, and with the thread
// whatever child was left.
func (l *Launcher) run() {
	runtime.LockOSThread()
	defer l.threads.Done()
	for {
		select {
		case <-l.closed:
			return
		case r := <-l.requests:
			child, err := start(l.host, r.spec)
			r.reply <- launched{child, err}
		}
	}
}

// Start starts a child. Its errors are those of the operating system, or ErrClosed.
func (l *Launcher) Start(s Spec) (*Child, error) {
	reply := make(chan launched, 1)
	select {
	case <-l.closed:
		return nil, ErrClosed
	case l.requests <- launch{s, reply}:
	}
	got := <-reply
	return got.child, got.err
}

// Close ends the launcher's threads and waits for them. On Linux children that still run are killed by that: close the
// workers first.
func (l *Launcher) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.threads.Wait()
	return nil
}

func start(host string, s Spec) (*Child, error) {
	attr := os.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: []*os.File{s.Stdin, s.Stdout, s.Stderr}, Sys: ownGroup(),
	}
	proc, err := os.StartProcess(s.Path, s.Argv, &attr)
	if err != nil {
		return nil, err
	}
	return &Child{proc: proc, id: reel.Process{Host: host, PID: proc.Pid}}, nil
}

// Child is a started process and leader of its group. Wait must be called exactly once; Kill at any time.
type Child struct {
	proc   *os.Process
	mu     sync.Mutex
	id     reel.Process // its start time is read when it is asked for
	reaped bool
}

// Exit is how a process ended.
type Exit struct {
	Code int    // -1 when it was ended by a signal, or when nobody can tell
	Text string // "exit status 3", "signal: killed"
}

// Process identifies the child. Its start time is 0 without /proc, and when it is asked for the first time after Wait: such a
// process is never taken for another one, and never killed by its record.
func (c *Child) Process() reel.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id.Started == 0 && !c.reaped {
		c.id.Started, _ = startTime(c.id.PID)
	}
	return c.id
}

// Kill kills the whole process group at once. After the child's end was collected it does nothing: the number may be
// somebody else's by then.
func (c *Child) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		killOwnGroup(c.proc)
	}
}

// Wait waits for the child's end, then kills what is left of its group and waits until that is gone too.
func (c *Child) Wait() Exit {
	awaitExit(c.proc.Pid)
	c.mu.Lock()
	defer c.mu.Unlock()
	// The child's end is not collected yet, so its number is still its own and the signal reaches only its group.
	killLeftovers(c.proc)
	state, err := c.proc.Wait()
	c.reaped = true
	awaitGroupGone(c.id.PID)
	if err != nil {
		return Exit{Code: -1, Text: fmt.Sprintf("cannot tell: %v", err)}
	}
	return Exit{Code: state.ExitCode(), Text: state.String()}
}
