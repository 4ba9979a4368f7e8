package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"reelpass/internal/reel"
)

// maxProblems is how many bad rows are told before the reader is stopped: a person mends a file in bites.
const maxProblems = 20

// ImportError lists what kept a file out of the ledger. Nothing of the file was imported.
type ImportError struct {
	Problems []error
	More     bool // there may be more than Problems tells
}

func (e *ImportError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	if e.More {
		lines = append(lines, "(and perhaps more)")
	}
	return strings.Join(lines, "\n")
}

// ImportReport counts what an import did.
type ImportReport struct {
	Batch     string `json:"batch"`
	Added     int    `json:"added"`
	Known     int    `json:"known"`         // rows that the batch already had, left as they were
	Recaption int    `json:"other_caption"` // of these, rows that now come with another caption
	Twice     []int  `json:"twice"`         // lines of rows that stand further up in the same file already: the first of them only
}

// maxTwice is how many such lines are told.
const maxTwice = 20

// Import adds posts to a batch, creating it where needed, in one transaction and in constant memory. A job_id that the
// batch already has with the same account and video is left as it is; with another account or video it is a problem. Any
// problem, here or from the reader, and nothing is imported: then the error is an *ImportError. posts is ranged over once.
func (s *Store) Import(ctx context.Context, batch string, posts iter.Seq2[reel.Post, error]) (ImportReport, error) {
	return s.importIf(ctx, batch, posts, func(*tx) error { return nil })
}

