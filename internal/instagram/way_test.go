package instagram_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
)

// From any sequence of screens: Share is asked for at most once and only with the right caption on the page, nothing is touched where
// there is trouble, nothing is typed or shared after Share, a post is only called done with a proof, and the way ends.
func TestTheWay(t *testing.T) {
	z, w := instagram.NewRecogniser(), instagram.NewWay()
	all := own(t)
	const caption = "Linen, cotton — we suspended your account? no"
	rapid.Check(t, func(t *rapid.T) {
		m := instagram.NewMemory()
		post := instagram.Post{Me: "mira.weaves", Caption: rapid.SampledFrom([]string{caption, "another"}).Draw(t, "caption")}
		for n := 0; ; n++ {
			if n > 400 {
				t.Fatal("the way does not end")
			}
			r := all[rapid.IntRange(0, len(all)-1).Draw(t, "screen")]
			shared := instagram.SharedNo
			if m.Shared {
				shared = instagram.SharedYes
			}
			seen := z.Recognise(r.Screen, instagram.Context{Me: post.Me, Shared: shared})
			move := w.Next(r.Screen, seen, post, m)
			switch {
			case seen.Trouble != "" && (move.Do != instagram.DoStop || move.Evidence.Code != "trouble:"+string(seen.Trouble) || move.Evidence.Text == ""):
				t.Fatalf("%s: %+v on %s", r.ID, move, seen.Trouble)
			case move.Do == instagram.DoDone && (seen.Proof != instagram.Posted || !m.Shared):
				t.Fatalf("%s: done without a proof", r.ID)
			case m.Shared && (move.Do == instagram.DoShare || move.Do == instagram.DoType):
				t.Fatalf("%s: %s after Share", r.ID, move.Do)
			case m.Shared && move.Node != nil && strings.HasSuffix(move.Node.ID, ":id/share_button"):
				t.Fatalf("%s: Share is touched again", r.ID)
			case move.Do == instagram.DoTap && strings.HasSuffix(move.Node.ID, ":id/share_button"):
				t.Fatalf("%s: Share is touched without asking", r.ID)
			case (move.Do == instagram.DoTap || move.Do == instagram.DoType || move.Do == instagram.DoShare) != (move.Node != nil):
				t.Fatalf("%s: %+v", r.ID, move)
			case move.Do == instagram.DoShare && post.Caption != caption:
				t.Fatalf("%s: shared with another caption", r.ID)
			case move.Do == instagram.DoStop && (move.Evidence.Code == "" || move.Evidence.ShareBegun != m.Shared):
				t.Fatalf("%s: %+v", r.ID, move.Evidence)
			}
			if move.Do == instagram.DoDone || move.Do == instagram.DoStop {
				return
			}
			m.Shared = m.Shared || move.Do == instagram.DoShare
		}
	})
}

