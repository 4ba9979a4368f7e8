package dashboard

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup" // steps on many jobs at once share the ledger's commits

	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// jobsOnPage is how many jobs a page lists.
const jobsOnPage = 50

// choice is which jobs a person asked for, as the address says it.
type choice struct {
	ledger.Filter
	Cause string // the ID of a failure's cause
	Wrong []string
}

// choiceOf reads a choice. A value that means nothing is named and left out; the rest holds.
func choiceOf(q url.Values) choice {
	var c choice
	for _, word := range strings.Split(q.Get("state"), ",") {
		switch st := reel.State(word); {
		case word == "":
		case slices.Contains(reel.States(), st):
			c.States = append(c.States, st)
		default:
			c.Wrong = append(c.Wrong, "there is no state "+word)
		}
	}
	if v := q.Get("reason"); v != "" {
		if c.Reason = reel.Reason(v); !slices.Contains(reel.Reasons(), c.Reason) {
			c.Reason, c.Wrong = "", append(c.Wrong, "there is no reason "+v)
		}
	}
	if v := q.Get("category"); v != "" {
		if c.Category = reel.Category(v); !slices.Contains(reel.Categories(), c.Category) {
			c.Category, c.Wrong = "", append(c.Wrong, "there is no category "+v)
		}
	}
	if v := q.Get("pass"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			c.Wrong = append(c.Wrong, "pass "+v+" is no number of a pass")
		}
		c.Pass = max(0, n)
	}
	c.Account, c.Type, c.Words, c.Cause = strings.TrimPrefix(q.Get("account"), "@"), q.Get("type"), q.Get("q"), q.Get("sig")
	if len(c.Words) > 200 {
		c.Words, c.Wrong = "", append(c.Wrong, "the words are too long")
	}
	return c
}

// Query is the choice as an address says it.
func (c choice) Query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	states := make([]string, len(c.States))
	for i, st := range c.States {
		states[i] = string(st)
	}
	set("state", strings.Join(states, ","))
	set("reason", string(c.Reason))
	set("category", string(c.Category))
	set("type", c.Type)
	set("account", c.Account)
	set("q", c.Words)
	set("sig", c.Cause)
	if c.Pass > 0 {
		set("pass", strconv.Itoa(c.Pass))
	}
	return q
}

