package simphone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"reelpass/internal/phone"
)

// Size of the screen in pixels.
const (
	Width  = 720
	Height = 1280
)

// App is what the screen shows and what a finger does there. It is used by one goroutine at a time.
type App interface {
	// Screen is what is shown now, with whole resource ids.
	Screen() phone.Screen
	Tap(at phone.Point)
	// Type puts text into the field at a place, in the place of what is there or behind it.
	Type(at phone.Point, text string, replace bool)
	Press(k phone.Key)
	// Event tells what happens beside the screen.
	Event(e Event)
}

// Event is what happens to an app beside its screen.
type Event struct {
	Kind    EventKind
	Package string // of Launched and Stopped
	File    File   // of MediaAdded
}

// EventKind is a kind of event.
type EventKind string

// The events.
const (
	Launched   EventKind = "launched"
	Stopped    EventKind = "stopped"
	MediaAdded EventKind = "media_added" // a file is known to the gallery from now on
	MediaGone  EventKind = "media_gone"
)

// File is a file on the phone. Its content is not kept, but for small ones.
type File struct {
	Path    string
	Size    int64
	SHA256  string // hex
	Changed time.Time
	content []byte // of files up to keepContent
	scanned bool
}

// Config says what phone it is.
type Config struct {
	App      App
	Name     string        // serial number, ro.serialno
	Password string        // glogin's; empty: no login is asked for
	Life     time.Duration // of a login; 0: it lasts
	Latency  time.Duration // of each shell command and each call of the UiAutomator2 server
	Address  string        // where it listens; 127.0.0.1 with any port where empty
	Clock    func() time.Time
}

// Phone is a running phone.
type Phone struct {
	cfg     Config
	address string
	stop    context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]bool
	files    map[string]*File
	packages map[string]bool // installed beside what every phone has
	login    time.Time       // until when it lasts; zero: not logged in
	server   *server         // UiAutomator2's, while it runs
	faults   faults
	front    string // package in front
}

// Start lets a phone run. Close ends it.
func Start(cfg Config) (*Phone, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	if cfg.Name == "" {
		cfg.Name = "sim"
	}
	p := &Phone{cfg: cfg, conns: map[*conn]bool{}, files: map[string]*File{}, packages: map[string]bool{}, front: launcher}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.faults.thawed = closed()
	if err := p.listen(cfg.Address); err != nil {
		return nil, err
	}
	return p, nil
}

// Address is where adb connects to.
func (p *Phone) Address() string { return p.address }

func (p *Phone) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("simulated phone: %w", err)
	}
	p.mu.Lock()
	p.listener, p.address = l, l.Addr().String()
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(c)
		}
	})
	return nil
}

func (p *Phone) serve(c net.Conn) {
	a := newConn(p, c)
	p.mu.Lock()
	if p.ctx.Err() != nil {
		p.mu.Unlock()
		_ = c.Close()
		return
	}
	p.conns[a] = true
	p.mu.Unlock()
	p.wg.Go(func() {
		a.run()
		p.mu.Lock()
		delete(p.conns, a)
		p.mu.Unlock()
	})
}

// Close ends the phone and waits until nothing of it runs.
func (p *Phone) Close() error {
	p.stop()
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	var err error
	if l != nil {
		err = l.Close()
	}
	p.Drop()
	p.KillServer()
	p.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// wait lets time pass, unless the phone ends. It says whether it still runs.
func (p *Phone) wait(d time.Duration) bool {
	if d <= 0 {
		return p.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// app does something with the app.
func (p *Phone) app(do func(App)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(p.cfg.App)
}

// Screen is what the phone shows.
func (p *Phone) Screen() (s phone.Screen) {
	p.app(func(a App) { s = a.Screen() })
	return s
}

// launch puts an app in front.
func (p *Phone) launch(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.front = name
	p.cfg.App.Event(Event{Kind: Launched, Package: name})
}

func (p *Phone) kill(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.front == name {
		p.front = launcher
	}
	p.cfg.App.Event(Event{Kind: Stopped, Package: name})
}

// loggedIn says whether the shell answers.
func (p *Phone) loggedIn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Password == "" || p.cfg.Clock().Before(p.login)
}

func (p *Phone) logIn(password string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if password != p.cfg.Password {
		return false
	}
	life := p.cfg.Life
	if life == 0 {
		life = 100 * 365 * 24 * time.Hour
	}
	p.login = p.cfg.Clock().Add(life)
	return true
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
