//go:build linux

package torture_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	playBoth(t, append(late(), mutant{}), down, func(n int, m mutant, program string, server *postgrestest.Server) *round {
		r := newLate(t, n, tor, program, hosts, server)
		r.late(t)
		return r
	})
}

// TestTortureOrphans kills a supervisor whose publishers have handed the post to processes that nobody else knows, and starts the next
// one at once: it must end those before it looks at their jobs. One that does not must be found out.
func TestTortureOrphans(t *testing.T) {
	t.Parallel()
	tor, down := newTorture(t), template(t)
	playBoth(t, []mutant{careless(), {}}, down, func(n int, _ mutant, program string, server *postgrestest.Server) *round {
		r := newOrphans(t, n, tor, program, server)
		r.orphans(t)
		return r
	})
}

// playBoth plays a scenario with each program, with a file and with a server, all side by side. The mutant without a name is the program
// as it is: no fault may be found with it, and some with every other.
func playBoth(t *testing.T, programs []mutant, down *postgrestest.Server, play func(int, mutant, string, *postgrestest.Server) *round) {
	t.Helper()
	var all sync.WaitGroup
	for i, m := range programs {
		program := self(t)
		if m.name != "" {
			program = m.build(t)
		}
		for on, server := range map[string]*postgrestest.Server{"file": nil, "server": down} {
			all.Go(func() {
				r := play(i, m, program, server)
				switch {
				case m.name == "" && len(r.problems) > 0:
					t.Errorf("with a %s, kept in %s:\n%s", on, r.dir, strings.Join(r.problems, "\n"))
					return
				case m.name != "" && len(r.problems) == 0:
					t.Errorf("with a %s: a program that %s was not found out", on, m.name)
				case m.name != "":
					t.Logf("with a %s, a program that %s: %s", on, m.name, head(strings.Join(r.problems, "; ")))
				}
				_ = os.RemoveAll(r.dir)
			})
		}
	}
	all.Wait()
}

// scripted gives a round these jobs, each of an account of its own.
func (r *round) scripted(t *testing.T, lists ...[]string) {
	t.Helper()
	r.jobs, r.script, r.unsure = nil, map[string][]string{}, map[reel.JobID]bool{}
	for i, list := range lists {
		j := reel.Job{ID: reel.JobID(fmt.Sprintf("j%03d", i)), Account: fmt.Sprintf("acc%d", i), VideoPath: fmt.Sprintf("videos/s%d.mp4", i), Caption: "caption"}
		r.jobs, r.script[string(j.ID)], r.content[j.VideoPath] = append(r.jobs, j), list, j.VideoPath
	}
	r.limits = reel.DefaultLimits()
	r.writeJobs(t)
	r.write(t, "reelpass.yaml", r.settings())
}

// newOrphans is a round of six jobs whose publishers have somebody else post when the test says so.
func newOrphans(t *testing.T, number int, tor *torture, program string, server *postgrestest.Server) *round {
	t.Helper()
	r := newRound(t, number, tor.seed, exitFind, program, tor.pub)
	r.workers, r.slots, r.timeout, r.hosts = 6, 1, 60, []*host{nil}
	r.scripted(t, slices.Repeat([][]string{{"helper -1 0", "ok 10 0"}}, 6)...)
	if server != nil {
		r.serve(t, server)
	}
	return r
}

func (r *round) orphans(t *testing.T) {
	t.Helper()
	defer r.cleanUp()
	first := r.run(t)
	if !r.until("all jobs are in the hands of others", func() bool { return grandchildren(r.dir) == len(r.jobs) }) {
		return
	}
	first.signal(syscall.SIGKILL)
	<-first.done
	next := r.run(t)
	if r.await(next, patience) {
		r.ended(next)
	}
	r.write(t, "act-1", "")
	r.until("those who were left act", func() bool { return grandchildren(r.dir) == 0 }) // there should be none
	r.again(t)
}

// grandchildren counts the processes of a round that are about to post for somebody else.
func grandchildren(round string) (n int) {
	all, _ := offspring(round)
	for _, pid := range all {
		args, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if strings.Contains(string(args), "\x00grandchild\x00") {
			n++
		}
	}
	return n
}

// newLate is a round of seven jobs of seven accounts, which two machines share.
func newLate(t *testing.T, number int, tor *torture, program string, hosts []*host, server *postgrestest.Server) *round {
	t.Helper()
	r := newRound(t, number, tor.seed, jsonlSelf, program, tor.pub)
	r.workers, r.slots, r.timeout = 7, 1, 120
	asks := []string{"ok -1 0", "ok -2 0"} // while nobody hears, and once more elsewhere
	deaf := []string{"deaf -1 0", "ok -2 0"}
	says := []string{"ok 0 -1"} // that it has posted, while nobody hears
	r.scripted(t, asks, asks, asks, deaf, deaf, says, says)
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
	stop := func() bool {
		old.signal(syscall.SIGSTOP)
		return r.until("it stands still", func() bool { return stopped(old.cmd.Process.Pid) })
	}
	for ok := stop(); ok && r.server == nil && !r.lock(0); ok = stop() { // it holds the file's lock: then nobody could do anything
		old.signal(syscall.SIGCONT)
		<-time.After(100 * time.Millisecond)
	}
	r.write(t, "act-1", "")
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
	if !r.until("the other machine leads", leads) {
		r.problem("%s says: %s", next.name, head(next.errors()))
		return
	}
	if !r.until("it has what was not posted", func() bool { return r.told(reel.EventClaimed, 2) == 5 }) {
		return
	}
	old.signal(syscall.SIGCONT)
	select {
	case <-old.done:
	case <-time.After(15 * time.Second): // it should have ended; others shall not wait for it
	}
	r.write(t, "act-2", "")
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

// stopped says that all threads of a process have been stopped: some go on for a moment after the signal.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil || !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return len(tasks) > 0
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
