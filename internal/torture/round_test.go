//go:build linux

package torture_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// way is how a round publishes.
type way string

const (
	rehearsalFind  way = "rehearsal+find"
	rehearsalBlind way = "rehearsal"
	exitFind       way = "exit+find"
	exitBlind      way = "exit"
	jsonlFind      way = "jsonl+find" // a find program
	jsonlSelf      way = "jsonl+self" // the publisher itself is asked
	jsonlRogue     way = "jsonl+rogue"
)

func ways() []way {
	return []way{rehearsalFind, rehearsalBlind, exitFind, exitBlind, jsonlFind, jsonlSelf, jsonlRogue}
}

func (w way) rehearsal() bool { return strings.HasPrefix(string(w), "rehearsal") }
func (w way) finds() bool     { return w != rehearsalBlind && w != exitBlind }

// gentle says that a round kills nothing: what shares without asking and dies before it tells leaves no trace that any
// supervisor could find, so that nobody can promise anything of it.
func (w way) gentle() bool { return w == jsonlRogue }

// round is one batch, from its import to its last state, and what is done to it.
type round struct {
	number  int
	seed    uint64
	rng     *rand.Rand
	way     way
	dir     string
	program string // the reelpass under test
	pub     string // the publishing program

	accounts int
	jobs     []reel.Job
	content  map[string]string // by video path: what makes it the same video
	script   map[string][]string
	unsure   map[reel.JobID]bool // its find cannot tell
	limits   reel.Limits
	workers  int
	slots    int
	timeout  int // of a job, in seconds

	server   *postgrestest.Server // nil where the ledger is a file
	hosts    []*host              // the machines of its supervisors; one that is nil is this one
	lines    []*line              // of the machines to the server
	gates    []string             // the server's address as the machines see it, where they have no lines
	home     int                  // the machine of whoever leads or is about to
	disk     string               // of the ledger, where it is a small one
	broken   bool                 // the program is a mutant
	bounded  bool                 // without a small disk, how big a file may be written is bounded instead
	clocks   []string             // of the machines: files with what they are wrong by; empty: right
	faulty   bool                 // a fault has been made that may end a run with an error
	jumped   bool                 // a clock has been set
	figures  figures
	problems []string
	actors   []*actor
	long     bool // stops that outlast a lease are allowed
}

