package console_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"

	"reelpass/internal/console"
	"reelpass/internal/reel"
)

func cells(s string, wide bool) int {
	return (&runewidth.Condition{EastAsianWidth: wide, StrictEmojiNeutral: true}).StringWidth(s)
}

// strip takes away the colours, which are the only sequences that console may write by itself besides the live line's.
func strip(s string) string { return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(s, "") }

// anything is text as it may come: words, wide and zero-width characters, clusters, controls, broken bytes.
func anything() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.OneOf(
			rapid.SampledFrom([]string{
				"STOPPING: Only non-retryable account failures remain", "日本語のテキスト", "👩‍👩‍👧‍👦", "🇫🇷🇩🇪", "é̂̃", "…→║", "\x1b[2J", "\x9b31m", "\u202e",
				"\u0600\u0600\u0600", "ᄀ각", "\r\n", "\xff\xc3", "❤️", "1️⃣", "\u200b", strings.Repeat("x", 90), strings.Repeat("\u0600", 60), strings.Repeat("界", 50), "👍🏽",
			}),
			rapid.String(),
			rapid.StringMatching(`[a-z]{1,12}( [a-z]{1,12}){0,12}`),
		), 0, 6).Draw(t, "parts")
		return strings.Join(parts, rapid.SampledFrom([]string{"", " "}).Draw(t, "join"))
	})
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// The seeds' box had a line wider than the others and cut what comes next (semantics, 11). Here every line of the box is as
// wide as every other, for any figures and any words, and no word is lost.
func TestSummaryBox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1<<40)
		at := time.Unix(rapid.Int64Range(0, 1<<31).Draw(t, "at"), 0)
		s := reel.PassStats{
			Pass: n.Draw(t, "pass"), Processed: n.Draw(t, "processed"), Succeeded: n.Draw(t, "succeeded"), InDoubt: n.Draw(t, "doubt"),
			Failed: reel.Failures{
				Account: n.Draw(t, "account"), Content: n.Draw(t, "content"), Infrastructure: n.Draw(t, "infra"), Unknown: n.Draw(t, "unknown"),
			},
			SuccessRate: reel.Percent(rapid.Float64Range(0, 100).Draw(t, "rate")), StartedAt: at,
			EndedAt: at.Add(time.Duration(rapid.Int64Range(-10, 1<<40).Draw(t, "took"))),
		}
		next := anything().Draw(t, "next")
		wide := rapid.Bool().Draw(t, "wide")
		width := rapid.IntRange(0, 130).Draw(t, "width")
		var out bytes.Buffer
		con := console.New(console.Options{Out: &out, Width: width, WideAmbiguous: wide, Color: rapid.Bool().Draw(t, "color")})
		con.See(reel.Event{Kind: reel.EventPassClosed, Stats: &s, Text: next})
		box := strings.Split(strings.Trim(strip(out.String()), "\n"), "\n")
		for _, l := range box {
			if cells(l, wide) != cells(box[0], wide) {
				t.Fatalf("%d and %d cells:\n%s", cells(box[0], wide), cells(l, wide), strings.Join(box, "\n"))
			}
		}
		if w := cells(box[0], wide); w > 80 || (width >= 80 && w != 80) {
			t.Fatalf("the box has %d cells at width %d", w, width)
		}
		_, tail, found := strings.Cut(strings.Join(box, "\n"), "Next:")
		if !found {
			t.Fatal("no Next")
		}
		tail = strings.TrimRight(tail, "╚═╝ \n")
		var words strings.Builder
		for _, l := range strings.Split(tail, "\n") {
			words.WriteString(strings.TrimSuffix(strings.TrimPrefix(l, "║"), "║"))
		}
		// The text's own walls are trimmed with the box's where they stand at an end of it, so they are left out on both sides.
		got := strings.ReplaceAll(squeeze(words.String()), "║", "")
		if want := strings.ReplaceAll(squeeze(console.Clean(next)), "║", ""); got != strings.TrimRight(want, "╚═╝") {
			t.Fatalf("lost words:\n got %q\nwant %q", got, want)
		}
	})
}

// No event, whatever is in it, makes a line wider than the terminal or lets a control through.
func TestAnyEventFits(t *testing.T) {
	kinds := rapid.SampledFrom([]reel.EventKind{
		reel.EventImported, reel.EventRunStarted, reel.EventPassOpened, reel.EventClaimed, reel.EventKept, reel.EventSucceeded, reel.EventFailed,
		reel.EventInDoubt, reel.EventLooked, reel.EventDuplicate, reel.EventHeldBack, reel.EventHold, reel.EventReleased,
		reel.EventCancelled, reel.EventRejudged, reel.EventPassClosed, reel.EventFinished, reel.EventInterrupted, reel.EventNotice, "other", "",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := anything()
		wide := rapid.Bool().Draw(t, "wide")
		width := rapid.IntRange(44, 130).Draw(t, "width")
		var out bytes.Buffer
		con := console.New(console.Options{Out: &out, Width: width, WideAmbiguous: wide, Verbose: true})
		for range 3 {
			con.See(reel.Event{
				Kind: kinds.Draw(t, "kind"), Job: reel.JobID(text.Draw(t, "job")), Account: text.Draw(t, "account"), Text: text.Draw(t, "text"),
				By: text.Draw(t, "by"), Batch: text.Draw(t, "batch"), Pass: rapid.IntRange(0, 9).Draw(t, "pass"), Attempt: 1,
				Evidence: &reel.Evidence{Text: text.Draw(t, "evidence"), Code: text.Draw(t, "code")},
				Verdict:  &reel.Verdict{Category: reel.Infrastructure, Type: text.Draw(t, "type"), Rule: "r"},
				Decision: &reel.Decision{Why: text.Draw(t, "why")},
				Receipt:  &reel.Receipt{URL: text.Draw(t, "url")},
			})
		}
		harmless(t, out.String())
		for _, l := range strings.Split(out.String(), "\n") {
			if w := cells(l, wide); w > width {
				t.Fatalf("%d cells in a line of %d: %q", w, width, l)
			}
		}
	})
}

