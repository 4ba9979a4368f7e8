package ledger

import (
	"slices"
	"strings"

	"reelpass/internal/reel"
)

// job holds one job beside its attempts and its journal.
func (v *verifier) job(j *jobFacts) {
	b := j.batch
	b.counted["jobs"]++
	b.counted[string(j.state)]++
	b.counted["attempts"] += j.tally.Attempts
	if !slices.Contains(reel.States(), j.state) {
		v.tell(checkStates, j, "there is no state %q", j.state)
		return
	}
	if !slices.Contains(reasonsOf(j.state), j.reason) {
		v.tell(checkStates, j, "%s with the reason %q, which belongs to another state", j.state, j.reason)
	}
	if j.state == reel.Succeeded && j.shows {
		v.tell(checkStates, j, "succeeded, and shows an error")
	}
	v.lease(j)
	if next := b.pass + 1; j.state.Ready() && j.due != next && (!b.open || j.due != b.pass) {
		v.tell(checkDue, j, "%s and due in pass %d, where no run will find it: the last pass opened is %d", j.state, j.due, b.pass)
	}
	if j.state == reel.SetAside && j.reason == reel.ReasonAccountHold && !j.held && v.heldHere(j) {
		v.tell(checkHolds, j, "waits for the release of account %s, which is not held", j.accountName)
	}
	v.attempts(j)
	v.story(j)
}

// heldHere says that the last that was told of a job's account is that its jobs were set aside. An earlier orchestrator's file may
// tell of holds that nobody here placed.
func (v *verifier) heldHere(j *jobFacts) bool {
	swept := j.batch.accountSwept[j.accountName]
	return len(swept) > 0 && swept[len(swept)-1] > v.released[j.accountName]
}

func (v *verifier) tell(check string, j *jobFacts, format string, args ...any) {
	v.say(check, j.batch.name, j.id, format, args...)
}

// reasonsOf lists the reasons that a job in a state may have.
func reasonsOf(s reel.State) []reel.Reason {
	switch s {
	case reel.SetAside: // Cancelled: as an earlier orchestrator's file tells of it
		return []reel.Reason{reel.ReasonAccount, reel.ReasonContent, reel.ReasonAccountHold, reel.ReasonDuplicate, reel.ReasonUnknownNotRetry, reel.ReasonCancelled}
	case reel.Exhausted:
		return []reel.Reason{reel.ReasonInfraLimit, reel.ReasonUnknownLimit, reel.ReasonMaxAttempts}
	case reel.OutOfPasses:
		return []reel.Reason{reel.ReasonMaxPasses}
	case reel.Cancelled:
		return []reel.Reason{reel.ReasonCancelled}
	case reel.Pending, reel.Running, reel.Publishing, reel.Succeeded, reel.Failed, reel.InDoubt:
	}
	return []reel.Reason{reel.NoReason}
}

func (v *verifier) lease(j *jobFacts) {
	switch {
	case j.state.InFlight() && !j.owned:
		v.tell(checkLeases, j, "%s, and nobody has a lease", j.state)
	case j.owned && !j.state.InFlight() && j.state != reel.InDoubt:
		v.tell(checkLeases, j, "%s, and somebody has a lease", j.state)
	case j.owned != j.until:
		v.tell(checkLeases, j, "its lease has an owner: %t, an end: %t", j.owned, j.until)
	case j.state.InFlight() && (!j.batch.open || j.pass != j.batch.pass):
		v.tell(checkLeases, j, "%s in pass %d, which is not open", j.state, j.pass)
	}
	if j.look && (j.state != reel.InDoubt || j.owned || j.forGood) {
		v.tell(checkLeases, j, "waits for a look: its state is %s, a lease: %t, its account held: %t", j.state, j.owned, j.forGood)
	}
}

