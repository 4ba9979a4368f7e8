package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"reelpass/internal/fault"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// Teach is where the rules of one's own stand, to which a person adds from a page.
type Teach struct {
	File  string                    // its name, for people
	Read  func() ([]byte, error)    // what is in it; empty where there is no file yet
	Write func(text []byte) error   // puts another text in its place; Config.Rules says what it means from then on
	Stops func(v reel.Verdict) bool // whether a verdict ends a job that has all its tries left
}

// What a page waits for, and looks at.
const (
	replayMost   = 20 * time.Second // a history may be long: the command line has more patience than a browser
	teachersJobs = 20               // jobs whose failures a rule is made of
)

// lesson is a form about a rule, as it was filled in, and what the rule would do.
type lesson struct {
	Sig      string
	Cause    causeRow
	Steer    bool
	File     string // empty: there is no file of one's own rules
	Plain    bool   // no rule could be proposed
	Rule     fault.Rule
	Words    string // its texts, one a line
	Case     string
	Wrong    map[string]string // what is wrong, by field; by "" what is wrong with the whole
	Tried    bool
	Changes  fault.Changes
	YAML     string
	Kept     bool
	Category []reel.Category
	Source   []reel.Source
}

// Lost says that the rule would have cost posts: it is not taken.
func (l lesson) Lost() bool { return l.Changes.Lost > 0 }

// Stops says that the rule holds accounts.
func (l lesson) Stops() bool { return l.Rule.Category == reel.Account }

// lessonOf finds the cause that a rule is to be made for.
func (s *Server) lessonOf(r *request) (lesson, error) {
	l := lesson{
		Sig: r.PathValue("sig"), Steer: r.Who.MaySteer(), Wrong: map[string]string{},
		Category: []reel.Category{reel.Account, reel.Content, reel.Infrastructure}, Source: reel.Sources(),
	}
	if s.Teach != nil {
		l.File = s.Teach.File
	}
	names, err := s.Ledger.Names(r.ctx)
	if err != nil {
		return l, err
	}
	found := false
	s.sum(func(o *overview.Overview) {
		for _, name := range names {
			for _, c := range causeRows(o.Causes(name), 1000) {
				if c.ID == l.Sig && c.Verdict.Category == reel.Unknown && !found {
					l.Cause, found = c, true
				}
			}
		}
	})
	if !found {
		return l, notFound("no failure of that kind is unknown any more")
	}
	return l, nil
}

// teachPage proposes a rule for what no rule knows.
func (s *Server) teachPage(r *request) (view, error) {
	l, err := s.lessonOf(r)
	if err != nil {
		return view{}, err
	}
	kinds := fault.NewClusterer(1)
	var jobs []reel.JobID
	s.sum(func(o *overview.Overview) { jobs = o.Of(l.Cause.Batch, l.Sig) })
	rules := s.Rules()
	for _, job := range jobs[:min(len(jobs), teachersJobs)] {
		story, err := s.Ledger.Story(r.ctx, l.Cause.Batch, job)
		if err != nil {
			return view{}, err
		}
		for _, a := range story.Attempts {
			if a.Outcome != reel.OutcomeSucceeded && rules.Judge(a.Evidence).Category == reel.Unknown &&
				overview.CauseID(fault.Signature(a.Evidence, a.Verdict, string(job), story.Record.Account)) == l.Sig {
				kinds.Add(a.Evidence, string(job), story.Record.Account)
			}
		}
	}
	all := kinds.Clusters()
	if len(all) == 0 {
		return view{}, notFound("the rules know that kind of failure by now")
	}
	l.Case = reel.Scrub(all[0].Examples[0].Text)
	switch rule, err := fault.Propose(rules, all[0], reel.Verdict{}); {
	case errors.Is(err, fault.ErrPlain):
		l.Plain = true
	case err != nil:
		return view{}, err
	default:
		l.Rule, l.Words, l.Case = rule, strings.Join(rule.Texts, "\n"), reel.Scrub(rule.Cases[0].Text)
	}
	return l.page(), nil
}

func (l lesson) page() view {
	v := view{name: "teach", Title: "Teach a rule", Data: l}
	if len(l.Wrong) > 0 {
		v.status = http.StatusUnprocessableEntity
	}
	return v
}

