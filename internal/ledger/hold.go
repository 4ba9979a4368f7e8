package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// far is the moment from which on a hold is too long to be waited for by a run with these limits.
func (t *tx) far(l reel.Limits) int64 { return ms(t.now.Add(l.MaxWait.Std())) }

// enterHold holds an account for what was seen of a job; 0 where it is held already for as long. A zero wait is one that only a
// person ends.
func (t *tx) enterHold(account, job int64, wait time.Duration, v reel.Verdict, text string) (int64, error) {
	var cause, until any
	if job != 0 {
		cause = job
	}
	if wait > 0 {
		until = ms(t.now.Add(wait))
	}
	if _, err := t.expire(account); err != nil {
		return 0, err
	}
	return t.exec(`INSERT INTO hold(account_id,since,until,job,category,type,rule,text) VALUES(?,?,?,?,?,?,?,?)
		ON CONFLICT(account_id) WHERE released_at IS NULL DO UPDATE SET since=excluded.since, until=excluded.until, job=excluded.job,
		category=excluded.category, type=excluded.type, rule=excluded.rule, text=excluded.text
		WHERE hold.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until>hold.until)`,
		account, ms(t.now), until, cause, string(v.Category), v.Type, v.Rule, text)
}

// hold keeps the account's other jobs from being attempted, and its doubts from being looked up: they wait, or are set aside where
// the hold is too long to be waited for. by is the person who had the attempt judged anew, where one did.
func (t *tx) hold(at home, c reel.Claim, a reel.Attempt, wait time.Duration, by string) ([]reel.Event, error) {
	t.unlearn() // its jobs were read as free
	n, err := t.enterHold(at.account, c.Key, wait, a.Verdict, a.Evidence.Text)
	if err != nil {
		return nil, err
	}
	var events []reel.Event
	if n > 0 { // else a person held it meanwhile
		e := reel.Event{Kind: reel.EventHold, Batch: c.Batch, Job: c.Job.ID, Account: c.Job.Account, By: by, Verdict: &a.Verdict, Text: a.Evidence.Text}
		if wait > 0 {
			e.Until = t.now.Add(wait).UTC()
		}
		if err := t.journal(at.batch, c.Key, &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	if wait > 0 && wait <= c.Limits.MaxWait.Std() {
		return events, nil
	}
	if wait == 0 {
		if err := t.noLooks(at.account); err != nil {
			return nil, err
		}
	}
	back, err := t.holdBack(at.batch, c.Batch, at.account)
	return append(events, back...), err
}

// noLooks takes the looks at a held account's jobs off the list: its phone is left alone. The first run after its release
// puts them back.
func (t *tx) noLooks(account int64) error {
	_, err := t.exec(`UPDATE job SET look_due=0 WHERE look_due=1 AND account_id=?`, account)
	return err
}

// expire ends the holds whose time is over, of one account or of all where it is 0, and returns what they set aside.
func (t *tx) expire(account int64) ([]reel.Event, error) {
	type ended struct {
		id, account int64
		name        string
	}
	var over []ended
	err := t.each(`SELECT h.id,h.account_id,a.name FROM hold h JOIN account a ON a.id=h.account_id
		WHERE h.released_at IS NULL AND h.until<=?1 AND (CAST(?2 AS BIGINT)=0 OR h.account_id=?2) ORDER BY h.account_id`,
		[]any{ms(t.now), account}, func(row scanner) error {
			var e ended
			err := row.Scan(&e.id, &e.account, &e.name)
			over = append(over, e)
			return err
		})
	if err != nil {
		return nil, err
	}
	var events []reel.Event
	for _, e := range over {
		if _, err := t.exec(`UPDATE hold SET released_at=until WHERE id=?`, e.id); err != nil {
			return nil, err
		}
		jobs, err := t.heldJobs(e.account, 0, false)
		if err != nil {
			return nil, err
		}
		for _, f := range jobs {
			back := reel.Event{Kind: reel.EventRetried, Batch: f.batchName, Job: f.id, Account: e.name, Text: "the account's hold is over"}
			if err := t.comeBack(f, &back); err != nil {
				return nil, err
			}
		}
		released := reel.Event{Kind: reel.EventReleased, Account: e.name, Count: len(jobs), Text: "its time is over"}
		if err := t.journal(0, 0, &released); err != nil {
			return nil, err
		}
		events = append(events, released)
	}
	return events, nil
}

// holdBack sets aside the ready jobs of held accounts, of one or of all where account is 0. Those of an account whose hold ends
// soon enough wait.
func (t *tx) holdBack(batch int64, name string, account int64) ([]reel.Event, error) {
	var pass int
	var limits string
	if err := t.row(`SELECT pass,limits FROM batch WHERE id=?`, []any{batch}, &pass, &limits); err != nil {
		return nil, err
	}
	type heldAccount struct {
		id   int64
		name string
	}
	var held []heldAccount
	err := t.each(`SELECT h.account_id, a.name FROM hold h JOIN account a ON a.id=h.account_id
		WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until>?2) AND (CAST(?1 AS BIGINT)=0 OR h.account_id=?1) ORDER BY h.account_id`,
		[]any{account, t.far(unmarshal[reel.Limits](limits))}, func(row scanner) error {
			var h heldAccount
			err := row.Scan(&h.id, &h.name)
			held = append(held, h)
			return err
		})
	if err != nil {
		return nil, err
	}
	var events []reel.Event
	for _, h := range held {
		count := 0
		for _, state := range []reel.State{reel.Pending, reel.Failed} {
			for _, due := range []int{pass, pass + 1} {
				n, err := t.exec(`UPDATE job SET state='set_aside', reason='account_hold' WHERE batch_id=? AND due_pass=? AND account_id=?
					AND state IN ('pending','failed') AND state=?`, batch, due, h.id, string(state))
				if err != nil {
					return nil, err
				}
				t.moved(batch, state, reel.SetAside, int(n))
				count += int(n)
			}
		}
		if count == 0 {
			continue
		}
		e := reel.Event{Kind: reel.EventHeldBack, Batch: name, Account: h.name, Count: count}
		if err := t.journal(batch, 0, &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// ReleaseAccount ends the hold of an account and returns the jobs that it set aside in every batch to their next pass; with
// cause also the job whose verdict caused it.
func (s *Store) ReleaseAccount(ctx context.Context, account, by string, cause bool) (returned int, err error) {
	err = s.do(func(t *tx) error {
		returned = 0
		var id, hold int64
		var job sql.NullInt64
		err := t.row(`SELECT a.id,h.id,h.job FROM account a JOIN hold h ON h.account_id=a.id WHERE a.name=? AND h.released_at IS NULL`,
			[]any{account}, &id, &hold, &job)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("hold of account %q: %w", account, reel.ErrNotFound)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE hold SET released_at=?, released_by=? WHERE id=?`, ms(t.now), by, hold); err != nil {
			return err
		}
		jobs, err := t.heldJobs(id, job.Int64, cause)
		if err != nil {
			return err
		}
		for _, f := range jobs {
			if err := t.giveBack(f, &reel.Event{
				Kind: reel.EventRetried, Batch: f.batchName, Job: f.id, Account: account, By: by,
				Text: "account released",
			}); err != nil {
				return err
			}
		}
		returned = len(jobs)
		return t.journal(0, 0, &reel.Event{Kind: reel.EventReleased, Account: account, By: by, Count: returned})
	})
	return returned, err
}

func (t *tx) heldJobs(account, cause int64, withCause bool) ([]found, error) {
	var jobs []found
	err := t.each(`SELECT j.id,j.batch_id,b.name,j.job_id,j.state FROM job j JOIN batch b ON b.id=j.batch_id
		WHERE j.account_id=?1 AND j.state='set_aside' AND (j.reason='account_hold' OR (?2 AND j.id=?3)) ORDER BY j.id`,
		[]any{account, withCause, cause}, func(row scanner) error {
			f := found{account: account}
			err := row.Scan(&f.key, &f.batch, &f.batchName, &f.id, &f.state)
			jobs = append(jobs, f)
			return err
		})
	return jobs, err
}

// HoldAccount holds an account by a person's word, until a time or, where that is zero, until a person releases it. One that is
// held for as long already stays as it is. It is an error when the account is unknown.
func (s *Store) HoldAccount(ctx context.Context, account, by, why string, until time.Time) error {
	var wait time.Duration
	if !until.IsZero() {
		wait = until.Sub(s.clock()) // the ledger may go by another clock
	}
	return s.do(func(t *tx) error {
		var id int64
		err := t.row(`SELECT id FROM account WHERE name=?`, []any{account}, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("account %q: %w", account, reel.ErrNotFound)
		}
		if err != nil {
			return err
		}
		n, err := t.enterHold(id, 0, wait, reel.Verdict{}, why)
		if err != nil || n == 0 {
			return err
		}
		e := reel.Event{Kind: reel.EventHold, Account: account, By: by, Text: why}
		if wait > 0 { // what is due and what is to be looked up waits, unless the run that leads finds it too long
			e.Until = t.now.Add(wait).UTC()
			return t.journal(0, 0, &e)
		}
		if err := t.noLooks(id); err != nil {
			return err
		}
		return t.journal(0, 0, &e)
	})
}

// Holds lists the accounts that are held, and with all also the holds of the past. Times are this machine's.
func (s *Store) Holds(ctx context.Context, all bool) (holds []reel.Hold, err error) {
	err = s.moment(ctx, func(r reader) error {
		holds = nil
		ahead, err := s.ahead(ctx, r)
		if err != nil {
			return err
		}
		now := s.clock().Add(-ahead)
		return rowsOf(ctx, r, `SELECT a.name,h.since,h.until,COALESCE(b.name,''),COALESCE(j.job_id,''),h.category,h.type,h.rule,h.text,
			h.released_at,h.released_by,(SELECT count(*) FROM job w WHERE w.account_id=h.account_id
			AND w.state='set_aside' AND w.reason='account_hold' AND h.released_at IS NULL)
			FROM hold h JOIN account a ON a.id=h.account_id LEFT JOIN job j ON j.id=h.job LEFT JOIN batch b ON b.id=j.batch_id
			WHERE ? OR (h.released_at IS NULL AND (h.until IS NULL OR h.until>?)) ORDER BY h.id`, []any{all, ms(now)}, func(rows *sql.Rows) error {
			var h reel.Hold
			err := rows.Scan(&h.Account, (*nullTime)(&h.Since), (*nullTime)(&h.Until), &h.Batch, &h.Job, &h.Verdict.Category, &h.Verdict.Type,
				&h.Verdict.Rule, &h.Text, (*nullTime)(&h.ReleasedAt), &h.ReleasedBy, &h.Waiting)
			if !h.Until.IsZero() && h.ReleasedAt.IsZero() && !h.Until.After(now) {
				h.ReleasedAt = h.Until // over; the next run takes note
			}
			if !h.Until.IsZero() {
				h.Until = h.Until.Add(ahead)
			}
			holds = append(holds, h)
			return err
		})
	})
	return holds, err
}
