//go:build linux

package worker_test

import (
	"errors"
	"os/exec"
	"testing"

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
