//go:build linux

package torture_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the ledger is read beside the program, not through it
	_ "modernc.org/sqlite"

	"reelpass/internal/reel"
)

// happened is one real effect, as the outside recorded it.
type happened struct {
	Job     reel.JobID `json:"job_id"`
	Account string     `json:"account"`
	Attempt int        `json:"attempt"`
	Receipt string     `json:"receipt"`
	At      time.Time  `json:"at"`
}

// effects reads the outside record.
func (r *round) effects() []happened {
	data, err := os.ReadFile(filepath.Join(r.dir, "world.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.problem("the outside record: %v", err)
	}
	var all []happened
	for line := range bytes.Lines(data) {
		var h happened
		if err := json.Unmarshal(line, &h); err != nil {
			r.problem("the outside record: %q: %v", line, err)
			continue
		}
		if h.Attempt == 0 { // a rehearsal's receipt ends in the attempt
			h.Attempt, _ = strconv.Atoi(h.Receipt[strings.LastIndexByte(h.Receipt, '-')+1:])
		}
		all = append(all, h)
	}
	return all
}

func (r *round) ledger() *sql.DB {
	driver, name := "sqlite", "file:"+filepath.Join(r.dir, ".reelpass", "ledger.db")+"?_pragma=busy_timeout(10000)"
	if r.server != nil {
		driver, name = "pgx", r.server.DSN("ledger")
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		r.problem("open the ledger: %v", err)
	}
	return db
}

// count counts the rows of a table.
func (r *round) count(table string) (n int) {
	db := r.ledger()
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		r.problem("count %s: %v", table, err)
	}
	return n
}

// kept is what the ledger says of a job.
type kept struct {
	key      int64
	id       reel.JobID
	account  string
	video    string
	state    reel.State
	reason   reel.Reason
	leased   bool
	held     bool
	attempts int
	tally    [4]int
}

// check recounts everything. code is the exit code of the last run.
func (r *round) check(code int) {
	if all, _ := offspring(r.dir); len(all) > 0 {
		// A process that its supervisor's death has killed may need a moment to go.
		deadline := time.Now().Add(2 * time.Second)
		for len(all) > 0 && time.Now().Before(deadline) {
			<-time.After(20 * time.Millisecond)
			all, _ = offspring(r.dir)
		}
		if len(all) > 0 {
			r.problem("processes left:\n%s", describe(all))
		}
	}
	db := r.ledger()
	defer db.Close()
	c := &checker{round: r, db: db, effects: map[reel.JobID][]happened{}}
	c.read()
	if len(r.problems) > 0 {
		return
	}
	c.everyJobOnce()
	c.effectsAgainstStates()
	c.counts()
	c.story()
	c.exitCode(code)
}

type checker struct {
	*round
	db      *sql.DB
	effects map[reel.JobID][]happened
	jobs    map[reel.JobID]kept
	byKey   map[int64]kept
	journal []reel.Event
}

// rows reads all rows of a query; scan takes one.
func (c *checker) rows(query string, scan func(*sql.Rows) error) {
	rows, err := c.db.Query(query)
	if err != nil {
		c.problem("%s: %v", query, err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			c.problem("%s: %v", query, err)
			return
		}
	}
	if err := rows.Err(); err != nil {
		c.problem("%s: %v", query, err)
	}
}

