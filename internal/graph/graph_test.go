package graph_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/graph"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
	"reelpass/internal/simgraph"
	"reelpass/internal/worker"
)

var _ worker.Publisher = (*graph.Publisher)(nil)

// line is the connection to a false server: no network, so that time can be simulated. It may be cut for good at a call, before or after
// the server has carried it out, as when the process dies there.
type line struct {
	server http.Handler
	calls  int
	dies   int // at this call; 0: never
	after  bool
	dead   bool
}

var errCut = errors.New("connection reset by peer")

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.dead || r.Context().Err() != nil {
		return nil, errCut
	}
	if l.calls++; l.calls == l.dies {
		l.dead = true
		if !l.after {
			return nil, errCut
		}
	}
	rec := httptest.NewRecorder()
	aborted := func() (aborted bool) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				aborted = true
			default:
				panic(v)
			}
		}()
		in := r.Clone(r.Context())
		if in.Body == nil {
			in.Body = http.NoBody
		}
		l.server.ServeHTTP(rec, in)
		return false
	}()
	if aborted || l.dead {
		return nil, errCut
	}
	return rec.Result(), nil
}

// fixed is one account.
type fixed struct{ a graph.Account }

func (f fixed) Account(context.Context, string) (graph.Account, error) { return f.a, nil }

const caption = "Linen, cotton 🌼 with @mira\nand one very loud yellow #mend"

// play is one job on one account, taken as a runner takes it: attempts and looks until it is settled or waits for a person.
type play struct {
	t       *testing.T
	server  *simgraph.Server
	account simgraph.Account
	rules   *fault.Rules
	video   string
	caption string
	change  func(*graph.Config)
	dies    []int // at which call each attempt dies; 0: it lives
	after   bool

	kept     map[string]string
	evidence []reel.Evidence
	verdicts []string
	looks    []reel.Look
	state    string // posted, person, set_aside, exhausted
	receipt  reel.Receipt
}

func (p *play) publisher(l *line) *graph.Publisher {
	cfg := graph.Config{
		Client: &graph.Client{
			Base: map[graph.Login]string{graph.Instagram: "http://127.0.0.1:1/ig", graph.Facebook: "http://127.0.0.1:1/fb"}, HTTP: &http.Client{Transport: l},
		},
		Accounts: fixed{graph.Account{ID: p.account.ID, Login: graph.Login(p.account.Login), Token: p.account.Token}},
	}
	if p.change != nil {
		p.change(&cfg)
	}
	return graph.New(cfg)
}

