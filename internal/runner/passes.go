package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// countdownEvery is how often a wait between passes tells what remains.
const countdownEvery = 10 * time.Second

// TakenError says who leads the batch.
type TakenError struct {
	Batch  string
	Leader reel.Supervisor
	Until  time.Time
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("batch %q is already being run by %s", e.Batch, e.Leader.Name)
}

// Is makes errors.Is(err, reel.ErrTaken) true.
func (e *TakenError) Is(target error) bool { return target == reel.ErrTaken }

// takeLead becomes the leader, unless another that is not certainly gone leads: one of this host whose process is dead, or
// one that has not renewed for a whole lease.
func (r *Runner) takeLead(ctx context.Context) (term int64, err error) {
	l, err := r.Passes.Leader(ctx, r.Batch)
	if err != nil {
		return 0, err
	}
	if r.led(l) {
		if err := reel.Skew(r.Batch, r.Supervisor, l.Leader); err != nil {
			return 0, err
		}
		return 0, &TakenError{Batch: r.Batch, Leader: l.Leader, Until: l.Until}
	}
	round, events, err := r.Passes.Lead(ctx, reel.Bid{
		Batch: r.Batch, Leader: r.Supervisor, Term: l.Term, Limits: r.Limits, Workers: r.slots(), Look: r.Look,
	})
	if errors.Is(err, reel.ErrTaken) {
		if l, err2 := r.Passes.Leader(ctx, r.Batch); err2 == nil && l.Leader.ID != "" {
			return 0, &TakenError{Batch: r.Batch, Leader: l.Leader, Until: l.Until}
		}
	}
	if err != nil {
		return 0, err
	}
	r.tell(events...)
	return round.Term, nil
}

// inherit takes the lead of a batch whose leader is gone without a word: 0 where somebody leads it, or nobody does because a
// person stopped the run.
func (r *Runner) inherit(ctx context.Context) (term int64, err error) {
	l, err := r.Passes.Leader(ctx, r.Batch)
	if err != nil || l.Leader.ID == "" || r.led(l) {
		return 0, err
	}
	r.Limits = l.Limits
	term, err = r.takeLead(ctx)
	if errors.Is(err, reel.ErrTaken) {
		return 0, nil // by another machine
	}
	if err == nil {
		r.notice("%s leads no more, this machine does now", l.Leader.Name)
	}
	return term, err
}

// leads settles what dead supervisors left, and takes the batch through its passes.
func (r *Runner) leads(ctx context.Context, term int64) (reel.Result, error) {
	keeper := newSweeper(r)
	if err := keeper.sweep(ctx); err != nil && ctx.Err() == nil { // it is tried again every few seconds; this batch may have nothing to do with it
		r.notice("dead workers could not be settled: %v", err)
	}
	sweeping, stop := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error { keeper.loop(sweeping); return nil })
	if r.Tidy != nil {
		g.Go(func() error { r.tidy(sweeping); every(sweeping, tidyEvery, func() { r.tidy(sweeping) }); return nil })
	}
	defer func() { stop(); _ = g.Wait() }()
	return r.passes(ctx, term)
}

// tidyEvery is how often whoever leads puts in order what dead workers left outside: phones cost money by the minute.
const tidyEvery = 15 * time.Second

func (r *Runner) tidy(ctx context.Context) {
	if r.Tidy == nil {
		return
	}
	done, err := r.Tidy(ctx)
	if done != "" {
		r.notice("%s", done)
	}
	if err != nil && ctx.Err() == nil {
		r.notice("what dead workers left could not be put in order: %v", err)
	}
}

// led says that somebody leads who is not certainly gone.
func (r *Runner) led(l reel.Leadership) bool {
	return l.Leader.ID != "" && !r.gone(l.Leader.Process) && r.Clock().Before(l.Until)
}

