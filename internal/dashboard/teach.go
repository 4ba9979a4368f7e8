package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	Most  time.Duration             // for which a page goes over the history
}

// teachersJobs is of how many jobs' failures a rule is made.
const teachersJobs = 20

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
	Seen     string // names what the file would be with the rule
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

// fill reads the form, and says what is wrong with it. A rule replaces another one of its name, so it needs a name of its own.
func (l *lesson) fill(form url.Values, taken func(id string) bool) {
	text := func(name string) string { return strings.TrimSpace(strings.ReplaceAll(form.Get(name), "\r\n", "\n")) }
	l.Rule = fault.Rule{ID: text("id"), Category: reel.Category(text("category")), Type: text("type"), Match: text("match"), In: fault.Words}
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
		{"id", "Give it a name of small letters, digits and dashes.", l.Rule.ID == ""},
		{"id", "There is a rule of this name: give it another one.", taken(l.Rule.ID)},
		{"category", "Say whose trouble it is.", !slices.Contains(l.Category, l.Rule.Category)},
		{"type", "Say in a word what it is, as media_format.", l.Rule.Type == "" || strings.ContainsAny(l.Rule.Type, " \t/")},
		{"words", "Say by which words it is known.", len(l.Rule.Texts) == 0 && l.Rule.Match == ""},
		{"case", "Give it a message that it must know.", l.Case == ""},
	} {
		if f.wrong {
			l.Wrong[f.name] = f.why
		}
	}
	if field, why := l.Rule.Fault(); len(l.Wrong) == 0 && why != "" {
		l.Wrong[fields[field]] = why
	}
}

// fields are those of the form that the fields of a rule come from; what comes from none is wrong with the whole.
var fields = map[string]string{"id": "id", "category": "category", "texts": "words", "match": "match", "sources": "source", "cases": "case"}

// blame says beside which field it stands why a rule cannot be added.
func (l *lesson) blame(err error) {
	var broken *fault.CaseError
	switch {
	case !errors.As(err, &broken):
		l.Wrong[""] = err.Error()
	case broken.Rule == l.Rule.ID:
		l.Wrong["case"] = "The rule does not know this message: " + broken.Why + "."
	default:
		l.Wrong["words"] = "The rule takes what another one knows: " + broken.String() + "."
	}
}

// teach says what a rule would have changed, and keeps it where that was asked for.
func (s *Server) teach(r *request) (view, error) {
	l, err := s.lessonOf(r)
	if err != nil {
		return view{}, err
	}
	if s.Teach == nil {
		return view{}, badRequest("there is no file of one's own rules: the setting rules names one")
	}
	l.fill(r.PostForm, func(id string) bool {
		return slices.ContainsFunc(s.Rules().All(), func(known fault.Rule) bool { return known.ID == id })
	})
	if len(l.Wrong) > 0 {
		return l.page(), nil
	}
	// Two that add at once would lose one, and two that go over the history are slower than one after the other.
	if !s.teaching.TryLock() {
		l.Wrong[""] = "Somebody else tries a rule just now. Do it again in a moment."
		return l.page(), nil
	}
	defer s.teaching.Unlock()
	own, err := s.Teach.Read()
	if err != nil {
		return view{}, err
	}
	text, err := s.try(r, &l, own)
	if err == nil && l.Tried && r.PostForm.Get("do") == "keep" {
		err = s.keep(r, &l, own, text)
	}
	return l.page(), err
}

// try says what a rule would have changed, and how the file would read with it. Nothing is written.
func (s *Server) try(r *request, l *lesson, own []byte) (text []byte, err error) {
	item, err := l.Rule.YAML()
	if err != nil {
		return nil, err
	}
	l.YAML = string(item)
	x, err := fault.Extend(l.File, own, "the rule", append([]byte("rules:\n"), item...))
	if err != nil {
		l.blame(err)
		return nil, nil
	}
	replay := fault.NewReplay(x.Old, x.New, s.Teach.Stops)
	ctx, cancel := context.WithTimeout(r.ctx, s.Teach.Most)
	defer cancel()
	for e, err := range s.Ledger.History(ctx) {
		switch {
		case err != nil && ctx.Err() != nil && r.ctx.Err() == nil:
			l.Wrong[""] = fmt.Sprintf("The history is too long to go over it in %s: put the rule into a file, and 'reelpass rules add' it.", shownDuration(s.Teach.Most))
			return nil, nil
		case err != nil:
			return nil, err
		}
		replay.Add(e)
	}
	sum := sha256.Sum256(x.Text)
	l.Tried, l.Changes, l.Seen = true, replay.Changes(), hex.EncodeToString(sum[:])
	return x.Text, nil
}

// keep puts a rule that was tried into the file of one's own, unless it would have cost a post, or is not what was seen when it was tried.
func (s *Server) keep(r *request, l *lesson, own, text []byte) error {
	switch {
	case l.Lost():
		l.Wrong[""] = "It was not kept: it would have cost " + plural(l.Changes.Lost, "post", "posts") + "."
		return nil
	case r.PostForm.Get("seen") != l.Seen:
		l.Wrong[""] = "It was not kept: the rule or your file is not any more what it was when you tried it. This is what it would change now."
		return nil
	case l.Stops() && r.PostForm.Get("stops") == "":
		l.Wrong["stops"] = "Tick that you know it."
		return nil
	}
	now, err := s.Teach.Read()
	if err != nil {
		return err
	}
	if !bytes.Equal(now, own) {
		l.Wrong[""] = "It was not kept: your file was changed meanwhile. Try it again."
		return nil
	}
	if err := s.Teach.Write(text); err != nil {
		return err
	}
	s.Log.Info("a rule was added", "rule", l.Rule.ID, "by", r.Who.Name)
	l.Kept = true
	if err := s.Ledger.RulesAdded(r.ctx, r.Who.Name, l.Rule.ID); err != nil {
		return fmt.Errorf("the rule is kept, but the journal does not say by whom: %w", err)
	}
	return nil
}

// unknown says that no rule knows a cause: none did when it was judged, and none does by now.
func (s *Server) unknown(c overview.Cause) bool {
	return c.Verdict.Category == reel.Unknown && s.Rules().Judge(*c.Example.Evidence).Category == reel.Unknown
}
