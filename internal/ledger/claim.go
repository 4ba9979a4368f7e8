package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"reelpass/internal/reel"
)

// jobColumns are what a claim hands to a worker, with their scanner below.
const jobColumns = `j.id, j.job_id, j.account_id, a.name, j.video_path, j.caption, j.publish_at, j.max_attempts, j.state,
	j.fence, j.pass, j.attempts, j.f_account, j.f_content, j.f_infra, j.f_unknown, j.forgiven`

type jobRow struct {
	key, account int64
	job          reel.Job
	state        reel.State
	fence        int64
	pass         int
	tally        reel.Tally
	forgiven     string
}

func (r *jobRow) dest(more ...any) []any {
	return append(append(make([]any, 0, 32), // room for more
		&r.key, &r.job.ID, &r.account, &r.job.Account, &r.job.VideoPath, &r.job.Caption, (*nullTime)(&r.job.PublishAt), &r.job.MaxAttempts, &r.state,
		&r.fence, &r.pass, &r.tally.Attempts, &r.tally.Account, &r.tally.Content, &r.tally.Infrastructure, &r.tally.Unknown, &r.forgiven,
	), more...)
}

func (r *jobRow) counting() reel.Tally { return r.tally.Minus(unmarshal[reel.Tally](r.forgiven)) }

// nullTime scans milliseconds that may be NULL.
type nullTime time.Time

// Scan implements sql.Scanner.
func (n *nullTime) Scan(v any) error {
	var i sql.NullInt64
	if err := i.Scan(v); err != nil {
		return err
	}
	*n = nullTime(fromMS(i))
	return nil
}

// Claim takes a job for a worker: first an in-doubt one that waits for a look, else the next job of the open pass whose
// account is free. Accounts take turns, in the order in which they first appeared; an account's jobs go in file order.
// Jobs of a held account are set aside on the way, or wait where its hold ends by itself. While the breaker is open nothing is
// claimed but its canary. reel.ErrNothingDue when there is nothing for now, as a *reel.Waiting where it is known for how long;
// reel.ErrPaused when the batch is paused; what the claimant has done before is recorded all the same. Any other error, and
// nothing is.
func (s *Store) Claim(ctx context.Context, c reel.Claimant) (claim reel.Claim, events []reel.Event, err error) {
	var nothing error
	err = s.trouble(s.writer.wait(&change{claims: c.Batch, do: func(t *tx) (err error) {
		claim, events, nothing = reel.Claim{}, nil, nil
		if c.Done != nil {
			if events, err = t.record(c.Done.Claim, c.Done.Ending); err != nil {
				return err
			}
		}
		b, err := t.batch(c.Batch)
		if err != nil {
			return err
		}
		sup, err := t.supervisor(c.Supervisor)
		if err != nil {
			return err
		}
		owner := sup.id
		if b.generation != 0 && b.generation != sup.generation {
			return t.skew(c.Batch, c.Supervisor, b.generation)
		}
		if b.paused {
			nothing = reel.ErrPaused
			return nil
		}
		canary, waiting, err := t.gate(b)
		if err != nil {
			return err
		}
		if waiting != nil {
			nothing = waiting
			return nil
		}
		if b.looks && !canary { // the outage may be why a look cannot tell: it is the canary only where nothing else is due
			claim, err = t.claimLook(b.id, owner, c)
		}
		if err == nil && claim.Key == 0 && b.open {
			var more []reel.Event
			claim, more, err = t.claimJob(b, owner, c)
			events = append(events, more...)
		}
		if err == nil && claim.Key == 0 && b.looks && canary {
			claim, err = t.claimLook(b.id, owner, c)
		}
		if err == nil && claim.Key != 0 && canary {
			var e reel.Event
			e, err = t.probes(b, &claim)
			events = append(events, e)
		}
		if claim.LastPass, claim.Limits = b.last, b.limits; err != nil || claim.Key != 0 {
			return err
		}
		nothing = reel.ErrNothingDue
		if b.open {
			if waiting, err = t.waitsFor(b.id, b.pass); waiting != nil {
				nothing = waiting
			}
		}
		return err
	}}))
	if err == nil && nothing != nil {
		return reel.Claim{}, events, nothing
	}
	return claim, events, err
}

