package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"reelpass/internal/reel"
)

// TakeDuty makes a duty the owner's, or prolongs it, by reel.DutyTTL. While somebody else has it, it fails with reel.ErrTaken and
// says who.
func (s *Store) TakeDuty(ctx context.Context, d reel.Duty) (is reel.Duty, err error) {
	err = s.do(func(t *tx) error {
		is = d
		var until int64
		var host sql.NullString
		var pid, started sql.NullInt64
		err := t.row(`SELECT d.owner,d.who,d.until,s.host,s.pid,s.started FROM duty d LEFT JOIN supervisor s ON s.uid=d.owner WHERE d.name=?`,
			[]any{d.Name}, &is.Owner, &is.Who, &until, &host, &pid, &started)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && is.Owner != d.Owner && until > ms(t.now) {
			is.Process = reel.Process{Host: host.String, PID: int(pid.Int64), Started: started.Int64}
			is.Until = time.UnixMilli(until).UTC()
			return fmt.Errorf("the %s is kept by %s: %w", d.Name, is.Who, reel.ErrTaken)
		}
		is, is.Until = d, t.now.Add(reel.DutyTTL).UTC()
		_, err = t.exec(`INSERT INTO duty(name,owner,who,until) VALUES(?,?,?,?) ON CONFLICT(name) DO UPDATE
			SET owner=excluded.owner, who=excluded.who, until=excluded.until`, d.Name, d.Owner, d.Who, ms(is.Until))
		return err
	})
	return is, err
}

// LeaveDuty gives a duty up, so that nobody waits for its end. One that is somebody else's stays.
func (s *Store) LeaveDuty(ctx context.Context, d reel.Duty) error {
	return s.do(func(t *tx) error {
		_, err := t.exec(`DELETE FROM duty WHERE name=? AND owner=?`, d.Name, d.Owner)
		return err
	})
}

// hasDuty fails with reel.ErrLost where a duty is not the owner's any more.
func (t *tx) hasDuty(d reel.Duty) error {
	var n int
	if err := t.row(`SELECT count(*) FROM duty WHERE name=? AND owner=? AND until>?`, []any{d.Name, d.Owner, ms(t.now)}, &n); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("the %s: %w", d.Name, reel.ErrLost)
	}
	return nil
}

// Appoint notes an appointment, by who has the duty (else reel.ErrLost). The journal tells of one that is open or missed; missed is how
// many were. Not noted and no error: it stands there already, however it ended.
func (s *Store) Appoint(ctx context.Context, d reel.Duty, a reel.Appointment, missed int) (noted bool, err error) {
	err = s.do(func(t *tx) error {
		if err := t.hasDuty(d); err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO appointment(plan,at,batch,state,note) VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`,
			a.Plan, ms(a.At), a.Batch, string(a.State), a.Note)
		if noted = n > 0; err != nil || !noted {
			return err
		}
		when := a.At.Format("2006-01-02 15:04:05 MST")
		switch a.State {
		case reel.AppointmentOpen:
			e := reel.Event{Kind: reel.EventScheduled, By: d.Who, Text: fmt.Sprintf("plan %s, %s: batch %s", a.Plan, when, a.Batch)}
			if err := t.journal(0, 0, &e); err != nil || missed == 0 {
				return err
			}
			return t.missed(d, a.Plan, missed, "before "+when)
		case reel.AppointmentMissed:
			return t.missed(d, a.Plan, missed, "the last "+when)
		case reel.AppointmentSeen, reel.AppointmentEnded:
		}
		return nil
	})
	return noted, err
}

func (t *tx) missed(d reel.Duty, plan string, n int, which string) error {
	return t.journal(0, 0, &reel.Event{Kind: reel.EventMissed, By: d.Who, Count: n, Text: fmt.Sprintf("plan %s, %s", plan, which)})
}

// EndAppointment says that an open appointment is kept, by who has the duty (else reel.ErrLost).
func (s *Store) EndAppointment(ctx context.Context, d reel.Duty, a reel.Appointment) error {
	return s.do(func(t *tx) error {
		if err := t.hasDuty(d); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE appointment SET state='ended', note=? WHERE plan=? AND at=? AND state='open'`, a.Note, a.Plan, ms(a.At))
		return err
	})
}

