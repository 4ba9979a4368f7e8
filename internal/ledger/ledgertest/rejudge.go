package ledgertest

import (
	"fmt"
	"slices"
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// always is a table of rules that knows one verdict.
func always(c reel.Category) func(reel.Evidence) reel.Verdict {
	return func(reel.Evidence) reel.Verdict { return reel.Verdict{Category: c, Type: "taught", Rule: "my-rule"} }
}

// anew is what plan makes of a history by a table of rules.
func anew(judge func(reel.Evidence) reel.Verdict) func(reel.History) reel.Rejudgement {
	return func(h reel.History) reel.Rejudgement {
		return plan.Rejudge(h, judge, func(reel.Evidence, reel.Verdict, time.Time) reel.Pause { return reel.Pause{} })
	}
}

// keys lists the jobs of a batch that can be judged anew.
func (r *room) keys(batch string) []int64 {
	r.Helper()
	var keys []int64
	for page, err := range r.Store.Histories(r.ctx, batch) {
		r.must(err)
		for _, h := range page {
			keys = append(keys, h.Key)
		}
	}
	return keys
}

func (r *room) rejudge(batch string, judge func(reel.Evidence) reel.Verdict) []reel.Rejudgement {
	r.Helper()
	done, err := r.Store.Rejudge(r.ctx, batch, r.keys(batch), "me", anew(judge))
	r.must(err)
	return done
}

func (r *room) stepDown(batch string) {
	r.Helper()
	_, err := r.Store.StepDown(r.ctx, batch, r.terms[batch], "why")
	r.must(err)
}

// kinds lists what the journal tells after an event.
func (r *room) kinds(after int64) []reel.EventKind {
	r.Helper()
	events, err := r.Store.Journal(r.ctx, after, 100)
	r.must(err)
	var list []reel.EventKind
	for _, e := range events {
		list = append(list, e.Kind)
	}
	return list
}

func (r *room) head() int64 {
	r.Helper()
	seq, err := r.Store.Head(r.ctx)
	r.must(err)
	return seq
}

func rejudgeCases() []testCase {
	return []testCase{
		{"what has ended follows new verdicts in words and counts, and stays as it ended", func(r *room) {
			r.limits.Unknown, r.limits.MaxPasses = 2, 5
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			for range 3 {
				r.fail(r.claim(batch), reel.Unknown)
			}
			r.next(batch)
			r.publish(r.claim(batch))            // 1: posted after a failure
			r.fail(r.claim(batch), reel.Unknown) // 2: exhausted
			_, err := r.Store.Cancel(r.ctx, batch, "3", "me")
			r.must(err)
			r.next(batch)
			before := r.status(batch)
			seq := r.head()
			r.equal("renewed", len(r.rejudge(batch, always(reel.Infrastructure))), 3)
			r.equal("events", r.kinds(seq), []reel.EventKind{reel.EventRejudged, reel.EventRejudged, reel.EventRejudged, reel.EventRejudged})
			r.is(batch, "1", reel.Succeeded, "")
			r.is(batch, "2", reel.Exhausted, reel.ReasonUnknownLimit)
			r.is(batch, "3", reel.Cancelled, reel.ReasonCancelled)
			taught := always(reel.Infrastructure)(reel.Evidence{})
			r.equal("shown", []any{r.job(batch, "1").Verdict, r.job(batch, "2").Verdict, r.job(batch, "3").Verdict}, []any{reel.Verdict{}, taught, taught})
			r.equal("tally", r.job(batch, "2").Tally, reel.Tally{Attempts: 2, Infrastructure: 2})
			st, err := r.Store.Story(r.ctx, batch, "1")
			r.must(err)
			r.equal("its failure", st.Attempts[0].Verdict, taught)
			e := st.Events[len(st.Events)-1]
			r.equal("event", []any{e.Kind, e.Attempt, e.Pass, *e.Verdict, *e.Was, e.By, e.Decision}, []any{reel.EventRejudged, 1, 1, taught, verdict(reel.Unknown), "me", (*reel.Decision)(nil)})
			after := r.status(batch)
			r.equal("totals", after.Totals, before.Totals)
			for i, p := range after.Passes {
				was := before.Passes[i]
				was.Failed.Infrastructure, was.Failed.Unknown = was.Failed.Unknown, 0
				r.equal("pass", p, was)
			}
			r.untouched("the same once more", func() { r.rejudge(batch, always(reel.Infrastructure)) })
		}},
		{"a job that waits is decided anew by the new verdicts: content sets it aside, and a limit may be used up", func(r *room) {
			r.limits.Infrastructure, r.limits.Unknown = 2, 9
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Unknown)
			r.fail(r.claim(batch), reel.Unknown)
			r.stepDown(batch)
			r.rejudge(batch, func(e reel.Evidence) reel.Verdict {
				if e.Text == "what was seen of 1" {
					return always(reel.Content)(e)
				}
				return always(reel.Infrastructure)(e)
			})
			r.is(batch, "1", reel.SetAside, reel.ReasonContent)
			r.is(batch, "2", reel.Failed, "")
			r.equal("pass", r.status(batch).Passes[0].SetAside, 1)
			r.start(batch)
			r.equal("the other goes on", r.order(batch), "2")
		}},
		{"an earlier attempt's new verdict counts for the last one's limit, and the event stands at the last", func(r *room) {
			r.limits.Infrastructure, r.limits.Unknown = 2, 9
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Unknown)
			r.next(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.is(batch, "1", reel.Failed, "")
			r.stepDown(batch)
			seq := r.head()
			r.rejudge(batch, func(reel.Evidence) reel.Verdict { return verdict(reel.Infrastructure) })
			r.is(batch, "1", reel.Exhausted, reel.ReasonInfraLimit)
			events, err := r.Store.Journal(r.ctx, seq, 10)
			r.must(err)
			r.equal("events", []any{len(events), events[0].Attempt, events[0].Decision, events[1].Attempt, events[1].Decision.State, *events[1].Was},
				[]any{2, 1, (*reel.Decision)(nil), 2, reel.Exhausted, verdict(reel.Infrastructure)})
		}},
		{"an account verdict holds the account as in a run, and its other jobs are set aside with it", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b")
			r.start(batch)
			for range 3 {
				r.fail(r.claim(batch), reel.Unknown)
			}
			r.stepDown(batch)
			seq := r.head()
			r.rejudge(batch, func(e reel.Evidence) reel.Verdict {
				if e.Text == "what was seen of 3" {
					return verdict(reel.Unknown)
				}
				return always(reel.Account)(e)
			})
			r.equal("events", r.kinds(seq), []reel.EventKind{reel.EventRejudged, reel.EventHold, reel.EventHeldBack, reel.EventRejudged})
			r.is(batch, "1", reel.SetAside, reel.ReasonAccount)
			r.is(batch, "2", reel.SetAside, reel.ReasonAccountHold)
			r.is(batch, "3", reel.Failed, "")
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("hold", []any{len(holds), holds[0].Account, holds[0].Job, holds[0].Waiting}, []any{1, "a", reel.JobID("1"), 1})
			n, err := r.Store.ReleaseAccount(r.ctx, "a", "me", true)
			r.must(err)
			r.equal("returned", n, 2)
		}},
		{"an account that has posted since, or was released since, is not held", func(r *room) {
			r.limits.MaxPasses = 9
			r.add(batch, "1@a", "2@b", "3@c")
			r.add("other", "4@a")
			r.start(batch)
			for range 3 {
				r.fail(r.claim(batch), reel.Unknown)
			}
			r.stepDown(batch)
			r.later(time.Minute)
			r.start("other")
			r.publish(r.claim("other"))
			r.must(r.Store.HoldAccount(r.ctx, "b", "me", "why", r.now().Add(time.Hour)))
			_, err := r.Store.ReleaseAccount(r.ctx, "b", "me", false)
			r.must(err)
			r.rejudge(batch, always(reel.Account))
			for _, id := range []reel.JobID{"1", "2", "3"} {
				r.is(batch, id, reel.SetAside, reel.ReasonAccount)
			}
			holds, err := r.Store.Holds(r.ctx, false)
			r.must(err)
			r.equal("holds", []any{len(holds), holds[0].Account}, []any{1, "c"})
		}},
		{"what was forgiven and what was free stays so under its new name", func(r *room) {
			r.limits.Infrastructure, r.limits.Unknown = 2, 1
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Unknown)
			r.is(batch, "1", reel.Exhausted, reel.ReasonUnknownLimit)
			_, err := r.Store.Retry(r.ctx, batch, "1", "me")
			r.must(err)
			r.next(batch)
			c := r.claim(batch)
			r.record(c, r.asking(c, reel.Infrastructure, reel.Pause{For: time.Second}))
			r.later(time.Second)
			r.next(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.is(batch, "1", reel.Failed, "")
			r.stepDown(batch)
			r.rejudge(batch, always(reel.Infrastructure))
			j := r.job(batch, "1")
			r.equal("forgiven", []any{j.State, j.Tally, j.Forgiven},
				[]any{reel.Failed, reel.Tally{Attempts: 3, Infrastructure: 3}, reel.Tally{Attempts: 2, Infrastructure: 2}})
		}},
		{"jobs in somebody's hands or in doubt are left alone", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			for range 3 {
				r.fail(r.claim(batch), reel.Unknown)
			}
			r.next(batch)
			keys := r.keys(batch)
			r.claim(batch)
			r.doubt(r.claim(batch), reel.Unknown)
			r.stepDown(batch)
			done, err := r.Store.Rejudge(r.ctx, batch, keys, "me", anew(always(reel.Content)))
			r.must(err)
			r.equal("renewed", len(done), 1)
			r.is(batch, "1", reel.Running, "")
			r.is(batch, "2", reel.InDoubt, "")
			r.is(batch, "3", reel.SetAside, reel.ReasonContent)
			r.equal("left", r.job(batch, "1").Verdict, verdict(reel.Unknown))
		}},
		{"it is refused, by name, while a run leads the batch", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Unknown)
			keys := r.keys(batch)
			r.untouched("a refused rejudgement", func() {
				_, err := r.Store.Rejudge(r.ctx, batch, keys, "me", anew(always(reel.Content)))
				r.wantErr(err, reel.ErrRefused)
				if want := `batch "b" is led by host:0: refused`; err.Error() != want {
					r.Errorf("%q, want %q", err, want)
				}
			})
			r.later(reel.LeaseTTL) // its leader is dead
			r.equal("renewed", len(r.rejudge(batch, always(reel.Content))), 1)
			_, err := r.Store.Rejudge(r.ctx, "none", keys, "me", anew(always(reel.Content)))
			r.wantErr(err, reel.ErrNotFound)
			for _, err := range r.Store.Histories(r.ctx, "none") {
				r.wantErr(err, reel.ErrNotFound)
			}
		}},
		{"a job that ended as a duplicate shows no verdict, and gets none", func(r *room) {
			r.add(batch, "1@a")
			again := post("2@a")
			again.VideoPath = "/v/1.mp4"
			_, err := r.load(batch, again)
			r.must(err)
			r.start(batch)
			r.publish(r.claim(batch))
			r.fail(r.claim(batch), reel.Unknown)
			r.next(batch)
			c := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, r.fp(c), false)
			r.wantErr(err, reel.ErrDuplicate)
			r.stepDown(batch)
			r.equal("renewed", len(r.rejudge(batch, always(reel.Content))), 1)
			j := r.job(batch, "2")
			r.equal("shown", []any{j.Reason, j.Verdict, j.Tally}, []any{reel.ReasonDuplicate, reel.Verdict{}, reel.Tally{Attempts: 1, Content: 1}})
		}},
		{"it goes over a batch whose jobs lie far apart", func(r *room) {
			r.add(batch, "1@a")
			var others []string
			for n := range 1100 {
				others = append(others, fmt.Sprintf("o%d@c", n))
			}
			r.add("others", others...)
			r.add(batch, "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Unknown)
			r.fail(r.claim(batch), reel.Unknown)
			r.stepDown(batch)
			pages := 0
			for page, err := range r.Store.Histories(r.ctx, batch) {
				r.must(err)
				r.equal("jobs", len(page), 1)
				pages++
			}
			r.equal("pages", pages, 2)
			r.equal("renewed", len(r.rejudge(batch, always(reel.Content))), 2)
		}},
		{"half of a rejudgement, and then the whole of it, is the same as the whole at once", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b", "4@b")
			r.start(batch)
			for range 4 {
				r.fail(r.claim(batch), reel.Unknown)
			}
			r.stepDown(batch)
			_, err := r.Store.Rejudge(r.ctx, batch, r.keys(batch)[:2], "me", anew(always(reel.Account)))
			r.must(err)
			r.reopen()
			r.rejudge(batch, always(reel.Account))
			r.equal("states", r.status(batch).Totals.SetAside, 4)
			r.equal("pass", r.status(batch).Passes[0].Failed, reel.Failures{Account: 4})
			told := slices.DeleteFunc(r.Journal(r.T), func(e reel.Event) bool { return e.Kind != reel.EventRejudged })
			r.equal("each once", len(told), 4)
		}},
	}
}
