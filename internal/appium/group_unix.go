//go:build unix

package appium

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the server the first of a process group, so that all it starts can be ended with it.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func askToEnd(c *exec.Cmd) { _ = c.Process.Signal(syscall.SIGTERM) } // one that has ended is ended

func killGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // likewise
