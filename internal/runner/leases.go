package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// leasePatience is how long after its last renewal a lease is taken for lost.
const leasePatience = reel.LeaseTTL - reel.SweepEvery

// keepLeases renews this supervisor's leases. A lease that somebody else has settled, and every lease when the ledger could
// not be reached for nearly a lease's time, is lost: its worker is killed before anybody else may take the job.
func (r *Runner) keepLeases(ctx context.Context) {
	every(ctx, reel.RenewEvery, func() {
		before := r.activeLeases()
		asked := r.now()
		held, err := r.Leases.Renew(ctx, r.Supervisor.ID)
		if err != nil {
			r.notice("leases could not be renewed: %v", err)
			if r.overdue() {
				r.drop(before)
			}
			return
		}
		r.renewedAt(asked)
		lost := map[reel.Lease]bool{}
		for _, l := range before {
			lost[l] = true
		}
		for _, l := range held {
			delete(lost, l)
		}
		for l := range lost {
			r.drop([]reel.Lease{l})
		}
	})
}

// every calls do again and again, with a pause, until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

func (r *Runner) renewedAt(m moment) { r.state.renewed.Store(&m) }

// overdue says that the leases may be over.
func (r *Runner) overdue() bool { return r.passed(*r.state.renewed.Load()) > leasePatience }

// watchLeases ends the workers of leases that may be over also while a renewal waits for its answer, where other hosts share
// the ledger. On one host whoever settles a lease kills its worker first, and a running post need not end because the ledger is slow.
func (r *Runner) watchLeases(ctx context.Context) {
	every(ctx, time.Second, func() {
		if r.overdue() {
			r.drop(r.activeLeases())
		}
	})
}

func (r *Runner) activeLeases() []reel.Lease {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	all := make([]reel.Lease, 0, len(r.state.active))
	for l := range r.state.active {
		all = append(all, l)
	}
	return all
}

// drop kills the workers of lost leases. One that has ended meanwhile is no longer there to be killed.
func (r *Runner) drop(leases []reel.Lease) {
	dropped := 0
	r.state.mu.Lock()
	for _, l := range leases {
		if cancel := r.state.active[l]; cancel != nil {
			cancel(errLeaseLost)
			dropped++
		}
	}
	r.state.mu.Unlock()
	if dropped > 0 {
		r.notice("%d lost leases: their workers are ended", dropped)
	}
}

// sweeper settles the leases of supervisors that are gone. It belongs to one goroutine.
type sweeper struct {
	r      *Runner
	seen   map[reel.Lease]sighting
	looked time.Time // when the leases were seen last
}

// sighting is since when a lease has been seen unrenewed, by our own monotonic clock. An expired time alone proves nothing:
// wall clocks jump.
type sighting struct {
	until time.Time
	since time.Time
}

// renewed says that a lease's end has moved. A ledger with a clock of its own tells it by ours, anew and a little otherwise each time.
func renewed(before, now time.Time) bool { return now.Sub(before).Abs() > time.Second }

const (
	// staleAfter is how long an expired lease must stay unrenewed under our eyes: more than one renewal's time.
	staleAfter = reel.RenewEvery + reel.SweepEvery
	// staleAnyway is how long any lease must: it has expired by then, though a clock that was set back may say otherwise for hours.
	staleAnyway = reel.LeaseTTL + reel.RenewEvery
)

func newSweeper(r *Runner) *sweeper { return &sweeper{r: r, seen: map[reel.Lease]sighting{}} }

func (s *sweeper) loop(ctx context.Context) {
	every(ctx, reel.SweepEvery, func() {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.r.notice("dead workers could not be settled: %v", err)
		}
	})
}

