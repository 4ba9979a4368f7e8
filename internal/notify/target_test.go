package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/notify"
)

func target(t *testing.T, text string) *notify.Target {
	t.Helper()
	x, err := notify.ParseTarget(text)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestParseTarget(t *testing.T) {
	for _, c := range [][2]string{
		{"https://example.com/hooks/hunter2secret", "https://example.com/***"},
		{"https://ana:hunter2secret@example.com:8443/x?k=hunter2secret#secret=hunter2secret", "https://example.com:8443/***"},
		{" https://example.com ", "https://example.com/***"},
		{"http://127.0.0.1:9/x", "http://127.0.0.1:9/***"},
		{"http://localhost/x", "http://localhost/***"},
		{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=-1001", "telegram://***"},
		{"smtp://ana:hunter2secret@mail.example.com:587/?from=a@example.com&to=b@example.com", "smtp://***"},
		{"matrix://ana:hunter2secret@127.0.0.1:9/?rooms=!room", "matrix://***"}, // nobody is asked
		{"generic+https://example.com/hunter2secret", "generic://***"},
		{"ntfy://ntfy.sh/hunter2secret", "ntfy://***"},
		{"slack://hook:T0000000AAA-B0000000AAA-hunter2secrethunter2secre@webhook", "slack://***"},
	} {
		text, want := c[0], c[1]
		x, err := notify.ParseTarget(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, got := range []string{x.Redacted(), x.String(), fmt.Sprintf("%v", x), fmt.Sprintf("%+v", x), fmt.Sprintf("%#v", x)} {
			if got != want {
				t.Errorf("%s is shown %s, want %s", text, got, want)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "target", x)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "target", x)
		if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), "AAHdq") {
			t.Errorf("logged: %s", &log)
		}
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "is not an address: a webhook begins with https://, a service with its name, as telegram://",
		"hunter2":                      "is not an address: a webhook begins with https://, a service with its name, as telegram://",
		"https://%zz@hunter2":          "is not an address: a webhook begins with https://, a service with its name, as telegram://",
		"mailto:hunter2@example.com":   "is not an address: a webhook begins with https://, a service with its name, as telegram://",
		"https:///hunter2":             "names no host after ://",
		"http://example.com/hunter2":   "is a webhook without TLS: it begins with https://, unless it is on this machine",
		"https://example.com/#hunter2": "has something after # that is not secret= and the secret of its signatures",
		"https://example.com/#secret=": "has something after # that is not secret= and the secret of its signatures",
		"https://***@example.com/":     "has *** where a secret was masked: take the address from where it was first written",
		"hunter2://x":                  "names no service that is known",
		"logger://":                    "names no service that is known",
		"telegram://hunter2":           "is not an address as its service wants it",
		"slack+https://hunter2@x":      "is not an address as its service wants it",
		"smtp://x:25/?hunter2=1":       "is not an address as its service wants it",
	} {
		x, err := notify.ParseTarget(text)
		if err == nil || err.Error() != want || x != nil {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever stands there: a target or one of few fixed sentences, never a panic; and nothing of it is shown but a service's name or a host.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{
		"https://ana:pw123456@example.com/a/b?c=d#secret=e", "telegram://1:abc@telegram?chats=1", "smtp://u:p@h:25/?from=a&to=b", "generic+https://h/p?template=json",
		"discord://token@id", "slack://hook:A-B-C@webhook", "ntfy://h/t", "mqtt://h/t", "teams://a@b/c/d?host=e", "bark://:k@h", "x://", "matrix://u:p@h", "pagerduty:///k",
		"twilio://a:b@c/d", "signal://h/+1/+2", "wecom://k", "zulip://b:k@h?stream=s", "opsgenie://h/k", "gotify://h/t", "pushover://shoutrrr:a@b", "join://shoutrrr:a@join", "ifttt://k?events=e",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := notify.ParseTarget(text)
		if err != nil {
			if x != nil || len(err.Error()) > 100 {
				t.Fatalf("%v", err)
			}
			for _, fixed := range []string{"is not an address", "names no", "is a webhook without TLS", "has something after #", "has ***"} {
				if strings.HasPrefix(err.Error(), fixed) {
					return
				}
			}
			t.Fatalf("%v", err)
		}
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		scheme, _, _ := strings.Cut(u.Scheme, "+")
		if want := []string{scheme + "://***", scheme + "://" + u.Host + "/***"}; x.Redacted() != want[0] && (x.Redacted() != want[1] || !strings.HasPrefix(scheme, "http")) {
			t.Fatalf("%q is shown as %q", text, x.Redacted())
		}
	})
}

// Whatever an error repeats of an address, as it is written or as it is meant: it is not shown.
func TestNoPartOfAnAddressIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := func(name string) string { return rapid.StringMatching(`[A-Za-z0-9%@:/?=+ ._\-]{5,12}`).Draw(t, name) }
		user, password, path, value := part("user"), part("password"), part("path"), part("value")
		u := url.URL{Scheme: rapid.SampledFrom([]string{"https", "ntfy", "generic+https"}).Draw(t, "scheme"), User: url.UserPassword(user, password), Host: "h.test", Path: "/" + path, RawQuery: url.Values{"tags": {value}}.Encode()}
		x, err := notify.ParseTarget(u.String())
		if err != nil {
			t.Skip(err)
		}
		written := []string{u.String(), u.User.String(), strings.Trim(u.EscapedPath(), "/"), u.RawQuery, user, password, strings.Trim(path, "/"), value}
		said := notify.Blank(x, fmt.Errorf("it failed: (%s) and %s", rapid.SampledFrom(written).Draw(t, "one"), rapid.SampledFrom(written).Draw(t, "other")))
		for _, secret := range append(written, strings.Fields(strings.NewReplacer("/", " ", ":", " ", "@", " ", "?", " ", "=", " ", "+", " ").Replace(strings.Join(written[4:], " ")))...) {
			if len(secret) >= 4 && strings.Contains(said, secret) {
				t.Fatalf("%s: %q shows %q", &u, said, secret)
			}
		}
	})
}

