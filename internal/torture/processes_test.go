//go:build linux

package torture_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// envRound names the round in the environment of every process of it, so that whatever it leaves behind is found, also what
// has lost the program's own mark.
const envRound = "TORTURE_ROUND"

// envMark is the program's mark of its workers.
const envMark = "REELPASS_MARK="

// offspring are the processes of a round; marked ones are those that a supervisor started, directly or not.
func offspring(round string) (all, marked []int) {
	want := []byte(envRound + "=" + round)
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil
	}
	for _, e := range names {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err != nil {
			continue
		}
		vars := bytes.Split(env, []byte{0})
		if !slices.ContainsFunc(vars, func(v []byte) bool { return bytes.Equal(v, want) }) {
			continue
		}
		all = append(all, pid)
		if slices.ContainsFunc(vars, func(v []byte) bool { return bytes.HasPrefix(v, []byte(envMark)) }) {
			marked = append(marked, pid)
		}
	}
	return all, marked
}

// describe says of processes what a person needs to know.
func describe(pids []int) string {
	var b strings.Builder
	for _, pid := range pids {
		p := "/proc/" + strconv.Itoa(pid)
		args, _ := os.ReadFile(p + "/cmdline")
		stat, _ := os.ReadFile(p + "/stat")
		b.WriteString(strconv.Itoa(pid) + " [" + string(bytes.ReplaceAll(args, []byte{0}, []byte(" "))) + "] " + string(stat))
	}
	return b.String()
}

// strike signals one process that a supervisor of the round started, or with group all of its process group. The process is
// held by a descriptor while it is looked at, since numbers are given again.
func strike(round string, rng *rand.Rand, sig unix.Signal, group bool) bool {
	_, pids := offspring(round)
	if len(pids) == 0 {
		return false
	}
	pid := pids[rng.IntN(len(pids))]
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	if !belongs(pid, round) {
		return false
	}
	if group {
		if pgid, err := unix.Getpgid(pid); err == nil && pgid > 1 && pgid != unix.Getpgrp() {
			return unix.Kill(-pgid, sig) == nil
		}
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0) == nil
}

func belongs(pid int, round string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(env, []byte(envRound+"="+round+"\x00")) && bytes.Contains(env, []byte(envMark))
}
