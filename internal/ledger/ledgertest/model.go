package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// TestModel drives a store with random steps, tells a simple model of the same, and compares them after each.
func TestModel(t *testing.T, make Factory) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, newRoom(t, make))
		defer m.room.Store.Close()
		steps := m.steps()
		rt.Repeat(map[string]func(*rapid.T){"": m.check, "some steps": func(rt *rapid.T) {
			for range rapid.IntRange(1, 5).Draw(rt, "steps") {
				m.T = rt
				steps[rapid.IntRange(0, len(steps)-1).Draw(rt, "step")]()
				m.check(rt)
			}
		}})
		m.fatal(m.room.unsound())
	})
}

// model is what a ledger should be: two batches, three accounts, a few videos.
type model struct {
	*rapid.T
	room    *room
	checks  int
	jobs    []*modelJob // in file order
	batches map[string]*modelBatch
	held    map[string]bool      // until a person releases it
	until   map[string]time.Time // held until then
	claims  []*modelClaim        // all that were ever made
	gone    map[string]int       // by account and video: gos that may have become posts
}

type modelBatch struct {
	pass, base   int
	open, paused bool
	led          bool
	until        time.Time // led until then, as long as nobody renews it
	term         int64
	result       reel.Result
	breaker      reel.Breaker
	attempts     int
}

type modelJob struct {
	batch string
	reel.Job
	state    reel.State
	aside    bool // set aside by its account's hold
	due      int
	look     bool // to be looked at
	again    bool // the same, in the next pass
	attempts int
	claim    *modelClaim // in flight
	away     *modelClaim // settled by another host, while its worker may still act
}

type modelClaim struct {
	reel.Claim
	job   *modelJob
	sup   int
	until time.Time
}

func newModel(rt *rapid.T, r *room) *model {
	r.look = true
	r.limits.MaxPasses, r.limits.MaxWait = 3, reel.Seconds(time.Minute)
	r.limits.Breaker = reel.BreakerLimits{Fails: 2, Of: 3, Wait: reel.Seconds(5 * time.Second)}
	m := &model{T: rt, room: r, batches: map[string]*modelBatch{}, held: map[string]bool{}, until: map[string]time.Time{}, gone: map[string]int{}}
	for _, b := range []string{"x", "y"} {
		m.batches[b] = &modelBatch{}
		m.bring(b, 3)
	}
	return m
}

func (m *model) fatal(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// expect compares an answer with the one that the model gives.
func (m *model) expect(what string, got, want error) {
	m.Helper()
	if !errors.Is(got, want) {
		m.Fatalf("%s: got %v, the model says %v", what, got, want)
	}
}

func (m *model) bring(batch string, n int) {
	var rows []reel.Post
	for range n {
		p := post(fmt.Sprintf("%s%d@%s", batch, len(m.jobs), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.T, "account")))
		p.VideoPath = rapid.SampledFrom([]string{"/1", "/2", "/3", "/4", "/5", "/6"}).Draw(m.T, "video")
		rows = append(rows, p)
		m.jobs = append(m.jobs, &modelJob{batch: batch, Job: p.Job, state: reel.Pending, due: m.batches[batch].pass + 1})
	}
	_, err := m.room.load(batch, rows...)
	m.fatal(err)
}

func (m *model) anyBatch() string { return rapid.SampledFrom([]string{"x", "y"}).Draw(m.T, "batch") }

// of lists the jobs of a batch that which chooses.
func (m *model) of(batch string, which func(*modelJob) bool) []*modelJob {
	var some []*modelJob
	for _, j := range m.jobs {
		if j.batch == batch && which(j) {
			some = append(some, j)
		}
	}
	return some
}

func (m *model) busy(account string) bool {
	return slices.ContainsFunc(m.jobs, func(j *modelJob) bool { return j.Account == account && j.claim != nil })
}

