package ledger

import (
	"cmp"
	"database/sql"
	"errors"
	"time"

	"reelpass/internal/reel"
)

// gate says whether the breaker lets a claim through, and whether the claim is the canary. Waiting is why it does not.
func (t *tx) gate(b *batchRow) (canary bool, waiting *reel.Waiting, err error) {
	o := b.breaker.Outage
	if o == nil {
		return false, nil, nil
	}
	if wait := o.Until.Sub(t.now); wait > 0 || o.Over {
		return false, &reel.Waiting{For: max(wait, 0), Outage: o}, nil
	}
	if b.breaker.Canary != (reel.Canary{}) {
		probing := false
		if err := t.row(`SELECT EXISTS(SELECT 1 FROM job WHERE id=? AND fence=? AND owner IS NOT NULL)`,
			[]any{b.breaker.Canary.Key, b.breaker.Canary.Fence}, &probing); err != nil || probing {
			return false, &reel.Waiting{Outage: o}, err
		}
	}
	return true, nil, nil
}

// probes makes a claim the canary.
func (t *tx) probes(b *batchRow, c *reel.Claim) (reel.Event, error) {
	c.Canary = true
	next := b.breaker
	next.Canary = reel.Canary{Key: c.Key, Fence: c.Fence}
	e := told(reel.EventProbe, *c)
	e.Outage = next.Outage
	if err := t.setBreaker(b.id, next); err != nil {
		return e, err
	}
	return e, t.journal(b.id, c.Key, &e)
}

func (t *tx) breaker(batch int64) (reel.Breaker, error) {
	var text string
	err := t.row(`SELECT breaker FROM batch WHERE id=?`, []any{batch}, &text)
	return unmarshal[reel.Breaker](text), err
}

func (t *tx) setBreaker(batch int64, b reel.Breaker) error {
	text := ""
	if b.Outage != nil || len(b.Recent) > 0 {
		text = marshal(b)
	}
	clear(t.batches) // the claims of this group must see it
	_, err := t.exec(`UPDATE batch SET breaker=? WHERE id=? AND breaker<>?`, text, batch, text)
	return err
}

// feed tells the breaker how an attempt ended. One that is no failure others may repeat matters only where it was the canary.
func (t *tx) feed(c reel.Claim, at home, e reel.Ending) ([]reel.Event, error) {
	wait := e.Decision.Wait.Std()
	if e.Decision.Hold {
		wait = 0 // its account's
	}
	if e.Breaker == nil || e.Signature == "" && !c.Canary {
		return nil, nil
	}
	was, err := t.breaker(at.batch)
	if err != nil {
		return nil, err
	}
	s := reel.Sample{
		Signature: e.Signature, Account: c.Job.Account, At: t.now.UTC(), Wait: wait,
		Canary: was.Canary == reel.Canary{Key: c.Key, Fence: c.Fence},
	}
	if e.Signature == "" && !s.Canary {
		return nil, nil
	}
	err = t.row(`SELECT n FROM total WHERE batch_id=? AND name='attempts'`, []any{at.batch}, &s.Attempt)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	s.Attempt += t.totals[totalKey{at.batch, "attempts"}]
	next := e.Breaker(was, s)
	if err := t.setBreaker(at.batch, next); err != nil {
		return nil, err
	}
	return t.breakerChanged(c, at.batch, was, next)
}

// breakerChanged tells of a breaker that opened, stayed open for longer, or closed.
func (t *tx) breakerChanged(c reel.Claim, batch int64, was, is reel.Breaker) ([]reel.Event, error) {
	e := told("", c)
	switch {
	case is.Outage == nil && was.Outage == nil, is.Outage != nil && was.Outage != nil && *is.Outage == *was.Outage:
		return nil, nil
	case is.Outage == nil:
		e.Kind, e.Outage = reel.EventBreakerShut, was.Outage
	default:
		e.Kind, e.Outage = reel.EventBreakerOpen, is.Outage
		e.Remaining = reel.Seconds(is.Outage.Until.Sub(t.now))
	}
	err := t.journal(batch, c.Key, &e)
	return []reel.Event{e}, err
}

// looked closes the breaker when a look that was its canary had an answer: the publisher can be asked again.
func (t *tx) looked(c reel.Claim, batch int64, f reel.Finding) ([]reel.Event, error) {
	if !c.Canary || f == reel.Unsure {
		return nil, nil
	}
	was, err := t.breaker(batch)
	if err != nil {
		return nil, err
	}
	if was.Canary != (reel.Canary{Key: c.Key, Fence: c.Fence}) {
		return nil, nil
	}
	if err := t.setBreaker(batch, reel.Breaker{}); err != nil {
		return nil, err
	}
	return t.breakerChanged(c, batch, was, reel.Breaker{})
}

// lift lets a canary probe at once.
func (t *tx) lift(batch int64) error {
	b, err := t.breaker(batch)
	if err != nil || b.Outage == nil {
		return err
	}
	o := *b.Outage
	o.Until, o.Opened, o.Over = t.now.UTC(), t.now.UTC(), false
	b.Outage = &o
	return t.setBreaker(batch, b)
}

// renewBreaker is the breaker at the start of a run.
func (t *tx) renewBreaker(batch int64, l reel.Limits) error {
	b, err := t.breaker(batch)
	if err != nil {
		return err
	}
	return t.setBreaker(batch, b.Renewed(t.now.UTC(), l))
}

// waitsFor says for which accounts the due jobs of a pass wait; nil where none does.
func (t *tx) waitsFor(batch int64, pass int) (*reel.Waiting, error) {
	w := &reel.Waiting{}
	err := t.each(`SELECT a.name, h.until, h.type, h.text FROM hold h JOIN account a ON a.id=h.account_id
		WHERE h.released_at IS NULL AND h.until>? AND EXISTS (SELECT 1 FROM job j WHERE j.batch_id=? AND j.due_pass=? AND j.account_id=h.account_id
		AND j.state IN ('pending','failed')) ORDER BY h.until, h.id`, []any{ms(t.now), batch, pass}, func(row scanner) error {
		var name, kind, text string
		var until int64
		if err := row.Scan(&name, &until, &kind, &text); err != nil {
			return err
		}
		if w.Accounts++; w.Accounts > 1 {
			return nil
		}
		w.Account, w.For, w.Why = name, time.UnixMilli(until).Sub(t.now), kind
		if kind == "" {
			w.Why = text
		}
		return nil
	})
	if err != nil || w.Accounts == 0 {
		return nil, err
	}
	return w, nil
}

// limitsAndOutage is by what a batch is led, and what keeps its jobs from being claimed.
func (t *tx) limitsAndOutage(batch int64) (reel.Limits, *reel.Outage, error) {
	var limits, breaker string
	err := t.row(`SELECT limits,breaker FROM batch WHERE id=?`, []any{batch}, &limits, &breaker)
	return unmarshal[reel.Limits](limits), unmarshal[reel.Breaker](breaker).Outage, err
}

// notYet says why a pass with jobs to do is not closed: they are on their way, or kept back for longer than a run waits.
func (t *tx) notYet(batch int64, o *reel.Outage) error {
	if o == nil || !o.Over {
		return reel.ErrNotYet
	}
	var flying bool
	if err := t.row(`SELECT EXISTS(SELECT 1 FROM job WHERE +batch_id=? AND owner IS NOT NULL)`, []any{batch}, &flying); err != nil || flying {
		return cmp.Or[error](err, reel.ErrNotYet)
	}
	return &reel.OutageError{Outage: *o}
}
