package command_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/command"
	"reelpass/internal/reel"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

func TestMain(m *testing.M) { workertest.Main(m) }

// env names the program's role; the find program is told its own by env(1), because one worker runs both.
func options(s *workertest.Stage, role string) command.Options {
	return command.Options{Env: s.Env(role), Log: s.Log, Mark: s.Mark, Secrets: []string{s.Secret}}
}

func findArgv(s *workertest.Stage) []string {
	return append(append([]string{"env"}, s.Env(workertest.RoleFind)...), os.Args[0])
}

func TestPlainProgramKeepsTheWorkersPromises(t *testing.T) {
	workertest.TestWorker(t, workertest.Factory{
		Jobs: []reel.JobID{workertest.Crowds, workertest.Leaks, workertest.Puzzles},
		New: func(_ *testing.T, s *workertest.Stage) workertest.Worker {
			cfg := command.Config{Run: []string{os.Args[0]}, Timeout: s.Timeout, Find: findArgv(s)}
			return command.New(cfg, options(s, workertest.RolePlain))
		},
	})
}

func TestProgramWithProtocolKeepsTheWorkersPromises(t *testing.T) {
	for name, find := range map[string]bool{"find by protocol": false, "find by program": true} {
		t.Run(name, func(t *testing.T) {
			workertest.TestWorker(t, workertest.Factory{
				Inside: true,
				Jobs: []reel.JobID{
					workertest.FailsAfter, workertest.DiesBefore, workertest.Crowds, workertest.Plods, workertest.Panics,
					workertest.Leaks, workertest.Puzzles,
				},
				New: func(_ *testing.T, s *workertest.Stage) workertest.Worker {
					cfg := command.Config{Run: []string{os.Args[0]}, Protocol: command.ProtocolJSONL, Timeout: s.Timeout}
					if find {
						cfg.Find = findArgv(s)
					}
					return command.New(cfg, options(s, workertest.RoleServe))
				},
			})
		})
	}
}

func shell(t *testing.T, script string, change ...func(*command.Config)) *command.Worker {
	t.Helper()
	s := workertest.NewStage(t)
	cfg := command.Config{Run: []string{"/bin/sh", "-c", script}}
	for _, c := range change {
		c(&cfg)
	}
	return command.New(cfg, options(s, ""))
}

func yes() reel.Desk { return reel.Desk{Share: func(context.Context) bool { return true }} }

func TestExitIsTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         reel.Report
	}{
		{"posted, no receipt", "exit 0", reel.Report{Posted: true}},
		{"receipt", `echo hello; echo '{"id":"17","url":"https://x/y"}'; echo`, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "17", URL: "https://x/y"}}},
		{"receipt with a large number", `echo '{"id":17895695668004550123,"more":1}'`, reel.Report{Posted: true, Receipt: reel.Receipt{ID: "17895695668004550123"}}},
		{"last line is no receipt", `echo '{"id":"17"}'; echo bye`, reel.Report{Posted: true}},
		{"content", "echo too long >&2; exit 65", reel.Report{Evidence: reel.Evidence{Source: reel.SourceExit, Code: "65", Text: "too long"}}},
		{"silent", "exit 3", reel.Report{Evidence: reel.Evidence{Source: reel.SourceExit, Code: "3", Text: "exit status 3"}}},
		{"not utf-8", `printf 'a\377\000b' >&2; exit 1`, reel.Report{Evidence: reel.Evidence{Source: reel.SourceExit, Code: "1", Text: "a\uFFFD\uFFFDb"}}},
		{"a shell tells of a signal", "sh -c 'kill -9 $$'; exit $?", reel.Report{Evidence: reel.Evidence{Source: reel.SourceExit, Code: "137", ShareBegun: true}}},
		{"signal", "echo so long >&2; kill -9 $$", reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeWorkerLost, Text: "program ended: signal: killed\nso long", ShareBegun: true}}},
		{"does not read", "exec </dev/null; exit 0", reel.Report{Posted: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shell(t, c.script).Publish(t.Context(), reel.Assignment{JobID: "a", Caption: strings.Repeat("x", 90_000)}, yes())
			if c.want.Evidence.Text == "" {
				got.Evidence.Text = ""
			}
			if got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestTheJobIsInEnvironmentAndInput(t *testing.T) {
	t.Setenv("REELPASS_SINCE", "inherited")
	t.Setenv("REELPASS_CAPTION", "inherited")
	script := `cat >&2; env | grep ^REELPASS_ | sort >&2; exit 1`
	for _, c := range []struct {
		name, caption string
		want          []string
		not           string
	}{
		{"plain", "a\"b", []string{
			`"caption":"a\"b"`, "REELPASS_CAPTION=a\"b", "REELPASS_JOB_ID=v1", "REELPASS_ACCOUNT=acc1",
			"REELPASS_VIDEO_PATH=/v/1.mp4", "REELPASS_ATTEMPT=2", "REELPASS_PASS=4", "REELPASS_WORKER_ID=3", "REELPASS_MARK=workertest-",
		}, "inherited"},
		{"NUL", "a\x00b", []string{`"caption":"a\u0000b"`, "REELPASS_OMITTED=REELPASS_CAPTION"}, "REELPASS_CAPTION=a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := reel.Assignment{JobID: "v1", Account: "acc1", VideoPath: "/v/1.mp4", Caption: c.caption, Attempt: 2, Pass: 4, WorkerID: 3}
			got := shell(t, script).Publish(t.Context(), a, yes()).Evidence.Text
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if strings.Contains(got, c.not) {
				t.Errorf("%q in\n%s", c.not, got)
			}
		})
	}
}

// A caption too large for any variable and any pipe still reaches a program that reads, slowly or not at all.
func TestLargeCaptionsDoNotDeadlock(t *testing.T) {
	a := reel.Assignment{JobID: "v1", Caption: strings.Repeat("x", 700_000)}
	for script, want := range map[string]string{
		`wc -c >&2; exit 1`: "700", `exit 7`: "exit status 7", `yes | head -c 300000 >&2; cat | wc -c >&2; exit 1`: "700",
	} {
		if got := shell(t, script).Publish(t.Context(), a, yes()).Evidence.Text; !strings.Contains(got, want) {
			t.Errorf("%s: got %.200q", script, got)
		}
	}
}

// A grandchild that keeps stdout open must neither hold up the job nor survive it.
func TestAGrandchildDoesNotHoldTheJob(t *testing.T) {
	s := workertest.NewStage(t)
	w := command.New(command.Config{Run: []string{"/bin/sh", "-c", "sleep 1000 & echo '{\"id\":\"1\"}'"}}, options(s, ""))
	if r := w.Publish(t.Context(), reel.Assignment{JobID: "a"}, yes()); r.Receipt.ID != "1" {
		t.Errorf("got %+v", r)
	}
	if n, err := worker.KillMarked(t.Context(), s.Mark); n != 0 || err != nil {
		t.Errorf("%d processes survived (%v)", n, err)
	}
}

// One that leaves the group is out of reach of the job, but not of the mark. It holds the program's pipes for as long as it lives, and holds up
// neither a job that ends at once nor one whose output is being read.
func TestAnEscapedGrandchildHoldsUpNobody(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid here")
	}
	for name, work := range map[string]string{"ends at once": "", "is read meanwhile": "sleep 0.2; "} {
		t.Run(name, func(t *testing.T) {
			s := workertest.NewStage(t)
			out := filepath.Join(t.TempDir(), "out")
			script := `setsid sh -c 'touch "` + out + `"; exec sleep 100' & while [ ! -e "` + out + `" ]; do :; done; ` + work + `echo '{"id":"1"}'`
			w := command.New(command.Config{Run: []string{"/bin/sh", "-c", script}}, options(s, ""))
			done := make(chan reel.Report)
			go func() { done <- w.Publish(context.Background(), reel.Assignment{JobID: "a"}, yes()) }()
			select {
			case r := <-done:
				if r.Receipt.ID != "1" {
					t.Errorf("got %+v", r)
				}
			case <-time.After(30 * time.Second):
				t.Error("it holds up the job")
			}
			if n, err := worker.KillMarked(t.Context(), s.Mark); n != 1 || err != nil {
				t.Errorf("%d killed by their mark (%v)", n, err)
			}
			if n, err := worker.KillMarked(t.Context(), s.Mark); n != 0 || err != nil {
				t.Errorf("%d processes survived the killing (%v)", n, err)
			}
		})
	}
}

