package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// caught is what a script's webhook was sent.
type caught struct {
	mu    sync.Mutex
	news  *sync.Cond
	lines []string // path and body
	over  bool
}

type caughtKey struct{}

// hook FILE starts a webhook and puts its address into FILE where HOOK stands, and without its scheme where BAREHOOK does. Under /broken it
// answers 500. What it is sent is heard by `caught`.
func hook(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 1, "hook FILE")
	c, _ := ts.Value(caughtKey{}).(*caught)
	c.news = sync.NewCond(&c.mu)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.lines = append(c.lines, r.URL.Path+" "+string(body))
		c.news.Broadcast()
		c.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/broken") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	limit := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
		c.news.Broadcast()
	})
	ts.Defer(func() { limit.Stop(); s.Close() })
	bare := strings.TrimPrefix(s.URL, "http://")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.NewReplacer("BAREHOOK", bare, "HOOK", s.URL).Replace(ts.ReadFile(args[0]))), 0o600))
}

// caught PATTERN waits until the webhook was sent something that matches; ! caught PATTERN says that it was not, so far.
func catches(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, false, len(args) == 1, "caught PATTERN")
	c, _ := ts.Value(caughtKey{}).(*caught)
	want := regexp.MustCompile(args[0])
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for _, line := range c.lines {
			if want.MatchString(line) {
				if neg {
					ts.Fatalf("the webhook was sent %s", line)
				}
				return
			}
		}
		if neg {
			return
		}
		if c.over {
			ts.Fatalf("the webhook was not sent it, but:\n%s", strings.Join(c.lines, "\n"))
		}
		c.news.Wait()
	}
}

// page NAME TOKENFILE PATH INTO [FIELD=VALUE...] gets a page of the dashboard that was started as NAME, or sends it a form. A path or a value may be
// @FILE: what stands in it.
func page(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) >= 4, "page NAME TOKENFILE PATH INTO [FIELD=VALUE...]")
	said := func(text string) string { // what stands in a file, as @FILE
		if file, ok := strings.CutPrefix(text, "@"); ok {
			return strings.TrimSpace(ts.ReadFile(file))
		}
		return text
	}
	form := url.Values{}
	for _, field := range args[4:] {
		name, value, _ := strings.Cut(field, "=")
		form.Set(name, said(value))
	}
	method := http.MethodGet
	if len(form) > 0 {
		method = http.MethodPost
	}
	b := backgroundOf(ts, args[0])
	b.mu.Lock()
	root, _, _ := strings.Cut(b.lines[0], "/sign-in")
	b.mu.Unlock()
	req, err := http.NewRequest(method, root+said(args[2]), strings.NewReader(form.Encode()))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[1])))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s\n%s", args[2], resp.Status, body)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), body, 0o600))
}
