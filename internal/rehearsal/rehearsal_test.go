package rehearsal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/reel"
	"reelpass/internal/rehearsal"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

// envConfig makes the test binary play a rehearsal's worker process.
const envConfig = "REHEARSAL_TEST_CONFIG"

func TestMain(m *testing.M) {
	raw := os.Getenv(envConfig)
	if raw == "" {
		workertest.Main(m)
	}
	var cfg rehearsal.Config
	err := json.Unmarshal([]byte(raw), &cfg)
	if err == nil {
		var p *rehearsal.Publisher
		if p, err = rehearsal.New(cfg); err == nil {
			err = worker.Serve(context.Background(), os.Stdin, os.Stdout, p)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestRehearsalKeepsTheWorkersPromises(t *testing.T) {
	script := write(t, fmt.Sprintf(`{"posts":["ok"],"fails":[%q],"fails-after":["!fail-after-share went wrong"],
		"dies-before":["!crash-before-share"],"dies-after":["!crash-after-share"],"hangs":["!hang"]}`, workertest.FailText))
	workertest.TestWorker(t, workertest.Factory{
		Inside: true,
		Jobs:   []reel.JobID{workertest.FailsAfter, workertest.DiesBefore},
		New: func(t *testing.T, s *workertest.Stage) workertest.Worker {
			cfg, err := json.Marshal(rehearsal.Config{Script: script, World: s.World, Latency: 5 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			return worker.NewClient(worker.Options{
				Argv: []string{os.Args[0]}, Env: []string{envConfig + "=" + string(cfg)},
				Timeout: s.Timeout, Log: s.Log, Mark: s.Mark,
			})
		},
	})
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func publisher(t *testing.T, cfg rehearsal.Config) *rehearsal.Publisher {
	t.Helper()
	p, err := rehearsal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publish runs one attempt in this process; shared tells whether the go was asked for.
func publish(p *rehearsal.Publisher, job reel.JobID, attempt int) (r reel.Report, shared bool, steps []string) {
	r = p.Publish(context.Background(), reel.Assignment{JobID: job, Account: "acc", Attempt: attempt}, reel.Desk{
		Share: func(context.Context) bool { shared = true; return true },
		Step:  func(name string) { steps = append(steps, name) },
	})
	return r, shared, steps
}

func TestScriptIsFollowed(t *testing.T) {
	p := publisher(t, rehearsal.Config{Script: write(t, `{"a":["adb: device offline","ok"],"b":["!fail-after-share boom"],
		"c": [{"text": "slow down", "retry_after": "90s", "holds": "publisher"}, {"text": "ok"}, "boom", {"text": "!fail-after-share late"}]}`)})
	for _, c := range []struct {
		job     reel.JobID
		attempt int
		want    reel.Report
		shared  bool
	}{
		{"a", 1, reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "adb: device offline", Step: "rehearsal"}}, false},
		{"a", 2, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "rehearsal-a-2"}}, true},
		{"a", 9, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "rehearsal-a-9"}}, true},
		{"b", 1, reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "boom", Step: "share", ShareBegun: true}}, true},
		{"c", 1, reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "slow down", Step: "rehearsal", RetryAfter: "90s", Holds: "publisher"}}, false},
		{"c", 2, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "rehearsal-c-2"}}, true},
		{"c", 3, reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "boom", Step: "rehearsal"}}, false},
		{"c", 4, reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "late", Step: "share", ShareBegun: true}}, true},
		{"not in it", 1, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "rehearsal-not in it-1"}}, true},
	} {
		if got, shared, _ := publish(p, c.job, c.attempt); got != c.want || shared != c.shared {
			t.Errorf("%s, attempt %d: got %+v (shared %t)\nwant %+v", c.job, c.attempt, got, shared, c.want)
		}
	}
	if look := p.Find(t.Context(), reel.Assignment{JobID: "a"}, time.Now(), reel.Desk{}); look.Finding != reel.Unsure ||
		look.Why != "a rehearsal without a world cannot be looked up" {
		t.Errorf("got %+v", look)
	}
}

func TestWrongScriptsAreShownAtTheirPlace(t *testing.T) {
	for _, c := range []struct{ text, place, why string }{
		{"", ":1:1:", "too early"},
		{"[]", ":1:1:", "expected"},
		{"{\n  \"a\": [\"ok\",\n    \"!boom\"]}", ":3:5:", `"!boom" is not known`},
		{`{"a":["!hang now"]}`, ":1:7:", "not known"},
		{`{"a":["!fail-after-share"]}`, ":1:7:", "needs a text"},
		{`{"a":[]}`, ":1:2:", "no outcome"},
		{`{"a":["ok"],"a":["ok"]}`, ":1:13:", "second time"},
		{`{"a":"ok"}`, ":1:9:", "list of outcomes"},
		{`{"a":[1]}`, ":1:7:", "an outcome"},
		{`{"a":[" "]}`, ":1:7:", "empty"},
		{`{"a":["ok", {"text":"!hang","retry_after":"5s"}]}`, ":1:13:", "cannot ask to wait"},
		{`{"a":[{"text":"x","holds":"phone"}]}`, ":1:7:", "not \"phone\""},
		{`{"a":[{"text":"x","after":"5s"}]}`, ":1:7:", "not \"after\""},
		{`{"a":[{"text":"x","retry_after":5}]}`, ":1:7:", "all of them texts"},
		{`{"a":[{}]}`, ":1:7:", "empty"},
		{"{\"a\":[\"ok\"]}\n{}", ":2:", "follows"},
		{"{\"ä\":[\"ok\"],\n x}", ":2:2:", "invalid character"},
		{"\xef\xbb\xbf{\"a\":[\"!x\"]}", ":1:8:", "not known"},
	} {
		path := write(t, c.text)
		_, err := rehearsal.New(rehearsal.Config{Script: path})
		if err == nil || !strings.Contains(err.Error(), path+c.place) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: got %v, want %s and %q", c.text, err, c.place, c.why)
		}
	}
	if _, err := rehearsal.New(rehearsal.Config{Script: "/no/such/script"}); err == nil {
		t.Error("no script, and no error")
	}
	if _, err := rehearsal.New(rehearsal.Config{World: "/no/such/folder/world"}); err == nil {
		t.Error("no world, and no error")
	}
}

