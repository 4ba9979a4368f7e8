package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// writer makes changes durable, many in one commit: an fsync costs as much as dozens of statements. Whoever wants a
// change queues it; whoever gets the turn carries out all that wait and commits once. There is no goroutine behind it.
type writer struct {
	conn  *sql.Conn
	clock func() time.Time
	turn  chan struct{} // holds one token while somebody commits

	mu     sync.Mutex
	queue  []*change
	closed bool

	stmts map[string]*sql.Stmt // by SQL text; touched only with the turn
	group *tx                  // reused; touched only with the turn
}

// change is one unit that happens whole or not at all. do must write nothing before the statement that proves its right
// to (a conditional UPDATE), so that a refusal leaves nothing to undo.
type change struct {
	do   func(*tx) error
	done chan struct{}
	err  error
}

func newWriter(ctx context.Context, db *sql.DB, clock func() time.Time) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, clock: clock, turn: make(chan struct{}, 1), stmts: map[string]*sql.Stmt{}}
	w.group = &tx{w: w}
	return w, nil
}

var errClosed = errors.New("the ledger is closed")

// commit carries out one change and returns when it is durable.
func (w *writer) commit(do func(*tx) error) error {
	c := &change{do: do, done: make(chan struct{})}
	if !w.enqueue(c) {
		return errClosed
	}
	select {
	case <-c.done:
	case w.turn <- struct{}{}:
		w.flush()
		<-w.turn
		<-c.done
	}
	return c.err
}

// later queues a change that nobody waits for: it shares the next commit. It is for facts that help and that safety does
// not rest on.
func (w *writer) later(do func(*tx) error) {
	w.enqueue(&change{do: do, done: make(chan struct{})})
}

func (w *writer) enqueue(c *change) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, c)
	return true
}

// flush commits all that waits. A group that fails is rolled back and each change is tried alone, so that one bad change
// never takes others with it.
func (w *writer) flush() {
	w.mu.Lock()
	changes := w.queue
	w.queue = nil
	w.mu.Unlock()
	if len(changes) == 0 {
		return // whoever had the turn before has done ours too
	}
	if err := w.run(changes); err != nil {
		for _, c := range changes {
			c.err = nil
			if err := w.run([]*change{c}); err != nil {
				c.err = err
			}
		}
	}
	for _, c := range changes {
		close(c.done)
	}
}

// run does the changes in one transaction. An error means that nothing of them happened.
func (w *writer) run(changes []*change) (err error) {
	ctx := context.Background() // a commit that has begun is not abandoned half-way
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rbErr := w.conn.ExecContext(ctx, "ROLLBACK")
			// SQLite rolls back by itself on some errors, and then says there is nothing to roll back.
			_ = rbErr
		}
	}()
	t := w.group
	t.begin(w.clock())
	for _, c := range changes {
		t.wrote = false
		if c.err = c.do(t); c.err != nil && t.wrote {
			return c.err
		}
	}
	if err := t.finish(); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (w *writer) close() error {
	if w == nil {
		return nil
	}
	w.turn <- struct{}{}
	w.flush()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	for _, s := range w.stmts {
		_ = s.Close() // the connection goes with them
	}
	return w.conn.Close()
}

// tx is a transaction that several changes share. Counters are summed up and written once at its end.
type tx struct {
	w      *writer
	now    time.Time
	wrote  bool // the present change has written something
	totals map[totalKey]int
	passes map[passKey]*reel.PassStats
}

type totalKey struct {
	batch int64
	name  string
}

type passKey struct {
	batch int64
	pass  int
}

func (t *tx) begin(now time.Time) {
	t.now, t.wrote = now, false
	t.totals, t.passes = map[totalKey]int{}, map[passKey]*reel.PassStats{}
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.w.stmts[query]; ok {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", query, err)
	}
	t.w.stmts[query] = s
	return s, nil
}

// exec runs a writing statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	t.wrote = t.wrote || n > 0
	return n, err
}

// insert runs an INSERT and returns the new row's id.
func (t *tx) insert(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	t.wrote = true
	return res.LastInsertId()
}

// row reads one row; sql.ErrNoRows where there is none.
func (t *tx) row(query string, args []any, dest ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRow(args...).Scan(dest...)
}

// moved counts n jobs that went from one state to another; an empty from is a new job.
func (t *tx) moved(batch int64, from, to reel.State, n int) {
	if from == to || n == 0 {
		return
	}
	if from == "" {
		t.totals[totalKey{batch, "jobs"}] += n
	} else {
		t.totals[totalKey{batch, string(from)}] -= n
	}
	t.totals[totalKey{batch, string(to)}] += n
}

// stats is what the present transaction adds to the counters of a pass.
func (t *tx) stats(batch int64, pass int) *reel.PassStats {
	k := passKey{batch, pass}
	if t.passes[k] == nil {
		t.passes[k] = &reel.PassStats{Pass: pass}
	}
	return t.passes[k]
}

// finish writes the counters and forgets them.
func (t *tx) finish() error {
	defer func() { clear(t.totals); clear(t.passes) }()
	for k, n := range t.totals {
		if n == 0 {
			continue
		}
		if _, err := t.exec(`INSERT INTO total(batch_id,name,n) VALUES(?,?,?)
			ON CONFLICT(batch_id,name) DO UPDATE SET n=n+excluded.n`, k.batch, k.name, n); err != nil {
			return err
		}
	}
	for k, p := range t.passes {
		if _, err := t.exec(`UPDATE pass SET processed=processed+?, succeeded=succeeded+?, f_account=f_account+?,
			f_content=f_content+?, f_infra=f_infra+?, f_unknown=f_unknown+?, in_doubt=in_doubt+?, set_aside=set_aside+?,
			exhausted=exhausted+?, retryable=retryable+? WHERE batch_id=? AND pass=?`,
			p.Processed, p.Succeeded, p.Failed.Account, p.Failed.Content, p.Failed.Infrastructure, p.Failed.Unknown,
			p.InDoubt, p.SetAside, p.Exhausted, p.Retryable, k.batch, k.pass); err != nil {
			return err
		}
	}
	return nil
}

// journal appends an event within the transaction and fills in when and where it stands.
func (t *tx) journal(batch, job int64, e *reel.Event) error {
	e.At = t.now.UTC()
	e.Seq = 0
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	var b, j any
	if batch != 0 {
		b = batch
	}
	if job != 0 {
		j = job
	}
	e.Seq, err = t.insert(`INSERT INTO event(at,kind,batch_id,job,data) VALUES(?,?,?,?,?)`, ms(t.now), string(e.Kind), b, j, string(data))
	return err
}
