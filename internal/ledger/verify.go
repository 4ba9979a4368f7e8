package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"reelpass/internal/reel"
)

// Finding is one place where a ledger contradicts itself.
type Finding struct {
	Check string     `json:"check"` // one of Checks
	Batch string     `json:"batch,omitempty"`
	Job   reel.JobID `json:"job_id,omitempty"`
	Text  string     `json:"text"` // what is there, and what should be
}

// String is the finding in one line.
func (f Finding) String() string {
	switch {
	case f.Job != "":
		return fmt.Sprintf("%s: job %s of batch %s: %s", f.Check, f.Job, f.Batch, f.Text)
	case f.Batch != "":
		return fmt.Sprintf("%s: batch %s: %s", f.Check, f.Batch, f.Text)
	}
	return f.Check + ": " + f.Text
}

// What Verify compares.
const (
	checkFile       = "file"       // SQLite finds its pages and indices sound
	checkReferences = "references" // every number that stands for a row has its row
	checkBatches    = "batches"    // passes are numbered without a gap, one at most is open, a finished batch has none
	checkTotals     = "totals"     // the counters of a batch are what its jobs add up to
	checkPasses     = "passes"     // the statistics of a pass are what its attempts add up to
	checkStates     = "states"     // every job is in one known state, with a reason that belongs to it
	checkLeases     = "leases"     // exactly the jobs in somebody's hands have a lease, and an account has one at most
	checkDue        = "due"        // a job that waits is due in the open pass or the next one
	checkHolds      = "holds"      // what waits for an account's release waits for a hold that is there
	checkPublish    = "publish"    // whatever is or may be posted guards its video, and nothing else does
	checkAttempts   = "attempts"   // attempts are numbered, counted, one a pass, and none follows a post
	checkFences     = "fences"     // fences grow, and nobody wrote under an old one
	checkSchedule   = "schedule"   // an appointment that began has its batch's name, and its event
	checkJournal    = "journal"    // the journal is whole, allows each step, and ends where the job stands
)

// Checks lists the names of all checks.
func Checks() []string {
	return []string{
		checkFile, checkReferences, checkBatches, checkTotals, checkPasses, checkStates, checkLeases, checkDue, checkHolds, checkPublish,
		checkAttempts, checkFences, checkSchedule, checkJournal,
	}
}

// Extent is how much a check has looked at.
type Extent struct {
	Batches  int `json:"batches"`
	Jobs     int `json:"jobs"`
	Attempts int `json:"attempts"`
	Events   int `json:"events"`
}

// chunk is how many jobs are compared with their stories at once: what a check keeps in memory.
const chunk = 500

// Verify compares everything in the ledger that can be compared, as it stands at one moment, and writes nothing. found is told of
// each contradiction, progress now and then how many of how many jobs are done. An error means that it could not look.
func (s *Store) Verify(ctx context.Context, found func(Finding), progress func(done, of int)) (Extent, error) {
	var c *verifier
	err := s.read.moment(ctx, func(r reader) error {
		c = &verifier{ctx: ctx, r: r, found: found, batches: map[int64]*batchFacts{}, released: map[string]int64{}}
		for _, look := range []func() error{
			func() error { return c.file(s.server) }, c.lists, c.readBatches, c.readSweeps,
			func() error { return c.jobs(progress) }, c.compareBatches,
		} {
			if err := look(); err != nil {
				return err
			}
		}
		return nil
	})
	return c.extentOrNone(), s.trouble(err)
}

// verifier is one look through a ledger.
type verifier struct {
	ctx      context.Context
	r        reader
	found    func(Finding)
	batches  map[int64]*batchFacts
	released map[string]int64 // by account: the event of its last release
	extent   Extent
}

func (v *verifier) extentOrNone() Extent {
	if v == nil {
		return Extent{}
	}
	return v.extent
}

func (v *verifier) say(check, batch string, job reel.JobID, format string, args ...any) {
	v.found(Finding{Check: check, Batch: batch, Job: job, Text: fmt.Sprintf(format, args...)})
}

// each calls scan for every row.
func (v *verifier) each(query string, args []any, scan func(*sql.Rows) error) error {
	return rowsOf(v.ctx, v.r, query, args, scan)
}

// file asks SQLite whether the file is whole. A server looks after its own.
func (v *verifier) file(server bool) error {
	if server {
		return nil
	}
	return v.each(`PRAGMA integrity_check`, nil, func(rows *sql.Rows) error {
		var said string
		err := rows.Scan(&said)
		if err == nil && said != "ok" {
			v.say(checkFile, "", "", "SQLite says: %s", said)
		}
		return err
	})
}

