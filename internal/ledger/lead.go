package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// Leader says who leads a batch, and until when by this machine's clock.
func (s *Store) Leader(ctx context.Context, batch string) (reel.Leadership, error) {
	l := reel.Leadership{Batch: batch}
	ctx, cancel := s.brief(ctx)
	defer cancel()
	ahead, err := s.ahead(ctx, s.read)
	if err != nil {
		return l, s.trouble(err)
	}
	var until int64
	var limits string
	var uid, name, host, version sql.NullString
	var pid, started, generation sql.NullInt64
	err = s.read.QueryRowContext(ctx, `SELECT b.leader_term,b.leader_until,b.limits,s.uid,s.name,s.host,s.pid,s.started,s.generation,s.version
		FROM batch b LEFT JOIN supervisor s ON s.id=b.leader WHERE b.name=?`, batch).
		Scan(&l.Term, &until, &limits, &uid, &name, &host, &pid, &started, &generation, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("batch %q: %w", batch, reel.ErrNotFound)
	}
	l.Limits = unmarshal[reel.Limits](limits)
	l.Until = time.UnixMilli(until).Add(ahead).UTC()
	l.Leader = reel.Supervisor{
		ID: uid.String, Name: name.String, Generation: int(generation.Int64), Version: version.String,
		Process: reel.Process{Host: host.String, PID: int(pid.Int64), Started: started.Int64},
	}
	return l, s.trouble(err)
}

