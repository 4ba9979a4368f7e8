package dashboard

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// What an address chooses, the address that is made of it chooses again, and nothing in it is wrong any more.
func FuzzChoice(f *testing.F) {
	for _, s := range []string{"state=failed,set_aside&reason=account_hold&category=account&pass=2&account=@acc1&type=x&q=a+b&sig=1f", "state=nonsense&pass=-1", "pass=99999999999999999999", "q=%00%ff", "state=,,failed,failed"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, _ := url.ParseQuery(text) // what could be read of it
		c := choiceOf(q)
		for _, st := range c.States {
			if !slices.Contains(reel.States(), st) {
				t.Fatalf("there is a state %q", st)
			}
		}
		if c.Pass < 0 || len(c.Words) > 200 {
			t.Fatalf("%+v", c)
		}
		again := choiceOf(c.Query())
		c.Wrong = nil
		if !reflect.DeepEqual(again, c) {
			t.Fatalf("%q chose %+v, and its own address %+v", text, c, again)
		}
	})
}

// A list of jobs that can be read is written as it was meant, and no word of it is a state that there is not.
func FuzzParseFrozen(f *testing.F) {
	for _, s := range []string{"failed job-1\nset_aside a%20b\n", "failed  job-1", "failed job-1 job-2", "failed a+b", "succeeded %00", "posted x", "failed %zz", "failed\tx\n", "failed a\x00b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseFrozen(text)
		if err != nil {
			if list != nil {
				t.Fatalf("%v of a list that cannot be read", list)
			}
			return
		}
		var lines strings.Builder
		for _, one := range list {
			if one.ID == "" || !slices.Contains(reel.States(), one.State) {
				t.Fatalf("%+v", one)
			}
			lines.WriteString(one.String() + "\n")
		}
		if again, err := parseFrozen(lines.String()); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%v, %v of %v", err, again, list)
		}
	})
}

// However a place to go to after the sign-in is written, it is one of this dashboard, as a browser understands addresses: \ is / to it,
// and tabs and line ends are nothing.
func FuzzInside(f *testing.F) {
	for _, s := range []string{"/", "/b/night?x=1#y", "//evil.example", "/\\evil.example", "https://evil.example", "/..//evil.example", "/\t/evil.example", "javascript:alert(1)", "/%5cevil.example", "/%2f/evil.example", "", "///evil.example", "/@evil.example", "/.//evil.example", "/%09/evil", "%2f", "/%2fevil.example/ x"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "http", Host: "127.0.0.1:8765", Path: "/sign-in"}
	f.Fuzz(func(t *testing.T, text string) {
		to := inside(text)
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodPost, "/sign-in", nil), to, http.StatusSeeOther)
		for _, place := range []string{to, w.Header().Get("Location")} {
			seen := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(strings.Trim(place, " \x00\x1f"))
			u, err := base.Parse(seen)
			if err != nil || u.Scheme != "http" || u.Host != base.Host || !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") {
				t.Fatalf("%q leads to %q (%v)", text, place, err)
			}
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"", "0", "17", "-1", "+5", "1e3", "0x10", "9223372036854775807", "9223372036854775808", " 1", "١"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := numberOf(url.Values{"from": {text}}, "from", fromNow, "place")
		switch {
		case err != nil && n != 0, err == nil && n < 0 && n != fromNow, n == fromNow && text != "":
			t.Fatalf("%q is %d, %v", text, n, err)
		}
	})
}

// fuzzed is a dashboard over a small ledger, without a network.
func fuzzed(f *testing.F) (s *Server, token string) {
	f.Helper()
	dir := f.TempDir()
	ok := func(err error) {
		if err != nil {
			f.Helper()
			f.Fatal(err)
		}
	}
	store, err := ledger.Open(context.Background(), filepath.Join(dir, "l.db"), ledger.Options{})
	ok(err)
	f.Cleanup(func() { ok(store.Close()) })
	_, err = store.Import(context.Background(), "night", func(yield func(reel.Post, error) bool) {
		for i := range 4 {
			if !yield(reel.Post{Job: reel.Job{ID: reel.JobID(fmt.Sprint("job-", i)), Account: "acc", VideoPath: fmt.Sprint(i), Caption: "<b>&"}, Line: i + 2}, nil) {
				return
			}
		}
	})
	ok(err)
	evidence := filepath.Join(dir, "evidence")
	ok(os.MkdirAll(filepath.Join(evidence, "a"), 0o700))
	ok(os.WriteFile(filepath.Join(evidence, "a", "log.txt"), []byte("seen"), 0o600))
	ok(os.WriteFile(filepath.Join(dir, "secret"), []byte(canary), 0o600))
	ok(os.Symlink("../../secret", filepath.Join(evidence, "a", "link")))
	book := access.Open(filepath.Join(dir, "access.json"), time.Now)
	token, err = book.Issue(access.Token, "robot", access.Steer)
	ok(err)
	s, err = New(Config{
		Ledger: store, Access: book, Rules: fault.Default, Evidence: evidence, Zone: time.UTC, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Absent: func(h reel.Held) reel.Decision {
			return plan.After(plan.Try{Pass: h.Pass}, reel.Verdict{}, reel.DefaultLimits())
		},
	})
	ok(err)
	f.Cleanup(func() { ok(s.Close()) })
	return s, token
}

