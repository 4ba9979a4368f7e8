package simgraph_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"reelpass/internal/simgraph"
)

// world is a false server with one account, on loopback, and a clock that is moved by hand.
type world struct {
	*testing.T
	*simgraph.Server
	base string
	a    simgraph.Account
	now  time.Time
}

func open(t *testing.T, cfg simgraph.Config, a simgraph.Account) *world {
	w := &world{T: t, now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	cfg.Clock = func() time.Time { return w.now }
	w.Server = simgraph.New(cfg)
	front := httptest.NewServer(w.Server)
	t.Cleanup(func() { front.Close(); w.Close() })
	w.base = front.URL
	w.At(w.base)
	a.Name = "mira"
	w.a = w.Add(a)
	return w
}

// ask is one call as it goes over the wire. A connection that is cut has no status.
func (w *world) ask(method, path string, form url.Values) (int, map[string]any) {
	w.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if form != nil {
		path += "?" + form.Encode()
	}
	r, err := http.NewRequestWithContext(w.Context(), method, w.base+path, body)
	if err != nil {
		w.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Authorization", "Bearer "+w.a.Token)
	return w.send(r)
}

func (w *world) send(r *http.Request) (int, map[string]any) {
	w.Helper()
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = a.Body.Close() }()
	data, _ := io.ReadAll(a.Body)
	var out map[string]any
	_ = json.Unmarshal(data, &out) // a page is none
	return a.StatusCode, out
}

func (w *world) upload(uri string, offset, size int, data string) (int, map[string]any) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, uri, strings.NewReader(data))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "OAuth "+w.a.Token)
	r.Header.Set("offset", strconvI(offset))
	r.Header.Set("file_size", strconvI(size))
	return w.send(r)
}

func strconvI(n int) string { data, _ := json.Marshal(n); return string(data) }

// ready makes a container that is finished.
func (w *world) ready(caption string) (id string) {
	w.Helper()
	_, out := w.ask("POST", "/v25.0/"+w.a.ID+"/media", url.Values{"media_type": {"REELS"}, "upload_type": {"resumable"}, "caption": {caption}})
	id, _ = out["id"].(string)
	uri, _ := out["uri"].(string)
	if code, out := w.upload(uri, 0, 4, "data"); code != 200 || out["success"] != true {
		w.Fatalf("%d %v", code, out)
	}
	w.status(id)
	return id
}

func (w *world) status(id string) string {
	w.Helper()
	_, out := w.ask("GET", "/v25.0/"+id, url.Values{"fields": {"status_code"}})
	s, _ := out["status_code"].(string)
	return s
}

func (w *world) publish(id string) (int, map[string]any) {
	w.Helper()
	return w.ask("POST", "/v25.0/"+w.a.ID+"/media_publish", url.Values{"creation_id": {id}})
}

// code is the code and subcode of an error.
func code(out map[string]any) (c, sub float64) {
	e, _ := out["error"].(map[string]any)
	c, _ = e["code"].(float64)
	sub, _ = e["error_subcode"].(float64)
	return c, sub
}

func TestAReelIsPublished(t *testing.T) {
	w := open(t, simgraph.Config{Polls: 2, Process: time.Minute, ListLag: time.Minute}, simgraph.Account{StripsAt: true})
	_, out := w.ask("POST", "/v25.0/"+w.a.ID+"/media", url.Values{"media_type": {"REELS"}, "upload_type": {"resumable"}, "caption": {"by @mira"}})
	id, uri := out["id"].(string), out["uri"].(string)
	if status, out := w.upload(uri, 5, 10, "56789"); status != 400 {
		t.Errorf("a hole in the upload: %d %v", status, out)
	}
	w.upload(uri, 0, 10, "0123")
	_, out = w.ask("GET", "/v25.0/"+id, url.Values{"fields": {"status_code,video_status"}})
	if got, _ := json.Marshal(out["video_status"]); string(got) != `{"uploading_phase":{"bytes_transferred":4,"status":"in_progress"}}` {
		t.Errorf("%s", got)
	}
	if status, out := w.upload(uri, 4, 10, "456789"); status != 200 || out["success"] != true {
		t.Errorf("%d %v", status, out)
	}
	if status, out := w.publish(id); status != 400 {
		t.Errorf("%d %v", status, out)
	} else if c, sub := code(out); c != 9007 || sub != 2207027 {
		t.Errorf("too early: %v", out)
	}
	for range 3 {
		if got := w.status(id); got != "IN_PROGRESS" {
			t.Error(got)
		}
	}
	w.now = w.now.Add(time.Minute)
	if got := w.status(id); got != "FINISHED" {
		t.Error(got)
	}
	status, out := w.publish(id)
	media, _ := out["id"].(string)
	if status != 200 || media == "" || w.status(id) != "PUBLISHED" {
		t.Errorf("%d %v", status, out)
	}
	list := func() []any {
		_, out := w.ask("GET", "/v25.0/"+w.a.ID+"/media", url.Values{"fields": {"id,caption,media_product_type,timestamp"}})
		data, _ := out["data"].([]any)
		return data
	}
	if got := list(); len(got) != 0 {
		t.Errorf("listed at once: %v", got)
	}
	w.now = w.now.Add(time.Minute)
	got, _ := json.Marshal(list())
	if want := `[{"caption":"by mira","id":"` + media + `","media_product_type":"REELS","timestamp":"2026-11-26T12:01:00+0000"}]`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if posts := w.Posted(); len(posts) != 1 || posts[0].Bytes != 10 || len(w.Twice()) != 0 {
		t.Errorf("%+v", posts)
	}
	w.publish(id)
	if len(w.Twice()) != 1 {
		t.Error("a second publish is not seen")
	}
}

