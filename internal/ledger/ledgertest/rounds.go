package ledgertest

import (
	"sync"
	"sync/atomic"

	"reelpass/internal/reel"
)

func roundCases() []testCase {
	return []testCase{
		{"of many that bid under one term, one leads", func(r *room) {
			r.add(batch, "1@a")
			var won, taken atomic.Int64
			var all sync.WaitGroup
			for n := range 3 {
				for range 4 {
					all.Go(func() {
						if _, _, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: sup(n), Limits: r.limits}); err != nil {
							r.wantErr(err, reel.ErrTaken)
							taken.Add(1)
							return
						}
						won.Add(1)
					})
				}
			}
			all.Wait()
			r.equal("won and taken", []int64{won.Load(), taken.Load()}, []int64{1, 11})
		}},
		{"a leader is replaced by term, whoever it is", func(r *room) {
			r.add(batch, "1@a")
			first := r.lead(batch)
			r.untouched("a bid that saw an old term", func() {
				_, _, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: sup(1), Term: first.Term - 1, Limits: r.limits})
				r.wantErr(err, reel.ErrTaken)
			})
			round, _, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: sup(1), Term: first.Term, Limits: r.limits})
			r.must(err)
			l, err := r.Store.Leader(r.ctx, batch)
			r.must(err)
			r.equal("leader", []any{l.Leader.ID, l.Term, l.Until, l.Limits}, []any{sup(1).ID, round.Term, r.now().Add(reel.LeaseTTL), r.limits})
			if round.Term <= first.Term {
				r.Errorf("term %d after %d", round.Term, first.Term)
			}
			_, err = r.Store.Leader(r.ctx, "none")
			r.wantErr(err, reel.ErrNotFound)
			_, _, err = r.Store.Lead(r.ctx, reel.Bid{Batch: "none", Leader: sup(1)})
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"an empty batch opens no pass and is complete", func(r *room) {
			r.add(batch)
			r.lead(batch)
			n, result := r.next(batch)
			r.equal("end", []any{n, result}, []any{0, reel.AllComplete})
			r.equal("phase", r.status(batch).Phase, reel.PhaseFinished)
		}},
		{"a finished batch stays finished", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.publish(r.claim(batch))
			r.fail(r.claim(batch), reel.Content)
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			for range 2 {
				round := r.lead(batch)
				r.equal("base", round.Base, 0)
				r.nothing(batch)
				n, result := r.next(batch)
				r.equal("end", []any{n, result}, []any{0, reel.OnlyNonRetryable})
			}
			r.equal("passes", len(r.status(batch).Passes), 1)
		}},
		{"new work for a finished batch begins a new round, and pass numbers go on", func(r *room) {
			r.limits.MaxPasses = 2
			r.add(batch, "1@a")
			r.start(batch)
			r.publish(r.claim(batch))
			r.next(batch)
			r.add(batch, "2@b")
			round := r.lead(batch)
			r.equal("round", []int{round.Pass, round.Base, round.Used()}, []int{1, 1, 0})
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			c := r.claim(batch)
			r.equal("last pass", c.LastPass, 3)
			r.fail(c, reel.Infrastructure)
			n, _ = r.next(batch)
			r.equal("pass", n, 3)
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.AllComplete)
		}},
		{"a person's retry begins a new round of a finished batch", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Content)
			r.next(batch)
			_, err := r.Store.Retry(r.ctx, batch, "1", "me")
			r.must(err)
			round := r.lead(batch)
			r.equal("base", round.Base, 1)
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			r.publish(r.claim(batch))
		}},
		{"when the passes are used up, what could be retried is out of passes", func(r *room) {
			r.limits.MaxPasses = 1
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.fail(r.claim(batch), reel.Content)
			_, result := r.next(batch)
			r.equal("result", result, reel.MaxPassesReached)
			r.is(batch, "1", reel.OutOfPasses, reel.ReasonMaxPasses)
			r.is(batch, "3", reel.SetAside, reel.ReasonContent)
			r.equal("totals", r.status(batch).Totals, reel.Totals{Jobs: 3, Succeeded: 1, SetAside: 1, OutOfPasses: 1, Attempts: 3})
			round := r.lead(batch) // with the same limits nothing changes
			r.equal("base", round.Base, 0)
			_, result = r.next(batch)
			r.equal("result again", result, reel.MaxPassesReached)
		}},
		{"more passes than before take the round up again", func(r *room) {
			r.limits.MaxPasses = 1
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.next(batch)
			r.limits.MaxPasses = 3
			round := r.lead(batch)
			r.equal("round", []int{round.Pass, round.Base}, []int{1, 0})
			r.is(batch, "1", reel.Failed, "")
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			c := r.claim(batch)
			r.equal("claim", []int{c.Attempt, c.LastPass, c.Tally.Infrastructure}, []int{2, 3, 1})
			r.publish(c)
			_, result := r.next(batch)
			r.equal("result", result, reel.AllComplete)
		}},
		{"what lacked passes in an earlier round is not taken up again by a run with no more passes", func(r *room) {
			r.limits.MaxPasses = 2
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.next(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.next(batch)
			r.is(batch, "1", reel.OutOfPasses, reel.ReasonMaxPasses)
			r.add(batch, "2@b")
			r.start(batch)
			r.publish(r.claim(batch))
			_, result := r.next(batch)
			r.equal("result", result, reel.MaxPassesReached)
			r.lead(batch) // one pass of the round is left, and nothing new to do
			r.is(batch, "1", reel.OutOfPasses, reel.ReasonMaxPasses)
			n, result := r.next(batch)
			r.equal("end", []any{n, result}, []any{0, reel.MaxPassesReached})
		}},
		{"a run that leads counts its work in the journal", func(r *room) {
			r.add(batch, "1@a", "2@b")
			l, err := r.Store.Leader(r.ctx, batch)
			r.must(err)
			_, events, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: sup(0), Term: l.Term, Limits: r.limits, Workers: 7})
			r.must(err)
			e := events[0]
			r.equal("event", []any{e.Kind, e.Workers, e.Totals.Pending, *e.Limits}, []any{reel.EventRunStarted, 7, 2, r.limits})
		}},
	}
}
