package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/console"
	"reelpass/internal/reel"
)

func clock(s string) time.Time {
	at, err := time.Parse(time.RFC3339, "2026-03-14T"+s+"Z")
	if err != nil {
		panic(err)
	}
	return at
}

func status() reel.Status {
	return reel.Status{
		Batch: reel.Batch{Name: "launch", Phase: reel.PhaseFinished, Result: reel.OnlyNonRetryable},
		Passes: []reel.PassStats{
			{
				Pass: 1, Processed: 1207, Succeeded: 1101, Failed: reel.Failures{Account: 31, Content: 4, Infrastructure: 60, Unknown: 10}, InDoubt: 1,
				SuccessRate: 91.2, StartedAt: clock("09:00:00"), EndedAt: clock("11:12:09"),
			},
			{Pass: 2, Processed: 70, Succeeded: 66, Failed: reel.Failures{Unknown: 4}, SuccessRate: 94.3, StartedAt: clock("11:12:39"), EndedAt: clock("11:20:00")},
			{Pass: 3, Processed: 0, StartedAt: clock("11:20:30")},
		},
		Totals: reel.Totals{Jobs: 1300, Succeeded: 1167, SetAside: 128, Exhausted: 4, InDoubt: 1, Attempts: 1277},
	}
}

func records() []reel.Record {
	return []reel.Record{
		{
			Job: reel.Job{ID: "v-001", Account: "acc1"}, State: reel.Succeeded, Tally: reel.Tally{Attempts: 1},
			Receipt: reel.Receipt{ID: "17", URL: "https://www.instagram.com/reel/C8mPq2xNwLk/"},
		},
		{
			Job: reel.Job{ID: "v-002", Account: "acc2"}, State: reel.Failed, Tally: reel.Tally{Attempts: 2, Infrastructure: 2},
			Error: "adb: device 'emulator-5554' offline\nmore", Verdict: reel.Verdict{Category: reel.Infrastructure, Type: "device_offline", Rule: "adb"},
		},
		{Job: reel.Job{ID: "日本語-ジョブ", Account: "東京カメラ"}, State: reel.Pending},
		{Job: reel.Job{ID: "v-004", Account: "acc4"}, State: reel.SetAside, Reason: reel.ReasonAccountHold},
		{
			Job: reel.Job{ID: "acc5-0123456789abcdef-and-more", Account: "a-very-long-account-name"}, State: reel.Exhausted, Reason: reel.ReasonInfraLimit,
			Tally: reel.Tally{Attempts: 3, Infrastructure: 3}, Error: "\x1b[31mtimeout", Verdict: reel.Verdict{Category: reel.Infrastructure, Type: "timeout"},
		},
		{Job: reel.Job{ID: "v-006", Account: "acc6"}, State: reel.OutOfPasses, Reason: reel.ReasonMaxPasses, Tally: reel.Tally{Attempts: 1, Unknown: 1}, Error: "KeyError", Verdict: reel.Verdict{Category: reel.Unknown}},
	}
}

func each(rs []reel.Record, end error) iter.Seq2[reel.Record, error] {
	return func(yield func(reel.Record, error) bool) {
		for _, r := range rs {
			if !yield(r, nil) {
				return
			}
		}
		if end != nil {
			yield(reel.Record{}, end)
		}
	}
}

