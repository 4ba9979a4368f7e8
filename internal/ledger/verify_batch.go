package ledger

import (
	"database/sql"
	"encoding/json"
	"slices"

	"reelpass/internal/reel"
)

// batchFacts is a batch with what its jobs, attempts and journal add up to.
type batchFacts struct {
	name         string
	pass         int
	open         bool
	waiting      bool
	result       reel.Result
	totals       map[string]int // as kept
	counted      map[string]int // as recounted
	passes       []passFacts
	recount      map[int]*reel.PassStats
	sweeps       []sweep
	accountSwept map[string][]int64 // events that set aside an account's waiting jobs, by account
}

type passFacts struct {
	reel.PassStats
	ended bool
}

// sweep is an event that changes many jobs and names none.
type sweep struct {
	seq     int64
	kind    reel.EventKind
	reopens bool // run_started: jobs that were out of passes go on
}

// batch finds a batch by its number; a job of none gets one without a name, and its reference is reported.
func (v *verifier) batch(id int64) *batchFacts {
	b := v.batches[id]
	if b == nil {
		b = &batchFacts{totals: map[string]int{}, counted: map[string]int{}, recount: map[int]*reel.PassStats{}, accountSwept: map[string][]int64{}}
		v.batches[id] = b
	}
	return b
}

func (v *verifier) readBatches() error {
	if err := v.each(`SELECT id,name,pass,pass_open,waiting_until IS NOT NULL,result FROM batch`, nil, func(rows *sql.Rows) error {
		var id int64
		var f batchFacts
		err := rows.Scan(&id, &f.name, &f.pass, &f.open, &f.waiting, &f.result)
		b := v.batch(id)
		b.name, b.pass, b.open, b.waiting, b.result = f.name, f.pass, f.open, f.waiting, f.result
		v.extent.Batches++
		return err
	}); err != nil {
		return err
	}
	if err := v.each(`SELECT batch_id,name,n FROM total`, nil, func(rows *sql.Rows) error {
		var id int64
		var name string
		var n int
		err := rows.Scan(&id, &name, &n)
		v.batch(id).totals[name] = n
		return err
	}); err != nil {
		return err
	}
	return v.each(`SELECT batch_id,`+passFields+` FROM pass ORDER BY batch_id,pass`, nil, func(rows *sql.Rows) error {
		var id int64
		p, err := scanPass(prefixed{rows, []any{&id}})
		v.batch(id).passes = append(v.batch(id).passes, passFacts{p, !p.EndedAt.IsZero()})
		return err
	})
}

// prefixed is a row whose first columns go elsewhere.
type prefixed struct {
	scanner
	first []any
}

// Scan reads the first columns into their own places and hands on the rest.
func (p prefixed) Scan(dest ...any) error { return p.scanner.Scan(append(p.first, dest...)...) }

// readSweeps reads the journal's events of no single job: few, beside those of jobs.
func (v *verifier) readSweeps() error {
	var n, last int64
	if err := v.r.QueryRowContext(v.ctx, `SELECT count(*),COALESCE(max(seq),0) FROM event`).Scan(&n, &last); err != nil {
		return err
	}
	v.extent.Events = int(n)
	if n != last {
		v.say(checkJournal, "", "", "it has %d events and the last is number %d: events are missing", n, last)
	}
	return v.each(`SELECT COALESCE(batch_id,0),seq,kind,data FROM event WHERE job IS NULL ORDER BY seq`, nil, func(rows *sql.Rows) error {
		var id int64
		var e eventFacts
		var kind reel.EventKind
		var data string
		if err := rows.Scan(&id, &e.seq, &kind, &data); err != nil {
			return err
		}
		if id == 0 { // of an account
			v.decode(&e, kind, data, "", "")
			if e.Kind == reel.EventReleased {
				v.released[e.Account] = e.seq
			}
			return nil
		}
		b := v.batch(id)
		v.decode(&e, kind, data, b.name, "")
		switch e.Kind {
		case reel.EventHeldBack:
			b.accountSwept[e.Account] = append(b.accountSwept[e.Account], e.seq)
		case reel.EventOutOfPasses, reel.EventRunStarted:
			b.sweeps = append(b.sweeps, sweep{e.seq, e.Kind, e.Totals != nil && e.Totals.OutOfPasses == 0})
		}
		return nil
	})
}

