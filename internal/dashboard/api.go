package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/overview"
	"reelpass/internal/posts"
	"reelpass/internal/reel"
)

// apiRoot is where the paths of the API begin. openapi.yaml describes every one of them; a test holds the two together.
const apiRoot = "/api/v1"

// mostInAnswer is how many jobs or events one answer lists.
const mostInAnswer = 1000

// apiRoutes are the ways in for scripts. They read the same as the pages, and take the same steps.
func (s *Server) apiRoutes(m *http.ServeMux) {
	m.HandleFunc("GET "+apiRoot+"/openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		http.ServeFileFS(w, r, files, "openapi.yaml")
	})
	m.HandleFunc("GET "+apiRoot+"/events", s.apiEvents)
	for path, f := range map[string]func(*request) (any, error){
		"/batches":                    s.apiBatches,
		"/batches/{batch}":            s.apiBatch,
		"/batches/{batch}/jobs":       s.apiJobs,
		"/batches/{batch}/jobs/{job}": s.apiJob,
		"/batches/{batch}/failures":   s.apiFailures,
		"/accounts":                   s.apiAccounts,
		"/in-doubt":                   s.apiDoubts,
		"/journal":                    s.apiJournal,
	} {
		m.HandleFunc("GET "+apiRoot+path, s.answer(f))
	}
	for path, f := range map[string]func(*request) (any, error){
		"/batches/{batch}/pause":              s.apiPause(true),
		"/batches/{batch}/resume":             s.apiPause(false),
		"/batches/{batch}/bulk/preview":       s.apiPreview,
		"/batches/{batch}/bulk/act":           s.apiAct,
		"/batches/{batch}/jobs/{job}/retry":   s.apiStep("retry"),
		"/batches/{batch}/jobs/{job}/cancel":  s.apiStep("cancel"),
		"/batches/{batch}/jobs/{job}/resolve": s.apiResolve,
		"/accounts/{account}/hold":            s.apiHold,
		"/accounts/{account}/release":         s.apiRelease,
	} {
		m.HandleFunc("POST "+apiRoot+path, s.steering(s.answer(f)))
	}
	m.HandleFunc(apiRoot+"/", s.answer(func(r *request) (any, error) {
		return nil, notFound("there is no %s %s", r.Method, r.URL.Path)
	}))
}

// isAPI says that a request is a script's, which reads a refusal as JSON.
func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, apiRoot+"/") }

// problem is a refusal as RFC 9457 has it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(status), status, detail}) // whoever went away does not read it
}

