package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// room is where a case plays: a store, a clock that stands still, two supervisors, and short words for what happens.
type room struct {
	*testing.T
	Fixture
	ctx    context.Context
	time   atomic.Int64 // milliseconds
	terms  map[string]int64
	limits reel.Limits
	look   bool
	big    bool // too many jobs to look at each at the end
}

const batch = "b" // the batch of most cases

func sup(n int) reel.Supervisor {
	return reel.Supervisor{
		ID: fmt.Sprintf("sup-%d", n), Name: fmt.Sprintf("host:%d", n),
		Process: reel.Process{Host: "host", PID: 1000 + n, Started: int64(n)},
	}
}

func newRoom(t *testing.T, make Factory) *room {
	r := &room{T: t, ctx: t.Context(), terms: map[string]int64{}, limits: reel.DefaultLimits()}
	r.time.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli())
	r.Fixture = make(t, r.now)
	for n := range 3 {
		r.must(r.Store.Enlist(sup(n)))
	}
	return r
}

func (r *room) now() time.Time        { return time.UnixMilli(r.time.Load()).UTC() }
func (r *room) later(d time.Duration) { r.time.Add(d.Milliseconds()) }
func (r *room) reopen()               { r.Store = r.Reopen(r.T) }
func (r *room) fp(c reel.Claim) reel.Fingerprint {
	return byHash("sha256:"+c.Job.VideoPath, c.Job.VideoPath)
}

func byHash(key, path string) reel.Fingerprint {
	return reel.Fingerprint{Key: key, Path: "path:" + path}
}

func (r *room) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *room) wantErr(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("got error %v, want %v", err, want)
	}
}

func (r *room) equal(what string, got, want any) {
	r.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		r.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// post is a row: "id@account", its video named after it.
func post(spec string) reel.Post {
	id, account, _ := strings.Cut(spec, "@")
	return reel.Post{Job: reel.Job{ID: reel.JobID(id), Account: account, VideoPath: "/v/" + id + ".mp4", Caption: "caption of " + id}}
}

// add imports rows "id@account".
func (r *room) add(batch string, specs ...string) ledger.ImportReport {
	r.Helper()
	var rows []reel.Post
	for _, s := range specs {
		rows = append(rows, post(s))
	}
	rep, err := r.load(batch, rows...)
	r.must(err)
	return rep
}

func (r *room) load(batch string, rows ...reel.Post) (ledger.ImportReport, error) {
	rep, err := r.Store.Import(r.ctx, batch, func(yield func(reel.Post, error) bool) {
		for i, p := range rows {
			if p.Line = i + 2; !yield(p, nil) {
				return
			}
		}
	})
	return rep, err
}

// lead makes supervisor 0 the leader, whoever leads now.
func (r *room) lead(batch string) reel.Round {
	r.Helper()
	l, err := r.Store.Leader(r.ctx, batch)
	r.must(err)
	round, _, err := r.Store.Lead(r.ctx, reel.Bid{Batch: batch, Leader: sup(0), Term: l.Term, Limits: r.limits, Workers: 1, Look: r.look})
	r.must(err)
	r.terms[batch] = round.Term
	return round
}

func (r *room) advance(batch string) (reel.Step, error) {
	step, _, err := r.Store.Advance(r.ctx, batch, r.terms[batch], func(s reel.Standing) reel.Step { return plan.Next(s, r.limits) })
	return step, err
}

// next closes the open pass, waits, and opens the next one; it returns the pass, or 0 and the result.
func (r *room) next(batch string) (int, reel.Result) {
	r.Helper()
	step, err := r.advance(batch)
	r.must(err)
	if step.Open == 0 {
		return 0, step.Result
	}
	r.later(step.Wait)
	_, err = r.Store.OpenPass(r.ctx, batch, r.terms[batch], step.Open)
	r.must(err)
	return step.Open, ""
}

// start leads the batch and opens its next pass.
func (r *room) start(batch string) int {
	r.Helper()
	r.lead(batch)
	n, _ := r.next(batch)
	return n
}

func claimant(batch string, supervisor int) reel.Claimant {
	return reel.Claimant{
		Batch: batch, Supervisor: sup(supervisor).ID, Worker: supervisor + 1,
		Process: reel.Process{Host: "host", PID: 2000 + supervisor, Started: 7},
	}
}

func (r *room) claimAs(supervisor int, batch string) reel.Claim {
	r.Helper()
	c, _, err := r.Store.Claim(r.ctx, claimant(batch, supervisor))
	r.must(err)
	return c
}

func (r *room) claim(batch string) reel.Claim { r.Helper(); return r.claimAs(0, batch) }

// nothing says that no job of the batch can be claimed.
func (r *room) nothing(batch string) {
	r.Helper()
	c, _, err := r.Store.Claim(r.ctx, claimant(batch, 0))
	if !errors.Is(err, reel.ErrNothingDue) {
		r.Fatalf("claimed %q (%v), want nothing due", c.Job.ID, err)
	}
}

// order claims everything that is due, leaves it in flight, and returns the ids.
func (r *room) order(batch string) string {
	r.Helper()
	var ids []string
	for {
		c, _, err := r.Store.Claim(r.ctx, claimant(batch, 0))
		if errors.Is(err, reel.ErrNothingDue) {
			return strings.Join(ids, " ")
		}
		r.must(err)
		ids = append(ids, string(c.Job.ID))
	}
}

func (r *room) intent(c reel.Claim) {
	r.Helper()
	_, err := r.Store.Intent(r.ctx, c, r.fp(c), false)
	r.must(err)
}

func (r *room) attempt(c reel.Claim, o reel.Outcome) reel.Attempt {
	return reel.Attempt{Number: c.Attempt, Pass: c.Pass, Worker: c.Worker, Host: "host", StartedAt: r.now(), EndedAt: r.now(), Outcome: o}
}

func (r *room) posted(c reel.Claim) reel.Ending {
	a := r.attempt(c, reel.OutcomeSucceeded)
	a.ShareBegun, a.Receipt = true, reel.Receipt{ID: "r-" + string(c.Job.ID), URL: "https://example.org/" + string(c.Job.ID)}
	return reel.Ending{Attempt: a, Decision: plan.Posted()}
}

func verdict(c reel.Category) reel.Verdict {
	return reel.Verdict{Category: c, Type: "some_type", Rule: "some-rule"}
}

// failing is a failed attempt, decided as the runner decides it; begun makes a doubt of it.
func (r *room) failing(c reel.Claim, cat reel.Category, begun bool) reel.Ending {
	return r.ending(c, cat, begun, reel.Pause{})
}

// asking is a failed attempt that asked to wait.
func (r *room) asking(c reel.Claim, cat reel.Category, p reel.Pause) reel.Ending {
	return r.ending(c, cat, false, p)
}

func (r *room) ending(c reel.Claim, cat reel.Category, begun bool, p reel.Pause) reel.Ending {
	a := r.attempt(c, reel.OutcomeFailed)
	a.Verdict, a.ShareBegun = verdict(cat), begun
	a.Evidence = reel.Evidence{Source: reel.SourceTool, Text: "what was seen of " + string(c.Job.ID), ShareBegun: begun}
	d := plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass, MaxAttempts: c.Job.MaxAttempts, ShareBegun: begun, Pause: p}, a.Verdict, r.limits)
	if begun {
		a.Outcome = reel.OutcomeInDoubt
	}
	return reel.Ending{Attempt: a, Decision: d, Look: r.look && !d.Hold}
}