func newPlay(t *testing.T, cfg simgraph.Config, a simgraph.Account) *play {
	t.Helper()
	p := &play{t: t, server: simgraph.New(cfg), rules: fault.Default(), caption: caption, kept: map[string]string{}}
	t.Cleanup(p.server.Close)
	p.server.At("http://127.0.0.1:1")
	a.Name = "mira"
	p.account = p.server.Add(a)
	p.video = filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(p.video, []byte(strings.Repeat("0123456789", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// run takes the job to its end.
func (p *play) run() {
	var tally reel.Tally
	limits := reel.DefaultLimits()
	limits.MaxWait = reel.Seconds(48 * time.Hour)
	for pass := 1; ; pass++ {
		l := &line{server: p.server, after: p.after}
		if pass <= len(p.dies) {
			l.dies = p.dies[pass-1]
		}
		shared := false
		a := reel.Assignment{JobID: "j", Account: "mira", VideoPath: p.video, Caption: p.caption, Attempt: pass, Pass: pass, Kept: maps.Clone(p.kept)}
		began := time.Now()
		desk := reel.Desk{
			Step:  func(string) {},
			Share: func(context.Context) bool { shared = shared || !l.dead; return !l.dead },
			Keep: func(_ context.Context, name, value string) bool {
				if l.dead {
					return false
				}
				if p.kept[name] = value; value == "" {
					delete(p.kept, name)
				}
				return true
			},
		}
		r := p.publisher(l).Publish(p.t.Context(), a, desk)
		if l.dead { // what it says is never heard
			r = reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeWorkerLost, Text: "worker ended: signal: killed"}}
		}
		if r.Posted {
			p.state, p.receipt = "posted", r.Receipt
			if !shared {
				p.t.Error("posted without a go")
			}
			return
		}
		e := r.Evidence
		begun := shared && !r.Refused
		e.ShareBegun = begun
		p.evidence = append(p.evidence, e)
		v := p.rules.Judge(e)
		p.verdicts = append(p.verdicts, fmt.Sprintf("%s %s", v.Category, v.Type))
		d := plan.After(plan.Try{Tally: tally, Pass: pass, LastPass: 9, ShareBegun: begun, Pause: p.rules.Pause(e, v, time.Now())}, v, limits)
		if !d.Free {
			tally = tally.Failed(v.Category)
		}
		<-time.After(d.Wait.Std())
		switch {
		case d.State == reel.Failed:
			<-time.After(30 * time.Second)
			continue
		case d.State != reel.InDoubt:
			p.state = string(d.State)
			return
		case d.Hold && d.Wait == 0:
			p.state = "person"
			return
		}
		a.Kept = maps.Clone(p.kept)
		look := p.publisher(&line{server: p.server}).Find(p.t.Context(), a, began, desk)
		p.looks = append(p.looks, look)
		switch look.Finding {
		case reel.Found:
			p.state, p.receipt = "posted", look.Receipt
			return
		case reel.Absent:
			continue
		case reel.Unsure:
		}
		p.state = "person"
		return
	}
}

// right checks what the world outside says: posted means once, whatever failed means not at all, and a person is only asked where nobody
// could know.
func (p *play) right() {
	p.t.Helper()
	<-time.After(time.Hour) // what comes late has come
	n := len(p.server.Posted())
	if len(p.server.Twice()) > 0 || n > 1 || p.state == "posted" && n != 1 || (p.state == "set_aside" || p.state == "exhausted") && n != 0 {
		p.t.Errorf("%s, and the world has %d posts; evidence %+v, looks %+v", p.state, n, p.evidence, p.looks)
	}
	for _, e := range p.evidence {
		if strings.Contains(fmt.Sprint(e), p.account.Token) {
			p.t.Errorf("the token is in %+v", e)
		}
	}
}

// Each case of the API's failures: what the first verdict is, and how the job ends.
func TestEachCase(t *testing.T) {
	cases := map[string]struct{ verdict, state string }{
		"":                 {"", "posted"},
		"reply_lost":       {"", "posted"},
		"cut_before":       {"infrastructure", "posted"},
		"spam_live":        {"", "posted"},
		"spam":             {"account action_blocked", "person"},
		"late":             {"", "posted"},
		"unknown_live":     {"", "posted"},
		"unknown":          {"infrastructure graph_api", "posted"},
		"server_live":      {"", "posted"},
		"outage_publish":   {"infrastructure", "posted"},
		"outage_live":      {"", "posted"},
		"not_ready":        {"infrastructure processing", "posted"},
		"quota":            {"account rate_limited", "posted"},
		"duplicate":        {"unknown post_failed", "posted"},
		"restricted":       {"account action_blocked", "set_aside"},
		"blocked":          {"account action_blocked", "set_aside"},
		"token_revoked":    {"account logged_out", "set_aside"},
		"outage":           {"infrastructure", "posted"},
		"token_expired":    {"account logged_out", "set_aside"},
		"password_changed": {"account logged_out", "set_aside"},
		"permission":       {"account permission", "set_aside"},
		"app_limit":        {"infrastructure rate_limited", "posted"},
		"account_limit":    {"infrastructure rate_limited", "posted"},
		"no_resumable":     {"account permission", "set_aside"},
		"upload_odd":       {"", "posted"},
		"upload_cut":       {"", "posted"},
		"upload_fails":     {"", "posted"},
		"media_format":     {"content media_format", "set_aside"},
		"media_processing": {"infrastructure graph_api", "posted"},
		"status_outage":    {"", "posted"},
		"status_missing":   {"", "posted"},
		"permalink":        {"", "posted"},
		"list_outage":      {"", "posted"},
	}
	for kind := range simgraph.Kinds() {
		if _, ok := cases[kind]; !ok {
			t.Errorf("%s is not tried", kind)
		}
	}
	for kind, want := range cases {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{Polls: 2, Process: 20 * time.Second, ListLag: 15 * time.Second}, simgraph.Account{StripsAt: true})
				if kind != "" {
					if err := p.server.Fail("mira", simgraph.Fault{Kind: kind, Part: 0.5}); err != nil {
						t.Fatal(err)
					}
				}
				p.run()
				verdict := ""
				if len(p.verdicts) > 0 {
					verdict = p.verdicts[0]
				}
				if (want.verdict == "") != (verdict == "") || !strings.HasPrefix(verdict, want.verdict) || p.state != want.state {
					t.Errorf("%q and %s, want %q and %s: %+v, looks %+v", verdict, p.state, want.verdict, want.state, p.evidence, p.looks)
				}
				p.right()
			})
		})
	}
}

