package ledger

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

func serverStore(t *testing.T, through func(address string) string) *Store {
	t.Helper()
	store, _ := serverAndStore(t, through)
	return store
}

func serverAndStore(t *testing.T, through func(address string) string, settings ...string) (*Store, *postgrestest.Server) {
	t.Helper()
	s, err := postgrestest.Start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	address, err := s.Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if through != nil {
		address = through(address)
	}
	store, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, s
}

// A writer that hangs within a transaction is cut off by the server, and the next one goes on. The late one has lost.
func TestAHangingWriterKeepsNobodyOut(t *testing.T) {
	s := serverStore(t, nil)
	hung := newServerLink(s.writer.conn.(*serverLink).config, nil)
	t.Cleanup(func() { _ = hung.close() })
	if _, err := hung.begin(true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := hung.exec(unforeseen, "", `INSERT INTO account(name) VALUES(?)`, "late"); err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	if err := s.do(add("next")); err != nil || time.Since(asked) > patience+5*time.Second {
		t.Errorf("%v after %s", err, time.Since(asked))
	}
	if err := hung.end(true); err == nil {
		t.Error("a transaction that was cut off was committed")
	}
	if got := accounts(t, s); got != "next" {
		t.Errorf("accounts %q", got)
	}
}

// mouth is a way to a server that can lose a COMMIT, before it arrives or with its answer.
type mouth struct {
	server       string
	before       func()       // called when the next COMMIT that is swallowed is on its way
	swallow      atomic.Bool  // the next COMMIT does not arrive
	forget       atomic.Bool  // the next COMMIT arrives, its answer does not
	left         atomic.Int32 // answers until a connection is torn, where it is not 0
	lost, dialed atomic.Int32
}

func (m *mouth) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.dialed.Add(1)
			go m.pass(c)
		}
	}()
	return l.Addr().String()
}

