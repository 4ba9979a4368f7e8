package worker

import (
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

// Run starts a child, the leader of a process group of its own, and waits for its end; then it kills what is left of the group and waits
// until that is gone too. started, called as soon as the child runs, may hand it to others. The error is the operating system's, and says
// that nothing was started.
//
// The kernel kills the child when the supervisor dies. It sends that signal when the thread dies that created the child
// (golang/go#27505), and Go ends threads as it likes: so the thread is kept until the child has ended.
func Run(s Spec, started func(*Child)) (Exit, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc, err := os.StartProcess(s.Path, s.Argv, &os.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: []*os.File{s.Stdin, s.Stdout, s.Stderr}, Sys: ownGroup(),
	})
	if err != nil {
		return Exit{}, err
	}
	c := &Child{proc: proc, id: reel.Process{PID: proc.Pid}}
	started(c)
	return c.wait(), nil
}

// Child is a started process and leader of its group.
type Child struct {
	proc   *os.Process
	mu     sync.Mutex
	id     reel.Process // its host and start time are read when it is asked for
	reaped bool
}

// Exit is how a process ended.
type Exit struct {
	Code int    // -1 when it was ended by a signal, or when nobody can tell
	Text string // "exit status 3", "signal: killed"
}

// Process identifies the child. Its start time is 0 without /proc, and when it is asked for the first time after its end: such a
// process is never taken for another one, and never killed by its record.
func (c *Child) Process() reel.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id.Host == "" {
		c.id.Host = Host()
	}
	if c.id.Started == 0 && !c.reaped {
		c.id.Started, _ = startTime(c.id.PID)
	}
	return c.id
}

// Kill kills the whole process group at once, at any time. After the child's end was collected it does nothing: the number may be
// somebody else's by then.
func (c *Child) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		killOwnGroup(c.proc)
	}
}

// wait waits for the child's end, then kills what is left of its group and waits until that is gone too.
func (c *Child) wait() Exit {
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
