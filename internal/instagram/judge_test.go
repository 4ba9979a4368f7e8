package instagram

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/reel"
)

// Whatever was posted and deleted on the account by whom: what is called found is there, and what is called absent is not. The other
// posts have other captions since the attempt; before it any may have had the same.
func TestTheJudgementOfALook(t *testing.T) {
	const ours = "Linen, cotton and one very loud yellow, mended by hand #mend"
	rapid.Check(t, func(t *rapid.T) {
		type post struct {
			caption string
			at      time.Time
		}
		since := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
		until := since.Add(5 * time.Minute)
		caption := rapid.SampledFrom([]string{ours, "Linen", ""}).Draw(t, "caption")
		var all []post // the newest first
		for i := range rapid.IntRange(0, 6).Draw(t, "earlier posts") {
			c := rapid.SampledFrom([]string{"something else entirely", caption}).Draw(t, "earlier caption")
			all = append(all, post{c, since.Add(-time.Duration(i+1) * 40 * time.Minute)})
		}
		before := len(all)
		posted := rapid.Bool().Draw(t, "posted")
		late := rapid.IntRange(0, 3).Draw(t, "posts of others")
		mine := rapid.IntRange(0, late).Draw(t, "ours comes after")
		for i := range late + 1 {
			at := since.Add(time.Duration(i+1) * time.Minute)
			if i == mine && posted {
				all = append([]post{{caption, at}}, all...)
			}
			if i < late {
				all = append([]post{{"Linen and wool, by somebody else", at}}, all...)
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "deleted") { // by a person: never ours, and rarely
			if n := len(all); n > 0 && !all[n-1].at.After(since) {
				all = all[:n-1]
			}
		}
		now := since.Add(time.Duration(rapid.IntRange(4, 4000).Draw(t, "minutes later")) * time.Minute)
		v := profileView{count: len(all), listed: min(len(all), 6)}
		if rapid.Bool().Draw(t, "count unread") {
			v.count = -1
		}
		for _, p := range all[:min(len(all), lookReels)] {
			r := shownReel{caption: p.caption}
			if letters := rapid.IntRange(3, 80).Draw(t, "letters shown"); letters < len(p.caption) {
				r.caption, r.cut = p.caption[:letters], true
			}
			if rapid.Bool().Draw(t, "aged") {
				age := now.Sub(p.at)
				r.unit, r.aged = time.Minute, true
				if age >= time.Hour {
					r.unit = time.Hour
				}
				if age >= 24*time.Hour {
					r.unit = 24 * time.Hour
				}
				r.age = age.Truncate(r.unit)
			}
			v.reels = append(v.reels, r)
		}
		d := Doubt{Caption: caption, Before: before, Since: since, Until: until}
		if rapid.Bool().Draw(t, "before unknown") {
			d.Before = -1
		}
		look := judge(d, v, now)
		switch {
		case look.Finding == reel.Found && !posted:
			t.Fatalf("found, and it is not there: %+v, %+v", v, look)
		case look.Finding == reel.Absent && (posted || now.Before(until)):
			t.Fatalf("absent, and it is there or may come: %+v, %+v", v, look)
		case look.Finding == reel.Unsure && look.Why == "":
			t.Fatal("unsure without a reason")
		}
	})
}

// Each answer is given: what is always unsure never says anything wrong.
func TestAnswersOfALook(t *testing.T) {
	since := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	now := since.Add(3 * time.Hour)
	fresh := func(caption string) shownReel {
		return shownReel{caption: caption, age: time.Hour, unit: time.Hour, aged: true}
	}
	doubt := Doubt{Caption: "Linen, mended by hand", Before: 7, Since: since, Until: since.Add(5 * time.Minute)}
	for _, c := range []struct {
		name string
		view profileView
		want reel.Finding
	}{
		{"its age says that it is new", profileView{count: 7, listed: 1, reels: []shownReel{fresh(doubt.Caption)}}, reel.Found},
		{"there is one more, without an age", profileView{count: 8, listed: 1, reels: []shownReel{{caption: doubt.Caption}}}, reel.Found},
		{"as many as before, the newest is another", profileView{count: 7, listed: 1, reels: []shownReel{fresh("Wool")}}, reel.Absent},
		{"one more, the newest is another", profileView{count: 8, listed: 1, reels: []shownReel{fresh("Wool")}}, reel.Unsure},
	} {
		if got := judge(doubt, c.view, now); got.Finding != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.Finding, c.want)
		}
	}
}

func TestAges(t *testing.T) {
	w := NewWay()
	for text, want := range map[string]time.Duration{
		"Just now": 0, "1 minute ago": time.Minute, "59 minutes ago": 59 * time.Minute, "2 hours ago": 2 * time.Hour, "Vor 3 Stunden": 3 * time.Hour,
		"hace 5 minutos": 5 * time.Minute, "Há 1 dia": 24 * time.Hour, "3 weeks ago": 21 * 24 * time.Hour,
	} {
		if got, _, ok := w.age(text); !ok || got != want {
			t.Errorf("%q is %s (%t), want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "posted 2 hours ago in Rome", "99999999999999999999 minutes ago", "2 hours", "November 26", "ago", strings.Repeat("1", 100) + " minutes ago"} {
		if got, _, ok := w.age(text); ok {
			t.Errorf("%q is %s", text, got)
		}
	}
}
