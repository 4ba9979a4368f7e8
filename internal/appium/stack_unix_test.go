//go:build unix

package appium

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/adb"
	"reelpass/internal/phone"
	"reelpass/internal/simphone"
)

// form is an app with two fields of the same id and a button.
type form struct {
	fields [2]string
	taps   int
	events []simphone.EventKind
	keys   []phone.Key
}

const pkg = "com.instagram.android"

func box(y int) phone.Rect { return phone.Rect{X1: 20, Y1: y, X2: 700, Y2: y + 80} }

func (f *form) Screen() phone.Screen {
	return phone.Screen{Nodes: []phone.Node{
		{ID: pkg + ":id/field", Class: "android.widget.EditText", Package: pkg, Text: f.fields[0], Bounds: box(100)},
		{ID: pkg + ":id/field", Class: "android.widget.EditText", Package: pkg, Text: f.fields[1], Bounds: box(200)},
		{Class: "android.widget.Button", Package: pkg, Desc: "Go", Bounds: box(300), Clickable: true},
	}}
}

func (f *form) Tap(at phone.Point) {
	if at == box(300).Center() {
		f.taps++
	}
}

func (f *form) Type(at phone.Point, text string, replace bool) {
	i := 0
	if at.Y > 190 {
		i = 1
	}
	if replace {
		f.fields[i] = ""
	}
	f.fields[i] += text
}
func (f *form) Press(k phone.Key)      { f.keys = append(f.keys, k) }
func (f *form) Event(e simphone.Event) { f.events = append(f.events, e.Kind) }

// home is the folder with the pinned npm packages.
func home(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "tools", "appium"))
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "appium"))
	}
	_, noADB := exec.LookPath("adb")
	if err = errors.Join(err, noADB); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the stack is not installed: ", err)
		}
		t.Skip("the stack is not installed (apt-get install adb; npm ci --ignore-scripts in tools/appium): ", err)
	}
	return dir
}

// stack is a real adb server, and a real Appium server.
type stack struct {
	t      *testing.T
	home   string
	adb    *adb.Client
	server *Server
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{t: t, home: home(t)}
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s.adb = adb.New("", port)
	if err := s.adb.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.adb.Stop(context.Background()) })
	s.server = s.start()
	return s
}