// claimLook takes an in-doubt job for a look at the outside world.
func (t *tx) claimLook(batch, owner int64, c reel.Claimant) (reel.Claim, error) {
	var r jobRow
	err := t.row(`SELECT `+jobColumns+` FROM job j JOIN account a ON a.id=j.account_id
		WHERE j.batch_id=? AND j.look_due=1 AND j.owner IS NULL
		AND NOT EXISTS (SELECT 1 FROM job f WHERE f.account_id=j.account_id AND f.owner IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL AND (h.until IS NULL OR h.until>?))
		ORDER BY j.id LIMIT 1`, []any{batch, ms(t.now)}, r.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return reel.Claim{}, nil
	}
	if err != nil {
		return reel.Claim{}, err
	}
	if _, err := t.exec(`UPDATE job SET owner=?, fence=fence+1, lease_until=?, worker_pid=?, worker_started=?, look_due=0 WHERE id=?`,
		owner, leaseEnd(t.now), c.Process.PID, c.Process.Started, r.key); err != nil {
		return reel.Claim{}, err
	}
	claim := r.claim(c, r.pass)
	claim.Lookup, claim.Attempt = true, r.tally.Attempts
	if claim.Doubt, err = t.attempt(r.key, r.tally.Attempts); err != nil {
		return claim, err
	}
	claim.Kept, err = t.kept(r.key)
	return claim, err
}

func (r *jobRow) claim(c reel.Claimant, pass int) reel.Claim {
	return reel.Claim{
		Lease: reel.Lease{Key: r.key, Fence: r.fence + 1}, Job: r.job, Batch: c.Batch, Pass: pass,
		Attempt: r.tally.Attempts + 1, Tally: r.counting(), Worker: c.Worker,
	}
}

// claimJob takes the next job of the pass.
func (t *tx) claimJob(b *batchRow, owner int64, c reel.Claimant) (reel.Claim, []reel.Event, error) {
	var events []reel.Event
	for {
		r, err := t.nextReady(b)
		if r == nil || err != nil {
			return reel.Claim{}, events, err
		}
		switch {
		case r.held:
			more, err := t.holdBack(b.id, c.Batch, r.account)
			if err != nil {
				return reel.Claim{}, events, err
			}
			events = append(events, more...)
			continue
		case r.busy:
			continue
		}
		claim, more, err := t.take(&r.jobRow, home{batch: b.id, account: r.account}, b.pass, owner, c)
		events = append(events, more...)
		if err != nil || claim.Key != 0 {
			t.served[b.id] = r.account
			return claim, events, err
		}
		t.ahead[b.id] = newLookout(r.account - 1) // set aside: the account's next job has its turn
	}
}

// lookout is what was read ahead of the jobs that a pass has ready: of each account the next one, in the order of their turns.
type lookout struct {
	ready    []readyJob
	from, to int64 // accounts after from, up to to, are still to be read
	start    int64 // where it began; 0 when it has come round
	stale    bool  // an account may have become free, or a job due, since it was read
	pass     int   // for which it was read, where that was a guess
}

type readyJob struct {
	jobRow
	busy, held bool // the account
}

func newLookout(after int64) *lookout { return &lookout{from: after, to: 1 << 62, start: after} }

// nextReady is the next job that waits in the pass, of the account whose turn it is; nil where all accounts had theirs. What was
// read ahead is right as long as only claims and endings happen, but for an account that has become free since: before it says that
// there is none it reads again.
func (t *tx) nextReady(b *batchRow) (*readyJob, error) {
	l := t.ahead[b.id]
	if l == nil {
		l = newLookout(t.served[b.id])
		t.ahead[b.id] = l
	}
	for len(l.ready) == 0 {
		if l.from >= l.to {
			switch {
			case l.start > 0:
				l.from, l.to, l.start = 0, l.start, 0 // from the beginning up to where it began
			case l.stale:
				l = newLookout(t.served[b.id])
				t.ahead[b.id] = l
			default:
				return nil, nil
			}
		}
		if err := t.readAhead(l, b); err != nil {
			return nil, err
		}
	}
	r := &l.ready[0]
	l.ready = l.ready[1:]
	return r, nil
}

