package fault_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// In the earlier system all 32 "action blocked" verdicts were false: a model wrote that no such notice was visible, a rule
// matched the words, and a retryable run cost an account its jobs. 32 sentences of that kind, from 8 denials and 4 screens.
func TestNoActionBlockedByDenial(t *testing.T) {
	heads := []string{"Loop stuck - Vision analysis: ", "Max steps reached - Vision analysis: "}
	screens := []string{
		"The screen shows the Instagram feed with stories at the top. ",
		`This shows Instagram's "New reel" page in the Recents tab. `,
		"This is a profile page with 12 posts. ",
		"The screenshot displays a search page, not Instagram. ",
	}
	denials := []string{
		`There are no visible error messages, popups, or "action blocked" warnings on the screen.`,
		`No 'action blocked' dialog is displayed.`,
		`I don't see any action blocked notice or login screen.`,
		`The app works normally without "Action Blocked" or suspension warnings.`,
		`Neither a captcha nor an "action blocked" popup is visible, and the account is not suspended.`,
		`Instagram may have blocked the action, although nothing of the kind is shown.`,
		`There is no sign of a ban, a captcha, an "action blocked" notice or identity verification.`,
		`It isn't an "action blocked" screen; the upload suggests that the account was possibly restricted.`,
	}
	for i, screen := range screens {
		for j, denial := range denials {
			text := heads[(i+j)%2] + screen + denial
			got := fault.Default().Judge(reel.Evidence{Source: reel.SourceTool, Text: text})
			if got.Category != reel.Infrastructure || got.Type != "navigator_stuck" {
				t.Errorf("%q: %+v", text, got)
			}
		}
	}
}

// A source narrows the rules: a screen's words from a tool's label mean nothing, and a tool's words on a screen neither.
func TestSources(t *testing.T) {
	tests := []struct {
		text  string
		wants map[reel.Source]reel.Category
	}{
		{"adb: device offline", map[reel.Source]reel.Category{"": "infrastructure", "tool": "infrastructure", "exit": "infrastructure", "screen": "unknown"}},
		{"Try again later", map[reel.Source]reel.Category{"": "account", "screen": "account", "tool": "unknown", "http": "unknown"}},
		{"Password Log in", map[reel.Source]reel.Category{"": "account", "screen": "account", "tool": "unknown"}},
		{"No internet connection", map[reel.Source]reel.Category{"screen": "infrastructure", "tool": "infrastructure"}},
		{"We suspended your account", map[reel.Source]reel.Category{"": "account", "screen": "account", "tool": "account", "worker": "account"}},
		{"Max steps (30) reached", map[reel.Source]reel.Category{"tool": "infrastructure", "screen": "unknown"}},
		{"20136 views", map[reel.Source]reel.Category{"": "account", "tool": "account", "screen": "unknown"}},
	}
	for _, test := range tests {
		for source, want := range test.wants {
			if got := fault.Default().Judge(reel.Evidence{Source: source, Text: test.text}); got.Category != want {
				t.Errorf("%s %q: %+v, want %s", source, test.text, got, want)
			}
		}
	}
}

// Note is somebody's explanation and Step a place; neither says what happened.
func TestNoteAndStepAreNotJudged(t *testing.T) {
	got := fault.Default().Judge(reel.Evidence{Note: "the account is suspended", Step: "captcha", Text: "hm"})
	if got != (reel.Verdict{Category: reel.Unknown}) {
		t.Errorf("%+v", got)
	}
}

// Of a huge text the first and the last 16 KiB are judged, and the middle is not.
func TestHugeText(t *testing.T) {
	filler := strings.Repeat("ok. ", 1<<19)
	cause := "We suspended your account"
	for name, test := range map[string]struct {
		text string
		want reel.Category
	}{
		"head":   {cause + filler, reel.Account},
		"tail":   {filler + cause, reel.Account},
		"middle": {filler + cause + filler, reel.Unknown},
		"runes":  {strings.Repeat("é", 1<<20) + cause, reel.Account},
	} {
		if got := fault.Default().Judge(reel.Evidence{Text: test.text}); got.Category != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// words draws text made of what rules look for, mixed with noise.
func words(t *rapid.T) string {
	var parts []string
	pool := caseTexts()
	for range rapid.IntRange(1, 4).Draw(t, "parts") {
		if rapid.Bool().Draw(t, "noise") {
			parts = append(parts, rapid.String().Draw(t, "text"))
			continue
		}
		parts = append(parts, rapid.SampledFrom(pool).Draw(t, "case"))
	}
	return strings.Join(parts, " ")
}

func caseTexts() []string {
	var texts []string
	for _, rule := range fault.Default().All() {
		for _, c := range rule.Cases {
			texts = append(texts, c.Text)
		}
	}
	return texts
}

// The same evidence gets the same verdict, and neither ASCII case nor the kind of white space matters.
func TestJudgeIsSteady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.SampledFrom(append(reel.Sources(), "")).Draw(t, "source")
		text := words(t)
		judge := func(text string) reel.Verdict {
			return fault.Default().Judge(reel.Evidence{Source: source, Text: text})
		}
		want := judge(text)
		if got := judge(text); got != want {
			t.Fatalf("first %+v, then %+v", want, got)
		}
		if got := judge(upper(text)); got != want {
			t.Fatalf("%q: %+v, in capitals %+v", text, want, got)
		}
		spaced := strings.ReplaceAll(text, " ", "\n\t ")
		if got := judge("  " + spaced + "\n"); got != want {
			t.Fatalf("%q: %+v, with other blanks %+v", text, want, got)
		}
	})
}

