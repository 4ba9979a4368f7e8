package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Latest is the batch that was imported to or run last; reel.ErrNotFound in an empty ledger.
func (s *Store) Latest(ctx context.Context) (string, error) {
	var name string
	err := s.read.QueryRowContext(ctx, `SELECT name FROM batch ORDER BY used_at DESC, id DESC LIMIT 1`).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("a batch: %w", reel.ErrNotFound)
	}
	return name, s.trouble(err)
}

// Batches lists the batches with their totals, the latest first.
func (s *Store) Batches(ctx context.Context) ([]reel.Status, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT name FROM batch ORDER BY used_at DESC, id DESC`)
	if err != nil {
		return nil, s.trouble(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(s.trouble(err), rows.Close())
		}
		names = append(names, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, s.trouble(err)
	}
	all := make([]reel.Status, 0, len(names))
	for _, name := range names {
		st, err := s.Status(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	return all, nil
}

// Status is where a batch stands. It reads counters, never the jobs.
func (s *Store) Status(ctx context.Context, batch string) (reel.Status, error) {
	st := reel.Status{Batch: reel.Batch{Name: batch}, Passes: []reel.PassStats{}}
	var id, until int64
	var limits string
	var paused, led bool
	var pass int
	var created, waiting sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT id,limits,result,paused,pass,created_at,waiting_until,leader IS NOT NULL,leader_until
		FROM batch WHERE name=?`, batch).Scan(&id, &limits, &st.Result, &paused, &pass, &created, &waiting, &led, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return st, fmt.Errorf("batch %q: %w", batch, reel.ErrNotFound)
	}
	if err != nil {
		return st, s.trouble(err)
	}
	st.Limits, st.CreatedAt = unmarshal[reel.Limits](limits), fromMS(created)
	rows, err := s.read.QueryContext(ctx, `SELECT name,n FROM total WHERE batch_id=?`, id)
	if err != nil {
		return st, s.trouble(err)
	}
	if st.Totals, err = scanTotals(rows); err != nil {
		return st, s.trouble(err)
	}
	if st.Passes, err = s.passes(ctx, id); err != nil {
		return st, err
	}
	alive := led && s.clock().Before(time.UnixMilli(until))
	st.Phase = phase(st, paused, alive, waiting.Valid, pass)
	return st, nil
}

func phase(st reel.Status, paused, led, waiting bool, pass int) reel.Phase {
	switch {
	case st.Result != reel.NoResult:
		return reel.PhaseFinished
	case paused:
		return reel.PhasePaused
	case led && waiting:
		return reel.PhaseWaiting
	case led:
		return reel.PhaseRunning
	case pass > 0:
		return reel.PhaseInterrupted
	}
	return reel.PhaseIdle
}

const passColumns = `SELECT pass,started_at,ended_at,processed,succeeded,f_account,f_content,f_infra,f_unknown,in_doubt,set_aside,exhausted,retryable`

func scanPass(row interface{ Scan(...any) error }) (p reel.PassStats, err error) {
	err = row.Scan(&p.Pass, (*nullTime)(&p.StartedAt), (*nullTime)(&p.EndedAt), &p.Processed, &p.Succeeded, &p.Failed.Account,
		&p.Failed.Content, &p.Failed.Infrastructure, &p.Failed.Unknown, &p.InDoubt, &p.SetAside, &p.Exhausted, &p.Retryable)
	p.SuccessRate = reel.Rate(p.Succeeded, p.Processed)
	return p, err
}

func (s *Store) passes(ctx context.Context, batch int64) ([]reel.PassStats, error) {
	rows, err := s.read.QueryContext(ctx, passColumns+` FROM pass WHERE batch_id=? ORDER BY pass`, batch)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close()
	all := []reel.PassStats{}
	for rows.Next() {
		p, err := scanPass(rows)
		if err != nil {
			return nil, s.trouble(err)
		}
		all = append(all, p)
	}
	return all, s.trouble(rows.Err())
}

// Filter chooses jobs; empty fields choose all.
type Filter struct {
	States  []reel.State
	Reason  reel.Reason
	Account string
}

const recordColumns = `SELECT j.job_id,a.name,j.video_path,j.caption,j.publish_at,j.max_attempts,j.state,j.reason,j.attempts,j.f_account,
	j.f_content,j.f_infra,j.f_unknown,j.forgiven,j.error,j.category,j.type,j.rule,j.pass,j.due_pass,j.worker,j.claimed_at,j.completed_at,
	j.receipt_id,j.receipt_url FROM job j JOIN account a ON a.id=j.account_id`

func scanRecord(row interface{ Scan(...any) error }) (r reel.Record, err error) {
	var forgiven string
	err = row.Scan(&r.ID, &r.Account, &r.VideoPath, &r.Caption, (*nullTime)(&r.PublishAt), &r.MaxAttempts, &r.State, &r.Reason,
		&r.Tally.Attempts, &r.Tally.Account, &r.Tally.Content, &r.Tally.Infrastructure, &r.Tally.Unknown, &forgiven, &r.Error,
		&r.Verdict.Category, &r.Verdict.Type, &r.Verdict.Rule, &r.Pass, &r.DuePass, &r.Worker, (*nullTime)(&r.ClaimedAt),
		(*nullTime)(&r.CompletedAt), &r.Receipt.ID, &r.Receipt.URL)
	r.Forgiven = unmarshal[reel.Tally](forgiven)
	return r, err
}

