package media_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/media"
	"reelpass/internal/reel"
)

// numbered is an origin with as many videos as are asked for, each of the same size.
func numbered(t *testing.T, size int) (*origin, func(n int) []byte) {
	t.Helper()
	o := newOrigin(t, size)
	video := func(name string) []byte { return []byte(strings.Repeat(name[:1], size)) }
	o.play(func(w http.ResponseWriter, r *http.Request, _ []byte, _ string) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if r.URL.RawQuery == "unknown" {
			w.Header().Set("Content-Type", "video/mp4")
			_ = http.NewResponseController(w).Flush() // its length cannot be told any more
			_, _ = w.Write(video(name))
			return
		}
		whole(w, r, video(name), `"`+name+`"`)
	})
	return o, func(n int) []byte { return video(fmt.Sprint(n)) }
}

// The longest unused goes first, and nothing that is used goes at all, whichever supervisor uses it.
func TestCacheKeepsItsBound(t *testing.T) {
	o, video := numbered(t, 1000)
	r := newRoom(t, o)
	r.cfg.Size = 3500
	r.restart()
	address := func(n int) string { return fmt.Sprintf("%s/%d.mp4", o.URL, n) }
	there := func(n int) bool { return slices.Contains(r.files("videos"), sumOf(video(n))+".mp4") }
	var used reel.Copy
	for n := range 3 {
		r.now = r.now.Add(time.Second)
		got := r.fetch(address(n), video(n))
		if n == 0 {
			used = got // by this supervisor
			r.restart()
			continue
		}
		got.Release()
	}
	r.now = r.now.Add(time.Second)
	r.fetch(address(1), video(1)).Release() // wanted again
	r.now = r.now.Add(time.Second)
	r.fetch(address(3), video(3)).Release()
	if !there(0) || !there(1) || there(2) || !there(3) {
		t.Errorf("0 is used, 1 was wanted after 2: %v %v %v %v", there(0), there(1), there(2), there(3))
	}
	one, three := r.fetch(address(1), video(1)), r.fetch(address(3), video(3))
	r.lacks(address(4), "fetch:storage", "may hold 3500 bytes, and would hold 4000 that are in use")
	if !there(0) || !there(1) || !there(3) || len(r.files("parts")) != 0 {
		t.Errorf("%v, %v", r.files("videos"), r.files("parts"))
	}
	r.holds(used, video(0))
	one.Release()
	three.Release()
	used.Release()
	r.fetch(address(4), video(4)).Release()
	r.cfg.Size = 999
	r.restart()
	r.lacks(address(5), "fetch:storage")
}

// A video that a second address brings again stays the one that is in use.
func TestSecondAddressOfAVideoInUse(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	r.cfg.Size = 2000
	r.restart()
	used := r.fetch(o.URL+"/a.mp4", o.video)
	r.fetch(o.URL+"/b.mp4", o.video).Release()
	video := o.video
	for range 3 {
		o.change(random(1000), "")
		r.fetch(o.URL+"/"+sumOf(o.video)+".mp4", o.video).Release()
	}
	r.holds(used, video)
	used.Release()
}

func TestVideoOfUnknownLength(t *testing.T) {
	o, video := numbered(t, 300_000)
	r := newRoom(t, o)
	r.cfg.Size = 500_000
	r.restart()
	r.fetch(o.URL+"/1.mp4?unknown", video(1)).Release()
	r.fetch(o.URL+"/2.mp4?unknown", video(2)).Release()
	if n := len(r.files("videos")); n != 1 {
		t.Errorf("%d videos where one has room", n)
	}
	r.cfg.Size = 200_000
	r.restart()
	r.lacks(o.URL+"/3.mp4?unknown", "fetch:storage")
	if parts := r.files("parts"); len(parts) != 0 {
		t.Errorf("left over: %v", parts)
	}
}

// What is being fetched counts with all that was announced, so that two supervisors do not fill the folder together.
func TestRoomIsTakenBeforeItIsFilled(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	r.cfg.Size = 1500
	kept := make(chan struct{})
	r.cfg.Transport = spy{r.cfg.Transport, 10, kept}
	r.restart()
	o.play(hangs(10), whole)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan *reel.Evidence)
	go func() { _, e := r.c.Fetch(ctx, o.URL+"/a.mp4"); done <- e }()
	<-kept
	other := *r
	other.cfg.Transport = o.Client().Transport
	other.restart()
	other.lacks(o.URL+"/b.mp4", "fetch:storage", "would hold 2000")
	stop()
	<-done
	other.fetch(o.URL+"/b.mp4", o.video).Release() // the part of nobody made room
}

