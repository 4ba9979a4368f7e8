package dashboard_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp" // drives the real browser; v0.15 is the last with the API that its documentation shows

	"reelpass/internal/access"
	"reelpass/internal/dashboard"
	"reelpass/internal/reel"
)

// accessible asks axe-core for what is against the rules of WCAG 2.2 AA and against good practice.
const accessible = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}}})
	.then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" ")))`

func awaiting(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// tab is a page of the real browser, in which somebody who may steer has signed in.
type tab struct {
	*testing.T
	ctx context.Context
	axe string // axe-core; empty where it is not installed

	mu         sync.Mutex
	complaints []string
}

func newTab(t *testing.T, s *site) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must have chromium")
		}
		t.Skip("there is no chromium here")
	}
	axe, err := os.ReadFile("../../tools/axe/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("CI must have axe-core: ", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(stop)
	b := &tab{T: t, ctx: ctx, axe: string(axe)}
	chromedp.ListenTarget(ctx, func(e any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := e.(type) {
		case *cdplog.EventEntryAdded:
			if !strings.Contains(e.Entry.URL, "/evidence/") { // the picture of this test is none
				b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, e.ExceptionDetails.Error())
		}
	})
	b.run(cdplog.Enable(), runtime.Enable())
	b.signIn(s)
	return b
}

func (b *tab) run(actions ...chromedp.Action) {
	b.Helper()
	must(b.T, chromedp.Run(b.ctx, actions...))
}

func (b *tab) signIn(s *site) {
	b.Helper()
	code, err := s.book.Issue(access.Code, "anna", access.Steer)
	must(b.T, err)
	b.run(chromedp.Navigate(s.url+"/sign-in?to=/&code="+url.QueryEscape(code)), chromedp.Click("button", chromedp.ByQuery), chromedp.WaitReady("nav", chromedp.ByQuery))
}

// click chooses something that a selector finds.
func click(selector string) chromedp.Action { return chromedp.Click(selector, chromedp.ByQuery) }

// shown waits for something that a selector finds.
func shown(selector string) chromedp.Action { return chromedp.WaitVisible(selector, chromedp.ByQuery) }

// look holds the page that is open against the rules, on wide screens and on a phone's, in light and in dark. With REELPASS_SHOTS=FOLDER it is
// photographed, to be looked at.
func (b *tab) look(name string) {
	b.Helper()
	if b.axe != "" {
		b.run(chromedp.Evaluate(b.axe+"\n;0", nil))
	}
	for _, screen := range []struct {
		name  string
		w, h  int64
		theme string
	}{{"phone", 390, 844, "light"}, {"wide", 1280, 800, "light"}, {"phone-dark", 390, 844, "dark"}, {"wide-dark", 1280, 800, "dark"}} {
		var wider bool
		b.run(chromedp.EmulateViewport(screen.w, screen.h), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.theme}}),
			chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wider))
		if wider {
			b.Errorf("%s on a %s screen is wider than the screen", name, screen.name)
		}
		if b.axe != "" {
			b.accessible(name + " on a " + screen.name + " screen")
		}
		if folder := os.Getenv("REELPASS_SHOTS"); folder != "" {
			var shot []byte
			b.run(chromedp.FullScreenshot(&shot, 100))
			must(b.T, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s.png", name, screen.name)), shot, 0o600))
		}
	}
	b.run(chromedp.EmulateViewport(1280, 800))
}

// accessible asks axe-core, which is in the page already.
func (b *tab) accessible(what string) {
	b.Helper()
	var wrong []string
	b.run(chromedp.Evaluate(accessible, &wrong, awaiting))
	for _, w := range wrong {
		b.Errorf("%s: %s", what, w)
	}
}

// complains reports what the browser had to say, but for some that are right.
func (b *tab) complains(right ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if !slices.ContainsFunc(right, func(end string) bool { return strings.Contains(c, end) }) {
			b.Error("the browser complains: " + c)
		}
	}
}

// plainPages are the pages that can be opened by their address, of a site that is filled.
func (s *site) plainPages() map[string]string {
	s.Helper()
	return map[string]string{
		"batches": "/", "batch": "/b/night", "jobs": "/b/night/jobs", "job": "/b/night/jobs/job-3", "accounts": "/accounts", "account": "/accounts/acc3",
		"nowhere": "/b/no-such-batch", "nothing": "/b/night/jobs?q=zzz", "doubts": "/in-doubt", "doubt": "/in-doubt/night/job-4", "failures": "/failures",
		"rules": "/rules", "settings": "/settings", "teach": s.lesson("flange"), "brake": "/b/night/brake",
	}
}

// lesson is the address where a rule is taught for a failure with a word.
func (s *site) lesson(word string) string {
	s.Helper()
	c := s.browser(access.Steer)
	for _, at := range s.lessons(c) {
		if _, body := s.get(c, at); strings.Contains(body, word) {
			return at
		}
	}
	s.Fatalf("no lesson of %s", word)
	return ""
}

// Every page in a real browser, on a wide screen and on a phone's: nothing runs out of the side, axe-core finds nothing against
// the rules of accessibility, and the browser has no complaint, not even of the policy.
func TestPagesInABrowser(t *testing.T) {
	s := newSite(t)
	s.fill()
	s.unknown()
	b := newTab(t, s)
	for name, path := range s.plainPages() {
		b.run(chromedp.Navigate(s.url+path), shown("h1"))
		b.look(name)
	}
	video := filepath.Join(t.TempDir(), "reel.mp4")
	must(t, os.WriteFile(video, []byte(mp4), 0o600))
	s.doubt("film", video, []byte(mp4))
	b.run(chromedp.Navigate(s.url+"/in-doubt/film/job"), shown("video"), chromedp.Poll(`document.querySelector("video").error?.code >= 3`, nil)) // it was fetched, and is none
	b.look("doubt-video")
	// What a step shows before it is taken, after it, and where it is refused. They are in order: some change what the next ones show.
	const tries = `main form button:not([name])`
	say := func(category, kind string) chromedp.Tasks { // and try it
		return chromedp.Tasks{click(`[value=` + category + `]`), chromedp.SetValue(`[name=type]`, kind, chromedp.ByQuery), click(tries)}
	}
	for _, step := range []struct {
		name, path string
		do         chromedp.Tasks
	}{
		{"doubt-wrong", "/in-doubt/night/job-4", chromedp.Tasks{click(`main form button`), shown(`main .warn`)}},
		{"doubt-posted", "/in-doubt/night/job-4", chromedp.Tasks{click(`[value=posted]`), click(`main form button`), shown(`[name=seq] ~ button`)}},
		{"doubt-absent", "/in-doubt/night/job-4", chromedp.Tasks{click(`[value=absent]`), click(`[name=looked]`), click(`main form button`), shown(`[name=seq] ~ button`)}},
		{"cancel", "/b/night/jobs/job-5", chromedp.Tasks{click(`[value=cancel]`), shown(`textarea[name=frozen] ~ button`)}},
		{"cancel-all", "/b/night/jobs", chromedp.Tasks{click(`main [value=cancel]`), shown(`textarea[name=frozen] ~ button`)}},
		{"cancelled", "/b/night/jobs/job-5", chromedp.Tasks{click(`[value=cancel]`), shown(`textarea[name=frozen] ~ button`), click(`textarea[name=frozen] ~ button`), shown(`main a.button[href="/b/night"]`)}},
		{"retry", "/b/night/jobs/job-5", chromedp.Tasks{click(`[value=retry]`), shown(`textarea[name=frozen] ~ button`)}},
		{"teach-wrong", s.lesson("flange"), chromedp.Tasks{click(tries), shown(`#w-category`)}},
		{"teach-refused", s.lesson("mumble"), append(say("content", "mumble"), shown(`#tried-h`))},
		{"teach-account", s.lesson("flange"), append(say("account", "flange"), shown(`[name=stops]`), click(`[value=keep]`), shown(`#w-stops`))},
		{"teach-tried", s.lesson("flange"), append(say("content", "flange"), shown(`[value=keep]`), click(`main summary`))},
		{"teach-kept", s.lesson("flange"), append(say("content", "flange"), shown(`[value=keep]`), click(`[value=keep]`), shown(`main a.button[href="/rules"]`))},
		{"rules-known", "/rules", chromedp.Tasks{shown(`.tag`)}},
		{"released", "/accounts/acc3", chromedp.Tasks{click(`main form button`), shown(`[name=why]`)}},
	} {
		b.run(chromedp.Navigate(s.url+step.path), shown("h1"), step.do)
		b.look(step.name)
	}
	// A narrow screen has its parts behind a menu, which needs no script.
	var before, after bool
	const visible = `document.querySelector('nav').checkVisibility()`
	b.run(chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.url+"/accounts"), shown("h1"), chromedp.Evaluate(visible, &before), click(".menu summary"), chromedp.Evaluate(visible, &after))
	if before || !after {
		t.Errorf("the menu's parts are shown %t before it is opened, and %t after", before, after)
	}
	if b.axe != "" {
		b.run(chromedp.Evaluate(b.axe+"\n;0", nil))
		b.accessible("the open menu")
	}
	b.complains("/b/no-such-batch", "status of 422") // it is not there, or is wrong, and says so
}