// sweep settles what can be settled now. Before a lease is settled its worker is certainly dead: every process that its
// supervisor's workers left on this host is killed, and a supervisor that hangs with an expired lease is killed with them.
//
// The leases are read a second time once all that is dead. What the first reading says of a job may be old by then: the
// last thing that a supervisor did may have been an intent, and a post that began must never be settled as one that did not.
func (s *sweeper) sweep(ctx context.Context) error {
	held, err := s.r.Leases.Held(ctx, s.r.Supervisor.ID)
	now := time.Now()
	if err != nil || now.Sub(s.looked) > staleAfter {
		clear(s.seen) // we could not see, and others of this machine perhaps could not renew
	}
	if err != nil {
		return err
	}
	s.looked = now
	still := map[reel.Lease]sighting{}
	over := map[reel.Lease]time.Time{} // leases that nobody holds any more, with the end that they had
	settled := map[string]bool{}       // supervisors whose processes are known to be dead
	failed := map[string]bool{}        // supervisors of which something lives on
	errs := []error{s.bury(ctx, held)} // one that cannot be killed must not keep the others from being settled
	for _, h := range held {
		if h.Away {
			continue
		}
		sight, ok := s.seen[h.Lease]
		if !ok || renewed(sight.until, h.Until) {
			sight = sighting{until: h.Until, since: now}
		}
		still[h.Lease] = sight
		dead := s.r.gone(h.Supervisor.Process)
		seen := now.Sub(sight.since)
		stale := seen >= staleAfter && s.r.Clock().After(h.Until) || seen >= staleAnyway
		if !dead && !stale {
			continue
		}
		over[h.Lease] = h.Until
		if settled[h.Supervisor.ID] {
			continue
		}
		if failed[h.Supervisor.ID] {
			delete(over, h.Lease)
			continue
		}
		if err := s.certainlyDead(ctx, h, settled); err != nil {
			errs = append(errs, err)
			failed[h.Supervisor.ID] = true
			delete(over, h.Lease)
		}
	}
	s.seen = still
	if len(over) == 0 {
		return errors.Join(errs...)
	}
	if held, err = s.r.Leases.Held(ctx, s.r.Supervisor.ID); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, h := range held {
		until, ok := over[h.Lease]
		if h.Away || !settled[h.Supervisor.ID] && (!ok || renewed(until, h.Until)) {
			continue // renewed meanwhile, or a living one's
		}
		err := s.certainlyDead(ctx, h, settled)
		if err == nil {
			err = s.settle(ctx, h)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// buryOwn is what a supervisor does that settles nothing.
func (s *sweeper) buryOwn(ctx context.Context) error {
	held, err := s.r.Leases.Held(ctx, s.r.Supervisor.ID)
	if err != nil {
		return err
	}
	return s.bury(ctx, held)
}

// bury tells of the doubts that other hosts have made of this host's jobs, whose supervisors are dead: their workers are, from here on.
func (s *sweeper) bury(ctx context.Context, held []reel.Held) error {
	var errs []error
	for _, h := range held {
		if !h.Away || !s.r.gone(h.Supervisor.Process) {
			continue
		}
		err := s.r.Processes.KillOrphans(ctx, h.Supervisor.ID, h.WorkerProc)
		if err == nil {
			err = s.r.Leases.Bury(ctx, h.Claim)
		}
		if err != nil && !errors.Is(err, reel.ErrLost) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *sweeper) certainlyDead(ctx context.Context, h reel.Held, settled map[string]bool) error {
	if !s.r.Processes.Here(h.Supervisor.Process) {
		return nil // its own deadline ended it: a worker without a renewed lease is killed by its supervisor
	}
	if !settled[h.Supervisor.ID] {
		if err := s.r.Processes.Kill(h.Supervisor.Process); err != nil {
			return fmt.Errorf("end the supervisor %s: %w", h.Supervisor.Name, err)
		}
	}
	if !settled[h.Supervisor.ID] || h.WorkerProc.PID != 0 {
		if err := s.r.Processes.KillOrphans(ctx, h.Supervisor.ID, h.WorkerProc); err != nil {
			return fmt.Errorf("end the workers of %s: %w", h.Supervisor.Name, err)
		}
	}
	settled[h.Supervisor.ID] = true
	return nil
}

// settle ends a dead worker's job: a failed attempt before the intent, in doubt after it.
func (s *sweeper) settle(ctx context.Context, h reel.Held) error {
	r := s.r
	if h.Lookup {
		return r.Leases.Release(ctx, h.Claim)
	}
	c := h.Claim
	begun := h.State == reel.Publishing
	ending := r.judge(c, reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: c.Worker, Host: h.Supervisor.Name, StartedAt: h.ClaimedAt, EndedAt: r.Clock(),
		ShareBegun: begun,
		Evidence: reel.Evidence{
			Source: reel.SourceWorker, Code: reel.CodeWorkerLost, ShareBegun: begun,
			Text: "the supervisor " + h.Supervisor.Name + " ended while its worker had the job",
		},
	})
	ending.From = h.State
	ending.Signature, ending.Breaker = "", nil                                               // a supervisor's death says nothing of the publisher
	ending.Away = !r.Processes.Here(h.Supervisor.Process) && !r.bygone(h.Supervisor.Process) // its worker may still act
	ending.Look = ending.Look && !ending.Away
	err := r.jobChange(func() ([]reel.Event, error) { return r.Slots.Record(ctx, c, ending) })
	if errors.Is(err, reel.ErrLost) {
		return nil // recorded by its owner after all
	}
	if err == nil {
		r.tell(reel.Event{
			At: r.Clock().UTC(), Kind: reel.EventSettled, Batch: c.Batch, Job: c.Job.ID, Account: c.Job.Account,
			Attempt: c.Attempt, Worker: c.Worker, Text: ending.Attempt.Evidence.Text, Decision: &ending.Decision,
		})
		r.wakeOne()
	}
	return err
}
