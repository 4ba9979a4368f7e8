package dashboard_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/dashboard"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// site is a dashboard on a port, with a ledger that a test fills.
type site struct {
	*testing.T
	url   string
	store *ledger.Store
	book  *access.Book
	log   *strings.Builder

	mu   sync.Mutex
	own  []byte // rules of one's own
	full bool   // nothing more can be written
	// What happens once they were read; nil where nothing does.
	meanwhile func()
}

var me = reel.Supervisor{ID: "sup", Name: "host:1", Process: reel.Process{Host: "host", PID: 1}}

func newSite(t *testing.T, change ...func(*dashboard.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := ledger.Open(t.Context(), filepath.Join(dir, "l.db"), ledger.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	s := &site{T: t, store: store, book: access.Open(filepath.Join(dir, "access.json"), time.Now), log: new(strings.Builder)}
	evidence := filepath.Join(dir, "evidence")
	must(t, os.MkdirAll(filepath.Join(evidence, "job-1.1"), 0o700))
	must(t, os.WriteFile(filepath.Join(evidence, "job-1.1", "screen.png"), []byte("\x89PNG"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	must(t, os.Symlink(filepath.Join(dir, "secret"), filepath.Join(evidence, "job-1.1", "link")))
	config := dashboard.Config{
		Ledger: store, Access: s.book, Rules: s.rules, Teach: s.teach(), Evidence: evidence, Zone: time.UTC, Clock: time.Now,
		Absent: func(h reel.Held) reel.Decision {
			return reel.Decision{State: reel.Failed, DuePass: h.Pass + 1, Why: "not there"}
		},
		Alerts: func() (arrived, failed, gathered int64) { return 3, 1, 2 },
		Coming: func() []dashboard.Coming {
			return []dashboard.Coming{
				{Plan: "weekly", Batch: "weekly-2", At: time.Now().Add(50 * time.Hour)}, {Plan: "over"}, {Plan: "evening", Batch: "evening-7", At: time.Now().Add(90 * time.Minute)},
			}
		},
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range change {
		f(&config)
	}
	d, err := dashboard.New(config)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx, l, "", "") }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
		must(t, d.Close())
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill imports four jobs and has them end in four ways: posted, failed, account broken, in doubt.
func (s *site) fill() {
	s.Helper()
	var posts iter.Seq2[reel.Post, error] = func(yield func(reel.Post, error) bool) {
		for i := range 5 {
			n := fmt.Sprint(i + 1)
			if !yield(reel.Post{Job: reel.Job{ID: reel.JobID("job-" + n), Account: "acc" + n, VideoPath: "/v/" + n + ".mp4", Caption: "<script>alert(1)</script>"}, Line: i + 2}, nil) {
				return
			}
		}
	}
	_, err := s.store.Import(s.Context(), "night", posts)
	must(s.T, err)
	must(s.T, s.store.Enlist(me))
	limits := reel.DefaultLimits()
	round, _, err := s.store.Lead(s.Context(), reel.Bid{Batch: "night", Leader: me, Limits: limits, Workers: 2, Look: true})
	must(s.T, err)
	_, err = s.store.OpenPass(s.Context(), "night", round.Term, 1)
	must(s.T, err)
	for _, end := range []struct {
		outcome  reel.Outcome
		category reel.Category
		text     string
	}{
		{outcome: reel.OutcomeSucceeded},
		{reel.OutcomeFailed, reel.Infrastructure, "adb: device offline"},
		{reel.OutcomeFailed, reel.Account, "You've been logged out <b>"},
		{reel.OutcomeInDoubt, reel.Infrastructure, "nothing proves the post"},
	} {
		c, _, err := s.store.Claim(s.Context(), reel.Claimant{Batch: "night", Supervisor: me.ID, Worker: 1})
		must(s.T, err)
		a := reel.Attempt{
			Number: c.Attempt, Pass: c.Pass, Worker: 1, StartedAt: time.Now(), EndedAt: time.Now(), Outcome: end.outcome,
			Evidence: reel.Evidence{Source: reel.SourceTool, Text: end.text, Note: "kept in /somewhere/job-1.1"}, Verdict: reel.Verdict{Category: end.category, Rule: "r"},
		}
		if end.outcome != reel.OutcomeFailed {
			a.ShareBegun = true
			_, err := s.store.Intent(s.Context(), c, reel.FingerprintOfPath(c.Job.VideoPath), false)
			must(s.T, err)
		}
		if end.outcome == reel.OutcomeSucceeded {
			a.Evidence, a.Verdict = reel.Evidence{}, reel.Verdict{}
		}
		decision := plan.Posted()
		if end.outcome != reel.OutcomeSucceeded {
			decision = plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass, ShareBegun: a.ShareBegun}, a.Verdict, limits)
		}
		_, err = s.store.Record(s.Context(), c, reel.Ending{Attempt: a, Decision: decision})
		must(s.T, err)
	}
}

// browser is somebody who signed in.
func (s *site) browser(role access.Role) *http.Client {
	s.Helper()
	jar, err := cookiejar.New(nil)
	must(s.T, err)
	c := &http.Client{Jar: jar}
	code, err := s.book.Issue(access.Code, "anna", role)
	must(s.T, err)
	res, err := c.PostForm(s.url+"/sign-in", url.Values{"code": {code}, "to": {"/"}})
	must(s.T, err)
	must(s.T, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		s.Fatalf("sign in: %s", res.Status)
	}
	return c
}

func (s *site) do(c *http.Client, req *http.Request) (int, string) {
	s.Helper()
	res, err := c.Do(req)
	must(s.T, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(s.T, err)
	return res.StatusCode, string(body)
}

func (s *site) get(c *http.Client, path string) (int, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+path, http.NoBody)
	must(s.T, err)
	return s.do(c, req)
}

func (s *site) post(c *http.Client, path string, form url.Values, headers ...string) (int, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	must(s.T, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.do(c, req)
}

func (s *site) state(job string) reel.State {
	s.Helper()
	st, err := s.store.Story(s.Context(), "night", reel.JobID(job))
	must(s.T, err)
	return st.Record.State
}

func TestEveryPageIsThere(t *testing.T) {
	s := newSite(t)
	s.fill()
	c := s.browser(access.Steer)
	for path, want := range map[string]string{
		"/": "1 of 5 posted", "/b/night": "1 of 5 posted", "/b/night/jobs": "5 jobs match", "/b/night/jobs?state=failed": "1 job matches",
		"/b/night/jobs?q=LOGGED+out": "acc3", "/b/night/jobs/job-2": "Nothing was shared.", "/b/night/jobs/job-4": "Decide", "/accounts": "1 account on hold",
		"/accounts/acc3": "Release @acc3", "/in-doubt": "1 post may be there or not", "/in-doubt/night/job-4": "Is it posted?", "/failures": "device offline",
		"/rules": "All rules", "/settings": "anna", "/b/night/brake": "Pause night?", "/b/night/jobs?state=nonsense": "there is no state nonsense: left out",
	} {
		code, body := s.get(c, path)
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q", path, code, want)
		}
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "logged out <b>") {
			t.Errorf("%s: what was seen is taken for the page's own", path)
		}
		if regexp.MustCompile(`\sstyle=|\son[a-z]+=|<style`).MatchString(body) {
			t.Errorf("%s: the policy forbids what stands in it", path)
		}
		if n := len(body); n > 100_000 {
			t.Errorf("%s: %d bytes", path, n)
		}
	}
	for path, want := range map[string]int{"/b/none": 404, "/b/night/jobs/none": 404, "/accounts/none": 404, "/nothing": 404, "/?from=x": 400, "/b/night/jobs?from=-1": 400} {
		if code, _ := s.get(c, path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}

func TestWhatComesNextIsShownInItsOrder(t *testing.T) {
	s := newSite(t)
	_, body := s.get(s.browser(access.Look), "/")
	if !regexp.MustCompile(`(?s)Next</h2>.*<b>evening</b> begins .*\(in 1 h [23]\d m\).*as evening-7.*<b>weekly</b> begins .*as weekly-2`).MatchString(body) || strings.Contains(body, "over</b>") {
		t.Error(body)
	}
}

func TestNobodyComesInWithoutAToken(t *testing.T) {
	s := newSite(t)
	s.fill()
	stranger := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/", "/b/night", "/b/night/jobs/job-1", "/live?page=/", "/evidence/job-1.1/screen.png", "/settings"} {
		if code, body := s.get(stranger, path); code != http.StatusUnauthorized || strings.Contains(body, "acc1") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for range 12 {
		s.post(stranger, "/sign-in", url.Values{"code": {"guess"}})
	}
	if code, _ := s.post(stranger, "/sign-in", url.Values{"code": {"guess"}}); code != http.StatusTooManyRequests {
		t.Errorf("guessing is not slowed down: %d", code)
	}
	code, err := s.book.Issue(access.Code, "anna", access.Look)
	must(t, err)
	if status, _ := s.get(stranger, "/sign-in?code="+code); status != http.StatusOK {
		t.Errorf("sign-in page: %d", status)
	}
	if _, _, err := s.book.Spend(code); err != nil {
		t.Error("a look at the link has spent the code")
	}
	if strings.Contains(s.log.String(), code) {
		t.Error("the code stands in the log")
	}
}

func TestWhatMayNotBeIsRefusedAndChangesNothing(t *testing.T) {
	s := newSite(t)
	s.fill()
	steer, look := s.browser(access.Steer), s.browser(access.Look)
	retry := url.Values{"do": {"retry"}, "id": {"job-2"}}
	if code, _ := s.post(look, "/b/night/brake", url.Values{"do": {"pause"}}); code != http.StatusForbidden {
		t.Errorf("whoever may look has paused: %d", code)
	}
	if code, _ := s.post(steer, "/b/night/brake", url.Values{"do": {"pause"}}, "Origin", "http://evil.example"); code != http.StatusForbidden {
		t.Errorf("another site has paused: %d", code)
	}
	if code, _ := s.post(steer, "/b/night/jobs/preview", retry, "Sec-Fetch-Site", "cross-site"); code != http.StatusForbidden {
		t.Errorf("another site: %d", code)
	}
	big := url.Values{"do": {"retry"}, "frozen": {strings.Repeat("a", 9<<20)}}
	if code, _ := s.post(steer, "/b/night/jobs/act", big); code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", code)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", http.NoBody)
	must(t, err)
	req.Host = "evil.example"
	if code, _ := s.do(steer, req); code != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host: %d", code)
	}
	for _, path := range []string{"/evidence/job-1.1/link", "/evidence/..%2f/secret", "/evidence/job-1.1/..%2f..%2fsecret", "/evidence/%2e%2e/secret"} {
		if code, body := s.get(steer, path); code == http.StatusOK && strings.Contains(body, "secret") {
			t.Errorf("%s leaves its folder", path)
		}
	}
	for _, frozen := range []string{"", "nonsense", "failed job-2 more", "posted job-2"} {
		if code, _ := s.post(steer, "/b/night/jobs/act", url.Values{"do": {"retry"}, "frozen": {frozen}}); code != http.StatusBadRequest {
			t.Errorf("frozen %q: %d", frozen, code)
		}
	}
	st, err := s.store.Status(t.Context(), "night")
	must(t, err)
	if st.Phase != reel.PhaseRunning || s.state("job-2") != reel.Failed {
		t.Errorf("something was changed: %s", st.Phase)
	}
	if !strings.Contains(s.log.String(), "another site") || !strings.Contains(s.log.String(), "may look") {
		t.Error("not all of it is noted")
	}
}

func TestABulkStepTakesWhatItShowed(t *testing.T) {
	s := newSite(t)
	s.fill()
	c := s.browser(access.Steer)
	_, body := s.post(c, "/b/night/jobs/preview", url.Values{"do": {"cancel"}, "choice": {""}})
	for _, want := range []string{"3 jobs are taken back", "in doubt: decide first", "posted"} {
		if !strings.Contains(body, want) {
			t.Errorf("the preview lacks %q", want)
		}
	}
	if s.state("job-2") != reel.Failed {
		t.Fatal("the preview has changed something")
	}
	frozen := regexp.MustCompile(`(?s)name="frozen"[^>]*>(.*?)</textarea>`).FindStringSubmatch(body)[1]
	_, err := s.store.Cancel(t.Context(), "night", "job-5", "bert") // meanwhile
	must(t, err)
	_, body = s.post(c, "/b/night/jobs/act", url.Values{"do": {"cancel"}, "frozen": {frozen}})
	if !strings.Contains(body, "Cancel: 2 jobs done") || !strings.Contains(body, "meanwhile it is cancelled") {
		t.Errorf("%s", body)
	}
	if got := []reel.State{s.state("job-1"), s.state("job-2"), s.state("job-3"), s.state("job-4")}; fmt.Sprint(got) != "[succeeded cancelled cancelled in_doubt]" {
		t.Errorf("%v", got)
	}
	st, err := s.store.Story(t.Context(), "night", "job-2")
	must(t, err)
	if e := st.Events[len(st.Events)-1]; e.Kind != reel.EventCancelled || e.By != "anna" {
		t.Errorf("the journal says %+v", e)
	}
}

func TestADoubtIsDecidedInTwoSteps(t *testing.T) {
	s := newSite(t)
	s.fill()
	c := s.browser(access.Steer)
	const path = "/in-doubt/night/job-4"
	for _, form := range []url.Values{{}, {"answer": {"absent"}}, {"answer": {"posted"}, "link": {"javascript:alert(1)"}}} {
		if code, _ := s.post(c, path+"/check", form); code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, code)
		}
	}
	_, body := s.post(c, path+"/check", url.Values{"answer": {"posted"}, "link": {"https://www.instagram.com/reel/x/"}})
	if !strings.Contains(body, "You say that it is posted") || s.state("job-4") != reel.InDoubt {
		t.Fatalf("%s", body)
	}
	seq := regexp.MustCompile(`name="seq" value="(\d+)"`).FindStringSubmatch(body)[1]
	if code, _ := s.post(c, path, url.Values{"answer": {"posted"}, "seq": {"1"}}); code != http.StatusConflict || s.state("job-4") != reel.InDoubt {
		t.Errorf("old facts were taken: %d", code)
	}
	if code, _ := s.post(c, path, url.Values{"answer": {"posted"}, "seq": {seq}, "link": {"https://www.instagram.com/reel/x/"}}); code != http.StatusOK || s.state("job-4") != reel.Succeeded {
		t.Errorf("%d, %s", code, s.state("job-4"))
	}
	if code, body := s.post(c, path, url.Values{"answer": {"absent"}, "seq": {seq}}); code != http.StatusConflict || !strings.Contains(body, "anna said so") {
		t.Errorf("the second to answer is not told: %d", code)
	}
}

