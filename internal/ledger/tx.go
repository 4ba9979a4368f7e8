package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// tx is a transaction that several changes share. Counters are summed up and journal rows collected, and both are written
// once at its end.
type tx struct {
	conn link

	now    time.Time
	wrote  bool  // the present change has written something
	broken error // a statement failed: the transaction cannot go on
	totals map[totalKey]int
	passes map[passKey]*reel.PassStats
	events []row
	seq    int64 // of the last event, 0 while not read

	homes       map[int64]home      // of jobs in flight here
	supervisors map[string]enlisted // by uid; they never change
	limits      reel.Limits         // of the batch read last, as limitsText says
	limitsText  string
	batches     map[string]*batchRow // by name: what claims ask, while only claims and their endings happen
	ahead       map[int64]*lookout   // by batch: jobs that claims will want, likewise
	afar        bool                 // the ledger is on a server
	guessed     map[string]batchRow  // what was read of batches last, for the next transaction to ask ahead by
	served      map[int64]int64      // by batch: the account served last; who comes next is a courtesy, not a promise
	began       time.Time            // by this machine's clock
	reach       int                  // how many of them to read at once; 1 where each statement must see what is true now
}

type totalKey struct {
	batch int64
	name  string
}

type passKey struct {
	batch int64
	pass  int
}

// row is an event on its way into the journal.
type row struct {
	seq        int64
	kind, data string
	batch, job any
}

func newTx(conn link) *tx {
	return &tx{
		conn: conn, totals: map[totalKey]int{}, passes: map[passKey]*reel.PassStats{},
		homes: map[int64]home{}, supervisors: map[string]enlisted{}, batches: map[string]*batchRow{}, ahead: map[int64]*lookout{}, guessed: map[string]batchRow{}, served: map[int64]int64{},
	}
}

func (t *tx) begin(m moment, reach int) {
	t.now, t.wrote, t.broken, t.seq, t.afar, t.reach = m.now, false, nil, m.event, m.far, reach
	t.began = time.Now()
	t.events = t.events[:0]
	clear(t.totals)
	clear(t.passes)
	t.confirm()
}

// unlearn drops what was read of batches and their jobs, because something else than claims and endings has changed them.
func (t *tx) unlearn() {
	clear(t.batches)
	clear(t.ahead)
}

// forget drops what was learnt in a transaction that did not happen.
func (t *tx) forget() { clear(t.supervisors) }

// fail notes that a statement failed. A row that is not there is no failure.
func (t *tx) fail(err error) error {
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.broken = err
	}
	return err
}

// exec runs a writing statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	return t.foresee(unforeseen, "", query, args...)
}

// add is exec for a statement that adds rows about an account, or of none, or fails.
func (t *tx) add(about, query string, args ...any) error {
	_, err := t.foresee(certain, about, query, args...)
	return err
}

// foresee is exec for a statement that changes a known number of rows unless something unusual has happened. The answer may
// come before the statement runs, and is right if the transaction is committed. about is the account whose rows it touches, by
// name: such statements of different accounts may change places. Empty, and it keeps its own.
func (t *tx) foresee(rows int64, about, query string, args ...any) (int64, error) {
	n, err := t.conn.exec(rows, about, query, args...)
	t.wrote = t.wrote || n > 0
	return n, t.fail(err)
}

// insert runs an INSERT that returns one number.
func (t *tx) insert(query string, args ...any) (id int64, err error) {
	err = t.row(query, args, &id)
	t.wrote = t.wrote || err == nil
	return id, err
}

// row reads one row; sql.ErrNoRows where there is none.
func (t *tx) row(query string, args []any, dest ...any) error {
	return t.fail(rowOf(t.conn, query, args, dest...))
}

// each reads all rows, and calls scan for each of them. scan must not use the transaction.
func (t *tx) each(query string, args []any, scan func(scanner) error) error {
	return t.fail(t.conn.each(query, args, scan))
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

// finish writes the counters and the journal and forgets them.
func (t *tx) finish() error {
	if err := t.writeCounters(); err != nil {
		return err
	}
	return t.writeJournal()
}

func (t *tx) writeCounters() error {
	defer func() { clear(t.totals); clear(t.passes) }()
	args := make([]any, 0, 3*len(t.totals))
	for k, n := range t.totals {
		if n != 0 {
			args = append(args, k.batch, k.name, n)
		}
	}
	if n := len(args) / 3; n > 0 {
		if err := t.add("", `INSERT INTO total(batch_id,name,n) VALUES(?,?,?)`+strings.Repeat(`,(?,?,?)`, n-1)+`
			ON CONFLICT(batch_id,name) DO UPDATE SET n=total.n+excluded.n`, args...); err != nil {
			return err
		}
	}
	for k, p := range t.passes {
		if _, err := t.foresee(certain, "", `UPDATE pass SET processed=processed+?, succeeded=succeeded+?, f_account=f_account+?,
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
	if t.seq == 0 {
		if err := t.row(`SELECT COALESCE(max(seq),0) FROM event`, nil, &t.seq); err != nil {
			return err
		}
	}
	e.At = t.now.UTC()
	e.Seq = 0
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	t.seq++
	t.wrote = true
	e.Seq = t.seq
	r := row{seq: t.seq, kind: string(e.Kind), data: string(data)}
	if batch != 0 {
		r.batch = batch
	}
	if job != 0 {
		r.job = job
	}
	t.events = append(t.events, r)
	return nil
}

// writeJournal writes the collected events, many a statement: in steps of powers of two, so that few statements are kept. A link to a
// server puts single ones together itself.
func (t *tx) writeJournal() error {
	const values = `(?,?,?,?,?,?)`
	at := ms(t.now)
	for left := t.events; len(left) > 0; {
		n := 1
		for !t.afar && n < 32 && 2*n <= len(left) {
			n *= 2
		}
		args := make([]any, 0, 6*n)
		for _, r := range left[:n] {
			args = append(args, r.seq, at, r.kind, r.batch, r.job, r.data)
		}
		if err := t.add("", `INSERT INTO event(seq,at,kind,batch_id,job,data) VALUES`+values+strings.Repeat(`,`+values, n-1), args...); err != nil {
			return err
		}
		left = left[n:]
	}
	t.events = t.events[:0]
	return nil
}
