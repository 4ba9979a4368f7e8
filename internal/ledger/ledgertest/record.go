package ledgertest

import (
	"reelpass/internal/reel"
)

func recordCases() []testCase {
	return []testCase{
		{"a post is kept with its receipt, and shows no error of earlier attempts", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.is(batch, "1", reel.Failed, "")
			r.equal("error", r.job(batch, "1").Error, "what was seen of 1")
			r.next(batch)
			c := r.claim(batch)
			r.intent(c)
			events, err := r.Store.Record(r.ctx, c, r.posted(c))
			r.must(err)
			if len(events) != 1 || events[0].Kind != reel.EventSucceeded || events[0].Receipt.ID != "r-1" {
				r.Errorf("events: %+v", events)
			}
			st, err := r.Store.Story(r.ctx, batch, "1")
			r.must(err)
			r.equal("receipt", st.Record.Receipt, reel.Receipt{ID: "r-1", URL: "https://example.org/1"})
			r.equal("tally", st.Record.Tally, reel.Tally{Attempts: 2, Infrastructure: 1})
			r.equal("pass", st.Record.Pass, 2)
			if len(st.Attempts) != 2 || st.Attempts[0].Verdict != verdict(reel.Infrastructure) || st.Attempts[0].Evidence.Text != "what was seen of 1" ||
				st.Attempts[1].Outcome != reel.OutcomeSucceeded || !st.Attempts[1].ShareBegun {
				r.Errorf("attempts: %+v", st.Attempts)
			}
		}},
		{"an end is recorded once", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.intent(c)
			r.record(c, r.posted(c))
			r.untouched("a second end", func() {
				for _, e := range []reel.Ending{r.posted(c), r.failing(c, reel.Account, false), r.failing(c, reel.Unknown, true)} {
					_, err := r.Store.Record(r.ctx, c, e)
					r.wantErr(err, reel.ErrLost)
				}
			})
		}},
		{"a late word under an old fence changes nothing at all", func(r *room) {
			r.look = true
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			old := r.claim(batch)
			r.fail(old, reel.Infrastructure) // as a sweeper settles it
			other := r.claim(batch)
			r.doubt(other, reel.Infrastructure)
			look := r.claim(batch)
			r.must(r.Store.Release(r.ctx, look))
			again := r.claim(batch)
			r.equal("the look", again.Key, look.Key)
			r.untouched("a late word", func() {
				for _, e := range []reel.Ending{r.posted(old), r.failing(old, reel.Account, false), r.failing(old, reel.Unknown, true)} {
					_, err := r.Store.Record(r.ctx, old, e)
					r.wantErr(err, reel.ErrLost)
				}
				_, err := r.Store.Intent(r.ctx, old, r.fp(old), true)
				r.wantErr(err, reel.ErrLost)
				for _, f := range []reel.Finding{reel.Found, reel.Absent, reel.Unsure} {
					_, err = r.Store.RecordLook(r.ctx, look, reel.Look{Finding: f}, r.absent(look))
					r.wantErr(err, reel.ErrLost)
				}
				_ = r.Store.Release(r.ctx, look)
				r.Store.Started(old.Lease, reel.Process{Host: "host", PID: 5, Started: 5})
				_, _, err = r.Store.Claim(r.ctx, claimant("none", 0)) // carries the note along
				r.wantErr(err, reel.ErrNotFound)
			})
		}},
		{"a late word changes nothing while another has the job", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			old := r.claim(batch)
			r.fail(old, reel.Infrastructure)
			r.next(batch)
			c := r.claimAs(1, batch)
			late := func() {
				r.Helper()
				r.untouched("a late word", func() {
					for _, e := range []reel.Ending{r.posted(old), r.failing(old, reel.Account, false), r.failing(old, reel.Unknown, true)} {
						_, err := r.Store.Record(r.ctx, old, e)
						r.wantErr(err, reel.ErrLost)
					}
					_, err := r.Store.Intent(r.ctx, old, r.fp(old), true)
					r.wantErr(err, reel.ErrLost)
				})
			}
			late()
			r.intent(c)
			late()
			r.record(c, r.posted(c))
			late()
		}},
		{"each failure is counted in its category and its pass alone", func(r *room) {
			r.limits.AccountHold = false
			r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@e", "6@f")
			r.start(batch)
			for _, cat := range []reel.Category{reel.Account, reel.Content, reel.Infrastructure, reel.Unknown} {
				r.fail(r.claim(batch), cat)
			}
			r.doubt(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.next(batch)
			r.publish(r.claim(batch))
			r.fail(r.claim(batch), reel.Unknown)
			n, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.equal("pass", n, 0)
			st := r.status(batch)
			for i := range st.Passes {
				st.Passes[i].StartedAt, st.Passes[i].EndedAt = r.now(), r.now()
			}
			r.equal("passes", st.Passes, []reel.PassStats{
				{
					Pass: 1, Processed: 6, Succeeded: 1, Failed: reel.Failures{Account: 1, Content: 1, Infrastructure: 1, Unknown: 1}, InDoubt: 1, SetAside: 2,
					Retryable: 2, SuccessRate: 16.7, StartedAt: r.now(), EndedAt: r.now(),
				},
				{Pass: 2, Processed: 2, Succeeded: 1, Failed: reel.Failures{Unknown: 1}, Exhausted: 1, SuccessRate: 50, StartedAt: r.now(), EndedAt: r.now()},
			})
			r.equal("totals", st.Totals, reel.Totals{Jobs: 6, Succeeded: 2, SetAside: 2, Exhausted: 1, InDoubt: 1, Attempts: 8})
		}},
		{"a doubt keeps the job out of every pass", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.doubt(r.claim(batch), reel.Infrastructure)
			r.nothing(batch)
			_, result := r.next(batch)
			r.equal("result", result, reel.OnlyNonRetryable)
			r.nothing(batch)
			r.lead(batch)
			_, result = r.next(batch)
			r.equal("result of another run", result, reel.OnlyNonRetryable)
		}},
		{"the journal cannot be changed, and keeps every step in order", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.publish(r.claim(batch))
			r.next(batch)
			var kinds []reel.EventKind
			last := int64(0)
			for _, e := range r.Journal(r.T) {
				kinds = append(kinds, e.Kind)
				if e.Seq <= last || e.At.IsZero() {
					r.Errorf("event %d after %d, at %s", e.Seq, last, e.At)
				}
				last = e.Seq
			}
			r.equal("journal", kinds, []reel.EventKind{
				reel.EventImported, reel.EventRunStarted, reel.EventPassOpened, reel.EventClaimed, reel.EventIntent,
				reel.EventSucceeded, reel.EventPassClosed, reel.EventFinished,
			})
			r.untouched("tampering with the journal", func() {
				for _, q := range []string{`UPDATE event SET kind='x'`, `DELETE FROM event`, `DELETE FROM event WHERE seq=1`} {
					if r.Exec(q) == nil {
						r.Errorf("%s was allowed", q)
					}
				}
			})
		}},
		{"what was told of a change is what the journal keeps", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.lead(batch)
			var told []reel.Event
			keep := func(events []reel.Event, err error) { r.Helper(); r.must(err); told = append(told, events...) }
			keep(r.Store.OpenPass(r.ctx, batch, r.terms[batch], 1))
			c, events, err := r.Store.Claim(r.ctx, claimant(batch, 0))
			keep(events, err)
			keep(r.Store.Intent(r.ctx, c, r.fp(c), false))
			e := r.failing(c, reel.Account, false)
			keep(r.Store.Record(r.ctx, c, e))
			all := r.Journal(r.T)
			all = all[len(all)-len(told):]
			for i := range told {
				a, b := told[i], all[i]
				if a.Seq != b.Seq || a.Kind != b.Kind || a.Job != b.Job || !a.At.Equal(b.At) || a.Text != b.Text || a.Count != b.Count {
					r.Errorf("told %+v, kept %+v", a, b)
				}
			}
			r.equal("last", told[len(told)-1].Kind, reel.EventHeldBack)
		}},
	}
}
