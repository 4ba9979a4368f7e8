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
		err := t.row(`SELECT owner,who,until FROM duty WHERE name=?`, []any{d.Name}, &is.Owner, &is.Who, &until)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && is.Owner != d.Owner && until > ms(t.now) {
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

// Appointments lists those that are open and the last of each plan, by plan and time.
func (s *Store) Appointments(ctx context.Context) (all []reel.Appointment, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT plan,at,batch,state,note FROM appointment a
		WHERE state='open' OR at=(SELECT max(at) FROM appointment b WHERE b.plan=a.plan) ORDER BY plan,at`)
	if err != nil {
		return nil, s.trouble(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a reel.Appointment
		var at int64
		if err := rows.Scan(&a.Plan, &at, &a.Batch, &a.State, &a.Note); err != nil {
			return nil, s.trouble(err)
		}
		a.At = time.UnixMilli(at).UTC()
		all = append(all, a)
	}
	return all, s.trouble(rows.Err())
}

// Planned is a job in a batch of a plan, and the appointment by which it came there.
type Planned struct {
	At      time.Time
	Job     reel.JobID
	Account string
}

// PlannedJobs goes over the jobs in all batches of a plan.
func (s *Store) PlannedJobs(ctx context.Context, plan string) iter.Seq2[Planned, error] {
	return func(yield func(Planned, error) bool) {
		rows, err := s.read.QueryContext(ctx, `SELECT p.at, j.job_id, a.name FROM appointment p JOIN batch b ON b.name=p.batch
			JOIN job j ON j.batch_id=b.id JOIN account a ON a.id=j.account_id WHERE p.plan=? AND p.batch<>''`, plan)
		if err != nil {
			yield(Planned{}, s.trouble(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var p Planned
			var at int64
			err := rows.Scan(&at, &p.Job, &p.Account)
			p.At = time.UnixMilli(at).UTC()
			if !yield(p, s.trouble(err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Planned{}, s.trouble(err))
		}
	}
}