// check compares the jobs after each step, and everything after some.
func (m *model) check(rt *rapid.T) {
	m.T = rt
	for name := range m.batches {
		for rec, err := range m.room.Store.Jobs(m.room.ctx, name, ledger.Filter{}) {
			m.fatal(err)
			i := slices.IndexFunc(m.jobs, func(j *modelJob) bool { return j.batch == name && j.ID == rec.ID })
			j := m.jobs[i]
			if j.state.Ready() && m.setsAside(j.Account) && rec.State == reel.SetAside && rec.Reason == reel.ReasonAccountHold {
				j.state, j.aside = reel.SetAside, true // on the way of a claim, which may pass it or not
			}
			if rec.State != j.state || rec.Tally.Attempts != j.attempts {
				m.Fatalf("job %s is %s with %d attempts, the model says %s with %d", j.ID, rec.State, rec.Tally.Attempts, j.state, j.attempts)
			}
		}
	}
	for what, n := range m.gone {
		if n > 1 {
			m.Fatalf("%s may be posted %d times", what, n)
		}
	}
	if m.checks++; m.checks%10 == 0 {
		m.fatal(m.room.unsound())
	}
}

// steps are what may happen; the usual is there more often. One that does not apply does nothing.
func (m *model) steps() []func() {
	return []func(){
		m.tryImport, m.tryLead, m.tryPass, m.tryPass, m.tryPass, m.tryPass, m.tryClaim, m.tryClaim, m.tryClaim, m.tryClaim, m.tryIntent, m.tryIntent,
		m.tryIntent, m.tryRecord, m.tryRecord, m.tryRecord, m.tryRecord, m.tryLook, m.tryLook, m.trySettle, m.trySettle, m.tryLate, m.tryTime, m.tryWord,
		m.tryPause, m.tryHold, m.tryRelease, m.tryRetry, m.tryCancel, m.tryResolve, m.tryRejudge,
		m.tryStepDown, m.tryReopen,
	}
}

func (m *model) tryImport() {
	if len(m.jobs) >= 16 {
		return
	}
	m.bring(m.anyBatch(), rapid.IntRange(1, 2).Draw(m.T, "rows"))
}

func (m *model) tryLead() { m.lead(m.anyBatch()) }

func (m *model) lead(name string) {
	b := m.batches[name]
	round, _, err := m.room.Store.Lead(m.room.ctx, reel.Bid{Batch: name, Leader: sup(0), Term: b.term, Limits: m.room.limits, Look: true})
	m.fatal(err)
	m.room.terms[name] = round.Term
	b.term, b.led, b.until = round.Term, true, m.room.now().Add(reel.LeaseTTL)
	m.expire()
	b.breaker = b.breaker.Renewed(m.room.now(), m.room.limits)
	looks := m.of(name, func(j *modelJob) bool { return j.state == reel.InDoubt && j.claim == nil && !m.setsAside(j.Account) })
	for _, j := range looks {
		j.look, j.again = true, false
	}
	ready := m.of(name, func(j *modelJob) bool { return j.state.Ready() })
	if b.result != "" && (len(ready) > 0 || len(looks) > 0) {
		b.result, b.base = "", b.pass
	}
	m.aside(name, "")
	if round.Pass != b.pass || round.Open != b.open || round.Base != b.base {
		m.Fatalf("round %+v, the model says %+v", round, *b)
	}
}

