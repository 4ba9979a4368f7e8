package appium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
)

// Times of a server, from what was measured: 2 s to come up, 10 s where eight do at once.
const (
	startMost  = 90 * time.Second
	statusMost = 3 * time.Second
	endMost    = 8 * time.Second // it ends its sessions first
	poll       = 100 * time.Millisecond
)

// startsAtOnce is how many servers of a machine come up beside each other: each takes a core for some seconds.
const startsAtOnce = 2

// Config says how a server is started.
type Config struct {
	Node    string    // the program node; found in the path where empty
	Home    string    // folder whose node_modules have appium and its driver
	Android string    // ANDROID_HOME: the folder with platform-tools/adb
	Locks   string    // folder that all who start servers on this machine share
	Log     io.Writer // what the server prints
	Env     []string
}

// AndroidHome is where Debian's package of adb puts what Appium looks for.
const AndroidHome = "/usr/lib/android-sdk"

// Server is a running Appium server. It belongs to one worker.
type Server struct {
	cmd  *exec.Cmd
	base string
	tail *tail
	done chan struct{} // closed when the process has ended
}

// Start starts a server and waits until it answers. Not too many start at once.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	index := filepath.Join(cfg.Home, "node_modules", "appium", "index.js")
	node := cfg.Node
	if node == "" {
		node = "node"
	}
	node, err := exec.LookPath(node)
	if err != nil {
		return nil, &Failure{Call: "start", Code: CodeMissing, Text: "node is not installed (Node.js 20.19 or later)", Err: err}
	}
	if _, err := os.Stat(index); err != nil {
		return nil, &Failure{Call: "start", Code: CodeMissing, Text: "Appium is not installed in " + cfg.Home + " (npm ci --ignore-scripts)", Err: err}
	}
	release, err := turn(ctx, cfg.Locks)
	if err != nil {
		return nil, err
	}
	defer release()
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	if cfg.Android == "" {
		cfg.Android = AndroidHome
	}
	s := &Server{tail: &tail{to: cfg.Log}, done: make(chan struct{}), base: "http://127.0.0.1:" + strconv.Itoa(port)}
	// Not bound to ctx: Close ends it, and lets it end its sessions first.
	s.cmd = exec.Command(node, index, "--address", "127.0.0.1", "--port", strconv.Itoa(port), "--use-drivers=uiautomator2", "--log-no-colors", "--log-timestamp") //nolint:noctx // see above
	s.cmd.Dir = cfg.Home
	s.cmd.Env = append(append(os.Environ(), cfg.Env...), "ANDROID_HOME="+cfg.Android, "APPIUM_HOME="+cfg.Home)
	s.cmd.Stdout, s.cmd.Stderr = s.tail, s.tail
	s.cmd.WaitDelay = time.Second
	ownGroup(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, &Failure{Call: "start", Code: CodeStart, Err: err}
	}
	go func() { _ = s.cmd.Wait(); close(s.done) }() // Close waits for it
	if err := s.up(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// turn waits until one of the places to start in is free.
func turn(ctx context.Context, dir string) (release func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		for i := range startsAtOnce {
			l := flock.New(filepath.Join(dir, fmt.Sprintf("appium-start-%d.lock", i)))
			ok, err := l.TryLock()
			if err != nil {
				return nil, fmt.Errorf("appium: %w", err)
			}
			if ok {
				return func() { _ = l.Close() }, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, &Failure{Call: "start", Err: context.Cause(ctx)}
		}
	}
}

// FreePort is a port of this machine that nobody listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("appium: %w", err)
	}
	defer l.Close()
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("appium: no port")
	}
	return a.Port, nil
}

// up waits until the server answers.
func (s *Server) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startMost)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return &Failure{Call: "start", Code: CodeStart, Text: "the server ended: " + s.tail.last()}
		case <-ctx.Done():
			return &Failure{Call: "start", Code: CodeStart, Text: fmt.Sprintf("the server did not come up within %s", startMost), Err: context.Cause(ctx)}
		case <-tick.C:
		}
		if s.Healthy(ctx) {
			return nil
		}
	}
}

// Healthy says whether the server answers.
func (s *Server) Healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, statusMost)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/status", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Last is the end of what the server printed.
func (s *Server) Last() string { return s.tail.last() }

// Close ends the server and all that it started: politely first, so that it ends its sessions, then without asking.
func (s *Server) Close() error {
	askToEnd(s.cmd)
	t := time.NewTimer(endMost)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
	}
	killGroup(s.cmd) // the server, or the adb processes that it left
	<-s.done
	return nil
}
