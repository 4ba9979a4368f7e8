package phonepost

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// What was seen is kept without secrets, for as many attempts and bytes as may be: the oldest go first, the newest always stays.
func TestTheShelfIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		most  int
		bytes int64
		want  []string
	}{
		"by number":             {most: 2, want: []string{"j.3", "j.4"}},
		"by bytes":              {bytes: 2500, want: []string{"j.3", "j.4"}},
		"one that is too large": {bytes: 10, want: []string{"j.4"}},
		"no bound":              {want: []string{"j.1", "j.2", "j.3", "j.4"}},
	} {
		s := &Shelf{Dir: t.TempDir(), Most: c.most, Bytes: c.bytes, Secrets: []string{"hunter2"}}
		for n := range 4 {
			a := reel.Assignment{JobID: "j", Attempt: n + 1}
			log := strings.Repeat("x", 1000) + "token hunter2"
			if err := s.seen(a, []byte("png"), phone.Screen{}, nil, map[string]string{"adb.log": log, "appium.log": ""}); err != nil {
				t.Fatal(err)
			}
			dir, err := s.steps(a, []string{"feed\t1s"})
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "adb.log")); len(data) == 0 || strings.Contains(string(data), "hunter2") {
				t.Errorf("%s: kept %q", name, data)
			}
			at := time.Unix(int64(1_700_000_000+n), 0) // whoever came first is the oldest, however fast this machine is
			if err := os.Chtimes(dir, at, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.trim(); err != nil {
			t.Fatal(err)
		}
		var left []string
		entries, _ := os.ReadDir(s.Dir)
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if !slices.Equal(left, c.want) {
			t.Errorf("%s: left %v, want %v", name, left, c.want)
		}
	}
}
