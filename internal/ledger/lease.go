package ledger

import (
	"context"
	"time"

	"reelpass/internal/reel"
)

// Renew prolongs every lease of a supervisor and the leaderships it holds, and returns the leases it still has: one that
// is missing was settled by somebody else, and its worker must die.
func (s *Store) Renew(ctx context.Context, supervisor string) (held []reel.Lease, err error) {
	err = s.do(func(t *tx) error {
		held = nil
		owner, err := t.supervisorID(supervisor)
		if err != nil {
			return err
		}
		until := leaseEnd(t.now)
		if _, err := t.exec(`UPDATE batch SET leader_until=? WHERE leader=?`, until, owner); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE job SET lease_until=? WHERE owner=?`, until, owner); err != nil {
			return err
		}
		return t.each(`SELECT id,fence FROM job WHERE owner=?`, []any{owner}, func(row scanner) error {
			var l reel.Lease
			err := row.Scan(&l.Key, &l.Fence)
			held = append(held, l)
			return err
		})
	})
	return held, err
}

// Held lists the leases of other supervisors, of every batch: an account that a dead one keeps in flight is in the way of
// all. Limits of each lease's batch come with it, so that its end can be decided. Times are this machine's. After the leases come the
// doubts for which a worker of another supervisor may still act.
func (s *Store) Held(ctx context.Context, notOf string) ([]reel.Held, error) {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	ahead, err := s.ahead(ctx, s.read)
	if err != nil {
		return nil, s.trouble(err)
	}
	leases, err := s.held(ctx, `s.id=j.owner WHERE j.owner IS NOT NULL`, notOf, ahead)
	if err != nil {
		return nil, s.trouble(err)
	}
	doubts, err := s.held(ctx, `s.id=j.away WHERE j.away IS NOT NULL AND j.owner IS NULL`, notOf, 0)
	for i := range doubts {
		doubts[i].Away, doubts[i].Lookup = true, false
	}
	return append(leases, doubts...), s.trouble(err)
}

func (s *Store) held(ctx context.Context, which, notOf string, ahead time.Duration) ([]reel.Held, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+jobColumns+`, b.name, b.limits, b.last_pass, j.worker, j.worker_pid, j.worker_started,
		j.lease_until, j.claimed_at, s.uid, s.name, s.host, s.pid, s.started
		FROM job j JOIN account a ON a.id=j.account_id JOIN batch b ON b.id=j.batch_id JOIN supervisor s ON `+which+`
		AND s.uid<>? ORDER BY +j.id`, notOf) // the plus keeps the planner to the few that are in flight
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []reel.Held
	for rows.Next() {
		var r jobRow
		var h reel.Held
		var c reel.Claimant
		var limits string
		var last int
		if err := rows.Scan(r.dest(&c.Batch, &limits, &last, &c.Worker, &h.WorkerProc.PID, &h.WorkerProc.Started,
			(*nullTime)(&h.Until), (*nullTime)(&h.ClaimedAt), &h.Supervisor.ID, &h.Supervisor.Name, &h.Supervisor.Process.Host,
			&h.Supervisor.Process.PID, &h.Supervisor.Process.Started)...); err != nil {
			return nil, err
		}
		h.Until = h.Until.Add(ahead)
		h.Claim = r.claim(c, r.pass)
		h.Fence, h.State, h.Lookup = r.fence, r.state, r.state == reel.InDoubt
		if h.Lookup {
			h.Attempt = r.tally.Attempts // the doubtful one, not one to come
		}
		h.Limits = unmarshal[reel.Limits](limits)
		h.LastPass = last
		h.WorkerProc.Host = h.Supervisor.Process.Host
		all = append(all, h)
	}
	return all, rows.Err()
}
