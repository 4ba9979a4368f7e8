//go:build linux

package torture_test

import (
	"net"
	"sync"
	"testing"
	"time"
)

// line is a machine's way to the server, which can be cut. It is written here because the known ones (toxiproxy) bring a web
// server, metrics and a command line with them for what are sixty lines.
type line struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	open   *sync.Cond // of mu: silent has changed
	silent bool       // nothing passes, not even an end
	delay  time.Duration
	conns  map[net.Conn]bool
	over   bool
}

func newLine(t *testing.T, server string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, server: server, conns: map[net.Conn]bool{}}
	l.open = sync.NewCond(&l.mu)
	go func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
	return l
}

func (l *line) close() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.silence(false)
	l.reset()
}

// silence makes the line a black hole, or mends it: what was sent meanwhile arrives then.
func (l *line) silence(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = on
	l.open.Broadcast()
}

// slow delays everything on the line, each way.
func (l *line) slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// reset tears all connections.
func (l *line) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

// pass waits until something may pass.
func (l *line) pass() {
	l.mu.Lock()
	for l.silent {
		l.open.Wait()
	}
	d := l.delay
	l.mu.Unlock()
	if d > 0 {
		<-time.After(d)
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.silent {
			l.open.Wait()
		}
	}
}

func (l *line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	return !l.over
}

func (l *line) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close()
}

func (l *line) carry(client net.Conn) {
	defer l.leave(client)
	if !l.keep(client) {
		return
	}
	l.pass()
	server, err := net.Dial("tcp", l.server)
	if err != nil { // nobody is there: that is a reset, and no polite end
		_ = client.(*net.TCPConn).SetLinger(0)
		return
	}
	defer l.leave(server)
	if !l.keep(server) {
		return
	}
	var both sync.WaitGroup
	pump := func(to, from net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			l.pass()
			if n > 0 {
				if _, errTo := to.Write(buf[:n]); errTo != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { pump(server, client) })
	both.Go(func() { pump(client, server) })
	both.Wait()
}