func (s *stack) start() *Server {
	s.t.Helper()
	server, err := Start(s.t.Context(), Config{Home: s.home, Locks: s.t.TempDir()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return server
}

// phone is a simulated phone that adb has made ready.
func (s *stack) phone(t *testing.T, password string) (*simphone.Phone, *form, *adb.Device) {
	t.Helper()
	f := &form{}
	p, err := simphone.Start(simphone.Config{App: f, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	d := s.adb.Device(p.Address(), password)
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Disconnect(context.Background()) })
	return p, f, d
}

func (s *stack) target(t *testing.T, d *adb.Device) Target {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return Target{Serial: d.Serial(), ADBPort: s.adb.Port(), SystemPort: port, Prepared: true}
}

func (s *stack) begin(t *testing.T, d *adb.Device) *Session {
	t.Helper()
	n, err := s.server.Begin(t.Context(), s.target(t, d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.End(context.Background()) })
	return n
}

func TestStack(t *testing.T) {
	s := newStack(t)
	short := func(t *testing.T, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}

	t.Run("a phone is driven", func(t *testing.T) {
		p, f, d := s.phone(t, "pw")
		n := s.begin(t, d)
		screen, err := n.Screen(t.Context())
		if err != nil || len(screen.Nodes) != 3 {
			t.Fatal(err, screen)
		}
		const text = "Grüße 👋\n#linen & \"more\""
		if err := n.Type(t.Context(), screen.Nodes[1], "first"); err != nil {
			t.Fatal(err)
		}
		if err := n.Type(t.Context(), screen.Nodes[1], text); err != nil {
			t.Fatal(err)
		}
		if err := n.Tap(t.Context(), screen.Nodes[2].Bounds.Center()); err != nil {
			t.Fatal(err)
		}
		if err := n.Press(t.Context(), phone.KeyBack); err != nil {
			t.Fatal(err)
		}
		if err := n.Open(t.Context(), pkg); err != nil {
			t.Fatal(err)
		}
		if err := n.Shut(t.Context(), pkg); err != nil {
			t.Fatal(err)
		}
		if picture, err := n.Picture(t.Context()); err != nil || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
			t.Error(len(picture), err)
		}
		if screen, err = n.Screen(t.Context()); err != nil || screen.Nodes[1].Text != text {
			t.Errorf("%v %+v", err, screen)
		}
		n.End(t.Context())
		if ports, err := d.Forwards(t.Context()); err != nil || len(ports) > 0 {
			t.Errorf("forwards are left: %v %v", ports, err)
		}
		if _, err := n.Screen(t.Context()); !Lost(err) {
			t.Errorf("a session that has ended: %v", err)
		}
		_ = p.Close()
		if f.fields[0] != "" || f.taps != 1 || len(f.keys) != 1 || f.keys[0] != phone.KeyBack {
			t.Errorf("%+v", f)
		}
	})

	// Each fault that ends a session for ever; the phone made ready again takes another one.
	for name, fail := range map[string]func(p *simphone.Phone){
		"the link is cut once":       func(p *simphone.Phone) { p.Drop() },
		"the server on it dies":      func(p *simphone.Phone) { p.KillServer() },
		"its port refuses, for good": func(p *simphone.Phone) { p.RefuseServer(true) },
		"the phone is away for long": func(p *simphone.Phone) { p.Down(); _ = p.Up() },
	} {
		t.Run(name, func(t *testing.T) {
			p, _, d := s.phone(t, "")
			n := s.begin(t, d)
			fail(p)
			if _, err := n.Screen(t.Context()); !Lost(err) {
				t.Fatalf("not known as lost: %v", err)
			}
			n.End(short(t, 10*time.Second))
			p.RefuseServer(false)
			if err := d.Heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.begin(t, d).Screen(t.Context()); err != nil {
				t.Errorf("another session: %v", err)
			}
		})
	}

	t.Run("one cut connection is nothing, or known as lost", func(t *testing.T) {
		p, _, d := s.phone(t, "")
		n := s.begin(t, d)
		p.CutServer()
		if _, err := n.Screen(t.Context()); err != nil && !Lost(err) { // the driver may have noticed, or be on its way
			t.Error(err)
		}
	})

	t.Run("a server that answers nothing", func(t *testing.T) {
		p, _, d := s.phone(t, "")
		n := s.begin(t, d)
		p.HangServer(true)
		began := time.Now()
		_, err := n.Screen(short(t, time.Second))
		if !Lost(err) || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		p.HangServer(false)
	})

	t.Run("nobody is logged in", func(t *testing.T) {
		p, _, d := s.phone(t, "pw")
		p.Logout()
		_, err := s.server.Begin(t.Context(), s.target(t, d))
		if err == nil || !strings.Contains(err.Error(), "you should run glogin to login first") {
			t.Error(err)
		}
	})

	t.Run("a phone that adb does not know", func(t *testing.T) {
		s.phone(t, "") // without any, Appium waits for one
		_, err := s.server.Begin(t.Context(), s.target(t, s.adb.Device("127.0.0.1:1", "")))
		if err == nil || !strings.Contains(err.Error(), "was not in the list of connected devices") {
			t.Error(err)
		}
	})

	t.Run("another server takes the phone", func(t *testing.T) {
		_, _, d := s.phone(t, "")
		n := s.begin(t, d)
		other := &stack{t: t, home: s.home, adb: s.adb}
		other.server = other.start()
		other.begin(t, d)
		if _, err := n.Screen(t.Context()); !Lost(err) {
			t.Errorf("not known as lost: %v", err)
		}
	})

	t.Run("the server is killed", func(t *testing.T) {
		_, _, d := s.phone(t, "")
		other := &stack{t: t, home: s.home, adb: s.adb}
		other.server = other.start()
		at := s.target(t, d)
		n, err := other.server.Begin(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		_ = other.server.cmd.Process.Kill()
		<-other.server.done
		if _, err := n.Screen(t.Context()); !Lost(err) {
			t.Errorf("not known as lost: %v", err)
		}
		if err := other.server.Close(); err != nil {
			t.Error(err)
		}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		late := short(t, 10*time.Second)
		for !errors.Is(syscall.Kill(-other.server.cmd.Process.Pid, 0), syscall.ESRCH) { // whoever reaps them may take a moment
			select {
			case <-tick.C:
			case <-late.Done():
				t.Fatal("something of it still runs")
			}
		}
		if ports, _ := d.Forwards(t.Context()); len(ports) != 1 || ports[0] != at.SystemPort {
			t.Errorf("what is left behind: %v", ports)
		}
		if err := d.Unforward(t.Context(), at.SystemPort); err != nil {
			t.Fatal(err)
		}
		n, err = s.server.Begin(t.Context(), at) // the same port
		if err != nil {
			t.Fatal(err)
		}
		n.End(t.Context())
	})
}

func TestAServerThatCannotStart(t *testing.T) {
	for name, c := range map[string]struct{ cfg, code string }{
		"no node":   {"node-that-nobody-has", CodeMissing},
		"no Appium": {"", CodeMissing},
	} {
		_, err := Start(t.Context(), Config{Node: c.cfg, Home: t.TempDir()})
		var f *Failure
		if !errors.As(err, &f) || f.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "node_modules", "appium"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "node_modules", "appium", "index.js"), []byte("console.error('Fatal: nothing works'); process.exit(1)"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	if _, err := Start(t.Context(), Config{Home: dir}); err == nil || !strings.Contains(err.Error(), "Fatal: nothing works") {
		t.Error(err)
	}
}

// What the server answers is taken apart whatever it is.
func FuzzRead(f *testing.F) {
	f.Add(200, []byte(`{"value":"x"}`))
	f.Add(500, []byte(`{"value":{"error":"unknown error","message":"no","stacktrace":""}}`))
	f.Add(404, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, data []byte) {
		var out string
		if err := read("GET /x", status, data, &out); err == nil && status >= http.StatusBadRequest {
			t.Error("a refusal is no answer")
		}
	})
}
