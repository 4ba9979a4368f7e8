package dashboard_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
)

// accessible asks axe-core for what is against the rules of WCAG 2.2 AA and against good practice.
const accessible = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}}})
	.then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" ")))`

func awaiting(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// Every page in a real browser, on a wide screen and on a phone's: nothing runs out of the side, axe-core finds nothing against
// the rules of accessibility, and the browser has no complaint, not even of the policy. With REELPASS_SHOTS=FOLDER the pages are photographed, to be looked at.
func TestPagesInABrowser(t *testing.T) {
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
	s := newSite(t)
	s.fill()
	s.unknown()
	lessons := s.lessons(s.browser(access.Steer))
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	ctx, stop = context.WithTimeout(ctx, 5*time.Minute)
	defer stop()
	var mu sync.Mutex
	var complaints []string
	chromedp.ListenTarget(ctx, func(e any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := e.(type) {
		case *cdplog.EventEntryAdded:
			if !strings.Contains(e.Entry.URL, "/evidence/") { // the picture of this test is none
				complaints = append(complaints, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Error())
		}
	})
	code, err := s.book.Issue(access.Code, "anna", access.Steer)
	must(t, err)
	must(t, chromedp.Run(ctx, cdplog.Enable(), runtime.Enable(), chromedp.Navigate(s.url+"/sign-in?to=/&code="+url.QueryEscape(code)),
		chromedp.Click("button", chromedp.ByQuery), chromedp.WaitReady("nav", chromedp.ByQuery)))
	for _, screen := range []struct {
		name  string
		w, h  int64
		theme string
	}{{"phone", 390, 844, "light"}, {"wide", 1280, 800, "light"}, {"phone-dark", 390, 844, "dark"}, {"wide-dark", 1280, 800, "dark"}} {
		must(t, chromedp.Run(ctx, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.theme}})))
		for name, path := range map[string]string{
			"batches": "/", "batch": "/b/night", "jobs": "/b/night/jobs", "job": "/b/night/jobs/job-3", "accounts": "/accounts", "account": "/accounts/acc3",
			"nowhere": "/b/no-such-batch", "nothing": "/b/night/jobs?q=zzz", "doubts": "/in-doubt", "doubt": "/in-doubt/night/job-4", "failures": "/failures", "rules": "/rules", "settings": "/settings", "teach": lessons[0], "brake": "/b/night/brake",
		} {
			var wider bool
			var shot []byte
			var sentence string
			must(t, chromedp.Run(ctx, chromedp.EmulateViewport(screen.w, screen.h), chromedp.Navigate(s.url+path), chromedp.WaitVisible("h1", chromedp.ByQuery),
				chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wider),
				chromedp.Text("main", &sentence, chromedp.ByQuery), chromedp.FullScreenshot(&shot, 100)))
			if axe != nil {
				var wrong []string
				must(t, chromedp.Run(ctx, chromedp.Evaluate(string(axe)+"\n;0", nil), chromedp.Evaluate(accessible, &wrong, awaiting)))
				for _, w := range wrong {
					t.Errorf("%s on a %s screen: %s", path, screen.name, w)
				}
			}
			if wider {
				t.Errorf("%s on a %s screen is wider than the screen", path, screen.name)
			}
			if folder := os.Getenv("REELPASS_SHOTS"); folder != "" {
				must(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s.png", name, screen.name)), shot, 0o600))
			}
		}
	}
	// A narrow screen has its parts behind a menu, which needs no script.
	var before, after bool
	var wrong []string
	const shown = `document.querySelector('nav').checkVisibility()`
	must(t, chromedp.Run(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.url+"/accounts"), chromedp.WaitVisible("h1", chromedp.ByQuery),
		chromedp.Evaluate(shown, &before), chromedp.Click(".menu summary", chromedp.ByQuery), chromedp.Evaluate(shown, &after)))
	if before || !after {
		t.Errorf("the menu's parts are shown %t before it is opened, and %t after", before, after)
	}
	if axe != nil {
		must(t, chromedp.Run(ctx, chromedp.Evaluate(string(axe)+"\n;0", nil), chromedp.Evaluate(accessible, &wrong, awaiting)))
		for _, w := range wrong {
			t.Errorf("the open menu: %s", w)
		}
	}
	must(t, chromedp.Run(ctx, chromedp.EmulateViewport(1280, 800)))
	// What changed meanwhile comes by itself.
	must(t, chromedp.Run(ctx, chromedp.Navigate(s.url+"/b/night"), chromedp.WaitVisible("h1", chromedp.ByQuery)))
	must(t, s.store.Pause(t.Context(), "night", true, "bert"))
	must(t, chromedp.Run(ctx, chromedp.Poll(`document.querySelector('[data-live=head]').textContent.includes('paused')`, nil, chromedp.WithPollingTimeout(time.Minute))))
	mu.Lock()
	defer mu.Unlock()
	for _, c := range slices.DeleteFunc(complaints, func(c string) bool { return strings.HasSuffix(c, "/b/no-such-batch") }) { // it is not there, and says so
		t.Error("the browser complains: " + c)
	}
}
