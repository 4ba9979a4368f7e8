package worker_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

func TestIdentity(t *testing.T) {
	self, err := worker.Self()
	if err != nil {
		t.Fatal(err)
	}
	if self.PID != os.Getpid() || self.Started == 0 || self.Host != worker.Host() || !worker.Alive(self) {
		t.Errorf("got %+v", self)
	}
	later, elsewhere, renamed := self, self, self
	later.Started++
	elsewhere.Host = "x/other-boot/1"
	_, rest, _ := strings.Cut(self.Host, "/")
	renamed.Host = "another-name/" + rest
	if worker.Alive(later) || worker.Alive(elsewhere) || worker.Alive(reel.Process{}) || !worker.Alive(renamed) {
		t.Error("alive is decided by something else than boot, namespace, pid and start time")
	}
	if _, err := worker.Identify(1 << 30); !errors.Is(err, reel.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestKillGroupRefusesWhatIsNotItsOwn(t *testing.T) {
	self, err := worker.Self()
	if err != nil {
		t.Fatal(err)
	}
	other, reused := self, self
	other.Host = "x/other-boot/1"
	if err := worker.KillGroup(reel.Process{}); err != nil {
		t.Errorf("nobody: %v", err)
	}
	if err := worker.KillGroup(other); !errors.Is(err, worker.ErrElsewhere) {
		t.Errorf("another host's: %v", err)
	}
	if err := worker.KillGroup(self); !errors.Is(err, reel.ErrRefused) {
		t.Errorf("itself: %v", err)
	}
	for _, pid := range []int{1, -1, -5} {
		if err := worker.KillGroup(reel.Process{Host: self.Host, PID: pid}); !errors.Is(err, reel.ErrRefused) {
			t.Errorf("%d: %v", pid, err)
		}
	}
	cmd := exec.Command("sleep", "1000") // in this test's own group, and its number stands for one that was given again
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	p, err := worker.Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.KillGroup(p); !errors.Is(err, reel.ErrRefused) {
		t.Errorf("no leader: %v", err)
	}
	reused = p
	reused.Started--
	if err := errors.Join(worker.KillGroup(reused), worker.Kill(reused)); err != nil || !worker.Alive(p) {
		t.Errorf("a number given again: %v, alive: %t", err, worker.Alive(p))
	}
	if err := worker.Kill(p); err != nil || worker.Alive(p) {
		t.Errorf("one alone: %v, alive: %t", err, worker.Alive(p))
	}
	if _, err := worker.KillMarked(t.Context(), ""); !errors.Is(err, reel.ErrRefused) {
		t.Errorf("no mark: %v", err)
	}
}

// family starts a leader of a group, as a supervisor that then died would have left it, with one child in the group.
func family(t *testing.T, s *workertest.Stage) (leader *exec.Cmd, met []reel.Process) {
	t.Helper()
	leader = exec.Command("/bin/sh", "-c", `"$0" & exec "$0"`, os.Args[0])
	leader.Env = append(append(os.Environ(), s.Env("stay")...), worker.EnvMark+"="+s.Mark)
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	return leader, s.Meet(t, 2)
}

func TestKillGroupKillsALivingFamily(t *testing.T) {
	s := workertest.NewStage(t)
	leader, met := family(t, s)
	p, err := worker.Identify(leader.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.KillGroup(p, s.Mark); err != nil {
		t.Error(err)
	}
	for _, m := range met {
		if worker.Alive(m) {
			t.Errorf("%d lives", m.PID)
		}
	}
	_ = leader.Wait()
}

func TestKillGroupKillsWhatADeadLeaderLeft(t *testing.T) {
	s := workertest.NewStage(t)
	leader, met := family(t, s)
	p, err := worker.Identify(leader.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = leader.Process.Kill()
	_ = leader.Wait()
	var orphan reel.Process
	for _, m := range met {
		if m.PID != p.PID {
			orphan = m
		}
	}
	if !worker.Alive(orphan) {
		t.Fatal("no orphan to kill")
	}
	if err := worker.KillGroup(p, "another mark"); err != nil || !worker.Alive(orphan) {
		t.Errorf("with another's mark: %v, alive: %t", err, worker.Alive(orphan))
	}
	if err := worker.KillGroup(p, s.Mark); err != nil || worker.Alive(orphan) {
		t.Errorf("%v, alive: %t", err, worker.Alive(orphan))
	}
}

// A process that left its group and its session is still found by the mark, and another's is not.
func TestKillMarkedFindsTheDetached(t *testing.T) {
	s, other := workertest.NewStage(t), workertest.NewStage(t)
	for _, stage := range []*workertest.Stage{s, other} {
		if err := workertest.Spawn(append(stage.Env("stay"), worker.EnvMark+"="+stage.Mark), true); err != nil {
			t.Fatal(err)
		}
	}
	mine, theirs := s.Meet(t, 1), other.Meet(t, 1)
	if n, err := worker.KillMarked(t.Context(), other.Mark[:len(other.Mark)-1]); n != 0 || err != nil {
		t.Errorf("a part of a mark: %d killed, %v", n, err)
	}
	if n, err := worker.KillMarked(t.Context(), s.Mark); n != 1 || err != nil {
		t.Errorf("%d killed, %v", n, err)
	}
	if worker.Alive(mine[0]) || !worker.Alive(theirs[0]) {
		t.Error("the wrong one was killed")
	}
	if n, err := worker.KillMarked(t.Context(), other.Mark); n != 1 || err != nil {
		t.Errorf("%d killed, %v", n, err)
	}
}

// The kernel ends a child when the thread dies that created it: none may die before the child, whatever else ends threads.
func TestAChildOutlivesOtherThreads(t *testing.T) {
	s := workertest.NewStage(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	running := make(chan *worker.Child)
	ended := make(chan worker.Exit)
	go func() {
		exit, err := worker.Run(worker.Spec{
			Path: os.Args[0], Argv: []string{os.Args[0]}, Env: worker.Environment(os.Environ(), s.Env("stay")...),
			Stdin: null, Stdout: null, Stderr: null,
		}, func(c *worker.Child) {
			for range 100 { // each takes a thread with it
				gone := make(chan struct{})
				go func() {
					runtime.LockOSThread()
					close(gone)
				}()
				<-gone
			}
			running <- c
		})
		if err != nil {
			t.Error(err)
		}
		ended <- exit
	}()
	child := <-running
	met := s.Meet(t, 1)
	if len(met) != 1 || met[0] != child.Process() || !worker.Alive(met[0]) {
		t.Errorf("met %+v, started %+v", met, child.Process())
	}
	child.Kill()
	if exit := <-ended; exit.Code != -1 || exit.Text != "signal: killed" {
		t.Errorf("got %+v", exit)
	}
	child.Kill() // the number may be another's by now: must do nothing
	if _, err := worker.Run(worker.Spec{Path: "/nowhere"}, func(*worker.Child) { t.Error("it was never started") }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	got := worker.Environment([]string{"A=1", "B=2", "A=3", "R_X=1", "R_Y=2", "bad"}, "B", "C=4", "R_*", "C=5", "R_Z=")
	if want := "A=3 C=5 R_Z="; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkKillMarkedNobody(b *testing.B) {
	for b.Loop() {
		if n, err := worker.KillMarked(context.Background(), "nobody-has-this-mark"); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