func (m *model) tryPass() {
	name := m.anyBatch()
	b := m.batches[name]
	if !b.led && rapid.Bool().Draw(m.T, "lead first") {
		m.lead(name)
	}
	step, err := m.room.advance(name)
	flying := m.of(name, func(j *modelJob) bool { return j.claim != nil })
	busy := m.of(name, func(j *modelJob) bool {
		return j.claim != nil || j.look && !m.far(j.Account) || b.open && j.state.Ready() && j.due == b.pass && !m.waits(j.Account)
	})
	var outage *reel.OutageError
	switch {
	case !b.led:
		m.expect("advance", err, reel.ErrLost)
		return
	case len(busy) > 0 && len(flying) == 0 && b.breaker.Outage != nil && b.breaker.Outage.Over:
		if !errors.As(err, &outage) {
			m.Fatalf("advance: %v, the model says that the outage is too long", err)
		}
		return
	case len(busy) > 0:
		m.expect("advance", err, reel.ErrNotYet)
		return
	}
	m.fatal(err)
	m.expire()
	m.aside(name, "")
	waiting := m.of(name, func(j *modelJob) bool { return b.open && j.state.Ready() && j.due == b.pass })
	others := m.of(name, func(j *modelJob) bool { return j.state.Ready() && j.due == b.pass+1 && !m.waits(j.Account) })
	if stay := len(waiting) > 0 && (len(others) == 0 || b.pass-b.base >= 3); stay != step.Stay {
		m.Fatalf("step %+v with %d waiting and %d others in %+v", step, len(waiting), len(others), *b)
	} else if stay {
		return
	}
	for _, j := range waiting {
		j.due = b.pass + 1
	}
	b.open = false
	ready := func(j *modelJob) bool { return j.state.Ready() }
	if due := m.of(name, ready); (len(due) > 0 && b.pass-b.base < 3) != (step.Open > 0) {
		m.Fatalf("step %+v with %d due in %+v", step, len(due), *b)
	}
	if step.Open == 0 {
		for _, j := range m.of(name, func(j *modelJob) bool { return j.state == reel.Failed }) {
			if step.Result == reel.MaxPassesReached {
				j.state = reel.OutOfPasses
			}
		}
		b.result, b.led = step.Result, false
		return
	}
	m.room.later(step.Wait)
	_, err = m.room.Store.OpenPass(m.room.ctx, name, b.term, step.Open)
	m.fatal(err)
	m.expire() // the wait took time
	if m.aside(name, ""); len(m.of(name, ready)) == 0 {
		return
	}
	for _, j := range m.of(name, func(j *modelJob) bool { return j.again && !m.setsAside(j.Account) }) {
		j.look, j.again = true, false
	}
	b.pass, b.open, b.result = b.pass+1, true, ""
	if step.Open != b.pass {
		m.Fatalf("opened pass %d, the model says %d", step.Open, b.pass)
	}
}

func (m *model) tryStepDown() {
	m.stepDown(m.anyBatch())
}

func (m *model) stepDown(name string) {
	b := m.batches[name]
	_, err := m.room.Store.StepDown(m.room.ctx, name, b.term, "why")
	if !b.led {
		m.expect("step down", err, reel.ErrLost)
		return
	}
	m.fatal(err)
	b.led = false
}

