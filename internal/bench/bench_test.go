//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// repetitions of every comparison. What is compared runs in turn within each, so that a neighbour's load hits both.
const repetitions = 5

// turns is how often the rates take turns within a repetition: A B A B.
const turns = 2

// stretch is how long one rate is measured in one turn.
const stretch = 800 * time.Millisecond

// TestBench prints the table. A part alone: make bench PART=slots, scale, programs, import or server.
func TestBench(t *testing.T) {
	if os.Getenv("REELPASS_BENCH") != "1" {
		t.Skip("it measures for minutes: make bench")
	}
	y := newYard(t)
	y.sayMachine(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *yard)
	}{
		{"slots", benchSlots}, {"scale", benchScale}, {"programs", benchPrograms}, {"import", benchImport}, {"server", benchServer},
	} {
		t.Run(part.name, func(t *testing.T) {
			began := time.Now()
			part.run(t, y)
			fmt.Fprintf(os.Stdout, "(%s took %s)\n\n", part.name, time.Since(began).Round(time.Second))
		})
	}
}

// yard is where the measuring happens: a folder on a real disk, and the program as users have it.
type yard struct {
	dir     string
	program string
	huge    string // a ledger of a million jobs that nobody has touched; made at the first use
}

// newYard makes a folder under bin/. The system's folder for temporary files is often memory, where a sync costs nothing.
func newYard(t *testing.T) *yard {
	t.Helper()
	base, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(base, "bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	y := &yard{dir: dir, program: filepath.Join(dir, "reelpass")}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", y.program, "../../cmd/reelpass")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return y
}

// path is a file or folder in the yard.
func (y *yard) path(parts ...string) string {
	return filepath.Join(append([]string{y.dir}, parts...)...)
}

// folder is a fresh folder in the yard.
func (y *yard) folder(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp(y.dir, name+"-")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (y *yard) sayMachine(t *testing.T) {
	t.Helper()
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		t.Fatal(err)
	}
	release := make([]byte, 0, len(name.Release))
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	load, _ := os.ReadFile("/proc/loadavg")
	p50, worst := y.syncTimes(t, 1000)
	fmt.Fprintf(os.Stdout, "\nMachine: %d cores, Linux %s, %s; load %s; fdatasync of 4 KiB: p50 %s ms, worst of 1000 %s ms\n",
		runtime.NumCPU(), release, runtime.Version(), strings.Join(strings.Fields(string(load))[:3], " "), number(p50), number(worst))
	if memory(y.dir) {
		fmt.Fprintln(os.Stdout, "The folder is in memory: what follows says nothing about durable work.")
	}
	fmt.Fprintf(os.Stdout, "Figures: median (min-max) of %d repetitions; what is compared runs in turn within each, ratios are taken within each.\n\n", repetitions)
}

// memory says that a folder is on a file system without a disk.
func memory(dir string) bool {
	var st syscall.Statfs_t
	const tmpfs = 0x01021994
	return syscall.Statfs(dir, &st) == nil && st.Type == tmpfs
}
