package instagram_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
)

var update = flag.Bool("update", false, "write the golden files anew")

// screens reads recorded screens, one a line.
func screens(tb testing.TB, path string) (all []instagram.Recorded) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		r, err := instagram.ReadRecorded(in.Bytes())
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, r)
	}
	if in.Err() != nil || len(all) == 0 {
		tb.Fatal(len(all), in.Err())
	}
	return all
}

func own(tb testing.TB) []instagram.Recorded {
	return screens(tb, filepath.Join("testdata", "screens.jsonl"))
}

// What each of our own screens is taken for.
func TestSightings(t *testing.T) {
	z := instagram.NewRecogniser()
	var b strings.Builder
	for _, r := range own(t) {
		s := z.Recognise(r.Screen, r.Context)
		what := strings.TrimSuffix(s.Screen+"/"+s.Variant, "/")
		fmt.Fprintf(&b, "%-42s %-32s %-14s %-10s %s\n", r.ID, what, s.Trouble, s.Proof, s.Rule)
	}
	golden := filepath.Join("testdata", "sightings.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Words of trouble that stand in what people write are no trouble, and what they write proves no post.
func TestWordsOfPeopleAreNoTrouble(t *testing.T) {
	z := instagram.NewRecogniser()
	words := []string{
		"we suspended your account", "action blocked", "try again later", "confirm you're human", "log in", "your account has been disabled",
		"upload your id", "please log back in.", "enter the code", "posted!", "done posting", "sharing to reels…", "video can't be posted", "banned",
		"verify your identity", "create new account", "password", "forgot password?", "appeal", "submit", "we limit how often", "save draft?",
	}
	places := []string{"row_feed_comment_textview_layout", "caption_text", "row_comment_textview_comment", "profile_header_bio_text", "clips_caption_component", ""}
	all := own(t)
	rapid.Check(t, func(t *rapid.T) {
		r := all[rapid.IntRange(0, len(all)-1).Draw(t, "screen")]
		before := z.Recognise(r.Screen, r.Context)
		if before.Screen == instagram.UnknownScreen {
			return
		}
		said := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, "said"), " and ")
		n := phone.Node{ID: rapid.SampledFrom(places).Draw(t, "place"), Package: instagram.Instagram, Text: "So they told me: " + said}
		if n.ID != "" {
			n.ID = instagram.Instagram + ":id/" + n.ID
		}
		at := rapid.IntRange(0, len(r.Screen.Nodes)).Draw(t, "at")
		after := z.Recognise(phone.Screen{Nodes: slices.Insert(slices.Clone(r.Screen.Nodes), at, n)}, r.Context)
		if after.Trouble != before.Trouble || after.Proof != before.Proof {
			t.Fatalf("%s: %+v became %+v by %q", r.ID, before, after, n.Text)
		}
	})
}

// Whatever stands on a screen, it has a name of the list; a proof needs a Share of this run, and never stands beside trouble.
func TestAnyScreenHasAName(t *testing.T) {
	z := instagram.NewRecogniser()
	names := z.Screens()
	var ids, texts []string
	for _, r := range own(t) {
		for _, n := range r.Screen.Nodes {
			ids, texts = append(ids, n.ID), append(texts, n.Text, n.Desc)
		}
	}
	text := rapid.OneOf(rapid.SampledFrom(texts), rapid.String())
	node := rapid.Custom(func(t *rapid.T) phone.Node {
		return phone.Node{ID: rapid.SampledFrom(ids).Draw(t, "id"), Text: text.Draw(t, "text"), Desc: text.Draw(t, "desc")}
	})
	rapid.Check(t, func(t *rapid.T) {
		s := phone.Screen{Nodes: rapid.SliceOfN(node, 0, 12).Draw(t, "nodes")}
		c := instagram.Context{
			Me:     rapid.SampledFrom([]string{"", "mira.weaves", "{me}"}).Draw(t, "me"),
			Shared: rapid.SampledFrom([]instagram.Shared{"", instagram.SharedYes, instagram.SharedNo}).Draw(t, "shared"),
		}
		got := z.Recognise(s, c)
		switch {
		case !slices.Contains(names, got.Screen):
			t.Fatalf("no such screen: %q", got.Screen)
		case got.Proof == instagram.Posted && c.Shared != instagram.SharedYes:
			t.Fatal("a proof without a Share of this run")
		case got.Proof != "" && got.Trouble != "":
			t.Fatal("a proof beside trouble")
		case got.Trouble != "" && !slices.Contains(instagram.Troubles(), got.Trouble):
			t.Fatalf("no such trouble: %q", got.Trouble)
		}
	})
}

