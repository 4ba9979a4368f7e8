package fault

import (
	"fmt"

	"reelpass/internal/reel"
)

// maxJudged is how many examples a replay keeps.
const maxJudged = 5

// Replay judges a ledger's history anew: by the rules as they are, and as they would be. Events are fed to it in their order. What an
// account's hold would have kept from the other jobs of the account it does not reckon, so that nothing is called saved twice.
type Replay struct {
	old, new *Rules
	stops    func(reel.Verdict) bool
	jobs     map[replayed]bool // whose attempt the new rules would have ended; false: the old ones would have
	changes  Changes
}

type replayed struct {
	batch string
	job   reel.JobID
}

// Changes is what other rules would have made of a history.
type Changes struct {
	Attempts int      `json:"attempts"` // that ended without a post, and were judged anew
	Judged   int      `json:"judged"`   // of these, otherwise than by the old rules
	Saved    int      `json:"saved"`    // attempts that failed, and would not have been made: the job was given up before
	Lost     int      `json:"lost"`     // posts, and doubts that may be some, which would not have been: likewise
	Again    int      `json:"again"`    // jobs that were given up and would have been tried again
	Examples []Judged `json:"examples"` // the first few that are judged otherwise
}

// String says them in a line.
func (c Changes) String() string {
	text := fmt.Sprintf("of %s that failed, %d judged otherwise: %s saved, %s lost", count(c.Attempts, "attempt", "attempts"), c.Judged,
		count(c.Saved, "retry", "retries"), count(c.Lost, "post", "posts"))
	if c.Again > 0 {
		text += ", " + count(c.Again, "job", "jobs") + " given up that would have been tried again"
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Judged is a failure that two tables of rules judge differently.
type Judged struct {
	Batch string       `json:"batch"`
	Job   reel.JobID   `json:"job_id"`
	Text  string       `json:"text"`
	Old   reel.Verdict `json:"old"`
	New   reel.Verdict `json:"new"`
}

// NewReplay compares two tables of rules. stops says whether a verdict ends a job that has all its tries left.
func NewReplay(old, new *Rules, stops func(reel.Verdict) bool) *Replay {
	return &Replay{old: old, new: new, stops: stops, jobs: map[replayed]bool{}}
}

// Add takes the next event of the journal.
func (r *Replay) Add(e reel.Event) {
	at := replayed{e.Batch, e.Job}
	switch e.Kind {
	case reel.EventFailed:
		if e.Evidence != nil {
			r.failed(at, e)
		}
	case reel.EventInDoubt, reel.EventSucceeded:
		if r.jobs[at] {
			r.changes.Lost++
		}
		delete(r.jobs, at)
	case reel.EventRetried: // a person had it tried again, whatever the rules said
		delete(r.jobs, at)
	default:
	}
}

func (r *Replay) failed(at replayed, e reel.Event) {
	r.changes.Attempts++
	if r.jobs[at] {
		r.changes.Saved++
		return
	}
	was, is := r.old.Judge(*e.Evidence), r.new.Judge(*e.Evidence)
	if was.Category != is.Category || was.Type != is.Type {
		if r.changes.Judged++; len(r.changes.Examples) < maxJudged {
			r.changes.Examples = append(r.changes.Examples, Judged{e.Batch, e.Job, reel.Scrub(e.Evidence.Text), was, is})
		}
	}
	switch stopped, stops := r.stops(was), r.stops(is); {
	case stops && !stopped:
		r.jobs[at] = true
	case stopped && !stops:
		r.changes.Again++
	}
}

// Changes is what the events so far amount to.
func (r *Replay) Changes() Changes { return r.changes }
