package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// Every statement that was ever prepared for a change finds its rows through an index: its time does not grow with the
// batch. A SCAN is allowed of what is small by nature, and of an index that holds only few rows.
func TestStatementsUseTheirIndexes(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	exercise(t, s)
	allowed := []string{
		"SCAN batch",                                  // a handful
		"SCAN j USING INDEX job_in_flight",            // jobs in workers' hands
		"SCAN h USING INDEX hold_active",              // accounts that are held
		"SCAN event",                                  // its last row
		"SCAN job USING INDEX job_look",               // doubts
		"SCAN job USING COVERING INDEX job_in_flight", // jobs in workers' hands
		"SCAN job USING INDEX job_in_flight",
		"SCAN CONSTANT ROW",
	}
	seen := map[string]bool{}
	for query := range s.writer.conn.(*fileLink).stmts {
		for _, line := range explain(t, s, query) {
			if line := strings.TrimSpace(line); strings.HasPrefix(line, "SCAN") && !anyPrefix(line, allowed) && !strings.HasSuffix(line, "-ROW VALUES CLAUSE") {
				t.Errorf("%s\n  in %s", line, query)
			}
			for _, table := range []string{"job", "publish", "attempt", "event"} { // a search by batch alone reads all of it
				if strings.HasSuffix(line, "(batch_id=?)") && strings.Contains(line, " "+table) && !strings.Contains(line, "job_look") && !strings.Contains(line, "job_trouble") {
					t.Errorf("%s\n  in %s", line, query)
				}
			}
			seen[line] = true
		}
	}
	for want, why := range map[string]string{
		"SEARCH j USING INDEX job_ready (batch_id=? AND due_pass=? AND account_id>? AND account_id<?)": "the next job to claim",
		"SEARCH f USING COVERING INDEX job_in_flight (account_id=?)":                                   "is the account in flight",
		"SEARCH publish USING PRIMARY KEY (account_id=? AND content=?)":                                "was it published, and the end of an intent",
	} {
		found := false
		for line := range seen {
			found = found || strings.HasPrefix(strings.ReplaceAll(line, "COVERING ", ""), strings.ReplaceAll(want, "COVERING ", ""))
		}
		if !found {
			t.Errorf("%s: no statement does %q", why, want)
		}
	}
	for _, query := range []string{
		`SELECT name,n FROM total WHERE batch_id=1`,
		`SELECT count(*) FROM job WHERE account_id=1 AND state='set_aside' AND reason='account_hold'`,
		passColumns + ` FROM pass WHERE batch_id=1 ORDER BY pass`,
		recordColumns + ` WHERE j.batch_id=1 AND (` + anyOf([]reel.State{reel.SetAside, reel.InDoubt}) + `) ORDER BY j.id`,
		`SELECT seq,at,data FROM event WHERE job=1 ORDER BY seq`,
		`SELECT seq,at,data FROM event WHERE seq>7 ORDER BY seq LIMIT 9`,
		keyedColumns + ` WHERE j.batch_id=1 AND (` + anyOf([]reel.State{reel.SetAside}) + `) AND +j.id>=1 ORDER BY +j.id LIMIT 51`,
		keyedColumns + ` WHERE j.batch_id=1 AND j.state IN ('pending','failed') AND (` + anyOf([]reel.State{reel.Failed}) + `) AND +j.id>=1 ORDER BY +j.id LIMIT 51`,
		keyedColumns + ` WHERE j.batch_id=1 AND j.owner IS NOT NULL AND (` + anyOf([]reel.State{reel.Running}) + `) AND +j.id>=1 ORDER BY +j.id LIMIT 51`,
		keyedColumns + ` WHERE j.batch_id=1 AND j.error LIKE 'x' AND j.id>=1 AND j.id<9 ORDER BY j.id LIMIT 51`,
	} {
		for _, line := range explain(t, s, query) {
			if strings.Contains(line, "SCAN") && !strings.Contains(line, "job_in_flight") || strings.Contains(line, "INDEX job_aside (account_id=?)") {
				t.Errorf("%s\n  in %s", line, query)
			}
		}
	}
}

func anyPrefix(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

func explain(t *testing.T, s *Store, query string) []string {
	t.Helper()
	if up := strings.ToUpper(query); strings.HasPrefix(up, "BEGIN") || strings.HasPrefix(up, "COMMIT") || strings.HasPrefix(up, "PRAGMA") {
		return nil
	}
	n := strings.Count(query, "?")
	if strings.Contains(query, "?1") { // numbered: as many as the greatest number
		for n = 9; !strings.Contains(query, fmt.Sprintf("?%d", n)); {
			n--
		}
	}
	args := make([]any, n)
	rows, err := s.read.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, x int
		var detail string
		if err := rows.Scan(&id, &parent, &x, &detail); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, detail)
	}
	return lines
}

