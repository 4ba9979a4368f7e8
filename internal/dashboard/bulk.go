package dashboard

import (
	"strings"

	"reelpass/internal/reel"
)

// chosen is what a step would be taken with: the jobs as they stand now, and what it would leave alone.
type chosen struct {
	Verb  verb
	Count int
	First []reel.JobID
	LeftN int
	lines strings.Builder
	aside map[string][]reel.JobID
	holds map[string]bool
}

func (s *Server) chosen(r *request, v verb) (*chosen, error) {
	holds, err := s.holdsNow(r)
	return &chosen{Verb: v, aside: map[string][]reel.JobID{}, holds: holds}, err
}

func (c *chosen) take(j reel.Record) error {
	if why := c.Verb.refusal(j, c.holds[j.Account]); why != "" {
		c.aside[why] = append(c.aside[why], j.ID)
		c.LeftN++
		return nil
	}
	if c.Count++; c.Count > mostFrozen {
		return badRequest("more than %s jobs at once: choose fewer", num(mostFrozen))
	}
	if len(c.First) < fewJobs {
		c.First = append(c.First, j.ID)
	}
	c.lines.WriteString(frozen{j.ID, j.State}.String() + "\n")
	return nil
}

// Frozen is the list of the jobs, as parseFrozen reads it.
func (c *chosen) Frozen() string { return c.lines.String() }

// Left is what the step would leave alone, the most first.
func (c *chosen) Left() []left {
	list := leftOf(c.aside)
	sortBy(list, func(x, y left) bool { return len(x.Jobs) > len(y.Jobs) || len(x.Jobs) == len(y.Jobs) && x.Why < y.Why })
	return list
}

func leftOf(aside map[string][]reel.JobID) []left {
	list := make([]left, 0, len(aside))
	for why, ids := range aside {
		list = append(list, left{why, ids})
	}
	return list
}

// takeAll takes every job of a choice.
func (s *Server) takeAll(r *request, batch string, c choice, to *chosen) error {
	if len(c.Wrong) > 0 {
		return badRequest("%s", strings.Join(c.Wrong, "; "))
	}
	for place, more := int64(0), true; more; {
		page, err := s.choose(r, batch, c, place, 5000)
		if err != nil {
			return err
		}
		for _, j := range page.Jobs {
			if err := to.take(j); err != nil {
				return err
			}
		}
		place, more = page.Next, page.Next != 0
	}
	return nil
}

// leftJobs is jobs that a step leaves alone, as scripts read it.
type leftJobs struct {
	Why   string       `json:"why"`
	Count int          `json:"count"`
	First []reel.JobID `json:"first"` // of them, at most twenty
}

const fewJobs = 20

func leftForScripts(list []left) []leftJobs {
	out := make([]leftJobs, 0, len(list))
	for _, l := range list {
		out = append(out, leftJobs{l.Why, len(l.Jobs), l.Jobs[:min(len(l.Jobs), fewJobs)]})
	}
	return out
}

// apiPreview says what a step would do with the jobs that the address chooses, as the list of jobs takes it, and changes nothing.
func (s *Server) apiPreview(r *request) (any, error) {
	said, err := given[struct {
		Step string `json:"step"`
	}](r)
	if err != nil {
		return nil, err
	}
	v, err := verbOf(said.Step)
	if err != nil {
		return nil, err
	}
	batch := r.PathValue("batch")
	st, err := s.status(r.ctx, batch)
	if err != nil {
		return nil, err
	}
	picked, err := s.chosen(r, v)
	if err != nil {
		return nil, err
	}
	if err := s.takeAll(r, batch, choiceOf(r.URL.Query()), picked); err != nil {
		return nil, err
	}
	return struct {
		Step    string       `json:"step"`
		Does    string       `json:"does"` // what becomes of the jobs, in words
		Count   int          `json:"count"`
		First   []reel.JobID `json:"first"`
		Left    []leftJobs   `json:"left"`
		Reopens bool         `json:"reopens"` // the batch is finished: the next run takes them
		Frozen  string       `json:"frozen"`  // for the call that does it
	}{v.name, v.Does, picked.Count, orNone(picked.First), leftForScripts(picked.Left()), st.Phase == reel.PhaseFinished, picked.Frozen()}, nil
}

// apiAct takes a step with the jobs of a preview that still stand as it showed them.
func (s *Server) apiAct(r *request) (any, error) {
	said, err := given[struct {
		Step   string `json:"step"`
		Frozen string `json:"frozen"`
	}](r)
	if err != nil {
		return nil, err
	}
	v, err := verbOf(said.Step)
	if err != nil {
		return nil, err
	}
	list, err := parseFrozen(said.Frozen)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, badRequest("no job was chosen; nothing was changed")
	case len(list) > mostFrozen:
		return nil, badRequest("more than %s jobs at once; nothing was changed", num(mostFrozen))
	}
	batch := r.PathValue("batch")
	if _, err := s.status(r.ctx, batch); err != nil {
		return nil, err
	}
	done, changed, err := s.take(r, v, batch, list)
	return struct {
		Step string     `json:"step"`
		Done int        `json:"done"`
		Left []leftJobs `json:"left"` // what changed since the preview
	}{v.name, done, leftForScripts(changed)}, err
}
