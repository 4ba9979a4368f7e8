package runner_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// rack is media of a test: by address, the hash of what is there, or a code of evidence for what is not.
type rack struct {
	mu       sync.Mutex
	sums     map[string]string
	lacks    map[string]string
	slow     time.Duration
	out      map[string]int // copies that are in use
	fetched  int
	released int
}

func (s *rack) Fetch(ctx context.Context, address string) (reel.Copy, *reel.Evidence) {
	select {
	case <-ctx.Done():
		return reel.Copy{}, &reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeInterrupted, Text: context.Cause(ctx).Error(), Step: "fetch"}
	case <-time.After(s.slow):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched++
	if code := s.lacks[address]; code != "" {
		return reel.Copy{}, &reel.Evidence{Source: reel.SourceHTTP, Code: code, Text: code, Step: "fetch"}
	}
	path := "/cache/" + s.sums[address]
	s.out[path]++
	return reel.Copy{Path: path, SHA256: s.sums[address], Release: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.out[path]--
		s.released++
	}}, nil
}

// careful is a worker that looks whether what it is handed is there for as long as it has it.
type careful struct {
	scripted
	rack *rack
	seen *[]string
}

func (w careful) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	look := func() bool {
		w.rack.mu.Lock()
		defer w.rack.mu.Unlock()
		*w.seen = append(*w.seen, a.VideoPath)
		return !reel.IsAddress(a.VideoPath) && w.rack.out[a.VideoPath] > 0
	}
	if !look() {
		return reel.Report{Evidence: reel.Evidence{Text: "content: no video"}}
	}
	return w.scripted.Publish(ctx, a, d)
}

func addressed(addresses ...string) []reel.Job {
	all := jobs(len(addresses), own)
	for i, a := range addresses {
		all[i].VideoPath = a
	}
	return all
}

// A video from an address is here before the publisher is asked and while it works; its lack is a failure before the share.
func TestVideosAreFetched(t *testing.T) {
	for _, immediate := range []bool{false, true} {
		const secret = "https://u:hunter2@h/v.mp4?hunter2"
		all := addressed(secret, "s3://b/v.mp4", "https://h/gone.mp4", "https://h/busy.mp4")
		again := all[1]
		again.ID, again.Account, again.VideoPath = "again", all[0].Account, "gs://b/same-bytes.mp4"
		b := newBench(t, append(all, again), nil)
		s := &rack{
			sums:  map[string]string{secret: "aa", "s3://b/v.mp4": "aa", "gs://b/same-bytes.mp4": "aa"},
			lacks: map[string]string{"https://h/gone.mp4": "content", "https://h/busy.mp4": "infra"}, out: map[string]int{},
		}
		var seen []string
		r := b.runner("s", 2, fast())
		r.Immediate, r.Media = immediate, s
		make := r.NewWorker
		r.NewWorker = func(id int) runner.Worker { return careful{make(id).(scripted), s, &seen} }
		if _, err := r.Lead(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := b.records(t)
		for id, want := range map[reel.JobID]reel.State{
			"job-0": reel.Succeeded, "job-1": reel.Succeeded, "job-2": reel.SetAside, "job-3": reel.Exhausted, "again": reel.SetAside,
		} {
			if got[id].State != want {
				t.Errorf("immediate %v, %s: %s (%s), want %s", immediate, id, got[id].State, got[id].Error, want)
			}
		}
		if got["again"].Reason != reel.ReasonDuplicate {
			t.Errorf("the same bytes by another address: %+v", got["again"])
		}
		if slices.ContainsFunc(seen, reel.IsAddress) || len(seen) == 0 {
			t.Errorf("the publisher was handed %q", seen)
		}
		for path, n := range s.out {
			if n != 0 {
				t.Errorf("%s: %d copies were not released", path, n)
			}
		}
		steps := 0
		for _, e := range b.events {
			if e.Kind == reel.EventStep && e.Text == "fetch" {
				steps++
			}
			if e.Kind == reel.EventIntent && (e.Job == "job-2" || e.Job == "job-3") {
				t.Errorf("an intent of %s, which was never here", e.Job)
			}
		}
		if steps != s.fetched {
			t.Errorf("%d fetches, %d of them told", s.fetched, steps)
		}
	}
}

// The lease of a job is kept while its video is fetched, for however long; a hard stop ends the fetch, and nothing is in doubt.
func TestLeaseIsKeptWhileFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, addressed("https://h/v.mp4", "https://h/w.mp4"), nil)
		s := &rack{sums: map[string]string{"https://h/v.mp4": "aa", "https://h/w.mp4": "bb"}, out: map[string]int{}, slow: 5 * time.Minute}
		r := b.runner("s", 1, fast())
		r.Immediate, r.Media = true, s
		ctx, stop := context.WithTimeout(t.Context(), 7*time.Minute)
		defer stop()
		result, err := r.Lead(ctx)
		if err != nil || result != reel.Interrupted {
			t.Fatal(result, err)
		}
		got := states(b.records(t))
		if got[reel.Succeeded] != 0 && got[reel.InDoubt] != 0 {
			t.Errorf("%v", got)
		}
		for id, rec := range b.records(t) {
			switch rec.State {
			case reel.Succeeded:
				if rec.Tally.Attempts != 1 {
					t.Errorf("%s was posted in attempt %d: its lease was lost", id, rec.Tally.Attempts)
				}
			case reel.Failed:
				if rec.Verdict.Type != reel.CodeInterrupted {
					t.Errorf("%s failed with %+v", id, rec.Verdict)
				}
			default:
				t.Errorf("%s is %s", id, rec.State)
			}
		}
		if n := b.posts.n["job-0"] + b.posts.n["job-1"]; n != 1 {
			t.Errorf("%d posts", n)
		}
	})
}

// A publisher that has no use for the videos is handed addresses as everybody may see them; so is a look.
func TestAddressesWithoutMedia(t *testing.T) {
	b := newBench(t, addressed("https://u:hunter2@h/v.mp4?hunter2"), nil)
	r := b.runner("s", 1, fast())
	told := make(chan string, 1)
	r.NewWorker = func(int) runner.Worker { return teller{told} }
	if _, err := r.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != "https://***@h/v.mp4?***" {
		t.Errorf("it was handed %s", got)
	}
}

type teller struct{ told chan string }

func (w teller) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	w.told <- a.VideoPath
	return reel.Report{Posted: d.Share(ctx)}
}

func (teller) Find(context.Context, reel.Assignment, time.Time, reel.Desk) reel.Look {
	return reel.Look{}
}
func (teller) Process() reel.Process { return reel.Process{} }
func (teller) Close() error          { return nil }
