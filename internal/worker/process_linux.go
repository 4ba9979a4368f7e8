package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/reel"
)

// killPatience bounds how long KillGroup and KillMarked wait for the dead to go.
const killPatience = 10 * time.Second

// Host names this machine, this boot of it and this pid namespace, "name/boot/namespace": the three together say which
// process a pid means. A part that cannot be read is "?".
func Host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "?"
	}
	boot := "?"
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		boot = strings.TrimSpace(string(b))
	}
	space := "?"
	if link, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		space = strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
	}
	return strings.ReplaceAll(name, "/", "_") + "/" + boot + "/" + space
}

// stat is the part of /proc/PID/stat that is needed here.
type stat struct {
	state   byte
	pgrp    int
	threads int
	started int64
}

func readStat(pid int) (stat, error) {
	var buf [1024]byte // a line of some fifty numbers and a name of at most 64 bytes
	b, err := readAll("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return stat{}, fmt.Errorf("process %d: %w", pid, reel.ErrNotFound)
	}
	if err != nil {
		return stat{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseStat(b)
}

// readAll reads a small file without the cost of os.File: a child is looked at each time one is started.
func readAll(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// parseStat reads a stat line. The program's name stands in parentheses and may itself hold spaces and parentheses, so
// the fields are counted from the last one.
func parseStat(b []byte) (stat, error) {
	_, rest, ok := bytes.Cut(b[max(0, bytes.LastIndexByte(b, ')')):], []byte(") "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 20 || len(fields[0]) != 1 {
		return stat{}, fmt.Errorf("cannot read process status %q", b)
	}
	pgrp, err := strconv.Atoi(string(fields[2])) // field 5
	if err != nil {
		return stat{}, fmt.Errorf("process group: %w", err)
	}
	threads, err := strconv.Atoi(string(fields[17])) // field 20
	if err != nil {
		return stat{}, fmt.Errorf("process threads: %w", err)
	}
	started, err := strconv.ParseInt(string(fields[19]), 10, 64) // field 22
	if err != nil {
		return stat{}, fmt.Errorf("process start time: %w", err)
	}
	return stat{state: fields[0][0], pgrp: pgrp, threads: threads, started: started}, nil
}

// ended says that nothing of a process runs any more, although its parent has not collected its end. One whose first thread
// has ended looks dead while other threads of it still act. Their number must come from the same read: a list of threads
// that is read while they end breaks off early.
func (s stat) ended() bool { return (s.state == 'Z' || s.state == 'X') && s.threads <= 1 }

func startTime(pid int) (int64, error) {
	s, err := readStat(pid)
	return s.started, err
}

// Alive says that exactly this process runs on this host. A process of another host is not alive as far as can be seen
// from here; compare Host where that matters.
func Alive(p reel.Process) bool {
	if p.PID <= 0 || !sameHost(p.Host, Host()) {
		return false
	}
	s, err := readStat(p.PID)
	if err != nil {
		return !errors.Is(err, reel.ErrNotFound) // what cannot be read is not known to be dead
	}
	return s.started == p.Started && !s.ended()
}

// condemned are processes of this host that were sent their death. One that is on its way out shows no
// mark any more and still is there, so its end is waited for by its number.
type condemned map[reel.Process]bool

// add notes one, if it is still there.
func (c condemned) add(pid int) {
	if s, err := readStat(pid); err == nil {
		c[reel.Process{PID: pid, Started: s.started}] = true
	}
}

// left counts those that are not gone yet. What cannot be read is not known to be gone.
func (c condemned) left() (n int) {
	for p := range c {
		s, err := readStat(p.PID)
		if err != nil && !errors.Is(err, reel.ErrNotFound) || err == nil && s.started == p.Started && !s.ended() {
			n++
		}
	}
	return n
}

// KillGroup kills the process group that p led and returns when it is gone. Where p itself is dead, only members that
// carry a mark are killed: one of marks, or any where none is given. The zero Process and a process that is gone with all
// its group are no error. It fails with ErrElsewhere for another host's process, with reel.ErrRefused where p is no group's
// leader or is the caller's own, and with ErrStillAlive after 10 s.
func KillGroup(p reel.Process, marks ...string) error {
	switch {
	case p == (reel.Process{}):
		return nil
	case !sameHost(p.Host, Host()):
		return fmt.Errorf("kill the group of process %d: %w", p.PID, ErrElsewhere)
	}
	if s, err := readStat(p.PID); p.PID > 1 && err == nil && s.started != p.Started {
		return nil // the number belongs to another now, perhaps to us
	}
	if p.PID <= 1 || p.PID == os.Getpid() || p.PID == unix.Getpgrp() {
		return fmt.Errorf("kill the group of process %d: %w", p.PID, reel.ErrRefused)
	}
	patience, killed := newPoll(killPatience), condemned{}
	for {
		s, err := readStat(p.PID)
		switch {
		case err == nil && s.started != p.Started:
			return nil // a pid is not given again while a group bears its number: the whole group is gone
		case err == nil && s.pgrp != p.PID:
			if s.ended() {
				return nil
			}
			return fmt.Errorf("process %d does not lead its group: %w", p.PID, reel.ErrRefused)
		case err == nil:
			_ = unix.Kill(-p.PID, unix.SIGKILL)
			members := groupMembers(p.PID)
			if len(members) == 0 {
				return nil
			}
			for _, pid := range members {
				killed.add(pid)
			}
		default:
			found := 0
			for _, pid := range groupMembers(p.PID) {
				if carries(pid, marks) {
					found++
					killed.add(pid)
					signalIf(pid, func() bool { return carries(pid, marks) })
				}
			}
			if found == 0 && killed.left() == 0 {
				return nil
			}
		}
		if !patience.again() {
			return fmt.Errorf("kill the group of process %d: %w", p.PID, ErrStillAlive)
		}
	}
}

// KillMarked kills every process whose environment carries this mark or one under it (OwnMark), wherever in the tree of
// processes it hangs, but not the caller, and returns when none is left. It gives the number of processes killed, and ErrStillAlive after 10 s.
// A program that throws its environment away escapes it.
func KillMarked(ctx context.Context, mark string) (killed int, err error) {
	if mark == "" || strings.ContainsRune(mark, 0) {
		return 0, fmt.Errorf("kill by mark %q: %w", mark, reel.ErrRefused)
	}
	marks := []string{mark}
	patience, dead := newPoll(killPatience), condemned{}
	for quiet := 0; ; {
		found := 0
		for _, pid := range numbered("/proc") {
			if pid == os.Getpid() || !carries(pid, marks) {
				continue
			}
			found++
			started, err := startTime(pid)
			if err != nil {
				continue
			}
			if signalIf(pid, func() bool { return carries(pid, marks) }) {
				dead[reel.Process{PID: pid, Started: started}] = true
			}
		}
		found += dead.left()
		// A process may have started another, behind the place the look had reached, and ended before the look came to
		// it: only two looks in a row that find nothing say that there is nothing.
		if found > 0 {
			quiet = 0
		} else if quiet++; quiet == 2 {
			return len(dead), nil
		} else {
			continue
		}
		if err := ctx.Err(); err != nil {
			return len(dead), fmt.Errorf("kill by mark: %w", err)
		}
		if !patience.again() {
			return len(dead), fmt.Errorf("kill by mark: %d: %w", found, ErrStillAlive)
		}
	}
}

// carries says that a process was started with one of the marks, or with any where none is given. An ended process
// carries nothing, and another user's shows nothing.
func carries(pid int, marks []string) bool {
	env := environ(pid)
	if !bytes.Contains(env, []byte(EnvMark+"=")) {
		return false
	}
	for _, kv := range bytes.Split(env, []byte{0}) {
		value, ok := bytes.CutPrefix(kv, []byte(EnvMark+"="))
		if !ok {
			continue
		}
		if len(marks) == 0 {
			return len(value) > 0
		}
		for _, m := range marks {
			if string(value) == m || strings.HasPrefix(string(value), m+"/") {
				return true
			}
		}
	}
	return false
}

// environ reads what a process was started with, nothing where that cannot be seen. A first thread that has ended shows
// nothing; another then does.
func environ(pid int) []byte {
	proc := "/proc/" + strconv.Itoa(pid)
	if env, err := os.ReadFile(proc + "/environ"); err == nil && len(env) > 0 {
		return env
	}
	for _, thread := range numbered(proc + "/task") {
		if env, err := os.ReadFile(proc + "/task/" + strconv.Itoa(thread) + "/environ"); err == nil && len(env) > 0 {
			return env
		}
	}
	return nil
}

// signalIf kills one process if it is still the one that is meant. It holds the process by a descriptor while it looks, so
// that the number cannot pass to another in between; kernels before 5.3 have no such thing and get a plain signal.
func signalIf(pid int, still func() bool) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return still() && unix.Kill(pid, unix.SIGKILL) == nil
	}
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return still() && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// groupMembers lists the members of a process group that still run.
func groupMembers(pgid int) []int {
	var members []int
	for _, pid := range numbered("/proc") {
		if s, err := readStat(pid); err == nil && s.pgrp == pgid && !s.ended() {
			members = append(members, pid)
		}
	}
	return members
}

// numbered lists the entries of a directory that are numbers: the processes in /proc, the threads in a process's task.
func numbered(path string) []int {
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(-1)
	out := make([]int, 0, len(names))
	for _, n := range names {
		if number, err := strconv.Atoi(n); err == nil {
			out = append(out, number)
		}
	}
	return out
}