// A file of rules that is wrong says where.
func TestReadRulesRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"an unknown key":     {"screens:\n  - {id: a, screen: b, al: [web]}", "unknown field"},
		"no id":              {"screens:\n  - {screen: b, all: [web]}", "needs an id"},
		"fits all":           {"screens:\n  - {id: a, screen: b, none: [web]}", "fit every screen"},
		"two of an id":       {"screens:\n  - {id: a, screen: b, all: [web]}\n  - {id: a, screen: c, all: [web]}", "two of that id"},
		"unknown trouble":    {"screens:\n  - {id: a, screen: b, trouble: sick, all: [web]}", `unknown trouble "sick"`},
		"unknown proof":      {"screens:\n  - {id: a, screen: b, proof: always, all: [web]}", "never or shared"},
		"unknown phrases":    {"screens:\n  - {id: a, screen: b, all: ['=@nothing']}", `no phrases "nothing"`},
		"no mark":            {"screens:\n  - {id: a, screen: b, all: ['share']}", `no mark begins with "share"`},
		"a broken pattern":   {"screens:\n  - {id: a, screen: b, all: ['~(']}", "missing closing"},
		"an empty id":        {"screens:\n  - {id: a, screen: b, all: ['#']}", "no id"},
		"an empty text":      {"screens:\n  - {id: a, screen: b, all: ['= ']}", "no text"},
		"an empty package":   {"screens:\n  - {id: a, screen: b, all: ['package:']}", "no mark begins"},
		"a broken variant":   {"variants:\n  - {screen: b, variant: c, all: ['~(']}", `variant "b/c"`},
		"something not YAML": {"screens: [", "screens: "},
	} {
		_, err := instagram.ReadRules(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rules are read from a file that people change: whatever is in it, it is refused, or it judges screens.
func FuzzReadRules(f *testing.F) {
	f.Add("phrases:\n  share: {en: [Share]}\nscreens:\n  - {id: a, screen: b, all: ['=@share'], any: ['#x'], none: ['~y.*']}\nvariants:\n  - {screen: b, variant: c, all: [web]}")
	f.Add("screens:\n  - {id: a, screen: b, all: [web]}\n  - {id: a, screen: c, all: [web]}")
	f.Add("screens: [")
	f.Add("screens:\n !0 #0\n0\n  #0") // the YAML library panicked
	f.Fuzz(func(t *testing.T, text string) {
		z, err := instagram.ReadRules(strings.NewReader(text))
		if (z == nil) == (err == nil) {
			t.Fatalf("%v, %v", z, err)
		}
		if err != nil {
			return
		}
		r, err := instagram.ReadRecorded([]byte(`{"elements":[{"id":"share_button","text":"Share","bounds":[0,0,1,1]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := z.Recognise(r.Screen, r.Context); got.Trouble != "" && got.Rule == "" {
			t.Error("a trouble without a rule")
		}
	})
}

func FuzzReadRecorded(f *testing.F) {
	f.Add([]byte(`{"id":7,"me":"a","context":{"share_tapped":true},"elements":[{"id":"share_button","text":"Share","bounds":[0,0,1,1]}]}`))
	f.Add([]byte(`{"elements":[{"bounds":[1]}]} x`))
	z := instagram.NewRecogniser()
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := instagram.ReadRecorded(data)
		if err != nil {
			return
		}
		if got := z.Recognise(r.Screen, r.Context); got.Mark != nil && got.Rule == "" {
			t.Error("a mark without a rule")
		}
		again, err := instagram.ReadRecorded(instagram.WriteRecorded(r))
		if err != nil || z.Recognise(again.Screen, again.Context).Rule != z.Recognise(r.Screen, r.Context).Rule {
			t.Errorf("what was written is not what is read: %v", err)
		}
	})
}
