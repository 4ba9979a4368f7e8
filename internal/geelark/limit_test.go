package geelark_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/geelark"
)

// counting lets everything through and counts.
type counting struct {
	taken  int
	closed []string
}

func (c *counting) Take(context.Context) error { c.taken++; return nil }
func (c *counting) Close(_ context.Context, d time.Duration) error {
	c.closed = append(c.closed, d.String())
	return nil
}

// Several processes that share a credential share its limit: beyond what may come at once, three calls a second.
func TestProcessesShareALimit(t *testing.T) {
	if dir := os.Getenv("REELPASS_TEST_LIMIT"); dir != "" {
		l := geelark.NewFileLimit(dir, token)
		for range 8 {
			if err := l.Take(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	dir := t.TempDir()
	began := time.Now()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesShareALimit$")
			c.Env = append(os.Environ(), "REELPASS_TEST_LIMIT="+dir)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	// 24 calls: 15 at once (and one whose time has come), 8 at a third of a second each.
	if took := time.Since(began); took < 8*time.Minute/180-50*time.Millisecond {
		t.Errorf("24 calls took only %s", took)
	}
}

func TestAClosedLimit(t *testing.T) {
	dir := t.TempDir()
	one, other, another := geelark.NewFileLimit(dir, token), geelark.NewFileLimit(dir, token), geelark.NewFileLimit(dir, "else")
	if err := one.Close(t.Context(), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := other.Take(t.Context()); err == nil || !strings.Contains(err.Error(), "lets no call through for 2h0m0s") {
		t.Errorf("the same credential: %v", err)
	}
	if err := another.Take(t.Context()); err != nil {
		t.Errorf("another credential: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		silent(t, f+string(data))
	}
	// A damaged file, and one from a future that a clock has left, count as new.
	for _, text := range []string{"{", `{"next":99999999999999,"closed":99999999999999}`} {
		for _, f := range files {
			if strings.HasSuffix(f, ".limit") {
				if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := other.Take(t.Context()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := geelark.NewFileLimit(filepath.Join(dir, "none"), token).Take(t.Context()); err == nil {
		t.Error("a folder that is not there")
	}
}
