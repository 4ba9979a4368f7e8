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
		defer clear(t.batches)
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
	limits       reel.Limits
	breaker      reel.Breaker
}

func (t *tx) batch(name string) (*batchRow, error) {
	if b := t.batches[name]; b != nil {
		return b, nil
	}
	b := new(batchRow)
	var limits, breaker string
	err := t.row(`SELECT id,pass,last_pass,pass_open,paused,EXISTS(SELECT 1 FROM job WHERE batch_id=batch.id AND look_due=1),limits,breaker
		FROM batch WHERE name=?`, []any{name}, &b.id, &b.pass, &b.last, &b.open, &b.paused, &b.looks, &limits, &breaker)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("batch %q: %w", name, reel.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if limits != t.limitsText { // the same for a whole run
		t.limitsText, t.limits = limits, unmarshal[reel.Limits](limits)
	}
	b.limits, b.breaker = t.limits, unmarshal[reel.Breaker](breaker)
	t.batches[name] = b
	return b, nil
}

// batchID finds a batch's number and the term of its leadership.
func (t *tx) batchID(name string) (id, term int64, err error) {
	err = t.row(`SELECT id,leader_term FROM batch WHERE name=?`, []any{name}, &id, &term)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, fmt.Errorf("batch %q: %w", name, reel.ErrNotFound)
	}
	return id, term, err
}

// Enlist makes a supervisor known, so that leases and leaderships can name it.
func (s *Store) Enlist(sup reel.Supervisor) error {
	return s.do(func(t *tx) error {
		_, err := t.exec(`INSERT INTO supervisor(uid,name,host,pid,started) VALUES(?,?,?,?,?) ON CONFLICT(uid) DO NOTHING`,
			sup.ID, sup.Name, sup.Process.Host, sup.Process.PID, sup.Process.Started)
		return err
	})
}

func (t *tx) supervisorID(uid string) (id int64, err error) {
	if id, ok := t.supervisors[uid]; ok {
		return id, nil
	}
	if err = t.row(`SELECT id FROM supervisor WHERE uid=?`, []any{uid}, &id); errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("supervisor %q: %w", uid, reel.ErrNotFound)
	}
	if err == nil {
		t.supervisors[uid] = id
	}
	return id, err
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

// next is the account that the batch served last, here in this process: who comes next is a courtesy, not a promise.
func (s *Store) next(batch int64) *int64 {
	if s.turns[batch] == nil {
		s.turns[batch] = new(int64)
	}
	return s.turns[batch]
}