// importIf is Import where may allows it, within the same transaction.
func (s *Store) importIf(ctx context.Context, batch string, posts iter.Seq2[reel.Post, error], may func(*tx) error) (ImportReport, error) {
	var rep ImportReport
	err := s.trouble(s.writer.commitOnce(func(t *tx) error {
		rep = ImportReport{Batch: batch, Twice: []int{}}
		if err := may(t); err != nil {
			return err
		}
		im := importer{t: t, accounts: map[string]int64{}}
		if err := im.open(batch); err != nil {
			return err
		}
		var problems []error
		for post, bad := range posts {
			if bad == nil && len(problems) == 0 {
				if err := im.add(post, &rep); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if bad != nil && len(problems) == 0 { // what waits stands further up
				if err := im.flush(&rep); err != nil {
					return err
				}
			}
			if problems, im.conflicts = append(problems, im.conflicts...), nil; bad != nil {
				problems = append(problems, bad)
			}
			if len(problems) >= maxProblems {
				break
			}
		}
		if err := im.flush(&rep); err != nil {
			return err
		}
		if problems = append(problems, im.conflicts...); len(problems) > 0 {
			more := len(problems) >= maxProblems
			return &ImportError{Problems: problems[:min(len(problems), maxProblems)], More: more}
		}
		t.totals[totalKey{im.batch, "attempts"}] += im.attempts
		totals, err := t.totalsOf(im.batch) // a file of the earlier orchestrator brings jobs in any state
		if err != nil {
			return err
		}
		return t.journal(im.batch, 0, &reel.Event{Kind: reel.EventImported, Batch: batch, Count: rep.Added, Totals: &totals})
	}))
	if err != nil {
		return ImportReport{}, err
	}
	return rep, nil
}

// ConflictError is a row whose job_id already names another job.
type ConflictError struct {
	Line              int
	ID                reel.JobID
	Column, Have, Row string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("line %d: job_id %q is already taken by a job with %s %q, this row has %q", e.Line, e.ID, e.Column, reel.ShownVideo(e.Have), reel.ShownVideo(e.Row))
}

type importer struct {
	t        *tx
	batch    int64
	due      int
	newest   int64 // the last job of the ledger before this import
	attempts int
	accounts map[string]int64 // a bounded cache

	waiting   []waitingRow // new jobs on their way into the ledger, many a statement: a server is asked once for all of them
	conflicts []error      // of rows that are in it
}

type waitingRow struct {
	post    reel.Post
	account int64
}

// maxWaiting is how many rows go in one statement at most.
const maxWaiting = 64

func (im *importer) open(name string) error {
	t := im.t
	id, _, err := t.batchID(name)
	if errors.Is(err, reel.ErrNotFound) {
		id, err = t.insert(`INSERT INTO batch(name,created_at,used_at) VALUES(?,?,?) RETURNING id`, name, ms(t.now), ms(t.now))
	}
	if err != nil {
		return err
	}
	im.batch = id
	if _, err := t.exec(`UPDATE batch SET used_at=? WHERE id=?`, ms(t.now), id); err != nil {
		return err
	}
	var pass int
	if err := t.row(`SELECT pass FROM batch WHERE id=?`, []any{id}, &pass); err != nil {
		return err
	}
	im.due = pass + 1 // new jobs join the next pass
	return t.row(`SELECT COALESCE(max(id),0) FROM job`, nil, &im.newest)
}

// account finds or makes the number of an account. The cache is emptied when full, so that a million accounts cost time
// and not memory.
func (im *importer) account(name string) (int64, error) {
	if id, ok := im.accounts[name]; ok {
		return id, nil
	}
	id, err := im.t.account(name)
	if err != nil {
		return 0, err
	}
	if len(im.accounts) >= 50_000 {
		clear(im.accounts)
	}
	im.accounts[strings.Clone(name)] = id
	return id, nil
}

// account finds or makes the number of an account.
func (t *tx) account(name string) (int64, error) {
	var id int64
	err := t.row(`SELECT id FROM account WHERE name=?`, []any{name}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return t.insert(`INSERT INTO account(name) VALUES(?) RETURNING id`, name)
	}
	return id, err
}

func (im *importer) add(p reel.Post, rep *ImportReport) error {
	acc, err := im.account(p.Account)
	if err != nil {
		return err
	}
	past := p.Past
	if past == nil {
		if im.waiting = append(im.waiting, waitingRow{p, acc}); len(im.waiting) < maxWaiting {
			return nil
		}
		return im.flush(rep)
	}
	if err := im.flush(rep); err != nil {
		return err
	}
	if past.State == reel.Succeeded || past.State == reel.InDoubt {
		if told, err := im.catchUp(p, acc); told || err != nil {
			rep.Known++
			return err
		}
	}
	n, err := im.t.exec(`INSERT INTO job(batch_id,job_id,account_id,video_path,caption,publish_at,max_attempts,due_pass,state,
		reason,worker,look_due,attempts,f_account,f_content,f_infra,f_unknown,error,category,type,rule,claimed_at,
		completed_at) VALUES(?,?,?,?,?,?,?,?,?,?,?,0,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(batch_id,job_id) DO NOTHING`,
		im.batch, string(p.ID), acc, p.VideoPath, p.Caption, orNull(p.PublishAt), p.MaxAttempts, im.due, string(past.State),
		string(past.Reason), past.Worker, past.Tally.Attempts, past.Tally.Account, past.Tally.Content,
		past.Tally.Infrastructure, past.Tally.Unknown, past.Evidence.Text, string(past.Verdict.Category), past.Verdict.Type,
		past.Verdict.Rule, orNull(past.ClaimedAt), orNull(past.CompletedAt))
	if err == nil {
		err = im.counted(p, acc, n == 1, past.State, rep)
	}
	if err != nil || n == 0 {
		return err
	}
	im.attempts += past.Tally.Attempts
	return im.history(p, acc)
}

// catchUp lets a job that was imported before, and never touched, learn that it is or may be posted: else it would be posted again.
func (im *importer) catchUp(p reel.Post, acc int64) (bool, error) {
	past := p.Past
	n, err := im.t.exec(`UPDATE job SET state=?,reason=?,worker=?,attempts=?,f_account=?,f_content=?,f_infra=?,f_unknown=?,error=?,
		category=?,type=?,rule=?,claimed_at=?,completed_at=? WHERE batch_id=? AND job_id=? AND account_id=? AND video_path=?
		AND state='pending' AND fence=0 AND attempts=0`, string(past.State), string(past.Reason), past.Worker, past.Tally.Attempts,
		past.Tally.Account, past.Tally.Content, past.Tally.Infrastructure, past.Tally.Unknown, past.Evidence.Text,
		string(past.Verdict.Category), past.Verdict.Type, past.Verdict.Rule, orNull(past.ClaimedAt), orNull(past.CompletedAt),
		im.batch, string(p.ID), acc, p.VideoPath)
	if err != nil || n == 0 {
		return false, err
	}
	im.t.moved(im.batch, reel.Pending, past.State, 1)
	im.attempts += past.Tally.Attempts
	return true, im.history(p, acc)
}

// flush inserts the rows that wait: in steps of powers of two, so that few statements are kept.
func (im *importer) flush(rep *ImportReport) error {
	const values = `(?,?,?,?,?,?,?,?)`
	for left := im.waiting; len(left) > 0; {
		n := 1
		for 2*n <= len(left) {
			n *= 2
		}
		args := make([]any, 0, 8*n)
		for _, w := range left[:n] {
			p := w.post
			args = append(args, im.batch, string(p.ID), w.account, p.VideoPath, p.Caption, orNull(p.PublishAt), p.MaxAttempts, im.due)
		}
		added := make(map[reel.JobID]bool, n)
		err := im.t.each(`INSERT INTO job(batch_id,job_id,account_id,video_path,caption,publish_at,max_attempts,due_pass)
			VALUES`+values+strings.Repeat(`,`+values, n-1)+` ON CONFLICT(batch_id,job_id) DO NOTHING RETURNING job_id`, args, func(row scanner) error {
			var id reel.JobID
			err := row.Scan(&id)
			added[id], im.t.wrote = true, true
			return err
		})
		if err != nil {
			return err
		}
		for _, w := range left[:n] {
			err := im.counted(w.post, w.account, added[w.post.ID], reel.Pending, rep)
			if delete(added, w.post.ID); err != nil { // one that comes twice was added once
				return err
			}
		}
		left = left[n:]
	}
	im.waiting = im.waiting[:0]
	return nil
}

// counted books a row that was added, or compares one that was already there.
func (im *importer) counted(p reel.Post, acc int64, added bool, state reel.State, rep *ImportReport) error {
	if added {
		rep.Added++
		im.t.moved(im.batch, "", state, 1)
		return nil
	}
	var have reel.Job
	var key, haveAcc int64
	if err := im.t.row(`SELECT id,account_id,video_path,caption,(SELECT name FROM account WHERE id=account_id) FROM job
		WHERE batch_id=? AND job_id=?`, []any{im.batch, string(p.ID)}, &key, &haveAcc, &have.VideoPath, &have.Caption, &have.Account); err != nil {
		return err
	}
	switch {
	case haveAcc != acc:
		im.conflicts = append(im.conflicts, &ConflictError{Line: p.Line, ID: p.ID, Column: "account", Have: have.Account, Row: p.Account})
		return nil
	case have.VideoPath != p.VideoPath:
		im.conflicts = append(im.conflicts, &ConflictError{Line: p.Line, ID: p.ID, Column: "video_path", Have: have.VideoPath, Row: p.VideoPath})
		return nil
	case key > im.newest:
		if len(rep.Twice) < maxTwice {
			rep.Twice = append(rep.Twice, p.Line)
		}
		return nil
	case have.Caption != p.Caption:
		rep.Recaption++
	}
	rep.Known++
	return nil
}

// history keeps what an earlier orchestrator's file tells of a job: its last attempt, and what it has posted or may have
// posted, so that the same video is not posted again under another job_id.
func (im *importer) history(p reel.Post, acc int64) error {
	past := p.Past
	var job int64
	if err := im.t.row(`SELECT id FROM job WHERE batch_id=? AND job_id=?`, []any{im.batch, string(p.ID)}, &job); err != nil {
		return err
	}
	outcome, ok := map[reel.State]reel.Outcome{reel.Succeeded: reel.OutcomeSucceeded, reel.InDoubt: reel.OutcomeInDoubt}[past.State]
	if !ok {
		outcome = reel.OutcomeFailed
	}
	if past.Tally.Attempts > 0 {
		a := reel.Attempt{
			Number: past.Tally.Attempts, Worker: past.Worker, Host: "imported", StartedAt: past.ClaimedAt, EndedAt: past.CompletedAt,
			Outcome: outcome, ShareBegun: outcome != reel.OutcomeFailed, Evidence: past.Evidence, Verdict: past.Verdict,
		}
		if err := im.t.insertAttempt("", job, a); err != nil {
			return err
		}
	}
	if past.Hold {
		if _, err := im.t.enterHold(acc, job, 0, past.Verdict, past.Evidence.Text); err != nil {
			return err
		}
	}
	if outcome == reel.OutcomeFailed {
		return nil
	}
	return im.t.guard(acc, p.VideoPath, reel.Lease{Key: job})
}
