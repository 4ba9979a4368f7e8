package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

func sortBy[T any](list []T, less func(x, y T) bool) {
	slices.SortStableFunc(list, func(x, y T) int {
		switch {
		case less(x, y):
			return -1
		case less(y, x):
			return 1
		}
		return 0
	})
}

// batchRow is a batch in a list.
type batchRow struct {
	reel.Status
	Bar    bar
	Counts overview.Counts
	Ended  time.Time
	ETA    string
}

// Sentence is where the batch stands, in a line that a person could send to another.
func (b batchRow) Sentence() string { return sentence(b.Status) }

// sentence says where a batch stands.
func sentence(st reel.Status) string {
	c := overview.CountsOf(st.Totals)
	if st.Totals.Jobs == 0 {
		return "No job in it."
	}
	parts := []string{fmt.Sprintf("%s of %s posted", num(c[overview.Posted]), num(st.Totals.Jobs))}
	for _, p := range []struct {
		n    int
		word string
	}{{c[overview.InWork], "in work"}, {c[overview.ToDo], "still to do"}, {c[overview.NotPosted], "not posted"}, {c[overview.InDoubt], "in doubt"}} {
		if p.n > 0 {
			parts = append(parts, num(p.n)+" "+p.word)
		}
	}
	return strings.Join(parts, ", ") + "."
}

// resultWord says how a batch ended, or what it is doing.
func resultWord(st reel.Status) string {
	c := overview.CountsOf(st.Totals)
	switch st.Phase {
	case reel.PhaseIdle:
		return "never run"
	case reel.PhaseRunning:
		return fmt.Sprintf("running, pass %d", max(1, len(st.Passes)))
	case reel.PhaseWaiting:
		return fmt.Sprintf("waiting before pass %d", len(st.Passes)+1)
	case reel.PhasePaused:
		return "paused"
	case reel.PhaseInterrupted:
		return "interrupted: nobody runs it"
	case reel.PhaseFinished:
	}
	switch {
	case c[overview.NotPosted]+c[overview.InDoubt] == 0:
		return "all posted"
	case st.Result == reel.MaxPassesReached:
		return fmt.Sprintf("passes used up, %s not posted", num(c[overview.NotPosted]))
	}
	return fmt.Sprintf("all but %s", num(c[overview.NotPosted]+c[overview.InDoubt]))
}

// Result is resultWord for templates.
func (b batchRow) Result() string { return resultWord(b.Status) }

// Ok says that nothing of a finished batch is missing.
func (b batchRow) Ok() bool {
	return b.Phase == reel.PhaseFinished && b.Counts[overview.Posted] == b.Totals.Jobs
}

// Moving says that somebody is at work on it.
func (b batchRow) Moving() bool {
	return b.Phase == reel.PhaseRunning || b.Phase == reel.PhaseWaiting || b.Phase == reel.PhasePaused
}

func (s *Server) row(st reel.Status) batchRow {
	row := batchRow{Status: st, Counts: overview.CountsOf(st.Totals)}
	row.Bar = newBar(row.Counts, "/b/"+url.PathEscape(st.Name)+"/jobs")
	if n := len(st.Passes); n > 0 && st.Phase != reel.PhaseRunning {
		row.Ended = st.Passes[n-1].EndedAt
	}
	row.ETA = s.eta(st)
	return row
}

// eta is when a running batch may be done: a range, or that it is not known.
func (s *Server) eta(st reel.Status) string {
	if st.Phase != reel.PhaseRunning && st.Phase != reel.PhaseWaiting {
		return ""
	}
	c := overview.CountsOf(st.Totals)
	var from, to time.Duration
	var ok bool
	s.sum(func(o *overview.Overview) {
		from, to, ok = o.Pace(st.Name, s.Clock()).Left(c[overview.ToDo]+c[overview.InWork], 0)
	})
	if !ok {
		return "time left not known yet"
	}
	return "done in " + shownDuration(roughly(from)) + " to " + shownDuration(roughly(to))
}

// roughly rounds a guess as far as it deserves.
func roughly(d time.Duration) time.Duration {
	if d > 30*time.Minute {
		return d.Round(5 * time.Minute)
	}
	return d.Round(10 * time.Second)
}

const perPage = 20

type batchesData struct {
	Now    []batchRow
	Coming []Coming
	Past   []batchRow
	Older  int // where the next page begins, 0 where none does
	Empty  bool
}