// gone says that a process is certainly dead: one of this host, or one from before this machine was started. Of another host
// nothing is certain.
func (r *Runner) gone(p reel.Process) bool {
	return r.Processes.Here(p) && !r.Processes.Alive(p) || r.bygone(p)
}

// bygone says that a process is from before this machine was started. Where no other host shares the ledger there is no other machine.
func (r *Runner) bygone(p reel.Process) bool { return !r.Shared && r.Processes.OtherBoot(p) }

func (r *Runner) decide(s reel.Standing) reel.Step { return plan.Next(s, r.Limits) }

// passes opens and closes passes until the batch has a result. No result and no error: the run is stopping.
func (r *Runner) passes(ctx context.Context, term int64) (reel.Result, error) {
	r.wakeAll() // a pass may be open from an earlier run
	for {
		step, err := r.advance(ctx, term)
		if errors.Is(err, reel.ErrNotYet) {
			if !r.untilQuiet(ctx) {
				return reel.NoResult, nil
			}
			continue
		}
		var outage *reel.OutageError
		if errors.As(err, &outage) {
			return reel.NoResult, err
		}
		if err != nil {
			return reel.NoResult, fmt.Errorf("close a pass: %w", err)
		}
		if step.Stay {
			if !r.untilQuiet(ctx) {
				return reel.NoResult, nil
			}
			continue
		}
		if step.Open == 0 {
			return step.Result, nil
		}
		if !r.wait(ctx, step) {
			return reel.NoResult, nil
		}
		if err := r.passChange(func() ([]reel.Event, error) {
			return r.Passes.OpenPass(ctx, r.Batch, term, step.Open)
		}); err != nil {
			return reel.NoResult, fmt.Errorf("open pass %d: %w", step.Open, err)
		}
		r.wakeAll()
	}
}

// advance closes the open pass, if it is done, and says what comes next.
func (r *Runner) advance(ctx context.Context, term int64) (step reel.Step, err error) {
	err = r.passChange(func() (events []reel.Event, err error) {
		step, events, err = r.Passes.Advance(ctx, r.Batch, term, r.decide)
		return events, err
	})
	return step, err
}

// untilQuiet waits until every slot here is idle, or a second for what others do. false: the run is stopping.
func (r *Runner) untilQuiet(ctx context.Context) bool {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-r.state.idle:
		return true
	case <-t.C:
		return true
	case <-r.state.stop:
		return false
	case <-ctx.Done():
		return false
	}
}

// wait stands between two passes and counts down. false: the run is stopping.
func (r *Runner) wait(ctx context.Context, step reel.Step) bool {
	for left := step.Wait; left > 0; {
		r.tell(reel.Event{At: r.Clock().UTC(), Kind: reel.EventWaiting, Batch: r.Batch, Pass: step.Open, Remaining: reel.Seconds(left)})
		nap := left % countdownEvery
		if nap == 0 {
			nap = countdownEvery
		}
		if !r.pause(ctx, nap) {
			return false
		}
		left -= nap
	}
	select {
	case <-r.state.stop:
		return false
	default:
		return true
	}
}

// windUp ends a run that was stopped. What ran has been recorded; if that was the last of the batch, it has a result after all.
func (r *Runner) windUp(term int64) (reel.Result, error) {
	step, err := r.advance(context.Background(), term)
	if err == nil && step.Result != reel.NoResult {
		return step.Result, nil
	}
	var outage *reel.OutageError
	if err != nil && !errors.Is(err, reel.ErrNotYet) && !errors.As(err, &outage) {
		return reel.NoResult, err
	}
	return reel.Interrupted, r.stepDown(term, "stopped before the batch was done")
}

// stepDown lets the next run lead at once. Losing the lead before is no error here.
func (r *Runner) stepDown(term int64, why string) error {
	err := r.passChange(func() ([]reel.Event, error) { return r.Passes.StepDown(context.Background(), r.Batch, term, why) })
	if errors.Is(err, reel.ErrLost) {
		return nil
	}
	return err
}
