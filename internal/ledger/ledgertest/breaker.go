package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// signed is an ending that the breaker hears of, as the runner makes it.
func (r *room) signed(e reel.Ending, signature string) reel.Ending {
	e.Signature = signature
	e.Breaker = func(b reel.Breaker, s reel.Sample) reel.Breaker { return plan.Breaker(b, s, r.limits) }
	return e
}

// meets records that a claim failed with a signature, and returns the events of the batch's breaker.
func (r *room) meets(c reel.Claim, signature string) []reel.Event {
	r.Helper()
	return r.hears(c, r.signed(r.failing(c, reel.Infrastructure, false), signature))
}

func (r *room) hears(c reel.Claim, e reel.Ending) (told []reel.Event) {
	r.Helper()
	events, err := r.Store.Record(r.ctx, c, e)
	r.must(err)
	for _, e := range events {
		if e.Kind == reel.EventBreakerOpen || e.Kind == reel.EventBreakerShut {
			told = append(told, e)
		}
	}
	return told
}

// waits asks for a claim that must not be given, and returns why.
func (r *room) waits(batch string) *reel.Waiting {
	r.Helper()
	c, _, err := r.Store.Claim(r.ctx, claimant(batch, 1))
	var w *reel.Waiting
	if !errors.As(err, &w) || !errors.Is(err, reel.ErrNothingDue) {
		r.Fatalf("claimed %q (%v), want a wait", c.Job.ID, err)
	}
	return w
}

// tripped is a batch with open pass, whose breaker has tripped on two failures alike, with jobs left to do.
func (r *room) tripped() {
	r.Helper()
	r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 3, Wait: reel.Seconds(time.Minute)}
	r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@e", "6@f")
	r.start(batch)
	r.meets(r.claim(batch), "x")
	r.meets(r.claim(batch), "x")
}

