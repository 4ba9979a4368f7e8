package worker

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// groupPatience bounds the wait for a killed group. A process that sleeps in the kernel (a dead network disk) dies later.
const groupPatience = 5 * time.Second

func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killOwnGroup(p *os.Process) { _ = unix.Kill(-p.Pid, unix.SIGKILL) }

func killLeftovers(p *os.Process) { killOwnGroup(p) }

// awaitExit waits until the child has ended, and leaves its end uncollected.
func awaitExit(pid int) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// awaitGroupGone waits until no member of a killed group runs any more. A signal is delivered later than it is sent, and
// a grandchild that still runs a moment after its job was reported could still act for it.
func awaitGroupGone(pgid int) {
	if errors.Is(unix.Kill(-pgid, 0), unix.ESRCH) {
		return // the usual case, and the cheap one
	}
	poll := newPoll(groupPatience)
	for len(groupMembers(pgid)) > 0 && poll.again() {
	}
}