// A site with nothing in it, and one that has no file of rules, say what to do.
func TestEmptyPagesInABrowser(t *testing.T) {
	s := newSite(t)
	b := newTab(t, s)
	for name, path := range map[string]string{"rules": "/rules", "batches": "/", "doubts": "/in-doubt", "failures": "/failures", "accounts": "/accounts"} {
		b.run(chromedp.Navigate(s.url+path), shown("h1"))
		b.look(name + "-empty")
	}
	none := newSite(t, func(c *dashboard.Config) { c.Teach = nil })
	none.unknown()
	b.signIn(none)
	b.run(chromedp.Navigate(none.url+none.lesson("flange")), shown("h1"))
	b.look("teach-nowhere")
	b.complains()
}

// Every page says the same with scripts off.
func TestPagesAreReadWithoutScript(t *testing.T) {
	s := newSite(t)
	s.fill()
	s.unknown()
	b := newTab(t, s)
	read := func(path string) string {
		var text string
		b.run(chromedp.Navigate(s.url+path), shown("h1"), chromedp.Text("main", &text, chromedp.ByQuery))
		return moving.ReplaceAllString(text, "#")
	}
	for name, path := range s.plainPages() {
		b.run(emulation.SetScriptExecutionDisabled(false))
		with := read(path)
		b.run(emulation.SetScriptExecutionDisabled(true))
		if without := read(path); without != with || len(with) < 40 {
			t.Errorf("%s: with scripts:\n%s\nwithout:\n%s", name, with, without)
		}
	}
	// A form needs none either.
	b.run(chromedp.Navigate(s.url+"/b/night/brake"), click(`[value=pause]`), shown(`main a[href="/b/night/brake"]`))
	st, err := s.store.Status(t.Context(), "night")
	must(t, err)
	if st.Phase != reel.PhasePaused {
		t.Errorf("the batch is %s", st.Phase)
	}
}

