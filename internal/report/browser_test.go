package report_test

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp" // drives the real browser
)

const accessible = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}}})
	.then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" ")))`

// The page opened from a disk, in a real browser, on a phone and on a wide screen, light and dark: nothing runs out of the side, and axe-core finds
// nothing against the rules of accessibility. With REELPASS_SHOTS=FOLDER it is photographed and printed, to be looked at.
func TestPageInABrowser(t *testing.T) {
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
	s, j, records := night()
	var b strings.Builder
	write(t, &b, s, j, records)
	file := filepath.Join(t.TempDir(), "report.html")
	keep := func(path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep(file, []byte(b.String()))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WSURLReadTimeout(time.Minute))...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	run := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	chromedp.ListenTarget(ctx, func(e any) {
		if e, ok := e.(*cdplog.EventEntryAdded); ok {
			t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
		}
	})
	run(cdplog.Enable())
	shots := os.Getenv("REELPASS_SHOTS")
	for _, screen := range []struct {
		name, scheme string
		w, h         int64
	}{{"phone", "light", 390, 844}, {"phone-dark", "dark", 390, 844}, {"wide", "light", 1280, 800}, {"wide-dark", "dark", 1280, 800}} {
		var wider bool
		var shot []byte
		run(chromedp.EmulateViewport(screen.w, screen.h), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}),
			chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String()), chromedp.WaitVisible("h1", chromedp.ByQuery),
			chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wider))
		if wider {
			t.Errorf("on a %s screen it is wider than the screen", screen.name)
		}
		if axe != nil {
			var wrong []string
			run(chromedp.Evaluate(string(axe)+"\n;0", nil), chromedp.Evaluate(accessible, &wrong, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			for _, w := range wrong {
				t.Errorf("on a %s screen: %s", screen.name, w)
			}
		}
		if shots != "" {
			run(chromedp.FullScreenshot(&shot, 100))
			keep(filepath.Join(shots, "report-"+screen.name+".png"), shot)
		}
	}
	var printed []byte
	run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		printed, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).Do(ctx)
		return err
	}))
	if !bytes.HasPrefix(printed, []byte("%PDF-")) {
		t.Error("it cannot be printed")
	}
	if shots != "" {
		var paper []byte
		run(chromedp.EmulateViewport(1050, 740), emulation.SetEmulatedMedia().WithMedia("print"), chromedp.FullScreenshot(&paper, 100))
		keep(filepath.Join(shots, "report-paper.png"), paper)
		keep(filepath.Join(shots, "report.pdf"), printed)
	}
}
