package dashboard

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"reelpass/internal/console"
	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

type jobData struct {
	Batch    string
	Job      reel.Record
	Sentence string
	Next     string
	Attempts []attemptData // the newest first
	Journal  []line
	Held     bool
	Cause    *causeRow
	MayRetry string // why not; empty where it may
	MayStop  string
}

type line struct {
	At   time.Time
	By   string
	Text string
}

type attemptData struct {
	reel.Attempt
	Shared   string // whether the share had begun, in words
	Decision string
	Took     time.Duration
	Pictures []string // of the evidence, as addresses
	Files    []string
	Gone     bool // evidence was kept, and its folder is not there any more
	Open     bool
}

func (s *Server) jobPage(r *request) (view, error) {
	batch, id := r.PathValue("batch"), reel.JobID(r.PathValue("job"))
	st, err := s.Ledger.Story(r.ctx, batch, id)
	if err != nil {
		return view{}, err
	}
	j := st.Record
	d := jobData{Batch: batch, Job: j, Held: st.Held, Next: outlook(st), Sentence: tellJob(st)}
	for i, a := range slices.Backward(st.Attempts) {
		d.Attempts = append(d.Attempts, s.attempt(a, st.Events, i == len(st.Attempts)-1))
	}
	zone := s.shell(r, view{}).zone
	for _, e := range st.Events {
		bare := e
		bare.Job, bare.Account = "", ""
		by := e.By
		if by == "" && e.Worker > 0 {
			by = fmt.Sprintf("worker %d", e.Worker)
		}
		d.Journal = append(d.Journal, line{e.At, by, console.Sentence(bare, zone)})
	}
	retry, _ := verbOf("retry")
	cancel, _ := verbOf("cancel")
	d.MayRetry, d.MayStop = retry.refusal(j, st.Held && st.Until.IsZero()), cancel.refusal(j, false)
	s.sum(func(o *overview.Overview) {
		for _, c := range causeRows(o.Causes(batch), 200) {
			if d.Cause == nil && slices.Contains(o.Of(batch, c.ID), id) {
				d.Cause = &c
			}
		}
	})
	return view{name: "job", Title: string(id) + ": " + stateWord(j.State), Data: d}, nil
}

// tellJob says where a job stands and why, in a sentence made of what is known and of nothing else.
func tellJob(st ledger.Story) string {
	j, n := st.Record, len(st.Attempts)
	if n == 0 {
		switch j.State {
		case reel.SetAside:
			return "Not tried: " + words(j.Reason) + "."
		case reel.Cancelled:
			return "Taken back before it was tried."
		default:
			return "Not tried yet."
		}
	}
	last := st.Attempts[n-1]
	if j.State == reel.Succeeded {
		text := "Posted at the first attempt."
		if n > 1 {
			text = fmt.Sprintf("Posted at attempt %d.", n)
		}
		if last.Outcome == reel.OutcomeInDoubt {
			text = "Posted: it was in doubt, and the post was found."
		}
		return text
	}
	if j.State.InFlight() {
		return fmt.Sprintf("Attempt %d runs now.", j.Tally.Attempts+1)
	}
	kinds := map[string]int{}
	var order []string
	for _, a := range st.Attempts {
		if a.Outcome == reel.OutcomeSucceeded {
			continue
		}
		kind := string(a.Verdict.Category)
		if a.Verdict.Type != "" {
			kind += " (" + words(a.Verdict.Type) + ")"
		}
		if kinds[kind]++; kinds[kind] == 1 {
			order = append(order, kind)
		}
	}
	var parts []string
	for _, k := range order {
		times := "once"
		if kinds[k] > 1 {
			times = fmt.Sprintf("%d times", kinds[k])
		}
		parts = append(parts, times+" for "+k)
	}
	text := "Failed " + strings.Join(parts, ", ") + "."
	if j.State == reel.InDoubt {
		text = "It may be posted or not: the share had begun, and its end is not known."
	}
	return text + " " + shared(last, st.Events, true)
}

