//go:build !linux

package worker

import (
	"os"
	"syscall"
)

// Outside Linux a child is killed alone, not with its group, and does not die with the supervisor.

func ownGroup() *syscall.SysProcAttr { return nil }

func killOwnGroup(p *os.Process) { _ = p.Kill() }

// killLeftovers does nothing: the leader itself may still be running, because awaitExit cannot wait without collecting.
func killLeftovers(*os.Process) {}

func awaitExit(int) {}

func awaitGroupGone(int) {}
