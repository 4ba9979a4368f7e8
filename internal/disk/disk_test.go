package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/disk"
)

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// alone says that nothing but these lies in a folder.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("in the folder lie %q, want %q", got, names)
	}
}

func TestWriteTakesThePlaceAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"one", "two, longer", "3"} {
		before, _ := os.ReadFile(path)
		if err := disk.Write(path, 0o600, func(f *disk.File) error {
			_, err := f.Write([]byte(text))
			if now, _ := os.ReadFile(path); string(now) != string(before) {
				t.Errorf("before the end it is %q", now)
			}
			if content(t, f.Part()) != text {
				t.Error("the part has not what was written")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	alone(t, dir, "a")
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

func TestWriteThatFailsLeavesTheOldFile(t *testing.T) {
	dir, cause := t.TempDir(), errors.New("cause")
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disk.Write(path, 0o600, func(f *disk.File) error {
		_, err := f.Write([]byte("half"))
		return errors.Join(err, cause)
	}); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if got := content(t, path); got != "old" {
		t.Errorf("it is %q", got)
	}
	alone(t, dir, "a")
}

// An error names the file that was to be, and never the part.
func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	nothing := func(*disk.File) error { return nil }
	for name, err := range map[string]error{
		"no folder":    disk.Write(filepath.Join(dir, "none", "a"), 0o600, nothing),
		"it is one":    disk.Write(folder, 0o600, nothing),
		"a bad folder": disk.Write(filepath.Join(dir, "a\x00b", "c"), 0o600, nothing),
		"it was shut": disk.Write(filepath.Join(dir, "b"), 0o600, func(f *disk.File) error {
			f.Shut(t)
			_, err := f.Write([]byte("x"))
			return err
		}),
	} {
		at, ok := errors.AsType[*fs.PathError](err)
		if !ok || strings.Contains(err.Error(), ".reelpass-") || !strings.HasPrefix(at.Path, dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	alone(t, dir, "folder")
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "part"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.WriteString("whole")
	if err := errors.Join(err, disk.Place(f, filepath.Join(dir, "b"))); err != nil {
		t.Fatal(err)
	}
	if got := content(t, filepath.Join(dir, "b")); got != "whole" {
		t.Errorf("%q", got)
	}
	alone(t, dir, "b")
}
