//go:build linux

package torture_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// host is a machine as far as processes can tell: its own pid namespace with its own /proc and name, and its own network
// where one is wanted. Nobody on it can see or kill what runs on another.
type host struct {
	name string
	init *exec.Cmd // the first process; the machine ends with it
	life io.Closer // closed: the first process ends
	fd   int       // holds the first process

	starts chan func() // what its thread is to do
}

// privileged says that namespaces may be made and disks mounted here, as root may who is not confined. In CI it is an error where they may
// not, so that nothing is left out unseen.
func privileged(t *testing.T) bool {
	t.Helper()
	probe := exec.Command("true")
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET}
	err := probe.Run()
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("namespaces are needed in CI: %v", err)
	}
	return err == nil
}

// machine starts a host. Without the right to, the test is skipped, and says so.
func machine(t *testing.T, name string, network bool) *host {
	t.Helper()
	if !privileged(t) {
		t.Skip("several machines on one need namespaces: run it as root, outside of a container")
	}
	h := &host{name: name, init: exec.Command(self(t)), starts: make(chan func())}
	flags := uintptr(unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS)
	if network {
		flags |= unix.CLONE_NEWNET
	}
	h.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, PidFD: &h.fd}
	h.init.Env = append(clean(os.Environ()), envPlay+"=host", "TORTURE_HOST="+name)
	h.init.Stderr = os.Stderr
	life, err := h.init.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := h.init.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.init.Start(); err != nil {
		t.Fatalf("start a machine: %v", err)
	}
	h.life = life
	t.Cleanup(func() {
		_ = h.life.Close()
		_ = h.init.Wait()
		_ = unix.Close(h.fd)
	})
	if said, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
		t.Fatalf("machine %s did not come up: %q %v", name, said, err)
	}
	entered := make(chan error)
	go h.enter(entered)
	t.Cleanup(func() { close(h.starts) })
	if err := <-entered; err != nil {
		t.Fatalf("enter machine %s: %v", name, err)
	}
	return h
}

// beHost is the first process of a host: it makes the machine's surroundings and buries its dead until nobody needs it.
func beHost() error {
	var dead unix.WaitStatus
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts of its own: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("a /proc of its own: %w", err)
	}
	if err := unix.Sethostname([]byte(os.Getenv("TORTURE_HOST"))); err != nil {
		return fmt.Errorf("a name of its own: %w", err)
	}
	died, over := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	fmt.Println("up")
	for {
		select {
		case <-over:
			return nil
		case <-died:
			for {
				if pid, err := unix.Wait4(-1, &dead, unix.WNOHANG, nil); err != nil || pid == 0 {
					break
				}
			}
		}
	}
}

// start starts a program on the host; on no host it is started right here.
func (h *host) start(c *exec.Cmd) error {
	if h == nil {
		return c.Start()
	}
	done := make(chan error)
	h.starts <- func() { done <- c.Start() }
	return <-done
}

// enter starts programs on the host until there is nothing more to start. Its thread is on the host and of no use to others, so it
// ends with this goroutine. It is one thread for the host's whole life: one taken for each start might be one that a server was
// started from before, and the end of that thread is the end of the server (Pdeathsig).
func (h *host) enter(entered chan<- error) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_FS)
	if err == nil {
		err = unix.Setns(h.fd, unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWNET)
	}
	entered <- err
	for start := range h.starts {
		start()
	}
}

func (h *host) String() string {
	if h == nil {
		return "here"
	}
	return h.name
}
