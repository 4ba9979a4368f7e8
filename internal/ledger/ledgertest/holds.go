package ledgertest

import (
	"time"

	"reelpass/internal/reel"
)

func holdCases() []testCase {
	return []testCase{
		{"an account verdict sets the account's other jobs aside at once in its batch, and in others before they are tried", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b", "4@a")
			r.add("c", "5@a", "6@b")
			r.add("d", "7@a")
			r.start("c")
			r.start(batch)
			c := r.claim(batch)
			events, err := r.Store.Record(r.ctx, c, r.failing(c, reel.Account, false))
			r.must(err)
			r.equal("events", []any{len(events), events[0].Kind, events[1].Kind, events[2].Kind, events[2].Count},
				[]any{3, reel.EventFailed, reel.EventHold, reel.EventHeldBack, 2})
			r.is(batch, "1", reel.SetAside, reel.ReasonAccount)
			r.is(batch, "2", reel.SetAside, reel.ReasonAccountHold)
			r.is(batch, "4", reel.SetAside, reel.ReasonAccountHold)
			r.is("c", "5", reel.Pending, "")
			r.equal("order in the open pass of the other", r.order("c"), "6")
			r.is("c", "5", reel.SetAside, reel.ReasonAccountHold) // on the way
			r.is("d", "7", reel.Pending, "")
			r.lead("d")
			r.is("d", "7", reel.SetAside, reel.ReasonAccountHold) // when a run takes the batch
			_, result := r.next("d")
			r.equal("result", result, reel.OnlyNonRetryable)
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			if len(holds) != 1 {
				r.Fatalf("holds: %+v", holds)
			}
			h := holds[0]
			r.equal("hold", []any{h.Account, h.Batch, h.Job, h.Verdict, h.Text, h.Waiting, h.Since},
				[]any{"a", batch, reel.JobID("1"), verdict(reel.Account), "what was seen of 1", 4, r.now()})
		}},
		{"a failed job of an account that came to be held is not tried again", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.fail(r.claim(batch), reel.Account)
			r.is(batch, "1", reel.SetAside, reel.ReasonAccountHold)
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
		}},
		{"without account holds only the job itself is set aside", func(r *room) {
			r.limits.AccountHold = false
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Account)
			r.equal("next", r.claim(batch).Job.ID, "2")
		}},
		{"releasing an account returns the jobs of every batch, and with the cause its job too", func(r *room) {
			var released time.Time
			for _, cause := range []bool{false, true} {
				b, c := "b1", "c1"
				if cause {
					b, c = "b2", "c2"
				}
				r.add(b, "1@a", "2@a")
				r.add(c, "5@a")
				r.start(c)
				r.start(b)
				r.fail(r.claim(b), reel.Account)
				r.nothing(c)
				n, err := r.Store.ReleaseAccount(r.ctx, "a", "me", cause)
				r.must(err)
				if !cause {
					released = r.now()
				}
				r.is(b, "2", reel.Pending, "")
				r.is(c, "5", reel.Pending, "")
				if cause {
					r.equal("returned", n, 3)
					r.is(b, "1", reel.Pending, "")
				} else {
					r.equal("returned", n, 2)
					r.is(b, "1", reel.SetAside, reel.ReasonAccount)
				}
				r.nothing(b) // the next pass takes them
				r.next(b)
				r.publish(r.claim(b))
			}
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("holds", len(holds), 0)
			holds, err = r.Store.Holds(r.ctx, true)
			r.must(err)
			r.equal("past holds", []any{len(holds), holds[0].ReleasedBy, holds[0].ReleasedAt, holds[0].Waiting}, []any{2, "me", released, 0})
			_, err = r.Store.ReleaseAccount(r.ctx, "a", "me", false)
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"a released job's story names its batch and itself", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Account)
			_, err := r.Store.ReleaseAccount(r.ctx, "a", "me", false)
			r.must(err)
			st, err := r.Store.Story(r.ctx, batch, "2")
			r.must(err)
			e := st.Events[len(st.Events)-1]
			r.equal("event", []any{e.Kind, e.Batch, e.Job, e.By}, []any{reel.EventRetried, batch, reel.JobID("2"), "me"})
		}},
		{"a person can hold an account: what runs may end, nothing more begins", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b")
			r.start(batch)
			c := r.claim(batch)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "looks odd", time.Time{}))
			r.untouched("holding twice", func() { r.must(r.Store.HoldAccount(r.ctx, "a", "you", "again", time.Time{})) })
			r.equal("others", r.order(batch), "3")
			r.publish(c)
			r.nothing(batch)
			r.is(batch, "2", reel.SetAside, reel.ReasonAccountHold)
			r.wantErr(r.Store.HoldAccount(r.ctx, "nobody", "me", "", time.Time{}), reel.ErrNotFound)
		}},
		{"a job that comes back from a worker while its account is held is set aside before the next pass", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			c := r.claim(batch)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "why", time.Time{}))
			r.fail(c, reel.Infrastructure)
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.is(batch, "1", reel.SetAside, reel.ReasonAccountHold)
		}},
		{"a second account verdict keeps the first hold", func(r *room) {
			r.add(batch, "1@a")
			r.add("c", "2@a")
			r.start(batch)
			r.start("c")
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "first", time.Time{}))
			_, err := r.Store.ReleaseAccount(r.ctx, "a", "me", false)
			r.must(err)
			c := r.claim(batch)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "second", time.Time{}))
			r.fail(c, reel.Account)
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("holds", []any{len(holds), holds[0].Text}, []any{1, "second"})
		}},
	}
}
