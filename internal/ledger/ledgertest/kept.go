package ledgertest

import (
	"context"

	"reelpass/internal/reel"
)

// keep has something remembered, and checks that the journal tells of it.
func (r *room) keep(c reel.Claim, name, value string) {
	r.Helper()
	events, err := r.Store.Keep(r.ctx, c, name, value)
	r.must(err)
	if len(events) != 1 || events[0].Kind != reel.EventKept || events[0].Seq == 0 || events[0].Job != c.Job.ID {
		r.Errorf("events of a keep: %+v", events)
	}
}

func (r *room) leftovers(name string) []reel.Leftover {
	r.Helper()
	all, err := r.Store.Leftovers(r.ctx, name)
	r.must(err)
	return all
}

func keptCases() []testCase {
	return []testCase{
		{"what a worker keeps is there for the next attempt, also of another supervisor, and for a look", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			c := r.claim(batch)
			r.equal("kept at first", len(c.Kept), 0)
			r.keep(c, "container", "17")
			r.keep(c, "state", "created")
			r.keep(c, "state", "uploaded")
			r.reopen()
			r.fail(c, reel.Infrastructure)
			r.publish(r.claim(batch))
			r.next(batch)
			again := r.claimAs(1, batch)
			r.equal("kept", again.Kept, map[string]string{"container": "17", "state": "uploaded"})
			r.keep(again, "state", "sent")
			r.doubt(again, reel.Infrastructure)
			look := r.claim(batch)
			r.equal("a look", []any{look.Lookup, look.Kept}, []any{true, map[string]string{"container": "17", "state": "sent"}})
			r.keep(look, "state", "")
			_, err := r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Absent}, r.absent(look))
			r.must(err)
			r.next(batch)
			r.equal("after the look", r.claim(batch).Kept, map[string]string{"container": "17"})
		}},
		{"nothing is kept under an old fence", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.fail(c, reel.Infrastructure)
			r.untouched("a keep after the end", func() {
				_, err := r.Store.Keep(r.ctx, c, "phone", "7")
				r.wantErr(err, reel.ErrLost)
			})
			r.next(batch)
			r.claimAs(1, batch)
			r.untouched("a keep under the fence before", func() {
				_, err := r.Store.Keep(r.ctx, c, "phone", "7")
				r.wantErr(err, reel.ErrLost)
			})
		}},
		{"what is left of an account that nobody works on is found, and forgotten once it is dealt with", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@a")
			r.start(batch)
			a, b := r.claim(batch), r.claim(batch)
			r.keep(a, "phone", "pa")
			r.keep(b, "phone", "pb")
			r.keep(b, "container", "c")
			r.equal("while both are in flight", r.leftovers("phone"), []reel.Leftover(nil))
			r.fail(a, reel.Infrastructure)
			left := r.leftovers("phone")
			r.equal("left", left, []reel.Leftover{{Key: a.Key, Batch: batch, Job: "1", Account: "a", Name: "phone", Value: "pa"}})
			next := r.claim(batch)
			r.equal("the account's next job", next.Job.ID, "3")
			r.equal("while that one has the phone", r.leftovers("phone"), []reel.Leftover(nil))
			r.publish(next)
			r.must(r.Store.Forget(r.ctx, left[0]))
			r.equal("forgotten", r.leftovers("phone"), []reel.Leftover(nil))
			r.publish(b)
			r.equal("of the other", len(r.leftovers("phone")), 1)
		}},
		{"a leftover that is another one by now, or is used again, is not forgotten", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.keep(c, "phone", "old")
			r.fail(c, reel.Infrastructure)
			left := r.leftovers("phone")[0]
			r.next(batch)
			c = r.claim(batch)
			r.untouched("in flight again", func() { r.must(r.Store.Forget(r.ctx, left)) })
			r.keep(c, "phone", "new")
			r.fail(c, reel.Infrastructure)
			r.untouched("another value", func() { r.must(r.Store.Forget(r.ctx, left)) })
			r.equal("left", r.leftovers("phone")[0].Value, "new")
		}},
		{"a keep that was given up is not a torn one", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			gone, cancel := context.WithCancel(r.ctx)
			cancel()
			_, err := r.Store.Keep(gone, c, "phone", "7")
			r.fail(c, reel.Infrastructure)
			r.equal("kept as told", len(r.leftovers("phone")) == 1, err == nil)
		}},
	}
}