func (s *Server) batchesPage(r *request) (view, error) {
	list, err := s.statusList(r.ctx)
	if err != nil {
		return view{}, err
	}
	place, err := numberOf(r.URL.Query(), "from", 0, "place in the list")
	if err != nil {
		return view{}, err
	}
	from := int(min(place, int64(len(list))))
	d := batchesData{Empty: len(list) == 0}
	var past []reel.Status
	for _, st := range list {
		if row := s.row(st); row.Moving() {
			d.Now = append(d.Now, row)
		} else {
			past = append(past, st)
		}
	}
	for i := from; i < min(len(past), from+perPage); i++ {
		d.Past = append(d.Past, s.row(past[i]))
	}
	if from+perPage < len(past) {
		d.Older = from + perPage
	}
	if s.Coming != nil {
		d.Coming = slices.DeleteFunc(s.Coming(), func(c Coming) bool { return c.At.IsZero() })
		sortBy(d.Coming, func(x, y Coming) bool { return x.At.Before(y.At) })
	}
	title := "Batches"
	if len(d.Now) > 0 {
		title = d.Now[0].Name + ": " + strings.TrimSuffix(d.Now[0].Sentence(), ".")
	}
	return view{name: "batches", Title: title, Data: d, live: []string{"needs", "now", "past"}}, nil
}

// inFlight is a job in a worker's hands.
type inFlight struct {
	reel.Record
	For time.Duration
}

type batchData struct {
	batchRow
	Columns []reel.PassStats
	All     reel.PassStats
	Held    int // set aside without an attempt
	Minute  sparkline
	Rate    string
	Area    overview.Area
	Workers []inFlight
	Slots   int
	Causes  []causeRow
	Recent  []reel.Event
	Next    string
	Leader  string
	Silent  time.Time // since when nobody runs it
}

func (s *Server) batchPage(r *request) (view, error) {
	name := r.PathValue("batch")
	st, err := s.status(r.ctx, name)
	if err != nil {
		return view{}, err
	}
	d := batchData{batchRow: s.row(st)}
	d.Columns = st.Passes
	if len(d.Columns) > 5 {
		d.Columns = d.Columns[len(d.Columns)-5:]
	}
	for _, p := range st.Passes {
		d.All.Processed += p.Processed
		d.All.Succeeded += p.Succeeded
		d.All.Failed.Account += p.Failed.Account
		d.All.Failed.Content += p.Failed.Content
		d.All.Failed.Infrastructure += p.Failed.Infrastructure
		d.All.Failed.Unknown += p.Failed.Unknown
		d.All.InDoubt += p.InDoubt
		d.All.SetAside += p.SetAside
		d.All.Exhausted += p.Exhausted
	}
	d.All.SuccessRate = reel.Rate(d.All.Succeeded, d.All.Processed)
	d.Held = max(0, st.Totals.SetAside-d.All.SetAside)
	var pace overview.Pace
	s.sum(func(o *overview.Overview) {
		pace = o.Pace(name, r.now)
		d.Causes = causeRows(o.Causes(name), 5)
	})
	d.Recent, d.Slots = pace.Recent, pace.Slots
	d.Minute, d.Area = newSparkline(pace.Minute), overview.NewArea(pace.Series)
	d.Rate = rate(pace.Minute)
	if st.Phase == reel.PhaseRunning || st.Phase == reel.PhasePaused {
		page, err := s.Ledger.Page(r.ctx, name, ledger.Filter{States: []reel.State{reel.Running, reel.Publishing}}, 0, 50)
		if err != nil {
			return view{}, err
		}
		for _, j := range page.Jobs {
			d.Workers = append(d.Workers, inFlight{j, r.now.Sub(j.ClaimedAt)})
		}
	}
	leader, err := s.Ledger.Leader(r.ctx, name)
	if err != nil {
		return view{}, err
	}
	d.Leader = leader.Leader.Name
	if st.Phase == reel.PhaseInterrupted {
		d.Silent = leader.Until
	}
	d.Next = s.next(r.ctx, st)
	v := view{name: "batch", Title: name + ": " + strings.TrimSuffix(d.Sentence(), "."), Data: d}
	if d.Moving() || st.Phase == reel.PhaseInterrupted || st.Phase == reel.PhaseIdle {
		v.live = []string{"needs", "head", "passes", "charts", "workers", "why", "events"}
	}
	return v, nil
}

// rate is how many jobs were posted a minute in the last five.
func rate(minutes []int) string {
	n := 0
	for _, m := range minutes[len(minutes)-6 : len(minutes)-1] {
		n += m
	}
	return fmt.Sprintf("%.1f", float64(n)/5)
}