// A banner that was there before Share proves nothing until an upload was seen.
func TestAnOldBannerIsNoProof(t *testing.T) {
	w := instagram.NewWay()
	posted, running := instagram.Sighting{Screen: "posted", Proof: instagram.Posted}, instagram.Sighting{Screen: "sharing_progress"}
	for name, c := range map[string]struct {
		before, after []instagram.Sighting
		done          bool
	}{
		"a new banner":                         {nil, []instagram.Sighting{posted}, true},
		"an old one":                           {[]instagram.Sighting{posted}, []instagram.Sighting{posted}, false},
		"an old one, and an upload since":      {[]instagram.Sighting{posted}, []instagram.Sighting{running, posted}, true},
		"an upload of another, and its banner": {[]instagram.Sighting{running}, []instagram.Sighting{posted}, false},
	} {
		m := instagram.NewMemory()
		for _, s := range c.before {
			s.Proof = ""
			w.Next(phone.Screen{}, s, instagram.Post{}, m)
		}
		m.Shared = true
		var last instagram.Move
		for _, s := range c.after {
			last = w.Next(phone.Screen{}, s, instagram.Post{}, m)
		}
		if (last.Do == instagram.DoDone) != c.done {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

// A phone that stays where it is: something else is tried, the app is begun anew, and then it is told.
func TestTheWayIsStuck(t *testing.T) {
	z, w := instagram.NewRecogniser(), instagram.NewWay()
	for name, want := range map[string]string{"editor": instagram.CodeStuck, "nothing yet": instagram.CodeStuck, "gallery for a story": instagram.CodeStuck, "home of the phone": instagram.CodeStuck} {
		var r instagram.Recorded
		for _, x := range own(t) {
			if x.ID == name {
				r = x
			}
		}
		m, opened := instagram.NewMemory(), 0
		for n := 0; ; n++ {
			move := w.Next(r.Screen, z.Recognise(r.Screen, r.Context), instagram.Post{}, m)
			if move.Do == instagram.DoOpen && name != "home of the phone" {
				opened++
			}
			if move.Do == instagram.DoStop {
				if move.Evidence.Code != want || opened > 2 || n > 40 {
					t.Errorf("%s: %+v after %d moves and %d openings", name, move.Evidence, n, opened)
				}
				break
			}
			if n > 100 {
				t.Fatalf("%s: never ends", name)
			}
		}
	}
}

func TestTheVideoIsChosen(t *testing.T) {
	thumb := func(desc, label string) []phone.Node {
		return []phone.Node{
			{ID: "com.instagram.android:id/gallery_grid_item_thumbnail", Desc: desc, Bounds: phone.Rect{X2: 10, Y2: 10}},
			{ID: "com.instagram.android:id/gallery_grid_item_label", Text: label},
		}
	}
	s := phone.Screen{Nodes: append(append(thumb("Unselected Photo thumbnail created on May 5", ""), thumb("Unselected Video thumbnail created on May 4", "1:02")...), thumb("Unselected Video thumbnail created on May 3", "0:31")...)}
	seen := instagram.Sighting{Screen: "gallery", Variant: "reel_mode"}
	w := instagram.NewWay()
	for length, want := range map[string]string{"": "May 4", "1:02": "May 4", "0:31": "May 3"} {
		move := w.Next(s, seen, instagram.Post{Length: length}, instagram.NewMemory())
		if move.Do != instagram.DoTap || !strings.HasSuffix(move.Node.Desc, want) {
			t.Errorf("%q: %+v", length, move)
		}
	}
	m := instagram.NewMemory()
	for range 40 {
		if move := w.Next(s, seen, instagram.Post{Length: "9:59"}, m); move.Do == instagram.DoStop {
			if move.Evidence.Code != instagram.CodeNoVideo {
				t.Error(move.Evidence)
			}
			return
		} else if move.Do == instagram.DoTap {
			t.Fatalf("the wrong video: %+v", move.Node)
		}
	}
	t.Error("never told")
}

func TestPostCount(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "41": 41, "1,204": 1204, "1.204": 1204, "12 345": 12345, "1.2K": -1, "": -1, "posts": -1} {
		n, ok := instagram.PostCount(phone.Screen{Nodes: []phone.Node{{ID: "com.instagram.android:id/profile_header_familiar_post_count_value", Text: text}}})
		if !ok {
			n = -1
		}
		if n != want {
			t.Errorf("%q: %d, want %d", text, n, want)
		}
	}
}

// TestCorpusMoves holds the moves against what moved recorded runs forward, where those are at hand.
func TestCorpusMoves(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "screens-dev.jsonl"))
	if err != nil {
		t.Skip("no recorded screens beside this checkout")
	}
	defer f.Close()
	z, w := instagram.NewRecogniser(), instagram.NewWay()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	lines, good := 0, 0
	for in.Scan() {
		var raw struct {
			Screen, Variant string
			Good            []struct {
				Do      string
				Element *int
			} `json:"good_actions"`
		}
		if err := json.Unmarshal(in.Bytes(), &raw); err != nil {
			t.Fatal(err)
		}
		if len(raw.Good) == 0 {
			continue
		}
		r, err := instagram.ReadRecorded(in.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		post := instagram.Post{Me: r.Context.Me, Caption: "not typed yet"}
		for _, n := range r.Screen.Nodes {
			if strings.HasSuffix(n.ID, ":id/caption_input_text_view") && strings.Contains(raw.Variant, "typed") {
				post.Caption = n.Text
			}
		}
		m := instagram.NewMemory()
		m.Shared = r.Context.Shared == instagram.SharedYes
		move := w.Next(r.Screen, z.Recognise(r.Screen, r.Context), post, m)
		lines++
		ok := false
		for _, g := range raw.Good {
			do := map[string]string{"open_app": "open"}[g.Do]
			if do == "" {
				do = g.Do
			}
			said := string(move.Do)
			if said == "share" {
				said = "tap"
			}
			same := g.Element == nil || move.Node == nil || near(r.Screen.Nodes[*g.Element].Bounds, move.Node.Bounds.Center())
			ok = ok || do == said && same
		}
		if ok {
			good++
		} else {
			t.Logf("%s: %s/%s: %s %v, not %+v", r.ID, raw.Screen, raw.Variant, move.Do, move.Node, raw.Good)
		}
	}
	t.Logf("%d of %d moves are among those that moved recorded runs forward", good, lines)
	if lines == 0 || good*100 < lines*95 {
		t.Errorf("only %d of %d", good, lines)
	}
}

func near(r phone.Rect, p phone.Point) bool {
	return p.X >= r.X1 && p.X < r.X2 && p.Y >= r.Y1 && p.Y < r.Y2
}