// readAhead reads the next jobs of as many accounts as the transaction reaches for.
func (t *tx) readAhead(l *lookout, b *batchRow) error {
	q := t.nextOf(l, b, ms(t.now), t.far(b.limits), t.reach)
	l.ready = l.ready[:0]
	err := t.each(q.query, q.args, q.scan)
	l.read(t.reach)
	return err
}

// nextOf asks for the next jobs of reach accounts.
func (t *tx) nextOf(l *lookout, b *batchRow, now, far int64, reach int) question {
	query, args := readyQueries[b.holds].one, []any{b.id, b.pass, now, l.from, l.to, far}
	if t.afar {
		query, args = readyQueries[b.holds].many, append(args, reach)
	}
	return question{query, args, func(row scanner) error {
		var r readyJob
		if err := row.Scan(r.dest(&r.busy, &r.held)...); err != nil {
			return err
		}
		l.ready = append(l.ready, r)
		l.from = r.account
		return nil
	}}
}

// read notes that the answer for so many accounts has come.
func (l *lookout) read(reach int) {
	if len(l.ready) < reach {
		l.from = l.to
	}
}

// foresight is what the changes of a transaction will ask first: the rows of the batches whose jobs they claim and, should those be
// as they were, the next jobs of reach accounts.
func (t *tx) foresight(changes []*change, reach int) (asked []question) {
	t.unlearn()
	var names []string
	for _, c := range changes {
		if c.claims != "" && !slices.Contains(names, c.claims) {
			names = append(names, c.claims)
			asked = append(asked, question{batchQuery, []any{c.claims}, t.scanBatch(c.claims)})
		}
	}
	for _, name := range names {
		if b, ok := t.guessed[name]; ok && b.open && !b.paused && !b.holds {
			l := newLookout(t.served[b.id])
			l.stale, l.pass = true, b.pass
			t.ahead[b.id] = l
			asked = append(asked, t.nextOf(l, &b, ms(t.now.Add(time.Since(t.began))), 0, reach))
		}
	}
	return asked
}

// confirm keeps what was read ahead where its batch is as was guessed.
func (t *tx) confirm() {
	for _, b := range t.batches {
		l := t.ahead[b.id]
		if l == nil {
			continue
		}
		notYet := slices.ContainsFunc(l.ready, func(r readyJob) bool { return r.job.PublishAt.After(t.now) })
		if l.read(t.reach); notYet || b.pass != l.pass || !b.open || b.holds {
			delete(t.ahead, b.id)
		}
	}
}

// readyQueries ask for jobs that wait, by whether some account is held: while none is, nobody asks for each whether it is. Many are
// found from account to account, one seek each, over those that are busy; it is for a server, and costs a file more than one at a time.
var readyQueries = map[bool]struct{ one, many string }{false: readyQuery(false), true: readyQuery(true)}

func readyQuery(holds bool) (q struct{ one, many string }) {
	const order, busy = ` ORDER BY j.account_id, j.id LIMIT 1`, `EXISTS(SELECT 1 FROM job f WHERE f.account_id=j.account_id AND f.owner IS NOT NULL)`
	due, held := `j.batch_id=?1 AND j.due_pass=?2 AND j.state IN ('pending','failed') AND j.account_id<=?5 AND (j.publish_at IS NULL OR j.publish_at<=?3`,
		`CAST(?6 AS BIGINT)<0`
	if holds {
		held = `EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL AND (h.until IS NULL OR h.until>?6))`
		due += ` OR ` + held + `) AND NOT EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL AND h.until>?3 AND h.until<=?6`
	}
	due += `) AND j.account_id>`
	q.one = `SELECT ` + jobColumns + `, ` + busy + `, ` + held + ` FROM job j JOIN account a ON a.id=j.account_id WHERE ` + due + `?4` + order
	q.many = `WITH RECURSIVE turn(id,account,busy,n) AS (SELECT CAST(NULL AS BIGINT), CAST(?4 AS BIGINT), FALSE, 0
		UNION ALL SELECT x.id, x.account_id, x.busy, turn.n+CASE WHEN x.busy THEN 0 ELSE 1 END FROM turn
		CROSS JOIN LATERAL (SELECT j.id, j.account_id, ` + busy + ` AS busy FROM job j WHERE ` + due + `turn.account` + order + `) x WHERE turn.n<?7)
		SELECT ` + jobColumns + `, FALSE, ` + held + ` FROM turn JOIN job j ON j.id=turn.id JOIN account a ON a.id=j.account_id WHERE NOT turn.busy ORDER BY j.account_id`
	return q
}

