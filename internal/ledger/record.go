package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"reelpass/internal/reel"
)

// insertAttempt keeps an attempt of an account's job for ever.
func (t *tx) insertAttempt(account string, job int64, a reel.Attempt) error {
	evidence := ""
	if a.Outcome != reel.OutcomeSucceeded {
		evidence = marshal(a.Evidence)
	}
	return t.add(account, `INSERT INTO attempt(job,number,pass,worker,host,started_at,ended_at,outcome,share_begun,evidence,category,type,
		rule,receipt_id,receipt_url) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		job, a.Number, a.Pass, a.Worker, a.Host, ms(a.StartedAt), ms(a.EndedAt), string(a.Outcome), a.ShareBegun, evidence,
		string(a.Verdict.Category), a.Verdict.Type, a.Verdict.Rule, a.Receipt.ID, a.Receipt.URL)
}

const attemptColumns = `SELECT ` + attemptFields

const attemptFields = `number,pass,worker,host,started_at,ended_at,outcome,share_begun,evidence,category,type,rule,
	receipt_id,receipt_url FROM attempt`

func scanAttempt(row scanner) (a reel.Attempt, err error) {
	var started, ended sql.NullInt64
	var evidence string
	err = row.Scan(&a.Number, &a.Pass, &a.Worker, &a.Host, &started, &ended, &a.Outcome, &a.ShareBegun, &evidence,
		&a.Verdict.Category, &a.Verdict.Type, &a.Verdict.Rule, &a.Receipt.ID, &a.Receipt.URL)
	a.StartedAt, a.EndedAt = fromMS(started), fromMS(ended)
	a.Evidence = unmarshal[reel.Evidence](evidence)
	return a, err
}

func (t *tx) attempt(job int64, number int) (reel.Attempt, error) {
	a := reel.Attempt{Number: number} // of an in-doubt job of an earlier orchestrator there is no more
	err := t.each(attemptColumns+` WHERE job=? AND number=?`, []any{job, number}, func(row scanner) (err error) {
		a, err = scanAttempt(row)
		return err
	})
	return a, err
}

// Record ends an attempt: its evidence, its verdict and what becomes of the job, in one transaction. reel.ErrLost when the
// lease is no longer held; then nothing has changed. A post is taken only after its intent. No events and no error: another host
// has settled the job as a doubt, which can be looked up now that its worker has ended.
func (s *Store) Record(ctx context.Context, c reel.Claim, e reel.Ending) (events []reel.Event, err error) {
	err = s.hot(func(t *tx) (err error) {
		events, err = t.record(c, e)
		return err
	})
	return events, err
}

func (t *tx) record(c reel.Claim, e reel.Ending) (events []reel.Event, err error) {
	d, a := e.Decision, e.Attempt
	if d.State == reel.Succeeded {
		a.Verdict = reel.Verdict{}
	}
	at, err := t.endAttempt(c, e)
	if errors.Is(err, reel.ErrLost) && e.From == "" && !c.Lookup { // the late word of its own supervisor: its worker acts no more
		return nil, t.bury(c, err)
	}
	if err != nil {
		return nil, err
	}
	if err := t.insertAttempt(c.Job.Account, c.Key, a); err != nil {
		return nil, err
	}
	if err := t.closePublish(c, at, d.State); err != nil {
		return nil, err
	}
	if d.State == reel.InDoubt {
		t.unlearn() // there may be a look to do
	}
	t.moved(at.batch, at.state, d.State, 1)
	t.totals[totalKey{at.batch, "attempts"}]++
	count(t.stats(at.batch, c.Pass), a, d, 1)
	ev := reel.Event{Batch: c.Batch, Pass: c.Pass, Job: c.Job.ID, Account: c.Job.Account, Attempt: a.Number, Worker: c.Worker, Fence: c.Fence}
	switch a.Outcome {
	case reel.OutcomeSucceeded:
		ev.Kind, ev.Receipt = reel.EventSucceeded, &a.Receipt
	case reel.OutcomeInDoubt:
		ev.Kind, ev.Evidence, ev.Verdict, ev.Decision = reel.EventInDoubt, &a.Evidence, &a.Verdict, &d
	case reel.OutcomeFailed:
		ev.Kind, ev.Evidence, ev.Verdict, ev.Decision = reel.EventFailed, &a.Evidence, &a.Verdict, &d
	}
	if err := t.journal(at.batch, c.Key, &ev); err != nil {
		return nil, err
	}
	events = append(events, ev)
	if d.Hold {
		more, err := t.hold(at, c, a, d.Wait.Std(), "")
		if events = append(events, more...); err != nil {
			return nil, err
		}
	}
	more, err := t.feed(c, at, e)
	return append(events, more...), err
}

// endAttempt takes the job out of the worker's hands, and says where it was until now. What is remembered of it is tried
// first: it is right unless a transaction failed or somebody else settled the job.
func (t *tx) endAttempt(c reel.Claim, e reel.Ending) (at home, err error) {
	at, remembered := t.homes[c.Key]
	delete(t.homes, c.Key)
	for _, l := range t.ahead { // the account becomes free
		l.stale = true
	}
	if remembered && (e.From == "" || e.From == at.state) && reel.CanBecome(at.state, e.Decision.State) {
		if n, err := t.leave(c, e, at.state); n == 1 || err != nil {
			return at, err
		}
	}
	if err := t.row(`SELECT batch_id,account_id,state FROM job WHERE id=? AND fence=? AND owner IS NOT NULL`,
		[]any{c.Key, c.Fence}, &at.batch, &at.account, &at.state); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return at, err
	} else if err != nil || !at.state.InFlight() || e.From != "" && e.From != at.state {
		return at, fmt.Errorf("record job %q: %w", c.Job.ID, reel.ErrLost)
	}
	if !reel.CanBecome(at.state, e.Decision.State) {
		return at, fmt.Errorf("record job %q: from %s to %s: %w", c.Job.ID, at.state, e.Decision.State, reel.ErrRefused)
	}
	_, err = t.leave(c, e, at.state)
	return at, err
}

// Bury says that nothing acts any more for a doubt that another host has settled (reel.Held.Away): it can be looked up from now on.
// reel.ErrLost where that is known already, or while somebody looks, who may have looked too early.
func (s *Store) Bury(ctx context.Context, c reel.Claim) error {
	return s.do(func(t *tx) error { return t.bury(c, fmt.Errorf("bury job %q: %w", c.Job.ID, reel.ErrLost)) })
}

func (t *tx) bury(c reel.Claim, lost error) error {
	n, err := t.exec(`UPDATE job SET away=NULL, `+lookDue+`
		WHERE id=? AND attempts=? AND state='in_doubt' AND away IS NOT NULL AND owner IS NULL`, c.Key, c.Attempt)
	if n > 0 {
		clear(t.batches) // there is a look to do
	} else if err == nil {
		err = lost
	}
	return err
}

// lookDue has a job looked up, unless its account is held for good. Where a hold has a time the look waits for it.
const lookDue = `look_due=CASE WHEN EXISTS (SELECT 1 FROM hold h WHERE h.account_id=job.account_id AND h.released_at IS NULL AND h.until IS NULL)
	THEN 0 ELSE 1 END`

// leave ends the lease of a job that is in the given state: 1 if it was.
func (t *tx) leave(c reel.Claim, e reel.Ending, from reel.State) (int64, error) {
	d, a := e.Decision, e.Attempt
	text := a.Evidence.Text
	if d.State == reel.Succeeded {
		text, a.Verdict = "", reel.Verdict{}
	}
	now := reel.Tally{Attempts: 1}
	if a.Outcome == reel.OutcomeFailed {
		now = reel.Tally{}.Failed(a.Verdict.Category)
	}
	if d.Free {
		if n, err := t.forgive(c, from, now); n != 1 || err != nil {
			return n, err
		}
	}
	look := ""
	if e.Away && d.State == reel.InDoubt {
		look = `away=owner,`
	} else if e.Look && d.State == reel.InDoubt { // not named otherwise: its index need not be looked at
		look = lookDue + `,`
	}
	return t.foresee(1, c.Job.Account, `UPDATE job SET state=?, reason=?, due_pass=?, owner=NULL, lease_until=NULL, worker_pid=0, `+look+`
		attempts=attempts+1, f_account=f_account+?, f_content=f_content+?, f_infra=f_infra+?, f_unknown=f_unknown+?,
		error=?, category=?, type=?, rule=?, receipt_id=?, receipt_url=?, completed_at=?
		WHERE id=? AND fence=? AND state=?`,
		string(d.State), string(d.Reason), c.Pass+1, now.Account, now.Content, now.Infrastructure, now.Unknown,
		text, string(a.Verdict.Category), a.Verdict.Type, a.Verdict.Rule, a.Receipt.ID, a.Receipt.URL, ms(t.now),
		c.Key, c.Fence, string(from))
}

// forgive takes an attempt that is free off the limits of its job: 1 if the job is in the given state.
func (t *tx) forgive(c reel.Claim, from reel.State, now reel.Tally) (int64, error) {
	var text string
	err := t.row(`SELECT forgiven FROM job WHERE id=? AND fence=? AND owner IS NOT NULL AND state=?`, []any{c.Key, c.Fence, string(from)}, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return t.exec(`UPDATE job SET forgiven=? WHERE id=?`, marshal(unmarshal[reel.Tally](text).Plus(now)), c.Key)
}

// closePublish says in the publish ledger what came of the intent. A doubt keeps the row; a worker that shared without
// asking gets its row now.
func (t *tx) closePublish(c reel.Claim, at home, to reel.State) error {
	switch {
	case to == reel.InDoubt && at.state == reel.Running:
		return t.guard(at.account, c.Job.VideoPath, c.Lease)
	case to == reel.InDoubt || at.state == reel.Running:
		return nil
	}
	return t.publishEnds(c, at, to)
}

// guard enters a video of which only the path is known, where no other row guards it.
func (t *tx) guard(account int64, path string, l reel.Lease) error {
	_, err := t.exec(`INSERT INTO publish(account_id,content,job,fence,at) VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`,
		account, reel.FingerprintOfPath(path).Key, l.Key, l.Fence, ms(t.now))
	return err
}

// publishEnds takes a job's row out of the publish ledger, unless the job has succeeded: then it stays for ever. Where the
// content is not remembered, the rows of the account are gone through. A repost that is left takes the place of the first post.
func (t *tx) publishEnds(c reel.Claim, at home, state reel.State) error {
	if state == reel.Succeeded {
		return nil
	}
	content := at.content
	if content != "" {
		n, err := t.foresee(1, c.Job.Account, `DELETE FROM publish WHERE account_id=? AND content=? AND job=? AND repost=0`, at.account, content, c.Key)
		if err != nil {
			return err
		}
		if n == 0 {
			content = ""
		}
	}
	if content == "" {
		var repost int64
		err := t.row(`DELETE FROM publish WHERE account_id=? AND job=? RETURNING content, repost`, []any{at.account, c.Key}, &content, &repost)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // another row guards its video
		}
		t.wrote = true
		if err != nil || repost != 0 {
			return err
		}
	}
	_, err := t.foresee(0, c.Job.Account, `UPDATE publish SET repost=0 WHERE account_id=?1 AND content=?2
		AND repost=(SELECT min(repost) FROM publish WHERE account_id=?1 AND content=?2)`, at.account, content)
	return err
}

// count books an attempt in its pass, or takes it out again with n = -1.
func count(p *reel.PassStats, a reel.Attempt, d reel.Decision, n int) {
	p.Processed += n
	switch a.Outcome {
	case reel.OutcomeSucceeded:
		p.Succeeded += n
		return
	case reel.OutcomeInDoubt:
		p.InDoubt += n
		return
	case reel.OutcomeFailed:
	}
	switch a.Verdict.Category {
	case reel.Account:
		p.Failed.Account += n
	case reel.Content:
		p.Failed.Content += n
	case reel.Infrastructure:
		p.Failed.Infrastructure += n
	case reel.Unknown:
		p.Failed.Unknown += n
	}
	switch d.State {
	case reel.SetAside:
		p.SetAside += n
	case reel.Exhausted:
		p.Exhausted += n
	default:
		p.Retryable += n
	}
}

// RecordLook ends a look at the outside world. Found and Absent settle the doubt; Unsure leaves it to the next pass or run or a
// person, and so does Absent while a worker on another host may still act, but for the next pass. decision is used with Absent only.
func (s *Store) RecordLook(ctx context.Context, c reel.Claim, look reel.Look, decision reel.Decision) (events []reel.Event, err error) {
	err = s.do(func(t *tx) error {
		events = nil
		at := home{state: reel.InDoubt}
		var away bool
		err := t.row(`SELECT batch_id,account_id,away IS NOT NULL FROM job WHERE id=? AND fence=? AND owner IS NOT NULL AND state='in_doubt'`,
			[]any{c.Key, c.Fence}, &at.batch, &at.account, &away)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look at job %q: %w", c.Job.ID, reel.ErrLost)
		}
		if err != nil {
			return err
		}
		if away && look.Finding == reel.Absent {
			look = reel.Look{Finding: reel.Unsure, Why: "it is not there, but its worker was on another host, and nobody there has said that it acts no more"}
		}
		e, err := t.settleDoubt(at, c, look, decision)
		if err != nil {
			return err
		}
		more, err := t.looked(c, at.batch, look.Finding)
		events = append([]reel.Event{e}, more...)
		return err
	})
	return events, err
}

// settleDoubt applies a look, of the machine or of a person, to an in-doubt job.
func (t *tx) settleDoubt(at home, c reel.Claim, look reel.Look, d reel.Decision) (reel.Event, error) {
	e := reel.Event{
		Kind: reel.EventLooked, Batch: c.Batch, Pass: c.Pass, Job: c.Job.ID, Account: c.Job.Account, Attempt: c.Attempt,
		Worker: c.Worker, Fence: c.Fence, Look: &look, By: look.By,
	}
	was := c.Doubt
	is := was
	switch look.Finding {
	case reel.Found:
		d = reel.Decision{State: reel.Succeeded, Why: "found: it is posted"}
		is.Outcome, is.Receipt = reel.OutcomeSucceeded, look.Receipt
		is.Verdict = reel.Verdict{}
	case reel.Absent:
		is.Outcome = reel.OutcomeFailed
	case reel.Unsure:
		_, err := t.exec(`UPDATE job SET owner=NULL, lease_until=NULL, worker_pid=0,
			look_due=CASE WHEN owner IS NOT NULL AND away IS NULL THEN 2 ELSE look_due END WHERE id=?`, c.Key) // 2: in the next pass
		if err != nil {
			return e, err
		}
		return e, t.journal(at.batch, c.Key, &e)
	default:
		return e, fmt.Errorf("look at job %q: finding %q: %w", c.Job.ID, look.Finding, reel.ErrRefused)
	}
	if !reel.CanBecome(reel.InDoubt, d.State) || (look.Finding == reel.Absent && d.State == reel.Succeeded) {
		return e, fmt.Errorf("look at job %q: %s makes it %q: %w", c.Job.ID, look.Finding, d.State, reel.ErrRefused)
	}
	e.Decision = &d
	now := reel.Tally{}
	if is.Outcome == reel.OutcomeFailed {
		now = now.Failed(was.Verdict.Category)
	}
	text := was.Evidence.Text
	if d.State == reel.Succeeded {
		text = ""
	}
	if _, err := t.exec(`UPDATE job SET state=?, reason=?, due_pass=(SELECT pass+1 FROM batch WHERE id=batch_id), owner=NULL, lease_until=NULL,
		worker_pid=0, look_due=0, away=NULL, f_account=f_account+?, f_content=f_content+?, f_infra=f_infra+?, f_unknown=f_unknown+?,
		error=?, category=?, type=?, rule=?, receipt_id=?, receipt_url=?, completed_at=? WHERE id=?`,
		string(d.State), string(d.Reason), now.Account, now.Content, now.Infrastructure, now.Unknown,
		text, string(is.Verdict.Category), is.Verdict.Type, is.Verdict.Rule, is.Receipt.ID, is.Receipt.URL, ms(t.now), c.Key); err != nil {
		return e, err
	}
	if _, err := t.exec(`UPDATE attempt SET outcome=?, category=?, type=?, rule=?, receipt_id=?, receipt_url=? WHERE job=? AND number=?`,
		string(is.Outcome), string(is.Verdict.Category), is.Verdict.Type, is.Verdict.Rule, is.Receipt.ID, is.Receipt.URL, c.Key, was.Number); err != nil {
		return e, err
	}
	if err := t.publishEnds(c, at, d.State); err != nil {
		return e, err
	}
	t.moved(at.batch, reel.InDoubt, d.State, 1)
	if was.Pass > 0 {
		count(t.stats(at.batch, was.Pass), was, d, -1)
		count(t.stats(at.batch, was.Pass), is, d, 1)
	}
	return e, t.journal(at.batch, c.Key, &e)
}

// Release gives back a claim whose look was not carried out, so that it is looked up later.
func (s *Store) Release(ctx context.Context, c reel.Claim) error {
	return s.do(func(t *tx) error {
		_, err := t.exec(`UPDATE job SET owner=NULL, lease_until=NULL, worker_pid=0,
			`+lookDue+`
			WHERE id=? AND fence=? AND owner IS NOT NULL AND state='in_doubt'`, c.Key, c.Fence)
		return err
	})
}
