package media_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/reel"
)

func TestVideoIsFetchedOnce(t *testing.T) {
	o := newOrigin(t, 300_000)
	r := newRoom(t, o)
	for range 3 {
		got := r.fetch(o.URL+"/folder/v.MP4?k=hunter2", o.video)
		if !filepath.IsAbs(got.Path) || filepath.Ext(got.Path) != ".mp4" {
			t.Errorf("it lies at %s", got.Path)
		}
		got.Release()
	}
	if n := len(o.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	r.restart()
	r.fetch(o.URL+"/folder/v.MP4?k=hunter2", o.video).Release()
	if n := len(o.requests()); n != 0 {
		t.Errorf("%d requests of another process within the minute", n)
	}
}

// After a minute its origin is asked whether the copy is still what the address means.
func TestChangedVideoIsFetchedAgain(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	old := r.fetch(o.URL+"/v.mp4", o.video)
	before := o.video
	r.now = r.now.Add(2 * time.Minute)
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	if asked := o.requests(); len(asked) != 2 || asked[1].Header.Get("If-None-Match") != `"v1"` {
		t.Errorf("%d requests, want the second conditional", len(asked))
	}
	o.change(random(2000), `"v2"`)
	r.fetch(o.URL+"/v.mp4", before).Release() // vouched for a moment ago
	r.now = r.now.Add(2 * time.Minute)
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	r.holds(old, before) // whoever began with the old one goes on with it
	old.Release()
}

// An origin that names no version can only be asked for the whole: that is done rarely.
func TestOriginWithoutVersions(t *testing.T) {
	o := newOrigin(t, 1000)
	o.tag = ""
	r := newRoom(t, o)
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	before := o.video
	o.change(random(1000), "")
	r.now = r.now.Add(59 * time.Minute)
	r.fetch(o.URL+"/v.mp4", before).Release()
	r.now = r.now.Add(2 * time.Minute)
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	if n := len(o.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestSameBytesAreOneVideo(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	a, b := r.fetch(o.URL+"/a.mp4", o.video), r.fetch(o.URL+"/b.mp4?other", o.video)
	if a.Path != b.Path || len(r.files("videos")) != 1 || len(r.files("parts")) != 0 {
		t.Errorf("%s, %s, %v, %v", a.Path, b.Path, r.files("videos"), r.files("parts"))
	}
}

// A video whose hash the user names is taken from the cache wherever it came from, and its origin need not be there.
func TestNamedHash(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	named := "#sha256=" + strings.ToUpper(sumOf(o.video))
	r.fetch(o.URL+"/v.mp4"+named, o.video).Release()
	o.play(status(http.StatusInternalServerError))
	r.now = r.now.Add(time.Hour)
	r.restart()
	r.fetch(o.URL+"/elsewhere.mp4"+named, o.video).Release()
	if n := len(o.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	o.play(whole)
	r.lacks(o.URL+"/v.mp4#sha256="+sumOf([]byte("other")), "fetch:mismatch", sumOf(o.video))
	if len(r.files("parts")) != 0 {
		t.Errorf("what is not wanted takes room: %v", r.files("parts"))
	}
}

// A fetch that was cut goes on where it was cut, and the whole is checked.
func TestCutFetchGoesOn(t *testing.T) {
	for name, restart := range map[string]bool{"same process": false, "another process": true} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, 1_000_000)
			r := newRoom(t, o)
			o.play(cutAt(500_000), cutAt(300_000), whole)
			r.lacks(o.URL+"/v.mp4", "fetch:network", "unexpected EOF")
			if restart {
				r.restart()
			}
			r.lacks(o.URL+"/v.mp4", "fetch:network")
			r.fetch(o.URL+"/v.mp4", o.video).Release()
			asked := o.requests()
			if got := asked[1].Header.Get("Range"); got != "bytes=500000-" || asked[1].Header.Get("If-Range") != `"v1"` {
				t.Errorf("second request: range %q", got)
			}
			if got := asked[2].Header.Get("Range"); got != "bytes=800000-" {
				t.Errorf("third request: range %q", got)
			}
			if parts := r.files("parts"); len(parts) != 0 {
				t.Errorf("left over: %v", parts)
			}
		})
	}
}

