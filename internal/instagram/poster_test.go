package instagram_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"reelpass/internal/fault"
	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/reel"
	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// world is the ledger outside: what was really posted.
type world struct{ posts []string }

func (w *world) Posted(account, caption string, v simphone.File) {
	w.posts = append(w.posts, fmt.Sprintf("%s|%s|%s", account, caption, v.Path))
}

// hand is a phone without anything between: the simulated app itself. broken lets a call fail.
type hand struct {
	t      *testing.T
	app    *simgram.App
	asked  bool // Share was asked for
	broken func(call string) error
	watch  looking // notes what is shown, where set
}

func (h *hand) fail(call string) error {
	if h.broken == nil {
		return nil
	}
	return h.broken(call)
}

func (h *hand) Screen(context.Context) (phone.Screen, error) { return h.app.Screen(), h.fail("screen") }

func (h *hand) Tap(_ context.Context, at phone.Point) error {
	h.app.Tap(at)
	return h.fail("tap")
}

func (h *hand) Type(_ context.Context, n phone.Node, text string) error {
	h.app.Type(n.Bounds.Center(), text, true)
	return h.fail("type")
}

func (h *hand) Press(_ context.Context, k phone.Key) error {
	h.app.Press(k)
	return h.fail("press")
}

func (h *hand) Open(_ context.Context, anew bool) error {
	if anew {
		if h.asked {
			h.t.Error("the app is ended though Share was touched")
		}
		h.app.Event(simphone.Event{Kind: simphone.Stopped, Package: simgram.Package})
	}
	h.app.Event(simphone.Event{Kind: simphone.Launched, Package: simgram.Package})
	return h.fail("open")
}

const (
	caption = "Linen, cotton 🌼\nand one very loud yellow #mend"
	video   = "/sdcard/Download/new.mp4"
)

// try posts with a simulated app whose clock goes on by a second at each look.
func try(t *testing.T, cfg simgram.Config, change ...func(*hand)) (reel.Report, *world, int) {
	t.Helper()
	w := &world{}
	now := time.Unix(1_780_000_000, 0)
	cfg.Account, cfg.World, cfg.Posts = "mira.weaves", w, 41
	cfg.Clock = func() time.Time { return now }
	h := &hand{t: t, app: simgram.New(cfg)}
	for _, f := range []simphone.File{{Path: "/sdcard/Download/old.mp4", Size: 9_900_000}, {Path: video, Size: 3_100_000}, {Path: "/sdcard/Download/a.jpg", Size: 5}} {
		h.app.Event(simphone.Event{Kind: simphone.MediaAdded, File: f})
	}
	for _, c := range change {
		c(h)
	}
	asked := 0
	p := instagram.NewPoster(func(ctx context.Context) error { now = now.Add(time.Second); return context.Cause(ctx) }, func(s phone.Screen) { t.Errorf("no rule knows %+v", s) })
	var ph instagram.Phone = h
	if h.watch.names != nil {
		h.watch.hand = h
		ph = h.watch
	}
	r, m := p.Post(t.Context(), ph, instagram.Post{Me: "mira.weaves", Caption: caption, Length: "0:31"}, reel.Desk{
		Step: func(string) {}, Share: func(context.Context) bool { asked++; h.asked = true; return true },
	})
	if m.Shared != (asked == 1) || asked > 1 {
		t.Errorf("asked %d times, shared %v", asked, m.Shared)
	}
	if r.Evidence.ShareBegun != (m.Shared && !r.Posted) {
		t.Errorf("share begun: %v", r.Evidence)
	}
	return r, w, asked
}

// In each language of the simulated app, with each thing that it does to people on the way, one reel is posted, with its caption and
// the right video.
func TestAReelIsPosted(t *testing.T) {
	for name, s := range map[string]simgram.Scenario{
		"nothing in the way":    {},
		"dialogs":               {Popups: []string{"rate", "verified", "permission", "stickers"}},
		"an old banner":         {Stale: true},
		"an old failure":        {CannotPost: true},
		"the story's gallery":   {Story: true},
		"asked once more":       {LongVideo: true},
		"all of it in one post": {Popups: []string{"stickers", "rate"}, Stale: true, Story: true, LongVideo: true},
	} {
		for _, language := range simgram.Languages() {
			t.Run(name+" "+language, func(t *testing.T) {
				r, w, _ := try(t, simgram.Config{Language: language, Upload: 20 * time.Second, Scenario: s})
				if !r.Posted || !slices.Equal(w.posts, []string{"mira.weaves|" + caption + "|" + video}) {
					t.Errorf("%+v, %q", r, w.posts)
				}
			})
		}
	}
}

