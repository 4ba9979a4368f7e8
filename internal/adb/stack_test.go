package adb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reelpass/internal/adb"
	"reelpass/internal/phone"
	"reelpass/internal/simphone"
)

// blank is an app that shows nothing.
type blank struct{}

func (blank) Screen() phone.Screen           { return phone.Screen{} }
func (blank) Tap(phone.Point)                {}
func (blank) Type(phone.Point, string, bool) {}
func (blank) Press(phone.Key)                {}
func (blank) Event(simphone.Event)           {}

const secret = "pw-SECRET-7"

// client is the real adb with a server of its own.
func client(t *testing.T) *adb.Client {
	t.Helper()
	if _, err := exec.LookPath("adb"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("adb is not installed (apt-get install adb)")
		}
		t.Skip("adb is not installed (apt-get install adb)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	c := adb.New("", port)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func sim(t *testing.T, cfg simphone.Config) *simphone.Phone {
	t.Helper()
	cfg.App = blank{}
	p, err := simphone.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func code(err error) string {
	var f *adb.Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}

func silent(t *testing.T, v ...any) {
	t.Helper()
	for _, x := range v {
		if s := fmt.Sprintf("%v %+v %#v", x, x, x); strings.Contains(s, "SECRET") {
			t.Errorf("a secret is in %s", s)
		}
	}
}

func TestADeviceIsMadeReadyAndUsed(t *testing.T) {
	c := client(t)
	p := sim(t, simphone.Config{Password: secret})
	d := c.Device(p.Address(), secret)
	if v, err := c.Version(t.Context()); err != nil || v == "" {
		t.Error(v, err)
	}
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	video := filepath.Join(t.TempDir(), "it's a video.mp4")
	if err := os.WriteFile(video, make([]byte, 300_000), 0o600); err != nil {
		t.Fatal(err)
	}
	const there = "/sdcard/Download/a b.mp4"
	if err := d.Push(t.Context(), video, there); err != nil {
		t.Fatal(err)
	}
	if err := d.Scan(t.Context(), there); err != nil {
		t.Error(err)
	}
	if names, err := d.List(t.Context(), "/sdcard/Download"); err != nil || !slices.Equal(names, []string{"a b.mp4"}) {
		t.Error(names, err)
	}
	if err := d.Remove(t.Context(), there); err != nil || len(p.Files()) != 0 {
		t.Error(err, p.Files())
	}
	if picture, err := d.Picture(t.Context()); err != nil || len(picture) < 100 {
		t.Error(len(picture), err)
	}
	if ports, err := d.Forwards(t.Context()); err != nil || len(ports) != 0 {
		t.Error(ports, err)
	}
	if err := d.Unforward(t.Context(), 1); err != nil {
		t.Error(err)
	}
	p.DiskFull(true)
	if err := d.Push(t.Context(), video, there); err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Error(err)
	}
	if err := d.Push(t.Context(), "/none", there); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := d.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	if err := d.Disconnect(t.Context()); err != nil {
		t.Errorf("twice: %v", err)
	}
	silent(t, d, c)
}

// Each way in which a link was seen to fail, and what brings it back.
func TestALinkIsHealed(t *testing.T) {
	c := client(t)
	for name, fail := range map[string]func(*simphone.Phone){
		"the login ran out":        func(p *simphone.Phone) { p.Logout() },
		"cut once":                 func(p *simphone.Phone) { p.Drop() },
		"cut, and the login lost":  func(p *simphone.Phone) { p.Logout(); p.Drop() },
		"away for a moment":        func(p *simphone.Phone) { p.Down(); _ = p.Up() },
		"nothing is wrong with it": func(*simphone.Phone) {},
	} {
		t.Run(name, func(t *testing.T) {
			p := sim(t, simphone.Config{Password: secret})
			d := c.Device(p.Address(), secret)
			if err := d.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			fail(p)
			if err := d.Heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := d.Probe(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatCannotBeHealedIsTold(t *testing.T) {
	c := client(t)
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("nobody logged in", func(t *testing.T) {
		p := sim(t, simphone.Config{Password: secret})
		err := c.Device(p.Address(), "").Ready(t.Context())
		if code(err) != adb.CodeLogin {
			t.Error(err)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		p := sim(t, simphone.Config{Password: secret})
		err := c.Device(p.Address(), "no-SECRET-either").Ready(t.Context())
		if code(err) != adb.CodeLogin {
			t.Error(err)
		}
		silent(t, err)
	})
	t.Run("gone", func(t *testing.T) {
		p := sim(t, simphone.Config{})
		d := c.Device(p.Address(), "")
		if err := d.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Down()
		if err := d.Heal(short(t)); err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if s, err := d.State(t.Context()); s == "device" || err != nil {
			t.Error(s, err)
		}
	})
	t.Run("frozen", func(t *testing.T) {
		p := sim(t, simphone.Config{})
		d := c.Device(p.Address(), "")
		if err := d.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Freeze()
		began := time.Now()
		if err := d.Probe(short(t)); err == nil || time.Since(began) > 10*time.Second {
			t.Error(err, time.Since(began))
		}
		p.Thaw()
	})
	t.Run("no program", func(t *testing.T) {
		for _, path := range []string{"/nowhere/adb", "adb-that-nobody-has"} {
			for _, serial := range []string{"x:1", "emulator-5554"} {
				if err := adb.New(path, 1).Device(serial, "").Ready(t.Context()); code(err) != adb.CodeNoProgram {
					t.Error(path, serial, err)
				}
			}
		}
	})
}

// A login that lasts for a moment only is kept by the ticks of a clock.
func TestALoginIsKept(t *testing.T) {
	c := client(t)
	now := make(chan time.Time, 1)
	now <- time.Now()
	clock := func() time.Time { t := <-now; now <- t; return t }
	p := sim(t, simphone.Config{Password: secret, Life: 10 * time.Minute, Clock: clock})
	d := c.Device(p.Address(), secret)
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ticks, ended := make(chan time.Time), make(chan struct{})
	go func() { defer close(ended); d.Keep(ctx, ticks) }()
	for range 4 {
		at := <-now
		now <- at.Add(adb.KeepEvery)
		ticks <- time.Time{}
	}
	ticks <- time.Time{} // the fourth has been attended to
	if err := d.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
	at := <-now
	now <- at.Add(11 * time.Minute)
	if err := d.Probe(t.Context()); code(err) != adb.CodeLogin {
		t.Errorf("without the ticks: %v", err)
	}
}
