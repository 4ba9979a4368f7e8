//go:build linux

package torture_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// TestSameWithOneOrMany runs one scenario in peace: by one worker, and by four supervisors on three machines; with a file and
// with a server. What became of each job, and the statistics of each pass, must be the same.
func TestSameWithOneOrMany(t *testing.T) {
	t.Parallel()
	tor := newTorture(t)
	machines := []*host{nil}
	if tor.privileged {
		machines = []*host{machine(t, "one", false), machine(t, "two", false), machine(t, "three", false)}
	}
	down, first := template(t), ""
	for _, c := range []struct {
		name    string
		server  bool
		workers int
		lenders int
	}{
		{"a file, one worker", false, 1, 0},
		{"a file, four supervisors", false, 2, 3},
		{"a server, one worker", true, 1, 0},
		{"a server, four supervisors", true, 2, 3},
	} {
		r := newRound(t, 1, 77, rehearsalFind, self(t), tor.pub)
		r.even(t, c.workers)
		r.hosts = []*host{nil}
		if c.server {
			r.hosts = machines
			r.serve(t, down)
		}
		told := r.inPeace(t, c.lenders)
		if first == "" {
			first = told
		}
		if told != first {
			r.problem("not the same as with %s:\n%s\n%s", "a file, one worker", told, first)
		}
		if len(r.problems) > 0 {
			t.Errorf("%s, kept in %s:\n%s", c.name, r.dir, strings.Join(r.problems, "\n"))
			continue
		}
		t.Logf("%s: %s", c.name, strings.SplitN(told, "\n", 2)[0])
		_ = os.RemoveAll(r.dir)
	}
}

// even makes a round of one job an account, of which nothing depends on who is quicker.
func (r *round) even(t *testing.T, workers int) {
	t.Helper()
	kinds := []string{
		"ok",
		"adb: device offline",
		"Something moved where nothing should",
		"!crash-before-share",
		"!crash-after-share",
		"The video format is not supported. Please check spec for supported formats",
		"We suspended your account. 180 days left to appeal or we'll permanently disable it",
	}
	r.jobs, r.script, r.unsure = nil, map[string][]string{}, map[reel.JobID]bool{}
	for i := range 28 {
		j := reel.Job{ID: reel.JobID(fmt.Sprintf("j%02d", i)), Account: fmt.Sprintf("acc%02d", i), VideoPath: fmt.Sprintf("videos/even%d.mp4", i), Caption: "caption"}
		r.jobs, r.content[j.VideoPath] = append(r.jobs, j), j.VideoPath
		r.script[string(j.ID)] = []string{kinds[i%7], kinds[(i/7+1)%7], kinds[(i/7+i)%7], "ok"}
	}
	r.workers, r.slots, r.limits = workers, 1, reel.DefaultLimits()
	r.writeJobs(t)
	r.write(t, "reelpass.yaml", r.settings())
}

// serve gives the round a copy of a server, with a line from each of its machines.
func (r *round) serve(t *testing.T, down *postgrestest.Server) {
	t.Helper()
	var err error
	if r.server, err = down.Copy(r.disk); err != nil {
		t.Fatal(err)
	}
	for range r.hosts {
		r.lines = append(r.lines, newLine(t, r.server.Address()))
	}
}

// inPeace lets a run and lenders carry the batch out, and tells what became of it.
func (r *round) inPeace(t *testing.T, lenders int) string {
	t.Helper()
	defer r.cleanUp()
	a := r.run(t)
	r.until("it leads", func() bool { return a.leads() || a.over() })
	for i := range lenders {
		r.startAt(t, (1+i)%len(r.hosts), "worker", "--batch", "torture", "--json")
	}
	for _, a := range r.actors {
		if r.await(a, patience) {
			r.ended(a)
		}
	}
	r.check(a.code())
	var passes, jobs, by []string
	db := r.ledger()
	defer db.Close()
	c := checker{round: r, db: db}
	var p, n, ok, acc, con, inf, unk, doubt, aside, out, again int
	text, number := "", 0
	each := func(query string, to *[]string, dest ...any) {
		rows, err := db.Query(query)
		if err != nil {
			c.problem("%s: %v", query, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				c.problem("%s: %v", query, err)
			}
			*to = append(*to, fmt.Sprint(p, n, ok, acc, con, inf, unk, doubt, aside, out, again, text, number))
		}
	}
	each(`SELECT pass,processed,succeeded,f_account,f_content,f_infra,f_unknown,in_doubt,set_aside,exhausted,retryable FROM pass ORDER BY pass`,
		&passes, &p, &n, &ok, &acc, &con, &inf, &unk, &doubt, &aside, &out, &again)
	each(`SELECT job_id||' '||state||' '||reason, attempts FROM job ORDER BY job_id`, &jobs, &text, &number)
	each(`SELECT host, count(*) FROM attempt GROUP BY host`, &by, &text, &number)
	if len(by) < 1+lenders {
		c.problem("only %d of %d supervisors did something", len(by), 1+lenders)
	}
	return fmt.Sprintf("%d passes, %d jobs\n%s\n%s", len(passes), len(jobs), strings.Join(passes, "\n"), strings.Join(jobs, "\n"))
}
