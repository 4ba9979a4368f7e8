package media_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/media"
	"reelpass/internal/reel"
)

// origin is a server of videos over TLS. What it does to the next answers is set by play, one for each, the last for ever.
type origin struct {
	*httptest.Server
	mu    sync.Mutex
	video []byte
	tag   string
	plays []play
	asked []*http.Request
}

// play is one answer; it is given the video as it is now.
type play func(w http.ResponseWriter, r *http.Request, video []byte, tag string)

func newOrigin(t *testing.T, size int) *origin {
	t.Helper()
	o := &origin{video: random(size), tag: `"v1"`}
	o.Server = httptest.NewTLSServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r)
	do := whole
	if len(o.plays) > 0 {
		do = o.plays[0]
		if len(o.plays) > 1 {
			o.plays = o.plays[1:]
		}
	}
	video, tag := o.video, o.tag
	o.mu.Unlock()
	do(w, r, video, tag)
}

func (o *origin) play(plays ...play) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plays = plays
}

func (o *origin) change(video []byte, tag string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.video, o.tag = video, tag
}

// requests are the requests since the last call.
func (o *origin) requests() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}

// whole is how the standard library's file server answers: ranges, validators and all.
func whole(w http.ResponseWriter, r *http.Request, video []byte, tag string) {
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(w, r, "v.mp4", time.Time{}, bytes.NewReader(video))
}

// cutAt breaks the connection after so many bytes of the answer.
func cutAt(n int) play {
	return func(w http.ResponseWriter, r *http.Request, video []byte, tag string) {
		whole(&cutter{ResponseWriter: w, left: n}, r, video, tag)
	}
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

func status(code int, header ...string) play {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte, _ string) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// hangs sends a part of the answer, and then nothing until the other side goes.
func hangs(n int) play {
	return func(w http.ResponseWriter, r *http.Request, video []byte, tag string) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", strconv.Itoa(len(video)))
		_, _ = w.Write(video[:n])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// spy is a transport that tells when a body is read on after so many bytes, which are then kept.
type spy struct {
	http.RoundTripper
	after int
	kept  chan struct{}
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &spied{resp.Body, s.after, s.kept}
	}
	return resp, err
}

type spied struct {
	io.ReadCloser
	left int
	kept chan struct{}
}

func (s *spied) Read(p []byte) (int, error) {
	if s.left == 0 {
		s.kept <- struct{}{}
	}
	n, err := s.ReadCloser.Read(p)
	s.left -= n
	return n, err
}

// room is a cache on a folder of its own that trusts the origin.
type room struct {
	*testing.T
	cfg media.Config
	now time.Time
	c   *media.Cache
}

func newRoom(t *testing.T, o *origin) *room {
	t.Helper()
	r := &room{T: t, now: time.Now(), cfg: media.Config{Dir: filepath.Join(t.TempDir(), "media"), Size: 1 << 30, Timeout: time.Minute}}
	r.cfg.Clock = func() time.Time { return r.now }
	if o != nil {
		r.cfg.Transport = o.Client().Transport
	}
	r.restart()
	return r
}

// restart is another process on the same folder.
func (r *room) restart() { r.c = media.New(r.cfg) }

// fetch wants a copy and holds it against the bytes that it must have.
func (r *room) fetch(address string, want []byte) reel.Copy {
	r.Helper()
	got, e := r.c.Fetch(context.Background(), address)
	if e != nil {
		r.Fatalf("fetch %s: %+v", address, *e)
	}
	r.holds(got, want)
	return got
}

func (r *room) holds(got reel.Copy, want []byte) {
	r.Helper()
	have, err := os.ReadFile(got.Path)
	if err != nil {
		r.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		r.Fatalf("%d bytes are here, which are not the %d of the video", len(have), len(want))
	}
	if got.SHA256 != sumOf(want) {
		r.Errorf("it is called %s, its hash is %s", got.SHA256, sumOf(want))
	}
}

// lacks wants evidence with this code and these words, and nothing secret.
func (r *room) lacks(address, code string, words ...string) reel.Evidence {
	r.Helper()
	got, e := r.c.Fetch(context.Background(), address)
	if e == nil {
		got.Release()
		r.Fatalf("fetch %s: a copy came", address)
	}
	if e.Source != reel.SourceHTTP || e.Code != code || e.Step != "fetch" || e.ShareBegun {
		r.Errorf("evidence %+v, want code %s", *e, code)
	}
	for _, w := range append(words, "fetch ") {
		if !strings.Contains(e.Text, w) {
			r.Errorf("%q does not say %q", e.Text, w)
		}
	}
	if strings.Contains(fmt.Sprint(*e), "hunter2") {
		r.Errorf("a secret is in %+v", *e)
	}
	return *e
}

// files lists what is in a part of the folder.
func (r *room) files(sub string) []string {
	r.Helper()
	entries, err := os.ReadDir(filepath.Join(r.cfg.Dir, sub))
	if err != nil {
		r.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