// Parts that are too short to be looked for stand in addresses, and those go whole.
func TestAddressesInErrorsGoWhole(t *testing.T) {
	x := target(t, "telegram://1:abc@telegram?chats=@x")
	if got := notify.Blank(x, errors.New(`Post "https://api.telegram.org/bot1:abc/sendMessage": EOF`)); got != `Post "***": EOF` {
		t.Error(got)
	}
}

func message() notify.Message {
	return notify.Message{ID: "in_doubt:launch:7", Kind: notify.JobInDoubt, Batch: "launch", Count: 2, Names: []string{"v1", "v2"}, Title: "launch: 2 jobs are in doubt", Text: "v1, v2.", At: began}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// request is what a server was sent.
type request struct {
	path, user, password, signature, kind string
	body                                  []byte
}

// hook is a server that keeps what it is sent and answers as it is told.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    []request
	status int
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{status: http.StatusNoContent}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, request{r.URL.String(), user, password, r.Header.Get(notify.SignatureHeader), r.Method + " " + r.Header.Get("Content-Type"), body})
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

func (h *hook) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func TestWebhook(t *testing.T) {
	h := newHook(t)
	s := notify.NewSender([]*notify.Target{target(t, strings.Replace(h.URL, "//", "//ana:hunter2pw@", 1)+"/hook?k=v#secret=s%203cret")}, time.Minute, quiet())
	defer s.Close()
	for _, r := range s.Send(t.Context(), message()) {
		if r.Err != nil || r.Target != h.URL+"/***" {
			t.Fatalf("%+v", r)
		}
	}
	got := h.requests()[0]
	if got.path != "/hook?k=v" || got.user != "ana" || got.password != "hunter2pw" || got.kind != "POST application/json" {
		t.Errorf("%+v", got)
	}
	if want := notify.Sign("s 3cret", got.body); got.signature != want {
		t.Errorf("signed %s, want %s", got.signature, want)
	}
	const want = `{"id":"in_doubt:launch:7","event":"in_doubt","batch":"launch","count":2,"names":["v1","v2"],"title":"launch: 2 jobs are in doubt","text":"v1, v2.","at":"2026-11-02T22:00:00Z"}`
	if string(got.body) != want {
		t.Errorf("\n got %s\nwant %s", got.body, want)
	}
	// The vector of RFC 4231, case 2: whoever checks signatures needs nothing of ours.
	if got := notify.Sign("Jefe", []byte("what do ya want for nothing?")); got != "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Error(got)
	}
}

