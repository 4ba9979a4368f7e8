package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"       // reads openapi.yaml and holds it against the standard
	"github.com/getkin/kin-openapi/openapi3filter" // holds real answers against it
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"reelpass/internal/access"
	"reelpass/internal/reel"
)

// description reads openapi.yaml for a site. Every object is closed, so that a field which it does not name is found.
func description(t *testing.T, site string) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	must(t, err)
	must(t, doc.Validate(t.Context()))
	closed := false
	for _, s := range doc.Components.Schemas {
		if s.Value.Type.Is("object") {
			s.Value.AdditionalProperties = openapi3.AdditionalProperties{Has: &closed}
		}
	}
	doc.Servers = openapi3.Servers{{URL: site + "/api/v1"}}
	return doc
}

// Every operation is carried out on a real ledger; request and answer are what openapi.yaml says, and it names all ways in.
func TestTheAPIIsAsDescribed(t *testing.T) {
	s := newSite(t)
	s.fill()
	doc := description(t, s.url)
	router, err := gorillamux.NewRouter(doc)
	must(t, err)
	token, err := s.book.Issue(access.Token, "script", access.Steer)
	must(t, err)
	seen := map[string]bool{}
	call := func(method, path, body string, want int) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/api/v1"+path, strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		route, params, err := router.FindRoute(req)
		must(t, err)
		in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		}}
		if want == http.StatusOK {
			must(t, openapi3filter.ValidateRequest(t.Context(), in))
			seen[route.Operation.OperationID] = true
		}
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode != want {
			t.Fatalf("%s %s: %s, want %d\n%s", method, path, res.Status, want, data)
		}
		if err := openapi3filter.ValidateResponse(t.Context(), (&openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: in.Options,
		}).SetBodyBytes(data)); err != nil && !strings.HasSuffix(path, ".yaml") {
			t.Errorf("%s %s: %v", method, path, err)
		}
		return string(data)
	}
	const post, get = http.MethodPost, http.MethodGet
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{get, "/openapi.yaml", "", 200, "openapi: 3"},
		{get, "/batches", "", 200, `"succeeded":1`},
		{get, "/batches/night", "", 200, `"batch":"night"`},
		{get, "/batches/none", "", 404, "none"},
		{get, "/batches/night/jobs", "", 200, `<script>`},
		{get, "/batches/night/jobs?state=failed,set_aside&limit=1", "", 200, `"next":"`},
		{get, "/batches/night/jobs?account=acc2&category=infrastructure&pass=1&q=offline", "", 200, "job-2"},
		{get, "/batches/night/jobs?state=gone", "", 400, "there is no state gone"},
		{get, "/batches/night/jobs?from=x", "", 400, "no place"},
		{get, "/batches/none/jobs", "", 404, "none"},
		{get, "/batches/night/jobs/job-2", "", 200, "adb: device offline"},
		{get, "/batches/night/jobs/job-9", "", 404, "job-9"},
		{get, "/batches/night/failures", "", 200, "device offline"},
		{get, "/accounts", "", 200, "acc3"},
		{get, "/accounts?all=x", "", 400, "true or false"},
		{get, "/in-doubt", "", 200, "job-4"},
		{get, "/journal", "", 200, "run_started"},
		{get, "/journal?after=-1", "", 400, "no number"},
		{post, "/batches/night/pause", "", 200, `"batch":"night"`},
		{post, "/batches/night/resume", "", 200, `"batch":"night"`},
		{post, "/batches/none/pause", "", 404, "none"},
		{post, "/batches/night/jobs/job-1/retry", "", 409, "job-1"},
		{post, "/batches/night/jobs/job-2/cancel", "", 200, `"state":"cancelled"`},
		{post, "/batches/night/jobs/job-2/retry", "", 200, `"state":"pending"`},
		{post, "/batches/night/jobs/job-2/retry", `{"force":true}`, 400, "nothing was changed"},
		{post, "/batches/night/jobs/job-4/resolve", `{}`, 400, "nothing was changed"},
		{post, "/batches/night/jobs/job-4/resolve", `{"posted":false,"url":"https://x"}`, 400, "nothing was changed"},
		{post, "/batches/night/jobs/job-4/resolve", `{"posted":true,"url":"https://x.example/4"} {}`, 400, "nothing was changed"},
		{post, "/batches/night/jobs/job-4/resolve", `{"posted":true,"url":"https://x.example/4"}`, 200, `"state":"succeeded"`},
		{post, "/batches/night/bulk/preview?state=succeeded", `{"step":"retry"}`, 200, `"left":[{"why":"posted"`},
		{post, "/batches/night/bulk/preview?state=gone", `{"step":"retry"}`, 400, "there is no state gone"},
		{post, "/batches/night/bulk/preview", `{"step":"post"}`, 400, "there is no step"},
		{post, "/batches/none/bulk/preview", `{"step":"retry"}`, 404, "none"},
		{post, "/batches/night/bulk/act", `{"step":"cancel","frozen":""}`, 400, "nothing was changed"},
		{post, "/batches/night/bulk/act", `{"step":"cancel","frozen":"pending"}`, 400, "nothing was changed"},
		{post, "/batches/night/bulk/act", `{"step":"cancel","frozen":"pending job-9"}`, 200, `"done":0,"left":[{"why":"not in this batch"`},
		{post, "/batches/none/bulk/act", `{"step":"cancel","frozen":"pending job-9"}`, 404, "none"},
		{post, "/accounts/acc5/hold", `{"why":"looked odd","until":"2001-01-01T00:00:00Z"}`, 400, "past"},
		{post, "/accounts/acc5/hold", `{"why":"looked odd"}`, 200, "looked odd"},
		{post, "/accounts/acc5/release", `{"with_cause":false}`, 200, `"returned":`},
		{post, "/accounts/acc5/release", "", 404, "acc5"},
	} {
		if text := call(c.method, c.path, c.body, c.status); !strings.Contains(text, c.says) {
			t.Errorf("%s %s does not say %q:\n%s", c.method, c.path, c.says, text)
		}
	}
	// What the journal says of these steps has a name to it, and is as described too.
	if text := call(get, "/journal", "", 200); !strings.Contains(text, `"by":"script"`) {
		t.Error("the journal does not name whose token it was")
	}
	seen["events"] = true // TestAScriptMissesNoEvent
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			if !seen[o.OperationID] {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
	source, err := os.ReadFile("api.go")
	must(t, err)
	ways := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t+"(/[a-z][^"]*)":|apiRoot\+"(/[a-z][^"]*)"`).FindAllStringSubmatch(string(source), -1) {
		ways[m[1]+m[2]] = true
	}
	for way := range maps.Keys(ways) {
		if doc.Paths.Value(way) == nil {
			t.Errorf("openapi.yaml does not know %s", way)
		}
	}
	if len(ways) != doc.Paths.Len() {
		t.Errorf("%d ways in, %d described", len(ways), doc.Paths.Len())
	}
}

func TestTheAPIRefusesAsJSON(t *testing.T) {
	s := newSite(t)
	s.fill()
	look, err := s.book.Issue(access.Token, "looker", access.Look)
	must(t, err)
	jar, err := cookiejar.New(nil)
	must(t, err)
	for _, c := range []struct {
		name, token, host, origin, body string
		status                          int
	}{
		{"no token", "", "", "", "", 401},
		{"a wrong token", "wrong", "", "", "", 401},
		{"one that may look only", look, "", "", "", 403},
		{"a foreign host", look, "evil.example", "", "", 421},
		{"a foreign site", look, "", "https://evil.example", "", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/batches/night/pause", strings.NewReader(c.body))
		must(t, err)
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		if c.host != "" {
			req.Host = c.host
		}
		res, err := (&http.Client{Jar: jar}).Do(req)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s, %s", c.name, res.Status, res.Header.Get("Content-Type"))
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/api/v1/nothing", http.NoBody)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+look)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s of what is not there: %s, %s", method, res.Status, res.Header.Get("Content-Type"))
		}
	}
	st, err := s.store.Status(t.Context(), "night")
	must(t, err)
	if st.Phase == reel.PhasePaused {
		t.Error("it was paused all the same")
	}
	// A body larger than any step.
	token, err := s.book.Issue(access.Token, "script", access.Steer)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/accounts/acc5/hold", strings.NewReader(`{"why":"`+strings.Repeat("x", 9<<20)+`"}`))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if status, text := s.do(http.DefaultClient, req); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d %.200s", status, text)
	}
}

// A script's step on many jobs does what its preview said, with those jobs and no others: what is posted, in doubt, in work or on hold is left alone, what
// changed since is told, and the journal has a name for each.
func TestBulkStepsOfScripts(t *testing.T) {
	s := newSite(t)
	s.fill()
	token, err := s.book.Issue(access.Token, "script", access.Steer)
	must(t, err)
	look, err := s.book.Issue(access.Token, "looker", access.Look)
	must(t, err)
	call := func(token, path string, body, into any) int {
		t.Helper()
		data, err := json.Marshal(body)
		must(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/batches/night/bulk/"+path, bytes.NewReader(data))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		status, text := s.do(http.DefaultClient, req)
		if status == http.StatusOK {
			must(t, json.Unmarshal([]byte(text), into))
		}
		return status
	}
	type step struct {
		Step   string `json:"step"`
		Frozen string `json:"frozen,omitempty"`
	}
	type aside struct {
		Why   string
		Count int
		First []string
	}
	var preview struct {
		Count  int
		First  []string
		Left   []aside
		Frozen string
	}
	if status := call(look, "preview", step{Step: "cancel"}, &preview); status != http.StatusForbidden {
		t.Errorf("who may look only: %d", status)
	}
	// job-1 is posted, job-2 failed, job-3's account is held, job-4 is in doubt, job-5 waits.
	if status := call(token, "preview", step{Step: "retry"}, &preview); status != http.StatusOK || preview.Count != 0 {
		t.Errorf("retry: %d %+v", status, preview)
	}
	if status := call(token, "preview", step{Step: "cancel"}, &preview); status != http.StatusOK || preview.Count != 3 || len(preview.Left) != 2 || strings.Contains(preview.Frozen, "job-4") || strings.Contains(preview.Frozen, "job-1") {
		t.Fatalf("cancel: %d %+v", status, preview)
	}
	for _, job := range []string{"job-2", "job-3", "job-5"} {
		if before := s.state(job); before == reel.Cancelled {
			t.Fatalf("the preview changed %s", job)
		}
	}
	_, err = s.store.Cancel(t.Context(), "night", "job-2", "bert")
	must(t, err)
	var done struct {
		Done int
		Left []aside
	}
	frozen := preview.Frozen + "succeeded job-1\nin_doubt job-4\n" // by hand: the ledger has the last word
	if status := call(token, "act", step{Step: "cancel", Frozen: frozen}, &done); status != http.StatusOK || done.Done != 2 || len(done.Left) != 3 {
		t.Fatalf("%d %+v", status, done)
	}
	for job, want := range map[string]reel.State{"job-1": reel.Succeeded, "job-2": reel.Cancelled, "job-3": reel.Cancelled, "job-4": reel.InDoubt, "job-5": reel.Cancelled} {
		if got := s.state(job); got != want {
			t.Errorf("%s is %s, want %s", job, got, want)
		}
	}
	st, err := s.store.Story(t.Context(), "night", "job-5")
	must(t, err)
	if e := st.Events[len(st.Events)-1]; e.Kind != reel.EventCancelled || e.By != "script" {
		t.Errorf("the journal says %+v", e)
	}
	if call(token, "preview?account=acc5", step{Step: "retry"}, &preview); preview.Count != 1 || preview.First[0] != "job-5" {
		t.Errorf("retry of one account: %+v", preview)
	}
	if status := call(token, "act", step{Step: "retry", Frozen: preview.Frozen}, &done); status != http.StatusOK || done.Done != 1 || s.state("job-5") != reel.Pending {
		t.Errorf("retry: %d %+v, job-5 is %s", status, done, s.state("job-5"))
	}
}

// A script that was cut off comes back with the last it had, and gets each event once.
func TestAScriptMissesNoEvent(t *testing.T) {
	s := newSite(t)
	s.fill()
	token, err := s.book.Issue(access.Token, "script", access.Look)
	must(t, err)
	all, err := s.store.Journal(t.Context(), 0, 1000)
	must(t, err)
	// read takes n events of a stream.
	read := func(last string, n int) (ids []string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/events?"+url.Values{"after": {"0"}, "batch": {"night"}}.Encode(), http.NoBody)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); len(ids) < n && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				ids = append(ids, id)
			}
		}
		return ids
	}
	var want []reel.Event
	for _, e := range all {
		if e.Batch == "night" {
			want = append(want, e)
		}
	}
	ids := read("", 3)
	ids = append(ids, read(ids[2], len(want)-3)...)
	must(t, s.store.Pause(t.Context(), "night", true, "anna"))
	ids = append(ids, read(ids[len(ids)-1], 1)...)
	head, err := s.store.Head(t.Context())
	must(t, err)
	for i, e := range append(want, reel.Event{Seq: head}) {
		if ids[i] != strconv.FormatInt(e.Seq, 10) {
			t.Fatalf("event %d is %s, want %d", i, ids[i], e.Seq)
		}
	}
}

// Listeners are bounded, and one that goes makes room.
func TestNotEverybodyListensAtOnce(t *testing.T) {
	s := newSite(t)
	token, err := s.book.Issue(access.Token, "script", access.Look)
	must(t, err)
	listen := func(ctx context.Context) int {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/events", http.NoBody)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res.StatusCode
	}
	first, leave := context.WithCancel(t.Context())
	if code := listen(first); code != http.StatusOK {
		t.Fatal(code)
	}
	n := 1
	for ; n < 1000 && listen(t.Context()) == http.StatusOK; n++ {
	}
	if n != 200 {
		t.Errorf("%d listen at once", n)
	}
	leave()
	until := time.Now().Add(time.Minute)
	for listen(t.Context()) != http.StatusOK {
		if time.Now().After(until) {
			t.Fatal("one has left, and nobody else may listen")
		}
	}
}