// answer makes a handler of a part of the API.
func (s *Server) answer(f func(*request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rq := s.request(r)
		s.current(r.Context())
		v, err := f(rq)
		if err != nil {
			status, text := s.failing(rq, err)
			writeProblem(w, status, text)
			return
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // for people who read captions with & in them
		if err := enc.Encode(v); err != nil {
			writeProblem(w, http.StatusInternalServerError, "this answer cannot be made: "+reel.Scrub(err.Error()))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = b.WriteTo(w) // whoever went away does not read it
	}
}

func (s *Server) apiBatches(r *request) (any, error) {
	list, err := s.statusList(r.ctx)
	return struct {
		Batches []reel.Status `json:"batches"`
	}{list}, err
}

func (s *Server) apiBatch(r *request) (any, error) { return s.status(r.ctx, r.PathValue("batch")) }

// batchJob is a job in a list that is not one batch's.
type batchJob struct {
	Batch string          `json:"batch"`
	Job   json.RawMessage `json:"job"`
}

func (s *Server) apiJobs(r *request) (any, error) {
	name, q := r.PathValue("batch"), r.URL.Query()
	c := choiceOf(q)
	if len(c.Wrong) > 0 {
		return nil, badRequest("%s", strings.Join(c.Wrong, "; "))
	}
	place, err := numberOf(q, "from", 0, "place in the list")
	if err != nil {
		return nil, err
	}
	most, err := numberOf(q, "limit", 100, "number")
	if err != nil {
		return nil, err
	}
	if _, err := s.status(r.ctx, name); err != nil {
		return nil, err // an unknown batch is an error, not an empty list
	}
	page, err := s.choose(r, name, c, place, int(max(1, min(most, mostInAnswer))))
	if err != nil {
		return nil, err
	}
	out := struct {
		Jobs []json.RawMessage `json:"jobs"`
		Next string            `json:"next"` // from= of the next answer, empty at the end
	}{Jobs: make([]json.RawMessage, len(page.Jobs))}
	for i, j := range page.Jobs {
		if out.Jobs[i], err = posts.JSONLine(j); err != nil {
			return nil, err
		}
	}
	if page.Next != 0 {
		out.Next = strconv.FormatInt(page.Next, 10)
	}
	return out, nil
}

// apiJob is one job's whole story, as 'reelpass explain --json' tells it.
func (s *Server) apiJob(r *request) (any, error) {
	st, err := s.Ledger.Story(r.ctx, r.PathValue("batch"), reel.JobID(r.PathValue("job")))
	if err != nil {
		return nil, err
	}
	line, err := posts.JSONLine(st.Record)
	return posts.Story{Job: line, Held: st.Held, Next: outlook(st), Attempts: orNone(st.Attempts), Events: orNone(st.Events)}, err
}

// orNone keeps an empty list a list.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// failure is a cause as scripts read it.
type failure struct {
	ID        string       `json:"id"`
	Signature string       `json:"signature"`
	Verdict   reel.Verdict `json:"verdict"`
	Attempts  int          `json:"attempts"`
	Jobs      int          `json:"jobs"`
	Accounts  int          `json:"accounts"`
	Posted    int          `json:"posted"`     // jobs that recovered
	ToDo      int          `json:"to_do"`      // in work or waiting
	NotPosted int          `json:"not_posted"` // and will not be by themselves
	InDoubt   int          `json:"in_doubt"`
	First     time.Time    `json:"first"`
	Last      time.Time    `json:"last"`
	Example   string       `json:"example"`
}

func (s *Server) apiFailures(r *request) (any, error) {
	name := r.PathValue("batch")
	if _, err := s.status(r.ctx, name); err != nil {
		return nil, err
	}
	out := struct {
		Behind   bool      `json:"behind"` // the journal has not been read to its end yet
		Failures []failure `json:"failures"`
	}{Failures: []failure{}}
	s.sum(func(o *overview.Overview) {
		out.Behind = s.behind
		for _, c := range causeRows(o.Causes(name), mostInAnswer) {
			out.Failures = append(out.Failures, failure{
				ID: c.ID, Signature: c.Signature, Verdict: c.Verdict, Attempts: c.Attempts, Jobs: c.Jobs, Accounts: c.Accounts,
				Posted: c.Recovered(), ToDo: c.Open(), NotPosted: c.Gone(), InDoubt: c.Doubts(), First: c.First, Last: c.Last, Example: c.Example.Evidence.Text,
			})
		}
	})
	return out, nil
}

func (s *Server) apiAccounts(r *request) (any, error) {
	all := r.URL.Query().Get("all")
	if all != "" && all != "true" && all != "false" {
		return nil, badRequest("all is true or false, not %q", all)
	}
	holds, err := s.Ledger.Holds(r.ctx, all == "true")
	return struct {
		Holds []reel.Hold `json:"holds"`
	}{orNone(holds)}, err
}

func (s *Server) apiDoubts(r *request) (any, error) {
	list, err := s.statusList(r.ctx)
	if err != nil {
		return nil, err
	}
	doubts, err := s.doubts(r.ctx, list)
	if err != nil {
		return nil, err
	}
	out := struct {
		Jobs []batchJob `json:"jobs"`
	}{make([]batchJob, len(doubts))}
	for i, d := range doubts {
		line, err := posts.JSONLine(d.Record)
		if err != nil {
			return nil, err
		}
		out.Jobs[i] = batchJob{d.Batch, line}
	}
	return out, nil
}

func (s *Server) apiJournal(r *request) (any, error) {
	after, err := numberOf(r.URL.Query(), "after", 0, "number")
	if err != nil {
		return nil, err
	}
	events, err := s.Ledger.Journal(r.ctx, after, mostInAnswer)
	if n := len(events); n > 0 {
		after = events[n-1].Seq
	}
	return struct {
		Events []reel.Event `json:"events"`
		Last   int64        `json:"last"` // after= of the next answer
	}{orNone(events), after}, err
}

// fromNow is the place of a stream that says none: what comes from now on.
const fromNow = -1

// apiEvents streams the journal as it grows. A script that comes back says what it had last, and misses nothing.
func (s *Server) apiEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		q.Set("after", last)
	}
	after, err := numberOf(q, "after", fromNow, "number")
	if err == nil && after == fromNow {
		after, err = s.Ledger.Head(r.Context())
	}
	if err != nil {
		status, text := s.failing(s.request(r), err)
		writeProblem(w, status, text)
		return
	}
	if s.scripts.Add(1) > mostViewer {
		s.scripts.Add(-1)
		w.Header().Set("Retry-After", "30")
		writeProblem(w, http.StatusServiceUnavailable, "too many scripts listen")
		return
	}
	defer s.scripts.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	look := time.NewTicker(tick)
	defer look.Stop()
	for silent := time.Duration(0); ; silent += tick {
		events, err := s.Ledger.Journal(r.Context(), after, mostInAnswer)
		if err != nil {
			return // the script comes back with the last it had
		}
		var b bytes.Buffer
		for _, e := range events {
			after = e.Seq
			if batch := q.Get("batch"); batch != "" && batch != e.Batch {
				continue
			}
			data, err := json.Marshal(e)
			if err != nil {
				return
			}
			b.WriteString("id: " + strconv.FormatInt(e.Seq, 10) + "\nevent: " + string(e.Kind) + "\ndata: ")
			b.Write(data)
			b.WriteString("\n\n")
		}
		if b.Len() == 0 && (silent == 0 || silent >= keepAlive) {
			b.WriteString(":\n\n")
		}
		if b.Len() > 0 {
			silent = 0
			if out.SetWriteDeadline(time.Now().Add(keepAlive)) != nil {
				return
			}
			if _, err := b.WriteTo(w); err != nil || out.Flush() != nil {
				return
			}
		}
		if len(events) == mostInAnswer {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.hub.done:
			return
		case <-look.C:
		}
	}
}