func (c *checker) read() {
	for _, h := range c.round.effects() {
		c.effects[h.Job] = append(c.effects[h.Job], h)
		c.figures.effects++
	}
	if c.server == nil {
		var ok string
		if err := c.db.QueryRow(`PRAGMA integrity_check`).Scan(&ok); err != nil || ok != "ok" {
			c.problem("integrity of the ledger: %s %v", ok, err)
		}
	}
	c.jobs, c.byKey = map[reel.JobID]kept{}, map[int64]kept{}
	c.rows(`SELECT j.id,j.job_id,a.name,j.video_path,j.state,j.reason,j.owner IS NOT NULL,j.attempts,j.f_account,j.f_content,j.f_infra,j.f_unknown,
		EXISTS(SELECT 1 FROM hold h WHERE h.account_id=j.account_id AND h.released_at IS NULL)
		FROM job j JOIN account a ON a.id=j.account_id`, func(rows *sql.Rows) error {
		var k kept
		err := rows.Scan(&k.key, &k.id, &k.account, &k.video, &k.state, &k.reason, &k.leased, &k.attempts,
			&k.tally[0], &k.tally[1], &k.tally[2], &k.tally[3], &k.held)
		if _, twice := c.jobs[k.id]; twice {
			c.problem("job %s is in the ledger twice", k.id)
		}
		c.jobs[k.id], c.byKey[k.key] = k, k
		return err
	})
	c.rows(`SELECT seq,data FROM event ORDER BY seq`, func(rows *sql.Rows) error {
		var seq int64
		var data string
		if err := rows.Scan(&seq, &data); err != nil {
			return err
		}
		var e reel.Event
		err := json.Unmarshal([]byte(data), &e)
		e.Seq = seq
		c.journal = append(c.journal, e)
		return err
	})
	c.figures.jobs += len(c.jobs)
}

// everyJobOnce: each job of the input is there once and in one final state, or in doubt.
func (c *checker) everyJobOnce() {
	if len(c.jobs) != len(c.round.jobs) {
		c.problem("%d jobs in the input, %d in the ledger", len(c.round.jobs), len(c.jobs))
		c.figures.lost++
	}
	for _, j := range c.round.jobs {
		k, ok := c.jobs[j.ID]
		switch {
		case !ok:
			c.problem("job %s is lost", j.ID)
			c.figures.lost++
		case k.leased:
			c.problem("job %s still has a lease", j.ID)
		case !k.state.Final() && k.state != reel.InDoubt:
			c.problem("job %s ended as %s", j.ID, k.state)
			c.figures.lost++
		case k.state == reel.InDoubt && c.way.finds() && !c.unsure[j.ID] && !k.held:
			c.problem("job %s is in doubt, and its find can answer", j.ID)
		}
		if k.state == reel.InDoubt {
			c.figures.inDoubt++
		}
	}
}

// effectsAgainstStates: what happened outside, against what the ledger says of it.
func (c *checker) effectsAgainstStates() {
	if c.way == rehearsalBlind {
		return // it leaves no record
	}
	published := map[string]reel.JobID{}
	for _, id := range slices.Sorted(maps.Keys(c.effects)) {
		list := c.effects[id]
		k, ok := c.jobs[id]
		if !ok {
			c.problem("an effect of job %s, which the ledger does not know", id)
			continue
		}
		if len(list) > 1 {
			c.problem("job %s has %d effects: %v", id, len(list), list)
			c.figures.doubles++
		}
		if k.state != reel.Succeeded && k.state != reel.InDoubt {
			c.problem("job %s is %s (%s), and it was posted: %v", id, k.state, k.reason, list)
			c.figures.lost++
		}
		video := k.account + " " + c.content[k.video]
		if other, twice := published[video]; twice && !c.rogue(id, list[0].Attempt) && !c.rogue(other, c.effects[other][0].Attempt) {
			c.problem("the video of %s was posted on the account by %s already", id, other)
			c.figures.doubles++
		}
		published[video] = id
	}
	for id, k := range c.jobs {
		if k.state == reel.Succeeded && len(c.effects[id]) == 0 {
			c.problem("job %s succeeded without an effect", id)
			c.figures.lost++
		}
	}
}