// Words says the choice, as a heading and in a bulk step's page.
func (c choice) String() string {
	var parts []string
	for name, values := range c.Query() {
		parts = append(parts, name+"="+strings.Join(values, ","))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// Command is the same choice on the command line; empty where it has no word for it.
func (c choice) Command(verb, batch string) string {
	if c.Cause != "" {
		return ""
	}
	out := "reelpass " + verb + " --batch " + batch
	for _, name := range []string{"state", "reason", "category", "type", "account", "pass"} {
		if v := c.Query().Get(name); v != "" {
			out += " --" + name + " " + v
		}
	}
	if c.Words != "" {
		out += " --search " + strconv.Quote(c.Words)
	}
	return out
}

// facet is a state with its count, as a link that shows only it.
type facet struct {
	State reel.State
	Count int
	On    bool
	Link  string
}

type jobsData struct {
	Batch  string
	Choice choice
	Facets []facet
	Total  int
	Jobs   []jobRow
	Known  bool // Total is the number of jobs that match
	Next   string
	Looked int
	Clear  string
	Phase  reel.Phase
	First  bool // this is the first page
}

type jobRow struct {
	reel.Record
	Next string
}

// Why is the job's trouble in a few words.
func (j jobRow) Why() string {
	switch {
	case j.State == reel.Succeeded || j.Verdict == (reel.Verdict{}) && j.Reason == "":
		return ""
	case j.Reason == reel.ReasonAccountHold:
		return "account on hold, not tried"
	case j.Verdict == (reel.Verdict{}):
		return words(j.Reason)
	}
	why := string(j.Verdict.Category)
	if j.Verdict.Type != "" {
		why = words(j.Verdict.Type)
	}
	if j.Verdict.Rule != "" {
		why += " (" + j.Verdict.Rule + ")"
	}
	if j.Reason != "" && j.Reason != reel.ReasonAccount && j.Reason != reel.ReasonContent {
		why += ", " + words(j.Reason)
	}
	return why
}

// shortNext says what happens next in a few words; the job's own page says it whole.
func shortNext(j reel.Record) string {
	switch j.State {
	case reel.Pending, reel.Failed:
		return fmt.Sprintf("pass %d", j.DuePass)
	case reel.Running, reel.Publishing:
		return fmt.Sprintf("worker %d has it", j.Worker)
	case reel.Succeeded:
		return "-"
	case reel.InDoubt:
		return "you: decide"
	case reel.SetAside:
		if j.Reason == reel.ReasonAccountHold || j.Reason == reel.ReasonAccount {
			return "you: release"
		}
		return "you: retry"
	case reel.Exhausted, reel.OutOfPasses, reel.Cancelled:
		return "you: retry"
	}
	return ""
}

func (s *Server) jobsPage(r *request) (view, error) {
	name := r.PathValue("batch")
	st, err := s.status(r.ctx, name)
	if err != nil {
		return view{}, err
	}
	c := choiceOf(r.URL.Query())
	place, err := numberOf(r.URL.Query(), "from", 0, "place in the list")
	if err != nil {
		return view{}, err
	}
	d := jobsData{Batch: name, Choice: c, Phase: st.Phase, First: place == 0, Clear: "/b/" + url.PathEscape(name) + "/jobs"}
	for _, state := range reel.States() {
		one := c
		one.States = []reel.State{state}
		d.Facets = append(d.Facets, facet{state, st.Totals.Of(state), slices.Contains(c.States, state), "?" + one.Query().Encode()})
	}
	page, err := s.choose(r, name, c, place, jobsOnPage)
	if err != nil {
		return view{}, err
	}
	for _, j := range page.Jobs {
		d.Jobs = append(d.Jobs, jobRow{j, shortNext(j)})
	}
	d.Looked = page.Looked
	if page.Next != 0 {
		q := c.Query()
		q.Set("from", strconv.FormatInt(page.Next, 10))
		d.Next = "?" + q.Encode()
	}
	d.Total, d.Known = matching(st.Totals, c, len(d.Jobs), page.Next == 0 && place == 0)
	return view{name: "jobs", Title: "Jobs of " + name, Data: d, live: []string{"needs", "facets"}}, nil
}

// matching is how many jobs match, where that is known without counting them.
func matching(t reel.Totals, c choice, shown int, all bool) (int, bool) {
	if all {
		return shown, true
	}
	only := c
	only.States = nil
	if only.String() != "" {
		return 0, false
	}
	if len(c.States) == 0 {
		return t.Jobs, true
	}
	n := 0
	for _, st := range c.States {
		n += t.Of(st)
	}
	return n, true
}

// numberOf is a number in an address, at least 0; what says in an error what it should have been.
func numberOf(q url.Values, name string, otherwise int64, what string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badRequest("%s=%q is no %s", name, text, what)
	}
	return n, nil
}

// choose lists the jobs of a choice. Those of a cause are taken from the journal's sum, in the order of their names.
func (s *Server) choose(r *request, batch string, c choice, place int64, most int) (ledger.Page, error) {
	if c.Cause == "" {
		return s.Ledger.Page(r.ctx, batch, c.Filter, place, most)
	}
	var ids []reel.JobID
	s.sum(func(o *overview.Overview) { ids = o.Of(batch, c.Cause) })
	page := ledger.Page{Looked: len(ids)}
	for i := int(place); i < len(ids); i++ {
		st, err := s.Ledger.Story(r.ctx, batch, ids[i])
		if err != nil {
			return page, err
		}
		if !matches(st.Record, c.Filter) {
			continue
		}
		if len(page.Jobs) == most {
			page.Next = int64(i)
			break
		}
		page.Jobs = append(page.Jobs, st.Record)
	}
	return page, nil
}

// matches says whether a filter chooses a job, as the ledger's own statement would.
func matches(j reel.Record, f ledger.Filter) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(f.Words)) }
	return (len(f.States) == 0 || slices.Contains(f.States, j.State)) && (f.Reason == "" || f.Reason == j.Reason) &&
		(f.Account == "" || f.Account == j.Account) && (f.Category == "" || f.Category == j.Verdict.Category) &&
		(f.Type == "" || f.Type == j.Verdict.Type) && (f.Pass == 0 || f.Pass == j.Pass) &&
		(f.Words == "" || has(string(j.ID)) || has(j.Account) || has(j.VideoPath) || has(j.Error))
}