func (m *mouth) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", m.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var deaf, silent atomic.Bool
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if silent.Load() { // the client hears nothing of the server's end
				return
			}
			if deaf.Load() || err != nil {
				_ = client.Close()
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
			if m.left.Load() > 0 && m.left.Add(-1) == 0 {
				_ = client.(*net.TCPConn).SetLinger(0)
				_ = client.Close()
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			if m.swallow.CompareAndSwap(true, false) {
				m.lost.Add(1)
				if m.before != nil {
					silent.Store(true)
					m.before()
				}
				return
			}
			if m.forget.CompareAndSwap(true, false) {
				m.lost.Add(1)
				deaf.Store(true)
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// A commit whose fate the network hides is found out: what happened is not repeated, and what did not happen is.
func TestALostCommitIsFoundOut(t *testing.T) {
	m := &mouth{}
	s := serverStore(t, func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		m.server = u.Host
		u.Host = m.listen(t)
		return u.String() + "&default_query_exec_mode=exec" // else COMMIT is sent once, as a prepared statement
	})
	for name, lose := range map[string]*atomic.Bool{"a": &m.swallow, "b": &m.forget, "c": &m.swallow, "d": &m.forget} {
		times := 0
		lose.Store(true)
		err := s.do(func(t *tx) error { times++; return add(name)(t) })
		want := map[bool]int{true: 2, false: 1}[lose == &m.swallow]
		if err != nil || times != want {
			t.Errorf("%s: %v, carried out %d times, want %d", name, err, times, want)
		}
	}
	if got := accounts(t, s); got != "a b c d" || m.lost.Load() != 4 {
		t.Errorf("accounts %q after %d losses", got, m.lost.Load())
	}
	m.forget.Store(true) // an import is not repeated, and known to be there
	rep, err := s.Import(context.Background(), "b", func(yield func(reel.Post, error) bool) {
		yield(reel.Post{Job: reel.Job{ID: "1", Account: "e", VideoPath: "/v"}}, nil)
	})
	if err != nil || rep.Added != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
	m.swallow.Store(true) // one that did not happen is told so: its reader can be read only once
	if _, err = s.Import(context.Background(), "c", func(yield func(reel.Post, error) bool) {
		yield(reel.Post{Job: reel.Job{ID: "1", Account: "e", VideoPath: "/v"}}, nil)
	}); err == nil {
		t.Error("an import that did not happen was told as done")
	}
	if st, err := s.Batches(t.Context()); err != nil || len(st) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

// A way to the server that is torn while a ledger is opened, whenever it is, is told as such, or made anew.
func TestATornWayWhileOpeningIsToldAsSuch(t *testing.T) {
	m := &mouth{}
	var address string
	serverStore(t, func(a string) string {
		u, err := url.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		m.server = u.Host
		u.Host = m.listen(t)
		address = u.String()
		return address
	})
	torn := 0
	for n := range int32(40) {
		m.left.Store(n + 1)
		s, err := Open(t.Context(), address, Options{})
		if m.left.Swap(0) == 0 {
			torn++
		}
		var file *FileError
		switch {
		case err == nil:
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		case !errors.As(err, &file) || file.Kind != Unreachable:
			t.Errorf("torn after answer %d: %v", n+1, err)
		}
	}
	if torn < 5 {
		t.Errorf("torn %d times", torn)
	}
}

// The server crashes before a commit reaches the disk, and another writer goes on with the same transaction's number: what the first
// one wanted did not happen, and is not taken for done.
func TestACrashBeforeTheCommitIsNotTakenForOne(t *testing.T) {
	m := &mouth{}
	address := ""
	s, server := serverAndStore(t, func(a string) string {
		u, err := url.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		address, m.server = a, u.Host
		u.Host = m.listen(t)
		return u.String() + "&default_query_exec_mode=exec" // else COMMIT is sent once, as a prepared statement
	}, "fsync=on")
	if err := s.do(add("first")); err != nil {
		t.Fatal(err)
	}
	m.before = func() {
		if err := errors.Join(server.Down(syscall.SIGQUIT), server.Up()); err != nil {
			t.Error(err)
			return
		}
		other, err := Open(context.Background(), address, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		if err := errors.Join(other.do(add("other")), other.Close()); err != nil {
			t.Error(err)
		}
	}
	m.swallow.Store(true)
	times := 0
	if err := s.do(func(t *tx) error { times++; return add("mine")(t) }); err != nil || times != 2 {
		t.Errorf("%v, carried out %d times", err, times)
	}
	for s.read.PingContext(t.Context()) != nil { // the readers' connections did not outlive the crash either
	}
	if got := accounts(t, s); got != "first mine other" {
		t.Errorf("accounts %q", got)
	}
}

// Whoever has waited for its turn sees what was committed meanwhile, whatever the server's default.
func TestATurnSeesTheOneBefore(t *testing.T) {
	s := serverStore(t, nil)
	config := s.writer.conn.(*serverLink).config
	config.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	config.RuntimeParams["default_transaction_read_only"] = "on"
	a, b := newServerLink(config, nil), newServerLink(config, nil)
	if _, err := a.begin(true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.exec(unforeseen, "", `INSERT INTO account(name) VALUES(?)`, "a"); err != nil {
		t.Fatal(err)
	}
	began := make(chan error)
	go func() { _, err := b.begin(true, nil); began <- err }()
	for waiting := 0; waiting == 0; {
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.end(true), <-began); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := rowOf(b, `SELECT count(*) FROM account`, nil, &n); err != nil || n != 1 {
		t.Errorf("%d accounts (%v)", n, err)
	}
	if err := errors.Join(b.end(false), a.close(), b.close()); err != nil {
		t.Error(err)
	}
}

// A server that is not there is waited for once, however many wait.
func TestOneWaitForAll(t *testing.T) {
	s, server := serverAndStore(t, nil)
	if err := server.Down(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	for _, err := range grouped(t, s, add("a"), add("b"), add("c"), add("d")) {
		if err == nil || time.Since(asked) > 2*patience {
			t.Errorf("%v after %s", err, time.Since(asked))
		}
	}
}
