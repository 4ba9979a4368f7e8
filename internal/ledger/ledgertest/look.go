package ledgertest

import (
	"time"

	"reelpass/internal/reel"
)

// inDoubt makes job 1 of account a in doubt in pass 1, and job 2 of b done.
func inDoubt(r *room) {
	r.Helper()
	r.look = true
	r.add(batch, "1@a", "2@b")
	r.start(batch)
	r.doubt(r.claim(batch), reel.Infrastructure)
}

// leftAway is job 1 of account a, which another host has settled after its intent. It returns the claim of its own supervisor.
func leftAway(r *room) reel.Claim {
	r.Helper()
	r.look = true
	r.add(batch, "1@a")
	r.start(batch)
	c := r.claimAs(1, batch)
	r.intent(c)
	settled := r.failing(c, reel.Infrastructure, true)
	settled.From, settled.Look, settled.Away = reel.Publishing, false, true
	r.record(c, settled)
	return c
}

func lookCases() []testCase {
	return []testCase{
		{"found: the job succeeded, and its pass says so", func(r *room) {
			inDoubt(r)
			r.equal("before", r.status(batch).Passes[0].InDoubt, 1)
			c := r.claim(batch)
			events, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: "seen"}}, reel.Decision{})
			r.must(err)
			if len(events) != 1 || events[0].Kind != reel.EventLooked || events[0].Decision.State != reel.Succeeded {
				r.Errorf("events: %+v", events)
			}
			r.is(batch, "1", reel.Succeeded, "")
			r.equal("receipt", r.job(batch, "1").Receipt.ID, "seen")
			p := r.status(batch).Passes[0]
			r.equal("processed, succeeded, in doubt", []int{p.Processed, p.Succeeded, p.InDoubt}, []int{1, 1, 0})
			duplicate := post("3@a")
			duplicate.VideoPath = "/v/1.mp4"
			_, err = r.load(batch, duplicate)
			r.must(err)
			r.publish(r.claim(batch))
			r.next(batch)
			d := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, d, r.fp(d), false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"absent: the attempt was a failure, and the job is tried in the next pass", func(r *room) {
			inDoubt(r)
			c := r.claim(batch)
			_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Absent}, r.absent(c))
			r.must(err)
			r.is(batch, "1", reel.Failed, "")
			p := r.status(batch).Passes[0]
			r.equal("pass", []int{p.Processed, p.InDoubt, p.Failed.Infrastructure, p.Retryable}, []int{1, 0, 1, 1})
			r.equal("tally", r.job(batch, "1").Tally, reel.Tally{Attempts: 1, Infrastructure: 1})
			r.publish(r.claim(batch))
			r.nothing(batch)
			r.next(batch)
			again := r.claim(batch)
			r.equal("again", again.Job.ID, "1")
			r.equal("attempt", again.Attempt, 2)
			r.publish(again)
		}},
		{"absent, while a worker on another host may still act: the doubt stays", func(r *room) {
			c := leftAway(r)
			r.nothing(batch)
			r.lead(batch) // a later run may look
			look := r.claim(batch)
			r.equal("look", []any{look.Lookup, look.Job.ID}, []any{true, c.Job.ID})
			events, err := r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Absent}, r.absent(look))
			r.must(err)
			if len(events) != 1 || events[0].Look.Finding != reel.Unsure || events[0].Look.Why == "" {
				r.Errorf("events: %+v", events)
			}
			r.is(batch, "1", reel.InDoubt, "")
			r.untouched("an attempt's end by whoever looked", func() {
				_, err := r.Store.Record(r.ctx, look, r.failing(look, reel.Infrastructure, true))
				r.wantErr(err, reel.ErrLost)
			})
			r.lead(batch)
			_, err = r.Store.RecordLook(r.ctx, r.claim(batch), reel.Look{Finding: reel.Found}, reel.Decision{})
			r.must(err)
			r.is(batch, "1", reel.Succeeded, "")
		}},
		{"the late word of its own supervisor ends that: then absent is absent", func(r *room) {
			c := leftAway(r)
			late := r.failing(c, reel.Infrastructure, true)
			r.record(c, late)
			r.is(batch, "1", reel.InDoubt, "")
			look := r.claim(batch)
			r.untouched("a word that comes twice, or while somebody looks", func() {
				_, err := r.Store.Record(r.ctx, c, late)
				r.wantErr(err, reel.ErrLost)
			})
			_, err := r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Absent}, r.absent(look))
			r.must(err)
			r.is(batch, "1", reel.Failed, "")
		}},
		{"such a word does not count while somebody looks, who may have looked too early", func(r *room) {
			c := leftAway(r)
			r.lead(batch)
			look := r.claim(batch)
			r.untouched("the word", func() {
				_, err := r.Store.Record(r.ctx, c, r.failing(c, reel.Infrastructure, true))
				r.wantErr(err, reel.ErrLost)
			})
			_, err := r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Absent}, r.absent(look))
			r.must(err)
			r.is(batch, "1", reel.InDoubt, "")
			r.record(c, r.failing(c, reel.Infrastructure, true)) // now it counts
			r.equal("look", r.claim(batch).Lookup, true)
		}},
		{"whoever finds on its host that it is dead ends that too", func(r *room) {
			c := leftAway(r)
			held, err := r.Store.Held(r.ctx, sup(0).ID)
			r.must(err)
			r.equal("held", len(held), 1)
			h := held[0]
			r.equal("the doubt", []any{h.Away, h.Lookup, h.State, h.Job.ID, h.Attempt, h.Supervisor}, []any{true, false, reel.InDoubt, c.Job.ID, 1, sup(1)})
			r.must(r.Store.Bury(r.ctx, h.Claim))
			r.untouched("telling it again", func() { r.wantErr(r.Store.Bury(r.ctx, h.Claim), reel.ErrLost) })
			look := r.claim(batch)
			_, err = r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Absent}, r.absent(look))
			r.must(err)
			r.is(batch, "1", reel.Failed, "")
			held, err = r.Store.Held(r.ctx, sup(0).ID)
			r.must(err)
			r.equal("held", len(held), 0)
		}},
		{"a person who has not seen it posted does not end that: it might be posted later", func(r *room) {
			leftAway(r)
			resolve := func(look reel.Look) error {
				look.By = "me"
				_, err := r.Store.Resolve(r.ctx, batch, "1", look, func(h reel.Held) reel.Decision { return r.absent(h.Claim) })
				return err
			}
			r.untouched("not posted", func() { r.wantErr(resolve(reel.Look{Finding: reel.Absent}), reel.ErrRefused) })
			r.must(resolve(reel.Look{Finding: reel.Absent, WorkerDead: true}))
			r.is(batch, "1", reel.Failed, "")
		}},
		{"a person who has seen it posted ends that", func(r *room) {
			leftAway(r)
			_, err := r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Found, By: "me"}, nil)
			r.must(err)
			r.is(batch, "1", reel.Succeeded, "")
		}},
		{"unsure: the doubt stays, and is not looked at again in this run", func(r *room) {
			inDoubt(r)
			c := r.claim(batch)
			_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Unsure, Why: "no profile"}, reel.Decision{})
			r.must(err)
			r.is(batch, "1", reel.InDoubt, "")
			r.publish(r.claim(batch))
			r.nothing(batch)
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.lead(batch)
			if c := r.claim(batch); !c.Lookup || c.Job.ID != "1" {
				r.Errorf("the next run looks again, it got %+v", c)
			}
		}},
		{"a doubt is not looked at by a run that cannot look, and does not hold its passes up", func(r *room) {
			inDoubt(r)
			r.publishNext(batch)
			r.look = false
			r.lead(batch)
			r.nothing(batch)
			_, err := r.advance(batch)
			r.must(err)
		}},
		{"the doubt of a held account is not looked at", func(r *room) {
			inDoubt(r)
			r.must(r.Store.HoldAccount(r.ctx, "a", "me", "why", time.Time{}))
			r.equal("claimed", r.claim(batch).Job.ID, "2")
			r.lead(batch)
			r.nothing(batch)
			_, err := r.Store.ReleaseAccount(r.ctx, "a", "me", false)
			r.must(err)
			r.lead(batch)
			if c := r.claim(batch); !c.Lookup {
				r.Errorf("released: the next run looks, it got %+v", c)
			}
		}},
		{"a look in flight keeps its account busy and its pass open", func(r *room) {
			inDoubt(r)
			r.add("c", "9@a")
			look := r.claim(batch)
			r.start("c")
			r.nothing("c")
			r.publish(r.claim(batch))
			_, err := r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			_, err = r.Store.RecordLook(r.ctx, look, reel.Look{Finding: reel.Unsure}, reel.Decision{})
			r.must(err)
			_, err = r.advance(batch)
			r.must(err)
		}},
		{"a look that says or decides nonsense changes nothing", func(r *room) {
			inDoubt(r)
			c := r.claim(batch)
			r.untouched("nonsense", func() {
				_, err := r.Store.RecordLook(r.ctx, c, reel.Look{}, reel.Decision{State: reel.Failed})
				r.wantErr(err, reel.ErrRefused)
				for _, s := range []reel.State{"", reel.Pending, reel.Running, reel.Succeeded} {
					_, err = r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Absent}, reel.Decision{State: s})
					r.wantErr(err, reel.ErrRefused)
				}
			})
		}},
		{"a person ends a doubt: posted", func(r *room) {
			inDoubt(r)
			e, err := r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Found, By: "me"}, nil)
			r.must(err)
			r.equal("by", e.By, "me")
			r.is(batch, "1", reel.Succeeded, "")
			r.equal("in doubt", r.status(batch).Passes[0].InDoubt, 0)
			r.equal("claimed", r.claim(batch).Job.ID, "2") // and no look
		}},
		{"a person ends a doubt: absent, by the limits of the last run", func(r *room) {
			r.limits.Infrastructure = 1
			inDoubt(r)
			var got reel.Held
			_, err := r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Absent, By: "me"}, func(h reel.Held) reel.Decision {
				got = h
				return r.absent(h.Claim)
			})
			r.must(err)
			r.equal("limits", got.Limits, r.limits)
			r.equal("doubt", got.Doubt.Outcome, reel.OutcomeInDoubt)
			r.equal("last pass", got.LastPass, 5)
			r.is(batch, "1", reel.Exhausted, reel.ReasonInfraLimit)
			r.equal("exhausted", r.status(batch).Passes[0].Exhausted, 1)
		}},
		{"a person's word is refused for a job that is not in doubt, or is being looked up", func(r *room) {
			inDoubt(r)
			decide := func(h reel.Held) reel.Decision { return r.absent(h.Claim) }
			c := r.claim(batch)
			r.untouched("a refused word", func() {
				for _, id := range []reel.JobID{"1", "2"} {
					_, err := r.Store.Resolve(r.ctx, batch, id, reel.Look{Finding: reel.Found}, decide)
					r.wantErr(err, reel.ErrRefused)
				}
				_, err := r.Store.Resolve(r.ctx, batch, "3", reel.Look{Finding: reel.Found}, decide)
				r.wantErr(err, reel.ErrNotFound)
			})
			r.must(r.Store.Release(r.ctx, c))
			_, err := r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Absent}, decide)
			r.must(err)
		}},
		{"a doubt of an earlier orchestrator can be looked up and settled", func(r *room) {
			r.look = true
			_, err := r.load(batch, past("1@a", reel.Past{State: reel.InDoubt, Tally: reel.Tally{Attempts: 1}, ClaimedAt: r.now()}))
			r.must(err)
			r.lead(batch)
			c := r.claim(batch)
			if !c.Lookup || !c.Doubt.StartedAt.Equal(r.now()) {
				r.Errorf("%+v", c)
			}
			_, err = r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Absent}, r.absent(c))
			r.must(err)
			n, _ := r.next(batch)
			r.equal("pass", n, 1)
			r.publishNext(batch)
		}},
	}
}

// publishNext claims the next job and posts it; looks on the way find nothing out.
func (r *room) publishNext(batch string) {
	r.Helper()
	for {
		c := r.claim(batch)
		if !c.Lookup {
			r.publish(c)
			return
		}
		_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Unsure}, reel.Decision{})
		r.must(err)
	}
}