func TestPartOfAnotherVersion(t *testing.T) {
	lie := func(w http.ResponseWriter, r *http.Request, video []byte, tag string) { // a server that does not know If-Range
		r.Header.Del("If-Range")
		whole(w, r, video, tag)
	}
	for name, c := range map[string]struct {
		tag  string
		size int
		play play
		code string
	}{
		"changed, the whole comes": {`"v2"`, 1000, whole, ""},
		"shorter, not satisfiable": {`"v2"`, 100, lie, ""},
		"changed, the rest comes":  {`"v2"`, 1000, lie, "fetch:damaged"},
		"longer, the rest comes":   {`"v1"`, 2000, lie, "fetch:damaged"},
		"no longer gives parts at all": {`"v1"`, 1000, func(w http.ResponseWriter, r *http.Request, v []byte, tag string) {
			r.Header.Del("Range")
			whole(w, r, v, tag)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, 1000)
			r := newRoom(t, o)
			o.play(cutAt(500), c.play)
			r.lacks(o.URL+"/v.mp4", "fetch:network")
			if c.tag != o.tag || c.size != 1000 {
				o.change(random(c.size), c.tag)
			}
			if c.code != "" {
				r.lacks(o.URL+"/v.mp4", c.code)
			}
			r.fetch(o.URL+"/v.mp4", o.video).Release()
		})
	}
}

// Without a strong validator a part may be another version's: the fetch begins anew.
func TestWeakPartsAreNotGoneOnWith(t *testing.T) {
	for _, tag := range []string{"", `W/"v1"`} {
		o := newOrigin(t, 1000)
		o.tag = tag
		r := newRoom(t, o)
		o.play(cutAt(500), whole)
		r.lacks(o.URL+"/v.mp4", "fetch:network")
		o.change(random(1000), tag)
		r.fetch(o.URL+"/v.mp4", o.video).Release()
		if asked := o.requests(); asked[1].Header.Get("Range") != "" {
			t.Errorf("%q: it was gone on with", tag)
		}
	}
}

