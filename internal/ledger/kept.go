package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"reelpass/internal/reel"
)

// Keep remembers a value of a claimed job under a name, in place of what was there; an empty value is forgotten. reel.ErrLost when the
// lease is no longer held; then nothing has changed.
func (s *Store) Keep(ctx context.Context, c reel.Claim, name, value string) (events []reel.Event, err error) {
	err = s.hot(func(t *tx) error {
		events = nil
		var batch int64
		err := t.row(`SELECT batch_id FROM job WHERE id=? AND fence=? AND owner IS NOT NULL`, []any{c.Key, c.Fence}, &batch)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("keep %s of job %q: %w", name, c.Job.ID, reel.ErrLost)
		}
		if err != nil {
			return err
		}
		if value == "" {
			_, err = t.exec(`DELETE FROM kept WHERE job=? AND name=?`, c.Key, name)
		} else {
			_, err = t.exec(`INSERT INTO kept(job,name,value,at) VALUES(?,?,?,?) ON CONFLICT(job,name) DO UPDATE SET value=excluded.value, at=excluded.at`,
				c.Key, name, value, ms(t.now))
		}
		if err != nil {
			return err
		}
		e := told(reel.EventKept, c)
		if e.Text = name + " " + value; value == "" {
			e.Text = name + ": done with"
		}
		events = []reel.Event{e}
		return t.journal(batch, c.Key, &events[0])
	})
	return events, err
}

// kept is what is remembered of a job; nil where there is nothing.
func (t *tx) kept(job int64) (map[string]string, error) {
	var all map[string]string
	err := t.each(`SELECT name,value FROM kept WHERE job=?`, []any{job}, func(row scanner) error {
		var name, value string
		if err := row.Scan(&name, &value); err != nil {
			return err
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
		return nil
	})
	return all, err
}

// Leftovers lists what is kept under a name, of all batches, where no job of the account is in flight: nobody there has a use for it.
func (s *Store) Leftovers(ctx context.Context, name string) ([]reel.Leftover, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT j.id,b.name,j.job_id,a.name,k.name,k.value FROM kept k
		JOIN job j ON j.id=k.job JOIN batch b ON b.id=j.batch_id JOIN account a ON a.id=j.account_id
		WHERE k.name=? AND NOT EXISTS(SELECT 1 FROM job f WHERE f.account_id=j.account_id AND f.owner IS NOT NULL) ORDER BY k.job`, name)
	if err != nil {
		return nil, fmt.Errorf("read what was kept: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []reel.Leftover
	for rows.Next() {
		var l reel.Leftover
		if err := rows.Scan(&l.Key, &l.Batch, &l.Job, &l.Account, &l.Name, &l.Value); err != nil {
			return nil, fmt.Errorf("read what was kept: %w", err)
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was kept: %w", err)
	}
	return all, nil
}

// Forget drops a leftover that somebody has dealt with, unless it is another one by now or its job is in flight again.
func (s *Store) Forget(ctx context.Context, l reel.Leftover) error {
	return s.do(func(t *tx) error {
		_, err := t.exec(`DELETE FROM kept WHERE job=? AND name=? AND value=? AND NOT EXISTS(SELECT 1 FROM job WHERE id=? AND owner IS NOT NULL)`,
			l.Key, l.Name, l.Value, l.Key)
		return err
	})
}