// errFilled: the batch of an appointment has its jobs.
var errFilled = errors.New("it is filled")

// Fill makes the batch of an open appointment, by who has the duty (else reel.ErrLost). A batch is filled once: one that has jobs already is
// left as it is, however its source has changed meanwhile, and its jobs are reported as known. Otherwise it is an Import.
func (s *Store) Fill(ctx context.Context, d reel.Duty, a reel.Appointment, posts iter.Seq2[reel.Post, error]) (ImportReport, error) {
	var have int
	rep, err := s.importIf(ctx, a.Batch, posts, func(t *tx) error {
		if err := t.hasDuty(d); err != nil {
			return err
		}
		open := 0
		if err := t.row(`SELECT count(*) FROM appointment WHERE plan=? AND at=? AND batch=? AND state='open'`, []any{a.Plan, ms(a.At), a.Batch}, &open); err != nil {
			return err
		}
		if open == 0 {
			return fmt.Errorf("appointment of plan %q at %s: %w", a.Plan, a.At, reel.ErrNotFound)
		}
		if err := t.row(`SELECT COALESCE(sum(n),0) FROM total WHERE name='jobs' AND batch_id=(SELECT id FROM batch WHERE name=?)`, []any{a.Batch}, &have); err != nil {
			return err
		}
		if have > 0 {
			return errFilled
		}
		return nil
	})
	if errors.Is(err, errFilled) {
		return ImportReport{Batch: a.Batch, Known: have, Twice: []int{}}, nil
	}
	return rep, err
}

// Appointments lists those that are open, the last of each plan, and the last moment at which its times were new, by plan and time.
func (s *Store) Appointments(ctx context.Context) (all []reel.Appointment, err error) {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	err = s.trouble(rowsOf(ctx, s.read, `SELECT plan,at,batch,state,note FROM appointment a WHERE state='open'
		OR at=(SELECT max(at) FROM appointment b WHERE b.plan=a.plan AND b.state<>'seen')
		OR at=(SELECT max(at) FROM appointment b WHERE b.plan=a.plan AND b.state='seen') ORDER BY plan,at`, nil, func(rows *sql.Rows) error {
		var a reel.Appointment
		var at int64
		err := rows.Scan(&a.Plan, &at, &a.Batch, &a.State, &a.Note)
		a.At = time.UnixMilli(at).UTC()
		all = append(all, a)
		return err
	}))
	return all, err
}

// Planned is a job in a batch of a plan.
type Planned struct {
	At      time.Time // its appointment
	Filled  time.Time // when it came into the batch: whatever the appointment, it is not posted before
	Job     reel.JobID
	Account string
	Video   string // its path
	Old     bool   // it came as one that is, or may be, posted already: the plan did not have it posted
}

// PlannedJobs goes over the jobs in all batches of a plan.
func (s *Store) PlannedJobs(ctx context.Context, plan string) iter.Seq2[Planned, error] {
	return func(yield func(Planned, error) bool) {
		rows, err := s.read.QueryContext(ctx, `SELECT p.at, b.created_at, j.job_id, a.name, j.video_path, j.fence=0 AND j.state IN ('succeeded','in_doubt')
			FROM appointment p JOIN batch b ON b.name=p.batch
			JOIN job j ON j.batch_id=b.id JOIN account a ON a.id=j.account_id WHERE p.plan=? AND p.batch<>''`, plan)
		if err != nil {
			yield(Planned{}, s.trouble(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var p Planned
			var at, filled int64
			err := rows.Scan(&at, &filled, &p.Job, &p.Account, &p.Video, &p.Old)
			p.At, p.Filled = time.UnixMilli(at).UTC(), time.UnixMilli(filled).UTC()
			if !yield(p, s.trouble(err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Planned{}, s.trouble(err))
		}
	}
}
