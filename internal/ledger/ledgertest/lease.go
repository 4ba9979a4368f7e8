package ledgertest

import (
	"time"

	"reelpass/internal/reel"
)

func leaseCases() []testCase {
	return []testCase{
		{"renewing returns what is still held, and prolongs it", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b", "3@c", "4@d")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Infrastructure)
			look := r.claim(batch)
			one, two := r.claim(batch), r.claim(batch)
			other := r.claimAs(1, batch)
			r.later(reel.RenewEvery)
			held, err := r.Store.Renew(r.ctx, sup(0).ID)
			r.must(err)
			r.equal("held", leases(held), leases([]reel.Lease{look.Lease, one.Lease, two.Lease}))
			r.publish(one)
			_, err = r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Unsure}, reel.Decision{})
			r.must(err)
			held, err = r.Store.Renew(r.ctx, sup(0).ID)
			r.must(err)
			r.equal("held after two have ended", leases(held), leases([]reel.Lease{two.Lease}))
			all, err := r.Store.Held(r.ctx, "")
			r.must(err)
			for _, h := range all {
				want := r.now().Add(reel.LeaseTTL)
				if h.Lease == other.Lease {
					want = want.Add(-reel.RenewEvery)
				}
				r.equal("until", h.Until, want)
			}
		}},
		{"renewing prolongs the leadership", func(r *room) {
			r.add(batch, "1@a")
			r.lead(batch)
			r.later(reel.RenewEvery)
			_, err := r.Store.Renew(r.ctx, sup(0).ID)
			r.must(err)
			l, err := r.Store.Leader(r.ctx, batch)
			r.must(err)
			r.equal("until", l.Until, r.now().Add(reel.LeaseTTL))
			r.equal("leader", l.Leader, sup(0))
		}},
		{"the leases of others are listed, of all batches, with what settling needs", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b", "3@c")
			r.add("c", "4@d")
			r.limits.MaxPasses = 3
			r.start(batch)
			r.start("c")
			r.doubt(r.claimAs(1, batch), reel.Infrastructure)
			look := r.claimAs(1, batch)
			run := r.claimAs(1, batch)
			pub := r.claimAs(1, "c")
			r.intent(pub)
			mine := r.claimAs(0, batch)
			held, err := r.Store.Held(r.ctx, sup(0).ID)
			r.must(err)
			r.equal("number", len(held), 3)
			by := map[reel.Lease]reel.Held{}
			for _, h := range held {
				by[h.Lease] = h
				r.equal("supervisor", h.Supervisor, sup(1))
				r.equal("limits", h.Limits, r.limits)
				r.equal("last pass", h.LastPass, 3)
				r.equal("process", h.WorkerProc, reel.Process{Host: "host", PID: 2001, Started: 7})
				r.equal("until", h.Until, r.now().Add(reel.LeaseTTL))
			}
			r.equal("look", []any{by[look.Lease].Lookup, by[look.Lease].State, by[look.Lease].Attempt}, []any{true, reel.InDoubt, 1})
			r.equal("run", []any{by[run.Lease].State, by[run.Lease].Attempt, by[run.Lease].Batch, by[run.Lease].Pass}, []any{reel.Running, 1, batch, 1})
			r.equal("publishing", []any{by[pub.Lease].State, by[pub.Lease].Batch}, []any{reel.Publishing, "c"})
			if _, ok := by[mine.Lease]; ok {
				r.Error("my own lease is among them")
			}
			h := by[run.Lease]
			r.record(h.Claim, r.failing(h.Claim, reel.Infrastructure, false)) // settled by another
			r.untouched("its owner's late word", func() {
				_, err := r.Store.Record(r.ctx, run, r.failing(run, reel.Account, false))
				r.wantErr(err, reel.ErrLost)
			})
			still, err := r.Store.Renew(r.ctx, sup(1).ID)
			r.must(err)
			r.equal("left to its owner", leases(still), leases([]reel.Lease{look.Lease, pub.Lease}))
		}},
		{"an expired lease is not given away by itself", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.later(24 * time.Hour)
			r.nothing(batch)
			_, err := r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.fail(c, reel.Infrastructure) // its owner was only slow
		}},
		{"the process that executes a job is noted", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.Store.Started(c.Lease, reel.Process{Host: "host", PID: 77, Started: 88})
			_, err := r.Store.Renew(r.ctx, sup(2).ID) // carries the note along
			r.must(err)
			held, err := r.Store.Held(r.ctx, sup(1).ID)
			r.must(err)
			r.equal("process", held[0].WorkerProc, reel.Process{Host: "host", PID: 77, Started: 88})
		}},
		{"enlisting twice is no harm, and a stranger is told", func(r *room) {
			r.must(r.Store.Enlist(sup(0)))
			_, err := r.Store.Renew(r.ctx, "nobody")
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"releasing gives back a look and nothing else", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.untouched("releasing a job that runs", func() { _ = r.Store.Release(r.ctx, c) })
			r.is(batch, "1", reel.Running, "")
		}},
		{"leases, doubts and intents outlive the process", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			run, pub, doubt := r.claim(batch), r.claim(batch), r.claim(batch)
			r.intent(pub)
			r.doubt(doubt, reel.Unknown)
			r.untouched("closing and opening", r.reopen)
			held, err := r.Store.Held(r.ctx, sup(1).ID)
			r.must(err)
			r.equal("held", []any{held[0].Lease, held[0].State, held[1].Lease, held[1].State}, []any{run.Lease, reel.Running, pub.Lease, reel.Publishing})
			r.nothing(batch)
			r.record(pub, r.posted(pub))
			r.fail(run, reel.Infrastructure)
		}},
	}
}

// leases is a set of leases in a form that can be compared.
func leases(all []reel.Lease) map[reel.Lease]bool {
	set := map[reel.Lease]bool{}
	for _, l := range all {
		set[l] = true
	}
	return set
}