// given reads what a step was sent. A word that it does not know is refused: a slip must not become a step with something else in mind.
func given[T any](r *request) (v T, err error) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err = dec.Decode(&v)
	switch {
	case err == nil && dec.Decode(new(any)) == io.EOF:
		return v, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return v, err
	case errors.Is(err, io.EOF):
		return v, nil // nothing was sent: nothing was wished beyond the step
	}
	return v, badRequest("this is not the JSON that the step takes; nothing was changed")
}

func (s *Server) apiPause(pause bool) func(*request) (any, error) {
	return func(r *request) (any, error) {
		if _, err := given[struct{}](r); err != nil {
			return nil, err
		}
		name := r.PathValue("batch")
		if err := s.Ledger.Pause(r.ctx, name, pause, r.Who.Name); err != nil {
			return nil, err
		}
		return s.Ledger.Status(r.ctx, name)
	}
}

// after is a job as a step left it.
func (s *Server) after(r *request, batch string, id reel.JobID) (any, error) {
	st, err := s.Ledger.Story(r.ctx, batch, id)
	if err != nil {
		return nil, err
	}
	line, err := posts.JSONLine(st.Record)
	return batchJob{batch, line}, err
}

func (s *Server) apiStep(name string) func(*request) (any, error) {
	return func(r *request) (any, error) {
		if _, err := given[struct{}](r); err != nil {
			return nil, err
		}
		v, err := verbOf(name)
		if err != nil {
			return nil, err
		}
		batch, id := r.PathValue("batch"), reel.JobID(r.PathValue("job"))
		if err := v.do(s.Ledger, r, batch, id); err != nil {
			return nil, err
		}
		return s.after(r, batch, id)
	}
}

func (s *Server) apiResolve(r *request) (any, error) {
	said, err := given[struct {
		Posted *bool  `json:"posted"`
		ID     string `json:"id"`
		URL    string `json:"url"`
		Why    string `json:"why"`
	}](r)
	switch {
	case err != nil:
		return nil, err
	case said.Posted == nil:
		return nil, badRequest("say whether it is posted, true or false; nothing was changed")
	case !*said.Posted && said.ID+said.URL != "":
		return nil, badRequest("id and url go with a post that is there; nothing was changed")
	}
	d, err := s.doubtData(r) // what the page would show a person
	if err != nil {
		return nil, err
	}
	look := reel.Look{By: r.Who.Name, Why: reel.Scrub(said.Why)}
	switch {
	case *said.Posted:
		look.Finding, look.Receipt = reel.Found, reel.Receipt{ID: reel.Scrub(said.ID), URL: reel.Scrub(said.URL)}
	case d.Acting != "":
		return nil, &pageError{http.StatusConflict, d.Acting}
	case d.Conflict:
		return nil, &pageError{http.StatusConflict, "a look-up found the post; that it is not there all the same, a person says on the page"}
	default:
		look.Finding = reel.Absent
	}
	if _, err := s.Ledger.Resolve(r.ctx, d.Batch, d.Job.ID, look, s.Absent); err != nil {
		return nil, err
	}
	return s.after(r, d.Batch, d.Job.ID)
}

func (s *Server) apiHold(r *request) (any, error) {
	said, err := given[struct {
		Why   string    `json:"why"`
		Until time.Time `json:"until"`
	}](r)
	if err != nil {
		return nil, err
	}
	if !said.Until.IsZero() && !said.Until.After(r.now) {
		return nil, badRequest("until is past; nothing was changed")
	}
	account := r.PathValue("account")
	if err := s.Ledger.HoldAccount(r.ctx, account, r.Who.Name, reel.Scrub(said.Why), said.Until); err != nil {
		return nil, err
	}
	return s.holdOf(r, account)
}

// holdOf is the hold of an account.
func (s *Server) holdOf(r *request, account string) (any, error) {
	holds, err := s.Ledger.Holds(r.ctx, false)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if h.Account == account {
			return h, nil
		}
	}
	return nil, notFound("account %s is not held", account)
}

func (s *Server) apiRelease(r *request) (any, error) {
	said, err := given[struct {
		Cause bool `json:"with_cause"`
	}](r)
	if err != nil {
		return nil, err
	}
	n, err := s.Ledger.ReleaseAccount(r.ctx, r.PathValue("account"), r.Who.Name, said.Cause)
	return struct {
		Returned int `json:"returned"` // jobs that go back to the next pass
	}{n}, err
}