type fataler interface{ Fatalf(string, ...any) }

// harmless says that a terminal would do nothing with the text but show it.
func harmless(t fataler, s string) {
	if !utf8.ValidString(s) {
		t.Fatalf("not UTF-8: %q", s)
	}
	for _, r := range s {
		if r == '\n' {
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 {
			t.Fatalf("%U gets to the terminal: %q", r, s)
		}
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"adb: device offline", "adb: device offline"},
		{"\x1b[31mred\x1b[0m", "␛[31mred␛[0m"},
		{"\x1b]0;title\x07", "␛]0;title␇"},
		{"\u009b2Jgone", "\ufffd2Jgone"},
		{"\x9b2J", "\ufffd2J"},
		{"two\r\nlines\tand\vmore", "two lines and more"},
		{"evil\rgood", "evil good"},
		{"abc\u202efdp.exe", "abc\ufffdfdp.exe"},
		{"a\u200bb\ufeffc\u00ad", "abc"},
		{"日本語 🎬 👩‍👧", "日本語 🎬 👩‍👧"},
		{"nbsp\u00a0here", "nbsp here"},
		{"\x7f\x00", "␡␀"},
	} {
		if got := console.Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"\x1b[2J", "\u009b", "\xff\xfe", "a\r\nb", "\u202e\u2066", "👩‍👧", "\x1bP+q\x1b\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := console.Clean(s)
		harmless(t, got)
		if strings.ContainsAny(got, "\n") {
			t.Fatalf("more than one line: %q", got)
		}
		if console.Clean(got) != got {
			t.Fatalf("cleaning twice gives another text: %q, %q", got, console.Clean(got))
		}
	})
}

// Whatever an event says, See neither panics nor lets anything through, in any format; JSON can be read back.
func FuzzSee(f *testing.F) {
	f.Add("failed", "job-1", "acc1", "adb: device offline", "tries again", 80)
	f.Add("in_doubt", "\x1b[2J", "東京", "\x9b\xff", strings.Repeat("界", 100), 1)
	f.Add("pass_closed", "", "", "", "\r\n\u202e", -5)
	f.Add("looked", "a\u0600\u0600", "👩‍👧", "\u2028", "x", 44)
	f.Fuzz(func(t *testing.T, kind, job, account, text, why string, width int) {
		e := reel.Event{
			Kind: reel.EventKind(kind), Job: reel.JobID(job), Account: account, Text: text, By: why, Batch: account, Attempt: width, Count: width, Pass: width,
			Evidence: &reel.Evidence{Text: text, Code: why, Source: reel.Source(account)}, Verdict: &reel.Verdict{Category: reel.Category(why), Type: text, Rule: job},
			Decision: &reel.Decision{Why: why, State: reel.State(kind)}, Receipt: &reel.Receipt{ID: text, URL: why}, Look: &reel.Look{Finding: reel.Finding(job), Why: text, By: why},
			Stats: &reel.PassStats{Pass: width}, Totals: &reel.Totals{Jobs: width, Failed: width}, Result: reel.Result(why), Remaining: reel.Seconds(width),
		}
		for _, live := range []bool{false, true} {
			var out bytes.Buffer
			con := console.New(console.Options{Out: &out, Width: width % 300, Verbose: true, Live: live})
			con.See(e)
			con.See(reel.Event{Kind: reel.EventKind(kind)})
			con.Tick(time.Unix(int64(width), 0))
			if err := con.Close(); err != nil {
				t.Fatal(err)
			}
			harmless(t, strings.ReplaceAll(out.String(), "\r\x1b[K", ""))
		}
		var out bytes.Buffer
		con := console.New(console.Options{Out: &out, JSON: true})
		con.See(e)
		var back reel.Event
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Fatalf("%v: %q", err, out.String())
		}
	})
}

// A page of base64 on one line is wrapped in a time that grows with its length, not with its square.
func TestLongWordsAreCheap(t *testing.T) {
	const size = 1 << 20
	var out bytes.Buffer
	con := console.New(console.Options{Out: &out})
	con.See(reel.Event{Kind: reel.EventNotice, Text: strings.Repeat("x", size)})
	if n := strings.Count(out.String(), "x"); n != size {
		t.Errorf("%d of %d characters are shown", n, size)
	}
}

// A narrow terminal loses nothing and breaks no word that fits; without a width it is one line, for scripts.
func TestHanging(t *testing.T) {
	const text = "no token is known for account nobody.in.particular.at.all, and nobody knows why"
	for _, c := range []struct {
		width       int
		begin, want string
	}{
		{0, "FAIL  ", "FAIL  " + text},
		{200, "FAIL  ", "FAIL  " + text},
		{60, "FAIL  ", "FAIL  no token is known for account\n      nobody.in.particular.at.all, and nobody knows why"},
		{60, "studio.nord.official.with.a.long.name  ", "studio.nord.official.with.a.long.name\n      no token is known for account\n      nobody.in.particular.at.all, and nobody knows why"},
	} {
		if got := console.Hanging(c.begin, text, console.Options{Width: c.width}); got != c.want {
			t.Errorf("%d:\n%s\nwant\n%s", c.width, got, c.want)
		}
	}
}
