package ledgertest

import (
	"errors"
	"strings"

	"reelpass/internal/reel"
)

// newer is a supervisor of the generation after the others'.
func newer() reel.Supervisor {
	s := sup(9)
	s.Generation, s.Version, s.Process.Host = 1, "v9", "another"
	return s
}

// skewed checks that an error says who is refused, and returns its text.
func (r *room) skewed(err error, older bool) string {
	r.Helper()
	var skew *reel.SkewError
	if !errors.As(err, &skew) || !errors.Is(err, reel.ErrRefused) || skew.Older() != older {
		r.Fatalf("got %v, want a refusal, older: %t", err, older)
	}
	return err.Error()
}

func (r *room) bid(s reel.Supervisor) error {
	r.Helper()
	l, err := r.Store.Leader(r.ctx, batch)
	r.must(err)
	round, _, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: s, Term: l.Term, Limits: r.limits})
	if err == nil {
		r.terms[batch] = round.Term
	}
	return err
}

func skewCases() []testCase {
	return []testCase{
		{"who goes by other rules than the leader claims nothing, and is told both", func(r *room) {
			r.must(r.Store.Enlist(newer()))
			r.add(batch, "1@a", "2@b")
			r.must(r.bid(newer()))
			r.next(batch)
			r.untouched("a claim by older rules", func() {
				_, _, err := r.Store.Claim(r.ctx, claimant(batch, 0))
				text := r.skewed(err, true)
				for _, want := range []string{"reelpass v9 (generation 1) of host:9", "generation 0", "the older"} {
					if !strings.Contains(text, want) {
						r.Errorf("%q does not say %q", text, want)
					}
				}
			})
			c := claimant(batch, 0)
			c.Supervisor = newer().ID
			got, _, err := r.Store.Claim(r.ctx, c)
			r.must(err)
			r.publish(got)
			same := newer()
			same.ID, same.Version = "another build", "v9.1"
			r.must(r.Store.Enlist(same))
			c.Supervisor = same.ID
			got, _, err = r.Store.Claim(r.ctx, c)
			r.must(err)
			r.publish(got)
			l, err := r.Store.Leader(r.ctx, batch)
			r.must(err)
			r.equal("leader", []any{l.Leader.Generation, l.Leader.Version}, []any{1, "v9"})
		}},
		{"a claim that is refused for its rules leaves what was done before to be recorded alone", func(r *room) {
			r.must(r.Store.Enlist(newer()))
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			c := r.claim(batch)
			r.intent(c)
			r.must(r.Exec(`UPDATE batch SET generation=1`)) // as if newer rules had not waited for it
			next := claimant(batch, 0)
			next.Done = &reel.Ended{Claim: c, Ending: r.posted(c)}
			r.untouched("the claim", func() {
				_, _, err := r.Store.Claim(r.ctx, next)
				r.skewed(err, true)
			})
			r.record(c, r.posted(c))
			r.is(batch, "1", reel.Succeeded, "")
		}},
		{"newer rules take a batch over when nobody of the older ones is at work on it; older ones never do", func(r *room) {
			r.must(r.Store.Enlist(newer()))
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			c := r.claim(batch)
			r.untouched("the newer bid", func() {
				if text := r.skewed(r.bid(newer()), false); !strings.Contains(text, "is worked on by generation 0 of host:0") {
					r.Error(text)
				}
			})
			r.publish(c)
			r.claim(batch) // whoever has it dies
			r.later(reel.LeaseTTL)
			r.must(r.bid(newer()))
			r.untouched("the older bid", func() { r.skewed(r.bid(sup(0)), true) })
		}},
		{"a ledger is a rehearsal's, or it is not", func(r *room) {
			s := newer()
			s.Rehearsal = true
			r.untouched("a rehearsal among real runs", func() { r.wantErr(r.Store.Enlist(s), reel.ErrRefused) })
			r.must(r.Exec(`DELETE FROM supervisor`))
			r.must(r.Store.Enlist(s))
			r.must(r.Store.Enlist(s)) // twice is once
			r.untouched("a real run among rehearsals", func() { r.wantErr(r.Store.Enlist(sup(1)), reel.ErrRefused) })
		}},
	}
}