func TestDamagedFilesAreFetchedAgain(t *testing.T) {
	o := newOrigin(t, 1000)
	for name, harm := range map[string]func(string) error{
		"shorter": func(f string) error { return os.Truncate(f, 500) },
		"other":   func(f string) error { return os.WriteFile(f, random(1000), 0o600) },
		"gone":    os.Remove,
	} {
		for _, later := range []time.Duration{0, time.Hour} {
			r := newRoom(t, o)
			got := r.fetch(o.URL+"/v.mp4", o.video)
			got.Release()
			if err := harm(got.Path); err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(later)
			t.Log(name, later)
			r.fetch(o.URL+"/v.mp4", o.video).Release()
		}
	}
	r := newRoom(t, o)
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	for _, text := range []string{"", "{", `{"file":"../../x"}`, `{"file":""}`, `{"file":"lock"}`} {
		if err := os.WriteFile(filepath.Join(r.cfg.Dir, "origins", r.files("origins")[0]), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fetch(o.URL+"/v.mp4", o.video).Release()
	}
}

// A supervisor that is killed leaves a part, which the next goes on with; one that nobody comes back for is removed.
func TestKilledWhileFetching(t *testing.T) {
	o := newOrigin(t, 1_000_000)
	r := newRoom(t, o)
	for _, again := range []bool{true, false} {
		o.play(hangs(400_000), whole)
		child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
		child.Env = append(os.Environ(), "MEDIA_CHILD="+o.URL+"/v.mp4", "MEDIA_DIR="+r.cfg.Dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		for buf := make([]byte, 1); buf[0] != '!'; {
			if _, err := out.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		if parts := r.files("parts"); len(parts) != 2 || len(r.files("videos")) != 0 {
			t.Fatalf("%v, %v", parts, r.files("videos"))
		}
		o.requests()
		if again {
			r.fetch(o.URL+"/v.mp4", o.video).Release()
			if got := o.requests()[0].Header.Get("Range"); got != "bytes=400000-" {
				t.Errorf("range %q", got)
			}
			if err := os.RemoveAll(r.cfg.Dir); err != nil {
				t.Fatal(err)
			}
			continue
		}
		r.now = r.now.Add(25 * time.Hour)
		r.fetch(o.URL+"/other.mp4", o.video).Release()
		if parts := r.files("parts"); len(parts) != 0 {
			t.Errorf("left over: %v", parts)
		}
	}
}

// TestChild is the supervisor that is killed: it says ! when it waits for more than it has.
func TestChild(t *testing.T) {
	address := os.Getenv("MEDIA_CHILD")
	if address == "" {
		t.Skip("only as a child")
	}
	o := newOrigin(t, 1) // for its client, which trusts every server of httptest
	kept := make(chan struct{}, 1)
	c := media.New(media.Config{
		Dir: os.Getenv("MEDIA_DIR"), Size: 1 << 30, Timeout: time.Minute, Clock: time.Now,
		Transport: spy{o.Client().Transport, 400_000, kept},
	})
	go func() { <-kept; fmt.Println("!") }()
	_, _ = c.Fetch(t.Context(), address)
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	if err := r.c.Check(); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
	if _, err := os.Stat(r.cfg.Dir); err == nil {
		t.Error("it was made")
	}
	if err := os.WriteFile(r.cfg.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.lacks(o.URL+"/v.mp4", "fetch:storage", "the media cache: mkdir", "not a directory")
	if err := r.c.Check(); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("check: %v", err)
	}
	if len(o.requests()) != 0 {
		t.Error("it was fetched, for nothing")
	}
}

// A disk that is full, or becomes so, is no verdict on the video; and what was half fetched makes room at once, for the ledger is
// often on the same disk.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("reelpass", dir, "tmpfs", 0, "size=300m"); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	o := newOrigin(t, 1_000_000)
	r := newRoom(t, o)
	r.cfg.Dir = filepath.Join(dir, "media")
	r.restart()
	o.play(func(w http.ResponseWriter, _ *http.Request, v []byte, _ string) {
		w.Header().Set("Content-Length", "200000000")
		_, _ = w.Write(v)
	}, func(w http.ResponseWriter, _ *http.Request, v []byte, tag string) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", fmt.Sprint(len(v)))
		_, _ = w.Write(v[:500_000])
		_ = http.NewResponseController(w).Flush()
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=600k"); err != nil {
			t.Error(err)
		}
		_, _ = w.Write(v[500_000:])
	}, whole)
	r.lacks(o.URL+"/v.mp4", "fetch:storage", "the disk of the media cache is full")
	r.lacks(o.URL+"/v.mp4", "fetch:storage", "the disk of the media cache is full")
	if parts := r.files("parts"); len(parts) != 0 {
		t.Errorf("left over: %v", parts)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=300m"); err != nil {
		t.Fatal(err)
	}
	r.fetch(o.URL+"/v.mp4", o.video).Release()
}