// Killed at every call, before and after the server has carried it out, in each of two attempts, with and without a fault beside: never
// twice, nothing lost, and in the end it is posted or a person knows why not.
func TestKilledAnywhere(t *testing.T) {
	kinds := []string{"", "reply_lost", "late", "upload_cut", "upload_odd", "spam_live", "unknown_live", "outage_live", "status_outage", "permalink", "cut_before", "list_outage"}
	ends, limits := map[string]int{}, reel.DefaultLimits()
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(rt, "fault")
		dies := rapid.SliceOfN(rapid.IntRange(0, 12), 0, 2).Draw(rt, "dies at call")
		after := rapid.Bool().Draw(rt, "after it was carried out")
		lag := time.Duration(rapid.IntRange(0, 60).Draw(rt, "list lag")) * time.Second
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t, simgraph.Config{Polls: 1, Process: 10 * time.Second, ListLag: lag}, simgraph.Account{})
			p.dies, p.after = dies, after
			if kind != "" {
				if err := p.server.Fail("mira", simgraph.Fault{Kind: kind, Part: 0.3}); err != nil {
					t.Fatal(err)
				}
			}
			p.server.Neighbour(p.account.ID, "by somebody else")
			p.run()
			p.right()
			ends[p.state]++
			if p.state != "posted" && p.state != "person" && (p.state != "exhausted" || len(p.evidence) < limits.Infrastructure) {
				t.Errorf("ends %s: %+v", p.state, p.evidence)
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
	if ends["posted"] == 0 {
		t.Errorf("ends: %v", ends)
	}
}

// An upload that was cut goes on where it was; the bytes are sent once.
func TestAnUploadGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{})
		if err := p.server.Fail("mira", simgraph.Fault{Kind: "upload_cut", Part: 0.5}); err != nil {
			t.Fatal(err)
		}
		p.run()
		if posts := p.server.Posted(); len(posts) != 1 || posts[0].Bytes != 100_000 || p.server.Calls()[simgraph.AtCreate] != 1 || p.server.Calls()[simgraph.AtUpload] != 2 {
			t.Errorf("%+v, calls %v", posts, p.server.Calls())
		}
		p.right()
	})
}

// A container that took too long is asked again in the next attempt, and not made anew.
func TestTheNextAttemptGoesOnWithTheContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{Process: 12 * time.Minute}, simgraph.Account{})
		p.run()
		if p.state != "posted" || len(p.verdicts) != 1 || p.verdicts[0] != "infrastructure processing" || p.server.Calls()[simgraph.AtCreate] != 1 {
			t.Errorf("%s, %v, calls %v", p.state, p.verdicts, p.server.Calls())
		}
		p.right()
	})
}

// A container whose day is over is not used; the job gets another one.
func TestAnOldContainerIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{})
		p.dies = []int{5}
		p.kept["container"] = fmt.Sprintf(`{"id":"1","at":%q,"size":1}`, time.Now().Add(-30*time.Hour).Format(time.RFC3339))
		p.run()
		if p.state != "posted" {
			t.Errorf("%s %+v", p.state, p.evidence)
		}
		p.right()
	})
}

func TestTheDailyLimit(t *testing.T) {
	for name, c := range map[string]struct{ quota, own, before int }{"the platform's": {quota: 3, before: 3}, "the user's own": {own: 2, before: 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{Quota: c.quota}, simgraph.Account{})
				p.change = func(cfg *graph.Config) { cfg.PostsPerDay = c.own }
				for range c.before {
					p.server.Neighbour(p.account.ID, "earlier")
					<-time.After(time.Hour)
				}
				began := time.Now()
				p.run()
				waited := time.Since(began)
				if p.state != "posted" || len(p.verdicts) != 1 || p.verdicts[0] != "account rate_limited" || waited < 20*time.Hour || waited > 25*time.Hour {
					t.Errorf("%s after %s, %v %+v", p.state, waited, p.verdicts, p.evidence)
				}
				p.right()
			})
		})
	}
}

