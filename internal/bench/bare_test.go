//go:build linux

package bench

import (
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite" // the binding that the ledger writes with
)

// bare is the least program that does what a cycle must do: the statements of the ledger's claim, intent and record on the
// ledger's own tables and indexes, prepared once, on one connection of the same binding, in three durable transactions. It
// decides nothing, reads no clock more than once a transaction, and writes the same words into every event.
type bare struct {
	t     *testing.T
	conn  *sqlite.Conn
	stmts map[string]*sqlite.Stmt
	turn  int64
}

// openBare opens a copy of a ledger. sync is SQLite's synchronous: FULL as the ledger has it, OFF to see SQLite's own time.
func openBare(t *testing.T, path, sync string) *bare {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	b := &bare{t: t, conn: conn, stmts: map[string]*sqlite.Stmt{}}
	for _, pragma := range []string{"journal_mode(WAL)", "cache_size(-16000)", "synchronous(" + sync + ")"} {
		b.row("PRAGMA "+pragma, nil)
	}
	return b
}

func (b *bare) close() {
	for _, s := range b.stmts {
		_ = s.Finalize() // the connection goes with them
	}
	if err := b.conn.Close(); err != nil {
		b.t.Error(err)
	}
}

// bound is a prepared statement with its arguments.
func (b *bare) bound(query string, args []any) *sqlite.Stmt {
	s, ok := b.stmts[query]
	if !ok {
		var err error
		if s, _, err = b.conn.PrepareTransient(query); err != nil {
			b.t.Fatalf("%v in %s", err, query)
		}
		b.stmts[query] = s
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case nil:
			s.BindNull(i + 1)
		case int:
			s.BindInt64(i+1, int64(v))
		case int64:
			s.BindInt64(i+1, v)
		case bool:
			s.BindBool(i+1, v)
		case string:
			s.BindText(i+1, v)
		default:
			b.t.Fatalf("a %T in %s", arg, query)
		}
	}
	return s
}

func (b *bare) exec(query string, args ...any) { b.row(query, args) }

// row says whether there was a row, and reads its columns as far as there are destinations.
func (b *bare) row(query string, args []any, dest ...any) bool {
	s := b.bound(query, args)
	found, err := s.Step()
	if err != nil {
		b.t.Fatalf("%v in %s", err, query)
	}
	if !found {
		dest = nil
	}
	for i, d := range dest {
		switch d := d.(type) {
		case *int64:
			*d = s.ColumnInt64(i)
		case *bool:
			*d = s.ColumnBool(i)
		case *string:
			*d = s.ColumnText(i)
		default:
			b.t.Fatalf("a %T in %s", d, query)
		}
	}
	if err := s.Reset(); err != nil {
		b.t.Fatalf("%v in %s", err, query)
	}
	return found
}

// lead opens pass 1 with plain statements.
func (b *bare) lead() {
	b.exec(`INSERT INTO supervisor(uid,name,host,pid,started) VALUES('bare','bare','h',1,1)`)
	b.exec(`UPDATE batch SET pass=1, pass_open=1, last_pass=5 WHERE name=?`, batch)
	b.exec(`INSERT INTO pass(batch_id,pass,started_at) VALUES(1,1,1)`)
}

// taken is what a claim hands on.
type taken struct {
	key, account, fence int64
	id, name, path      string
}

// The events of a cycle, of the usual length.
const (
	someEvent   = `{"seq":0,"at":"2026-11-22T08:38:43.84823203Z","event":"claimed","batch":"b","pass":1,"job_id":"job-0000001","account":"acc-00001","attempt":1,"worker_id":2,"fence":1}`
	someReceipt = `{"seq":0,"at":"2026-11-22T08:38:43.85419228Z","event":"succeeded","batch":"b","pass":1,"job_id":"job-0000001","account":"acc-00001","attempt":1,"worker_id":2,"fence":1,"receipt":{"id":"r1"}}`
)

