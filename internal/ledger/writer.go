package ledger

import (
	"errors"
	"runtime"
	"sync"

	"reelpass/internal/reel"
)

// writer makes changes durable, many in one commit: an fsync costs as much as dozens of statements. Whoever wants a
// change queues it; whoever gets the turn carries out all that wait and commits once. There is no goroutine behind it.
type writer struct {
	conn link
	turn chan struct{} // holds one token while somebody commits

	mu     sync.Mutex
	queue  []*change
	closed bool

	group  *tx   // reused; touched only with the turn
	broken error // reel.ErrBroken: whether the last commit happened is not known; touched only with the turn
	crowd  int   // how many changes came together lately, less one for each flush since; touched only with the turn
}

// change is one unit that happens whole or not at all. do must write nothing before the statement that proves its right
// to (a conditional UPDATE), so that a refusal leaves nothing to undo. It may be called twice: in a group, and alone when
// the group failed.
type change struct {
	do   func(*tx) error
	once bool // do is called once only and gets a transaction of its own
	done chan struct{}
	err  error

	claims string // the batch of which it wants a job
}

func newWriter(conn link) *writer {
	return &writer{conn: conn, turn: make(chan struct{}, 1), group: newTx(conn)}
}

var errClosed = errors.New("the ledger is closed")

// commit carries out one change and returns when it is durable.
func (w *writer) commit(do func(*tx) error) error { return w.wait(&change{do: do}) }

// commitOnce is commit for a change that cannot be repeated, since it reads from something that may be read only once.
func (w *writer) commitOnce(do func(*tx) error) error { return w.wait(&change{do: do, once: true}) }

func (w *writer) wait(c *change) error {
	if w == nil {
		return errReadOnly
	}
	c.done = make(chan struct{})
	if !w.enqueue(c) {
		return errClosed
	}
	select {
	case <-c.done:
	case w.turn <- struct{}{}:
		if w.crowd > 1 { // whoever was served by the last commit may want the next one: a bigger group for the same fsync
			runtime.Gosched()
		}
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
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.queue = append(w.queue, c)
	return true
}

// flush commits all that waits. A group that fails is rolled back and each change is tried alone, so that one bad change
// never takes others with it; so is one whose way to the server was lost.
func (w *writer) flush() {
	w.mu.Lock()
	queue := w.queue
	w.queue = nil
	w.mu.Unlock()
	w.crowd = max(len(queue), w.crowd-1)
	for len(queue) > 0 {
		n := 1
		for !queue[0].once && n < len(queue) && !queue[n].once {
			n++
		}
		group := queue[:n]
		queue = queue[n:]
		began, err := w.run(group, group[0].once)
		if errors.Is(err, errUnforeseen) && !group[0].once {
			began, err = w.run(group, true)
		}
		for i, c := range group {
			alone := err
			for try := 1; began && alone != nil && w.broken == nil && !c.once && (try == 1 && n > 1 || try < 3 && errors.Is(alone, errLost)); try++ {
				if began, alone = w.run(group[i:i+1], true); !began {
					err = alone // so it will be for the others: nobody waits for the same server twice
				}
			}
			if alone != nil { // else its own answer stands, which may be a refusal
				c.err = alone
			}
		}
		for _, c := range group {
			close(c.done)
		}
	}
}

// run does the changes in one transaction. An error means that nothing of them happened; without one, each change has its
// own answer in its err, and those with an error have written nothing. Not begun, and there is no use in trying them alone. Careful,
// and nothing is foreseen nor read ahead.
func (w *writer) run(changes []*change, careful bool) (began bool, err error) {
	if w.broken != nil {
		return false, w.broken
	}
	t := w.group
	reach := 1
	var ask func() []question
	if t.unlearn(); !careful {
		reach = reachOf(changes)
		ask = func() []question { return t.foresight(changes, reach) }
	}
	at, err := w.conn.begin(careful, ask)
	if err != nil {
		return false, err
	}
	over := false
	defer func() {
		if err != nil {
			t.forget()
			if !over {
				_ = w.conn.end(false)
			}
		}
	}()
	if !at.far {
		reach = 1
	}
	t.begin(at, reach)
	for _, c := range changes {
		t.wrote = false
		c.err = c.do(t)
		if t.broken != nil { // SQLite may have ended the transaction: whatever came after it would stand alone
			return true, t.broken
		}
		if c.err != nil && t.wrote {
			return true, c.err
		}
	}
	if err := t.finish(); err != nil {
		return true, err
	}
	over = true
	if err = w.conn.end(true); errors.Is(err, reel.ErrBroken) {
		w.broken = err
	}
	return true, err
}

// reachOf is of how many accounts the next job is read at once: one more than are claimed, since one may turn out busy, and not so many
// that the others wait for it.
func reachOf(changes []*change) (reach int) {
	for _, c := range changes {
		if c.claims != "" {
			reach++
		}
	}
	if reach > 1 {
		reach++
	}
	return min(max(reach, 1), 32)
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