func (m *model) tryClaim() {
	name, who := m.anyBatch(), rapid.IntRange(0, 2).Draw(m.T, "supervisor")
	b := m.batches[name]
	c, _, err := m.room.Store.Claim(m.room.ctx, claimant(name, who))
	free := func(j *modelJob) bool {
		return !m.busy(j.Account) && !m.held[j.Account] && !m.until[j.Account].After(m.room.now())
	}
	looks := m.of(name, func(j *modelJob) bool { return j.look && free(j) })
	due := m.of(name, func(j *modelJob) bool { return b.open && j.state.Ready() && j.due == b.pass && free(j) })
	outage, canary := b.breaker.Outage, b.breaker.Outage != nil
	probing := slices.ContainsFunc(m.jobs, func(j *modelJob) bool {
		return j.claim != nil && b.breaker.Canary == reel.Canary{Key: j.claim.Key, Fence: j.claim.Fence}
	})
	kept := outage != nil && (outage.Over || outage.Until.After(m.room.now()) || probing)
	switch {
	case b.paused:
		m.expect("claim", err, reel.ErrPaused)
		return
	case kept, len(looks)+len(due) == 0:
		m.expect("claim", err, reel.ErrNothingDue)
		m.waiting(err, kept)
		return
	}
	m.fatal(err)
	may, look := due, len(looks) > 0
	if canary {
		look = len(due) == 0
	}
	if look {
		may = looks[:1]
	}
	i := slices.IndexFunc(may, func(j *modelJob) bool { return j.ID == c.Job.ID })
	if c.Canary != canary {
		m.Fatalf("claimed %s as a canary: %v, the model says %v", c.Job.ID, c.Canary, canary)
	}
	if canary {
		b.breaker.Canary = reel.Canary{Key: c.Key, Fence: c.Fence}
	}
	if i < 0 || c.Lookup != look {
		m.Fatalf("claimed %s (look %v), the model allows %d jobs and %d looks", c.Job.ID, c.Lookup, len(due), len(looks))
	}
	j := may[i]
	if first := may[slices.IndexFunc(may, func(o *modelJob) bool { return o.Account == j.Account })]; first != j {
		m.Fatalf("claimed %s before %s", j.ID, first.ID)
	}
	if !c.Lookup {
		j.state = reel.Running
	}
	j.look, j.again = false, false
	j.claim = &modelClaim{Claim: c, job: j, sup: who, until: m.room.now().Add(reel.LeaseTTL)}
	m.claims = append(m.claims, j.claim)
}

