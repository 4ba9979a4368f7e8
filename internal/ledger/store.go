package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// do carries out one change and translates what SQLite says of its file.
func (s *Store) do(f func(*tx) error) error {
	return s.hot(func(t *tx) error {
		defer t.unlearn()
		return f(t)
	})
}

// hot is do for the changes that every job goes through. They leave the row of their batch as it is, so that a group of them
// reads it once.
func (s *Store) hot(f func(*tx) error) error { return s.trouble(s.writer.commit(f)) }

// batchRow is what a claim asks of its batch.
type batchRow struct {
	id           int64
	pass, last   int
	open, paused bool
	looks        bool // jobs wait for a look
	holds        bool // some account is held
	generation   int  // of the rules by which it is shared, 0 before its first run
	limits       reel.Limits
	breaker      reel.Breaker
}

func (t *tx) batch(name string) (*batchRow, error) {
	if b := t.batches[name]; b != nil {
		return b, nil
	}
	if err := t.each(batchQuery, []any{name}, t.scanBatch(name)); err != nil {
		return nil, err
	}
	if b := t.batches[name]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("batch %q: %w", name, reel.ErrNotFound)
}

const batchQuery = `SELECT id,pass,last_pass,pass_open,paused,EXISTS(SELECT 1 FROM job WHERE batch_id=batch.id AND look_due=1),
	EXISTS(SELECT 1 FROM hold WHERE released_at IS NULL AND account_id>0),limits,generation,breaker FROM batch WHERE name=?`

// scanBatch takes the row of batchQuery, for this transaction and as a guess for the next.
func (t *tx) scanBatch(name string) func(scanner) error {
	return func(row scanner) error {
		b := new(batchRow)
		var limits, breaker string
		if err := row.Scan(&b.id, &b.pass, &b.last, &b.open, &b.paused, &b.looks, &b.holds, &limits, &b.generation, &breaker); err != nil {
			return err
		}
		if limits != t.limitsText { // the same for a whole run
			t.limitsText, t.limits = limits, unmarshal[reel.Limits](limits)
		}
		b.limits, b.breaker = t.limits, unmarshal[reel.Breaker](breaker)
		t.batches[name], t.guessed[name] = b, *b
		return nil
	}
}

// batchID finds a batch's number and the term of its leadership.
func (t *tx) batchID(name string) (id, term int64, err error) {
	err = t.row(`SELECT id,leader_term FROM batch WHERE name=?`, []any{name}, &id, &term)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, fmt.Errorf("batch %q: %w", name, reel.ErrNotFound)
	}
	return id, term, err
}

// Enlist makes a supervisor known, so that leases and leaderships can name it. A ledger is a rehearsal's or not from its first
// supervisor on: a rehearsed post would be taken for a real one, so others are refused with reel.ErrRefused.
func (s *Store) Enlist(sup reel.Supervisor) error {
	return s.do(func(t *tx) error {
		first := sup.Rehearsal
		err := t.row(`SELECT rehearsal FROM supervisor WHERE id=(SELECT min(id) FROM supervisor)`, nil, &first)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if first != sup.Rehearsal {
			return &MixedError{Rehearsal: sup.Rehearsal}
		}
		_, err = t.exec(`INSERT INTO supervisor(uid,name,host,pid,started,generation,version,rehearsal) VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(uid) DO NOTHING`,
			sup.ID, sup.Name, sup.Process.Host, sup.Process.PID, sup.Process.Started, sup.Generation, sup.Version, sup.Rehearsal)
		return err
	})
}

// MixedError keeps rehearsed posts and real ones apart.
type MixedError struct {
	Rehearsal bool // who is refused is a rehearsal
}

func (e *MixedError) Error() string {
	if e.Rehearsal {
		return "this ledger keeps real posts: what a rehearsal does would be taken for real, and never be posted"
	}
	return "this ledger is a rehearsal's: what was rehearsed would be taken for posted, and never be posted"
}

// Is makes errors.Is(err, reel.ErrRefused) true.
func (e *MixedError) Is(target error) bool { return target == reel.ErrRefused }

// enlisted is what changes need to know of a supervisor; it never changes.
type enlisted struct {
	id         int64
	generation int
}

func (t *tx) supervisor(uid string) (e enlisted, err error) {
	if e, ok := t.supervisors[uid]; ok {
		return e, nil
	}
	err = t.row(`SELECT id,generation FROM supervisor WHERE uid=?`, []any{uid}, &e.id, &e.generation)
	if errors.Is(err, sql.ErrNoRows) {
		return e, fmt.Errorf("supervisor %q: %w", uid, reel.ErrNotFound)
	}
	if err == nil {
		t.supervisors[uid] = e
	}
	return e, err
}

func (t *tx) supervisorID(uid string) (int64, error) {
	e, err := t.supervisor(uid)
	return e.id, err
}

// skew says that a batch is led, or was led last, by other rules than a supervisor's.
func (t *tx) skew(batch, uid string, theirs int) error {
	e := &reel.SkewError{Batch: batch, Theirs: reel.Supervisor{Generation: theirs}}
	if err := t.row(`SELECT name,generation,version FROM supervisor WHERE uid=?`, []any{uid}, &e.Mine.Name, &e.Mine.Generation, &e.Mine.Version); err != nil {
		return err
	}
	e.Mine.Name = "" // it is here
	err := t.row(`SELECT s.name,s.version FROM batch b JOIN supervisor s ON s.id=b.leader WHERE b.name=?`, []any{batch}, &e.Theirs.Name, &e.Theirs.Version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return e
}

// sameRules lets a supervisor lead a batch only if no newer rules have been at work on it, and nobody of older ones still is.
func (t *tx) sameRules(id int64, bid reel.Bid) error {
	mine, err := t.supervisor(bid.Leader.ID)
	if err != nil {
		return err
	}
	var last int
	if err := t.row(`SELECT generation FROM batch WHERE id=?`, []any{id}, &last); err != nil {
		return err
	}
	if last > mine.generation {
		return t.skew(bid.Batch, bid.Leader.ID, last)
	}
	e := &reel.SkewError{Batch: bid.Batch, Mine: bid.Leader, InFlight: true}
	e.Mine.Name, e.Mine.Generation = "", mine.generation
	err = t.row(`SELECT s.name,s.generation,s.version FROM job j JOIN supervisor s ON s.id=j.owner
		WHERE +j.batch_id=? AND j.owner IS NOT NULL AND j.lease_until>? AND s.generation<>? LIMIT 1`,
		[]any{id, ms(t.now), mine.generation}, &e.Theirs.Name, &e.Theirs.Generation, &e.Theirs.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return e
}

// home is what is remembered of a job that was claimed here, until it ends. Its batch and account never change. Its state and
// its content in the publish ledger are what this process did last, perhaps in a transaction that failed: a hint, which
// saves a question when it is right.
type home struct {
	batch, account int64
	state          reel.State
	content        string // empty where not known
}

// homeOf finds a job's home.
func (t *tx) homeOf(job int64) (h home, err error) {
	h, ok := t.homes[job]
	if !ok {
		err = t.row(`SELECT batch_id,account_id FROM job WHERE id=?`, []any{job}, &h.batch, &h.account)
	}
	return h, err
}

func marshal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of strings and numbers: cannot fail
	}
	return string(data)
}

// unmarshal reads what marshal wrote. Damage in such a cell must not hide the rest of the row: it reads as zero.
func unmarshal[T any](text string) (v T) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), &v) // see above
	}
	return v
}

func leaseEnd(now time.Time) int64 { return ms(now.Add(reel.LeaseTTL)) }
