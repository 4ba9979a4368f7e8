package dashboard

import (
	"context"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// needs is what waits for a person, the most pressing first.
type needs struct {
	Doubts   int
	Oldest   time.Time // of the doubts
	Holds    int       // accounts that a person must release
	Waiting  int       // jobs that wait for their release
	Outages  []outage
	Unknown  int // causes that no rule knows
	Affected int // jobs that they keep from being posted
	Trouble  string
	Behind   bool // the journal has not been read to its end yet
}

type outage struct {
	Batch string
	reel.Outage
}

// Count is how many things wait for a person.
func (n needs) Count() int {
	count := n.Doubts + n.Holds + len(n.Outages)
	if n.Unknown > 0 {
		count += n.Unknown
	}
	return count
}

// needs is what waits for a person over all batches. It stands on every page, so it is gathered once a tick for all who look, and at once
// after a step that was taken here.
func (s *Server) needs(ctx context.Context) (needs, error) {
	now := s.Clock()
	s.mu.Lock()
	n, age, same := s.needed, now.Sub(s.neededAt), s.neededSeq == s.overview.Seq() && s.needed.Behind == s.behind
	s.mu.Unlock()
	if age >= 0 && (age < tick || same && age < refresh) {
		return n, nil
	}
	n, err := s.gather(ctx)
	if err != nil {
		return n, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needed, s.neededAt, s.neededSeq = n, now, s.overview.Seq()
	return n, nil
}

// forget has the next page gather anew what waits for a person.
func (s *Server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.neededAt = time.Time{}
}

func (s *Server) gather(ctx context.Context) (needs, error) {
	var n needs
	list, err := s.statusList(ctx)
	if err != nil {
		return n, err
	}
	for _, st := range list {
		n.Doubts += st.Totals.InDoubt
		if st.Outage != nil && (st.Phase == reel.PhaseRunning || st.Phase == reel.PhaseWaiting || st.Phase == reel.PhaseInterrupted) {
			n.Outages = append(n.Outages, outage{st.Name, *st.Outage})
		}
	}
	if n.Doubts > 0 {
		doubts, err := s.doubts(ctx, list)
		if err != nil {
			return n, err
		}
		if len(doubts) > 0 {
			n.Oldest = doubts[0].Since()
		}
	}
	holds, err := s.Ledger.Holds(ctx, false)
	if err != nil {
		return n, err
	}
	for _, h := range holds {
		if h.Until.IsZero() {
			n.Holds++
			n.Waiting += h.Waiting
		}
	}
	var causes []overview.Cause
	s.sum(func(o *overview.Overview) {
		n.Behind = s.behind
		for _, st := range list {
			causes = append(causes, o.Causes(st.Name)...)
		}
	})
	for _, c := range causes {
		if open := c.By[overview.ToDo] + c.By[overview.NotPosted]; open > 0 && s.unknown(c) {
			n.Unknown++
			n.Affected += open
		}
	}
	return n, nil
}

// doubt is a job in doubt.
type doubt struct {
	reel.Record
}

// Since is when the doubt began.
func (d doubt) Since() time.Time {
	if !d.CompletedAt.IsZero() {
		return d.CompletedAt
	}
	return d.ClaimedAt
}

// doubts lists the jobs in doubt of all batches, the oldest first.
func (s *Server) doubts(ctx context.Context, list []reel.Status) ([]doubt, error) {
	var all []doubt
	for _, st := range list {
		if st.Totals.InDoubt == 0 {
			continue
		}
		for r, err := range s.Ledger.Jobs(ctx, st.Name, ledger.Filter{States: []reel.State{reel.InDoubt}}) {
			if err != nil {
				return nil, err
			}
			all = append(all, doubt{r})
		}
	}
	sortBy(all, func(x, y doubt) bool { return x.Since().Before(y.Since()) })
	return all, nil
}
