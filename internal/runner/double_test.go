package runner_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// scripted is a worker inside the test: the n-th attempt of a job gets the n-th outcome, the last one repeats.
type scripted struct {
	script map[reel.JobID][]string
	posts  *posts
	hang   chan struct{} // "!hang" waits here or for its end
}

// posts is the outside world: how often each job was really posted.
type posts struct {
	mu sync.Mutex
	n  map[reel.JobID]int
}

func (p *posts) add(id reel.JobID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n[id]++
}

func (w scripted) outcome(a reel.Assignment) string {
	s := w.script[a.JobID]
	if len(s) == 0 {
		return "ok"
	}
	return s[min(a.Attempt, len(s))-1]
}

func (w scripted) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	switch o := w.outcome(a); {
	case o == "ok":
		if !d.Share(ctx) {
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeLeaseLost}}
		}
		w.posts.add(a.JobID)
		return reel.Report{Posted: true, Receipt: reel.Receipt{ID: "r-" + string(a.JobID)}}
	case o == "!crash-before-share":
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeWorkerLost}}
	case strings.HasPrefix(o, "!crash-after-share"):
		if !d.Share(ctx) {
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeLeaseLost}}
		}
		if o != "!crash-after-share-unposted" {
			w.posts.add(a.JobID)
		}
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeWorkerLost, ShareBegun: true}}
	case o == "!hang":
		select {
		case <-ctx.Done():
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeInterrupted, Text: context.Cause(ctx).Error()}}
		case <-w.hang:
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "infra: hung"}}
		}
	default:
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: o}}
	}
}

func (w scripted) Find(_ context.Context, a reel.Assignment, _ time.Time, _ reel.Desk) reel.Look {
	w.posts.mu.Lock()
	defer w.posts.mu.Unlock()
	if w.posts.n[a.JobID] > 0 {
		return reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: "seen"}}
	}
	return reel.Look{Finding: reel.Absent}
}
func (scripted) Process() reel.Process { return reel.Process{} }
func (scripted) Close() error          { return nil }

// judge reads the category off the text's first word.
func judge(e reel.Evidence) reel.Verdict {
	if e.Source == reel.SourceWorker {
		return reel.Verdict{Category: reel.Infrastructure, Type: e.Code, Rule: "worker"}
	}
	first, _, _ := strings.Cut(e.Text, ":")
	for c, word := range map[reel.Category]string{reel.Account: "account", reel.Content: "content", reel.Infrastructure: "infra"} {
		if first == word {
			return reel.Verdict{Category: c, Type: word, Rule: word}
		}
	}
	return reel.Verdict{Category: reel.Unknown}
}

// noProcesses is a machine on which every other process is long dead.
type noProcesses struct{}

func (noProcesses) Here(p reel.Process) bool { return p.Host == "here" }

func (noProcesses) OtherBoot(p reel.Process) bool                           { return p.Host == "before" }
func (noProcesses) Alive(reel.Process) bool                                 { return false }
func (noProcesses) Kill(reel.Process) error                                 { return nil }
func (noProcesses) KillOrphans(context.Context, string, reel.Process) error { return nil }

type bench struct {
	store  *ledger.Store
	posts  *posts
	script map[reel.JobID][]string
	events []reel.Event
	mu     sync.Mutex
}

func newBench(tb testing.TB, jobs []reel.Job, script map[reel.JobID][]string) *bench {
	tb.Helper()
	s, err := ledger.Open(context.Background(), filepath.Join(tb.TempDir(), "ledger.db"), ledger.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	b := &bench{store: s, posts: &posts{n: map[reel.JobID]int{}}, script: script}
	b.add(tb, jobs)
	return b
}

func (b *bench) add(tb testing.TB, jobs []reel.Job) {
	tb.Helper()
	if _, err := b.store.Import(context.Background(), "b", func(yield func(reel.Post, error) bool) {
		for i, j := range jobs {
			if !yield(reel.Post{Job: j, Line: i + 2}, nil) {
				return
			}
		}
	}); err != nil {
		tb.Fatal(err)
	}
}

func (b *bench) runner(id string, workers int, limits reel.Limits) *runner.Runner {
	return &runner.Runner{
		Config: runner.Config{
			Batch: "b", Supervisor: reel.Supervisor{ID: id, Name: id, Process: reel.Process{Host: "here", PID: 1}},
			Limits: limits, Workers: workers, PerWorker: 1,
		},
		Slots: b.store, Leases: b.store, Passes: b.store, Processes: noProcesses{},
		NewWorker: func(int) runner.Worker { return scripted{script: b.script, posts: b.posts, hang: make(chan struct{})} },
		Judge:     judge, Clock: time.Now,
		Watch: func(e reel.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
	}
}

func (b *bench) records(tb testing.TB) map[reel.JobID]reel.Record {
	tb.Helper()
	all := map[reel.JobID]reel.Record{}
	for r, err := range b.store.Jobs(context.Background(), "b", ledger.Filter{}) {
		if err != nil {
			tb.Fatal(err)
		}
		all[r.ID] = r
	}
	return all
}

func (b *bench) status(tb testing.TB) reel.Status {
	tb.Helper()
	st, err := b.store.Status(context.Background(), "b")
	if err != nil {
		tb.Fatal(err)
	}
	return st
}