func holds() []reel.Hold {
	return []reel.Hold{
		{
			Account: "acc4", Since: clock("09:00:19"), Batch: "launch", Job: "v-004", Waiting: 2, Text: "We suspended your account\n\x1b[2JYou have 180 days left",
			Verdict: reel.Verdict{Category: reel.Account, Type: "suspended", Rule: "screen.account_suspended"},
		},
		{Account: "東京カメラ", Since: clock("10:00:00"), Text: "on vacation", Waiting: 1},
		{Account: "acc9", Since: clock("08:00:00"), Job: "v-9", ReleasedAt: clock("08:30:00"), ReleasedBy: "maria"},
	}
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		file  string
		width int
		show  func(io.Writer, console.Options) error
	}{
		{"status80.txt", 80, func(w io.Writer, o console.Options) error { return console.Status(w, status(), o) }},
		{"status60.txt", 60, func(w io.Writer, o console.Options) error { return console.Status(w, status(), o) }},
		{"status_new.txt", 80, func(w io.Writer, o console.Options) error {
			return console.Status(w, reel.Status{Batch: reel.Batch{Name: "new", Phase: reel.PhaseIdle}, Totals: reel.Totals{Jobs: 3, Pending: 3}}, o)
		}},
		{"jobs80.txt", 80, func(w io.Writer, o console.Options) error { return console.Jobs(w, each(records(), nil), o) }},
		{"jobs120.txt", 120, func(w io.Writer, o console.Options) error { return console.Jobs(w, each(records(), nil), o) }},
		{"holds.txt", 80, func(w io.Writer, o console.Options) error { return console.Holds(w, holds(), o) }},
		{"holds_none.txt", 80, func(w io.Writer, o console.Options) error { return console.Holds(w, nil, o) }},
		{"explain80.txt", 80, explain},
		{"explain60.txt", 60, explain},
		{"explain_new.txt", 80, func(w io.Writer, o console.Options) error {
			return console.Explain(w, reel.Record{Job: reel.Job{ID: "v-1", Account: "acc1", VideoPath: "/v/1.mp4"}, State: reel.Pending, DuePass: 1}, nil, nil, "the next run takes it in pass 1", o)
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var out bytes.Buffer
			if err := c.show(&out, console.Options{Width: c.width, Location: zone()}); err != nil {
				t.Fatal(err)
			}
			harmless(t, out.String())
			if !strings.HasPrefix(c.file, "jobs") { // names are not cut there, whatever their length
				fits(t, out.String(), c.width, false)
			}
			golden(t, c.file, out.String())
			var colored bytes.Buffer
			if err := c.show(&colored, console.Options{Width: c.width, Location: zone(), Color: true}); err != nil {
				t.Fatal(err)
			}
			if strip(colored.String()) != out.String() {
				t.Error("without its colours the text is another")
			}
		})
	}
}

func explain(w io.Writer, o console.Options) error {
	lost := reel.Verdict{Category: reel.Infrastructure, Type: "worker_lost", Rule: "worker.lost"}
	offline := reel.Verdict{Category: reel.Infrastructure, Type: "device_offline", Rule: "adb.device_offline"}
	r := reel.Record{
		Job:   reel.Job{ID: "v-006", Account: "acc6", VideoPath: "/videos/launch/006.mp4", Caption: "夏のセール ☀️ 50% off\n#summer \x1b]0;pwned\x07", MaxAttempts: 3},
		Batch: "launch", State: reel.InDoubt, Tally: reel.Tally{Attempts: 2, Infrastructure: 2}, Verdict: lost, Pass: 2, CompletedAt: clock("09:02:00"),
	}
	attempts := []reel.Attempt{
		{
			Number: 1, Pass: 1, Worker: 3, Host: "studio-2", StartedAt: clock("09:00:02"), EndedAt: clock("09:00:10"), Outcome: reel.OutcomeFailed,
			Evidence: reel.Evidence{
				Source: reel.SourceTool, Code: "1", Step: "upload", Text: "Traceback (most recent call last):\n  File \"post_one.py\", line 88, in <module>\n    push(video)\n\nadb: device 'emulator-5554' offline",
				Note: "The model thinks that the account may be action blocked.",
			},
			Verdict: offline,
		},
		{
			Number: 2, Pass: 2, Worker: 1, StartedAt: clock("09:01:15"), EndedAt: clock("09:02:00"), Outcome: reel.OutcomeInDoubt, ShareBegun: true,
			Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeWorkerLost, Text: "signal: killed", ShareBegun: true}, Verdict: lost,
		},
	}
	job := func(seq int64, at string, kind reel.EventKind, e reel.Event) reel.Event {
		e.Seq, e.At, e.Kind, e.Job, e.Account = seq, clock(at), kind, "v-006", "acc6"
		return e
	}
	events := []reel.Event{ // not in the order of time, as a sloppy caller might hand them in
		job(31, "09:02:06", reel.EventLooked, reel.Event{Attempt: 2, Look: &reel.Look{Finding: reel.Unsure, Why: "the profile did not load"}, Decision: &reel.Decision{State: reel.InDoubt, Why: "cannot tell is never a retry"}}),
		job(3, "09:00:02", reel.EventClaimed, reel.Event{Attempt: 1, Worker: 3}),
		job(9, "09:00:10", reel.EventFailed, reel.Event{Attempt: 1, Worker: 3, Evidence: &attempts[0].Evidence, Verdict: &offline, Decision: &reel.Decision{State: reel.Failed, DuePass: 2, Why: "infrastructure failure 1 of 3 allowed, attempt 1 of 3: pass 2 tries it again"}}),
		job(20, "09:01:15", reel.EventClaimed, reel.Event{Attempt: 2, Worker: 1}),
		job(24, "09:01:40", reel.EventIntent, reel.Event{Attempt: 2, Worker: 1}),
		job(30, "09:02:00", reel.EventInDoubt, reel.Event{Attempt: 2, Worker: 1, Evidence: &attempts[1].Evidence, Verdict: &lost}),
	}
	return console.Explain(w, r, attempts, events, "a person looks at the account and says what is there; no run touches the job before", o)
}

