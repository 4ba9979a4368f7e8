package ledgertest

import (
	"time"

	"reelpass/internal/reel"
)

// limited records that the account of a claim asked for time.
func (r *room) limited(c reel.Claim, d time.Duration) []reel.Event {
	r.Helper()
	events, err := r.Store.Record(r.ctx, c, r.asking(c, reel.Infrastructure, reel.Pause{For: d}))
	r.must(err)
	return events
}

// waitCases are of holds that end by themselves.
func waitCases() []testCase {
	return []testCase{
		{"an account that asks for time is left alone until then: its jobs wait and are not set aside", func(r *room) {
			r.limits.Infrastructure = 1
			r.add(batch, "1@a", "2@a", "3@b")
			r.add("c", "4@a")
			r.start("c")
			r.start(batch)
			events := r.limited(r.claim(batch), 90*time.Second)
			r.equal("events", []any{len(events), events[0].Kind, events[1].Kind, events[1].Until}, []any{2, reel.EventFailed, reel.EventHold, r.now().Add(90 * time.Second)})
			r.publish(r.claim(batch)) // another account
			w := r.waits(batch)
			r.equal("wait", []any{w.For, w.Account, w.Accounts, w.Why}, []any{90 * time.Second, "a", 1, "some_type"})
			r.equal("in every batch", r.waits("c").For, 90*time.Second)
			r.is(batch, "1", reel.Failed, "")
			r.is(batch, "2", reel.Pending, "")
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("hold", []any{len(holds), holds[0].Until, holds[0].Waiting}, []any{1, r.now().Add(90 * time.Second), 0})
			st, err := r.Store.Story(r.ctx, batch, "2")
			r.must(err)
			r.equal("story", []any{st.Held, st.Until}, []any{true, r.now().Add(90 * time.Second)})
			r.later(90 * time.Second)
			r.publish(r.claim(batch))
			holds, err = r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("held then", len(holds), 0)
			r.next(batch)
			c := r.claim(batch)
			r.equal("the job itself", []any{c.Job.ID, c.Attempt, c.Tally}, []any{"1", 2, reel.Tally{}}) // nothing counts against its limits
			holds, err = r.Store.Holds(r.ctx, true)
			r.must(err)
			r.equal("past", []any{len(holds), holds[0].ReleasedAt, holds[0].ReleasedBy}, []any{1, holds[0].Until, ""})
		}},
		{"a free attempt is kept and counted, and only its limits are not touched", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.next(batch)
			r.limited(r.claim(batch), time.Second)
			r.later(time.Minute)
			r.next(batch)
			c := r.claim(batch)
			r.equal("counts", []any{c.Attempt, c.Tally}, []any{3, reel.Tally{Attempts: 1, Infrastructure: 1}})
			r.equal("all", r.job(batch, "1").Tally, reel.Tally{Attempts: 2, Infrastructure: 2})
			r.equal("pass", r.status(batch).Passes[1].Retryable, 1)
		}},
		{"a pass whose jobs wait stays open, and others do not wait for them in the next one", func(r *room) {
			r.limits.MaxPasses = 2
			r.add(batch, "1@a", "2@a", "3@b")
			r.start(batch)
			r.limited(r.claim(batch), time.Hour)
			other := r.claim(batch)
			_, err := r.advance(batch)
			r.wantErr(err, reel.ErrNotYet) // in flight
			r.fail(other, reel.Infrastructure)
			n, _ := r.next(batch) // b need not wait for a
			r.equal("pass", n, 2)
			r.publish(r.claim(batch))
			r.equal("due", r.job(batch, "2").DuePass, 2)
			r.untouched("asking", func() {
				step, err := r.advance(batch) // the last pass: now all wait
				r.must(err)
				r.equal("step", []any{step.Stay, step.Open, step.Result}, []any{true, 0, ""})
			})
			r.later(r.waits(batch).For)
			_, err = r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.equal("then", r.claim(batch).Job.ID, reel.JobID("1"))
		}},
		{"a pass with nobody who could go on waits for its own", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			r.limited(r.claim(batch), time.Minute)
			step, err := r.advance(batch)
			r.must(err)
			r.equal("step", step.Stay, true)
			r.later(time.Minute)
			r.publish(r.claim(batch))
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.AllComplete)
		}},
		{"a time that is too far away sets the account's jobs aside, and a run after it takes them", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b")
			r.start(batch)
			r.limited(r.claim(batch), 24*time.Hour)
			r.is(batch, "1", reel.SetAside, reel.ReasonAccountHold)
			r.is(batch, "2", reel.SetAside, reel.ReasonAccountHold)
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.later(23 * time.Hour)
			r.lead(batch)
			_, result = r.next(batch)
			r.equal("too early", result, reel.OnlyNonRetryable)
			r.later(time.Hour)
			round := r.lead(batch)
			r.equal("a new round", round.Base, 1)
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			c := r.claim(batch)
			r.equal("limits", c.Tally, reel.Tally{}) // of which the machine forgives nothing but what was free
			r.publish(c)
			r.publish(r.claim(batch))
			_, result = r.next(batch)
			r.equal("result", result, reel.AllComplete)
		}},
		{"the machine's own release forgives no limit", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "why", r.now().Add(24*time.Hour)))
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.later(24 * time.Hour)
			r.start(batch)
			r.equal("counts", r.claim(batch).Tally, reel.Tally{Attempts: 1, Infrastructure: 1})
		}},
		{"a person may hold an account for a time, and release it before", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "lunch", r.now().Add(time.Hour)))
			r.publish(r.claim(batch))
			r.equal("why", r.waits(batch).Why, "lunch")
			n, err := r.Store.ReleaseAccount(r.ctx, "a", "me", false)
			r.must(err)
			r.equal("returned", n, 0)
			r.publish(r.claim(batch))
		}},
		{"the longer hold counts, and an account verdict outlasts every time", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			until := func(want time.Time) {
				r.Helper()
				holds, err := r.Store.Holds(r.ctx, false)
				r.must(err)
				r.equal("holds", []any{len(holds), holds[0].Until}, []any{1, want})
			}
			at := r.now()
			c := r.claim(batch)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "x", at.Add(2*time.Hour)))
			r.untouched("a shorter one", func() { r.must(r.Store.HoldAccount(r.ctx, "a", "me", "y", at.Add(time.Hour))) })
			until(at.Add(2 * time.Hour))
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "z", at.Add(3*time.Hour)))
			until(at.Add(3 * time.Hour))
			r.fail(c, reel.Account)
			until(time.Time{})
			r.is(batch, "2", reel.SetAside, reel.ReasonAccountHold)
			r.untouched("a time after it", func() { r.must(r.Store.HoldAccount(r.ctx, "a", "me", "y", at.Add(9*time.Hour))) })
		}},
		{"doubts of an account that asked for time are looked up then", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@a", "3@b")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Infrastructure)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "x", r.now().Add(time.Minute)))
			r.publish(r.claim(batch))
			r.waits(batch)
			_, err := r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.later(time.Minute)
			c := r.claim(batch)
			r.equal("look", c.Lookup, true)
		}},
		{"doubts of an account that asked for too much time keep no pass open", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Infrastructure)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "x", r.now().Add(24*time.Hour)))
			r.publish(r.claim(batch))
			r.nothing(batch)
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.lead(batch)
			_, result = r.next(batch)
			r.equal("again", result, reel.OnlyNonRetryable)
			r.later(24 * time.Hour)
			r.lead(batch)
			r.equal("look", r.claim(batch).Lookup, true)
		}},
		{"a person's retry of a job whose account waits is taken, and waits with it", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Content)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "x", r.now().Add(time.Minute)))
			_, err := r.Store.Retry(r.ctx, batch, "1", "me")
			r.must(err)
			r.publish(r.claim(batch))
			r.next(batch)
			r.later(r.waits(batch).For)
			r.publish(r.claim(batch))
		}},
	}
}
