package ledgertest

import (
	"fmt"

	"reelpass/internal/reel"
)

func steerCases() []testCase {
	return []testCase{
		{"a person's retry forgives the limits and keeps the attempts", func(r *room) {
			r.limits.Infrastructure = 1
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.is(batch, "1", reel.Exhausted, reel.ReasonInfraLimit)
			e, err := r.Store.Retry(r.ctx, batch, "1", "me")
			r.must(err)
			r.equal("event", []any{e.Kind, e.By, e.Text}, []any{reel.EventRetried, "me", "was exhausted"})
			r.is(batch, "1", reel.Pending, "")
			r.nothing(batch) // not in the pass that is open
			r.next(batch)
			c := r.claim(batch)
			r.equal("counting", []any{c.Tally, c.Attempt}, []any{reel.Tally{}, 2})
			r.fail(c, reel.Infrastructure)
			j := r.job(batch, "1")
			r.equal("tally", []any{j.State, j.Tally, j.Forgiven}, []any{reel.Exhausted, reel.Tally{Attempts: 2, Infrastructure: 2}, reel.Tally{Attempts: 1, Infrastructure: 1}})
		}},
		{"a retry is refused for a job that is posted, alive or in doubt, and while its account is held", func(r *room) {
			r.add(batch, "run@a", "pub@b", "posted@c", "doubt@d", "failed@e", "pending@f", "broken@g")
			r.start(batch)
			r.claim(batch)
			r.intent(r.claim(batch))
			r.publish(r.claim(batch))
			r.doubt(r.claim(batch), reel.Unknown)
			r.fail(r.claim(batch), reel.Infrastructure)
			pending := r.claim(batch)
			r.fail(r.claim(batch), reel.Account)
			r.untouched("a refused retry", func() {
				for _, id := range []reel.JobID{"run", "pub", "posted", "doubt", "failed", pending.Job.ID, "broken"} {
					_, err := r.Store.Retry(r.ctx, batch, id, "me")
					r.wantErr(err, reel.ErrRefused)
				}
				_, err := r.Store.Retry(r.ctx, batch, "none", "me")
				r.wantErr(err, reel.ErrNotFound)
			})
		}},
		{"a person takes a job back, and may return it", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			_, err := r.Store.Cancel(r.ctx, batch, "1", "me")
			r.must(err)
			r.is(batch, "1", reel.Cancelled, reel.ReasonCancelled)
			c := r.claim(batch)
			r.fail(c, reel.Infrastructure)
			_, err = r.Store.Cancel(r.ctx, batch, c.Job.ID, "me")
			r.must(err)
			c = r.claim(batch)
			r.untouched("cancelling what runs, is posted or in doubt", func() {
				_, err := r.Store.Cancel(r.ctx, batch, c.Job.ID, "me")
				r.wantErr(err, reel.ErrRefused)
			})
			r.publish(c)
			_, err = r.Store.Cancel(r.ctx, batch, c.Job.ID, "me")
			r.wantErr(err, reel.ErrRefused)
			_, err = r.Store.Cancel(r.ctx, batch, "none", "me")
			r.wantErr(err, reel.ErrNotFound)
			_, result := r.next(batch)
			r.equal("result", result, reel.AllComplete)
			_, err = r.Store.Retry(r.ctx, batch, "1", "me")
			r.must(err)
			r.start(batch)
			r.equal("returned", r.claim(batch).Job.ID, "1")
		}},
		{"a doubt cannot be cancelled", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Unknown)
			_, err := r.Store.Cancel(r.ctx, batch, "1", "me")
			r.wantErr(err, reel.ErrRefused)
		}},
		{"a duplicate that a person returns is refused again", func(r *room) {
			r.add(batch, "1@a")
			again := post("2@a")
			again.VideoPath = "/v/1.mp4"
			_, err := r.load(batch, again)
			r.must(err)
			r.start(batch)
			r.publish(r.claim(batch))
			for range 2 {
				c := r.claim(batch)
				_, err = r.Store.Intent(r.ctx, c, r.fp(c), false)
				r.wantErr(err, reel.ErrDuplicate)
				_, err = r.Store.Retry(r.ctx, batch, "2", "me")
				r.must(err)
				r.next(batch)
			}
		}},
		{"who added which rules stands in the journal, which can be read to its end", func(r *room) {
			const more = 2001 // than are read at once
			for i := range more {
				r.must(r.Store.RulesAdded(r.ctx, "me", "my-rule", fmt.Sprint(i)))
			}
			n := 0
			for e, err := range r.Store.History(r.ctx) {
				r.must(err)
				r.equal("event", []any{e.Kind, e.By, e.Text}, []any{reel.EventRulesAdded, "me", fmt.Sprintf("my-rule, %d", n)})
				n++
			}
			r.equal("events", n, more)
		}},
		{"pausing an unknown batch is told", func(r *room) {
			r.wantErr(r.Store.Pause(r.ctx, "none", true, "me"), reel.ErrNotFound)
		}},
	}
}