// jobs goes through every job in chunks, each with its attempts and its journal.
func (v *verifier) jobs(progress func(done, of int)) error {
	var of int
	if err := v.r.QueryRowContext(v.ctx, `SELECT count(*) FROM job`).Scan(&of); err != nil {
		return err
	}
	for last := int64(0); ; {
		jobs, err := v.readChunk(last)
		if err != nil || len(jobs) == 0 {
			return err
		}
		for _, j := range jobs {
			v.job(j)
		}
		last = jobs[len(jobs)-1].key
		v.extent.Jobs += len(jobs)
		if progress != nil {
			progress(v.extent.Jobs, of)
		}
	}
}

// jobFacts is a job with all that is kept of it.
type jobFacts struct {
	key, account, fence int64
	id                  reel.JobID
	batch               *batchFacts
	accountName         string
	state               reel.State
	reason              reel.Reason
	due, pass           int
	owned, until        bool
	held, forGood       bool // the account; until a person releases it
	look                bool
	shows               bool // an error, a category or a type
	tally, forgiven     reel.Tally
	attempts            []attemptFacts
	events              []eventFacts
}

type attemptFacts struct {
	number, pass int
	outcome      reel.Outcome
	category     reel.Category
}

// eventFacts is what an event of a job says of it.
type eventFacts struct {
	seq      int64
	Kind     reel.EventKind `json:"event"`
	Batch    string         `json:"batch"`
	Job      reel.JobID     `json:"job_id"`
	Account  string         `json:"account"`
	Attempt  int            `json:"attempt"`
	Fence    int64          `json:"fence"`
	Decision *reel.Decision `json:"decision"`
	Totals   *reel.Totals   `json:"totals"`
}

func (v *verifier) readChunk(after int64) ([]*jobFacts, error) {
	var jobs []*jobFacts
	byKey := map[int64]*jobFacts{}
	err := v.each(`SELECT j.id,j.batch_id,j.job_id,j.account_id,COALESCE(a.name,''),j.state,j.reason,j.due_pass,j.pass,j.fence,j.owner IS NOT NULL,
		j.lease_until IS NOT NULL,j.look_due=1,
		j.error<>'' OR j.category<>'' OR j.type<>'',j.attempts,j.f_account,j.f_content,j.f_infra,j.f_unknown,j.forgiven,
		EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL),
		EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL AND h.until IS NULL)
		FROM job j LEFT JOIN account a ON a.id=j.account_id WHERE j.id>? ORDER BY j.id LIMIT ?`, []any{after, chunk}, func(rows *sql.Rows) error {
		j := &jobFacts{}
		var batch int64
		var forgiven string
		if err := rows.Scan(&j.key, &batch, &j.id, &j.account, &j.accountName, &j.state, &j.reason, &j.due, &j.pass, &j.fence, &j.owned,
			&j.until, &j.look, &j.shows, &j.tally.Attempts, &j.tally.Account, &j.tally.Content, &j.tally.Infrastructure, &j.tally.Unknown, &forgiven,
			&j.held, &j.forGood); err != nil {
			return err
		}
		j.forgiven = unmarshal[reel.Tally](forgiven)
		j.batch = v.batch(batch)
		jobs, byKey[j.key] = append(jobs, j), j
		return nil
	})
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	span := []any{after, jobs[len(jobs)-1].key}
	if err := v.each(`SELECT job,number,pass,outcome,category FROM attempt WHERE job>? AND job<=? ORDER BY job,number`, span, func(rows *sql.Rows) error {
		var key int64
		var a attemptFacts
		err := rows.Scan(&key, &a.number, &a.pass, &a.outcome, &a.category)
		if j := byKey[key]; j != nil { // else its reference is reported
			j.attempts = append(j.attempts, a)
		}
		v.extent.Attempts++
		return err
	}); err != nil {
		return nil, err
	}
	return jobs, v.each(`SELECT job,seq,kind,data FROM event WHERE job>? AND job<=? ORDER BY job,seq`, span, func(rows *sql.Rows) error {
		var key int64
		var e eventFacts
		var kind reel.EventKind
		var data string
		if err := rows.Scan(&key, &e.seq, &kind, &data); err != nil {
			return err
		}
		j := byKey[key]
		if j == nil {
			return nil
		}
		v.decode(&e, kind, data, j.batch.name, j.id)
		j.events = append(j.events, e)
		return nil
	})
}