// attempts recounts a job's attempts, and adds them to the statistics of their passes. An attempt of pass 0 stands for all that an
// earlier orchestrator did, or for what is not known since an old copy was made.
func (v *verifier) attempts(j *jobFacts) {
	var re reel.Tally
	last, lastPass, imported := 0, 0, false
	for i, a := range j.attempts {
		switch {
		case a.pass == 0:
			imported = true
		case a.number != last+1:
			v.tell(checkAttempts, j, "attempt %d follows attempt %d", a.number, last)
		case a.pass <= lastPass:
			v.tell(checkAttempts, j, "attempt %d is of pass %d, and so is or was the one before", a.number, a.pass)
		}
		if over := i == len(j.attempts)-1; a.outcome != reel.OutcomeFailed && !over {
			v.tell(checkAttempts, j, "attempt %d ended as %s, and another follows", a.number, a.outcome)
		}
		if a.outcome == reel.OutcomeFailed && a.pass > 0 {
			re = re.Failed(a.category)
		}
		last, lastPass = a.number, max(lastPass, a.pass)
	}
	switch re.Attempts = last; {
	case last != j.tally.Attempts:
		v.tell(checkAttempts, j, "%d attempts are counted, the last that is kept is %d", j.tally.Attempts, last)
	case !imported && re != j.tally || imported && below(j.tally, re):
		v.tell(checkAttempts, j, "failures are counted as %s, its attempts make %s", marshal(j.tally), marshal(re))
	case below(j.tally, j.forgiven):
		v.tell(checkAttempts, j, "more is forgiven than was counted: %s of %s", marshal(j.forgiven), marshal(j.tally))
	}
	if lastPass > j.pass || j.pass > j.batch.pass {
		v.tell(checkAttempts, j, "its pass is %d, its last attempt's %d, its batch's %d", j.pass, lastPass, j.batch.pass)
	}
	want := reel.OutcomeFailed
	switch j.state {
	case reel.Succeeded:
		want = reel.OutcomeSucceeded
	case reel.InDoubt:
		want = reel.OutcomeInDoubt
	case reel.Pending, reel.Running, reel.Publishing, reel.Failed, reel.SetAside, reel.Exhausted, reel.OutOfPasses, reel.Cancelled:
	}
	if n := len(j.attempts); n > 0 && j.attempts[n-1].outcome != want {
		v.tell(checkAttempts, j, "%s, and its last attempt ended as %s", j.state, j.attempts[n-1].outcome)
	}
}

// below says that a tally has less of something than another.
func below(t, than reel.Tally) bool {
	d := t.Minus(than)
	return min(d.Attempts, d.Account, d.Content, d.Infrastructure, d.Unknown) < 0
}

// story goes through a job's journal: each step must be allowed after the one before, under the fence of its claim, and the last
// must lead to where the job stands.
func (v *verifier) story(j *jobFacts) {
	l := life{may: []reel.State{reel.Pending, reel.Failed, reel.SetAside, reel.Exhausted, reel.Succeeded, reel.InDoubt}} // how an import may begin it
	decisions := map[int]reel.State{}
	ends := map[int]bool{}
	for _, e := range j.events {
		if e.Kind == reel.EventHold {
			continue // it is the account's
		}
		l.swept(j, e.seq)
		v.fence(j, &l, e)
		if e.Decision != nil {
			decisions[e.Attempt] = e.Decision.State
		}
		switch e.Kind {
		case reel.EventSucceeded, reel.EventFailed, reel.EventInDoubt:
			ends[e.Attempt] = true
		}
		if to := becomes(e); to != "" && !l.goes(to) {
			v.tell(checkJournal, j, "event %d makes it %s, which cannot follow on %s", e.seq, to, l.was)
		}
		l.first = true
	}
	l.swept(j, 1<<62)
	if !slices.Contains(l.may, j.state) {
		v.tell(checkJournal, j, "%s, and its journal ends with %s", j.state, strings.Join(words(l.may), " or "))
	}
	if j.fence < l.fence || j.state.InFlight() && j.fence != l.fence {
		v.tell(checkFences, j, "its fence is %d, and %d was given out", j.fence, l.fence)
	}
	for _, a := range j.attempts {
		if a.pass == 0 {
			continue
		}
		if !ends[a.number] {
			v.tell(checkJournal, j, "attempt %d is kept, and no event tells of its end", a.number)
		}
		delete(ends, a.number)
		p := j.batch.recount[a.pass]
		if p == nil {
			p = &reel.PassStats{}
			j.batch.recount[a.pass] = p
		}
		count(p, reel.Attempt{Outcome: a.outcome, Verdict: reel.Verdict{Category: a.category}}, reel.Decision{State: decisions[a.number]}, 1)
	}
	for number := range ends {
		v.tell(checkAttempts, j, "the journal tells of attempt %d, which is not kept", number)
	}
}

