package phonepost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// Shelf is the folder of what was seen in attempts that failed: a picture of the screen, its tree of elements as `reelpass screen
// --jsonl` reads it, the end of Appium's log and of what adb was asked, and how long each step took.
type Shelf struct {
	Dir     string
	Most    int   // attempts that are kept; the oldest go first
	Bytes   int64 // that they may take together; 0: no matter how many
	Secrets []string
}

// dir is an attempt's folder. A job's id may hold anything.
func (s *Shelf) dir(a reel.Assignment) (string, error) {
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, string(a.JobID))
	const most = 80
	name = fmt.Sprintf("%.*s.%d", most, strings.TrimLeft(name, "."), a.Attempt)
	dir := filepath.Join(s.Dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// seen keeps what the phone showed. Screens hold captions and handles; secrets are taken out.
func (s *Shelf) seen(a reel.Assignment, picture []byte, screen phone.Screen, unknown []phone.Screen, logs map[string]string) error {
	dir, err := s.dir(a)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for i, u := range append([]phone.Screen{screen}, unknown...) {
		id := "last"
		if i > 0 {
			id = fmt.Sprintf("unknown-%d", i)
		}
		lines.Write(instagram.WriteRecorded(instagram.Recorded{ID: id, Screen: u, Context: instagram.Context{Me: a.Account}}))
	}
	var errs []error
	files := map[string]string{"screen.png": string(picture), "screens.jsonl": reel.Scrub(lines.String(), s.Secrets...)}
	for name, log := range logs {
		files[name] = reel.Scrub(log, s.Secrets...)
	}
	for name, data := range files {
		if data != "" {
			errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
		}
	}
	return errors.Join(errs...)
}

// steps keeps how long each step took, and makes room for the next attempt. It says where the attempt's folder is.
func (s *Shelf) steps(a reel.Assignment, list []string) (string, error) {
	dir, err := s.dir(a)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "steps.txt"), []byte(strings.Join(list, "\n")+"\n"), 0o600)
	}
	if err == nil {
		err = s.trim()
	}
	return dir, err
}

// trim removes the oldest attempts beyond what may be kept. The newest always stays.
func (s *Shelf) trim() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return err
	}
	type kept struct {
		name string
		at   time.Time
		size int64
	}
	var all []kept
	var bytes int64
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			continue // another worker was faster
		}
		if err != nil {
			return err
		}
		k := kept{name: e.Name(), at: info.ModTime(), size: sizeOf(filepath.Join(s.Dir, e.Name()))}
		bytes += k.size
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b kept) int { return a.at.Compare(b.at) })
	for len(all) > 1 && (s.Most > 0 && len(all) > s.Most || s.Bytes > 0 && bytes > s.Bytes) {
		if err := os.RemoveAll(filepath.Join(s.Dir, all[0].name)); err != nil {
			return err
		}
		bytes -= all[0].size
		all = all[1:]
	}
	return nil
}

// sizeOf is what the files of a folder take. One that is gone takes nothing.
func sizeOf(dir string) (n int64) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}
