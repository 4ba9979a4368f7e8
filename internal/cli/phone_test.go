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

// appiumHome is the folder with the pinned npm packages. The test is skipped where the real tools are missing, but not in CI.
func appiumHome(t *testing.T) string {
	t.Helper()
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
	return home
}

// build builds the program into a folder.
func build(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "reelpass")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "reelpass/cmd/reelpass").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// A batch goes through real workers, the real adb, Appium and driver onto simulated phones: two posts, an account in trouble that is
// held, and one without a phone; nothing is left running.
func TestABatchIsPostedOnPhones(t *testing.T) {
	home := appiumHome(t)
	dir := t.TempDir()
	program := build(t, dir)
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

// The same through the vendor's API: the farm in a box. What a seed draws takes minutes, and is left to people.
func TestSimulate(t *testing.T) {
	home := appiumHome(t)
	dir := t.TempDir()
	program := build(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "v.mp4"), []byte(strings.Repeat("v", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	const rows = "account,video_path,caption\nsim-1,v.mp4,one\nsim-2,v.mp4,two\nsim-3,v.mp4,three\n"
	if err := os.WriteFile(filepath.Join(dir, "posts.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "simulate", "--phones", "2", "--boot", "0s", "--json", "--",
		"reelpass", "run", "posts.csv", "--workers", "3", "--retry-delay", "0", "--json")
	c.Dir = dir
	c.Env = append(os.Environ(), "REELPASS_PHONE_APPIUM="+home)
	out, err := c.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	if code := c.ProcessState.ExitCode(); code != 3 || !strings.Contains(last, `"posts":2,"doubles":null,"running":null`) { // there is no sim-3
		t.Errorf("%v, exit code %d: %s", err, code, last)
	}
	if strings.Contains(string(out), "sim-login") {
		t.Error("a phone's password is told")
	}
}