// exercise goes through every change that the store knows.
func exercise(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	seed(t, s, "b", 40, 20)
	r, sup := lead(t, s, "b")
	limits := reel.DefaultLimits()
	who := reel.Claimant{Batch: "b", Supervisor: sup.ID, Worker: 1}
	claim := func() reel.Claim {
		t.Helper()
		c, _, err := s.Claim(ctx, who)
		must(err)
		return c
	}
	fail := func(c reel.Claim, cat reel.Category, begun bool) {
		t.Helper()
		v := reel.Verdict{Category: cat}
		o := reel.OutcomeFailed
		if begun {
			o = reel.OutcomeInDoubt
			_, err := s.Intent(ctx, c, reel.Fingerprint{Key: "sha256:" + c.Job.VideoPath, Path: "path:" + c.Job.VideoPath}, false)
			must(err)
		}
		_, err := s.Record(ctx, c, reel.Ending{
			Look: true, Attempt: reel.Attempt{Number: c.Attempt, Pass: c.Pass, Verdict: v, Outcome: o, ShareBegun: begun},
			Decision: plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: 5, ShareBegun: begun}, v, limits),
		})
		must(err)
	}
	must(finishPost(ctx, s, claim()))
	fail(claim(), reel.Account, false)
	fail(claim(), reel.Infrastructure, false)
	c := claim()
	first := c
	fail(c, reel.Infrastructure, true)
	c = claim()
	s.Started(c.Lease, reel.Process{PID: 1})
	must(s.Release(ctx, c))
	c = claim()
	_, err := s.RecordLook(ctx, c, reel.Look{Finding: reel.Absent}, reel.Decision{State: reel.Failed})
	must(err)
	fail(claim(), reel.Infrastructure, true)
	c = claim()
	_, err = s.RecordLook(ctx, c, reel.Look{Finding: reel.Unsure}, reel.Decision{})
	must(err)
	_, err = s.Resolve(ctx, "b", c.Job.ID, reel.Look{Finding: reel.Found}, nil)
	must(err)
	c = claim()
	_, err = s.Intent(ctx, c, reel.Fingerprint{Key: "path:/v/0.mp4", Path: "path:/v/0.mp4"}, true)
	must(err)
	fail2 := reel.Ending{Attempt: reel.Attempt{Number: c.Attempt, Pass: c.Pass, Outcome: reel.OutcomeSucceeded}, Decision: plan.Posted()}
	_, err = s.Record(ctx, c, fail2)
	must(err)
	again := reel.Post{
		Job:  reel.Job{ID: "again", Account: first.Job.Account, VideoPath: first.Job.VideoPath},
		Past: &reel.Past{State: reel.Succeeded, Tally: reel.Tally{Attempts: 1}, Hold: true},
	}
	_, err = s.Import(ctx, "c", func(yield func(reel.Post, error) bool) {
		for range 2 {
			if !yield(again, nil) {
				return
			}
		}
	})
	must(err)
	_, err = s.Renew(ctx, sup.ID)
	must(err)
	must(s.Pause(ctx, "b", false, "me"))
	must(s.HoldAccount(ctx, "acc-00010", "me", "why", time.Time{}))
	_, err = s.ReleaseAccount(ctx, "acc-00010", "me", true)
	must(err)
	_, err = s.Cancel(ctx, "b", "job-0000015", "me")
	must(err)
	_, err = s.Retry(ctx, "b", "job-0000015", "me")
	must(err)
	for {
		if err := cycle(s, 1); err != nil {
			break
		}
	}
	_, _, err = s.Advance(ctx, "b", r.Term, func(reel.Standing) reel.Step { return reel.Step{Result: reel.MaxPassesReached} })
	must(err)
	_, _, err = s.Lead(ctx, reel.Bid{Batch: "b", Term: r.Term, Leader: sup, Limits: reel.Limits{MaxPasses: 50}, Look: true})
	must(err)
	_, err = s.StepDown(ctx, "b", r.Term+1, "why")
	must(err)
	_, _, err = s.Lead(ctx, reel.Bid{Batch: "b", Term: r.Term + 1, Leader: sup, Limits: limits})
	must(err)
}