// next says what comes next for a batch.
func (s *Server) next(_ context.Context, st reel.Status) string {
	last := reel.PassStats{}
	if n := len(st.Passes); n > 0 {
		last = st.Passes[n-1]
	}
	switch st.Phase {
	case reel.PhaseRunning:
		if last.Retryable > 0 {
			return fmt.Sprintf("pass %d, %s so far", last.Pass+1, plural(last.Retryable, "job", "jobs"))
		}
		return "nothing to retry so far"
	case reel.PhaseWaiting:
		return fmt.Sprintf("pass %d with %s, %s after the last one", last.Pass+1, plural(st.Totals.Failed+st.Totals.Pending, "job", "jobs"), shownDuration(st.Limits.RetryDelay.Std()))
	case reel.PhasePaused:
		return "nothing until a person resumes it; what is running finishes"
	case reel.PhaseInterrupted:
		return "nothing until somebody runs it again: reelpass run --batch " + st.Name
	case reel.PhaseIdle:
		return "nothing until somebody runs it: reelpass run --batch " + st.Name
	case reel.PhaseFinished:
		if overview.CountsOf(st.Totals)[overview.NotPosted] > 0 {
			return "nothing by itself; what was set aside or given up, a person may return"
		}
		return "nothing: it is finished"
	}
	return ""
}

// brakeData is the page that says what a pause or its end does before it is done.
type brakeData struct {
	reel.Status
	Pause bool
}

func (s *Server) brakePage(r *request) (view, error) {
	st, err := s.status(r.ctx, r.PathValue("batch"))
	if err != nil {
		return view{}, err
	}
	return view{name: "brake", Title: "Pause " + st.Name, Data: brakeData{st, st.Phase != reel.PhasePaused}}, nil
}

func (s *Server) brake(r *request) (view, error) {
	name := r.PathValue("batch")
	pause := r.PostFormValue("do") == "pause"
	if !pause && r.PostFormValue("do") != "resume" {
		return view{}, badRequest("say pause or resume")
	}
	if err := s.Ledger.Pause(r.ctx, name, pause, r.Who.Name); err != nil {
		return view{}, err
	}
	return view{to: "/b/" + url.PathEscape(name)}, nil
}

// causeRow is a cause in a list.
type causeRow struct {
	overview.Cause
	Batch string
	Teach bool // no rule knows it yet; only where that is asked
}

func causeRows(list []overview.Cause, most int) []causeRow {
	out := make([]causeRow, 0, min(most, len(list)))
	for _, c := range list[:min(most, len(list))] {
		out = append(out, causeRow{Cause: c, Batch: c.Example.Batch})
	}
	return out
}

// Whose says whether it is one account's trouble or everybody's.
func (c causeRow) Whose() string {
	switch {
	case c.Accounts == 1:
		return "only " + accountName(c.Most)
	case c.Accounts >= 5 && c.MostAttempts*2 < c.Attempts:
		return fmt.Sprintf("%s accounts: not one account's trouble", num(c.Accounts))
	}
	return plural(c.Accounts, "account", "accounts")
}

// Gone is how many of its jobs are not posted, and will not be by themselves.
func (c causeRow) Gone() int { return c.By[overview.NotPosted] }

// Doubts is how many of its jobs may be posted.
func (c causeRow) Doubts() int { return c.By[overview.InDoubt] }

// Open is how many of its jobs are still to do.
func (c causeRow) Open() int { return c.By[overview.ToDo] + c.By[overview.InWork] }

type failuresData struct {
	Batch    string
	Names    []string
	Causes   []causeRow
	Passes   []int
	Sum      string
	Behind   bool
	Examples bool
}

func (s *Server) failuresPage(r *request) (view, error) {
	names, err := s.Ledger.Names(r.ctx)
	if err != nil {
		return view{}, err
	}
	d := failuresData{Batch: r.URL.Query().Get("batch"), Names: names}
	if d.Batch == "" && len(names) > 0 {
		d.Batch = names[0]
	}
	if d.Batch != "" && !slices.Contains(names, d.Batch) {
		return view{}, notFound("there is no batch %s", d.Batch)
	}
	s.sum(func(o *overview.Overview) {
		d.Causes, d.Behind = causeRows(o.Causes(d.Batch), 200), s.behind
	})
	passes := map[int]bool{}
	var n, recovered, open, gone, doubts int
	for i, c := range d.Causes {
		d.Causes[i].Teach = s.unknown(c.Cause)
		for p := range c.Passes {
			passes[p] = true
		}
		n, recovered, open, gone, doubts = n+c.Attempts, recovered+c.Recovered(), open+c.Open(), gone+c.Gone(), doubts+c.Doubts()
	}
	for p := range passes {
		d.Passes = append(d.Passes, p)
	}
	slices.Sort(d.Passes)
	if len(d.Passes) > 5 {
		d.Passes = d.Passes[len(d.Passes)-5:]
	}
	d.Sum = "No failure in this batch."
	if n > 0 {
		d.Sum = fmt.Sprintf("%s behind %s; of the jobs, %s recovered, %s still to do, %s not posted, %s in doubt.",
			plural(len(d.Causes), "cause", "causes"), plural(n, "failure", "failures"), num(recovered), num(open), num(gone), num(doubts))
	}
	return view{name: "failures", Title: "Failures", Data: d, live: []string{"needs"}}, nil
}