func TestTheWorldKeepsWhatHappened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.jsonl")
	p := publisher(t, rehearsal.Config{World: path, Script: write(t, `{"bad":["x"]}`)})
	publish(p, "good", 1)
	publish(p, "bad", 1)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		JobID, Account string
		At             time.Time
	}
	if err := json.Unmarshal(raw, &line); err != nil || line.Account != "acc" || line.At.IsZero() || !strings.HasSuffix(string(raw), "}\n") {
		t.Errorf("world holds %q (%v)", raw, err)
	}
	find := func(job reel.JobID) reel.Look {
		return p.Find(t.Context(), reel.Assignment{JobID: job, Account: "acc"}, time.Now(), reel.Desk{})
	}
	if look := find("good"); look.Finding != reel.Found || look.Receipt.ID != "rehearsal-good-1" {
		t.Errorf("got %+v", look)
	}
	if look := find("bad"); look.Finding != reel.Absent {
		t.Errorf("got %+v", look)
	}
	if err := os.WriteFile(path, append(raw, "{half"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if look := find("bad"); look.Finding != reel.Unsure {
		t.Errorf("a world that cannot be read: %+v", look)
	}
}

func TestDrawnOutcomesAreTheSameForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		job := reel.JobID(rapid.String().Draw(t, "job"))
		attempt := rapid.IntRange(1, 9).Draw(t, "attempt")
		one, err := rehearsal.New(rehearsal.Config{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		a, shared, steps := publish(one, job, attempt)
		b, _, _ := publish(one, job, attempt)
		if a != b {
			t.Fatalf("%+v, then %+v", a, b)
		}
		if a.Posted != shared || len(steps) == 0 {
			t.Fatalf("posted %t, asked for the go %t, steps %q", a.Posted, shared, steps)
		}
		if !a.Posted && (a.Evidence.Source == "" || a.Evidence.Text == "" || a.Evidence.Step != steps[len(steps)-1]) {
			t.Fatalf("evidence %+v after steps %q", a.Evidence, steps)
		}
	})
}

func TestDrawnOutcomesAreRealistic(t *testing.T) {
	p := publisher(t, rehearsal.Config{Seed: 7})
	const jobs = 2000
	first, ever := 0, 0
	texts := map[string]bool{}
	for i := range jobs {
		job := reel.JobID(fmt.Sprint("job-", i))
		for attempt := 1; attempt <= 3; attempt++ {
			r, _, _ := publish(p, job, attempt)
			if r.Posted {
				ever++
				if attempt == 1 {
					first++
				}
				break
			}
			texts[r.Evidence.Text] = true
		}
	}
	if share := float64(first) / jobs; share < 0.77 || share > 0.83 {
		t.Errorf("%.3f of first attempts post", share)
	}
	if share := float64(ever) / jobs; share < 0.92 || share > 0.96 {
		t.Errorf("%.3f post within three attempts", share)
	}
	if len(texts) < 20 {
		t.Errorf("only %d different failures", len(texts))
	}
}

func TestAGivenUpRehearsalEnds(t *testing.T) {
	p := publisher(t, rehearsal.Config{Latency: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	r := p.Publish(ctx, reel.Assignment{JobID: "a"}, reel.Desk{
		Step: func(string) { cancel() }, Share: func(context.Context) bool { t.Error("shared"); return true },
	})
	if r.Posted || r.Evidence.Code != reel.CodeInterrupted {
		t.Errorf("got %+v", r)
	}
}

func FuzzScript(f *testing.F) {
	for _, s := range []string{`{"a":["ok"]}`, `{"a":["!hang"],"b":["x","!crash-after-share"]}`, "{", "\xef\xbb\xbf{}", `{"a":[["`} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "s")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := rehearsal.New(rehearsal.Config{Script: path})
		if err == nil && !json.Valid([]byte(strings.TrimPrefix(text, "\xef\xbb\xbf"))) {
			t.Fatalf("%q is taken for a script", text)
		}
		var line, column int
		if err != nil {
			if _, bad := fmt.Sscanf(strings.TrimPrefix(err.Error(), "rehearsal script "+path), ":%d:%d:", &line, &column); bad != nil || line < 1 || column < 1 {
				t.Fatalf("no place in %v", err)
			}
		}
	})
}