func (r *room) record(c reel.Claim, e reel.Ending) {
	r.Helper()
	_, err := r.Store.Record(r.ctx, c, e)
	r.must(err)
}

func (r *room) publish(c reel.Claim) { r.Helper(); r.intent(c); r.record(c, r.posted(c)) }

func (r *room) fail(c reel.Claim, cat reel.Category) {
	r.Helper()
	r.record(c, r.failing(c, cat, false))
}

func (r *room) doubt(c reel.Claim, cat reel.Category) {
	r.Helper()
	r.intent(c)
	r.record(c, r.failing(c, cat, true))
}

// absent decides what becomes of an in-doubt job that is not posted, as the runner does.
func (r *room) absent(c reel.Claim) reel.Decision {
	before := c.Tally
	before.Attempts--
	d := plan.After(plan.Try{Tally: before, Pass: c.Pass, LastPass: c.LastPass, MaxAttempts: c.Job.MaxAttempts}, c.Doubt.Verdict, r.limits)
	d.Hold = false
	return d
}

func (r *room) job(batch string, id reel.JobID) reel.Record {
	r.Helper()
	st, err := r.Store.Story(r.ctx, batch, id)
	r.must(err)
	return st.Record
}

// is checks a job's state, and its reason where the state has one.
func (r *room) is(batch string, id reel.JobID, state reel.State, reason reel.Reason) {
	r.Helper()
	if j := r.job(batch, id); j.State != state || j.Reason != reason {
		r.Errorf("job %s of %s is %s %q, want %s %q", id, batch, j.State, j.Reason, state, reason)
	}
}

func (r *room) status(batch string) reel.Status {
	r.Helper()
	st, err := r.Store.Status(r.ctx, batch)
	r.must(err)
	return st
}

// untouched checks that try changes nothing in any table.
func (r *room) untouched(what string, try func()) {
	r.Helper()
	before := r.Dump(r.T)
	try()
	if after := r.Dump(r.T); after != before {
		r.Errorf("%s changed the ledger:\n%s", what, difference(before, after))
	}
}

// difference shows the lines that only one of two texts has.
func difference(a, b string) string {
	had, has := map[string]bool{}, map[string]bool{}
	for l := range strings.Lines(a) {
		had[l] = true
	}
	for l := range strings.Lines(b) {
		has[l] = true
	}
	var out strings.Builder
	for l := range strings.Lines(a) {
		if !has[l] {
			out.WriteString("- " + l)
		}
	}
	for l := range strings.Lines(b) {
		if !had[l] {
			out.WriteString("+ " + l)
		}
	}
	return out.String()
}