// Lead makes the bidder the leader, if the term is still the one it saw; else reel.ErrTaken. It begins a new round where
// a finished batch has new work, and marks in-doubt jobs for another look.
func (s *Store) Lead(ctx context.Context, bid reel.Bid) (round reel.Round, events []reel.Event, err error) {
	err = s.do(func(t *tx) error {
		events = nil
		id, term, err := t.batchID(bid.Batch)
		if err != nil {
			return err
		}
		if term != bid.Term {
			return fmt.Errorf("lead batch %q: %w", bid.Batch, reel.ErrTaken)
		}
		sup, err := t.supervisor(bid.Leader.ID)
		if err == nil {
			err = t.sameRules(id, bid)
		}
		if err != nil {
			return err
		}
		var last int // of the run before
		if err := t.row(`SELECT last_pass FROM batch WHERE id=?`, []any{id}, &last); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE batch SET leader=?, leader_term=leader_term+1, leader_until=?, limits=?, last_pass=pass_base+?,
			used_at=?, generation=? WHERE id=?`, sup.id, leaseEnd(t.now), marshal(bid.Limits), bid.Limits.MaxPasses, ms(t.now), sup.generation, id); err != nil {
			return err
		}
		if events, err = t.expire(0); err != nil {
			return err
		}
		if err := t.renewBreaker(id, bid.Limits); err != nil {
			return err
		}
		if err := t.reopen(id, bid, last); err != nil {
			return err
		}
		back, err := t.holdBack(id, bid.Batch, 0)
		if err != nil {
			return err
		}
		events = append(events, back...)
		totals, err := t.totalsOf(id)
		if err != nil {
			return err
		}
		started := reel.Event{Kind: reel.EventRunStarted, Batch: bid.Batch, Limits: &bid.Limits, Workers: bid.Workers, Totals: &totals, Text: bid.Leader.Name}
		if err := t.journal(id, 0, &started); err != nil {
			return err
		}
		events = append([]reel.Event{started}, events...)
		round, err = t.round(id, bid.Batch)
		return err
	})
	return round, events, err
}

// reopen takes a batch out of its result where there is something to do again. before is the last pass that the run before
// might have opened.
func (t *tx) reopen(id int64, bid reel.Bid, before int) error {
	var result reel.Result
	var pass, last int
	if err := t.row(`SELECT result,pass,last_pass FROM batch WHERE id=?`, []any{id}, &result, &pass, &last); err != nil {
		return err
	}
	var looks int64
	var err error
	if !bid.Look { // nobody here can look: what an earlier run left to look at must not keep the passes waiting
		_, err = t.exec(`UPDATE job SET look_due=0 WHERE batch_id=? AND state='in_doubt' AND look_due<>0`, id)
	} else {
		if looks, err = t.exec(`UPDATE job SET look_due=1 WHERE batch_id=? AND state='in_doubt' AND owner IS NULL`+notFar, id, t.far(bid.Limits)); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if result == reel.NoResult {
		return nil
	}
	if pass < last && before < last { // more passes than last time: those that only lacked passes go on
		n, err := t.exec(`UPDATE job SET state='failed', reason='', due_pass=? WHERE batch_id=? AND state='out_of_passes'`, pass+1, id)
		if err != nil {
			return err
		}
		if n > 0 {
			t.moved(id, reel.OutOfPasses, reel.Failed, int(n))
			_, err := t.exec(`UPDATE batch SET result='' WHERE id=?`, id)
			return err
		}
	}
	totals, err := t.totalsOf(id)
	if err != nil || totals.Pending+totals.Failed == 0 && looks == 0 {
		return err
	}
	_, err = t.exec(`UPDATE batch SET result='', pass_base=pass, last_pass=pass+? WHERE id=?`, bid.Limits.MaxPasses, id)
	return err
}

func (t *tx) round(id int64, name string) (r reel.Round, err error) {
	r.Batch = name
	err = t.row(`SELECT leader_term,pass,pass_open,pass_base FROM batch WHERE id=?`, []any{id}, &r.Term, &r.Pass, &r.Open, &r.Base)
	return r, err
}

// totalsOf reads a batch's counters, what the present transaction adds included.
func (t *tx) totalsOf(id int64) (reel.Totals, error) {
	var totals reel.Totals
	err := t.each(`SELECT name,n FROM total WHERE batch_id=?`, []any{id}, func(row scanner) error { return scanTotal(row, &totals) })
	for k, n := range t.totals {
		if k.batch == id {
			addTotal(&totals, k.name, n)
		}
	}
	return totals, err
}

func scanTotal(row scanner, totals *reel.Totals) error {
	var name string
	var n int
	if err := row.Scan(&name, &n); err != nil {
		return err
	}
	addTotal(totals, name, n)
	return nil
}

func addTotal(totals *reel.Totals, name string, n int) {
	switch name {
	case "jobs":
		totals.Jobs += n
	case "attempts":
		totals.Attempts += n
	default:
		totals.Add(reel.State(name), n)
	}
}

// leading checks that the term still leads. Every change of passes begins with it. A term is over when another one has
// begun, and when its leader has finished or stepped down.
func (t *tx) leading(batch string, term int64) (id int64, err error) {
	id, have, err := t.batchID(batch)
	led := false
	if err == nil {
		err = t.row(`SELECT leader IS NOT NULL FROM batch WHERE id=?`, []any{id}, &led)
	}
	if err == nil && (have != term || !led) {
		return 0, fmt.Errorf("term %d of batch %q: %w", term, batch, reel.ErrLost)
	}
	return id, err
}

// OpenPass opens a pass. The pass must be the one after the last. Jobs of accounts that were held meanwhile are set aside
// first; where that leaves nothing to do, no pass is opened, and Advance says what comes instead. Doubts about which a look of an earlier
// pass could not tell are looked at once more: never oftener than there are passes, and no pass is opened for their sake.
func (s *Store) OpenPass(ctx context.Context, batch string, term int64, pass int) (events []reel.Event, err error) {
	err = s.do(func(t *tx) error {
		events = nil
		id, err := t.leading(batch, term)
		if err != nil {
			return err
		}
		round, err := t.round(id, batch)
		if err != nil {
			return err
		}
		if round.Open || round.Pass != pass-1 {
			return fmt.Errorf("open pass %d of batch %q: %w", pass, batch, reel.ErrLost)
		}
		if events, err = t.expireAndHoldBack(id, batch); err != nil {
			return err
		}
		totals, err := t.totalsOf(id)
		if err != nil || totals.Pending+totals.Failed == 0 {
			return err
		}
		if _, err := t.exec(`UPDATE batch SET pass=?, pass_open=TRUE, waiting_until=NULL, result='' WHERE id=?`, pass, id); err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO pass(batch_id,pass,started_at) VALUES(?,?,?)`, id, pass, ms(t.now)); err != nil {
			return err
		}
		var last int
		var limits reel.Limits
		if err := t.row(`SELECT last_pass FROM batch WHERE id=?`, []any{id}, &last); err != nil {
			return err
		}
		if limits, _, err = t.limitsAndOutage(id); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE job SET look_due=1 WHERE batch_id=? AND state='in_doubt' AND look_due=2`+notFar, id, t.far(limits)); err != nil {
			return err
		}
		e := reel.Event{
			Kind: reel.EventPassOpened, Batch: batch, Pass: pass, Count: totals.Pending + totals.Failed,
			MaxPass: last, Totals: &totals,
		}
		err = t.journal(id, 0, &e)
		events = append(events, e)
		return err
	})
	return events, err
}

// Advance closes the open pass, if there is one, asks decide what comes next and keeps the answer: the wait before the next
// pass, or the result. Where the pass stays open nothing else changes. reel.ErrNotYet while a job of the pass is due, in flight or to be looked up; *reel.OutageError where these
// are kept back by a breaker that stays open for longer than a run waits.
func (s *Store) Advance(ctx context.Context, batch string, term int64, decide func(reel.Standing) reel.Step) (step reel.Step, events []reel.Event, err error) {
	err = s.do(func(t *tx) error {
		events = nil
		id, err := t.leading(batch, term)
		if err != nil {
			return err
		}
		round, err := t.round(id, batch)
		if err != nil {
			return err
		}
		limits, outage, err := t.limitsAndOutage(id)
		if err != nil {
			return err
		}
		s := reel.Standing{Round: round}
		var busy bool // the + keeps SQLite from going through the batch instead of the few jobs in flight
		if err := t.row(`SELECT EXISTS(SELECT 1 FROM job WHERE +batch_id=?1 AND owner IS NOT NULL)
			OR EXISTS(SELECT 1 FROM job WHERE batch_id=?1 AND look_due=1 AND NOT EXISTS
			(SELECT 1 FROM hold h WHERE h.account_id=job.account_id AND h.released_at IS NULL AND h.until>?4))
			OR (?2 AND EXISTS(SELECT 1 FROM job WHERE batch_id=?1 AND due_pass=?3 AND state IN ('pending','failed') AND `+free+`))`,
			[]any{id, round.Open, round.Pass, t.far(limits), ms(t.now)}, &busy); err != nil {
			return err
		}
		if busy {
			return t.notYet(id, outage)
		}
		if events, err = t.expireAndHoldBack(id, batch); err != nil {
			return err
		}
		if err := t.row(`SELECT ?2 AND EXISTS(SELECT 1 FROM job WHERE batch_id=?1 AND due_pass=?3 AND state IN ('pending','failed')),
			EXISTS(SELECT 1 FROM job WHERE batch_id=?1 AND due_pass=?3+1 AND state IN ('pending','failed') AND `+free+`)`,
			[]any{id, round.Open, round.Pass, t.far(limits), ms(t.now)}, &s.Waiting, &s.Others); err != nil {
			return err
		}
		if s.Totals, err = t.totalsOf(id); err != nil {
			return err
		}
		if step = decide(s); step.Stay {
			return nil
		}
		if s.Waiting {
			if _, err := t.exec(`UPDATE job SET due_pass=? WHERE batch_id=? AND due_pass=? AND state IN ('pending','failed')`,
				round.Pass+1, id, round.Pass); err != nil {
				return err
			}
		}
		if round.Open {
			if err := t.closePass(id, round, step, &events); err != nil {
				return err
			}
		}
		return t.apply(id, batch, round, &step, s.Totals, &events)
	})
	return step, events, err
}

// notFar says that a job's account is not held for good, nor for longer than a run waits.
const notFar = ` AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.account_id=job.account_id AND h.released_at IS NULL AND (h.until IS NULL OR h.until>?))`

// free says that a job's account does not wait for the time of a hold.
const free = `NOT EXISTS (SELECT 1 FROM hold h WHERE h.account_id=job.account_id AND h.released_at IS NULL AND h.until>?5 AND h.until<=?4)`

// expireAndHoldBack brings the jobs of a batch up to what is held now.
func (t *tx) expireAndHoldBack(id int64, batch string) ([]reel.Event, error) {
	events, err := t.expire(0)
	if err != nil {
		return nil, err
	}
	back, err := t.holdBack(id, batch, 0)
	return append(events, back...), err
}

func (t *tx) closePass(id int64, round reel.Round, step reel.Step, events *[]reel.Event) error {
	if _, err := t.exec(`UPDATE batch SET pass_open=FALSE WHERE id=?`, id); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE pass SET ended_at=? WHERE batch_id=? AND pass=?`, ms(t.now), id, round.Pass); err != nil {
		return err
	}
	if err := t.writeCounters(); err != nil { // the counters of changes in this same transaction
		return err
	}
	var stats reel.PassStats
	if err := t.each(passColumns+` FROM pass WHERE batch_id=? AND pass=?`, []any{id, round.Pass}, func(row scanner) (err error) {
		stats, err = scanPass(row)
		return err
	}); err != nil {
		return err
	}
	*events = append(*events, reel.Event{Kind: reel.EventPassClosed, Batch: round.Batch, Pass: round.Pass, Stats: &stats, Text: step.Why})
	return t.journal(id, 0, &(*events)[len(*events)-1])
}

