package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
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

// Names lists the batches' names, the latest first.
func (s *Store) Names(ctx context.Context) (names []string, err error) {
	err = rowsOf(ctx, s.read, `SELECT name FROM batch ORDER BY used_at DESC, id DESC`, nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	return names, s.trouble(err)
}

// Batches lists the batches with their totals, the latest first.
func (s *Store) Batches(ctx context.Context) ([]reel.Status, error) {
	names, err := s.Names(ctx)
	if err != nil {
		return nil, err
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

// moment lets f read the ledger as it stands at one moment.
func (s *Store) moment(ctx context.Context, f func(reader) error) error {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	return s.trouble(s.read.moment(ctx, f))
}

// brief bounds a short reading: a server that is gone without a word must not keep its reader for ever.
func (s *Store) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	if !s.server {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, deadline)
}

// ahead is how far this machine's clock is ahead of the one that the ledger's leases go by.
// It is asked through the reader at hand: whoever holds one connection must not wait for a second.
func (s *Store) ahead(ctx context.Context, r reader) (time.Duration, error) {
	if !s.foreignClock {
		return 0, nil
	}
	var now int64
	err := r.QueryRowContext(ctx, `SELECT (extract(epoch FROM clock_timestamp())*1000000)::bigint`).Scan(&now)
	return time.Since(time.UnixMicro(now)), err
}

// rowsOf calls scan for each row of a query.
func rowsOf(ctx context.Context, r reader, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := r.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Status is where a batch stands. It reads counters, never the jobs.
func (s *Store) Status(ctx context.Context, batch string) (st reel.Status, err error) {
	err = s.moment(ctx, func(r reader) error { st, err = s.status(ctx, r, batch); return err })
	return st, err
}

func (s *Store) status(ctx context.Context, r reader, batch string) (reel.Status, error) {
	st := reel.Status{Batch: reel.Batch{Name: batch}, Passes: []reel.PassStats{}}
	var id, until int64
	var limits, breaker string
	var paused, led bool
	var pass int
	var created, waiting sql.NullInt64
	err := r.QueryRowContext(ctx, `SELECT id,limits,result,paused,pass,created_at,waiting_until,leader IS NOT NULL,leader_until,breaker
		FROM batch WHERE name=?`, batch).Scan(&id, &limits, &st.Result, &paused, &pass, &created, &waiting, &led, &until, &breaker)
	if errors.Is(err, sql.ErrNoRows) {
		return st, fmt.Errorf("batch %q: %w", batch, reel.ErrNotFound)
	}
	if err != nil {
		return st, err
	}
	st.Limits, st.CreatedAt = unmarshal[reel.Limits](limits), fromMS(created)
	st.Outage = unmarshal[reel.Breaker](breaker).Outage
	if err := rowsOf(ctx, r, `SELECT name,n FROM total WHERE batch_id=?`, []any{id}, func(rows *sql.Rows) error {
		return scanTotal(rows, &st.Totals)
	}); err != nil {
		return st, err
	}
	err = rowsOf(ctx, r, passColumns+` FROM pass WHERE batch_id=? ORDER BY pass`, []any{id}, func(rows *sql.Rows) error {
		p, err := scanPass(rows)
		st.Passes = append(st.Passes, p)
		return err
	})
	ahead, errClock := s.ahead(ctx, r)
	if st.Totals.Pending+st.Totals.Failed > 0 {
		st.Result = reel.NoResult // that of the last run: since then a job was added or returned, and waits for the next
	}
	alive := led && s.clock().Before(time.UnixMilli(until).Add(ahead))
	st.Phase = phase(st, paused, alive, waiting.Valid, pass)
	return st, errors.Join(err, errClock)
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

const passColumns = `SELECT ` + passFields

const passFields = `pass,started_at,ended_at,processed,succeeded,f_account,f_content,f_infra,f_unknown,in_doubt,set_aside,exhausted,retryable`

func scanPass(row scanner) (p reel.PassStats, err error) {
	err = row.Scan(&p.Pass, (*nullTime)(&p.StartedAt), (*nullTime)(&p.EndedAt), &p.Processed, &p.Succeeded, &p.Failed.Account,
		&p.Failed.Content, &p.Failed.Infrastructure, &p.Failed.Unknown, &p.InDoubt, &p.SetAside, &p.Exhausted, &p.Retryable)
	p.SuccessRate = reel.Rate(p.Succeeded, p.Processed)
	return p, err
}

// Filter chooses jobs; empty fields choose all.
type Filter struct {
	States   []reel.State
	Reason   reel.Reason
	Account  string
	Category reel.Category // of the last verdict
	Type     string        // likewise
	Pass     int           // of the last attempt
	Words    string        // somewhere in its id, account, file or error, whatever the case of letters
}

const recordColumns = `SELECT ` + recordFields

const recordFields = `j.job_id,a.name,j.video_path,j.caption,j.publish_at,j.max_attempts,j.state,j.reason,j.attempts,j.f_account,
	j.f_content,j.f_infra,j.f_unknown,j.forgiven,j.error,j.category,j.type,j.rule,j.pass,j.due_pass,j.worker,j.claimed_at,j.completed_at,
	j.receipt_id,j.receipt_url FROM job j JOIN account a ON a.id=j.account_id`

func scanRecord(row scanner) (r reel.Record, err error) {
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
		where, args := f.where()
		query := recordColumns + ` WHERE j.batch_id=(SELECT id FROM batch WHERE name=?)` + where
		args = append([]any{batch}, args...)
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

// anyOf is the condition that a job is in one of some states. A word that is no state matches no job.
func anyOf(states []reel.State) string {
	terms := []string{`1=0`}
	for _, st := range states {
		if slices.Contains(reel.States(), st) {
			terms = append(terms, `j.state='`+string(st)+`'`)
		}
	}
	if len(terms) > 1 {
		terms = terms[1:]
	}
	return strings.Join(terms, ` OR `)
}

// Story is all that the ledger knows of one job.
type Story struct {
	Record   reel.Record
	Attempts []reel.Attempt
	Events   []reel.Event
	Held     bool      // its account is held
	Until    time.Time // until then; zero where only a person ends it
	Limits   reel.Limits
	LastPass int
}

// Story tells one job's whole story; reel.ErrNotFound where there is none.
func (s *Store) Story(ctx context.Context, batch string, id reel.JobID) (st Story, err error) {
	err = s.moment(ctx, func(r reader) error { st, err = story(ctx, r, batch, id, s.clock()); return err })
	return st, err
}

func story(ctx context.Context, r reader, batch string, id reel.JobID, now time.Time) (Story, error) {
	var st Story
	var key int64
	var limits string
	err := r.QueryRowContext(ctx, `SELECT j.id,b.limits,b.last_pass,h.id IS NOT NULL,h.until FROM job j JOIN batch b ON b.id=j.batch_id
		LEFT JOIN hold h ON h.account_id=j.account_id AND h.released_at IS NULL
		WHERE b.name=? AND j.job_id=?`, batch, string(id)).Scan(&key, &limits, &st.LastPass, &st.Held, (*nullTime)(&st.Until))
	if errors.Is(err, sql.ErrNoRows) {
		return st, fmt.Errorf("job %q in batch %q: %w", id, batch, reel.ErrNotFound)
	}
	if err != nil {
		return st, err
	}
	st.Limits = unmarshal[reel.Limits](limits)
	if !st.Until.IsZero() && !st.Until.After(now) {
		st.Held, st.Until = false, time.Time{} // over; the next run takes note
	}
	if st.Record, err = scanRecord(r.QueryRowContext(ctx, recordColumns+` WHERE j.id=?`, key)); err != nil {
		return st, err
	}
	st.Record.Batch = batch
	if err := rowsOf(ctx, r, attemptColumns+` WHERE job=? ORDER BY number`, []any{key}, func(rows *sql.Rows) error {
		a, err := scanAttempt(rows)
		st.Attempts = append(st.Attempts, a)
		return err
	}); err != nil {
		return st, err
	}
	err = rowsOf(ctx, r, `SELECT seq,at,data FROM event WHERE job=? ORDER BY seq`, []any{key}, func(rows *sql.Rows) error {
		e, err := scanEvent(rows)
		st.Events = append(st.Events, e)
		return err
	})
	return st, err
}

// Shared names the video that a job shared, or may have shared, last: by its bytes (sha256:…) where they were seen, else by its path (path:…).
// Empty: it shared none.
func (s *Store) Shared(ctx context.Context, batch string, id reel.JobID) (content string, err error) {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	err = s.read.QueryRowContext(ctx, `SELECT p.content FROM job j JOIN batch b ON b.id=j.batch_id JOIN publish p ON p.account_id=j.account_id AND p.job=j.id
		WHERE b.name=? AND j.job_id=? ORDER BY p.fence DESC LIMIT 1`, batch, string(id)).Scan(&content)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return content, s.trouble(err)
}

// Check asks SQLite whether the file is sound. It reads all of it. A server looks after its own files.
func (s *Store) Check(ctx context.Context) error {
	if s.server {
		return s.trouble(s.read.PingContext(ctx))
	}
	var said string
	if err := s.read.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return s.trouble(err)
	}
	if said != "ok" {
		return &FileError{Path: s.path, Kind: Damaged, Err: errors.New(said)}
	}
	return nil
}