func TestWhatIsRefused(t *testing.T) {
	w := open(t, simgraph.Config{Quota: 1, Strict: true}, simgraph.Account{})
	me := "/v25.0/" + w.a.ID
	token := w.a.Token
	for name, c := range map[string]struct {
		method, path string
		form         url.Values
		token        string
		code, sub    float64
	}{
		"a wrong token":     {"GET", "/v25.0/me", nil, "x", 190, 0},
		"the other host":    {"GET", "/fb/v25.0/me", nil, token, 190, 0},
		"another's account": {"GET", "/v25.0/1/media", url.Values{"fields": {"id"}}, token, 100, 33},
		"an unknown field":  {"GET", me + "/media", url.Values{"fields": {"id,nonsense"}}, token, 0, 0}, // of an empty list nobody asks
		"a wrong type":      {"POST", me + "/media", url.Values{"media_type": {"X"}}, token, 100, 2207023},
		"no video":          {"POST", me + "/media", url.Values{"media_type": {"REELS"}}, token, 100, 0},
		"no ASCII":          {"POST", me + "/media", url.Values{"media_type": {"REELS"}, "video_url": {"https://x/ä.mp4"}}, token, 9004, 2207052},
		"a long caption":    {"POST", me + "/media", url.Values{"media_type": {"REELS"}, "video_url": {"https://x/a"}, "caption": {strings.Repeat("a", 2201)}}, token, 36004, 2207010},
		"no such container": {"POST", me + "/media_publish", url.Values{"creation_id": {"1"}}, token, 24, 2207008},
		"a token too young": {"GET", "/refresh_access_token", url.Values{"grant_type": {"ig_refresh_token"}}, token, 0, 0},
		"no version":        {"GET", "/x/" + w.a.ID, nil, token, 2500, 0},
	} {
		w.a.Token = c.token
		status, out := w.ask(c.method, c.path, c.form)
		if got, sub := code(out); got != c.code || sub != c.sub || (c.code != 0) != (status >= 400) {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	w.a.Token = token
	one, two := w.ready("one"), w.ready("two")
	w.publish(one)
	if _, out := w.publish(one); out["error"] == nil {
		t.Errorf("a strict server takes it twice: %v", out)
	}
	_, out := w.publish(two)
	if c, sub := code(out); c != 9 || sub != 2207042 {
		t.Errorf("over the limit: %v", out)
	}
	w.now = w.now.Add(25 * time.Hour)
	if got := w.status(two); got != "EXPIRED" {
		t.Error(got)
	}
}

// Each fault does what its name says to the world, once.
func TestEachFaultOfPublishing(t *testing.T) {
	for kind, posted := range map[string]int{
		"reply_lost": 1, "cut_before": 0, "spam_live": 1, "spam": 0, "unknown_live": 1, "unknown": 0, "server_live": 1, "outage_publish": 0, "outage_live": 1,
		"not_ready": 0, "quota": 0, "duplicate": 0, "restricted": 0,
	} {
		w := open(t, simgraph.Config{}, simgraph.Account{})
		id := w.ready("one")
		if err := w.Fail("mira", simgraph.Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		if status, out := w.publish(id); status == 200 || len(w.Posted()) != posted || (w.status(id) == "PUBLISHED") != (posted == 1) {
			t.Errorf("%s: %d %v, posted %d", kind, status, out, len(w.Posted()))
		}
		if posted == 0 {
			w.publish(id)
		}
		if len(w.Posted()) != 1 || len(w.Struck()) != 1 {
			t.Errorf("%s: in the end %d posts, %v", kind, len(w.Posted()), w.Struck())
		}
	}
}

func TestTokensAreRenewed(t *testing.T) {
	w := open(t, simgraph.Config{}, simgraph.Account{})
	status, out := w.ask("GET", "/refresh_access_token", url.Values{"grant_type": {"ig_refresh_token"}})
	if next, _ := out["access_token"].(string); status != 200 || next == "" || next == w.a.Token {
		t.Errorf("%d %v", status, out)
	}
	if status, out := w.ask("GET", "/refresh_access_token", url.Values{"grant_type": {"ig_refresh_token"}}); status != 400 && status != 190 {
		t.Errorf("twice in a day: %d %v", status, out)
	}
}

// Whatever is sent, the answer is an object, or a page.
func FuzzRequests(f *testing.F) {
	f.Add("POST", "/v25.0/1/media", "media_type=REELS")
	f.Add("POST", "/ig-api-upload/v25.0/1", "x")
	f.Add("GET", "/fb/v25.0/me", "")
	s := simgraph.New(simgraph.Config{})
	a := s.Add(simgraph.Account{Name: "mira", ID: "1"})
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.Parse(path)
		if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(method, " \t\r\n") || method == "" {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/x-www-form-urlencoded"}}, Body: io.NopCloser(strings.NewReader(body))}
		s.ServeHTTP(httptest.NewRecorder(), r)
	})
}