// Jobs streams the jobs of a batch in the order of their import. The ledger may be written meanwhile.
func (s *Store) Jobs(ctx context.Context, batch string, f Filter) iter.Seq2[reel.Record, error] {
	return func(yield func(reel.Record, error) bool) {
		query := recordColumns + ` WHERE j.batch_id=(SELECT id FROM batch WHERE name=?)`
		args := []any{batch}
		if len(f.States) > 0 {
			query += ` AND j.state IN (?` + strings.Repeat(`,?`, len(f.States)-1) + `)`
			for _, st := range f.States {
				args = append(args, string(st))
			}
		}
		if f.Reason != "" {
			query, args = query+` AND j.reason=?`, append(args, string(f.Reason))
		}
		if f.Account != "" {
			query, args = query+` AND a.name=?`, append(args, f.Account)
		}
		rows, err := s.read.QueryContext(ctx, query+` ORDER BY j.id`, args...)
		if err != nil {
			yield(reel.Record{}, s.trouble(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanRecord(rows)
			r.Batch = batch
			if !yield(r, s.trouble(err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(reel.Record{}, s.trouble(err))
		}
	}
}

// Story is all that the ledger knows of one job.
type Story struct {
	Record   reel.Record
	Attempts []reel.Attempt
	Events   []reel.Event
	Held     bool // its account is held
	Limits   reel.Limits
	LastPass int
}

// Story tells one job's whole story; reel.ErrNotFound where there is none.
func (s *Store) Story(ctx context.Context, batch string, id reel.JobID) (Story, error) {
	var st Story
	var key int64
	var limits string
	err := s.read.QueryRowContext(ctx, `SELECT j.id,b.limits,b.last_pass,EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL)
		FROM job j JOIN batch b ON b.id=j.batch_id WHERE b.name=? AND j.job_id=?`, batch, string(id)).Scan(&key, &limits, &st.LastPass, &st.Held)
	if errors.Is(err, sql.ErrNoRows) {
		return st, fmt.Errorf("job %q in batch %q: %w", id, batch, reel.ErrNotFound)
	}
	if err != nil {
		return st, s.trouble(err)
	}
	st.Limits = unmarshal[reel.Limits](limits)
	if st.Record, err = scanRecord(s.read.QueryRowContext(ctx, recordColumns+` WHERE j.id=?`, key)); err != nil {
		return st, s.trouble(err)
	}
	st.Record.Batch = batch
	rows, err := s.read.QueryContext(ctx, attemptColumns+` WHERE job=? ORDER BY number`, key)
	if err != nil {
		return st, s.trouble(err)
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAttempt(rows)
		if err != nil {
			return st, s.trouble(err)
		}
		st.Attempts = append(st.Attempts, a)
	}
	if err := rows.Err(); err != nil {
		return st, s.trouble(err)
	}
	st.Events, err = s.events(ctx, key)
	return st, err
}

func (s *Store) events(ctx context.Context, job int64) ([]reel.Event, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq,data FROM event WHERE job=? ORDER BY seq`, job)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close()
	var all []reel.Event
	for rows.Next() {
		var seq int64
		var data string
		if err := rows.Scan(&seq, &data); err != nil {
			return nil, s.trouble(err)
		}
		var e reel.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			e = reel.Event{Kind: reel.EventNotice, Text: data} // shown as it is rather than hidden
		}
		e.Seq = seq
		all = append(all, e)
	}
	return all, s.trouble(rows.Err())
}

// Holds lists the accounts that are held, and with all also the holds of the past.
func (s *Store) Holds(ctx context.Context, all bool) ([]reel.Hold, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT a.name,h.since,COALESCE(b.name,''),COALESCE(j.job_id,''),h.category,h.type,h.rule,h.text,
		h.released_at,h.released_by,(SELECT count(*) FROM job w WHERE w.account_id=h.account_id AND w.batch_id IN (SELECT id FROM batch)
		AND w.state='set_aside' AND w.reason='account_hold' AND h.released_at IS NULL)
		FROM hold h JOIN account a ON a.id=h.account_id LEFT JOIN job j ON j.id=h.job LEFT JOIN batch b ON b.id=j.batch_id
		WHERE ? OR h.released_at IS NULL ORDER BY h.id`, all)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close()
	var holds []reel.Hold
	for rows.Next() {
		var h reel.Hold
		if err := rows.Scan(&h.Account, (*nullTime)(&h.Since), &h.Batch, &h.Job, &h.Verdict.Category, &h.Verdict.Type, &h.Verdict.Rule,
			&h.Text, (*nullTime)(&h.ReleasedAt), &h.ReleasedBy, &h.Waiting); err != nil {
			return nil, s.trouble(err)
		}
		holds = append(holds, h)
	}
	return holds, s.trouble(rows.Err())
}

// Check asks SQLite whether the file is sound. It reads all of it.
func (s *Store) Check(ctx context.Context) error {
	var said string
	if err := s.read.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return s.trouble(err)
	}
	if said != "ok" {
		return &FileError{Path: s.path, Kind: Damaged, Err: errors.New(said)}
	}
	return nil
}
