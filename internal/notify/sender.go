package notify

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Deadline is how long a message may take to one target.
const Deadline = 10 * time.Second

// Result is how a message fared with one target.
type Result struct {
	Target string // redacted
	Err    error  // nil: it arrived. Fit to be shown
	Took   time.Duration
}

// Sender brings messages to every target. It tries each once.
type Sender struct {
	targets  []*Target
	missed   []int // by target: messages since the last that arrived
	deadline time.Duration
	log      *slog.Logger
	sending  sync.Mutex
	arrived  atomic.Int64
	failed   atomic.Int64
	gathered atomic.Int64
}

// NewSender sends to some targets, each within a deadline. Close it.
func NewSender(targets []*Target, deadline time.Duration, log *slog.Logger) *Sender {
	return &Sender{targets: targets, missed: make([]int, len(targets)), deadline: deadline, log: log}
}

// Send brings a message to all targets side by side and returns when each has it or will not get it, at the latest after the deadline.
func (s *Sender) Send(ctx context.Context, m Message) []Result {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.gathered.Add(int64(max(0, m.Count-1)))
	results := make([]Result, len(s.targets))
	var wg sync.WaitGroup
	for i, t := range s.targets {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, s.deadline)
			defer cancel()
			began := time.Now()
			err := t.send(ctx, m, s.missed[i])
			results[i] = Result{Target: t.Redacted(), Err: err, Took: time.Since(began)}
		})
	}
	wg.Wait()
	for i, r := range results {
		if r.Err == nil {
			s.missed[i] = 0
			s.arrived.Add(1)
			continue
		}
		s.missed[i]++
		s.failed.Add(1)
		s.log.Warn("an alert did not arrive", "target", r.Target, "number", i+1, "alert", m.ID, "error", r.Err)
	}
	return results
}

// Counts is how many messages arrived and how many did not, each target by itself, and how many events had no message of their own: they
// were held back and told together with others.
func (s *Sender) Counts() (arrived, failed, gathered int64) {
	return s.arrived.Load(), s.failed.Load(), s.gathered.Load()
}

// Close waits for calls that were left behind, but no longer than the deadline: what hangs then ends with the program.
func (s *Sender) Close() {
	over := make(chan struct{})
	go func() {
		for _, t := range s.targets {
			t.carry.wait()
		}
		close(over)
	}()
	limit := time.NewTimer(s.deadline)
	defer limit.Stop()
	select {
	case <-over:
	case <-limit.C:
		s.log.Warn("a service that was asked to carry an alert has not answered yet; it is left alone")
	}
}
