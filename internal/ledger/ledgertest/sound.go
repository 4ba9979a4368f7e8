package ledgertest

import (
	"errors"
	"fmt"
	"math"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// sound checks what holds at every moment, of every batch.
func (r *room) sound() {
	r.Helper()
	if r.big {
		return
	}
	if err := r.unsound(); err != nil {
		r.Error(err)
	}
}

func (r *room) unsound() error {
	batches, err := r.Store.Batches(r.ctx)
	if err != nil {
		return err
	}
	told := tell(r.Journal(r.T), r.initial)
	inFlight := map[string]string{}
	for _, st := range batches {
		name := st.Name
		var totals reel.Totals
		recount := map[int]*reel.PassStats{}
		for rec, err := range r.Store.Jobs(r.ctx, name, ledger.Filter{}) {
			if err != nil {
				return err
			}
			totals.Jobs++
			totals.Add(rec.State, 1)
			totals.Attempts += rec.Tally.Attempts
			if says := told.state(name, rec); says != rec.State {
				return fmt.Errorf("the journal makes job %s of %s %q, the job says %q", rec.ID, name, says, rec.State)
			}
			if rec.State.InFlight() {
				if other := inFlight[rec.Account]; other != "" {
					return fmt.Errorf("account %s has %s and %s/%s in flight", rec.Account, other, name, rec.ID)
				}
				inFlight[rec.Account] = name + "/" + string(rec.ID)
			}
			if err := r.story(name, rec, recount); err != nil {
				return err
			}
		}
		if totals != st.Totals {
			return fmt.Errorf("totals of %s say %+v, the jobs are %+v", name, st.Totals, totals)
		}
		if err := rules(st, recount); err != nil {
			return fmt.Errorf("batch %s: %w", name, err)
		}
	}
	return nil
}

// story checks one job's attempts against its counts, and adds them to the recount of the passes.
func (r *room) story(batch string, rec reel.Record, recount map[int]*reel.PassStats) error {
	story, err := r.Store.Story(r.ctx, batch, rec.ID)
	if err != nil {
		return err
	}
	seen := map[int]bool{}
	for _, a := range story.Attempts {
		if a.Pass == 0 {
			continue // of an earlier orchestrator
		}
		if seen[a.Pass] {
			return fmt.Errorf("job %s was attempted twice in pass %d", rec.ID, a.Pass)
		}
		seen[a.Pass] = true
		p := recount[a.Pass]
		if p == nil {
			p = &reel.PassStats{}
			recount[a.Pass] = p
		}
		p.Processed++
		switch a.Outcome {
		case reel.OutcomeSucceeded:
			p.Succeeded++
		case reel.OutcomeInDoubt:
			p.InDoubt++
		case reel.OutcomeFailed:
			switch a.Verdict.Category {
			case reel.Account:
				p.Failed.Account++
			case reel.Content:
				p.Failed.Content++
			case reel.Infrastructure:
				p.Failed.Infrastructure++
			case reel.Unknown:
				p.Failed.Unknown++
			}
		}
	}
	if n := len(story.Attempts); n > rec.Tally.Attempts {
		return fmt.Errorf("job %s has %d attempts and counts %d", rec.ID, n, rec.Tally.Attempts)
	}
	if rec.State == reel.Succeeded && (rec.Error != "" || rec.Verdict != reel.Verdict{}) {
		return fmt.Errorf("job %s succeeded and shows %q, %+v", rec.ID, rec.Error, rec.Verdict)
	}
	return nil
}

// rules are those of reel.PassStats, and that the counters are what the attempts add up to.
func rules(st reel.Status, recount map[int]*reel.PassStats) error {
	for _, p := range st.Passes {
		if p.Processed != p.Succeeded+p.Failed.Total()+p.InDoubt {
			return fmt.Errorf("pass %d: processed %+v", p.Pass, p)
		}
		if p.Failed.Total() != p.SetAside+p.Exhausted+p.Retryable {
			return fmt.Errorf("pass %d: failed %+v", p.Pass, p)
		}
		if want := 100 * float64(p.Succeeded) / math.Max(1, float64(p.Processed)); math.Abs(float64(p.SuccessRate)-want) > 0.051 {
			return fmt.Errorf("pass %d: rate %v", p.Pass, p.SuccessRate)
		}
		n := recount[p.Pass]
		if n == nil {
			n = &reel.PassStats{}
		}
		if p.Processed != n.Processed || p.Succeeded != n.Succeeded || p.InDoubt != n.InDoubt || p.Failed != n.Failed {
			return fmt.Errorf("pass %d says %+v, its attempts are %+v", p.Pass, p, *n)
		}
		delete(recount, p.Pass)
	}
	if len(recount) > 0 {
		return errors.New("attempts in a pass that was never opened")
	}
	return nil
}

// telling is what the journal alone says of the jobs.
type telling struct {
	initial map[string]map[reel.JobID]reel.State
	states  map[string]map[reel.JobID]reel.State // of jobs with events of their own
	of      map[string]map[reel.JobID]string     // accounts of these
	aside   map[string]map[string]bool           // by batch: accounts whose other ready jobs were held back
}

func tell(journal []reel.Event, initial map[string]map[reel.JobID]reel.State) *telling {
	t := &telling{initial: initial, states: map[string]map[reel.JobID]reel.State{}, of: map[string]map[reel.JobID]string{}, aside: map[string]map[string]bool{}}
	for _, e := range journal {
		if t.states[e.Batch] == nil {
			t.states[e.Batch], t.of[e.Batch], t.aside[e.Batch] = map[reel.JobID]reel.State{}, map[reel.JobID]string{}, map[string]bool{}
		}
		states := t.states[e.Batch]
		switch e.Kind {
		case reel.EventHeldBack:
			t.aside[e.Batch][e.Account] = true
			for id, s := range states {
				if s.Ready() && t.of[e.Batch][id] == e.Account {
					states[id] = reel.SetAside
				}
			}
		case reel.EventOutOfPasses:
			for id, s := range states {
				if s == reel.Failed {
					states[id] = reel.OutOfPasses
				}
			}
		case reel.EventRunStarted:
			for id, s := range states {
				if s == reel.OutOfPasses && e.Totals.OutOfPasses == 0 {
					states[id] = reel.Failed
				}
			}
		}
		if s := follows(e); s != "" {
			states[e.Job], t.of[e.Batch][e.Job] = s, e.Account
		}
	}
	return t
}

// follows is the state that an event gives to its job; empty for one that leaves it.
func follows(e reel.Event) reel.State {
	switch e.Kind {
	case reel.EventClaimed:
		return reel.Running
	case reel.EventIntent:
		return reel.Publishing
	case reel.EventSucceeded:
		return reel.Succeeded
	case reel.EventInDoubt:
		return reel.InDoubt
	case reel.EventDuplicate:
		return reel.SetAside
	case reel.EventRetried:
		return reel.Pending
	case reel.EventCancelled:
		return reel.Cancelled
	case reel.EventFailed, reel.EventLooked:
		if e.Decision != nil {
			return e.Decision.State
		}
	}
	return ""
}

// state is what the journal makes of a job. Ready jobs of an account that was held back have no event of their own, and
// rows that came later are not among them: of these the journal says no more than that they may be set aside.
func (t *telling) state(batch string, rec reel.Record) reel.State {
	if s := t.states[batch][rec.ID]; s != "" {
		return s
	}
	s := t.initial[batch][rec.ID]
	if s == "" {
		s = reel.Pending
	}
	if s.Ready() && t.aside[batch][rec.Account] && rec.State == reel.SetAside && rec.Reason == reel.ReasonAccountHold {
		return reel.SetAside
	}
	return s
}