// events appends one event for each job, up to 32 a statement.
func (b *bare) events(now int64, kind, data string, jobs []taken) {
	var seq int64
	b.row(`SELECT COALESCE(max(seq),0) FROM event`, nil, &seq)
	for n := 0; len(jobs) > 0; jobs = jobs[n:] {
		for n = 1; n < 32 && 2*n <= len(jobs); {
			n *= 2
		}
		args := make([]any, 0, 6*n)
		for _, j := range jobs[:n] {
			seq++
			args = append(args, seq, now, kind, 1, j.key, data)
		}
		b.exec(`INSERT INTO event(seq,at,kind,batch_id,job,data) VALUES(?,?,?,?,?,?)`+strings.Repeat(`,(?,?,?,?,?,?)`, n-1), args...)
	}
}

func (b *bare) total(name string, n int) {
	b.exec(`INSERT INTO total(batch_id,name,n) VALUES(?,?,?) ON CONFLICT(batch_id,name) DO UPDATE SET n=n+excluded.n`, 1, name, n)
}

// claim takes so many jobs, fewer where there are no more.
func (b *bare) claim(now int64, many int, jobs []taken) []taken {
	var id, pass, last int64
	var open, paused, looks, busy, held bool
	b.row(`SELECT id,pass,last_pass,pass_open,paused,EXISTS(SELECT 1 FROM job WHERE batch_id=batch.id AND look_due=1)
		FROM batch WHERE name=?`, []any{batch}, &id, &pass, &last, &open, &paused, &looks)
	var caption, state, forgiven string
	var publishAt, limit, oldPass, attempts, fa, fc, fi, fu int64
	for range many {
		var j taken
		next := func(from, to int64) bool {
			return b.row(`SELECT j.id,j.job_id,j.account_id,a.name,j.video_path,j.caption,j.publish_at,j.max_attempts,j.state,j.fence,j.pass,
				j.attempts,j.f_account,j.f_content,j.f_infra,j.f_unknown,j.forgiven,
				EXISTS(SELECT 1 FROM job f WHERE f.account_id=j.account_id AND f.owner IS NOT NULL),
				EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL)
				FROM job j JOIN account a ON a.id=j.account_id
				WHERE j.batch_id=? AND j.due_pass=? AND j.state IN ('pending','failed') AND j.account_id>? AND j.account_id<=?
				AND (j.publish_at IS NULL OR j.publish_at<=?) ORDER BY j.account_id, j.id LIMIT 1`, []any{id, pass, from, to, now},
				&j.key, &j.id, &j.account, &j.name, &j.path, &caption, &publishAt, &limit, &state, &j.fence, &oldPass,
				&attempts, &fa, &fc, &fi, &fu, &forgiven, &busy, &held)
		}
		if !next(b.turn, 1<<62) && !next(0, b.turn) {
			break
		}
		b.turn = j.account
		j.fence++
		b.exec(`UPDATE job SET state='running', fence=fence+1, owner=?, lease_until=?, worker=?, worker_pid=?, worker_started=?, pass=?,
			claimed_at=?, completed_at=NULL WHERE id=?`, 1, now+30000, 1, 0, 0, pass, now, j.key)
		jobs = append(jobs, j)
	}
	b.total("pending", -len(jobs))
	b.total("running", len(jobs))
	b.events(now, "claimed", someEvent, jobs)
	return jobs
}

func (b *bare) intend(now int64, jobs []taken) {
	for _, j := range jobs {
		b.exec(`UPDATE job SET state='publishing', lease_until=? WHERE id=? AND fence=? AND owner IS NOT NULL AND state='running'
			AND lease_until>?`, now+30000, j.key, j.fence, now)
		b.exec(`INSERT INTO publish(account_id,content,job,fence,at) VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`,
			j.account, "path:"+j.path, j.key, j.fence, now)
	}
	b.total("running", -len(jobs))
	b.total("publishing", len(jobs))
	b.events(now, "intent", someEvent, jobs)
}

