//go:build linux

package torture_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that should happen soon. It is far more than is needed, and less than nobody looking.
const patience = 90 * time.Second

// actor is one running reelpass.
type actor struct {
	kind   string // run, worker or a short command
	name   string
	at     int // the round's machine it is on
	cmd    *exec.Cmd
	began  time.Time
	done   chan struct{} // closed when it has ended and err is valid
	err    error
	sent   []syscall.Signal
	stderr string // files
	stdout string
}

// start starts the program under test in the round's folder, on the machine of whoever leads.
func (r *round) start(t *testing.T, kind string, args ...string) *actor {
	t.Helper()
	return r.startAt(t, r.home, kind, args...)
}

func (r *round) startAt(t *testing.T, at int, kind string, args ...string) *actor {
	t.Helper()
	a := &actor{kind: kind, at: at, name: fmt.Sprintf("%02d-%s-%d", len(r.actors), kind, at), done: make(chan struct{})}
	r.actors = append(r.actors, a)
	a.stdout, a.stderr = filepath.Join(r.dir, "out", a.name+".out"), filepath.Join(r.dir, "out", a.name+".err")
	stdout, err := os.Create(a.stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.Create(a.stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	a.cmd = exec.Command(r.program, append([]string{kind}, args...)...)
	a.cmd.Dir, a.cmd.Stdout, a.cmd.Stderr = r.dir, stdout, stderr
	a.cmd.Env = append(clean(os.Environ()), envRound+"="+r.dir, envPlay+"=reelpass", "GORACE=halt_on_error=0")
	if r.server != nil {
		a.cmd.Env = append(a.cmd.Env, "REELPASS_DB="+r.address(at))
	}
	if len(r.clocks) > 0 {
		a.cmd.Env = append(a.cmd.Env, "TORTURE_CLOCK="+r.clocks[at])
	}
	var on *host
	if len(r.hosts) > 0 {
		on = r.hosts[at]
	}
	a.began = time.Now()
	if err := on.start(a.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		a.err = a.cmd.Wait()
		close(a.done)
	}()
	return a
}

// clean leaves out what would change the program's settings, or mark it as a worker of whoever runs the tests.
func clean(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "REELPASS_") || strings.HasPrefix(v, envRound+"=")
	})
}

func (r *round) run(t *testing.T) *actor { return r.start(t, "run", "posts.csv", "--json") }

// brief runs a short command to its end and gives its exit code.
func (r *round) brief(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	a := r.start(t, args[0], args[1:]...)
	r.await(a, patience)
	return a.code(), a.errors()
}

func (a *actor) signal(s syscall.Signal) {
	a.sent = append(a.sent, s)
	_ = a.cmd.Process.Signal(s) // it may have ended meanwhile
}

func (a *actor) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// code is the exit code, -1 for an end by a signal. The actor must be over.
func (a *actor) code() int { return a.cmd.ProcessState.ExitCode() }

func (a *actor) killed() bool {
	status, ok := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

func (a *actor) errors() string {
	text, err := os.ReadFile(a.stderr)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

// leads says that the run has said that it leads the batch, and not yet that it is done with it.
func (a *actor) leads() bool {
	text, err := os.ReadFile(a.stdout)
	said := func(kind string) bool { return bytes.Contains(text, []byte(`"event":"`+kind+`"`)) }
	return err == nil && said("run_started") && !said("finished") && !said("interrupted")
}

// stillLeads says that the run goes on leading. What it said last may have been on its way, so it is given a moment.
func (a *actor) stillLeads() bool {
	for range 10 {
		if !a.leads() || a.over() {
			return false
		}
		<-time.After(20 * time.Millisecond)
	}
	return true
}

// await waits for the end of an actor, and takes one that never ends for a fault of its own.
func (r *round) await(a *actor, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-a.done:
		return true
	case <-timer.C:
	}
	all, _ := offspring(r.dir)
	r.problem("%s did not end within %s; processes of the round:\n%s", a.name, d, describe(all))
	a.signal(syscall.SIGCONT)
	a.signal(syscall.SIGQUIT) // its goroutines go to its stderr
	select {
	case <-a.done:
	case <-time.After(5 * time.Second):
		a.signal(syscall.SIGKILL)
		<-a.done
	}
	return false
}

func (a *actor) was(s syscall.Signal) bool { return slices.Contains(a.sent, s) }

// refused says that a run was refused because another leads.
func (a *actor) refused() bool {
	return a.code() == 1 && strings.Contains(a.errors(), "is already being run by")
}

// ended judges how an actor ended. It says whether the batch has a result.
func (r *round) ended(a *actor) (finished bool) {
	said := a.errors()
	for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: ", "publisher is broken"} {
		if strings.Contains(said, bad) {
			r.problem("%s: %s in its stderr:\n%s", a.name, bad, head(said))
		}
	}
	if a.killed() {
		status := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !a.was(status.Signal()) { // SIGTERM kills a program that has not begun to listen, or has ceased to
			r.problem("%s was ended by a signal that nobody sent: %v", a.name, a.err)
		}
		return false
	}
	interrupted := a.was(syscall.SIGINT) || a.was(syscall.SIGTERM)
	switch code := a.code(); {
	case a.kind == "worker" && (code == 0 || code == 3 || code == 4): // it may have led at the end
	case a.kind == "run" && (code == 0 || code == 3 || code == 4):
		return true
	case (code == 130 || code == 143) && interrupted:
	case code == 2 && a.kind != "run" && r.early(said): // too early: there is nothing to lend to yet
	case a.refused() && r.others(a):
		r.figures.refused++
	case r.faulty && code == 1 && excused(said):
	case r.jumped && code == 1 && strings.Contains(said, "no longer ours"): // another one's clock said that the lead was over
	default:
		if !errors.Is(a.err, exec.ErrWaitDelay) {
			r.problem("%s ended with %d: %s", a.name, code, head(said))
		}
	}
	return false
}

func (r *round) early(said string) bool {
	return strings.Contains(said, "not found") || strings.Contains(said, "no ledger") || strings.Contains(said, "does not exist")
}

// others says that another run lived at some time while a did.
func (r *round) others(a *actor) bool {
	for _, b := range r.actors {
		if b != a && b.kind == "run" && b.leads() {
			return true
		}
	}
	return false
}

// excused says that an error tells of a fault in words that a person can do something with.
func excused(said string) bool {
	for _, word := range []string{
		"the server cannot be reached", "the disk is full", "keeps the ledger locked", "the ledger cannot be written", "no longer ours",
		"is already being run by", "it is not known whether the last change was kept",
	} {
		if strings.HasPrefix(said, "reelpass: ") && strings.Contains(said, word) {
			return true
		}
	}
	return false
}

func head(text string) string {
	if len(text) > 1500 {
		return text[:1500] + " ..."
	}
	return text
}
