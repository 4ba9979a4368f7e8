package ledger

import (
	"context"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// restoredText is what is kept of a doubt that comes with an old copy of a ledger.
const restoredText = "the ledger is an old copy: what was done after it was made is not known, so it may be posted"

// beyond is more claims than a job gets between two copies: whoever claimed it after the copy was made has a fence that must never be
// given again.
const beyond = 1_000_000

// Restored says that the ledger is an old copy. Every job that a run would take, or had in its hands when the copy was made, may have
// been posted since, and becomes in doubt: looked up where the publisher can, and else a person's to settle. It is done some jobs at
// a time; after an error it can be asked again. It is refused while anybody leads a batch or has a lease.
func (s *Store) Restored(ctx context.Context, by string) (doubted int, err error) {
	for {
		n := 0
		err := s.do(func(t *tx) (err error) {
			n, err = t.doubtSome(by)
			return err
		})
		if doubted += n; err != nil || n == 0 {
			return doubted, err
		}
		if err := ctx.Err(); err != nil {
			return doubted, err
		}
	}
}

func (t *tx) doubtSome(by string) (int, error) {
	var busy bool
	if err := t.row(`SELECT EXISTS(SELECT 1 FROM batch WHERE leader IS NOT NULL AND leader_until>?1) OR EXISTS(SELECT 1 FROM job WHERE owner IS NOT NULL AND lease_until>?1)`,
		[]any{ms(t.now)}, &busy); err != nil {
		return 0, err
	}
	if busy {
		return 0, fmt.Errorf("a run is at work on this ledger: %w", reel.ErrRefused)
	}
	type doubt struct {
		found
		fence int64
		video string
		tally reel.Tally
		used  nullTime // its batch, last: what is not known came after it
	}
	var some []doubt
	if err := t.each(`SELECT j.id,j.batch_id,b.name,j.job_id,j.account_id,a.name,j.state,j.fence,j.video_path,j.attempts,j.f_account,j.f_content,j.f_infra,j.f_unknown,b.used_at
		FROM job j JOIN batch b ON b.id=j.batch_id JOIN account a ON a.id=j.account_id
		WHERE j.state IN ('pending','failed','running','publishing') ORDER BY j.id LIMIT ?`, []any{chunk}, func(row scanner) error {
		var d doubt
		err := row.Scan(&d.key, &d.batch, &d.batchName, &d.id, &d.account, &d.accountName, &d.state, &d.fence, &d.video, &d.tally.Attempts,
			&d.tally.Account, &d.tally.Content, &d.tally.Infrastructure, &d.tally.Unknown, &d.used)
		some = append(some, d)
		return err
	}); err != nil {
		return 0, err
	}
	for _, d := range some {
		d.fence += beyond
		d.tally.Attempts++
		if _, err := t.exec(`UPDATE job SET state='in_doubt', reason='', owner=NULL, lease_until=NULL, worker_pid=0, fence=?, attempts=?, forgiven=?,
			error=?, category=?, type='restored', rule='', completed_at=? WHERE id=?`,
			d.fence, d.tally.Attempts, marshal(d.tally), restoredText, string(reel.Infrastructure), ms(t.now), d.key); err != nil {
			return 0, err
		}
		a := reel.Attempt{
			Number: d.tally.Attempts, Host: "restored", StartedAt: time.Time(d.used), EndedAt: t.now, Outcome: reel.OutcomeInDoubt, ShareBegun: true,
			Evidence: reel.Evidence{Text: restoredText, ShareBegun: true}, Verdict: reel.Verdict{Category: reel.Infrastructure, Type: "restored"},
		}
		if err := t.insertAttempt("", d.key, a); err != nil {
			return 0, err
		}
		if d.state != reel.Publishing { // that one guards its video already
			if err := t.guard(d.account, d.video, reel.Lease{Key: d.key, Fence: d.fence}); err != nil {
				return 0, err
			}
		}
		t.moved(d.batch, d.state, reel.InDoubt, 1)
		t.totals[totalKey{d.batch, "attempts"}]++
		if err := t.journal(d.batch, d.key, &reel.Event{
			Kind: reel.EventDoubted, Batch: d.batchName, Job: d.id, Account: d.accountName, Attempt: a.Number, Fence: d.fence, By: by,
			Text: "was " + string(d.state),
		}); err != nil {
			return 0, err
		}
	}
	clear(t.homes)
	return len(some), nil
}