// Every row of the table begins its columns in the same cells, and no name is cut.
func TestJobsAreAligned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anything()
		width := rapid.IntRange(70, 160).Draw(t, "width")
		r := reel.Record{
			Job: reel.Job{ID: reel.JobID(text.Draw(t, "id")), Account: text.Draw(t, "account")}, State: reel.Failed, Tally: reel.Tally{Attempts: 12345},
			Error: text.Draw(t, "error"),
		}
		var out bytes.Buffer
		if err := console.Jobs(&out, each([]reel.Record{r}, nil), console.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String())
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		head, last := lines[0], lines[len(lines)-1]
		if !strings.HasSuffix(head, "WHY") && len(lines) == 3 {
			last = lines[1] // why stands below
		}
		at := strings.LastIndex(last, "failed         12345") // the last: names and errors may say failed too, but not so
		if at < 0 || cells(last[:at], false) != cells(head[:strings.Index(head, "STATE")], false) {
			t.Fatalf("not aligned:\n%s", out.String())
		}
		if w := cells(last, false); w > width {
			t.Fatalf("%d cells in a row of %d", w, width)
		}
		if got := squeeze(out.String()); !strings.Contains(got, squeeze(console.Clean(string(r.ID)))) || !strings.Contains(got, squeeze(console.Clean(r.Account))) {
			t.Fatalf("a name is cut:\n%s", out.String())
		}
	})
}

// A share that was allowed and that the publisher says it did not begin is told as both.
func TestExplainTellsOfTheGo(t *testing.T) {
	attempts := []reel.Attempt{{Number: 1, Outcome: reel.OutcomeFailed}, {Number: 2, Outcome: reel.OutcomeFailed}}
	events := []reel.Event{{Seq: 1, Kind: reel.EventIntent, Attempt: 2}}
	var out bytes.Buffer
	if err := console.Explain(&out, reel.Record{State: reel.Failed}, attempts, events, "", console.Options{}); err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(out.String(), "Attempt 2")
	if !strings.Contains(first, "not begun") || strings.Contains(first, "allowed") || !strings.Contains(second, "allowed, and not begun") {
		t.Error(out.String())
	}
}

