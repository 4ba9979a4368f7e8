//go:build unix

package instagram_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/adb"
	"reelpass/internal/appium"
	"reelpass/internal/instagram"
	"reelpass/internal/reel"
	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// driven is a phone behind a real Appium session.
type driven struct{ *appium.Session }

func (d driven) Open(ctx context.Context, anew bool) error {
	if anew {
		if err := d.Shut(ctx, instagram.Instagram); err != nil {
			return err
		}
	}
	return d.Session.Open(ctx, instagram.Instagram)
}

// safe is a world that phones tell side by side.
type safe struct {
	mu sync.Mutex
	world
}

func (s *safe) Posted(account, caption string, v simphone.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.Posted(account, caption, v)
}

// A reel goes from a file to a proven post through the real adb, the real Appium server and its real driver, on three simulated phones
// of other languages side by side.
func TestAReelIsPostedThroughTheRealStack(t *testing.T) {
	home, err := filepath.Abs(filepath.Join("..", "..", "tools", "appium"))
	if err == nil {
		_, err = os.Stat(filepath.Join(home, "node_modules", "appium"))
	}
	if _, noADB := exec.LookPath("adb"); errors.Join(err, noADB) != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the stack is not installed: ", err, noADB)
		}
		t.Skip("the stack is not installed (apt-get install adb; npm ci --ignore-scripts in tools/appium)")
	}
	port, err := appium.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	bridge := adb.New("", port)
	if err := bridge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bridge.Stop(context.Background()) })
	server, err := appium.Start(t.Context(), appium.Config{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })

	video := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(video, make([]byte, 1_200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := &safe{}
	var phones sync.WaitGroup
	for i, language := range []string{"en", "es", "de"} {
		account := fmt.Sprintf("acc-%d", i)
		phones.Go(func() {
			if err := post(t, bridge, server, outside, account, language, video); err != nil {
				t.Errorf("%s: %v", language, err)
			}
		})
	}
	phones.Wait()
	slices.Sort(outside.posts)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprintf("acc-%d|%s|/sdcard/Download/clip.mp4", i, caption))
	}
	if !slices.Equal(outside.posts, want) {
		t.Errorf("posted %q", outside.posts)
	}
}

func post(t *testing.T, bridge *adb.Client, server *appium.Server, w simgram.World, account, language, video string) error {
	app := simgram.New(simgram.Config{
		Account: account, Language: language, Upload: 300 * time.Millisecond, World: w, Scenario: simgram.Scenario{Popups: []string{"rate"}},
	})
	p, err := simphone.Start(simphone.Config{App: app, Password: "pw-" + account, Latency: 2 * time.Millisecond})
	if err != nil {
		return err
	}
	defer p.Close()
	d := bridge.Device(p.Address(), "pw-"+account)
	if err := d.Ready(t.Context()); err != nil {
		return err
	}
	const there = "/sdcard/Download/clip.mp4"
	if err := errors.Join(d.Push(t.Context(), video, there), d.Scan(t.Context(), there)); err != nil {
		return err
	}
	system, err := appium.FreePort()
	if err != nil {
		return err
	}
	session, err := server.Begin(t.Context(), appium.Target{Serial: d.Serial(), ADBPort: bridge.Port(), SystemPort: system, Prepared: true})
	if err != nil {
		return err
	}
	defer session.End(context.Background())
	var steps []string
	poster := instagram.NewPoster(func(ctx context.Context) error { return context.Cause(ctx) }, nil)
	r, _ := poster.Post(t.Context(), driven{session}, instagram.Post{Me: account, Caption: caption, Length: simgram.Length(1_200_000)}, reel.Desk{
		Step: func(s string) { steps = append(steps, s) }, Share: func(context.Context) bool { return true },
	})
	if !r.Posted {
		return fmt.Errorf("%+v, steps %s", r.Evidence, strings.Join(steps, ", "))
	}
	return nil
}
