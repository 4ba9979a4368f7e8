package ledger

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

// writer makes changes durable, many in one commit: an fsync costs as much as dozens of statements. Whoever wants a
// change queues it; whoever gets the turn carries out all that wait and commits once. There is no goroutine behind it.
type writer struct {
	conn  *conn
	clock func() time.Time
	turn  chan struct{} // holds one token while somebody commits

	mu     sync.Mutex
	queue  []*group
	closed bool

	tx    *tx // reused; touched only with the turn
	crowd int // how many changes came together lately, less one for each flush since; touched only with the turn
}

// change is one unit that happens whole or not at all. do must write nothing before the statement that proves its right
// to (a conditional UPDATE), so that a refusal leaves nothing to undo. It may be called twice: in a group, and alone when
// the group failed.
type change struct {
	do  func(*tx) error
	err error
}

// group is the changes of one commit.
type group struct {
	changes []*change
	once    bool          // of one change only, which is done once: it gets a transaction of its own
	done    chan struct{} // closed when each change has its answer
}

func newWriter(conn *conn, clock func() time.Time) *writer {
	return &writer{conn: conn, clock: clock, turn: make(chan struct{}, 1), tx: newTx(conn)}
}

var errClosed = errors.New("the ledger is closed")

// commit carries out one change and returns when it is durable.
func (w *writer) commit(do func(*tx) error) error { return w.wait(&change{do: do}, false) }

// commitOnce is commit for a change that cannot be repeated, since it reads from something that may be read only once.
func (w *writer) commitOnce(do func(*tx) error) error { return w.wait(&change{do: do}, true) }

func (w *writer) wait(c *change, once bool) error {
	g := w.enqueue(c, once)
	if g == nil {
		return errClosed
	}
	select {
	case <-g.done:
	case w.turn <- struct{}{}:
		if w.crowd > 1 { // whoever was served by the last commit may want the next one: a bigger group for the same fsync
			runtime.Gosched()
		}
		w.flush()
		<-w.turn
		<-g.done
	}
	return c.err
}

// later queues a change that nobody waits for: it shares the next commit. It is for facts that help and that safety does
// not rest on.
func (w *writer) later(do func(*tx) error) { w.enqueue(&change{do: do}, false) }

// enqueue puts a change into the last group that waits, or into a new one; nil when the writer is closed.
func (w *writer) enqueue(c *change, once bool) *group {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	n := len(w.queue)
	if n == 0 || once || w.queue[n-1].once {
		w.queue = append(w.queue, &group{once: once, done: make(chan struct{})})
		n++
	}
	g := w.queue[n-1]
	g.changes = append(g.changes, c)
	return g
}

// flush commits all that waits. A group that fails is rolled back and each change is tried alone, so that one bad change
// never takes others with it.
func (w *writer) flush() {
	w.mu.Lock()
	queue := w.queue
	w.queue = nil
	w.mu.Unlock()
	w.crowd--
	for _, g := range queue {
		w.crowd = max(w.crowd, len(g.changes))
		if err := w.run(g.changes); err != nil && len(g.changes) == 1 {
			g.changes[0].err = err
		} else if err != nil {
			for _, c := range g.changes {
				if err := w.run([]*change{c}); err != nil { // else its own answer stands, which may be a refusal
					c.err = err
				}
			}
		}
		close(g.done)
	}
}

// run does the changes in one transaction. An error means that nothing of them happened; without one, each change has its
// own answer in its err, and those with an error have written nothing.
func (w *writer) run(changes []*change) (err error) {
	t := w.tx
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.forget()
			_, _ = w.conn.exec("ROLLBACK") // SQLite rolls back by itself on some errors, and then says there is nothing to roll back
		}
	}()
	t.begin(w.clock())
	for _, c := range changes {
		t.wrote = false
		c.err = c.do(t)
		if t.broken != nil { // SQLite may have ended the transaction: whatever came after it would stand alone
			return t.broken
		}
		if c.err != nil && t.wrote {
			return c.err
		}
	}
	if err := t.finish(); err != nil {
		return err
	}
	_, err = w.conn.exec("COMMIT")
	return err
}

// close commits what waits and refuses what comes later. Only the first call does something.
func (w *writer) close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return nil
	}
	w.turn <- struct{}{}
	defer func() { <-w.turn }() // whoever queued in time finds its change done
	w.flush()
	return w.conn.close()
}
