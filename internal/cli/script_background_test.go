package cli_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// background is a program that runs beside the script. The package testscript has such programs too; these can be listened
// to while they run, so that no script needs to sleep, and say with which code they ended.
type background struct {
	cmd  *exec.Cmd
	err  bytes.Buffer // its stderr; to be read after it has ended
	done chan struct{}

	mu    sync.Mutex
	news  *sync.Cond
	lines []string
	heard int // lines that `hears` has gone over
	over  bool
}

type backgroundKey struct{}

// patience is how long a program may run beside its script: one that waits for ever fails the script and not the whole test.
const patience = 30 * time.Second

func backgroundOf(ts *testscript.TestScript, name string) *background {
	b := ts.Value(backgroundKey{}).(map[string]*background)[name]
	if b == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return b
}

// start NAME PROGRAM [ARGS...] starts a program beside the script.
func start(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) > 1, "start NAME PROGRAM [ARGS...]")
	b := &background{cmd: exec.Command(inPath(ts, args[1]), args[2:]...), done: make(chan struct{})}
	b.news = sync.NewCond(&b.mu)
	b.cmd.Dir, b.cmd.Stderr = ts.MkAbs("."), &b.err
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "USER", "WORK", "REELPASS_DB"} {
		b.cmd.Env = append(b.cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := b.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(b.cmd.Start())
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			b.mu.Lock()
			b.lines = append(b.lines, scan.Text())
			b.news.Broadcast()
			b.mu.Unlock()
		}
		b.mu.Lock()
		b.over = true
		b.news.Broadcast()
		b.mu.Unlock()
		close(b.done)
	}()
	ts.Value(backgroundKey{}).(map[string]*background)[args[0]] = b
	limit := time.AfterFunc(patience, func() { _ = b.cmd.Process.Kill() })
	ts.Defer(func() { limit.Stop(); _ = b.cmd.Process.Kill() })
}

// inPath is a program's file by the script's PATH, as exec finds it.
func inPath(ts *testscript.TestScript, program string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if file := filepath.Join(dir, program); filepath.Base(program) == program {
			if _, err := os.Stat(file); err == nil {
				return file
			}
		}
	}
	return program
}

// hears NAME PATTERN waits until a program has written a line that matches, after those heard before.
func hears(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 2, "hears NAME PATTERN")
	b, want := backgroundOf(ts, args[0]), regexp.MustCompile(args[1])
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for b.heard < len(b.lines) {
			b.heard++
			if want.MatchString(b.lines[b.heard-1]) {
				return
			}
		}
		if b.over {
			ts.Fatalf("%s ended without it; it said:\n%s", args[0], bytes.Join(asBytes(b.lines), []byte("\n")))
		}
		b.news.Wait()
	}
}

func asBytes(lines []string) [][]byte {
	out := make([][]byte, len(lines))
	for i, l := range lines {
		out[i] = []byte(l)
	}
	return out
}

// signal NAME (INT | TERM | KILL) sends a signal.
func signalled(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 2, "signal NAME (INT | TERM | KILL)")
	sig := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]
	ts.Check(backgroundOf(ts, args[0]).cmd.Process.Signal(sig))
}

// ends NAME CODE waits for a program's end and compares its exit code, or "signal: killed". What it wrote is in the files
// NAME.out and NAME.err then.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 2, "ends NAME CODE")
	b := backgroundOf(ts, args[0])
	<-b.done
	got := code(ts, b.cmd.Wait())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), append(bytes.Join(asBytes(b.lines), []byte("\n")), '\n'), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), b.err.Bytes(), 0o600))
	if got != args[1] {
		ts.Fatalf("%s: exit code %s, want %s; it said:\n%s%s", args[0], got, args[1], bytes.Join(asBytes(b.lines), []byte("\n")), b.err.Bytes())
	}
}