// apply keeps what decide said: the wait, or the result with the jobs that only lacked passes.
func (t *tx) apply(id int64, batch string, round reel.Round, step *reel.Step, totals reel.Totals, events *[]reel.Event) error {
	if step.Open > 0 { // a wait that had begun before a crash is not begun again
		_, err := t.exec(`UPDATE batch SET waiting_until=COALESCE(waiting_until,?) WHERE id=?`, ms(t.now.Add(step.Wait)), id)
		if err != nil {
			return err
		}
		var until int64
		err = t.row(`SELECT waiting_until FROM batch WHERE id=?`, []any{id}, &until)
		step.Wait = min(step.Wait, max(0, time.UnixMilli(until).Sub(t.now)))
		return err
	}
	if step.Result == reel.MaxPassesReached {
		n, err := t.exec(`UPDATE job SET state='out_of_passes', reason='max_passes' WHERE batch_id=? AND due_pass=?
			AND state IN ('pending','failed') AND state='failed'`, id, round.Pass+1)
		if err != nil {
			return err
		}
		if n > 0 {
			t.moved(id, reel.Failed, reel.OutOfPasses, int(n))
			totals.Add(reel.Failed, -int(n))
			totals.Add(reel.OutOfPasses, int(n))
			*events = append(*events, reel.Event{Kind: reel.EventOutOfPasses, Batch: batch, Pass: round.Pass, Count: int(n)})
			if err := t.journal(id, 0, &(*events)[len(*events)-1]); err != nil {
				return err
			}
		}
	}
	if _, err := t.exec(`UPDATE batch SET result=?, waiting_until=NULL, leader=NULL WHERE id=?`, string(step.Result), id); err != nil {
		return err
	}
	*events = append(*events, reel.Event{Kind: reel.EventFinished, Batch: batch, Pass: round.Pass, Result: step.Result, Totals: &totals, Text: step.Why})
	return t.journal(id, 0, &(*events)[len(*events)-1])
}

// StepDown ends a run that was cut short: nobody leads the batch, and the next run continues it.
func (s *Store) StepDown(ctx context.Context, batch string, term int64, why string) (events []reel.Event, err error) {
	err = s.do(func(t *tx) error {
		events = nil
		id, err := t.leading(batch, term)
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE batch SET leader=NULL WHERE id=?`, id); err != nil {
			return err
		}
		totals, err := t.totalsOf(id)
		if err != nil {
			return err
		}
		round, err := t.round(id, batch)
		if err != nil {
			return err
		}
		events = []reel.Event{{Kind: reel.EventInterrupted, Batch: batch, Pass: round.Pass, Result: reel.Interrupted, Totals: &totals, Text: why}}
		return t.journal(id, 0, &events[0])
	})
	return events, err
}