func TestAReleaseReturnsTheCauseOnlyWhenTicked(t *testing.T) {
	s := newSite(t)
	s.fill()
	c := s.browser(access.Steer)
	if code, _ := s.post(c, "/accounts/acc3/release", url.Values{}); code != http.StatusOK || s.state("job-3") != reel.SetAside {
		t.Errorf("%d %s", code, s.state("job-3"))
	}
	if code, body := s.post(c, "/accounts/acc3/release", url.Values{}); code != http.StatusConflict || !strings.Contains(body, "anna released it") {
		t.Errorf("%d", code)
	}
}

// The stream tells of a change within two ticks, and only of what changed.
func TestTheStreamTellsOfChanges(t *testing.T) {
	s := newSite(t)
	s.fill()
	c := s.browser(access.Look)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/live?page=/b/night", http.NoBody)
	must(t, err)
	res, err := c.Do(req)
	must(t, err)
	defer res.Body.Close()
	var seen strings.Builder
	buf := make([]byte, 64<<10)
	told := func(want string) {
		t.Helper()
		for !strings.Contains(seen.String(), want) {
			n, err := res.Body.Read(buf)
			seen.Write(buf[:n])
			if err != nil {
				t.Fatalf("the stream never said %q: %v", want, err)
			}
		}
	}
	told("1 of 5 posted")
	must(t, s.store.Pause(t.Context(), "night", true, "bert"))
	told("paused")
}

