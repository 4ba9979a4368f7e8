//go:build linux

package worker_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

func TestKillEndsExactlyOneProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	p, err := worker.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	later := p
	later.Started++
	if err := worker.Kill(later); err != nil || !worker.Alive(p) {
		t.Fatalf("a process that only bears the pid was killed: %v", err)
	}
	if err := worker.Kill(p); err != nil || worker.Alive(p) {
		t.Fatalf("still alive: %v", err)
	}
	<-done
	self, err := worker.Self()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Kill(self); !errors.Is(err, reel.ErrRefused) {
		t.Fatalf("its own process: %v", err)
	}
}

// headless is a program whose first thread ends while another goes on: it looks like a zombie and acts all the same. Then it
// tells its pid.
const headless = `
import ctypes, os, threading, time
def rest():
    while open("/proc/self/stat").read().rpartition(")")[2].split()[0] != "Z": time.sleep(0.001)
    print(os.getpid(), flush=True)
    time.sleep(1000)
threading.Thread(target=rest).start()
ctypes.CDLL(None).pthread_exit(None)
`

// Every way of killing must see that such a process lives, and must not return before all of it is gone.
func TestKillEndsAProcessWhoseFirstThreadHasEnded(t *testing.T) {
	mark := fmt.Sprint("headless-", os.Getpid(), "-", time.Now().UnixNano()) // tests of another checkout may run beside these
	for name, test := range map[string]struct {
		shell string // what the group's leader does with the program
		kill  func(leader, p reel.Process) error
	}{
		"alone":           {`exec python3 -c "$0"`, func(_, p reel.Process) error { return worker.Kill(p) }},
		"its group":       {`exec python3 -c "$0"`, func(leader, _ reel.Process) error { return worker.KillGroup(leader, mark) }},
		"a dead leader's": {`python3 -c "$0" &`, func(leader, _ reel.Process) error { return worker.KillGroup(leader, mark) }},
		"its mark":        {`exec python3 -c "$0"`, func(_, _ reel.Process) error { _, err := worker.KillMarked(t.Context(), mark); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", test.shell, headless)
			cmd.Env = append(os.Environ(), worker.EnvMark+"="+mark)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			leader, err := worker.Identify(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			var pid int
			if _, err := fmt.Fscan(out, &pid); err != nil {
				t.Fatal(err)
			}
			if pid != leader.PID {
				_ = cmd.Wait()
			}
			p, err := worker.Identify(pid)
			if err != nil || !worker.Alive(p) {
				t.Fatalf("%v, alive: %t", err, worker.Alive(p))
			}
			if err := test.kill(leader, p); err != nil || worker.Alive(p) {
				t.Errorf("%v, alive: %t", err, worker.Alive(p))
			}
			_ = worker.Kill(p)
			_ = cmd.Wait()
		})
	}
}