// counts: totals, tallies and passes against a recount.
func (c *checker) counts() {
	want := map[string]int{"jobs": len(c.jobs)}
	for _, k := range c.jobs {
		want[string(k.state)]++
	}
	type attempt struct {
		reel.Attempt
		job int64
	}
	var attempts []attempt
	tally := map[int64][4]int{}
	number := map[int64]int{}
	inPass := map[string]int{}
	c.rows(`SELECT job,number,pass,outcome,category FROM attempt ORDER BY job,number`, func(rows *sql.Rows) error {
		var a attempt
		if err := rows.Scan(&a.job, &a.Number, &a.Pass, &a.Outcome, &a.Verdict.Category); err != nil {
			return err
		}
		if number[a.job]++; a.Number != number[a.job] {
			c.problem("job %s: attempt %d stands at place %d", c.byKey[a.job].id, a.Number, number[a.job])
		}
		key := fmt.Sprintf("%s in pass %d", c.byKey[a.job].id, a.Pass)
		if inPass[key]++; inPass[key] > 1 {
			c.problem("job %s was attempted %d times", key, inPass[key])
		}
		if a.Outcome == reel.OutcomeFailed {
			of := tally[a.job]
			of[slices.Index(reel.Categories(), a.Verdict.Category)]++
			tally[a.job] = of
		}
		attempts = append(attempts, a)
		return nil
	})
	want["attempts"] = len(attempts)
	c.figures.attempts += len(attempts)
	for key, k := range c.byKey {
		if k.attempts != number[key] || k.tally != tally[key] {
			c.problem("job %s counts %d attempts, failures %v; recounted %d, %v", k.id, k.attempts, k.tally, number[key], tally[key])
		}
	}
	have := map[string]int{}
	c.rows(`SELECT name,n FROM total`, func(rows *sql.Rows) error {
		var name string
		var n int
		err := rows.Scan(&name, &n)
		if n != 0 {
			have[name] = n
		}
		return err
	})
	if !maps.Equal(have, want) {
		c.problem("totals are %v, recounted %v", have, want)
	}
	c.rows(`SELECT pass,ended_at IS NOT NULL,processed,succeeded,f_account,f_content,f_infra,f_unknown,in_doubt,set_aside,exhausted,retryable FROM pass`,
		func(rows *sql.Rows) error {
			var p reel.PassStats
			var closed bool
			if err := rows.Scan(&p.Pass, &closed, &p.Processed, &p.Succeeded, &p.Failed.Account, &p.Failed.Content, &p.Failed.Infrastructure,
				&p.Failed.Unknown, &p.InDoubt, &p.SetAside, &p.Exhausted, &p.Retryable); err != nil {
				return err
			}
			var re reel.PassStats
			for _, a := range attempts {
				if a.Pass != p.Pass {
					continue
				}
				re.Processed++
				switch a.Outcome {
				case reel.OutcomeSucceeded:
					re.Succeeded++
				case reel.OutcomeInDoubt:
					re.InDoubt++
				case reel.OutcomeFailed:
				}
			}
			if !closed {
				c.problem("pass %d is still open", p.Pass)
			}
			if p.Processed != re.Processed || p.Succeeded != re.Succeeded || p.InDoubt != re.InDoubt ||
				p.Processed != p.Succeeded+p.Failed.Total()+p.InDoubt || p.Failed.Total() != p.SetAside+p.Exhausted+p.Retryable {
				c.problem("pass %d says %+v, recounted %+v", p.Pass, p, re)
			}
			return nil
		})
}

