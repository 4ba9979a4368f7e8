package instagram_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/reel"
	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// doubtful posts with a phone that is lost right after Share, and lets somebody look later.
type doubtful struct {
	w   *world
	now time.Time
	h   *hand
	p   *instagram.Poster
	m   *instagram.Memory
}

func doubt(t *testing.T, cfg simgram.Config, share bool) *doubtful {
	t.Helper()
	d := &doubtful{w: &world{}, now: time.Unix(1_780_000_000, 0)}
	cfg.Account, cfg.World, cfg.Posts, cfg.Clock = "mira.weaves", d.w, 41, func() time.Time { return d.now }
	d.h = &hand{t: t, app: simgram.New(cfg)}
	d.h.app.Event(simphone.Event{Kind: simphone.MediaAdded, File: simphone.File{Path: video, Size: 3_100_000}})
	pause := func(ctx context.Context) error { d.now = d.now.Add(time.Second); return context.Cause(ctx) }
	d.p = instagram.NewPoster(pause, func(s phone.Screen) { t.Errorf("no rule knows %+v", s) })
	lost := false
	d.h.broken = func(call string) error {
		if lost {
			return &told{}
		}
		return nil
	}
	if !share { // the touch of Share does not reach the phone
		d.h.app = nil
		d.h.app = simgram.New(cfg)
		d.h.app.Event(simphone.Event{Kind: simphone.Launched, Package: simgram.Package})
		d.m = instagram.NewMemory()
		d.m.Posts = 41
		return d
	}
	var r reel.Report
	r, d.m = d.p.Post(t.Context(), d.h, instagram.Post{Me: "mira.weaves", Caption: caption}, reel.Desk{
		Step: func(s string) { lost = s == instagram.StepConfirm }, Share: func(context.Context) bool { return true },
	})
	if r.Posted || !r.Evidence.ShareBegun {
		t.Fatalf("%+v", r)
	}
	lost = false
	return d
}

func (d *doubtful) look(t *testing.T, before int, grace time.Duration) reel.Look {
	t.Helper()
	look, err := d.p.Look(t.Context(), d.h, instagram.Doubt{
		Me: "mira.weaves", Caption: caption, Before: before, Since: time.Unix(1_780_000_000, 0), Until: d.now.Add(grace),
	}, func() time.Time { return d.now })
	if err != nil {
		t.Fatal(err)
	}
	return look
}

func TestADoubtIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    simgram.Config
		missed bool // Share was not reached
		before int
		later  time.Duration
		want   reel.Finding
		why    string
	}{
		"posted":                              {before: 41, want: reel.Found},
		"posted, in Spanish":                  {cfg: simgram.Config{Language: "es"}, before: 41, want: reel.Found},
		"posted, in Portuguese":               {cfg: simgram.Config{Language: "pt"}, before: 41, want: reel.Found},
		"posted, in German":                   {cfg: simgram.Config{Language: "de"}, before: -1, want: reel.Found},
		"posted, by its age alone":            {before: -1, want: reel.Found},
		"posted, by the count alone":          {cfg: simgram.Config{Scenario: simgram.Scenario{Hidden: true}}, before: 41, want: reel.Found},
		"posted, hours later":                 {before: 41, later: 9 * time.Hour, want: reel.Found},
		"posted, and no way to tell":          {cfg: simgram.Config{Scenario: simgram.Scenario{Hidden: true}}, before: -1, want: reel.Unsure, why: "nothing says when"},
		"the upload still runs, and ends":     {cfg: simgram.Config{Upload: 40 * time.Second}, before: 41, want: reel.Found},
		"windows in the way":                  {cfg: simgram.Config{Scenario: simgram.Scenario{Popups: []string{"rate", "verified", "permission", "stickers"}}}, before: 41, want: reel.Found},
		"the upload failed":                   {cfg: simgram.Config{Scenario: simgram.Scenario{Fails: true}}, before: 41, want: reel.Absent},
		"Share was never reached":             {missed: true, before: 41, want: reel.Absent},
		"the same, the number before unknown": {missed: true, before: -1, want: reel.Unsure, why: "not known how many"},
		"others were posted or deleted":       {missed: true, before: 44, want: reel.Unsure, why: "before there were 44"},
		"the account has trouble":             {cfg: simgram.Config{Scenario: simgram.Scenario{AfterShare: simgram.Captcha}}, before: 41, want: reel.Unsure, why: "trouble"},
	} {
		t.Run(name, func(t *testing.T) {
			d := doubt(t, c.cfg, !c.missed)
			d.now = d.now.Add(c.later)
			if !c.missed && d.m.Posts != 41 {
				t.Errorf("%d posts were seen before Share", d.m.Posts)
			}
			d.h.asked = false
			began := d.now
			look := d.look(t, c.before, 3*time.Minute)
			if look.Finding != c.want || !strings.Contains(look.Why, c.why) {
				t.Errorf("%+v, want %s %q", look, c.want, c.why)
			}
			if c.want == reel.Absent && d.now.Sub(began) < 3*time.Minute {
				t.Errorf("called absent after %s", d.now.Sub(began))
			}
			if posted := len(d.w.posts); posted > 1 {
				t.Errorf("posted %d times", posted)
			}
		})
	}
}

// Of a phone that is lost while it looks nothing is known.
func TestALookThatFails(t *testing.T) {
	for _, call := range []string{"open", "screen", "tap"} {
		d := doubt(t, simgram.Config{}, true)
		d.h.broken = func(c string) error {
			if c == call {
				return &told{}
			}
			return nil
		}
		look, err := d.p.Look(t.Context(), d.h, instagram.Doubt{Me: "mira.weaves", Caption: caption, Before: 41, Since: d.now}, func() time.Time { return d.now })
		if err == nil || look.Finding == reel.Found || look.Finding == reel.Absent {
			t.Errorf("%s: %+v, %v", call, look, err)
		}
	}
}
