package ledgertest

import (
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func passCases() []testCase {
	return []testCase{
		{"a pass is not closed while one of its jobs is due, in flight or to be looked up", func(r *room) {
			r.look = true
			r.add(batch, "1@a")
			r.start(batch)
			notYet := func() {
				r.Helper()
				r.untouched("asking too early", func() {
					_, err := r.advance(batch)
					r.wantErr(err, reel.ErrNotYet)
				})
			}
			notYet() // due
			c := r.claim(batch)
			notYet() // running
			r.intent(c)
			notYet() // publishing
			r.record(c, r.failing(c, reel.Infrastructure, true))
			notYet() // to be looked up
			c = r.claim(batch)
			notYet() // being looked up
			_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Unsure}, reel.Decision{})
			r.must(err)
			_, err = r.advance(batch)
			r.must(err)
		}},
		{"closing a pass tells its numbers and when it ended", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			began := r.now()
			r.publish(r.claim(batch))
			r.fail(r.claim(batch), reel.Infrastructure)
			r.later(time.Minute)
			step, events, err := r.Store.Advance(r.ctx, batch, r.terms[batch], func(s reel.Standing) reel.Step { return plan.Next(s, r.limits) })
			r.must(err)
			r.equal("step", []any{step.Open, step.Wait, step.Result}, []any{2, r.limits.RetryDelay.Std(), ""})
			if len(events) != 1 || events[0].Kind != reel.EventPassClosed || events[0].Text != step.Why {
				r.Fatalf("events: %+v", events)
			}
			want := reel.PassStats{
				Pass: 1, Processed: 2, Succeeded: 1, Failed: reel.Failures{Infrastructure: 1}, Retryable: 1, SuccessRate: 50,
				StartedAt: began, EndedAt: r.now(),
			}
			r.equal("stats", *events[0].Stats, want)
			r.equal("status", r.status(batch).Passes[0], want)
		}},
		{"the wait between two passes is kept across a restart, and not begun again", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			step, err := r.advance(batch)
			r.must(err)
			r.equal("wait", step.Wait, 30*time.Second)
			r.equal("phase", r.status(batch).Phase, reel.PhaseWaiting)
			r.later(20 * time.Second)
			r.reopen()
			r.lead(batch)
			step, err = r.advance(batch)
			r.must(err)
			r.equal("what is left", step.Wait, 10*time.Second)
			r.later(time.Hour)
			r.lead(batch)
			step, err = r.advance(batch)
			r.must(err)
			r.equal("nothing is left", step.Wait, time.Duration(0))
			_, err = r.Store.OpenPass(r.ctx, batch, r.terms[batch], step.Open)
			r.must(err)
			r.fail(r.claim(batch), reel.Infrastructure)
			step, err = r.advance(batch)
			r.must(err)
			r.equal("the next wait", step.Wait, 30*time.Second)
		}},
		{"only the pass after the last is opened, and only once", func(r *room) {
			r.add(batch, "1@a")
			r.lead(batch)
			open := func(pass int, want error) {
				r.Helper()
				r.untouched("opening a wrong pass", func() {
					_, err := r.Store.OpenPass(r.ctx, batch, r.terms[batch], pass)
					r.wantErr(err, want)
				})
			}
			open(0, reel.ErrLost)
			open(2, reel.ErrLost)
			r.next(batch)
			open(1, reel.ErrLost)
			open(2, reel.ErrLost) // 1 is still open
			r.fail(r.claim(batch), reel.Infrastructure)
			_, err := r.advance(batch)
			r.must(err)
			open(1, reel.ErrLost)
			open(3, reel.ErrLost)
		}},
		{"a pass with nothing to do is not opened", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			step, err := r.advance(batch)
			r.must(err)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "why", time.Time{})) // during the wait
			events, err := r.Store.OpenPass(r.ctx, batch, r.terms[batch], step.Open)
			r.must(err)
			for _, e := range events {
				r.equal("event", e.Kind, reel.EventHeldBack)
			}
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.equal("passes", len(r.status(batch).Passes), 1)
		}},
		{"passes are changed only under the leading term", func(r *room) {
			r.add(batch, "1@a")
			r.lead(batch)
			old := r.terms[batch]
			r.lead(batch)
			for _, term := range []int64{0, old, r.terms[batch] + 1} {
				r.untouched("a wrong term", func() { r.lost(batch, term) })
			}
			_, err := r.Store.StepDown(r.ctx, batch, r.terms[batch], "stopped")
			r.must(err)
			r.untouched("a term that is over", func() { r.lost(batch, r.terms[batch]) })
		}},
		{"stepping down leaves the batch interrupted, and its open pass goes on in the next run", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.publish(r.claim(batch))
			events, err := r.Store.StepDown(r.ctx, batch, r.terms[batch], "a signal")
			r.must(err)
			if len(events) != 1 || events[0].Kind != reel.EventInterrupted || events[0].Text != "a signal" {
				r.Errorf("events: %+v", events)
			}
			l, err := r.Store.Leader(r.ctx, batch)
			r.must(err)
			r.equal("leader", l.Leader, reel.Supervisor{})
			r.equal("phase", r.status(batch).Phase, reel.PhaseInterrupted)
			round := r.lead(batch)
			r.equal("round", []any{round.Pass, round.Open, round.Base}, []any{1, true, 0})
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.AllComplete)
			r.equal("passes", len(r.status(batch).Passes), 1)
		}},
	}
}

// lost checks that every change of passes under a term is refused.
func (r *room) lost(batch string, term int64) {
	r.Helper()
	_, err := r.Store.OpenPass(r.ctx, batch, term, 1)
	r.wantErr(err, reel.ErrLost)
	_, _, err = r.Store.Advance(r.ctx, batch, term, func(s reel.Standing) reel.Step { return plan.Next(s, r.limits) })
	r.wantErr(err, reel.ErrLost)
	_, err = r.Store.StepDown(r.ctx, batch, term, "x")
	r.wantErr(err, reel.ErrLost)
}