// upper raises ASCII letters only, and leaves \u escapes alone, which are no letters.
func upper(text string) string {
	if strings.Contains(text, `\`) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, text)
}

// "no X visible" never costs an account its jobs, whatever sentence of account trouble X is.
func TestDenialIsNeverAccount(t *testing.T) {
	var troubles []string
	for _, rule := range fault.Default().All() {
		if rule.Category != reel.Account || rule.In == fault.Prose || len(rule.Codes) > 0 || len(rule.Sources) > 0 {
			continue // codes stand whatever words say, and names of API answers are no sentences
		}
		for _, c := range rule.Cases {
			if c.Want == "" && !strings.ContainsAny(c.Text, `."?!`) {
				troubles = append(troubles, c.Text)
			}
		}
	}
	frames := []string{
		"There is no %q message visible.", "No %s visible", "There are no popups, errors or %q warnings displayed on the screen.",
		"I don't see any %q dialog.", "The feed is normal, without %q notices.", "Loop stuck - Vision analysis: The screen shows a feed. No %s visible.",
		"Neither an error nor %q is shown.",
	}
	rapid.Check(t, func(t *rapid.T) {
		trouble := rapid.SampledFrom(troubles).Draw(t, "trouble")
		text := fmt.Sprintf(rapid.SampledFrom(frames).Draw(t, "frame"), trouble)
		if got := fault.Default().Judge(reel.Evidence{Source: reel.SourceTool, Text: text}); got.Category == reel.Account {
			t.Fatalf("%q: %+v", text, got)
		}
	})
}

func FuzzJudge(f *testing.F) {
	for _, text := range caseTexts() {
		f.Add("tool", "", text)
	}
	f.Add("http", "190/460", "x")
	f.Add("exit", "77", "\xff\\ud800 no no no visible")
	f.Fuzz(func(t *testing.T, source, code, text string) {
		e := reel.Evidence{Source: reel.Source(source), Code: code, Text: text}
		got := fault.Default().Judge(e)
		if again := fault.Default().Judge(e); again != got {
			t.Errorf("first %+v, then %+v", got, again)
		}
		if (got.Rule == "") != (got == reel.Verdict{Category: reel.Unknown}) {
			t.Errorf("a verdict and its rule go together: %+v", got)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	rules := fault.Default()
	for name, text := range map[string]string{
		"tool":    "Could not proxy command to the remote server. Original error: socket hang up. " + strings.Repeat("at Object.run (/opt/driver/lib/run.js:10:3) ", 10),
		"unknown": strings.Repeat("nothing of note happened here, and then it ended quietly; ", 9)[:500],
		"prose":   "Loop stuck - Vision analysis: " + strings.Repeat("The screen shows a feed. There are no 'action blocked' warnings visible. ", 7)[:470],
		"account": strings.Repeat("Le fil est normal, rien à signaler pour le moment. ", 9) + "Votre compte a été suspendu.",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rules.Judge(reel.Evidence{Text: text})
			}
		})
	}
}

func ExampleRules_Judge() {
	rules := fault.Default()
	for _, e := range []reel.Evidence{
		{Source: reel.SourceTool, Text: "adb: device offline"},
		{Source: reel.SourceHTTP, Code: "190/460", Text: "Error validating access token"},
		{Source: reel.SourceScreen, Text: "We suspended your account"},
		{Source: reel.SourceTool, Text: `Loop stuck - Vision analysis: The screen shows the feed. No "action blocked" warning is visible.`},
		{Text: "hm"},
	} {
		v := rules.Judge(e)
		fmt.Printf("%s/%s by %q\n", v.Category, v.Type, v.Rule)
	}
	// Output:
	// infrastructure/adb by "adb"
	// account/logged_out by "graph-token"
	// account/suspended by "suspended"
	// infrastructure/navigator_stuck by "stuck"
	// unknown/ by ""
}