// What is wrong before anything is sent says so in one line, and costs no call of publishing.
func TestBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*play)
		verdict string
		text    string
	}{
		"no such token":        {func(p *play) { p.account.Token = "IGAAwrong" }, "account logged_out", "Invalid OAuth access token"},
		"of the other host":    {func(p *play) { p.account.Login = simgraph.Facebook }, "account logged_out", "Invalid OAuth access token"},
		"revoked":              {func(p *play) { p.server.Revoke(p.account.ID) }, "account logged_out", "invalidated"},
		"of another account":   {func(p *play) { p.account.ID = "17841400000000000" }, "infrastructure", "does not exist"},
		"a caption too long":   {func(p *play) { p.caption = strings.Repeat("a", 2201) }, "content media_rejected", "caption was too long"},
		"a video that is gone": {func(p *play) { p.video += ".none" }, "content media_missing", "cannot be read"},
		"refused beforehand": {func(p *play) {
			p.change = func(c *graph.Config) {
				c.Check = func(string, string) *reel.Evidence {
					return &reel.Evidence{Source: reel.SourceTool, Code: "video_too_long", Text: "is 16:20 min long"}
				}
			}
		}, "content media_format", "16:20"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{}, simgraph.Account{})
				c.change(p)
				p.run()
				if len(p.verdicts) == 0 || !strings.HasPrefix(p.verdicts[0], c.verdict) || !strings.Contains(p.evidence[0].Text, c.text) || strings.Contains(p.evidence[0].Text, "\n") {
					t.Errorf("%v %+v", p.verdicts, p.evidence)
				}
				if n := len(p.server.Posted()); n != 0 {
					t.Errorf("%d posts", n)
				}
			})
		})
	}
}

// An account that takes no upload gets a URL, where there is a place for it.
func TestAnAccountThatWantsAURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{NoUpload: true})
		p.change = func(c *graph.Config) {
			c.Offer = func(context.Context, string) (string, error) { return "https://bucket.example/signed?x=1", nil }
		}
		p.run()
		if p.state != "posted" || p.server.Calls()[simgraph.AtUpload] != 0 {
			t.Errorf("%s %+v", p.state, p.evidence)
		}
		p.right()
	})
}

// A reel of somebody else, and an older one with the same caption, are never taken for ours; two with our caption since then are for a
// person.
func TestNeighbours(t *testing.T) {
	for name, c := range map[string]struct {
		before, after []string
		fault         string
		state         string
	}{
		"another is newer":    {after: []string{"another"}, fault: "reply_lost", state: "posted"},
		"an older of ours":    {before: []string{caption}, fault: "cut_before", state: "posted"},
		"two of ours by hand": {after: []string{caption, caption}, fault: "cut_before", state: "person"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{}, simgraph.Account{})
				for _, text := range c.before {
					p.server.Neighbour(p.account.ID, text)
				}
				<-time.After(time.Hour)
				if err := p.server.Fail("mira", simgraph.Fault{Kind: c.fault}); err != nil {
					t.Fatal(err)
				}
				for _, text := range c.after {
					time.AfterFunc(30*time.Second, func() { p.server.Neighbour(p.account.ID, text) })
				}
				p.run()
				if p.state != c.state {
					t.Errorf("%s %+v %+v", p.state, p.evidence, p.looks)
				}
				if posts := p.server.Posted(); c.state == "posted" && (len(posts) != 1 || p.receipt.ID != posts[0].Media || !strings.HasPrefix(p.receipt.URL, "https://www.instagram.com/reel/")) {
					t.Errorf("receipt %+v of %+v", p.receipt, posts)
				}
				p.right()
			})
		})
	}
}

