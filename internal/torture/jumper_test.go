//go:build linux

package torture_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"reelpass/internal/torture/testdata/jump"
)

// jumper builds the program with a clock that may be set while it runs.
func jumper(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	files, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	reads, other := regexp.MustCompile(`\btime\.(Now\b|Since\()`), regexp.MustCompile(`\btime\.[A-Z]`)
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "../torture/") || !reads.Match(source) {
			continue
		}
		text := reads.ReplaceAllString(string(source), "jump.$1")
		text = strings.Replace(text, "import (\n", "import (\n\t\"reelpass/internal/torture/testdata/jump\"\n", 1)
		if !other.MatchString(text) {
			text = strings.Replace(text, "\t\"time\"\n", "", 1)
		}
		replace[name] = text
	}
	path := filepath.Join(dir, "reelpass")
	lay(t, path, replace)
	return path
}

// lay builds the program with other texts of some of its files laid over it, so that nothing in the program itself has to know of it.
func lay(t *testing.T, to string, texts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range texts {
		file, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		replace[file] = changed
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, to, "-overlay", filepath.Join(dir, "overlay.json"), "../../cmd/reelpass")
}

// A clock that is set moves and nothing else does: what is measured by the monotonic clock stays right.
func TestJumpedClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv("TORTURE_CLOCK", file)
	for _, by := range []time.Duration{-7 * time.Hour, 3 * time.Hour} {
		before := jump.Now()
		if err := os.WriteFile(file, []byte(strconv.Itoa(int(by.Seconds()))), 0o644); err != nil {
			t.Fatal(err)
		}
		after := jump.Now()
		if wall := after.Round(0).Sub(time.Now().Round(0)) - by; wall.Abs() > time.Second {
			t.Errorf("set by %s it is wrong by %s more", by, wall)
		}
		if d := after.Sub(before); d < 0 || d > time.Second {
			t.Errorf("%s went by", d)
		}
	}
}