// decode reads an event, which must say of itself what its row says of it.
func (v *verifier) decode(e *eventFacts, kind reel.EventKind, data, batch string, job reel.JobID) {
	seq := e.seq
	if err := json.Unmarshal([]byte(data), e); err != nil {
		v.say(checkJournal, batch, job, "event %d cannot be read: %v", seq, err)
	} else if e.Kind != kind || e.Batch != batch || e.Job != job {
		v.say(checkJournal, batch, job, "event %d stands as %s, and says that it is %s of job %q of batch %q", seq, kind, e.Kind, e.Job, e.Batch)
	}
	e.seq, e.Kind = seq, kind
}

// compareBatches holds what was counted beside what is kept.
func (v *verifier) compareBatches() error {
	for _, b := range v.batches {
		v.passesOf(b)
		names := []string{"jobs", "attempts"}
		for _, s := range reel.States() {
			names = append(names, string(s))
		}
		for name := range b.totals {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if b.totals[name] != b.counted[name] {
				v.say(checkTotals, b.name, "", "%s: %d are kept, its jobs make %d", name, b.totals[name], b.counted[name])
			}
		}
	}
	return nil
}

func (v *verifier) passesOf(b *batchFacts) {
	if b.result != reel.NoResult && (b.open || b.waiting) {
		v.say(checkBatches, b.name, "", "it ended as %s, and a pass is open or waited for", b.result)
	}
	if b.open && b.waiting {
		v.say(checkBatches, b.name, "", "pass %d is open, and the next one is waited for", b.pass)
	}
	if !slices.Contains([]reel.Result{reel.NoResult, reel.AllComplete, reel.OnlyNonRetryable, reel.MaxPassesReached}, b.result) {
		v.say(checkBatches, b.name, "", "there is no result %q", b.result)
	}
	if len(b.passes) != b.pass {
		v.say(checkBatches, b.name, "", "its last pass is %d, and %d passes are kept", b.pass, len(b.passes))
	}
	for i, p := range b.passes {
		if p.Pass != i+1 {
			v.say(checkBatches, b.name, "", "pass %d stands where pass %d should", p.Pass, i+1)
		}
		if open := b.open && p.Pass == b.pass; open == p.ended {
			v.say(checkBatches, b.name, "", "pass %d: open is %t, and ended is %t", p.Pass, open, p.ended)
		}
		re := b.recount[p.Pass]
		if re == nil {
			re = &reel.PassStats{}
		}
		delete(b.recount, p.Pass)
		re.Pass, re.StartedAt, re.EndedAt, re.SuccessRate = p.Pass, p.StartedAt, p.EndedAt, p.SuccessRate
		if p.PassStats != *re {
			v.say(checkPasses, b.name, "", "pass %d is kept as %s, its attempts make %s", p.Pass, brief(p.PassStats), brief(*re))
		}
	}
	for pass, re := range b.recount {
		v.say(checkPasses, b.name, "", "pass %d was never opened, and %d attempts are in it", pass, re.Processed)
	}
}

// brief is the counters of a pass.
func brief(p reel.PassStats) string {
	p.Pass, p.SuccessRate = 0, 0
	return marshal(struct {
		Processed int           `json:"processed"`
		Succeeded int           `json:"succeeded"`
		Failed    reel.Failures `json:"failed"`
		InDoubt   int           `json:"in_doubt"`
		SetAside  int           `json:"set_aside"`
		Exhausted int           `json:"exhausted"`
		Retryable int           `json:"retryable"`
	}{p.Processed, p.Succeeded, p.Failed, p.InDoubt, p.SetAside, p.Exhausted, p.Retryable})
}
