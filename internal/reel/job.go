package reel

import "time"

// JobID names a job within its batch. Users choose it in their posts file, or it is derived from account and video.
type JobID string

// Job is one video with its caption for one account.
type Job struct {
	ID        JobID     `json:"job_id"`
	Account   string    `json:"account"`
	VideoPath string    `json:"video_path"`
	Caption   string    `json:"caption"`
	PublishAt time.Time `json:"publish_at,omitzero"` // not before this moment; zero means at once
	// MaxAttempts is a limit of this job alone, read from files of the earlier orchestrator; it counts only where it
	// is lower than the batch's. 0 means none.
	MaxAttempts int `json:"max_attempts,omitempty"`
}

// Receipt is the publisher's proof of a post.
type Receipt struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
}

// Tally counts what happened to one job so far: attempts of any ending, and failures by category.
// Only the holder of the job's lease changes it.
type Tally struct {
	Attempts       int `json:"attempts"`
	Account        int `json:"account"`
	Content        int `json:"content"`
	Infrastructure int `json:"infrastructure"`
	Unknown        int `json:"unknown"`
}

// Failures is how many failures of a category are counted.
func (t Tally) Failures(c Category) int {
	switch c {
	case Account:
		return t.Account
	case Content:
		return t.Content
	case Infrastructure:
		return t.Infrastructure
	case Unknown:
		return t.Unknown
	}
	return 0
}

// Failed is the tally after one more attempt that failed in category c.
func (t Tally) Failed(c Category) Tally {
	t.Attempts++
	switch c {
	case Account:
		t.Account++
	case Content:
		t.Content++
	case Infrastructure:
		t.Infrastructure++
	case Unknown:
		t.Unknown++
	}
	return t
}

// Moved is the tally with one failure counted in another category. One that is not counted does not move.
func (t Tally) Moved(from, to Category) Tally {
	if t.Failures(from) == 0 {
		return t
	}
	return t.Minus(Tally{}.Failed(from)).Plus(Tally{}.Failed(to))
}

// Plus is both tallies together.
func (t Tally) Plus(o Tally) Tally {
	return Tally{
		Attempts:       t.Attempts + o.Attempts,
		Account:        t.Account + o.Account,
		Content:        t.Content + o.Content,
		Infrastructure: t.Infrastructure + o.Infrastructure,
		Unknown:        t.Unknown + o.Unknown,
	}
}

// Minus is the tally that remains when an earlier part is forgiven, as a person's retry does.
func (t Tally) Minus(o Tally) Tally {
	return Tally{
		Attempts:       t.Attempts - o.Attempts,
		Account:        t.Account - o.Account,
		Content:        t.Content - o.Content,
		Infrastructure: t.Infrastructure - o.Infrastructure,
		Unknown:        t.Unknown - o.Unknown,
	}
}

// Record is a job with all that the ledger knows of it at a moment; it is what `reelpass jobs` lists.
type Record struct {
	Job
	Batch       string    `json:"-"`
	State       State     `json:"state"`
	Reason      Reason    `json:"reason"`
	Tally       Tally     `json:"-"`
	Forgiven    Tally     `json:"-"` // the part of Tally that a person's retry took off the budgets
	Error       string    `json:"error"`
	Verdict     Verdict   `json:"-"`
	Pass        int       `json:"pass_number"` // pass of the last attempt, 0 before the first
	DuePass     int       `json:"-"`           // the pass that will take it, while it is ready
	Worker      int       `json:"worker_id"`
	ClaimedAt   time.Time `json:"claimed_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	Receipt     Receipt   `json:"receipt"`
}

// Post is one row on its way into a batch: the job, where it stood in its file, and, for files of the earlier
// orchestrator, what had become of it there.
type Post struct {
	Job
	Line int   // 1-based line of the source, for messages
	Past *Past // nil for a new job
}

// Past is the state that a file of the earlier orchestrator gave to a job.
type Past struct {
	State       State // pending, succeeded, failed, set_aside or in_doubt
	Reason      Reason
	Tally       Tally
	Evidence    Evidence
	Verdict     Verdict
	Pass        int
	Worker      int
	ClaimedAt   time.Time
	CompletedAt time.Time
	Hold        bool // its account is held with it
}