// shared says whether the irreversible step had begun in an attempt.
func shared(a reel.Attempt, events []reel.Event, sentence bool) string {
	text := "nothing was shared"
	switch {
	case a.ShareBegun || a.Evidence.ShareBegun:
		text = "the share had begun"
	case slices.ContainsFunc(events, func(e reel.Event) bool { return e.Kind == reel.EventIntent && e.Attempt == a.Number }):
		text = "the share was allowed, and had not begun"
	}
	if sentence {
		return strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return text
}

// kept finds the folder that a publisher says it kept evidence in.
var kept = regexp.MustCompile(`kept in (\S+)`)

func (s *Server) attempt(a reel.Attempt, events []reel.Event, open bool) attemptData {
	d := attemptData{Attempt: a, Shared: shared(a, events, false), Took: a.EndedAt.Sub(a.StartedAt), Open: open}
	for _, e := range events {
		if e.Attempt == a.Number && e.Decision != nil && e.Kind != reel.EventLooked {
			d.Decision = e.Decision.Why
		}
	}
	if m := kept.FindStringSubmatch(a.Evidence.Note); m != nil {
		d.Pictures, d.Files, d.Gone = s.kept(path.Base(m[1]))
	}
	return d
}

// kept lists what lies in an evidence folder.
func (s *Server) kept(dir string) (pictures, others []string, gone bool) {
	if s.evidence == nil || !fs.ValidPath(dir) {
		return nil, nil, true
	}
	entries, err := fs.ReadDir(s.evidence.FS(), dir)
	if err != nil {
		return nil, nil, true
	}
	for _, e := range entries {
		address := "/evidence/" + url.PathEscape(dir) + "/" + url.PathEscape(e.Name())
		if strings.HasSuffix(e.Name(), ".png") {
			pictures = append(pictures, address)
		} else if !e.IsDir() {
			others = append(others, address)
		}
	}
	return pictures, others, false
}

// accountRow is an account in a list.
type accountRow struct {
	Name  string
	Hold  *reel.Hold
	Last  []overview.Group
	Post  time.Time
	Strip string // Last in words
}

// Limited says that its hold ends by itself.
func (a accountRow) Limited() bool { return a.Hold != nil && !a.Hold.Until.IsZero() }

type accountsData struct {
	Held, Limited, Fine []accountRow
	Search              string
	Cut                 int // accounts that are not shown
	// How many there are, whatever is shown.
	HeldAll, LimitedAll, FineAll int
}

func (s *Server) accountRows(r *request) ([]accountRow, error) {
	holds, err := s.Ledger.Holds(r.ctx, false)
	if err != nil {
		return nil, err
	}
	byName := map[string]*reel.Hold{}
	for i := range holds {
		byName[holds[i].Account] = &holds[i]
	}
	var list []accountRow
	s.sum(func(o *overview.Overview) {
		for _, a := range o.Accounts() {
			list = append(list, accountRow{Name: a.Name, Last: a.Last, Post: a.LastPost, Hold: byName[a.Name], Strip: stripWords(a.Last)})
			delete(byName, a.Name)
		}
	})
	for name, h := range byName { // held, and never tried
		list = append(list, accountRow{Name: name, Hold: h})
	}
	sortBy(list, func(x, y accountRow) bool { return x.Name < y.Name })
	return list, nil
}

// stripWords says what a strip of outcomes shows.
func stripWords(list []overview.Group) string {
	var n overview.Counts
	for _, g := range list {
		n[g]++
	}
	var parts []string
	for _, p := range []struct {
		g    overview.Group
		word string
	}{{overview.Posted, "posted"}, {overview.ToDo, "to be retried"}, {overview.NotPosted, "ended without a post"}, {overview.InDoubt, "in doubt"}} {
		if n[p.g] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[p.g], p.word))
		}
	}
	return strings.Join(parts, ", ")
}

// mostAccounts is how many accounts of one kind a page lists; the others are found by their names.
const mostAccounts = 40

func (s *Server) accountsPage(r *request) (view, error) {
	list, err := s.accountRows(r)
	if err != nil {
		return view{}, err
	}
	d := accountsData{Search: strings.TrimPrefix(r.URL.Query().Get("q"), "@")}
	for _, a := range list {
		list := &d.Fine
		switch {
		case d.Search != "" && !strings.Contains(strings.ToLower(a.Name), strings.ToLower(d.Search)):
			continue
		case a.Limited():
			list = &d.Limited
		case a.Hold != nil:
			list = &d.Held
		}
		if len(*list) == mostAccounts {
			d.Cut++
			continue
		}
		*list = append(*list, a)
	}
	for _, a := range list {
		switch {
		case a.Limited():
			d.LimitedAll++
		case a.Hold != nil:
			d.HeldAll++
		default:
			d.FineAll++
		}
	}
	return view{name: "accounts", Title: "Accounts", Data: d, live: []string{"needs"}}, nil
}

type accountData struct {
	accountRow
	History []reel.Hold // the newest first
	Cause   *attemptData
	Todo    string // what a person does before the release
}