// Trouble with the account stops the way at once, before and after Share, and is judged as what it is.
func TestTroubleStopsTheWay(t *testing.T) {
	rules := fault.Default()
	types := map[simgram.Trouble]string{simgram.Login: "logged_out", simgram.UploadID: "verification", simgram.Selfie: "verification"}
	for _, trouble := range simgram.Troubles() {
		want := types[trouble]
		if want == "" {
			want = string(trouble)
		}
		for _, language := range simgram.Languages() {
			r, w, asked := try(t, simgram.Config{Language: language, Scenario: simgram.Scenario{Trouble: trouble}})
			v := rules.Judge(r.Evidence)
			if r.Posted || asked != 0 || len(w.posts) > 0 || v.Category != reel.Account || v.Type != want || r.Evidence.Text == "" {
				t.Errorf("%s %s: %+v judged %+v", trouble, language, r.Evidence, v)
			}
		}
		r, _, _ := try(t, simgram.Config{Upload: time.Minute, Scenario: simgram.Scenario{AfterShare: trouble}})
		if r.Posted || !r.Evidence.ShareBegun || rules.Judge(r.Evidence).Type != want {
			t.Errorf("%s after Share: %+v", trouble, r)
		}
	}
}

// What happens after Share is never taken for a post without a proof, and never shared again.
func TestAfterShare(t *testing.T) {
	for name, c := range map[string]struct {
		s      simgram.Scenario
		code   string
		posted int
	}{
		"it fails":                {simgram.Scenario{Fails: true}, instagram.CodeCannotPost, 0},
		"it is never confirmed":   {simgram.Scenario{Silent: true}, instagram.CodeUnproven, 1},
		"an old banner, silently": {simgram.Scenario{Silent: true, Stale: true}, "", 1},
	} {
		r, w, _ := try(t, simgram.Config{Upload: 5 * time.Second, Scenario: c.s})
		if c.code != "" && (r.Posted || r.Evidence.Code != c.code || !r.Evidence.ShareBegun) || len(w.posts) != c.posted {
			t.Errorf("%s: %+v, %q", name, r, w.posts)
		}
	}
	r, w, _ := try(t, simgram.Config{Upload: 5 * time.Second, Scenario: simgram.Scenario{Crash: true}})
	if len(w.posts) != 1 || !r.Posted && !r.Evidence.ShareBegun {
		t.Errorf("the app is gone: %+v, %q", r, w.posts)
	}
}

// A phone that fails at any call: the evidence is the phone's own, Share is touched at most once, and what came after it is a doubt.
func TestAPhoneThatFails(t *testing.T) {
	for at := 1; ; at++ {
		calls := 0
		boom := &told{}
		r, w, asked := try(t, simgram.Config{Upload: 3 * time.Second}, func(h *hand) {
			h.broken = func(string) error {
				if calls++; calls == at {
					return fmt.Errorf("call %d: %w", calls, boom)
				}
				return nil
			}
		})
		if r.Posted {
			if calls >= at {
				t.Error("posted in spite of it")
			}
			return // it never came to that call
		}
		if r.Evidence.Code != "boom" || len(w.posts) > asked || r.Evidence.ShareBegun != (asked == 1) {
			t.Fatalf("at call %d: %+v, %q, asked %d", at, r, w.posts, asked)
		}
	}
}

type told struct{}

func (*told) Error() string { return "boom" }
func (*told) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: "boom", Text: "boom", Step: step}
}

// Whoever is not given the go does not touch Share.
func TestWithoutTheGo(t *testing.T) {
	w := &world{}
	app := simgram.New(simgram.Config{Account: "mira", World: w})
	app.Event(simphone.Event{Kind: simphone.MediaAdded, File: simphone.File{Path: video, Size: 1}})
	p := instagram.NewPoster(context.Cause, nil)
	r, m := p.Post(t.Context(), &hand{app: app}, instagram.Post{Me: "mira", Caption: "x"}, reel.Desk{Step: func(string) {}, Share: func(context.Context) bool { return false }})
	if r.Posted || m.Shared || r.Evidence.Code != reel.CodeLeaseLost || len(w.posts) > 0 {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if r, _ = p.Post(ctx, &hand{app: app}, instagram.Post{}, reel.Desk{Step: func(string) {}}); r.Evidence.Text != "stopped" {
		t.Errorf("%+v", r)
	}
}