// take gives a job to the claimant, with its intent where the claim carries it. No claim and no error: the intent was refused
// and the job set aside.
func (t *tx) take(r *jobRow, at home, pass int, owner int64, c reel.Claimant) (reel.Claim, []reel.Event, error) {
	claim := r.claim(c, pass)
	if c.Recognise != nil {
		video, known := c.Recognise(r.job)
		if known {
			at.content = video.Key
			other, err := t.publish(claim, at.account, video, c.AllowRepost)
			if err != nil {
				return reel.Claim{}, nil, err
			}
			if other != "" {
				e, err := t.duplicate(claim, at, r.state, other)
				return reel.Claim{}, []reel.Event{e}, err
			}
		}
		claim.Intended = known
	}
	if claim.Attempt > 1 { // before the first nothing is
		var err error
		if claim.Kept, err = t.kept(r.key); err != nil {
			return reel.Claim{}, nil, err
		}
	}
	to := reel.Running
	if claim.Intended {
		to = reel.Publishing
	}
	n, err := t.foresee(1, r.job.Account, `UPDATE job SET state=?, fence=fence+1, owner=?, lease_until=?, worker=?, worker_pid=?,
		worker_started=?, pass=?, claimed_at=?, completed_at=NULL WHERE id=? AND fence=? AND state=? AND owner IS NULL`,
		string(to), owner, leaseEnd(t.now), c.Worker, c.Process.PID, c.Process.Started, pass, ms(t.now), r.key, r.fence, string(r.state))
	if err == nil && n == 0 { // read ahead, and changed since
		err = t.fail(errUnforeseen)
	}
	if err != nil {
		return reel.Claim{}, nil, err
	}
	at.state = to
	t.homes[r.key] = at
	t.moved(at.batch, r.state, to, 1)
	events := []reel.Event{told(reel.EventClaimed, claim)}
	if claim.Intended {
		events = append(events, told(reel.EventIntent, claim))
	}
	for i := range events {
		if err := t.journal(at.batch, r.key, &events[i]); err != nil {
			return reel.Claim{}, nil, err
		}
	}
	return claim, events, nil
}

// told is an event of a claimed job.
func told(kind reel.EventKind, c reel.Claim) reel.Event {
	return reel.Event{
		Kind: kind, Batch: c.Batch, Pass: c.Pass, Job: c.Job.ID, Account: c.Job.Account, Attempt: c.Attempt,
		Worker: c.Worker, Fence: c.Fence,
	}
}

// duplicate sets a job aside because its video is, or may be, on the account already.
func (t *tx) duplicate(c reel.Claim, at home, from reel.State, other string) (reel.Event, error) {
	e := told(reel.EventDuplicate, c)
	e.Text, e.Decision = other, &reel.Decision{State: reel.SetAside, Reason: reel.ReasonDuplicate, Why: other}
	if _, err := t.exec(`UPDATE job SET state='set_aside', reason='duplicate', error=?, category='', type='', rule='',
		owner=NULL, lease_until=NULL, worker_pid=0, completed_at=? WHERE id=?`, other, ms(t.now), c.Key); err != nil {
		return e, err
	}
	t.moved(at.batch, from, reel.SetAside, 1)
	return e, t.journal(at.batch, c.Key, &e)
}

// Started notes which process executes a job, for whoever has to make sure later that it is dead. It is not waited for:
// the mark in the process's environment finds it as well.
func (s *Store) Started(l reel.Lease, p reel.Process) {
	s.writer.later(func(t *tx) error {
		_, err := t.exec(`UPDATE job SET worker_pid=?, worker_started=? WHERE id=? AND fence=? AND owner IS NOT NULL`, p.PID, p.Started, l.Key, l.Fence)
		return err
	})
}