// verb is a step that may be taken with many jobs.
type verb struct {
	name  string
	Title string // on the button
	Does  string // what becomes of the jobs
	to    reel.State
	do    func(*ledger.Store, *request, string, reel.JobID) error
}

func verbOf(name string) (verb, error) {
	switch name {
	case "retry":
		return verb{name, "Retry", "go back to waiting with fresh limits, for the next pass", reel.Pending, func(l *ledger.Store, r *request, batch string, id reel.JobID) error {
			_, err := l.Retry(r.ctx, batch, id, r.Who.Name)
			return err
		}}, nil
	case "cancel":
		return verb{name, "Cancel", "are taken back; they can be returned later", reel.Cancelled, func(l *ledger.Store, r *request, batch string, id reel.JobID) error {
			_, err := l.Cancel(r.ctx, batch, id, r.Who.Name)
			return err
		}}, nil
	}
	return verb{}, badRequest("there is no step %q", name)
}

// refusal says why a step is not for a job; empty where it is. The ledger asks again when the step is taken.
func (v verb) refusal(j reel.Record, held bool) string {
	switch {
	case j.State == reel.InDoubt:
		return "in doubt: decide first whether it is posted"
	case j.State == reel.Succeeded:
		return "posted"
	case j.State.InFlight():
		return "a worker has it now"
	case !reel.CanBecome(j.State, v.to):
		return "it is " + stateWord(j.State)
	case v.name == "retry" && held:
		return "its account is on hold: release it first"
	}
	return ""
}

// left is jobs that a step leaves alone, and why.
type left struct {
	Why  string
	Jobs []reel.JobID
}

// frozen is a job as a preview showed it. It stands in the form, so that the step is taken with these and no others.
type frozen struct {
	ID    reel.JobID
	State reel.State
}

func (f frozen) String() string { return string(f.State) + " " + url.QueryEscape(string(f.ID)) }

func parseFrozen(text string) ([]frozen, error) {
	var list []frozen
	for _, line := range strings.Fields(strings.ReplaceAll(text, " ", "\x00")) {
		state, id, ok := strings.Cut(line, "\x00")
		name, err := url.QueryUnescape(id)
		if !ok || err != nil || name == "" || strings.ContainsRune(name, 0) || !slices.Contains(reel.States(), reel.State(state)) {
			return nil, badRequest("the list of jobs cannot be read; nothing was changed")
		}
		list = append(list, frozen{reel.JobID(name), reel.State(state)})
	}
	return list, nil
}

type previewData struct {
	*chosen
	Batch   string
	Do      string
	Choice  string
	Command string
	Back    string
	Reopens bool // the batch is finished: the next run takes them
}

// mostFrozen bounds what one step may touch.
const mostFrozen = 100_000