func (s *Server) accountPage(r *request) (view, error) {
	name := r.PathValue("account")
	list, err := s.accountRows(r)
	if err != nil {
		return view{}, err
	}
	i := slices.IndexFunc(list, func(a accountRow) bool { return a.Name == name })
	if i < 0 {
		return view{}, notFound("account %s was never tried and is not on hold", name)
	}
	d := accountData{accountRow: list[i]}
	all, err := s.Ledger.Holds(r.ctx, true)
	if err != nil {
		return view{}, err
	}
	for _, h := range slices.Backward(all) {
		if h.Account == name {
			d.History = append(d.History, h)
		}
	}
	if d.Hold != nil && d.Hold.Job != "" {
		st, err := s.Ledger.Story(r.ctx, d.Hold.Batch, d.Hold.Job)
		if err != nil {
			return view{}, err
		}
		if n := len(st.Attempts); n > 0 {
			a := s.attempt(st.Attempts[n-1], st.Events, true)
			d.Cause = &a
		}
	}
	if d.Hold != nil {
		d.Todo = todo(d.Hold.Verdict.Type)
	}
	return view{name: "account", Title: "Account " + name, Data: d}, nil
}

// todo is what a person does before an account is released. reelpass never signs in and never passes a check by itself.
func todo(kind string) string {
	switch {
	case strings.Contains(kind, "log"), strings.Contains(kind, "session"), strings.Contains(kind, "token"):
		return "Sign in by hand, or give a new token; reelpass never signs in by itself."
	case strings.Contains(kind, "verif"), strings.Contains(kind, "challenge"), strings.Contains(kind, "checkpoint"):
		return "Pass the check by hand in the app; reelpass never solves one."
	}
	return "Look at the account in the app, and mend what it shows."
}

func (s *Server) release(r *request) (view, error) {
	name := r.PathValue("account")
	if _, err := s.Ledger.ReleaseAccount(r.ctx, name, r.Who.Name, r.PostFormValue("cause") == "on"); err != nil {
		return view{}, s.alreadyReleased(r, name, err)
	}
	return view{to: "/accounts/" + url.PathEscape(name)}, nil
}

// alreadyReleased says who was quicker.
func (s *Server) alreadyReleased(r *request, name string, err error) error {
	all, errHolds := s.Ledger.Holds(r.ctx, true)
	if errHolds != nil {
		return err
	}
	for _, h := range slices.Backward(all) {
		if h.Account == name && h.ReleasedBy != "" {
			return &pageError{409, fmt.Sprintf("%s released it at %s", h.ReleasedBy, h.ReleasedAt.In(s.Zone).Format("15:04"))}
		}
	}
	return err
}

func (s *Server) hold(r *request) (view, error) {
	name := r.PathValue("account")
	if err := s.Ledger.HoldAccount(r.ctx, name, r.Who.Name, reel.Scrub(r.PostFormValue("why")), time.Time{}); err != nil {
		return view{}, err
	}
	return view{to: "/accounts/" + url.PathEscape(name)}, nil
}

type doubtsData struct{ List []doubt }

func (s *Server) doubtsPage(r *request) (view, error) {
	list, err := s.statusList(r.ctx)
	if err != nil {
		return view{}, err
	}
	doubts, err := s.doubts(r.ctx, list)
	if err != nil {
		return view{}, err
	}
	return view{name: "doubts", Title: "In doubt", Data: doubtsData{doubts}, live: []string{"needs", "doubts"}}, nil
}

type doubtData struct {
	Batch    string
	Job      reel.Record
	Place    int
	Of       int
	Later    string // the next doubt
	Before   string // the one before
	Last     *attemptData
	Looks    []reel.Event
	Began    time.Time // the share was allowed
	Seq      int64
	Profile  string
	Film     film
	Acting   string // why nobody may say yet that it is not posted; empty where a person may
	Settled  string // it is in doubt no more
	Answer   string // to be confirmed
	Link     string
	Note     string
	Conflict bool // a look-up says otherwise
	Wrong    string
	Warn     string
}

func (s *Server) doubtData(r *request) (doubtData, error) {
	batch, id := r.PathValue("batch"), reel.JobID(r.PathValue("job"))
	st, err := s.Ledger.Story(r.ctx, batch, id)
	if err != nil {
		return doubtData{}, err
	}
	d := doubtData{Batch: batch, Job: st.Record}
	if name := st.Record.Account; instagramName.MatchString(name) {
		d.Profile = "https://www.instagram.com/" + name + "/"
	}
	for _, e := range st.Events {
		d.Seq = e.Seq
		switch e.Kind {
		case reel.EventIntent:
			d.Began, d.Looks = e.At, nil
		case reel.EventLooked:
			d.Looks = append(d.Looks, e)
			d.Conflict = e.Look != nil && e.Look.Finding == reel.Found
		default: // of the attempts
		}
	}
	if n := len(st.Attempts); n > 0 {
		a := s.attempt(st.Attempts[n-1], st.Events, true)
		d.Last = &a
	}
	if st.Record.State != reel.InDoubt {
		d.Settled = stateWord(st.Record.State)
		if n := len(d.Looks); n > 0 && d.Looks[n-1].Look != nil && d.Looks[n-1].Look.By != "" {
			d.Settled = fmt.Sprintf("%s: %s said so at %s", d.Settled, d.Looks[n-1].Look.By, d.Looks[n-1].At.In(s.Zone).Format("15:04"))
		}
		return d, nil
	}
	held, err := s.Ledger.Held(r.ctx, "")
	if err != nil {
		return d, err
	}
	if slices.ContainsFunc(held, func(h reel.Held) bool { return h.Batch == batch && h.Job.ID == id }) {
		d.Acting = "It is not known yet that the worker of this attempt is dead: it might still share. Its own machine says so when reelpass runs there again. If that machine is off for good: reelpass resolve " + string(id) + " --not-posted --worker-dead"
	}
	return d, nil
}