// Generated names are long, and all of them are: then a job that has nothing to say takes one line, and no row breaks within.
func TestLongNamesTakeOneLine(t *testing.T) {
	var list []reel.Record
	for i := range 3 {
		list = append(list, reel.Record{Job: reel.Job{ID: reel.JobID(fmt.Sprint("north.runners-morning-run-1bf82e5", i)), Account: "north.runners"}, State: reel.Pending})
	}
	list[2].State, list[2].Error = reel.Failed, "adb: device offline"
	var out bytes.Buffer
	if err := console.Jobs(&out, each(list, nil), console.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	want := `  JOB                                 ACCOUNT        STATE          TRIES
- north.runners-morning-run-1bf82e50  north.runners  pending            0
- north.runners-morning-run-1bf82e51  north.runners  pending            0
⟳ north.runners-morning-run-1bf82e52  north.runners  failed             0
    adb: device offline
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Jobs come out as they come in: but for the first, whose names give the columns their widths, nothing is collected, and an
// error of the sequence ends the table.
func TestJobsStream(t *testing.T) {
	errGone := errors.New("ledger gone")
	var out bytes.Buffer
	if err := console.Jobs(&out, each(records(), errGone), console.Options{}); !errors.Is(err, errGone) {
		t.Errorf("the error of the sequence: %v", err)
	}
	if !strings.Contains(out.String(), "v-006") {
		t.Error("the jobs before the error are missing")
	}
	out.Reset()
	n := 0
	seq := func(yield func(reel.Record, error) bool) {
		for i := range 1000 {
			if before := strings.Count(out.String(), "\n"); i >= 256 && before != i+1 || i < 256 && before != 0 {
				t.Fatalf("%d lines written when job %d is asked for", before, i)
			}
			n++
			if !yield(reel.Record{Job: reel.Job{ID: reel.JobID(fmt.Sprint("j", i))}}, nil) {
				return
			}
		}
	}
	if err := console.Jobs(&out, seq, console.Options{}); err != nil || n != 1000 {
		t.Errorf("%d jobs, %v", n, err)
	}
	out.Reset()
	if err := console.Jobs(broken{}, seq, console.Options{}); !errors.Is(err, errBroken) {
		t.Errorf("the error of the writer: %v", err)
	}
}

// FuzzExplain: no evidence, note or caption gets a control to the terminal or breaks the width.
func FuzzExplain(f *testing.F) {
	f.Add("text\x1b[2J\n\tmore", "note\u202e", "caption", "next", 80)
	f.Add(strings.Repeat("\u0600", 99), "👩‍👩‍👧‍👦", "\x9b", "", 1)
	f.Fuzz(func(t *testing.T, text, note, caption, next string, width int) {
		width = 44 + max(width, -width, 0)%100
		var out bytes.Buffer
		a := reel.Attempt{Number: 1, Outcome: reel.Outcome(note), Host: caption, Evidence: reel.Evidence{Text: text, Note: note, Step: note, Code: caption}, Verdict: reel.Verdict{Category: reel.Category(text), Rule: note}}
		e := reel.Event{Kind: reel.EventFailed, Attempt: 1, Evidence: &a.Evidence, Decision: &reel.Decision{Why: text, State: reel.State(note)}}
		r := reel.Record{Job: reel.Job{ID: reel.JobID(note), Account: text, Caption: caption}, Error: text, Reason: reel.Reason(caption)}
		if err := console.Explain(&out, r, []reel.Attempt{a}, []reel.Event{e}, next, console.Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		harmless(t, out.String())
		for _, l := range strings.Split(out.String(), "\n") {
			if cells(l, false) > width {
				t.Fatalf("%d cells in a line of %d: %q", cells(l, false), width, l)
			}
		}
	})
}

// What was judged anew says both verdicts, by whom, and what becomes of the job.
func TestANewVerdictIsToldBesideTheOld(t *testing.T) {
	taught := reel.Verdict{Category: reel.Content, Type: "quibble", Rule: "my-quibble"}
	e := reel.Event{Kind: reel.EventRejudged, Job: "v-1", Attempt: 2, By: "ana", Verdict: &taught, Was: &reel.Verdict{Category: reel.Unknown}}
	if got, want := console.Sentence(e, time.UTC), "attempt 2 judged anew by ana · content/quibble (my-quibble) · was unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.Was, e.Decision = &taught, &reel.Decision{State: reel.Exhausted, Why: "attempt 5, and the limit is 5"}
	if got, want := console.Sentence(e, time.UTC), "attempt 2 judged anew by ana · still content/quibble (my-quibble) · attempt 5, and the limit is 5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