// fill reads the form, and says what is wrong with it.
func (l *lesson) fill(form url.Values) {
	text := func(name string) string { return strings.TrimSpace(strings.ReplaceAll(form.Get(name), "\r\n", "\n")) }
	l.Rule = fault.Rule{ID: text("id"), Category: reel.Category(text("category")), Type: text("type"), Match: text("match")}
	l.Words, l.Case = text("words"), text("case")
	for line := range strings.Lines(l.Words) {
		if line = strings.TrimSpace(line); line != "" {
			l.Rule.Texts = append(l.Rule.Texts, line)
		}
	}
	if source := text("source"); source != "" {
		l.Rule.Sources = []reel.Source{reel.Source(source)}
	}
	l.Rule.Cases = []fault.Case{{Text: l.Case}}
	for _, f := range []struct {
		name, why string
		wrong     bool
	}{
		{"id", "give it a name of small letters, digits and dashes", l.Rule.ID == ""},
		{"category", "say whose trouble it is", !slices.Contains(l.Category, l.Rule.Category)},
		{"type", "say in a word what it is, as media_format", l.Rule.Type == "" || strings.ContainsAny(l.Rule.Type, " \t/")},
		{"words", "say by which words it is known", len(l.Rule.Texts) == 0 && l.Rule.Match == ""},
		{"case", "give it a message that it must know", l.Case == ""},
	} {
		if f.wrong {
			l.Wrong[f.name] = f.why
		}
	}
}

// try reads the form and says what the rule would have changed. Nothing is written.
func (s *Server) try(r *request) (l lesson, text []byte, err error) {
	if l, err = s.lessonOf(r); err != nil {
		return l, nil, err
	}
	if s.Teach == nil {
		return l, nil, badRequest("there is no file of one's own rules: the setting rules names one")
	}
	if l.fill(r.PostForm); len(l.Wrong) > 0 {
		return l, nil, nil
	}
	item, err := l.Rule.YAML()
	if err != nil {
		return l, nil, err
	}
	l.YAML = string(item)
	own, err := s.Teach.Read()
	if err != nil {
		return l, nil, err
	}
	x, err := fault.Extend(l.File, own, "the rule", append([]byte("rules:\n"), item...))
	if err != nil {
		l.Wrong[""] = err.Error()
		return l, nil, nil
	}
	replay := fault.NewReplay(x.Old, x.New, s.Teach.Stops)
	ctx, cancel := context.WithTimeout(r.ctx, replayMost)
	defer cancel()
	for after, more := int64(0), true; more; {
		events, err := s.Ledger.Journal(ctx, after, mostInAnswer)
		switch {
		case err != nil && ctx.Err() != nil && r.ctx.Err() == nil:
			l.Wrong[""] = fmt.Sprintf("the history is too long to go over it in %s: put the rule into a file, and 'reelpass rules add' it", replayMost)
			return l, nil, nil
		case err != nil:
			return l, nil, err
		}
		for _, e := range events {
			after = e.Seq
			replay.Add(e)
		}
		more = len(events) == mostInAnswer
	}
	l.Tried, l.Changes = true, replay.Changes()
	return l, x.Text, nil
}

// tryRule shows what a rule would have changed.
func (s *Server) tryRule(r *request) (view, error) {
	l, _, err := s.try(r)
	if err != nil {
		return view{}, err
	}
	return l.page(), nil
}

// keepRule puts a rule into the file of one's own, unless it would have cost a post.
func (s *Server) keepRule(r *request) (view, error) {
	s.teaching.Lock() // two that add at once would lose one
	defer s.teaching.Unlock()
	l, text, err := s.try(r)
	switch {
	case err != nil:
		return view{}, err
	case !l.Tried:
		return l.page(), nil
	case l.Lost():
		l.Wrong[""] = "it was not kept: it would have cost " + plural(l.Changes.Lost, "post", "posts")
		return l.page(), nil
	case l.Stops() && r.PostForm.Get("stops") == "":
		l.Wrong["stops"] = "tick that you know it"
		return l.page(), nil
	}
	if err := s.Teach.Write(text); err != nil {
		return view{}, err
	}
	s.Log.Info("a rule was added", "rule", l.Rule.ID, "by", r.Who.Name)
	l.Kept = true
	if err := s.Ledger.RulesAdded(r.ctx, r.Who.Name, l.Rule.ID); err != nil {
		return view{}, err
	}
	return l.page(), nil
}
