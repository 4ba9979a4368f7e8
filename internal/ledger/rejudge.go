package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"reelpass/internal/reel"
)

// ask reads rows, within a change or outside of one.
type ask func(query string, args []any, scan func(scanner) error) error

// docket is a batch whose attempts are judged anew.
type docket struct {
	id     int64
	name   string
	limits reel.Limits
	last   int // pass
}

func (a ask) docket(batch string) (docket, error) {
	d := docket{name: batch}
	err := a(`SELECT id,limits,last_pass FROM batch WHERE name=?`, []any{batch}, func(row scanner) error {
		var limits string
		err := row.Scan(&d.id, &limits, &d.last)
		d.limits = unmarshal[reel.Limits](limits)
		return err
	})
	if err == nil && d.id == 0 {
		err = fmt.Errorf("batch %q: %w", batch, reel.ErrNotFound)
	}
	return d, err
}

// mended says that a waiting job's account is known to be better than its last attempt says: it has posted since, or a person released it.
const mended = `j.state='failed' AND (EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_by<>''
	AND h.released_at>(SELECT max(l.ended_at) FROM attempt l WHERE l.job=j.id))
	OR EXISTS(SELECT 1 FROM publish p JOIN attempt o ON o.job=p.job WHERE p.account_id=j.account_id AND o.outcome='succeeded'
	AND o.ended_at>(SELECT max(l.ended_at) FROM attempt l WHERE l.job=j.id)))`

// histories reads the jobs of a batch between two places that have failed and that nobody has in his hands.
func (a ask) histories(d docket, from, to int64) ([]reel.History, error) {
	var list []reel.History
	place := map[int64]int{}
	span := []any{d.id, from, to}
	if err := a(`SELECT j.id,`+mended+`,`+recordFields+` WHERE j.batch_id=? AND j.id>=? AND j.id<? AND j.owner IS NULL AND j.state<>'in_doubt'
		AND j.f_account+j.f_content+j.f_infra+j.f_unknown>0 ORDER BY j.id`, span, func(row scanner) (err error) {
		h := reel.History{Free: map[int]bool{}, Limits: d.limits, LastPass: d.last}
		h.Record, err = scanRecord(prefixed{row, []any{&h.Key, &h.Mended}})
		place[h.Key], list = len(list), append(list, h)
		return err
	}); err != nil || len(list) == 0 {
		return nil, err
	}
	if err := a(`SELECT job,`+attemptFields+` WHERE job>=? AND job<? ORDER BY job,number`, span[1:], func(row scanner) error {
		var job int64
		at, err := scanAttempt(prefixed{row, []any{&job}})
		if i, ok := place[job]; ok {
			list[i].Attempts = append(list[i].Attempts, at)
		}
		return err
	}); err != nil {
		return nil, err
	}
	err := a(`SELECT e.job,e.data FROM job j JOIN event e ON e.job=j.id WHERE j.batch_id=? AND j.id>=? AND j.id<? AND j.forgiven<>''
		AND e.kind='failed'`, span, func(row scanner) error {
		var job int64
		var data string
		err := row.Scan(&job, &data)
		e := unmarshal[eventFacts](data)
		if i, ok := place[job]; ok && e.Decision != nil && e.Decision.Free {
			list[i].Free[e.Attempt] = true
		}
		return err
	})
	return list, err
}

// Histories goes through the jobs of a batch that can be judged anew, some at a time, each time as they stand at that moment. Jobs
// in somebody's hands or in doubt are left out. The ledger may be written meanwhile.
func (s *Store) Histories(ctx context.Context, batch string) iter.Seq2[[]reel.History, error] {
	look := func(f func(ask) error) error {
		return s.moment(ctx, func(r reader) error {
			return f(func(query string, args []any, scan func(scanner) error) error {
				return rowsOf(ctx, r, query, args, func(rows *sql.Rows) error { return scan(rows) })
			})
		})
	}
	return func(yield func([]reel.History, error) bool) {
		var d docket
		var first, over int64
		if err := look(func(a ask) (err error) {
			if d, err = a.docket(batch); err != nil {
				return err
			}
			return a(`SELECT COALESCE(min(id),0),COALESCE(max(id),-1)+1 FROM job WHERE batch_id=?`, []any{d.id}, func(row scanner) error {
				return row.Scan(&first, &over)
			})
		}); err != nil {
			yield(nil, err)
			return
		}
		for from := first; from < over; from += chunk {
			var list []reel.History
			err := look(func(a ask) (err error) { list, err = a.histories(d, from, from+chunk); return err })
			if (len(list) > 0 || err != nil) && !yield(list, err) || err != nil {
				return
			}
		}
	}
}