// canary stands in a file that no request may read.
const canary = "canary-7731"

// Whatever is asked of the dashboard, and with whatever cookie, host, token and body: it answers, never with a fault of its own, never with a file
// that is none of its evidence; and who has no token of it comes in nowhere.
func FuzzRequests(f *testing.F) {
	s, token := fuzzed(f)
	prefs := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, one := range []struct{ method, target, host, bearer, view, last, form, body string }{
		{"GET", "/", "localhost", "", prefs(`{"zone":"../../etc/passwd"}`), "", "", ""},
		{"GET", "/b/night/jobs?state=failed&from=9223372036854775807&sig=x", "127.0.0.1:1", "", prefs(`{"theme":"\"><script>"}`), "", "", ""},
		{"GET", "/evidence/a/link", "[::1]:80", "", "!!", "", "", ""},
		{"GET", "/evidence/a/%2e%2e%2f%2e%2e%2fsecret", "localhost.", "", "", "", "", ""},
		{"GET", "/evidence/..%5c/secret", "localhost", "", "", "", "", ""},
		{"GET", "/api/v1/journal?after=-1", "localhost", "wrong", "", "17", "", ""},
		{"GET", "/api/v1/batches/night/jobs?limit=0&from=-1", "evil.example", "", "", "", "", ""},
		{"POST", "/api/v1/batches/night/jobs/job-1/resolve", "localhost", "", "", "", "", `{"posted":false,"why":"x"}`},
		{"POST", "/api/v1/batches/night/jobs/job-1/cancel", "localhost", "", "", "", "", `{} {}`},
		{"POST", "/api/v1/accounts/acc/hold", "localhost", "", "", "", "", `{"until":"9999-12-31T23:59:59Z"}`},
		{"POST", "/api/v1/accounts/acc/release", "localhost", "", "", "", "", `[]`},
		{"POST", "/b/night/jobs/preview", "localhost", "", "", "", "x", "do=retry&choice=state%3Dfailed"},
		{"POST", "/b/night/jobs/act", "localhost", "", "", "", "x", "do=cancel&frozen=pending+job-1%0A"},
		{"POST", "/b/night/brake", "localhost", "", "", "", "x", "do=pause"},
		{"POST", "/view", "localhost", "", "", "", "x", "zone=Europe/Berlin&to=//evil"},
		{"POST", "/in-doubt/night/job-1", "localhost", "", "", "", "x", "answer=posted&url=javascript:alert(1)"},
		{"POST", "/accounts/acc/hold", "localhost", "", "", "", "x", "until=tomorrow"},
	} {
		f.Add(one.method, one.target, one.host, one.bearer, one.view, one.last, one.form != "", one.body)
	}
	f.Fuzz(func(t *testing.T, method, target, host, bearer, view, last string, form bool, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.IsAbs() || !slices.Contains([]string{"GET", "POST", "HEAD", "PUT", "DELETE"}, method) {
			t.Skip() // net/http answers such requests by itself
		}
		if path := u.Path; strings.HasPrefix(path, "/live") || strings.HasPrefix(path, apiRoot+"/events") {
			t.Skip() // these last as long as the client wants
		}
		ask := func(bearer string) *httptest.ResponseRecorder {
			r := &http.Request{Method: method, URL: u, RequestURI: target, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: "127.0.0.1:1", Body: io.NopCloser(strings.NewReader(body))}
			r = r.WithContext(t.Context())
			r.Header.Set("Authorization", "Bearer "+bearer)
			r.Header.Set("Cookie", cookieView+"="+view+"; "+cookieSession+"="+bearer)
			r.Header.Set("Last-Event-ID", last)
			if form {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		w := ask(token)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s %s: what is not evidence was served", method, target)
		}
		if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%s %s leads to %q", method, target, to)
		}
		open := strings.HasPrefix(u.Path, "/static/") || u.Path == "/sign-in" || u.Path == "/healthz"
		if w := ask(bearer); bearer != token && w.Code < 300 && !open {
			t.Errorf("%s %s without a token: %d", method, target, w.Code)
		}
	})
}