func breakerCases() []testCase {
	return []testCase{
		{"the record that trips the breaker opens it, and nothing is claimed until its time", func(r *room) {
			r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 3, Wait: reel.Seconds(time.Minute)}
			r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@e")
			r.start(batch)
			flying := r.claim(batch)
			since := r.now()
			r.equal("first", len(r.meets(r.claim(batch), "x")), 0)
			r.publish(flying) // a post between: two of the last three
			r.later(time.Second)
			told := r.meets(r.claim(batch), "x")
			want := reel.Outage{Signature: "x", Failed: 2, Of: 3, Accounts: 2, Since: since, Opened: r.now(), Until: r.now().Add(time.Minute)}
			if len(told) != 1 || told[0].Kind != reel.EventBreakerOpen {
				r.Fatalf("told %+v", told)
			}
			r.equal("outage", *told[0].Outage, want)
			r.equal("status", *r.status(batch).Outage, want)
			w := r.waits(batch)
			r.equal("wait", []any{w.For, *w.Outage}, []any{time.Minute, want})
			r.later(59 * time.Second)
			r.waits(batch)
			r.later(time.Second)
			r.equal("canary", r.claim(batch).Canary, true)
		}},
		{"failures of one account, of other kinds, or too far apart do not trip it", func(r *room) {
			r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 3, Wait: reel.Seconds(time.Minute)}
			r.add(batch, "1@a", "2@a", "3@a", "4@b", "5@c", "6@d", "7@e", "8@f", "9@g")
			r.start(batch)
			fail := func(id string, signature string) {
				r.Helper()
				c := r.claim(batch)
				r.equal("next", c.Job.ID, reel.JobID(id))
				r.equal("told", len(r.meets(c, signature)), 0)
			}
			fail("1", "x")
			fail("4", "y")
			fail("5", "z")
			fail("6", "w")
			fail("7", "y") // the third after it, of three
			r.publish(r.claim(batch))
			r.publish(r.claim(batch))
			fail("2", "y")
			fail("3", "y")
			r.equal("outage", r.status(batch).Outage, (*reel.Outage)(nil))
		}},
		{"another batch is not kept from its jobs", func(r *room) {
			r.tripped()
			r.add("c", "9@z")
			r.start("c")
			r.publish(r.claim("c"))
		}},
		{"of many supervisors that ask at once, one gets the canary", func(r *room) {
			r.tripped()
			r.later(time.Minute)
			var got, waited atomic.Int64
			var all sync.WaitGroup
			for n := range 9 {
				all.Go(func() {
					c, events, err := r.Store.Claim(r.ctx, claimant(batch, n%3))
					switch {
					case err == nil && c.Canary && len(events) == 2 && events[1].Kind == reel.EventProbe:
						got.Add(1)
					case errors.Is(err, reel.ErrNothingDue):
						waited.Add(1)
					default:
						r.Errorf("claimed %q: %v, %+v", c.Job.ID, err, events)
					}
				})
			}
			all.Wait()
			r.equal("canaries and waits", []int64{got.Load(), waited.Load()}, []int64{1, 8})
		}},
		{"a canary that posts closes it, and all goes on", func(r *room) {
			r.tripped()
			r.later(time.Minute)
			c := r.claim(batch)
			r.waits(batch)
			r.intent(c)
			told := r.hears(c, r.signed(r.posted(c), ""))
			if len(told) != 1 || told[0].Kind != reel.EventBreakerShut || told[0].Outage.Signature != "x" {
				r.Fatalf("told %+v", told)
			}
			r.equal("rest", r.order(batch), "4 5 6")
			r.equal("outage", r.status(batch).Outage, (*reel.Outage)(nil))
		}},
		{"a canary that fails alike keeps it open for twice as long, one that fails otherwise closes it", func(r *room) {
			r.tripped()
			for probes, wait := range []time.Duration{2, 4, 8} {
				r.later(r.waits(batch).For)
				told := r.meets(r.claim(batch), "x")
				if len(told) != 1 || told[0].Kind != reel.EventBreakerOpen {
					r.Fatalf("told %+v", told)
				}
				r.equal("outage", []any{told[0].Outage.Probes, r.waits(batch).For}, []any{probes + 1, wait * time.Minute})
			}
			r.later(r.waits(batch).For)
			told := r.meets(r.claim(batch), "y")
			r.equal("told", []any{len(told), told[0].Kind}, []any{1, reel.EventBreakerShut})
		}},
		{"what was in flight when it opened ends as it would, and does not count as a canary", func(r *room) {
			r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 3, Wait: reel.Seconds(time.Minute)}
			r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@e")
			r.start(batch)
			var flying []reel.Claim
			for range 4 {
				flying = append(flying, r.claim(batch))
			}
			r.meets(flying[0], "x")
			r.meets(flying[1], "x")
			was := *r.status(batch).Outage
			r.equal("one more", len(r.meets(flying[2], "x")), 0)
			r.intent(flying[3])
			r.equal("a post", len(r.hears(flying[3], r.signed(r.posted(flying[3]), ""))), 0)
			r.equal("outage", *r.status(batch).Outage, was)
			r.is(batch, "4", reel.Succeeded, "")
		}},
		{"a canary that ends without a word makes room for another", func(r *room) {
			r.tripped()
			r.later(time.Minute)
			c := r.claimAs(1, batch)
			r.waits(batch)
			e := r.failing(c, reel.Infrastructure, false) // settled for a supervisor that died
			e.From = reel.Running
			r.record(c, e)
			again := r.claim(batch)
			r.equal("another", []any{again.Canary, again.Job.ID == c.Job.ID}, []any{true, false})
		}},
		{"it is open after a restart, and the next run probes at once", func(r *room) {
			r.tripped()
			r.reopen()
			r.equal("wait", r.waits(batch).For, time.Minute)
			r.lead(batch)
			r.equal("canary", r.claim(batch).Canary, true)
			r.waits(batch)
		}},
		{"a run without a breaker forgets it, but not a time that the publisher named", func(r *room) {
			r.tripped()
			r.limits.Breaker.Fails = 0
			r.lead(batch)
			c := r.claim(batch)
			r.equal("canary", c.Canary, false)
			r.hears(c, r.signed(r.asking(c, reel.Infrastructure, reel.Pause{For: time.Hour, Publisher: true}), "x"))
			r.lead(batch)
			r.equal("wait", r.waits(batch).For, time.Hour)
		}},
		{"a person who resumes the batch has it probe at once", func(r *room) {
			r.tripped()
			r.must(r.Store.Pause(r.ctx, batch, false, "me"))
			r.equal("canary", r.claim(batch).Canary, true)
			r.waits(batch)
		}},
		{"what the publisher asks for holds the whole batch, costs no limit, and one job probes then", func(r *room) {
			r.limits.Infrastructure = 1
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			c := r.claim(batch)
			told := r.hears(c, r.signed(r.asking(c, reel.Infrastructure, reel.Pause{For: 90 * time.Second, Publisher: true}), "limited"))
			r.equal("told", []any{len(told), told[0].Outage.Asked, told[0].Outage.Failed}, []any{1, true, 0})
			r.is(batch, "1", reel.Failed, "")
			r.equal("wait", r.waits(batch).For, 90*time.Second)
			r.later(90 * time.Second)
			c = r.claim(batch)
			r.equal("canary", c.Canary, true)
			r.hears(c, r.signed(r.asking(c, reel.Infrastructure, reel.Pause{For: 10 * time.Second, Publisher: true}), "limited"))
			r.equal("wait", r.waits(batch).For, 10*time.Second)
			holds, err := r.Store.Holds(r.ctx, true)
			r.must(err)
			r.equal("holds of accounts", len(holds), 0)
		}},
		{"an outage that lasts for longer than a run waits ends the run: what was not attempted stays", func(r *room) {
			r.limits.MaxWait = reel.Seconds(3 * time.Minute)
			r.tripped()
			r.later(time.Minute)
			flying := r.claim(batch)
			_, err := r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.meets(flying, "x") // the next canary would be at minute 3
			_, err = r.advance(batch)
			r.wantErr(err, reel.ErrNotYet)
			r.later(2 * time.Minute)
			r.meets(r.claim(batch), "x")
			r.equal("over", r.status(batch).Outage.Over, true)
			r.later(24 * time.Hour)
			r.waits(batch)
			var over *reel.OutageError
			r.untouched("asking", func() {
				if _, err := r.advance(batch); !errors.As(err, &over) || over.Outage.Probes != 2 {
					r.Fatalf("%v", err)
				}
			})
			_, err = r.Store.StepDown(r.ctx, batch, r.terms[batch], over.Error())
			r.must(err)
			r.equal("totals", fmt.Sprint(r.status(batch).Totals.Pending, r.status(batch).Totals.Failed), "2 4")
			r.lead(batch)
			r.equal("canary of the next run", r.claim(batch).Canary, true)
		}},
		{"doubts are looked up after the outage; where nothing else is due, a look is the canary", func(r *room) {
			r.look = true
			r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 9, Wait: reel.Seconds(time.Minute)}
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			first, second, third := r.claim(batch), r.claim(batch), r.claim(batch)
			r.intent(first)
			r.intent(second)
			r.hears(first, r.signed(r.failing(first, reel.Infrastructure, true), "x"))
			told := r.hears(second, r.signed(r.failing(second, reel.Infrastructure, true), "x"))
			r.equal("doubts trip it as well", len(told), 1)
			r.publish(third)
			r.waits(batch)
			r.later(time.Minute)
			c := r.claim(batch)
			r.equal("look", []any{c.Lookup, c.Canary}, []any{true, true})
			r.waits(batch)
			_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Unsure}, reel.Decision{})
			r.must(err)
			c = r.claim(batch)
			r.equal("another look", []any{c.Lookup, c.Canary}, []any{true, true})
			events, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: reel.Found}, reel.Decision{})
			r.must(err)
			r.equal("closed", events[len(events)-1].Kind, reel.EventBreakerShut)
		}},
	}
}