// A message is tried once. What did not arrive is counted, logged without the address, and told of with the next one.
func TestWhatDoesNotArriveIsCountedAndNotTriedAgain(t *testing.T) {
	h := newHook(t)
	var log bytes.Buffer
	s := notify.NewSender([]*notify.Target{target(t, h.URL+"/hunter2path?hunter2query=1#secret=hunter2secret")}, time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	defer s.Close()
	for status, want := range map[int]string{http.StatusInternalServerError: "it answered 500", http.StatusTemporaryRedirect: "it answered 307, and messages follow no redirect"} {
		h.answer(status)
		if r := s.Send(t.Context(), message())[0]; r.Err == nil || r.Err.Error() != want {
			t.Errorf("%d: %v", status, r.Err)
		}
	}
	h.answer(http.StatusOK)
	s.Send(t.Context(), message())
	s.Send(t.Context(), message())
	got := h.requests()
	if len(got) != 4 {
		t.Fatalf("%d requests of 4 messages", len(got))
	}
	for i, want := range []int{0, 1, 2, 0} {
		var body struct{ Missed int }
		if err := json.Unmarshal(got[i].body, &body); err != nil || body.Missed != want {
			t.Errorf("message %d says that %d were missed, want %d (%v)", i+1, body.Missed, want, err)
		}
	}
	if arrived, failed, gathered := s.Counts(); arrived != 2 || failed != 2 || gathered != 4*int64(message().Count-1) {
		t.Errorf("%d arrived, %d failed", arrived, failed)
	}
	if strings.Contains(log.String(), "hunter2") || strings.Count(log.String(), "an alert did not arrive") != 2 {
		t.Errorf("log: %s", &log)
	}
}

// One target that hangs holds up nobody for longer than the deadline, and no second call is made to it meanwhile.
func TestATargetThatHangs(t *testing.T) {
	free := make(chan struct{})
	var calls sync.Map
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Store(r.URL.Path, true)
		<-free
	}))
	defer slow.Close()
	h := newHook(t)
	targets := []*notify.Target{
		target(t, slow.URL+"/webhook-hunter2"),
		target(t, "generic+"+slow.URL+"/service-hunter2"),
		target(t, h.URL),
	}
	s := notify.NewSender(targets, 200*time.Millisecond, quiet())
	defer s.Close()
	defer close(free)
	for i, want := range [][]string{{"no answer in time", "no answer in time", ""}, {"no answer in time", "the message before is still under way", ""}} {
		for j, r := range s.Send(t.Context(), message()) {
			got := ""
			if r.Err != nil {
				got = r.Err.Error()
			}
			if got != want[j] || r.Took > 20*time.Second {
				t.Errorf("message %d to %s: %q after %s, want %q", i+1, r.Target, got, r.Took, want[j])
			}
		}
	}
	if len(h.requests()) != 2 {
		t.Errorf("the third target got %d of 2", len(h.requests()))
	}
}

// A service of the library, through its own client: plain text with the title first, and JSON.
func TestService(t *testing.T) {
	h := newHook(t)
	s := notify.NewSender([]*notify.Target{target(t, "generic+"+h.URL+"/plain"), target(t, "generic+"+h.URL+"/json?template=json")}, time.Minute, quiet())
	defer s.Close()
	m := message()
	m.Text = "@everyone <!channel>"
	for _, r := range s.Send(t.Context(), m) {
		if r.Err != nil || r.Target != "generic://***" {
			t.Fatalf("%+v", r)
		}
	}
	want := "launch: 2 jobs are in doubt\n@\u200beveryone <\u200b!channel>"
	for _, r := range h.requests() {
		got := string(r.body)
		if strings.HasPrefix(r.path, "/json") {
			var body struct{ Message string }
			if err := json.Unmarshal(r.body, &body); err != nil {
				t.Fatal(err)
			}
			got = body.Message
		}
		if got != want {
			t.Errorf("%s: %q", r.path, got)
		}
	}
	h.answer(http.StatusForbidden)
	if r := s.Send(t.Context(), m)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "403") {
		t.Errorf("%v", r.Err)
	}
}

// No error shows anything of an address, whatever client it comes from: of all services that can be pointed at a server that is not there.
func TestNoErrorShowsTheAddress(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth() // a server may well repeat what it was asked
		said := fmt.Sprintf("%s is wrong, and so are %s and %s", r.URL, user, password)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":%q,"errcode":%q,"errorDescription":%q,"message":%q}`, said, said, said, said)
	}))
	defer refusing.Close()
	for _, at := range []string{host, strings.TrimPrefix(refusing.URL, "http://")} {
		for _, text := range []string{
			"http://hunter2user:hunter2pw@HOST/hunter2path?hunter2query=hunter2value#secret=hunter2secret",
			"generic+http://hunter2user:hunter2pw@HOST/hunter2path?hunter2query=hunter2value&@hunter2head=hunter2value",
			"gotify://HOST/hunter2path/AbcdefghijklmnO?disabletls=yes",
			"ntfy://hunter2user:hunter2pw@HOST/hunter2path?scheme=http",
			"smtp://hunter2user:hunter2pw@HOST/?from=hunter2a@example.com&to=hunter2b@example.com&auth=plain",
			"matrix://hunter2user:hunter2pw@HOST/?rooms=!hunter2room&disabletls=yes",
			"mattermost://hunter2user@HOST/hunter2path/hunter2b?disabletls=yes",
			"rocketchat://hunter2user@HOST/hunter2path/hunter2b",
			"bark://:hunter2pw@HOST/?scheme=http",
			"signal://hunter2user:hunter2pw@HOST/+15550001111/+15550002222?disabletls=yes",
			"mqtt://hunter2user:hunter2pw@HOST/hunter2path",
		} {
			var log bytes.Buffer
			s := notify.NewSender([]*notify.Target{target(t, strings.Replace(text, "HOST", at, 1))}, 500*time.Millisecond, slog.New(slog.NewTextHandler(&log, nil)))
			r := s.Send(context.WithoutCancel(t.Context()), message())[0]
			s.Close()
			if r.Err == nil {
				t.Errorf("%s: it arrived nowhere, and no error says so", text)
				continue
			}
			if said := r.Err.Error() + log.String(); strings.Contains(said, "hunter2") || strings.Contains(said, "Abcdefghij") || strings.Contains(said, "1555") {
				t.Errorf("%s: %s", text, said)
			}
		}
	}
}
