package command

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"reelpass/internal/worker"
)

// A pipe of os.Pipe is watched by the runtime from its making to its end. That costs more than everything else about it, and most
// programs end before anybody would have waited for them (attendAfter): so a pipe is watched only from when somebody does.

func newPipe() (r, w *os.File, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(ends[0]), "|0"), os.NewFile(uintptr(ends[1]), "|1"), nil
}

// watched is an end whose reader or writer can be hurried, in the place of one where it cannot. Where that fails nothing goes through it.
func watched(f *os.File) *os.File {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	_ = f.Close()
	if err != nil {
		return f
	}
	_ = unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), f.Name())
}

// drain reads what lies in a pipe, and waits for nothing.
func drain(w io.Writer, r *os.File) {
	_ = unix.SetNonblock(int(r.Fd()), true)
	worker.Drain(w, r)
}