func TestWhatCannotStartHasNotShared(t *testing.T) {
	s := workertest.NewStage(t)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"no-such-program-anywhere"}, {"/"}, {bad}, nil} {
		r := command.New(command.Config{Run: argv}, options(s, "")).Publish(t.Context(), reel.Assignment{JobID: "a"}, yes())
		if e := r.Evidence; r.Posted || e.Source != reel.SourceWorker || e.Code != reel.CodeWorkerStart || e.ShareBegun || e.Text == "" {
			t.Errorf("%q: %+v", argv, r)
		}
	}
}

func TestLooks(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         reel.Finding
		why          string
	}{
		{"found", `echo '{"id":"9"}'`, reel.Found, ""},
		{"absent", "echo not there >&2; exit 1", reel.Absent, ""},
		{"absent, and says Error", "echo 'Error: no such post' >&2; exit 1", reel.Absent, ""},
		{"cannot tell", "echo page broken >&2; exit 2", reel.Unsure, "exit status 2\npage broken"},
		{"killed", "kill -9 $$", reel.Unsure, "signal: killed"},
		{"python crash", "echo 'Traceback (most recent call last):' >&2; exit 1", reel.Unsure, "Traceback"},
		{"python does not parse", "printf '  File \"x.py\"\\nSyntaxError: invalid syntax\\n' >&2; exit 1", reel.Unsure, "SyntaxError"},
		{"node crash", "printf 'Error: boom\\n    at f (/x/y.js:3:9)\\n' >&2; exit 1", reel.Unsure, "boom"},
		{"since", `[ "$REELPASS_SINCE" = 2026-01-02T03:04:05Z ] && grep -q '"type":"find".*"since":"2026-01-02T03:04:05Z"'`, reel.Found, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := shell(t, "exit 9", func(cfg *command.Config) { cfg.Find = []string{"/bin/sh", "-c", c.script} })
			look := w.Find(t.Context(), reel.Assignment{JobID: "a"}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), reel.Desk{})
			if look.Finding != c.want || !strings.Contains(look.Why, c.why) {
				t.Errorf("got %+v", look)
			}
		})
	}
	none := shell(t, "exit 0")
	if look := none.Find(t.Context(), reel.Assignment{}, time.Now(), reel.Desk{}); look.Why != "no find command is configured" || none.CanFind() {
		t.Errorf("got %+v, can find: %t", look, none.CanFind())
	}
}

func TestCheck(t *testing.T) {
	for want, c := range map[string]command.Config{
		"":                          {Run: []string{"sh"}, Find: []string{"/bin/sh"}},
		"protocol":                  {Run: []string{"sh"}, Protocol: "xml"},
		"run":                       {},
		"find: find prog":           {Run: []string{"sh"}, Find: []string{"./not-here"}},
		"run_me.py: no such file":   {Run: []string{"sh", "run_me.py"}},
		"/nowhere/find.sh: no such": {Run: []string{"sh", "-c", "not-a-file"}, Find: []string{"sh", "/nowhere/find.sh"}},
		"timeout":                   {Run: []string{"sh"}, Timeout: -1},
	} {
		err := command.Check(c, "")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// BenchmarkTrue compares four slots of /bin/true with a bare loop of four goroutines. The rounds of both alternate, and
// ratio is the median over the rounds of bare time to ours: the machine's other work hits single rounds hard.
func BenchmarkTrue(b *testing.B) {
	const slots, round = 4, 200
	four := func(one func() func()) float64 {
		start := time.Now()
		var wg sync.WaitGroup
		for range slots {
			wg.Go(func() {
				do := one()
				for range round / slots {
					do()
				}
			})
		}
		wg.Wait()
		return time.Since(start).Seconds()
	}
	slot := func() func() {
		w := command.New(command.Config{Run: []string{"/bin/true"}}, command.Options{Mark: "bench"})
		return func() {
			if r := w.Publish(context.Background(), reel.Assignment{JobID: "a", Caption: "b"}, yes()); !r.Posted {
				b.Error(fmt.Sprint(r))
			}
		}
	}
	bare := func() func() {
		return func() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Error(err)
			}
		}
	}
	var ours, theirs, ratios []float64
	for b.Loop() {
		t, o := four(bare), four(slot)
		theirs, ours, ratios = append(theirs, t), append(ours, o), append(ratios, t/o)
	}
	median := func(s []float64) float64 {
		slices.Sort(s)
		return s[len(s)/2]
	}
	b.ReportMetric(round/median(ours), "jobs/s")
	b.ReportMetric(round/median(theirs), "bare/s")
	b.ReportMetric(median(ratios), "ratio")
}