// fence checks that an event was written by whoever had the job.
func (v *verifier) fence(j *jobFacts, l *life, e eventFacts) {
	switch e.Kind {
	case reel.EventClaimed:
		if e.Fence <= l.fence {
			v.tell(checkFences, j, "event %d claims it with fence %d, after fence %d", e.seq, e.Fence, l.fence)
		}
		l.fence = e.Fence
	case reel.EventIntent, reel.EventSucceeded, reel.EventFailed, reel.EventInDoubt:
		if e.Fence != l.fence {
			v.tell(checkFences, j, "event %d (%s) was written under fence %d, when %d had the job", e.seq, e.Kind, e.Fence, l.fence)
		}
	case reel.EventLooked, reel.EventDoubted, reel.EventKept: // a look is not told before its end
		if e.Fence < l.fence {
			v.tell(checkFences, j, "event %d (%s) was written under fence %d, after fence %d", e.seq, e.Kind, e.Fence, l.fence)
		}
		l.fence = max(l.fence, e.Fence)
	}
}

// becomes is the state that an event gives to its job, empty for one that leaves it.
func becomes(e eventFacts) reel.State {
	switch e.Kind {
	case reel.EventClaimed:
		return reel.Running
	case reel.EventIntent:
		return reel.Publishing
	case reel.EventSucceeded:
		return reel.Succeeded
	case reel.EventInDoubt, reel.EventDoubted:
		return reel.InDoubt
	case reel.EventDuplicate:
		return reel.SetAside
	case reel.EventRetried:
		return reel.Pending
	case reel.EventCancelled:
		return reel.Cancelled
	case reel.EventFailed, reel.EventLooked, reel.EventRejudged:
		if e.Decision != nil {
			return e.Decision.State
		}
	}
	return ""
}

func words(states []reel.State) []string {
	list := make([]string, len(states))
	for i, s := range states {
		list[i] = string(s)
	}
	return list
}

// life is where a job may stand after the events so far.
type life struct {
	may   []reel.State
	was   reel.State // one of may before the last step
	first bool       // it has had an event of its own
	seq   int64      // of the last event seen
	fence int64
}

// goes makes a step, and says whether it is allowed.
func (l *life) goes(to reel.State) bool {
	allowed := slices.ContainsFunc(l.may, func(from reel.State) bool { return reel.CanBecome(from, to) })
	l.was, l.may = l.may[0], []reel.State{to}
	return allowed
}

// swept applies the events of many jobs that lie before an event. Those before the job's first own event may be older than the
// job: they may have met it.
func (l *life) swept(j *jobFacts, before int64) {
	back := false // its account's waiting jobs were set aside
	for _, seq := range j.batch.accountSwept[j.accountName] {
		back = back || seq > l.seq && seq < before
	}
	change := func(from func(reel.State) bool, to reel.State) {
		for i, s := range l.may {
			switch {
			case !from(s):
			case l.first:
				l.may[i] = to
			default:
				l.may = append(l.may, to)
			}
		}
	}
	for _, s := range j.batch.sweeps {
		switch {
		case s.seq <= l.seq || s.seq >= before:
		case s.kind == reel.EventOutOfPasses:
			change(func(s reel.State) bool { return s == reel.Failed }, reel.OutOfPasses)
		case s.reopens:
			change(func(s reel.State) bool { return s == reel.OutOfPasses }, reel.Failed)
		}
	}
	if back { // together with a run's start it is told before what made the job wait again
		for _, s := range l.may {
			if s.Ready() || s == reel.OutOfPasses {
				l.may = append(l.may, reel.SetAside)
			}
		}
	}
	l.seq = before
}
