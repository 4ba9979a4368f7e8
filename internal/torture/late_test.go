//go:build linux

package torture_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// TestTortureLate stops a supervisor on one machine for longer than its leases, until another machine has taken everything over and
// is at work on it; then the first goes on where it was. Its publishers have gone on meanwhile: some ask for the go only now, some
// have posted and now say so, and some are told to stop and do not. What comes late must change nothing, with a file and with a
// server. The same program without one of its fences must be found out.
func TestTortureLate(t *testing.T) {
	t.Parallel()
	tor := newTorture(t)
	hosts := []*host{machine(t, "early", false), machine(t, "other", false)}
	down := template(t)
	programs := append([]mutant{{}}, late()...)
	var all sync.WaitGroup
	for i, m := range programs {
		program := self(t)
		if m.name != "" {
			program = m.build(t)
		}
		for on, server := range map[string]*postgrestest.Server{"file": nil, "server": down} {
			r := newLate(t, i, tor, program, hosts, server)
			all.Go(func() {
				r.late(t)
				switch {
				case m.name == "" && len(r.problems) > 0:
					t.Errorf("with a %s, kept in %s:\n%s", on, r.dir, strings.Join(r.problems, "\n"))
					return
				case m.name != "" && len(r.problems) == 0:
					t.Errorf("with a %s: a program that %s was not found out", on, m.name)
				case m.name != "":
					t.Logf("with a %s, a program that %s: %s", on, m.name, r.problems[0])
				}
				_ = os.RemoveAll(r.dir)
			})
		}
	}
	all.Wait()
}

// newLate is a round of seven jobs of seven accounts, which two machines share.
func newLate(t *testing.T, number int, tor *torture, program string, hosts []*host, server *postgrestest.Server) *round {
	t.Helper()
	r := newRound(t, number, tor.seed, jsonlSelf, program, tor.pub)
	r.jobs, r.script, r.unsure = nil, map[string][]string{}, map[reel.JobID]bool{}
	for i, list := range [][]string{
		{"ok 9000 0", "ok 9000 0"}, {"ok 9000 0", "ok 9000 0"}, {"ok 9000 0", "ok 9000 0"}, // asks while nobody hears, and once more elsewhere
		{"deaf 9000 0", "ok 9000 0"}, {"deaf 9000 0", "ok 9000 0"},
		{"ok 10 20000"}, {"ok 10 20000"}, // posts at once, and says so while nobody hears
	} {
		j := reel.Job{ID: reel.JobID(fmt.Sprintf("j%d", i)), Account: fmt.Sprintf("acc%d", i), VideoPath: fmt.Sprintf("videos/late%d.mp4", i), Caption: "caption"}
		r.jobs, r.script[string(j.ID)], r.content[j.VideoPath] = append(r.jobs, j), list, j.VideoPath
	}
	r.workers, r.slots, r.timeout = len(r.jobs), 1, 120
	r.limits = reel.DefaultLimits()
	r.writeJobs(t)
	r.write(t, "reelpass.yaml", r.settings())
	r.hosts, r.faulty = hosts, true
	if server != nil {
		r.serve(t, server)
	}
	return r
}

func (r *round) late(t *testing.T) {
	t.Helper()
	defer r.cleanUp()
	old := r.startAt(t, 0, "run", "posts.csv", "--json")
	if !r.until("all jobs are in hand", func() bool { return r.told(reel.EventClaimed, 1) == 7 && len(r.effects()) == 2 }) {
		return
	}
	<-time.After(500 * time.Millisecond) // so that it is not stopped while it holds the file's lock
	old.signal(syscall.SIGSTOP)
	r.home = 1
	var next *actor
	leads := func() bool {
		if next == nil || next.over() {
			next = r.run(t)
		}
		select {
		case <-next.done:
		case <-time.After(time.Second):
		}
		return next.leads()
	}
	if !r.until("the other machine leads", leads) || !r.until("it has what was not posted", func() bool { return r.told(reel.EventClaimed, 2) == 5 }) {
		return
	}
	old.signal(syscall.SIGCONT)
	for _, a := range []*actor{old, next} {
		if r.await(a, patience); !a.over() || a.killed() {
			r.problem("%s did not end by itself: %s", a.name, head(a.errors()))
			return
		}
	}
	if code := old.code(); code != 1 || !excused(old.errors()) {
		r.problem("%s ended with %d after it had come late: %s", old.name, code, head(old.errors()))
	}
	if r.again(t); r.figures.effects != len(r.jobs) {
		r.problem("%d effects of %d jobs", r.figures.effects, len(r.jobs))
	}
}

// until waits for something that must come.
func (r *round) until(what string, is func() bool) bool {
	for limit := time.Now().Add(patience); time.Now().Before(limit); <-time.After(100 * time.Millisecond) {
		if is() {
			return true
		}
	}
	r.problem("it did not come to pass that %s", what)
	return false
}

// told counts the events of a kind for an attempt in the journal.
func (r *round) told(kind reel.EventKind, attempt int) (n int) {
	db := r.ledger()
	defer db.Close()
	rows, err := db.Query(`SELECT data FROM event`)
	if err != nil {
		return 0 // the ledger is not there yet
	}
	defer rows.Close()
	for rows.Next() {
		var data string
		var e reel.Event
		if rows.Scan(&data) == nil && json.Unmarshal([]byte(data), &e) == nil && e.Kind == kind && e.Attempt == attempt {
			n++
		}
	}
	return n
}
