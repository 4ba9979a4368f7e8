package posts_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"reelpass/internal/posts"
	"reelpass/internal/reel"
)

func each(records []reel.Record) iter.Seq2[reel.Record, error] {
	return func(yield func(reel.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// someRecords is one job in each state, and in each reason that matters.
func someRecords() []reel.Record {
	claimed := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	job := func(id, account, caption string, s reel.State, reason reel.Reason) reel.Record {
		r := reel.Record{Job: reel.Job{ID: reel.JobID(id), Account: account, VideoPath: "/v/" + id + ".mp4", Caption: caption}, State: s, Reason: reason}
		if s != reel.Pending {
			r.Pass, r.Worker, r.ClaimedAt, r.Tally.Attempts = 1, 2, claimed, 1
		}
		if s != reel.Pending && !s.InFlight() {
			r.CompletedAt = claimed.Add(90*time.Second + 1500*time.Microsecond)
		}
		return r
	}
	failing := func(r reel.Record, text string, v reel.Verdict) reel.Record {
		r.Error, r.Verdict = text, v
		r.Tally = reel.Tally{}.Failed(v.Category)
		return r
	}
	offline := reel.Verdict{Category: reel.Infrastructure, Type: "adb_offline", Rule: "adb-offline"}
	posted := job("posted", "acc1", "@friend, look: \"this\"\nand <b>that</b> & more 🎉", reel.Succeeded, "")
	posted.Receipt = reel.Receipt{ID: "C1", URL: "https://www.instagram.com/reel/C1/"}
	posted.Tally = reel.Tally{Attempts: 2, Infrastructure: 1}
	posted.Error, posted.Verdict = "adb: device offline", offline // of its first attempt: must not be shown
	waiting := job("waiting", "acc2", "-1 day to go", reel.Pending, "")
	waiting.MaxAttempts = 3
	retry := failing(job("retry", "acc3", "=1+1", reel.Failed, ""), "adb: device offline", offline)
	retry.DuePass = 2
	hold := job("hold", "acc4", "", reel.SetAside, reel.ReasonAccountHold)
	hold.Pass, hold.Worker, hold.ClaimedAt, hold.Tally = 0, 0, time.Time{}, reel.Tally{}
	doubt := failing(job("doubt", "acc5", "x", reel.InDoubt, ""), "the worker died", reel.Verdict{Category: reel.Infrastructure, Type: "worker_lost", Rule: "worker-lost"})
	evil := job("evil", `"><script>alert(1)</script>`, "</td><img src=x onerror=alert(1)>", reel.Succeeded, "")
	evil.Receipt = reel.Receipt{ID: "javascript", URL: "javascript:alert(1)"}
	return []reel.Record{
		posted, waiting, job("running", "acc6", "x", reel.Running, ""), job("publishing", "acc7", "x", reel.Publishing, ""), retry,
		failing(job("account", "acc4", "x", reel.SetAside, reel.ReasonAccount), "Your account has been suspended", reel.Verdict{Category: reel.Account, Type: "suspended", Rule: "suspended"}),
		failing(job("content", "acc8", "x", reel.SetAside, reel.ReasonContent), "moov atom not found", reel.Verdict{Category: reel.Content, Type: "corrupted_video", Rule: "moov"}),
		hold, job("duplicate", "acc9", "x", reel.SetAside, reel.ReasonDuplicate),
		failing(job("gave-up", "acc10", "x", reel.Exhausted, reel.ReasonInfraLimit), strings.Repeat("é", 600), offline),
		failing(job("passes", "acc11", "x", reel.OutOfPasses, reel.ReasonMaxPasses), "bad \xFF byte\x00", reel.Verdict{Category: reel.Unknown}),
		doubt, job("cancelled", "acc12", "x", reel.Cancelled, reel.ReasonCancelled), evil,
	}
}

func TestWriteProgressCSVGolden(t *testing.T) {
	var b strings.Builder
	if err := posts.WriteProgressCSV(&b, each(someRecords()), plusOne()); err != nil {
		t.Fatal(err)
	}
	golden(t, "written.csv", b.String())
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if n := utf8.RuneCountInString(row[8]); n > 500 {
			t.Errorf("%s: the error has %d characters", row[0], n)
		}
	}
	golden(t, "written.csv.golden", list(read(t, posts.ReadProgress, strings.NewReader(b.String()))))
}

func TestWriteJSONGolden(t *testing.T) {
	var b strings.Builder
	if err := posts.WriteJSON(&b, each(someRecords())); err != nil {
		t.Fatal(err)
	}
	golden(t, "written.jsonl", b.String())
	keys := strings.Fields("job_id account video_path caption state reason attempts failures error error_category error_type rule pass_number worker_id claimed_at completed_at receipt publish_at due_pass")
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if _, ok := m[key]; !ok {
				t.Errorf("no %s in %s", key, line)
			}
		}
		if len(m) != len(keys) {
			t.Errorf("%d keys in %s", len(m), line)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// A fault of the records or of the file must come out of every writer: half an export that calls itself whole is a lie.
func TestWritersTellOfFaults(t *testing.T) {
	cause := errors.New("cause")
	broken := func(yield func(reel.Record, error) bool) {
		if yield(someRecords()[0], nil) {
			yield(reel.Record{}, cause)
		}
	}
	var b bytes.Buffer
	for name, err := range map[string]error{
		"csv records":  posts.WriteProgressCSV(&b, broken, time.UTC),
		"json records": posts.WriteJSON(&b, broken),
		"csv file":     posts.WriteProgressCSV(brokenWriter{cause}, each(someRecords()), time.UTC),
		"json file":    posts.WriteJSON(brokenWriter{cause}, each(someRecords())),
	} {
		if !errors.Is(err, cause) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// noFormula reads a file as a spreadsheet does: no cell may begin as a formula does, and a number is a number.
func noFormula(t rapid.TB, file string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for column, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
				t.Fatalf("row %d: a spreadsheet would take %q for a formula", i, cell)
			}
			if name := rows[0][column]; i > 0 && cell != "" && slices.Contains([]string{"worker_id", "attempts", "max_attempts", "pass_number"}, name) {
				if _, err := strconv.Atoi(cell); err != nil {
					t.Fatalf("row %d: %s is %q, no number", i, name, cell)
				}
			}
		}
	}
}

// The apostrophe for spreadsheets is taken away from what export wrote and from nothing else; the raw form never has one.
func TestApostropheForSpreadsheets(t *testing.T) {
	r := reel.Record{Job: reel.Job{ID: "v", Account: "@acc", VideoPath: "v.mp4", Caption: "=HYPERLINK(\"http://h.example\")"}, State: reel.Pending}
	var safe, raw strings.Builder
	if err := errors.Join(posts.WriteProgressCSV(&safe, each([]reel.Record{r}), time.UTC), posts.WriteRawProgressCSV(&raw, each([]reel.Record{r}), time.UTC)); err != nil {
		t.Fatal(err)
	}
	if got := safe.String(); !strings.Contains(got, `,'@acc,`) || !strings.Contains(got, `"'=HYPERLINK(`) {
		t.Errorf("for spreadsheets: %s", got)
	}
	if got := raw.String(); !strings.Contains(got, `,@acc,`) || !strings.Contains(got, `"=HYPERLINK(`) {
		t.Errorf("raw: %s", got)
	}
	foreign := strings.Replace(safe.String(), "job_id,account", "account,job_id", 1)
	foreign = strings.Replace(foreign, "v,'@acc", "'@acc,v", 1)
	for file, want := range map[string]reel.Job{safe.String(): r.Job, raw.String(): r.Job, foreign: {ID: "v", Account: "'@acc", VideoPath: "v.mp4", Caption: "'" + r.Caption}} {
		told := ""
		for p, err := range posts.ReadProgress(strings.NewReader(file), posts.Options{Notice: func(text string) { told += text }}) {
			if err != nil || p.Job != want {
				t.Errorf("%v, job %+v, want %+v of\n%s", err, p.Job, want, file)
			}
		}
		if (file == safe.String()) != (told == "an apostrophe before = + - or @, put there for spreadsheets, was taken away from 2 cells") {
			t.Errorf("told %q of\n%s", told, file)
		}
	}
}

// What is written as progress.csv reads back: the jobs exactly, and no job readier than it was.
func TestProgressRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[a-zA-Z0-9_.@=+,;"'é-]{1,20}`)
	text := rapid.StringOf(rapid.SampledFrom([]rune("ab \"',;\t\n=+-@＝é🎉")))
	rapid.Check(t, func(t *rapid.T) {
		var records []reel.Record
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			r := reel.Record{
				Job: reel.Job{
					ID: reel.JobID(name.Draw(t, "id")), Account: name.Draw(t, "account"), VideoPath: name.Draw(t, "path"),
					Caption: text.Draw(t, "caption"), MaxAttempts: rapid.IntRange(0, 4).Draw(t, "limit"),
				},
				State: rapid.SampledFrom(reel.States()).Draw(t, "state"),
			}
			if r.State == reel.SetAside {
				r.Reason = rapid.SampledFrom([]reel.Reason{reel.ReasonAccount, reel.ReasonContent, reel.ReasonDuplicate, reel.ReasonAccountHold, reel.ReasonUnknownNotRetry}).Draw(t, "reason")
			}
			if r.State != reel.Pending {
				r.Tally.Attempts = rapid.IntRange(1, 5).Draw(t, "attempts")
				r.Error = text.Draw(t, "error")
				r.Verdict = reel.Verdict{Category: rapid.SampledFrom(reel.Categories()).Draw(t, "category"), Type: "some_type"}
				r.Worker, r.Pass = rapid.IntRange(0, 500).Draw(t, "worker"), rapid.IntRange(1, 5).Draw(t, "pass")
				r.ClaimedAt = time.UnixMicro(rapid.Int64Range(1e15, 2e15).Draw(t, "claimed"))
			}
			records = append(records, r)
		}
		var b bytes.Buffer
		if err := posts.WriteProgressCSV(&b, each(records), plusOne()); err != nil {
			t.Fatal(err)
		}
		noFormula(t, b.String())
		i := 0
		for p, err := range posts.ReadProgress(&b, posts.Options{Location: plusOne()}) {
			if err != nil {
				t.Fatal(err)
			}
			r := records[i]
			i++
			if p.Job != r.Job {
				t.Fatalf("job %+v, want %+v", p.Job, r.Job)
			}
			if !p.Past.ClaimedAt.Equal(r.ClaimedAt) || p.Past.Worker != r.Worker || p.Past.Pass != r.Pass {
				t.Fatalf("past %+v of %+v", p.Past, r)
			}
			want := map[reel.State]reel.State{
				reel.Pending: reel.Pending, reel.Running: reel.InDoubt, reel.Publishing: reel.InDoubt, reel.InDoubt: reel.InDoubt,
				reel.Succeeded: reel.Succeeded, reel.Failed: reel.Failed, reel.Exhausted: reel.Failed, reel.OutOfPasses: reel.Failed,
				reel.Cancelled: reel.SetAside, reel.SetAside: reel.Failed, // judged again from its text
			}[r.State]
			if slices.Contains([]reel.Reason{reel.ReasonDuplicate, reel.ReasonAccountHold}, r.Reason) {
				want = reel.SetAside
			}
			if p.Past.State != want {
				t.Fatalf("%s/%s came back as %s, want %s", r.State, r.Reason, p.Past.State, want)
			}
			if r.State != reel.Succeeded && p.Past.Evidence.Text != r.Error {
				t.Fatalf("%s: evidence %q, want %q", r.State, p.Past.Evidence.Text, r.Error)
			}
			if want == reel.Succeeded && (p.Past.Evidence != reel.Evidence{}) {
				t.Fatalf("a success with evidence %+v", p.Past.Evidence)
			}
		}
		if i != len(records) {
			t.Fatalf("%d rows, want %d", i, len(records))
		}
	})
}

// A signed address is a secret: no file that people pass around holds its query.
func TestWritersMaskAddresses(t *testing.T) {
	r := reel.Record{Job: reel.Job{ID: "v", Account: "a", VideoPath: "https://u:hunter2@h.example/v.mp4?sig=hunter2"}, State: reel.Pending}
	var out strings.Builder
	for name, write := range map[string]func() error{
		"csv":  func() error { return posts.WriteProgressCSV(&out, each([]reel.Record{r}), time.UTC) },
		"json": func() error { return posts.WriteJSON(&out, each([]reel.Record{r})) },
	} {
		out.Reset()
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.Contains(got, "hunter2") || !strings.Contains(got, "https://***@h.example/v.mp4?***") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