func (b *bare) record(now int64, jobs []taken) {
	for _, j := range jobs {
		b.exec(`UPDATE job SET state=?, reason=?, due_pass=?, owner=NULL, lease_until=NULL, worker_pid=0,
			attempts=attempts+1, f_account=f_account+?, f_content=f_content+?, f_infra=f_infra+?, f_unknown=f_unknown+?,
			error=?, category=?, type=?, rule=?, receipt_id=?, receipt_url=?, completed_at=?
			WHERE id=? AND fence=? AND owner IS NOT NULL AND state=?`,
			"succeeded", "", 2, 0, 0, 0, 0, "", "", "", "", "r1", "", now, j.key, j.fence, "publishing")
		b.exec(`INSERT INTO attempt(job,number,pass,worker,host,started_at,ended_at,outcome,share_begun,evidence,category,type,rule,
			receipt_id,receipt_url) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, j.key, 1, 1, 1, "bare", now, now, "succeeded", true, "", "", "", "", "r1", "")
	}
	b.total("publishing", -len(jobs))
	b.total("succeeded", len(jobs))
	b.total("attempts", len(jobs))
	b.exec(`UPDATE pass SET processed=processed+?, succeeded=succeeded+?, f_account=f_account+?, f_content=f_content+?,
		f_infra=f_infra+?, f_unknown=f_unknown+?, in_doubt=in_doubt+?, set_aside=set_aside+?, exhausted=exhausted+?,
		retryable=retryable+? WHERE batch_id=? AND pass=?`, len(jobs), len(jobs), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1)
	b.events(now, "succeeded", someReceipt, jobs)
}

// transaction does one durable transaction.
func (b *bare) transaction(do func(now int64)) {
	b.exec("BEGIN IMMEDIATE")
	do(time.Now().UnixMilli())
	b.exec("COMMIT")
}

// cycles runs full cycles for a stretch and says how many a second. share is how many share each commit: 1 is the bare loop,
// more is what no writer with so many slots can beat.
func (b *bare) cycles(share int) float64 {
	b.lead()
	jobs := make([]taken, 0, share)
	done, began := 0, time.Now()
	for time.Since(began) < stretch {
		b.transaction(func(now int64) { jobs = b.claim(now, share, jobs[:0]) })
		if len(jobs) == 0 {
			break
		}
		b.transaction(func(now int64) { b.intend(now, jobs) })
		b.transaction(func(now int64) { b.record(now, jobs) })
		done += len(jobs)
	}
	return float64(done) / time.Since(began).Seconds()
}

// plain is less than a cycle must do: one conditional update a transaction, no journal, no history, no counters.
func (b *bare) plain() float64 {
	b.lead()
	done, began := 0, time.Now()
	for ; time.Since(began) < stretch; done++ {
		var key, fence int64
		if !b.row(`UPDATE job SET state='running', fence=fence+1, owner=1, lease_until=?1, claimed_at=?1 WHERE id=
			(SELECT id FROM job WHERE batch_id=1 AND due_pass=1 AND state IN ('pending','failed') ORDER BY account_id, id LIMIT 1)
			RETURNING id, fence`, []any{time.Now().UnixMilli()}, &key, &fence) {
			break
		}
		b.exec(`UPDATE job SET state='publishing' WHERE id=? AND fence=? AND state='running'`, key, fence)
		b.exec(`UPDATE job SET state='succeeded', owner=NULL, lease_until=NULL, completed_at=? WHERE id=? AND fence=?`, time.Now().UnixMilli(), key, fence)
	}
	return float64(done) / time.Since(began).Seconds()
}

// insertAll is the bare import: the rows, one prepared statement, one transaction, the ledger's tables and indexes. It
// closes the file, as an import does: that writes what is still in the log alone into the file.
func (b *bare) insertAll(rows, accounts int) time.Duration {
	began := time.Now()
	b.exec("BEGIN IMMEDIATE")
	for i := range accounts {
		b.exec(`INSERT INTO account(id,name) VALUES(?,?)`, i+1, numbered("acc-", i, ""))
	}
	for i := range rows {
		j := jobAt(i, accounts)
		b.exec(`INSERT INTO job(batch_id,job_id,account_id,video_path,caption,publish_at,max_attempts,due_pass) VALUES(?,?,?,?,?,?,?,?)`,
			1, string(j.ID), i%accounts+1, j.VideoPath, j.Caption, nil, 0, 1)
	}
	b.total("jobs", rows)
	b.total("pending", rows)
	b.exec("COMMIT")
	b.close()
	return time.Since(began)
}

// queryPlan is what SQLite says it would do.
func (b *bare) queryPlan(query string) []string {
	var steps []string
	s := b.bound("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?")))
	for {
		found, err := s.Step()
		if err != nil {
			b.t.Fatalf("%v in the plan of %s", err, query)
		}
		if !found {
			return steps
		}
		steps = append(steps, s.ColumnText(3))
	}
}