func TestWhatIsNoVideo(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request, _ []byte, _ string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<html>log in to see this video"))
	}
	nothing := func(http.ResponseWriter, *http.Request, []byte, string) {}
	expired := func(w http.ResponseWriter, _ *http.Request, _ []byte, _ string) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message><StringToSign>hunter2</StringToSign></Error>`))
	}
	wrongSum := func(w http.ResponseWriter, r *http.Request, v []byte, tag string) {
		sum := md5.Sum([]byte("other"))
		w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		whole(w, r, v, tag)
	}
	for name, c := range map[string]struct {
		play play
		code string
		text string
	}{
		"404":      {status(404), "fetch:404", "404 Not Found"},
		"410":      {status(410), "fetch:410", "410 Gone"},
		"401":      {status(401), "fetch:401", "401 Unauthorized"},
		"expired":  {expired, "fetch:403", "403 Forbidden: AccessDenied Request has expired"},
		"204":      {status(204), "fetch:204", "204 No Content"},
		"500":      {status(500), "500", "500 Internal Server Error"},
		"503":      {status(503, "Retry-After", "120"), "503", "(Retry-After: 120)"},
		"429":      {status(429), "429", "429 Too Many Requests"},
		"page":     {page, "fetch:page", "a web page is there"},
		"nothing":  {nothing, "fetch:empty", "it is empty"},
		"to http":  {status(302, "Location", "http://h.example/v.mp4?hunter2"), "fetch:page", "it redirects to what is not https"},
		"for ever": {status(302, "Location", "/v.mp4?hunter2"), "fetch:page", "it redirects more than 5 times"},
		"wrong length": {func(w http.ResponseWriter, r *http.Request, v []byte, tag string) {
			w.Header().Set("Content-Length", "2000")
			_, _ = w.Write(v)
		}, "fetch:network", "unexpected EOF"},
		"wrong hash": {wrongSum, "fetch:damaged", "do not fit the checksum"},
		"another start": {func(w http.ResponseWriter, _ *http.Request, v []byte, _ string) {
			w.Header().Set("Content-Range", "bytes 5-999/1000")
			w.WriteHeader(206)
			_, _ = w.Write(v[5:])
		}, "fetch:damaged", "not the rest"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, 1000)
			r := newRoom(t, o)
			o.play(c.play)
			address := strings.Replace(o.URL, "https://", "https://ana:hunter2@", 1) + "/v.mp4?sig=hunter2"
			r.lacks(address, c.code, c.text, "/v.mp4?***")
			if user, pass, _ := o.requests()[0].BasicAuth(); user != "ana" || pass != "hunter2" {
				t.Error("the server was not told the user")
			}
			if videos := r.files("videos"); len(videos) != 0 {
				t.Errorf("%v was kept", videos)
			}
			o.play(whole)
			r.fetch(address, o.video).Release() // nothing of it stays in the way
		})
	}
}

func TestNobodyThere(t *testing.T) {
	o := newOrigin(t, 10)
	r := newRoom(t, o)
	address := o.URL + "/v.mp4?hunter2"
	o.Close()
	r.lacks(address, "fetch:network", "connection refused")
	r.lacks("https://nowhere.invalid/v.mp4?hunter2", "fetch:network", "nowhere.invalid")
	r.cfg.Transport = nil // which does not trust the origin's certificate
	r.restart()
	o2 := newOrigin(t, 10)
	r.lacks(o2.URL+"/v.mp4?hunter2", "fetch:network", "certificate")
}

// A redirection is followed, and its target is not told the address that led there, for that may be signed.
func TestRedirectionTellsNothing(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	o.play(status(302, "Location", "/other.mp4"), whole)
	r.fetch(o.URL+"/v.mp4?sig=hunter2", o.video).Release()
	for _, asked := range o.requests()[1:] {
		if asked.URL.Path != "/other.mp4" || asked.Referer() != "" {
			t.Errorf("%s, from %q", asked.URL, asked.Referer())
		}
	}
}

func TestSilenceAndSlowness(t *testing.T) {
	for code, c := range map[string]struct {
		stall, timeout time.Duration
		text           string
	}{
		"fetch:stalled": {300 * time.Millisecond, time.Minute, "nothing came for 300ms"},
		"408":           {time.Minute, 300 * time.Millisecond, "not fetched within 300ms"},
	} {
		t.Run(code, func(t *testing.T) {
			o := newOrigin(t, 1000)
			r := newRoom(t, o)
			o.play(hangs(300))
			r.cfg.Stall, r.cfg.Timeout = c.stall, c.timeout
			r.restart()
			r.lacks(o.URL+"/v.mp4", code, c.text)
			o.play(whole)
			r.cfg.Timeout = time.Minute
			r.restart()
			r.fetch(o.URL+"/v.mp4", o.video).Release()
		})
	}
}

// A stop ends the fetch at once, and what has come is kept.
func TestStopEndsTheFetch(t *testing.T) {
	o := newOrigin(t, 1000)
	r := newRoom(t, o)
	o.play(hangs(300))
	kept := make(chan struct{})
	r.cfg.Transport = spy{r.cfg.Transport, 300, kept}
	r.restart()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan *reel.Evidence)
	go func() {
		_, e := r.c.Fetch(ctx, o.URL+"/v.mp4")
		done <- e
	}()
	<-kept
	stop()
	if e := <-done; e == nil || e.Source != reel.SourceWorker || e.Code != reel.CodeInterrupted {
		t.Errorf("evidence %+v", e)
	}
	o.play(whole)
	r.cfg.Transport = o.Client().Transport
	r.restart()
	r.fetch(o.URL+"/v.mp4", o.video).Release()
	if asked := o.requests(); asked[1].Header.Get("Range") != "bytes=300-" {
		t.Error("what had come was thrown away")
	}
}

// Slots of one supervisor, and supervisors of one machine, that want the same video fetch it once.
func TestFetchesAreShared(t *testing.T) {
	for _, caches := range []int{1, 3} {
		o := newOrigin(t, 100_000)
		r := newRoom(t, o)
		others := make(chan struct{})
		o.play(func(w http.ResponseWriter, req *http.Request, v []byte, tag string) {
			<-others
			whole(w, req, v, tag)
		}, whole)
		var all, started sync.WaitGroup
		for i := range 12 {
			if i%(12/caches) == 0 {
				r.restart()
			}
			c := r.c
			started.Add(1)
			all.Go(func() {
				late := waiting{t.Context(), make(chan struct{}, 1)}
				go func() { <-late.asked; started.Done() }() // it fetches, or waits for somebody who does
				got, e := c.Fetch(late, o.URL+"/v.mp4")
				if e != nil {
					t.Errorf("%+v", *e)
					return
				}
				got.Release()
			})
		}
		started.Wait()
		close(others)
		all.Wait()
		if n := len(o.requests()); n != 1 {
			t.Errorf("%d caches: %d requests", caches, n)
		}
	}
}

// Whoever waits for a fetch that is stopped carries it out itself; one that failed, it has failed.
func TestWaitingForAnothersFetch(t *testing.T) {
	for name, stopped := range map[string]bool{"stopped": true, "failed": false} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, 1000)
			r := newRoom(t, o)
			began, fail := make(chan struct{}, 2), make(chan struct{})
			o.play(func(w http.ResponseWriter, req *http.Request, v []byte, tag string) {
				began <- struct{}{}
				select {
				case <-req.Context().Done():
				case <-fail:
					w.WriteHeader(http.StatusNotFound)
				}
			}, whole)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			first, second := make(chan *reel.Evidence, 1), make(chan *reel.Evidence, 1)
			go func() { _, e := r.c.Fetch(ctx, o.URL+"/v.mp4"); first <- e }()
			<-began
			late := waiting{t.Context(), make(chan struct{}, 1)}
			go func() { _, e := r.c.Fetch(late, o.URL+"/v.mp4"); second <- e }()
			<-late.asked // it waits for the first
			if stopped {
				stop()
			} else {
				close(fail)
			}
			if e := <-first; e == nil {
				t.Error("the first got a copy")
			}
			if e := <-second; (e == nil) != stopped {
				t.Errorf("the second: %+v", e)
			}
			if n := len(o.requests()); (n == 2) != stopped {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// waiting is a context that tells when somebody waits for its end.
type waiting struct {
	context.Context
	asked chan struct{}
}

func (w waiting) Done() <-chan struct{} {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	return w.Context.Done()
}

func TestFileAddresses(t *testing.T) {
	r := newRoom(t, nil)
	name := filepath.Join(t.TempDir(), "a b.mp4")
	video := random(1000)
	if err := os.WriteFile(name, video, 0o600); err != nil {
		t.Fatal(err)
	}
	address := "file://" + strings.ReplaceAll(name, " ", "%20")
	got := r.fetch(address, video)
	if got.Path != name {
		t.Errorf("it was copied to %s", got.Path)
	}
	r.fetch(address+"#sha256="+sumOf(video), video).Release()
	r.lacks(address+"#sha256="+sumOf(nil), "fetch:mismatch")
	r.lacks("file:///nowhere/v.mp4", "fetch:404", "no such file")
	r.lacks("file://"+filepath.Dir(name), "fetch:404", "not a file")
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	r.lacks(address, "fetch:empty")
	if _, err := os.Stat(r.cfg.Dir); err == nil {
		t.Error("a folder was made, for nothing")
	}
	r.lacks("ftp://u:hunter2@h/v.mp4", "fetch:address")
}

// However long a video is, it goes to disk in pieces.
func TestMemoryDoesNotGrowWithTheVideo(t *testing.T) {
	const pieces, size = 64, 512 << 10
	piece := random(size)
	o := newOrigin(t, 0)
	o.play(func(w http.ResponseWriter, _ *http.Request, _ []byte, _ string) {
		for range pieces {
			_, _ = w.Write(piece)
		}
	})
	r := newRoom(t, o)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, e := r.c.Fetch(t.Context(), o.URL+"/v.mp4")
	runtime.ReadMemStats(&after)
	if e != nil {
		t.Fatal(*e)
	}
	if st, err := os.Stat(got.Path); err != nil || st.Size() != pieces*size {
		t.Errorf("%v, %v", st, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > pieces*size/4 {
		t.Errorf("%d bytes were allocated for a video of %d", used, pieces*size)
	}
}