// story: the journal of each job, step by step, beside what happened outside.
func (c *checker) story() {
	type life struct {
		state   reel.State
		fence   int64
		attempt int
		intents map[int]time.Time
		ends    map[int]time.Time
	}
	lives := map[reel.JobID]*life{}
	taken := map[string]bool{}                                  // job and pass
	timed := !c.jumped || c.server != nil && !c.way.rehearsal() // the journal and the outside went by the same clock
	busy := map[string]reel.JobID{}                             // by account
	for _, e := range c.journal {
		if e.Job == "" || e.Kind == reel.EventHold {
			continue
		}
		l := lives[e.Job]
		if l == nil {
			l = &life{state: reel.Pending, intents: map[int]time.Time{}, ends: map[int]time.Time{}}
			lives[e.Job] = l
		}
		from := l.state
		switch e.Kind {
		case reel.EventClaimed:
			l.state = reel.Running
			if e.Fence <= l.fence || e.Attempt != l.attempt+1 {
				c.problem("job %s: claimed as attempt %d with fence %d after attempt %d, fence %d", e.Job, e.Attempt, e.Fence, l.attempt, l.fence)
			}
			l.fence, l.attempt = e.Fence, e.Attempt
			key := fmt.Sprintf("%s in pass %d", e.Job, e.Pass)
			if taken[key] {
				c.problem("job %s was claimed twice", key)
			}
			taken[key] = true
			if other, taken := busy[e.Account]; taken {
				c.problem("job %s of %s was claimed while %s was in flight", e.Job, e.Account, other)
			}
			busy[e.Account] = e.Job
		case reel.EventIntent:
			l.state = reel.Publishing
			l.intents[e.Attempt] = e.At
		case reel.EventSucceeded:
			l.state = reel.Succeeded
		case reel.EventInDoubt:
			l.state = reel.InDoubt
		case reel.EventFailed, reel.EventDuplicate, reel.EventLooked:
			if e.Decision != nil {
				l.state = e.Decision.State
			}
		}
		switch {
		case e.Fence > l.fence && (e.Kind == reel.EventLooked || e.Kind == reel.EventDuplicate || e.Kind == reel.EventProbe || e.Kind == reel.EventKept): // a claim that is not told by itself
			l.fence = e.Fence
		case e.Fence != 0 && e.Fence != l.fence:
			c.problem("job %s: %s was written under fence %d, and the present one is %d", e.Job, e.Kind, e.Fence, l.fence)
		}
		switch e.Kind {
		case reel.EventSucceeded, reel.EventInDoubt, reel.EventFailed, reel.EventDuplicate:
			l.ends[e.Attempt] = e.At
			delete(busy, e.Account)
		}
		if l.state != from && !reel.CanBecome(from, l.state) {
			c.problem("job %s went from %s to %s (%s)", e.Job, from, l.state, e.Kind)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.effects)) {
		for _, h := range c.effects[id] {
			l := lives[id]
			if l == nil {
				c.problem("job %s has an effect and no story", id)
				continue
			}
			intent, meant := l.intents[h.Attempt]
			if (!meant || timed && intent.After(h.At)) && !c.rogue(id, h.Attempt) {
				c.problem("job %s: an effect of attempt %d at %s without an intent before it", id, h.Attempt, clock(h.At))
			}
			if end, over := l.ends[h.Attempt]; timed && over && h.At.After(end) {
				c.problem("job %s: an effect of attempt %d at %s, which had been ended at %s", id, h.Attempt, clock(h.At), clock(end))
			}
		}
	}
	for id, k := range c.jobs {
		l := lives[id]
		if l == nil {
			if k.attempts > 0 {
				c.problem("job %s has %d attempts and no story", id, k.attempts)
			}
			continue
		}
		// Set aside for its account and out of passes are told for many jobs at once.
		atOnce := k.reason == reel.ReasonAccountHold || k.state == reel.OutOfPasses
		if l.state != k.state && (!atOnce || !l.state.Ready()) {
			c.problem("job %s is %s, and its story ends as %s", id, k.state, l.state)
		}
	}
}

// rogue says that an attempt shares without asking.
func (c *checker) rogue(id reel.JobID, attempt int) bool {
	list := c.script[string(id)]
	return len(list) > 0 && strings.HasPrefix(list[min(attempt, len(list))-1], "rogue")
}

func clock(t time.Time) string { return t.Format("15:04:05.000000") }

// exitCode: what the last run told whoever started it.
func (c *checker) exitCode(code int) {
	n := map[reel.State]int{}
	for _, k := range c.jobs {
		n[k.state]++
	}
	want := 3
	switch {
	case n[reel.Succeeded] == len(c.jobs):
		want = 0
	case n[reel.OutOfPasses] > 0:
		want = 4
	}
	if code != want {
		c.problem("the last run ended with %d, want %d: %v", code, want, n)
	}
}
