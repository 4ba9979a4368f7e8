package workertest

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// plodStep is the pause between two steps of Plods, and plodTimeout the timeout it must outlive: more than one step, less
// than all of them.
const (
	plodStep    = 200 * time.Millisecond
	plodTimeout = time.Second
	patience    = 20 * time.Second // of the tests themselves
)

// Stage is what a worker under test is built from.
type Stage struct {
	Timeout time.Duration
	Log     *slog.Logger
	Mark    string // unique to the test
	Secret  string
	World   string // file with a line, the job's id, for each effect
	socket  string
	hello   chan reel.Process
	log     *logged
}

// NewStage makes a stage that ends with the test.
func NewStage(t *testing.T) *Stage {
	t.Helper()
	// Sockets have short names: the test's own directory may be too deep.
	dir, err := os.MkdirTemp("", "stage")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Stage{
		Timeout: patience, World: filepath.Join(dir, "world"),
		Mark: fmt.Sprintf("workertest-%d-%s", os.Getpid(), filepath.Base(dir)), Secret: "hunter2-of-" + filepath.Base(dir),
		socket: filepath.Join(dir, "s"), hello: make(chan reel.Process, 16), log: &logged{},
	}
	s.Log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	go s.accept(l)
	t.Cleanup(func() { _ = l.Close() })
	return s
}

// Env is the environment that a process of the suite needs to play a role.
func (s *Stage) Env(role string) []string {
	return []string{
		envRole + "=" + role, envWorld + "=" + s.World, envSocket + "=" + s.socket, envSecret + "=" + s.Secret,
		"GORACE=atexit_sleep_ms=0", // else the race detector makes every process of the suite a second late to end
	}
}

func (s *Stage) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var pid int
		line, _ := bufio.NewReader(c).ReadString('\n')
		if _, err := fmt.Sscan(line, &pid); err != nil {
			continue
		}
		if p, err := worker.Identify(pid); err == nil {
			s.hello <- p
		}
	}
}

// Meet waits for processes to tell their pid.
func (s *Stage) Meet(t *testing.T, n int) []reel.Process {
	t.Helper()
	var met []reel.Process
	late := time.After(patience)
	for len(met) < n {
		select {
		case p := <-s.hello:
			met = append(met, p)
		case <-late:
			t.Errorf("only %d of %d processes came up", len(met), n)
			return met
		}
	}
	return met
}

// Logged is what was logged so far.
func (s *Stage) Logged() string { return s.log.String() }

// logged is a log in memory.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