var instagramName = regexp.MustCompile(`^[A-Za-z0-9._]{1,30}$`)

func (s *Server) doubtPage(r *request) (view, error) {
	d, err := s.doubtData(r)
	if err != nil {
		return view{}, err
	}
	if d.Film, err = s.film(r.ctx, d.Batch, d.Job.ID); err != nil {
		return view{}, err
	}
	list, err := s.statusList(r.ctx)
	if err != nil {
		return view{}, err
	}
	doubts, err := s.doubts(r.ctx, list)
	if err != nil {
		return view{}, err
	}
	d.Of = len(doubts)
	for i, other := range doubts {
		if other.Batch == d.Batch && other.ID == d.Job.ID {
			d.Place = i + 1
			place := func(n int) string {
				o := doubts[(n+len(doubts))%len(doubts)]
				return "/in-doubt/" + url.PathEscape(o.Batch) + "/" + url.PathEscape(string(o.ID))
			}
			if len(doubts) > 1 {
				d.Later, d.Before = place(i+1), place(i-1)
			}
		}
	}
	return view{name: "doubt", Title: "In doubt: " + string(d.Job.ID), Data: d}, nil
}

// checkDoubt repeats an answer with what follows from it, before it is given.
func (s *Server) checkDoubt(r *request) (view, error) {
	d, err := s.doubtData(r)
	if err != nil {
		return view{}, err
	}
	d.Answer, d.Link, d.Note = r.PostFormValue("answer"), strings.TrimSpace(r.PostFormValue("link")), r.PostFormValue("note")
	v := view{name: "doubt-check", Title: "Is this right? " + string(d.Job.ID), Data: &d}
	switch {
	case d.Settled != "":
	case d.Answer == "unsure":
		return view{to: "/in-doubt"}, nil
	case d.Answer == "posted":
		if d.Link != "" {
			if u, err := url.Parse(d.Link); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
				d.Wrong, d.Answer = "This link is no address of a page.", ""
			}
		}
	case d.Answer == "absent" && d.Acting != "":
		d.Wrong, d.Answer = d.Acting, ""
	case d.Answer == "absent" && r.PostFormValue("looked") != "on":
		d.Wrong, d.Answer = "Say that you looked at the account: if you are wrong, the video appears twice.", ""
	case d.Answer == "absent":
	default:
		d.Wrong, d.Answer = "Choose an answer.", ""
	}
	if d.Wrong != "" {
		v.status = 422
	}
	return v, nil
}

// resolve gives the answer, if the facts are still those that were shown.
func (s *Server) resolve(r *request) (view, error) {
	d, err := s.doubtData(r)
	if err != nil {
		return view{}, err
	}
	check := view{name: "doubt-check", Title: "Is this right? " + string(d.Job.ID), Data: &d, status: 409}
	if d.Settled != "" {
		return check, nil
	}
	if r.PostFormValue("seq") != fmt.Sprint(d.Seq) {
		d.Wrong = "The facts have changed since you looked. Look again, and answer anew."
		return check, nil
	}
	note := reel.Scrub(strings.TrimSpace(r.PostFormValue("note")))
	look := reel.Look{By: r.Who.Name, Why: note}
	switch r.PostFormValue("answer") {
	case "posted":
		look.Finding, look.Receipt.URL = reel.Found, reel.Scrub(r.PostFormValue("link"))
	case "absent":
		look.Finding = reel.Absent
		if d.Acting != "" {
			d.Wrong = d.Acting
			return check, nil
		}
		if d.Conflict && r.PostFormValue("typed") != string(d.Job.ID) {
			check.status = 422
			d.Answer, d.Note, d.Wrong = "absent", note, "A look-up found the post. Type the job's name to say that it is not there all the same."
			return check, nil
		}
	default:
		return view{}, badRequest("say posted or absent")
	}
	if _, err := s.Ledger.Resolve(r.ctx, d.Batch, d.Job.ID, look, s.Absent); err != nil {
		return view{}, err
	}
	return view{to: "/b/" + url.PathEscape(d.Batch) + "/jobs/" + url.PathEscape(string(d.Job.ID))}, nil
}
