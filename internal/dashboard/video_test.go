package dashboard_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// A beginning of an MP4 file, and what is in it otherwise does not matter to a server.
const mp4 = "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2 and the rest of it"

// doubt has the one job of a batch end in doubt, with a video and its bytes as they were seen when it was shared; nil where they were not.
func (s *site) doubt(batch, video string, seen []byte) {
	s.Helper()
	_, err := s.store.Import(s.Context(), batch, func(yield func(reel.Post, error) bool) {
		yield(reel.Post{Job: reel.Job{ID: "job", Account: "acc." + batch, VideoPath: video}, Line: 2}, nil)
	})
	must(s.T, err)
	must(s.T, s.store.Enlist(me))
	limits := reel.DefaultLimits()
	round, _, err := s.store.Lead(s.Context(), reel.Bid{Batch: batch, Leader: me, Limits: limits, Workers: 1})
	must(s.T, err)
	_, err = s.store.OpenPass(s.Context(), batch, round.Term, 1)
	must(s.T, err)
	c, _, err := s.store.Claim(s.Context(), reel.Claimant{Batch: batch, Supervisor: me.ID, Worker: 1})
	must(s.T, err)
	content := reel.FingerprintOfPath(video)
	if seen != nil {
		sum := sha256.Sum256(seen)
		content.Key = "sha256:" + hex.EncodeToString(sum[:])
	}
	_, err = s.store.Intent(s.Context(), c, content, false)
	must(s.T, err)
	a := reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: 1, StartedAt: time.Now(), EndedAt: time.Now(), Outcome: reel.OutcomeInDoubt, ShareBegun: true,
		Evidence: reel.Evidence{Source: reel.SourceTool, Text: "nothing proves the post"}, Verdict: reel.Verdict{Category: reel.Infrastructure, Rule: "r"},
	}
	decision := plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass, ShareBegun: true}, a.Verdict, limits)
	_, err = s.store.Record(s.Context(), c, reel.Ending{Attempt: a, Decision: decision})
	must(s.T, err)
}

// A doubt's page shows the video that was shared, and no other file of the machine whatever a posts file names. Where it shows none it says why.
func TestADoubtShowsItsVideo(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := file("good.mp4", mp4)
	link, pipe := filepath.Join(dir, "link.mp4"), filepath.Join(dir, "pipe.mp4")
	must(t, os.Symlink(good, link))
	must(t, syscall.Mkfifo(pipe, 0o600))
	c := s.browser(access.Look)
	for batch, v := range map[string]struct {
		video string
		seen  []byte
		kind  string // of the answer; empty: it is refused
		says  string
	}{
		"seen":      {good, []byte(mp4), "video/mp4", "<video"},
		"unseen":    {file("unseen.mp4", mp4), nil, "video/mp4", "the file may be another by now"},
		"quicktime": {file("q.mov", strings.Replace(mp4, "isom", "qt  ", 1)), nil, "video/quicktime", "<video"},
		"a-file":    {"file://" + file("f.mp4", mp4), []byte(mp4), "video/mp4", "<video"},
		"changed":   {file("changed.mp4", mp4+"!"), []byte(mp4), "", "it was changed since"},
		"text":      {file("passwd.mp4", "root:x:0:0:root:/root:/bin/sh"), nil, "", "no MP4 or QuickTime video"},
		"other":     {file("other.mp4", strings.Replace(mp4, "ftyp", "free", 1)), nil, "", "no MP4 or QuickTime video"},
		"picture":   {file("heic.mp4", strings.Replace(mp4, "isom", "heic", 1)), nil, "", "no MP4 or QuickTime video"},
		"short":     {file("short.mp4", "ftyp"), nil, "", "no MP4 or QuickTime video"},
		"link":      {link, []byte(mp4), "", "is not followed"},
		"pipe":      {pipe, nil, "", "is not followed"},
		"folder":    {dir, nil, "", "is not followed"},
		"gone":      {filepath.Join(dir, "gone.mp4"), nil, "", "not on this machine"},
		"address":   {"https://user:hunter2@media.example.com/v.mp4?sig=hunter2", nil, "", "is at an address"},
	} {
		s.doubt(batch, v.video, v.seen)
		at := "/in-doubt/" + batch + "/job"
		if code, body := s.get(c, at); code != http.StatusOK || !strings.Contains(body, v.says) || strings.Contains(body, "<video") != (v.kind != "") || strings.Contains(body, "hunter2") {
			t.Errorf("%s: the page, %d, without %q", batch, code, v.says)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+at+"/video", http.NoBody)
		must(t, err)
		req.Header.Set("Range", "bytes=4-7")
		res, err := c.Do(req)
		must(t, err)
		body := make([]byte, 100)
		n, _ := res.Body.Read(body) // it is short, or told by the status
		must(t, res.Body.Close())
		switch got := string(body[:n]); {
		case v.kind == "" && (res.StatusCode != http.StatusNotFound || !strings.Contains(got, v.says) || strings.Contains(got, "root:")):
			t.Errorf("%s: %s %s", batch, res.Status, got)
		case v.kind != "" && (res.StatusCode != http.StatusPartialContent || got != "ftyp" || res.Header.Get("Content-Type") != v.kind || res.Header.Get("X-Content-Type-Options") != "nosniff"):
			t.Errorf("%s: %s %q %v", batch, res.Status, got, res.Header)
		}
	}
	if _, body := s.get(c, "/b/address/jobs/job"); !strings.Contains(body, "media.example.com/v.mp4") || strings.Contains(body, "hunter2") {
		t.Error("the page of a job shows what is secret in an address")
	}
	if code, _ := s.get(http.DefaultClient, "/in-doubt/seen/job/video"); code != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", code)
	}
	if code, _ := s.get(c, "/in-doubt/seen/none/video"); code != http.StatusNotFound {
		t.Errorf("a job that is not there: %d", code)
	}
	// It is looked at anew each time.
	must(t, os.WriteFile(good, []byte(mp4+" and more"), 0o600))
	if code, body := s.get(c, "/in-doubt/seen/job/video"); code != http.StatusNotFound || !strings.Contains(body, "changed since") {
		t.Errorf("it was changed while it was shown: %d", code)
	}
}
