package cli_test

import (
	"bytes"
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

	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// outside is the ledger of what was really posted.
type outside struct {
	mu    sync.Mutex
	posts []string
}

func (o *outside) Posted(account, caption string, _ simphone.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posts = append(o.posts, account+"|"+caption)
}

// A batch goes through real workers, the real adb, Appium and driver onto simulated phones: two posts, an account in trouble that is
// held, and one without a phone; nothing is left running.
func TestABatchIsPostedOnPhones(t *testing.T) {
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
	dir := t.TempDir()
	program := filepath.Join(dir, "reelpass")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "reelpass/cmd/reelpass").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	world := &outside{}
	var devices []string
	for account, s := range map[string]simgram.Scenario{"mira": {}, "lina": {Popups: []string{"rate"}}, "odo": {Trouble: simgram.Suspended}} {
		p, err := simphone.Start(simphone.Config{App: simgram.New(simgram.Config{Account: account, World: world, Upload: 300 * time.Millisecond, Scenario: s})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		devices = append(devices, account+"="+p.Address())
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("v.mp4", strings.Repeat("0123456789", 20_000))
	write("w.mp4", strings.Repeat("9876543210", 20_000))
	write("posts.csv", "account,video_path,caption\nmira,v.mp4,\"one 👋\"\nlina,v.mp4,two\nodo,v.mp4,three\nodo,w.mp4,four\nnobody,v.mp4,five\n")
	write("reelpass.yaml", fmt.Sprintf("publisher: phone\nworkers: 2\nretry_delay: 0\nphone:\n  from: devices\n  appium: %s\n  devices: [%s]\n", home, strings.Join(devices, ", ")))
	run := func(want int, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, program, args...)
		c.Dir = dir
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		err := c.Run()
		if code := c.ProcessState.ExitCode(); code != want {
			log, _ := filepath.Glob(filepath.Join(dir, ".reelpass", "logs", "*"))
			for _, l := range log {
				data, _ := os.ReadFile(l)
				t.Logf("%s: %s", l, data)
			}
			t.Fatalf("%v: %v, exit code %d: %s", args, err, code, out.String())
		}
		return out.String()
	}
	if out := run(0, "doctor"); !strings.Contains(out, "appium-uiautomator2-driver 8.7.0") || strings.Contains(out, "FAIL") {
		t.Error(out)
	}
	run(3, "run", "posts.csv")
	slices.Sort(world.posts)
	if !slices.Equal(world.posts, []string{"lina|two", "mira|one 👋"}) {
		t.Errorf("posted %q", world.posts)
	}
	if out := run(0, "jobs", "--state", "set_aside"); strings.Count(out, "set aside") != 3 || !strings.Contains(out, "suspended") || !strings.Contains(out, "not_in_geelark") {
		t.Error(out)
	}
	if out := run(0, "accounts"); !strings.Contains(out, "odo") {
		t.Error(out)
	}
	kept, _ := filepath.Glob(filepath.Join(dir, ".reelpass", "evidence", "*", "screen.png"))
	if len(kept) != 1 {
		t.Errorf("pictures that are kept: %v", kept)
	}
	left, err := exec.CommandContext(t.Context(), "pgrep", "-f", "--", dir).Output()
	if err == nil {
		t.Errorf("something still runs: %s", left)
	}
}