func (r *round) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// newRound draws a round from its seed.
func newRound(t *testing.T, number int, seed uint64, w way, program, pub string) *round {
	t.Helper()
	r := &round{
		number: number, seed: seed, rng: rand.New(rand.NewPCG(seed, uint64(number))), program: program, pub: pub,
		content: map[string]string{}, script: map[string][]string{}, unsure: map[reel.JobID]bool{},
	}
	r.figures.kills = map[string]int{}
	r.way = w
	if w == "" {
		r.way = ways()[r.rng.IntN(len(ways()))]
	}
	var err error
	if r.dir, err = os.MkdirTemp("", "torture-"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.dir, 0o755); err != nil { // a server that runs as somebody else may have its disk there
		t.Fatal(err)
	}
	rng := r.rng
	r.accounts = 8 + rng.IntN(13)
	r.workers, r.slots, r.timeout = 3+rng.IntN(5), 1+rng.IntN(2), 4
	if rng.IntN(6) == 0 {
		r.workers = 16
	}
	r.limits = reel.Limits{
		MaxPasses: 2 + rng.IntN(4), Infrastructure: 2 + rng.IntN(4), Unknown: 1 + rng.IntN(4), MaxAttempts: 3 + rng.IntN(4),
		RetryUnknown: rng.IntN(5) > 0, AccountHold: rng.IntN(5) > 0,
	}
	for _, sub := range []string{"videos", "out"} {
		if err := os.Mkdir(filepath.Join(r.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.drawJobs(t)
	r.write(t, "reelpass.yaml", r.settings())
	return r
}

func (r *round) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// drawJobs draws 20 to 60 jobs: some of real videos, a few of which are the same under another name, some the same video
// on the same account a second time, which must be refused.
func (r *round) drawJobs(t *testing.T) {
	t.Helper()
	n := 20 + r.rng.IntN(41)
	for i := range n {
		j := reel.Job{
			ID: reel.JobID(fmt.Sprintf("j%02d", i)), Account: fmt.Sprintf("acc%02d", r.rng.IntN(r.accounts)),
			VideoPath: fmt.Sprintf("videos/v%02d.mp4", i), Caption: "caption",
		}
		switch kind := r.rng.IntN(10); {
		case kind == 0 && i > 0: // the same video on the same account
			twin := r.jobs[r.rng.IntN(i)]
			j.Account, j.VideoPath = twin.Account, twin.VideoPath
		case kind < 4: // a real file; every third has a twin by content
			same := fmt.Sprintf("content %d", i-i%3)
			r.write(t, j.VideoPath, same)
			r.content[j.VideoPath] = same
		}
		if r.content[j.VideoPath] == "" {
			r.content[j.VideoPath] = j.VideoPath
		}
		r.jobs = append(r.jobs, j)
		if list := r.outcomes(); len(list) > 0 {
			r.script[string(j.ID)] = list
		}
		if r.way.finds() && !r.way.rehearsal() && r.rng.IntN(16) == 0 {
			r.unsure[j.ID] = true
			r.script["find "+string(j.ID)] = []string{[]string{"unsure", "crash"}[r.rng.IntN(2)]}
		}
	}
	r.writeJobs(t)
}

// writeJobs writes the round's input and what its publishers are to do.
func (r *round) writeJobs(t *testing.T) {
	t.Helper()
	csv := "job_id,account,video_path,caption\n"
	for _, j := range r.jobs {
		csv += fmt.Sprintf("%s,%s,%s,%s\n", j.ID, j.Account, j.VideoPath, j.Caption)
	}
	r.write(t, "posts.csv", csv)
	data, err := json.MarshalIndent(r.script, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "script.json", string(data))
}

// outcomes are what the attempts of one job come to; the last one repeats.
func (r *round) outcomes() []string {
	var list []string
	if r.way.rehearsal() {
		for r.rng.Float64() < 0.35 && len(list) < 4 {
			list = append(list, pick(r.rng, rehearsed()))
		}
		if len(list) > 0 && r.rng.IntN(6) > 0 {
			list = append(list, "ok")
		}
		return list
	}
	kinds := plainKinds()
	if !strings.HasPrefix(string(r.way), "exit") {
		kinds = spokenKinds()
		if r.way == jsonlRogue {
			kinds = append(kinds, weighted{"rogue", 6})
		}
	}
	for r.rng.Float64() < 0.45 && len(list) < 4 {
		list = append(list, r.timed(pick(r.rng, kinds)))
	}
	if len(list) == 0 || r.rng.IntN(6) > 0 {
		list = append(list, r.timed("ok"))
	}
	return list
}

// timed adds milliseconds before and after the effect. Effects through another process come late on purpose: their
// supervisor may be dead by then.
func (r *round) timed(kind string) string {
	before, after := 5+r.rng.IntN(55), r.rng.IntN(30)
	switch {
	case kind == "helper-exit": // it says that nothing was posted, and must be killed before that becomes a lie
		before = 5000 + r.rng.IntN(1000)
	case strings.HasPrefix(kind, "helper"):
		before = 100 + r.rng.IntN(1200)
		if r.rng.IntN(6) == 0 {
			before = 1000 + r.rng.IntN(2000)
		}
	case r.rng.IntN(12) == 0:
		after = 100 + r.rng.IntN(400) // answers late
	case r.rng.IntN(20) == 0:
		before = 100 + r.rng.IntN(400)
	}
	return fmt.Sprintf("%s %d %d", kind, before, after)
}

type weighted struct {
	kind   string
	weight float64
}

func pick(rng *rand.Rand, list []weighted) string {
	sum := 0.0
	for _, w := range list {
		sum += w.weight
	}
	at := rng.Float64() * sum
	for _, w := range list {
		if at -= w.weight; at < 0 {
			return w.kind
		}
	}
	return list[len(list)-1].kind
}

func rehearsed() []weighted {
	return []weighted{
		{"adb: device offline", 4},
		{"Something moved where nothing should", 2},
		{"The video format is not supported. Please check spec for supported formats", 1},
		{"We suspended your account. 180 days left to appeal or we'll permanently disable it", 0.5},
		{"!crash-before-share", 3},
		{"!crash-after-share", 3},
		{"!fail-after-share adb: device offline", 2},
		{"!hang", 0.2},
	}
}

// plainKinds are the outcomes of a plain program, as testdata/publisher plays them.
func plainKinds() []weighted {
	return []weighted{
		{"ok", 3},
		{"exit:75", 4},
		{"exit:1", 3},
		{"exit:65", 1},
		{"exit:77", 0.5},
		{"die", 2},
		{"died", 3},
		{"terminated", 1},
		{"shell", 1},
		{"helper", 4},
		{"helper-die", 1},
		{"helper-exit", 1},
		{"stubborn", 0.1},
	}
}

// spokenKinds are the outcomes of a program that speaks the protocol.
func spokenKinds() []weighted {
	return []weighted{
		{"ok", 2},
		{"fail:adb:_device_offline", 4},
		{"fail:something_moved", 2},
		{"die", 2},
		{"go-die", 2},
		{"go-fail", 2},
		{"died", 3},
		{"bye", 2},
		{"noise", 1},
		{"twice", 1},
		{"deaf", 1},
		{"helper", 3},
		{"helper-die", 1},
		{"stubborn", 0.1},
		{"mute", 0.1},
	}
}

// settings is the round's reelpass.yaml.
func (r *round) settings() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("batch: torture\nworkers: %d\nslots: %d\nretry_delay: 0\njob_timeout: %d", r.workers, r.slots, r.timeout)
	line("breaker: 2/6\nbreaker_wait: 0.02") // it opens now and then, and delays nothing for long
	line("max_passes: %d\ninfra_retry_limit: %d\nunknown_retry_limit: %d\nmax_attempts_per_job: %d\nretry_unknown: %v\naccount_hold: %v",
		r.limits.MaxPasses, r.limits.Infrastructure, r.limits.Unknown, r.limits.MaxAttempts, r.limits.RetryUnknown, r.limits.AccountHold)
	if r.way.rehearsal() {
		line("publisher: rehearsal\nrehearsal:\n  script: script.json\n  latency: %dms", 5+r.rng.IntN(55))
		if r.way.finds() {
			line("  world: world.jsonl")
		}
		return b.String()
	}
	protocol, _, _ := strings.Cut(string(r.way), "+")
	line("publisher: command\ncommand:\n  run: [%s, %s, %s]\n  protocol: %s\n  timeout: %d", r.pub, protocol, r.dir, protocol, r.timeout)
	if r.way == exitFind || r.way == jsonlFind {
		line("  find: [%s, find, %s]", r.pub, r.dir)
	}
	return b.String()
}