func (s *Server) previewJobs(r *request) (view, error) {
	batch := r.PathValue("batch")
	st, err := s.status(r.ctx, batch)
	if err != nil {
		return view{}, err
	}
	if err := r.ParseForm(); err != nil {
		return view{}, err
	}
	v, err := verbOf(r.PostForm.Get("do"))
	if err != nil {
		return view{}, err
	}
	picked, err := s.chosen(r, v)
	if err != nil {
		return view{}, err
	}
	d := previewData{chosen: picked, Batch: batch, Do: v.name, Reopens: st.Phase == reel.PhaseFinished}
	if ids := r.PostForm["id"]; len(ids) > 0 { // ticked
		d.Choice = plural(len(ids), "job", "jobs")
		for _, id := range ids {
			story, err := s.Ledger.Story(r.ctx, batch, reel.JobID(id))
			if err != nil {
				return view{}, err
			}
			if err := d.take(story.Record); err != nil {
				return view{}, err
			}
		}
		d.Back = "/b/" + url.PathEscape(batch) + "/jobs"
		if len(ids) == 1 {
			d.Back += "/" + url.PathEscape(ids[0])
			d.Command = "reelpass " + v.name + " --batch " + batch + " " + ids[0]
		}
	} else {
		q, err := url.ParseQuery(strings.TrimPrefix(r.PostForm.Get("choice"), "?"))
		if err != nil {
			return view{}, badRequest("the choice of jobs cannot be read")
		}
		c := choiceOf(q)
		d.Choice, d.Command, d.Back = "every job of "+batch, c.Command(v.name, batch), "/b/"+url.PathEscape(batch)+"/jobs?"+c.Query().Encode()
		if text := c.String(); text != "" {
			d.Choice = "the jobs of " + batch + " matching " + text
		}
		if err := s.takeAll(r, batch, c, picked); err != nil {
			return view{}, err
		}
	}
	return view{name: "preview", Title: v.Title + " " + d.Choice, Data: d}, nil
}

// holdsNow is the accounts that a person must release.
func (s *Server) holdsNow(r *request) (map[string]bool, error) {
	list, err := s.Ledger.Holds(r.ctx, false)
	held := map[string]bool{}
	for _, h := range list {
		held[h.Account] = h.Until.IsZero()
	}
	return held, err
}

type doneData struct {
	Batch   string
	Verb    verb
	Done    int
	Changed []left
	Reopens bool
}

func (s *Server) actOnJobs(r *request) (view, error) {
	batch := r.PathValue("batch")
	v, err := verbOf(r.PostFormValue("do"))
	if err != nil {
		return view{}, err
	}
	list, err := parseFrozen(r.PostFormValue("frozen"))
	if err != nil {
		return view{}, err
	}
	if len(list) == 0 {
		return view{}, badRequest("no job was chosen; nothing was changed")
	}
	d := doneData{Batch: batch, Verb: v}
	done, changed, err := s.take(r, v, batch, list)
	if err != nil {
		return view{}, err
	}
	d.Done, d.Changed = done, changed
	st, err := s.Ledger.Status(r.ctx, batch)
	if err != nil {
		return view{}, err
	}
	d.Reopens = st.Phase != reel.PhaseRunning && st.Phase != reel.PhaseWaiting
	return view{name: "done", Title: v.Title + ": " + plural(done, "job", "jobs"), Data: d}, nil
}

// take carries out a step with each job that still stands as it was shown. What changed meanwhile is told, not forced.
func (s *Server) take(r *request, v verb, batch string, list []frozen) (done int, changed []left, err error) {
	var mu sync.Mutex
	aside := map[string][]reel.JobID{}
	group, _ := errgroup.WithContext(r.ctx)
	group.SetLimit(64)
	for _, f := range list {
		group.Go(func() error {
			story, err := s.Ledger.Story(r.ctx, batch, f.ID)
			why := ""
			switch {
			case errors.Is(err, reel.ErrNotFound):
				why = "not in this batch"
			case err != nil:
				return err
			case story.Record.State != f.State:
				why = "meanwhile it is " + stateWord(story.Record.State)
			default:
				if err := v.do(s.Ledger, r, batch, f.ID); errors.Is(err, reel.ErrRefused) {
					why = err.Error()
				} else if err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if why == "" {
				done++
			} else {
				aside[why] = append(aside[why], f.ID)
			}
			return nil
		})
	}
	err = group.Wait()
	changed = leftOf(aside)
	sortBy(changed, func(x, y left) bool { return x.Why < y.Why })
	return done, changed, err
}

// outlook says what happens to a job next.
func outlook(st ledger.Story) string {
	limits, last := st.Limits, st.LastPass
	if limits == (reel.Limits{}) { // no run yet
		limits = reel.DefaultLimits()
		last = limits.MaxPasses
	}
	return plan.Outlook(st.Record, st.Held, st.Until, limits, last)
}