// Intent records durably that the irreversible step begins now. It is refused with reel.ErrLost when the lease is no
// longer held, and with reel.ErrDuplicate when the same content is or may be published on the account already; the job is
// then set aside, and its lease is over.
func (s *Store) Intent(ctx context.Context, c reel.Claim, content reel.Fingerprint, allowRepost bool) (events []reel.Event, err error) {
	duplicate := false
	err = s.hot(func(t *tx) error {
		events, duplicate = nil, false
		n, err := t.foresee(1, c.Job.Account, `UPDATE job SET state='publishing', lease_until=? WHERE id=? AND fence=?
			AND state='running' AND lease_until>?`, leaseEnd(t.now), c.Key, c.Fence, ms(t.now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("intent of job %q: %w", c.Job.ID, reel.ErrLost)
		}
		home, err := t.homeOf(c.Key)
		if err != nil {
			return err
		}
		other, err := t.publish(c, home.account, content, allowRepost)
		if err != nil {
			return err
		}
		var e reel.Event
		if duplicate = other != ""; duplicate {
			e, err = t.duplicate(c, home, reel.Running, other)
		} else {
			home.state, home.content = reel.Publishing, content.Key
			t.homes[c.Key] = home
			t.moved(home.batch, reel.Running, reel.Publishing, 1)
			e = told(reel.EventIntent, c)
			err = t.journal(home.batch, c.Key, &e)
		}
		events = []reel.Event{e}
		return err
	})
	if err == nil && duplicate {
		err = reel.ErrDuplicate
	}
	return events, err
}

// publish enters the intent into the publish ledger. It answers what stands in the way, in words. Where a repost is allowed, it
// stands beside the first post, so that either guards the video should the other turn out absent.
func (t *tx) publish(c reel.Claim, account int64, content reel.Fingerprint, allowRepost bool) (other string, err error) {
	enter := func(foreseen, repost int64) (int64, error) {
		return t.foresee(foreseen, c.Job.Account, `INSERT INTO publish(account_id,content,repost,job,fence,at) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
			account, content.Key, repost, c.Key, c.Fence, ms(t.now))
	}
	if allowRepost {
		n, err := enter(unforeseen, 0)
		if err == nil && n == 0 {
			_, err = enter(unforeseen, c.Key)
		}
		return "", err
	}
	if content.Path == content.Key { // nothing to look up: SQLite would make a table of its own for the SELECT below
		n, err := enter(1, 0)
		if err != nil || n == 1 {
			return "", err
		}
		return t.guarding(account, content.Key)
	}
	n, err := t.foresee(1, c.Job.Account, `INSERT INTO publish(account_id,content,job,fence,at) SELECT CAST(?1 AS BIGINT),CAST(?2 AS TEXT),CAST(?3 AS BIGINT),CAST(?4 AS BIGINT),CAST(?5 AS BIGINT)
		WHERE NOT EXISTS(SELECT 1 FROM publish WHERE account_id=?1 AND content=?6 AND repost=0) ON CONFLICT DO NOTHING`,
		account, content.Key, c.Key, c.Fence, ms(t.now), content.Path) // an imported file may tell of it by its path
	if err != nil || n == 1 {
		return "", err
	}
	if other, err = t.guarding(account, content.Path); other != "" || err != nil {
		return other, err
	}
	return t.guarding(account, content.Key)
}

// guarding says in words which job guards a video on an account, nothing where none does. A row whose repost is not 0 never
// stands alone.
func (t *tx) guarding(account int64, content string) (string, error) {
	var job, batch string
	var state reel.State
	var at sql.NullInt64
	err := t.row(`SELECT j.job_id, b.name, j.state, p.at FROM publish p JOIN job j ON j.id=p.job JOIN batch b ON b.id=j.batch_id
		WHERE p.account_id=? AND p.content=? AND p.repost=0`, []any{account, content}, &job, &batch, &state, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	}
	was := "may have been"
	if state == reel.Succeeded {
		was = "was"
	}
	return fmt.Sprintf("the same video %s published on this account: job %s of batch %s, %s", was, job, batch, fromMS(at).Format(time.RFC3339)), nil
}
