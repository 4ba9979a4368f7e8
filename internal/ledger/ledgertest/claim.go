package ledgertest

import (
	"fmt"
	"sync"
	"time"

	"reelpass/internal/reel"
)

func claimCases() []testCase {
	return []testCase{
		{"accounts take turns, and an account's jobs go in file order", func(r *room) {
			r.add(batch, "a1@a", "a2@a", "b1@b", "b2@b", "c1@c")
			r.start(batch)
			var ids string
			for range 5 {
				c := r.claim(batch)
				ids += string(c.Job.ID) + " "
				r.publish(c)
			}
			r.equal("order", ids, "a1 b1 c1 a2 b2 ")
			r.nothing(batch)
		}},
		{"one job of an account is in flight", func(r *room) {
			r.add(batch, "a1@a", "a2@a", "b1@b")
			r.start(batch)
			a := r.claim(batch)
			r.equal("others", r.order(batch), "b1")
			r.intent(a)
			r.nothing(batch)
			r.record(a, r.posted(a))
			r.equal("then", r.claim(batch).Job.ID, "a2")
		}},
		{"one job of an account is in flight, also across batches", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.add("c", "1@b", "2@a")
			r.start(batch)
			r.start("c")
			c := r.claim(batch)
			r.equal("in the other batch", r.order("c"), "1")
			r.nothing(batch) // b is busy there
			r.fail(c, reel.Infrastructure)
			r.equal("in the other batch, once a is free", r.order("c"), "2")
		}},
		{"a claim tells the worker what it needs", func(r *room) {
			p := post("1@a")
			p.MaxAttempts, p.PublishAt = 4, r.now().Add(-time.Hour)
			_, err := r.load(batch, p)
			r.must(err)
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.next(batch)
			c, events, err := r.Store.Claim(r.ctx, claimant(batch, 1))
			r.must(err)
			r.equal("job", c.Job, p.Job)
			r.equal("pass, last, attempt, worker", []int{c.Pass, c.LastPass, c.Attempt, c.Worker}, []int{2, 5, 2, 2})
			r.equal("tally", c.Tally, reel.Tally{Attempts: 1, Infrastructure: 1})
			if len(events) != 1 || events[0].Kind != reel.EventClaimed || events[0].Fence != c.Fence || events[0].Seq == 0 {
				r.Errorf("events: %+v", events)
			}
			j := r.job(batch, "1")
			r.equal("state", j.State, reel.Running)
			r.equal("worker", j.Worker, 2)
			r.equal("claimed at", j.ClaimedAt, r.now())
			r.equal("completed at", j.CompletedAt, time.Time{})
		}},
		{"only a job of the open pass is taken: a failed one never in the same pass", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.nothing(batch) // no pass is open
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.nothing(batch)
			step, err := r.advance(batch)
			r.must(err)
			r.nothing(batch) // between two passes
			r.later(step.Wait)
			r.nothing(batch)
			_, err = r.Store.OpenPass(r.ctx, batch, r.terms[batch], step.Open)
			r.must(err)
			r.equal("claimed", r.order(batch), "1")
		}},
		{"a fence grows with each claim", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			a := r.claim(batch)
			r.fail(a, reel.Infrastructure)
			r.next(batch)
			if b := r.claim(batch); b.Key != a.Key || b.Fence <= a.Fence {
				r.Errorf("%+v after %+v", b.Lease, a.Lease)
			}
		}},
		{"nothing of a paused batch is taken, and other batches go on", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b")
			r.add("c", "3@c")
			r.start(batch)
			r.start("c")
			r.doubt(r.claim(batch), reel.Infrastructure)
			r.must(r.Store.Pause(r.ctx, batch, true, "me"))
			_, _, err := r.Store.Claim(r.ctx, claimant(batch, 0))
			r.wantErr(err, reel.ErrPaused)
			r.equal("other batch", r.order("c"), "3")
			r.equal("phase", r.status(batch).Phase, reel.PhasePaused)
			r.must(r.Store.Pause(r.ctx, batch, false, "me"))
			r.equal("afterwards", r.order(batch), "1 2")
		}},
		{"a job is not taken before its time, and later jobs of its account are", func(r *room) {
			early := post("1@a")
			early.PublishAt = r.now().Add(time.Hour)
			_, err := r.load(batch, early, post("2@a"), post("3@b"))
			r.must(err)
			r.start(batch)
			for range 2 {
				c := r.claim(batch)
				if c.Job.ID == "1" {
					r.Fatal("before its time")
				}
				r.publish(c)
			}
			r.nothing(batch)
			_, err = r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.later(time.Hour)
			r.equal("in time", r.claim(batch).Job.ID, "1")
		}},
		{"a doubt is looked up before jobs are taken, also with no pass open", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Infrastructure)
			c := r.claim(batch)
			if !c.Lookup || c.Job.ID != "1" || c.Doubt.Outcome != reel.OutcomeInDoubt || c.Attempt != 1 {
				r.Errorf("%+v", c)
			}
			r.must(r.Store.Release(r.ctx, c))
			again := r.claim(batch)
			if !again.Lookup || again.Fence <= c.Fence {
				r.Errorf("%+v", again)
			}
		}},
		{"many workers at once get each job once", func(r *room) {
			var specs []string
			for i := range 200 {
				specs = append(specs, fmt.Sprintf("%d@acc%d", i, i%40))
			}
			r.add(batch, specs...)
			r.start(batch)
			var mu sync.Mutex
			taken := map[reel.JobID]int{}
			var all sync.WaitGroup
			for w := range 8 {
				all.Go(func() {
					for idle := 0; idle < 50; {
						c, _, err := r.Store.Claim(r.ctx, claimant(batch, w%3))
						if err != nil {
							idle++
							continue
						}
						mu.Lock()
						taken[c.Job.ID]++
						mu.Unlock()
						if _, err := r.Store.Intent(r.ctx, c, r.fp(c), false); err != nil {
							r.Error(err)
						}
						if _, err := r.Store.Record(r.ctx, c, r.posted(c)); err != nil {
							r.Error(err)
						}
					}
				})
			}
			all.Wait()
			for id, n := range taken {
				if n != 1 {
					r.Errorf("job %s was claimed %d times", id, n)
				}
			}
			r.equal("claimed", len(taken), 200)
		}},
		{"an unknown batch or supervisor is told", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			_, _, err := r.Store.Claim(r.ctx, claimant("none", 0))
			r.wantErr(err, reel.ErrNotFound)
			_, _, err = r.Store.Claim(r.ctx, reel.Claimant{Batch: batch, Supervisor: "nobody"})
			r.wantErr(err, reel.ErrNotFound)
		}},
	}
}
