package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"reelpass/internal/reel"
)

// Pause keeps a batch's jobs from being claimed, or lets them be claimed again. Running jobs are not touched.
func (s *Store) Pause(ctx context.Context, batch string, paused bool, by string) error {
	return s.do(func(t *tx) error {
		id, _, err := t.batchID(batch)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE batch SET paused=? WHERE id=?`, paused, id); err != nil {
			return err
		}
		kind := reel.EventResumed
		if paused {
			kind = reel.EventPaused
		}
		if !paused { // whoever says so may have mended what the breaker found
			if err := t.lift(id); err != nil {
				return err
			}
		}
		return t.journal(id, 0, &reel.Event{Kind: kind, Batch: batch, By: by})
	})
}

// RulesAdded notes who added which rules: verdicts change by them, and the journal is where one looks for why.
func (s *Store) RulesAdded(ctx context.Context, by string, ids ...string) error {
	return s.do(func(t *tx) error {
		return t.journal(0, 0, &reel.Event{Kind: reel.EventRulesAdded, By: by, Text: strings.Join(ids, ", ")})
	})
}

// found is a job that a person wants to change.
type found struct {
	key, batch, account int64
	id                  reel.JobID
	batchName           string
	state               reel.State
	reason              reel.Reason
	accountName         string
	leased, held        bool
}

func (t *tx) find(batch string, id reel.JobID) (f found, err error) {
	err = t.row(`SELECT j.id,j.batch_id,j.account_id,j.state,j.reason,a.name,j.owner IS NOT NULL,
		EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL AND h.until IS NULL)
		FROM job j JOIN batch b ON b.id=j.batch_id JOIN account a ON a.id=j.account_id WHERE b.name=? AND j.job_id=?`,
		[]any{batch, string(id)}, &f.key, &f.batch, &f.account, &f.state, &f.reason, &f.accountName, &f.leased, &f.held)
	if errors.Is(err, sql.ErrNoRows) {
		return f, fmt.Errorf("job %q in batch %q: %w", id, batch, reel.ErrNotFound)
	}
	return f, err
}

// Retry returns a job that is set aside, exhausted, out of passes or cancelled to the next pass, with its limits fresh. It is
// refused for a job that lives, is posted or in doubt, and while the account is held for a person.
func (s *Store) Retry(ctx context.Context, batch string, id reel.JobID, by string) (e reel.Event, err error) {
	err = s.do(func(t *tx) error {
		f, err := t.find(batch, id)
		switch {
		case err != nil:
			return err
		case f.state == reel.InDoubt:
			return fmt.Errorf("job %q may be posted: %w", id, reel.ErrRefused)
		case !reel.CanBecome(f.state, reel.Pending):
			return fmt.Errorf("job %q is %s: %w", id, f.state, reel.ErrRefused)
		case f.held:
			return fmt.Errorf("account %q of job %q is held: %w", f.accountName, id, reel.ErrRefused)
		}
		e = reel.Event{Kind: reel.EventRetried, Batch: batch, Job: id, Account: f.accountName, By: by, Text: "was " + string(f.state)}
		return t.giveBack(f, &e)
	})
	return e, err
}

// giveBack makes a job pending for the next pass, and forgives what counts against its limits.
func (t *tx) giveBack(f found, e *reel.Event) error {
	var now reel.Tally
	if err := t.row(`SELECT attempts,f_account,f_content,f_infra,f_unknown FROM job WHERE id=?`, []any{f.key},
		&now.Attempts, &now.Account, &now.Content, &now.Infrastructure, &now.Unknown); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE job SET forgiven=? WHERE id=?`, marshal(now), f.key); err != nil {
		return err
	}
	return t.comeBack(f, e)
}

// comeBack makes a job pending for the next pass.
func (t *tx) comeBack(f found, e *reel.Event) error {
	if _, err := t.exec(`UPDATE job SET state='pending', reason='', due_pass=(SELECT pass+1 FROM batch WHERE id=batch_id) WHERE id=?`, f.key); err != nil {
		return err
	}
	t.moved(f.batch, f.state, reel.Pending, 1)
	return t.journal(f.batch, f.key, e)
}

// Cancel takes a job back that no worker has in its hands and that is not posted.
func (s *Store) Cancel(ctx context.Context, batch string, id reel.JobID, by string) (e reel.Event, err error) {
	err = s.do(func(t *tx) error {
		f, err := t.find(batch, id)
		if err != nil {
			return err
		}
		if f.leased || !reel.CanBecome(f.state, reel.Cancelled) {
			return fmt.Errorf("job %q is %s: %w", id, f.state, reel.ErrRefused)
		}
		if _, err := t.exec(`UPDATE job SET state='cancelled', reason='cancelled' WHERE id=?`, f.key); err != nil {
			return err
		}
		t.moved(f.batch, f.state, reel.Cancelled, 1)
		e = reel.Event{Kind: reel.EventCancelled, Batch: batch, Job: id, Account: f.accountName, By: by, Text: "was " + string(f.state)}
		return t.journal(f.batch, f.key, &e)
	})
	return e, err
}

// actsNoMore refuses while a worker that nobody could see may still act for a doubt.
func (t *tx) actsNoMore(id reel.JobID, key int64) error {
	var host string
	err := t.row(`SELECT s.host FROM job j JOIN supervisor s ON s.id=j.away WHERE j.id=?`, []any{key}, &host)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("job %q: its worker was on %s, nobody there has said that it acts no more, and it might still share: %w", id, host, reel.ErrRefused)
}

// Resolve ends a doubt by a person's word. decide is asked what becomes of the job when the post is absent: it gets the
// claim with the doubtful attempt and the limits of the batch's last run. That it is absent is refused with reel.ErrRefused while the worker
// may still act, unless the person says that it does not.
func (s *Store) Resolve(ctx context.Context, batch string, id reel.JobID, look reel.Look, decide func(reel.Held) reel.Decision) (e reel.Event, err error) {
	err = s.do(func(t *tx) error {
		f, err := t.find(batch, id)
		if err != nil {
			return err
		}
		if f.state != reel.InDoubt {
			return fmt.Errorf("job %q is %s, not in doubt: %w", id, f.state, reel.ErrRefused)
		}
		if f.leased {
			return fmt.Errorf("job %q is being looked up at this moment: %w", id, reel.ErrRefused)
		}
		var r jobRow
		var limits string
		var last int
		if err := t.row(`SELECT `+jobColumns+`,b.limits,b.last_pass FROM job j JOIN account a ON a.id=j.account_id JOIN batch b ON b.id=j.batch_id
			WHERE j.id=?`, []any{f.key}, r.dest(&limits, &last)...); err != nil {
			return err
		}
		h := reel.Held{Claim: r.claim(reel.Claimant{Batch: batch}, r.pass), State: f.state}
		h.Limits = unmarshal[reel.Limits](limits)
		h.LastPass = last
		h.Fence, h.Attempt = r.fence, r.tally.Attempts
		if h.Doubt, err = t.attempt(f.key, h.Attempt); err != nil {
			return err
		}
		var d reel.Decision
		if look.Finding == reel.Absent {
			if !look.WorkerDead {
				if err := t.actsNoMore(id, f.key); err != nil {
					return err
				}
			}
			d = decide(h)
		}
		e, err = t.settleDoubt(home{batch: f.batch, account: f.account}, h.Claim, look, d)
		return err
	})
	return e, err
}
