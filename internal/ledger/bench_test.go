package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func seed(tb testing.TB, s *Store, batch string, n, accounts int) {
	tb.Helper()
	_, err := s.Import(context.Background(), batch, func(yield func(reel.Post, error) bool) {
		for i := range n {
			if !yield(reel.Post{Line: i + 2, Job: reel.Job{
				ID: reel.JobID(fmt.Sprintf("job-%07d", i)), Account: fmt.Sprintf("acc-%05d", i%accounts),
				VideoPath: fmt.Sprintf("/v/%d.mp4", i), Caption: "A caption of the usual length, with #tags and some words more",
			}}, nil) {
				return
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func lead(tb testing.TB, s *Store, batch string) (reel.Round, reel.Supervisor) {
	tb.Helper()
	sup := reel.Supervisor{ID: "sup-1", Name: "here"}
	if err := s.Enlist(sup); err != nil {
		tb.Fatal(err)
	}
	r, _, err := s.Lead(context.Background(), reel.Bid{Batch: batch, Leader: sup, Limits: reel.DefaultLimits()})
	if err != nil {
		tb.Fatal(err)
	}
	step, _, err := s.Advance(context.Background(), batch, r.Term, func(st reel.Standing) reel.Step { return plan.Next(st, reel.DefaultLimits()) })
	if err != nil || step.Open != 1 {
		tb.Fatal(step, err)
	}
	if _, err := s.OpenPass(context.Background(), batch, r.Term, step.Open); err != nil {
		tb.Fatal(err)
	}
	return r, sup
}

func cycle(s *Store, worker int) error {
	ctx := context.Background()
	c, _, err := s.Claim(ctx, reel.Claimant{Batch: "b", Supervisor: "sup-1", Worker: worker})
	if err != nil {
		return err
	}
	return finishPost(ctx, s, c)
}

// finishPost takes a claimed job to its post.
func finishPost(ctx context.Context, s *Store, c reel.Claim) error {
	if _, err := s.Intent(ctx, c, reel.Fingerprint{Key: "path:" + c.Job.VideoPath, Path: "path:" + c.Job.VideoPath}, false); err != nil {
		return err
	}
	now := time.Now()
	_, err := s.Record(ctx, c, reel.Ending{Attempt: reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: c.Worker, StartedAt: now, EndedAt: now,
		Outcome: reel.OutcomeSucceeded, ShareBegun: true, Receipt: reel.Receipt{ID: "r1"},
	}, Decision: plan.Posted()})
	return err
}

// processorTime is what this process has used so far.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCycle(b *testing.B) {
	for _, slots := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint(slots), func(b *testing.B) {
			s, err := Open(context.Background(), filepath.Join(b.TempDir(), "l.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			seed(b, s, "b", b.N+1000, 1000)
			lead(b, s, "b")
			b.ResetTimer()
			cpu := processorTime(b)
			var wg sync.WaitGroup
			todo := make(chan struct{}, b.N)
			for range b.N {
				todo <- struct{}{}
			}
			close(todo)
			for w := range slots {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for range todo {
						if err := cycle(s, w); err != nil && !errors.Is(err, reel.ErrNothingDue) {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
			b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/cycle") // steadier than time on a shared machine
		})
	}
}

// BenchmarkSize shows that a cycle costs the same in a small batch and in one of a million jobs.
func BenchmarkSize(b *testing.B) {
	for _, jobs := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			s, err := Open(context.Background(), filepath.Join(b.TempDir(), "l.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			seed(b, s, "b", jobs, 1000)
			lead(b, s, "b")
			b.ResetTimer()
			cpu := processorTime(b)
			for range b.N {
				if err := cycle(s, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/cycle")
		})
	}
}