// live draws one of the claims in flight; nil where there is none.
func (m *model) live(which func(*modelClaim) bool) *modelClaim {
	var some []*modelClaim
	for _, j := range m.jobs {
		if j.claim != nil && which(j.claim) {
			some = append(some, j.claim)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return rapid.SampledFrom(some).Draw(m.T, "claim")
}

func (m *model) key(j *modelJob) string { return j.Account + " " + j.VideoPath }

func (m *model) tryIntent() {
	c := m.live(func(c *modelClaim) bool { return !c.Lookup })
	if c == nil {
		return
	}
	_, err := m.room.Store.Intent(m.room.ctx, c.Claim, m.room.fp(c.Claim), false)
	switch {
	case c.job.state != reel.Running || !m.room.now().Before(c.until):
		m.expect("intent", err, reel.ErrLost)
	case m.gone[m.key(c.job)] > 0:
		m.expect("intent", err, reel.ErrDuplicate)
		c.job.state, c.job.claim = reel.SetAside, nil
	default:
		m.fatal(err)
		c.job.state, c.until = reel.Publishing, m.room.now().Add(reel.LeaseTTL)
		m.gone[m.key(c.job)]++
	}
}

func (m *model) tryRecord() {
	c := m.live(func(c *modelClaim) bool { return !c.Lookup })
	if c == nil {
		return
	}
	e := m.room.posted(c.Claim)
	ends := []string{"posted", "account", "content", "infrastructure", "infrastructure", "unknown", "doubt", "limited"}
	switch kind := rapid.SampledFrom(ends).Draw(m.T, "end"); kind {
	case "doubt":
		if c.job.state == reel.Running {
			return // a share without asking has cases of its own
		}
		e = m.room.failing(c.Claim, reel.Infrastructure, true)
	case "limited":
		asked := reel.Pause{
			For:       time.Duration(rapid.SampledFrom([]int{3, 20, 60, 61, 200}).Draw(m.T, "seconds")) * time.Second,
			Publisher: rapid.IntRange(0, 3).Draw(m.T, "publisher") == 0,
		}
		e = m.room.asking(c.Claim, reel.Infrastructure, asked)
	case "posted":
	default:
		e = m.room.failing(c.Claim, reel.Category(kind), false)
	}
	e.Breaker = func(b reel.Breaker, s reel.Sample) reel.Breaker { return plan.Breaker(b, s, m.room.limits) }
	if cat := e.Attempt.Verdict.Category; cat == reel.Infrastructure || cat == reel.Unknown {
		e.Signature = rapid.SampledFrom([]string{"one", "one", "one", "two"}).Draw(m.T, "signature")
	}
	_, err := m.room.Store.Record(m.room.ctx, c.Claim, e)
	if !reel.CanBecome(c.job.state, e.Decision.State) {
		m.expect("record", err, reel.ErrRefused)
		return
	}
	m.fatal(err)
	m.ended(c.job, e)
}

// ended is what an ending makes of a job.
func (m *model) ended(j *modelJob, e reel.Ending) {
	if j.state == reel.Publishing && e.Decision.State != reel.Succeeded && e.Decision.State != reel.InDoubt {
		m.gone[m.key(j)]--
	}
	b := m.batches[j.batch]
	b.attempts++
	j.attempts++
	if d := e.Decision; e.Breaker != nil {
		s := reel.Sample{Signature: e.Signature, Account: j.Account, Attempt: b.attempts, At: m.room.now(), Canary: b.breaker.Canary == reel.Canary{Key: j.claim.Key, Fence: j.claim.Fence}}
		if !d.Hold {
			s.Wait = d.Wait.Std()
		}
		if s.Signature != "" || s.Canary {
			b.breaker = e.Breaker(b.breaker, s)
		}
	}
	j.state, j.aside, j.due, j.claim = e.Decision.State, e.Decision.Reason == reel.ReasonAccountHold, j.claim.Pass+1, nil
	j.look = j.state == reel.InDoubt && e.Look && !m.held[j.Account]
	switch d := e.Decision; {
	case d.Hold && d.Wait > 0:
		m.holdUntil(j.Account, m.room.now().Add(d.Wait.Std()))
		if d.Wait > m.room.limits.MaxWait {
			m.aside(j.batch, j.Account)
		}
	case d.Hold:
		m.hold(j.Account)
		m.aside(j.batch, j.Account)
	}
}

func (m *model) tryLook() {
	c := m.live(func(c *modelClaim) bool { return c.Lookup })
	if c == nil {
		return
	}
	j, b := c.job, m.batches[c.job.batch]
	canary := b.breaker.Canary == reel.Canary{Key: c.Key, Fence: c.Fence}
	f := rapid.SampledFrom([]reel.Finding{reel.Found, reel.Absent, reel.Unsure, "release"}).Draw(m.T, "finding")
	j.claim = nil
	if f == "release" {
		m.fatal(m.room.Store.Release(m.room.ctx, c.Claim))
		j.look = !m.held[j.Account]
		return
	}
	d := m.room.absent(c.Claim)
	_, err := m.room.Store.RecordLook(m.room.ctx, c.Claim, reel.Look{Finding: f}, d)
	m.fatal(err)
	if canary && f != reel.Unsure {
		b.breaker = reel.Breaker{}
	}
	if f == reel.Absent && j.away != nil {
		f = reel.Unsure
	}
	j.again = f == reel.Unsure && j.away == nil
	m.found(j, f, d)
}

func (m *model) found(j *modelJob, f reel.Finding, d reel.Decision) {
	if f != reel.Unsure {
		j.away = nil
	}
	switch f {
	case reel.Found:
		j.state = reel.Succeeded
	case reel.Absent:
		j.state, j.due = d.State, m.batches[j.batch].pass+1
		m.gone[m.key(j)]--
	case reel.Unsure:
	}
}

func (m *model) tryResolve() {
	j := rapid.SampledFrom(m.jobs).Draw(m.T, "job")
	f := rapid.SampledFrom([]reel.Finding{reel.Found, reel.Absent, reel.Unsure}).Draw(m.T, "finding")
	var d reel.Decision
	_, err := m.room.Store.Resolve(m.room.ctx, j.batch, j.ID, reel.Look{Finding: f, By: "me"}, func(h reel.Held) reel.Decision {
		d = m.room.absent(h.Claim)
		return d
	})
	if j.state != reel.InDoubt || j.claim != nil || f == reel.Absent && j.away != nil {
		m.expect("resolve", err, reel.ErrRefused)
		return
	}
	m.fatal(err)
	if f != reel.Unsure {
		j.look, j.again = false, false
	}
	m.found(j, f, d)
}

// trySettle ends a lease of another supervisor as a sweeper does.
func (m *model) trySettle() {
	held, err := m.room.Store.Held(m.room.ctx, sup(0).ID)
	m.fatal(err)
	held = slices.DeleteFunc(held, func(h reel.Held) bool { return h.Away })
	want := 0
	for _, j := range m.jobs {
		if j.claim != nil && j.claim.sup != 0 {
			want++
		}
	}
	if len(held) != want {
		m.Fatalf("%d leases of others, the model says %d", len(held), want)
	}
	if want == 0 {
		return
	}
	h := rapid.SampledFrom(held).Draw(m.T, "held")
	i := slices.IndexFunc(m.jobs, func(j *modelJob) bool { return j.batch == h.Batch && j.ID == h.Job.ID })
	j := m.jobs[i]
	if h.Lookup {
		m.fatal(m.room.Store.Release(m.room.ctx, h.Claim))
		j.claim, j.look = nil, !m.held[j.Account]
		return
	}
	e := m.room.failing(h.Claim, reel.Infrastructure, h.State == reel.Publishing)
	e.From, e.Away = h.State, rapid.Bool().Draw(m.T, "another host")
	e.Look = e.Look && !e.Away
	if e.Away && e.Decision.State == reel.InDoubt {
		j.away = j.claim
	}
	_, err = m.room.Store.Record(m.room.ctx, h.Claim, e)
	m.fatal(err)
	m.ended(j, e)
}

// tryWord says the late word of a supervisor whose job another host has settled as a doubt.
func (m *model) tryWord() {
	for _, j := range m.jobs {
		if j.away == nil || j.claim != nil {
			continue
		}
		if rapid.Bool().Draw(m.T, "by itself") {
			m.room.record(j.away.Claim, m.room.failing(j.away.Claim, reel.Unknown, true))
		} else {
			held, err := m.room.Store.Held(m.room.ctx, "")
			m.fatal(err)
			i := slices.IndexFunc(held, func(h reel.Held) bool { return h.Away && h.Key == j.away.Key })
			if i < 0 || held[i].Supervisor.ID != sup(j.away.sup).ID || held[i].Attempt != j.away.Attempt {
				m.Fatalf("the doubt %s of another host is not listed: %+v", j.ID, held)
			}
			m.fatal(m.room.Store.Bury(m.room.ctx, held[i].Claim))
		}
		j.away, j.look = nil, !m.held[j.Account]
		return
	}
}

// tryLate says a late word under every lease that is over.
func (m *model) tryLate() {
	m.room.untouchedBy(m.T, func() {
		for _, c := range m.claims {
			if c.job.claim == c || c.job.away == c && c.job.claim == nil {
				continue
			}
			for _, e := range []reel.Ending{m.room.posted(c.Claim), m.room.failing(c.Claim, reel.Account, false), m.room.failing(c.Claim, reel.Unknown, true)} {
				_, err := m.room.Store.Record(m.room.ctx, c.Claim, e)
				m.expect("late end", err, reel.ErrLost)
			}
			_, err := m.room.Store.Intent(m.room.ctx, c.Claim, m.room.fp(c.Claim), true)
			m.expect("late intent", err, reel.ErrLost)
			_, err = m.room.Store.RecordLook(m.room.ctx, c.Claim, reel.Look{Finding: reel.Absent}, plan.Posted())
			m.expect("late look", err, reel.ErrLost)
		}
	})
}

// untouchedBy is untouched inside a model.
func (r *room) untouchedBy(rt *rapid.T, try func()) {
	before := r.Dump(r.T)
	try()
	if after := r.Dump(r.T); after != before {
		rt.Fatalf("a late word changed the ledger:\n%s", difference(before, after))
	}
}

func (m *model) tryTime() {
	m.room.later(time.Duration(rapid.IntRange(1, 20).Draw(m.T, "seconds")) * time.Second)
	who := rapid.IntRange(0, 2).Draw(m.T, "supervisor")
	held, err := m.room.Store.Renew(m.room.ctx, sup(who).ID)
	m.fatal(err)
	mine := map[reel.Lease]bool{}
	for _, j := range m.jobs {
		if j.claim != nil && j.claim.sup == who {
			mine[j.claim.Lease] = true
			j.claim.until = m.room.now().Add(reel.LeaseTTL)
		}
	}
	for _, b := range m.batches {
		if who == 0 {
			b.until = m.room.now().Add(reel.LeaseTTL)
		}
	}
	if fmt.Sprint(leases(held)) != fmt.Sprint(mine) {
		m.Fatalf("renewed %v, the model says %v", held, mine)
	}
}

func (m *model) tryPause() {
	b := m.anyBatch()
	m.batches[b].paused = !m.batches[b].paused && rapid.Bool().Draw(m.T, "pause")
	m.fatal(m.room.Store.Pause(m.room.ctx, b, m.batches[b].paused, "me"))
	if o := m.batches[b].breaker.Outage; o != nil && !m.batches[b].paused {
		lifted := *o
		lifted.Until, lifted.Opened, lifted.Over = m.room.now(), m.room.now(), false
		m.batches[b].breaker.Outage = &lifted
	}
}

func (m *model) tryHold() {
	j := rapid.SampledFrom(m.jobs).Draw(m.T, "job")
	var until time.Time
	if s := rapid.SampledFrom([]int{0, 10, 200}).Draw(m.T, "seconds"); s > 0 {
		until = m.room.now().Add(time.Duration(s) * time.Second)
	}
	m.fatal(m.room.Store.HoldAccount(m.room.ctx, j.Account, "me", "why", until))
	if until.IsZero() {
		m.hold(j.Account)
	} else {
		m.holdUntil(j.Account, until)
	}
}

func (m *model) tryRelease() {
	account := rapid.SampledFrom(m.jobs).Draw(m.T, "job").Account
	before := map[*modelJob]reel.Reason{}
	for _, j := range m.jobs {
		if j.Account == account && j.state == reel.SetAside {
			before[j] = m.room.job(j.batch, j.ID).Reason
		}
	}
	_, err := m.room.Store.ReleaseAccount(m.room.ctx, account, "me", false)
	if _, timed := m.until[account]; !m.held[account] && !timed {
		m.expect("release", err, reel.ErrNotFound)
		return
	}
	m.fatal(err)
	m.held[account] = false
	delete(m.until, account)
	for j, reason := range before {
		if reason == reel.ReasonAccountHold {
			j.state, j.aside, j.due = reel.Pending, false, m.batches[j.batch].pass+1
		}
	}
}

func (m *model) tryRetry() {
	j := rapid.SampledFrom(m.jobs).Draw(m.T, "job")
	_, err := m.room.Store.Retry(m.room.ctx, j.batch, j.ID, "me")
	if !reel.CanBecome(j.state, reel.Pending) || m.held[j.Account] {
		m.expect("retry", err, reel.ErrRefused)
		return
	}
	m.fatal(err)
	j.state, j.aside, j.due = reel.Pending, false, m.batches[j.batch].pass+1
}

func (m *model) tryCancel() {
	j := rapid.SampledFrom(m.jobs).Draw(m.T, "job")
	_, err := m.room.Store.Cancel(m.room.ctx, j.batch, j.ID, "me")
	if !reel.CanBecome(j.state, reel.Cancelled) {
		m.expect("cancel", err, reel.ErrRefused)
		return
	}
	m.fatal(err)
	j.state, j.aside = reel.Cancelled, false
}

func (m *model) tryReopen() {
	if rapid.IntRange(0, 3).Draw(m.T, "often") > 0 {
		return
	}
	m.room.reopen()
}