func TestBase(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://graph.instagram.com": true, "http://127.0.0.1:8080": true, "http://localhost:1/ig": true, "http://[::1]:1": true,
		"http://graph.instagram.com": false, "ftp://x": false, "": false, "graph.instagram.com": false,
	} {
		if err := graph.CheckBase(base); (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// Whatever a server answers: no panic, and what is no clean yes is no post.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"id":"1"}`)
	f.Add(400, `{"error":{"message":"x","code":-1,"error_subcode":2207001,"is_transient":true}}`)
	f.Add(503, `<html>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := &graph.Client{HTTP: &http.Client{Transport: answering(func() *http.Response {
			return &http.Response{StatusCode: 200 + (status%400+400)%400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		})}}
		a := graph.Account{ID: "1", Login: graph.Instagram, Token: "IGAAsecret"}
		if id, err := c.Publish(t.Context(), a, "2"); (err == nil) != (id != "") {
			t.Errorf("%q, %v", id, err)
		} else if err != nil && strings.Contains(err.Error(), "IGAAsecret") && !strings.Contains(body, "IGAAsecret") {
			t.Error(err)
		}
		_, _ = c.Status(t.Context(), a, "2")
		_, _, _ = c.Media(t.Context(), a, time.Unix(0, 0))
		_, _, _ = c.Quota(t.Context(), a)
	})
}

type answering func() *http.Response

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a(), nil }

// once is one attempt, and the look after it, by somebody who does not ask at once whether a lost answer was a yes.
func (p *play) once(t *testing.T) (reel.Report, reel.Look) {
	t.Helper()
	p.change = func(c *graph.Config) {
		c.Times = graph.DefaultTimes()
		c.Times.Confirm = 0
	}
	l := &line{server: p.server}
	a := reel.Assignment{JobID: "j", Account: "mira", VideoPath: p.video, Caption: p.caption, Attempt: 1, Kept: maps.Clone(p.kept)}
	began := time.Now()
	desk := reel.Desk{Step: func(string) {}, Share: func(context.Context) bool { return true }, Keep: func(_ context.Context, name, value string) bool {
		p.kept[name] = value
		return true
	}}
	r := p.publisher(l).Publish(t.Context(), a, desk)
	a.Kept = maps.Clone(p.kept)
	return r, p.publisher(l).Find(t.Context(), a, began, desk)
}

// A look finds what is there and nothing else, after each way in which a publication can fail.
func TestALookSaysWhatIsThere(t *testing.T) {
	for kind, there := range map[string]bool{
		"reply_lost": true, "spam_live": true, "unknown_live": true, "server_live": true, "outage_live": true, "late": true,
		"cut_before": false, "spam": false, "unknown": false, "outage_publish": false, "not_ready": false, "quota": false, "duplicate": false, "restricted": false,
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{Late: 100 * time.Second}, simgraph.Account{})
				if err := p.server.Fail("mira", simgraph.Fault{Kind: kind}); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				r, look := p.once(t)
				if r.Posted || (look.Finding == reel.Found) != there || (look.Finding == reel.Absent) == there {
					t.Errorf("%+v, %+v", r, look)
				}
				if took := time.Since(began); !there && took < graph.DefaultTimes().Grace {
					t.Errorf("called absent after %s", took)
				}
			})
		})
	}
}

// refusing answers every publication with a plain refusal, whatever the server made of it, and then no more questions where it is silent.
type refusing struct {
	line
	performs, silent, refused bool
}

func (x *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case x.refused && x.silent:
		return nil, errCut
	case !strings.HasSuffix(r.URL.Path, "/media_publish"):
		return x.line.RoundTrip(r)
	case x.performs:
		if _, err := x.line.RoundTrip(r); err != nil {
			return nil, err
		}
	}
	x.refused = true
	const text = `{"error":{"message":"The Instagram account is restricted.","code":25,"error_subcode":2207050}}`
	return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// A plain refusal settles the job, unless its container says otherwise; where that cannot be asked it is a doubt.
func TestARefusalIsHeldAgainstTheContainer(t *testing.T) {
	for name, c := range map[string]struct {
		performs, silent bool
		state            string
	}{
		"not published":             {false, false, "set_aside"},
		"published all the same":    {true, false, "posted"},
		"nobody answers":            {false, true, "person"},
		"published, nobody answers": {true, true, "person"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{}, simgraph.Account{})
				x := &refusing{line: line{server: p.server}, performs: c.performs, silent: c.silent}
				p.change = func(cfg *graph.Config) { cfg.Client.HTTP = &http.Client{Transport: x} }
				p.run()
				if p.state != c.state {
					t.Errorf("%s %+v %+v", p.state, p.evidence, p.looks)
				}
				p.right()
			})
		})
	}
}

// A container that is published is never published again, also where a look was wrong or nobody looked.
func TestAPublishedContainerIsNotPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{})
		if err := p.server.Fail("mira", simgraph.Fault{Kind: "reply_lost"}); err != nil {
			t.Fatal(err)
		}
		first, _ := p.once(t)
		again, _ := p.once(t)
		if first.Posted || !again.Posted || len(p.server.Posted()) != 1 || p.server.Calls()[simgraph.AtPublish] != 1 || again.Receipt.ID != p.server.Posted()[0].Media {
			t.Errorf("%+v, %+v, %+v", first, again, p.server.Posted())
		}
	})
}

// A short-lived token is exchanged for one of 60 days, with the app's secret, which no error tells.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
		l := &line{server: p.server}
		c := &graph.Client{Base: map[graph.Login]string{graph.Instagram: "http://127.0.0.1:1/ig"}, HTTP: &http.Client{Transport: l}}
		a := graph.Account{ID: p.account.ID, Login: graph.Instagram, Token: p.account.Token}
		token, lives, err := c.Exchange(t.Context(), a, "app-secret-17")
		if err != nil || token == a.Token || lives != 60*24*time.Hour {
			t.Fatalf("%q, %s, %v", token, lives, err)
		}
		<-time.After(59 * 24 * time.Hour)
		if id, _, err := c.Me(t.Context(), graph.Account{Login: graph.Instagram, Token: token}); err != nil || id != a.ID {
			t.Error(id, err)
		}
		var f *graph.Failure
		if _, _, err := c.Exchange(t.Context(), a, ""); !errors.As(err, &f) || f.Code != 100 {
			t.Error(err)
		}
		l.dead = true
		if _, _, err := c.Exchange(t.Context(), a, "app-secret-17"); err == nil || strings.Contains(err.Error(), "app-secret-17") || strings.Contains(err.Error(), a.Token) {
			t.Error(err)
		}
	})
}

// meddling changes a file when its upload begins.
type meddling struct {
	line
	file string
	done bool
}

func (m *meddling) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "ig-api-upload") && !m.done {
		m.done = true
		if err := os.WriteFile(m.file, []byte(strings.Repeat("another!!!", 10_001)), 0o600); err != nil {
			return nil, err
		}
	}
	return m.line.RoundTrip(r)
}

// A video that changes while it is uploaded is not published: the next attempt makes a container for what it is then.
func TestAVideoThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{})
		m := &meddling{line: line{server: p.server}, file: p.video}
		p.change = func(c *graph.Config) { c.Client.HTTP = &http.Client{Transport: m} }
		p.run()
		if posts := p.server.Posted(); p.state != "posted" || len(posts) != 1 || posts[0].Bytes != 100_010 || len(p.verdicts) != 1 || p.evidence[0].Code != graph.CodeChanged {
			t.Errorf("%s %+v %+v", p.state, posts, p.evidence)
		}
		p.right()
	})
}

// A ledger that is an old copy knows no container. What is on the account is found by its caption; it is called absent only where all posts
// since then were seen.
func TestALookWithoutAContainer(t *testing.T) {
	for name, c := range map[string]struct {
		there   []string
		caption string
		want    reel.Finding
	}{
		"there":             {[]string{"another", caption, "a third"}, caption, reel.Found},
		"not there":         {[]string{"another"}, caption, reel.Absent},
		"there twice":       {[]string{caption, caption}, caption, reel.Unsure},
		"without a caption": {[]string{"another"}, " ", reel.Unsure},
		"behind many":       {append([]string{caption}, strings.Split(strings.Repeat("another,", 120), ",")...), caption, reel.Unsure},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlay(t, simgraph.Config{}, simgraph.Account{StripsAt: true})
				for _, text := range c.there {
					p.server.Neighbour(p.account.ID, text)
				}
				a := reel.Assignment{JobID: "j", Account: "mira", Caption: c.caption}
				for _, since := range []time.Time{{}, time.Now().Add(-time.Minute)} {
					if look := p.publisher(&line{server: p.server}).Find(t.Context(), a, since, reel.Desk{}); look.Finding != c.want {
						t.Errorf("since %s: %+v", since, look)
					}
				}
			})
		})
	}
}

// Neither does one whose container had lapsed say anything of another one that was made since.
func TestALookWithAnOldContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, simgraph.Config{}, simgraph.Account{})
		c := &graph.Client{Base: map[graph.Login]string{graph.Instagram: "http://127.0.0.1:1"}, HTTP: &http.Client{Transport: &line{server: p.server}}}
		old, err := c.Create(t.Context(), graph.Account{ID: p.account.ID, Login: graph.Instagram, Token: p.account.Token}, caption, "https://x.example/v.mp4")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		<-time.After(26 * time.Hour)
		a := reel.Assignment{JobID: "j", Account: "mira", Caption: caption, Kept: map[string]string{"container": fmt.Sprintf(`{"id":%q}`, old.ID)}}
		find := func() reel.Look {
			return p.publisher(&line{server: p.server}).Find(t.Context(), a, began, reel.Desk{})
		}
		if look := find(); look.Finding != reel.Absent {
			t.Errorf("%+v", look)
		}
		p.server.Neighbour(p.account.ID, caption)
		if look := find(); look.Finding != reel.Found {
			t.Errorf("%+v", look)
		}
	})
}
