//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// call is one run of the program.
type call struct {
	args []string
	stop time.Duration           // after so long it is asked to stop; 0 means never
	line func(time.Time, []byte) // hears every line of its standard output; nil throws them away
}

// outcome is what was seen of a call.
type outcome struct {
	began    time.Time
	wall     time.Duration
	cpu      time.Duration // its own processor time and that of its children
	resident series        // MB, sampled while it ran
	peak     float64       // MB, the kernel's own high-water mark
	code     int
	stderr   string
}

// execute runs the program in a folder and watches its memory. The kernel's ru_maxrss would not do: over a fork it begins
// with the parent's.
func (y *yard) execute(t *testing.T, dir string, c call) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), y.program, c.args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var reading sync.WaitGroup
	if c.line != nil {
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			scan := bufio.NewScanner(out)
			for scan.Scan() {
				c.line(time.Now(), scan.Bytes())
			}
		})
	}
	got := outcome{began: time.Now()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if c.stop > 0 {
		defer time.AfterFunc(c.stop, func() { _ = cmd.Process.Signal(os.Interrupt) }).Stop()
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if now, peak := memoryOf(cmd.Process.Pid); peak > 0 {
				got.resident, got.peak = append(got.resident, now), peak
			}
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	})
	reading.Wait()
	err := cmd.Wait()
	got.wall = time.Since(got.began)
	close(over)
	watching.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	got.code, got.stderr = cmd.ProcessState.ExitCode(), strings.TrimSpace(stderr.String())
	got.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return got
}

// memoryOf is a process's resident memory and its peak in MB; zeros when it is gone.
func memoryOf(pid int) (now, peak float64) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			now = kb / 1024
		case "VmHWM":
			peak = kb / 1024
		}
	}
	return now, peak
}

// ownCPU is the processor time that this process has used, without its children's.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