// A script's token reads the numbers, and they are those of the ledger.
func TestTheNumbersAreTheLedgers(t *testing.T) {
	s := newSite(t)
	s.fill()
	token, err := s.book.Issue(access.Token, "prometheus", access.Look)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/metrics", http.NoBody)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	code, body := s.do(http.DefaultClient, req)
	for _, want := range []string{
		"reelpass_ledger_up 1", `reelpass_jobs{batch="night",state="in_doubt"} 1`, `reelpass_jobs{batch="night",state="succeeded"} 1`,
		`reelpass_attempts_total{batch="night"} 4`, `reelpass_failures_total{batch="night",category="infrastructure"} 1`, "reelpass_in_doubt 1",
		"reelpass_accounts_held 1", `reelpass_breaker_open{batch="night"} 0`, "reelpass_phones_running 0",
	} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, without %s", code, want)
		}
	}
	for line := range strings.Lines(body) { // what promtool would say first
		if strings.HasPrefix(line, "# HELP") && len(strings.Fields(line)) < 4 {
			t.Errorf("no help: %s", line)
		}
	}
}

// While the worker of a doubt may still share, on a host that cannot be asked, nobody says that the post is not there: neither in a form
// made by hand, nor in a script. That it is there may be said.
func TestNobodySaysAbsentWhileTheWorkerMayAct(t *testing.T) {
	s := newSite(t)
	s.fill()
	other := reel.Supervisor{ID: "far", Name: "far:1", Process: reel.Process{Host: "far", PID: 1}}
	must(t, s.store.Enlist(other))
	c, _, err := s.store.Claim(t.Context(), reel.Claimant{Batch: "night", Supervisor: other.ID, Worker: 1})
	must(t, err)
	_, err = s.store.Intent(t.Context(), c, reel.FingerprintOfPath(c.Job.VideoPath), false)
	must(t, err)
	a := reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: 1, StartedAt: time.Now(), EndedAt: time.Now(), Outcome: reel.OutcomeInDoubt, ShareBegun: true,
		Evidence: reel.Evidence{Source: reel.SourceWorker, Text: "its host is silent"}, Verdict: reel.Verdict{Category: reel.Infrastructure, Rule: "r"},
	}
	decision := plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass, ShareBegun: true}, a.Verdict, reel.DefaultLimits())
	_, err = s.store.Record(t.Context(), c, reel.Ending{Attempt: a, Decision: decision, From: reel.Publishing, Away: true})
	must(t, err)
	job := string(c.Job.ID)
	st, err := s.store.Story(t.Context(), "night", c.Job.ID)
	must(t, err)
	seq := fmt.Sprint(st.Events[len(st.Events)-1].Seq)
	browser, path := s.browser(access.Steer), "/in-doubt/night/"+job
	if code, body := s.post(browser, path+"/check", url.Values{"answer": {"absent"}, "looked": {"on"}}); code != http.StatusUnprocessableEntity || !strings.Contains(body, "might still share") {
		t.Errorf("the first step: %d", code)
	}
	if code, body := s.post(browser, path, url.Values{"answer": {"absent"}, "seq": {seq}}); code != http.StatusConflict || !strings.Contains(body, "might still share") {
		t.Errorf("a form made by hand: %d", code)
	}
	token, err := s.book.Issue(access.Token, "script", access.Steer)
	must(t, err)
	say := func(body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/batches/night/jobs/"+job+"/resolve", strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		return s.do(http.DefaultClient, req)
	}
	if code, body := say(`{"posted":false}`); code != http.StatusConflict || !strings.Contains(body, "might still share") {
		t.Errorf("a script: %d %s", code, body)
	}
	if state := s.state(job); state != reel.InDoubt {
		t.Fatalf("it is %s", state)
	}
	if code, body := say(`{"posted":true}`); code != http.StatusOK {
		t.Errorf("that it is there: %d %s", code, body)
	}
}