// Rejudge judges jobs of a batch anew, by their numbers in rising order, all in one transaction: decide is asked of each as it stands
// there, and what it says is kept. Whoever is in somebody's hands by now is left out. It is refused with reel.ErrRefused while a run
// leads the batch. What was done before is not done again, so a pass over a batch that was cut short is simply begun anew.
func (s *Store) Rejudge(ctx context.Context, batch string, keys []int64, by string, decide func(reel.History) reel.Rejudgement) (done []reel.Rejudgement, err error) {
	err = s.do(func(t *tx) error {
		done = nil
		d, err := ask(t.each).docket(batch)
		if err == nil {
			err = t.notLed(d)
		}
		if err != nil {
			return err
		}
		for left := keys; len(left) > 0; {
			rest, more, err := t.rejudgeSome(d, left, by, decide)
			if err != nil {
				return err
			}
			left, done = rest, append(done, more...)
		}
		return nil
	})
	return done, err
}

// notLed refuses while a run leads a batch.
func (t *tx) notLed(d docket) error {
	var who string
	err := t.row(`SELECT s.name FROM batch b JOIN supervisor s ON s.id=b.leader WHERE b.id=? AND b.leader_until>?`, []any{d.id, ms(t.now)}, &who)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("batch %q is led by %s: %w", d.name, who, reel.ErrRefused)
	}
	return err
}

// rejudgeSome judges jobs up to the first whose account is held by it: that changes jobs behind it, so they are read again.
func (t *tx) rejudgeSome(d docket, keys []int64, by string, decide func(reel.History) reel.Rejudgement) (rest []int64, done []reel.Rejudgement, err error) {
	list, err := ask(t.each).histories(d, keys[0], keys[len(keys)-1]+1)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range list {
		i, wanted := slices.BinarySearch(keys, h.Key)
		if !wanted {
			continue
		}
		r := decide(h)
		if len(r.Renewed) == 0 {
			continue
		}
		if err := t.renew(d, h, r, by); err != nil {
			return nil, nil, err
		}
		done = append(done, r)
		if r.Decision != nil && r.Decision.Hold {
			return keys[i+1:], done, nil
		}
	}
	return nil, done, nil
}

// renew keeps a rejudgement.
func (t *tx) renew(d docket, h reel.History, r reel.Rejudgement, by string) error {
	state, reason, forgiven := h.State, h.Reason, ""
	if r.Decision != nil {
		state, reason = r.Decision.State, r.Decision.Reason
	}
	if r.Forgiven != (reel.Tally{}) {
		forgiven = marshal(r.Forgiven)
	}
	if state != h.State && !reel.CanBecome(h.State, state) {
		return fmt.Errorf("rejudge job %q: from %s to %s: %w", h.ID, h.State, state, reel.ErrRefused)
	}
	if _, err := t.foresee(1, h.Account, `UPDATE job SET state=?, reason=?, f_account=?, f_content=?, f_infra=?, f_unknown=?, forgiven=?,
		category=?, type=?, rule=? WHERE id=?`, string(state), string(reason), r.Tally.Account, r.Tally.Content, r.Tally.Infrastructure, r.Tally.Unknown,
		forgiven, string(r.Verdict.Category), r.Verdict.Type, r.Verdict.Rule, h.Key); err != nil {
		return err
	}
	t.moved(d.id, h.State, state, 1)
	for i, a := range r.Renewed {
		var decision *reel.Decision
		if i == len(r.Renewed)-1 {
			decision = r.Decision
		}
		if err := t.renewAttempt(d, h, a, decision, by); err != nil {
			return err
		}
	}
	if r.Decision == nil || !r.Decision.Hold {
		return nil
	}
	at, err := t.homeOf(h.Key)
	if err == nil {
		c := reel.Claim{Lease: reel.Lease{Key: h.Key}, Job: h.Job, Batch: d.name, Limits: h.Limits}
		_, err = t.hold(at, c, r.Renewed[len(r.Renewed)-1].Attempt, 0, by)
	}
	return err
}

// renewAttempt keeps an attempt's new verdict, tells of it, and books it anew in its pass: in another category, and where the job moves as that
// which it comes to.
func (t *tx) renewAttempt(d docket, h reel.History, a reel.Renewal, decision *reel.Decision, by string) error {
	if _, err := t.foresee(1, h.Account, `UPDATE attempt SET category=?, type=?, rule=? WHERE job=? AND number=?`,
		string(a.Verdict.Category), a.Verdict.Type, a.Verdict.Rule, h.Key, a.Number); err != nil {
		return err
	}
	if a.Pass > 0 {
		was, is := a.Attempt, reel.Decision{State: reel.Failed} // of a job that has ended the same is taken out and put in
		was.Verdict = a.Was
		count(t.stats(d.id, a.Pass), was, is, -1)
		if decision != nil {
			is = *decision
		}
		count(t.stats(d.id, a.Pass), a.Attempt, is, 1)
	}
	return t.journal(d.id, h.Key, &reel.Event{
		Kind: reel.EventRejudged, Batch: d.name, Pass: a.Pass, Job: h.ID, Account: h.Account, Attempt: a.Number, By: by,
		Evidence: &a.Evidence, Verdict: &a.Verdict, Was: &a.Was, Decision: decision,
	})
}