// moving are the times on a page: they go on between two looks.
var moving = regexp.MustCompile(`\d+ (s|m|h|d)\b|\d\d:\d\d(:\d\d)?`)

// What changed meanwhile comes by itself, and moves nothing that stands on the page.
func TestALivePageKeepsStill(t *testing.T) {
	s := newSite(t)
	s.fill()
	b := newTab(t, s)
	const watch = `window.shift = 0; new PerformanceObserver(l => l.getEntries().forEach(e => window.shift += e.value)).observe({type: "layout-shift", buffered: true})`
	for _, screen := range []struct{ w, h int64 }{{1280, 800}, {390, 844}} {
		b.run(chromedp.EmulateViewport(screen.w, screen.h), chromedp.Navigate(s.url+"/b/night"), shown("h1"), chromedp.Evaluate(watch, nil))
		for _, paused := range []bool{true, false} {
			must(t, s.store.Pause(t.Context(), "night", paused, "bert"))
			b.run(chromedp.Poll(fmt.Sprintf(`document.querySelector('[data-live=head]').textContent.includes('paused') === %t`, paused), nil, chromedp.WithPollingTimeout(time.Minute)))
		}
		var shift float64
		b.run(chromedp.Evaluate(`window.shift`, &shift))
		if t.Logf("%d pixels: %.4f", screen.w, shift); shift >= 0.1 {
			t.Errorf("on %d pixels the page has moved by %.3f", screen.w, shift)
		}
	}
	b.complains()
}
