//go:build linux

package torture_test

import (
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/reel"
)

// figures is what rounds amount to.
type figures struct {
	rounds, jobs, attempts, effects, inDoubt, runs, refused, doubles, lost int
	kills                                                                  map[string]int
}

func (f *figures) add(g figures) {
	f.rounds++
	f.jobs += g.jobs
	f.attempts += g.attempts
	f.effects += g.effects
	f.inDoubt += g.inDoubt
	f.runs += g.runs
	f.refused += g.refused
	f.doubles += g.doubles
	f.lost += g.lost
	if f.kills == nil {
		f.kills = map[string]int{}
	}
	for k, n := range g.kills {
		f.kills[k] += n
	}
}

// stage is who plays at the moment.
type stage struct {
	main   *actor // the run that leads, or is about to
	lender *actor
}

// actions are what may happen to a round, with their weights.
func (r *round) actions() []weighted {
	gentle := []weighted{{"second", 2}, {"pause", 2}, {"lend", 3}, {"interrupt", 1}}
	if r.way.gentle() {
		return gentle
	}
	if r.broken { // what finds out broken programs soonest
		return []weighted{{"lend", 2}, {"kill", 10}, {"kill-both", 4}, {"kill-lender", 3}, {"kill-worker", 4}, {"kill-group", 2}, {"stop-worker", 1}}
	}
	list := append(append(gentle, r.faults()...), []weighted{
		{"kill", 8},
		{"kill-worker", 5},
		{"kill-group", 4},
		{"kill-all-workers", 1},
		{"kill-both", 2},
		{"kill-lender", 2},
		{"stop", 3},
		{"stop-worker", 2},
		{"interrupt-twice", 2},
		{"terminate", 1},
		{"kill-twice", 2},
	}...)
	return list
}

// play carries the round out: chaos first, then in peace to the end.
func (r *round) play(t *testing.T) {
	t.Helper()
	var s stage
	defer r.cleanUp()
	s.main = r.run(t)
	r.figures.runs++
	finished := false
	for range 3 + r.rng.IntN(10) {
		if finished = r.pause(t, &s, r.delay()); finished {
			break
		}
		r.act(t, &s, pick(r.rng, r.actions()))
		if len(r.problems) > 0 {
			return
		}
	}
	if r.long && !finished && !r.way.gentle() {
		r.outlast(t, &s)
	}
	for !finished && len(r.problems) == 0 {
		if !r.await(s.main, patience) {
			return
		}
		finished = r.restart(t, &s)
	}
	r.farewell(&s)
	if len(r.problems) == 0 {
		r.again(t)
	}
}

// delay is short at first: much that can go wrong goes wrong in the first moments of a run.
func (r *round) delay() time.Duration {
	switch r.rng.IntN(4) {
	case 0:
		return time.Duration(r.rng.IntN(30)) * time.Millisecond
	case 1:
		return time.Duration(r.rng.IntN(1200)) * time.Millisecond
	}
	return time.Duration(r.rng.IntN(300)) * time.Millisecond
}

// pause waits; a run that ends meanwhile is started again. True when the batch has its result.
func (r *round) pause(t *testing.T, s *stage, d time.Duration) bool {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return false
		case <-s.main.done:
			if r.restart(t, s) {
				return true
			}
		}
	}
}

// restart judges the end of the leading run and starts the next at once, unless the batch has its result.
func (r *round) restart(t *testing.T, s *stage) (finished bool) {
	t.Helper()
	<-s.main.done
	if r.ended(s.main) {
		return true
	}
	switch { // a person would not try again at once either
	case s.main.refused():
		<-time.After(2 * time.Second)
	case s.main.code() == 1:
		<-time.After(300 * time.Millisecond)
	}
	s.main = r.run(t)
	r.figures.runs++
	return false
}

func (r *round) act(t *testing.T, s *stage, what string) {
	t.Helper()
	did := true
	lends := s.lender != nil && !s.lender.over()
	switch what {
	case "kill":
		s.main.signal(syscall.SIGKILL)
		r.restart(t, s)
	case "kill-twice": // the next one dies while it puts the affairs of the first in order
		s.main.signal(syscall.SIGKILL)
		r.restart(t, s)
		<-time.After(time.Duration(r.rng.IntN(250)) * time.Millisecond)
		s.main.signal(syscall.SIGKILL)
		r.restart(t, s)
	case "kill-both":
		if !lends {
			r.lend(t, s)
		}
		s.lender.signal(syscall.SIGKILL)
		s.main.signal(syscall.SIGKILL)
		<-s.lender.done
		r.ended(s.lender)
		r.restart(t, s)
	case "kill-lender":
		if !lends {
			r.lend(t, s)
		}
		s.lender.signal(syscall.SIGKILL)
		<-s.lender.done
		r.ended(s.lender)
	case "lend":
		if did = !lends; did {
			r.lend(t, s)
		}
	case "kill-worker":
		did = strike(r.dir, r.rng, syscall.SIGKILL, false)
	case "kill-group":
		did = strike(r.dir, r.rng, syscall.SIGKILL, true)
	case "kill-all-workers":
		for range 12 {
			did = strike(r.dir, r.rng, syscall.SIGKILL, true)
		}
	case "stop":
		s.main.signal(syscall.SIGSTOP)
		<-time.After(time.Duration(50+r.rng.IntN(750)) * time.Millisecond)
		s.main.signal(syscall.SIGCONT)
	case "stop-worker":
		did = strike(r.dir, r.rng, syscall.SIGSTOP, false)
		<-time.After(time.Duration(r.rng.IntN(300)) * time.Millisecond)
		for range 4 {
			strike(r.dir, r.rng, syscall.SIGCONT, true) // maybe another one: it is killed by its timeout then
		}
	case "interrupt":
		s.main.signal([]syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[r.rng.IntN(2)])
	case "terminate":
		s.main.signal(syscall.SIGTERM)
	case "interrupt-twice":
		s.main.signal(syscall.SIGINT)
		<-time.After(time.Duration(r.rng.IntN(100)) * time.Millisecond)
		s.main.signal(syscall.SIGTERM)
	case "pause":
		r.brief(t, "pause", "--batch", "torture")
		<-time.After(time.Duration(r.rng.IntN(400)) * time.Millisecond)
		for until := time.Now().Add(patience); ; {
			code, said := r.brief(t, "resume", "--batch", "torture")
			if r.faulty && code == 1 && excused(said) && time.Now().Before(until) {
				<-time.After(300 * time.Millisecond)
				continue
			}
			if code != 0 && !r.early(said) {
				r.problem("resume: %d %s", code, head(said))
			}
			break
		}
	case "second":
		r.second(t, s)
	default:
		did = r.fault(t, s, what)
	}
	if did {
		r.figures.kills[what]++
	}
}

// lend starts a supervisor that works on the batch beside the one that leads, and lets it take some jobs.
func (r *round) lend(t *testing.T, s *stage) {
	t.Helper()
	if s.lender != nil {
		r.ended(s.lender)
	}
	s.lender = r.startAt(t, r.elsewhere(), "worker", "--batch", "torture", "--json")
	<-time.After(time.Duration(r.rng.IntN(250)) * time.Millisecond)
}

// second starts another run on purpose. While one leads it must be refused.
func (r *round) second(t *testing.T, s *stage) {
	t.Helper()
	led := s.main.leads() && !r.faulty && !r.jumped
	b := r.startAt(t, r.elsewhere(), "run", "posts.csv", "--json")
	r.figures.runs++
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case <-b.done:
		if led && !b.refused() && s.main.stillLeads() {
			r.problem("a second run was not refused while %s led: %s ended with %d: %s", s.main.name, b.name, b.code(), head(b.errors()))
		}
		r.ended(b)
	case <-s.main.done: // its end came in between, and the second may lead now
		r.ended(s.main)
		r.leadsNow(s, b)
	case <-timer.C:
		if led {
			r.problem("a second run was neither refused nor ended while %s led", s.main.name)
		}
		if !s.main.over() {
			s.main.signal(syscall.SIGKILL) // the second was quicker
			<-s.main.done
		}
		r.leadsNow(s, b)
	}
}

// leadsNow makes b the one that leads; what comes after it comes on its machine.
func (r *round) leadsNow(s *stage, b *actor) { s.main, r.home = b, b.at }

// outlast keeps the leading run from the ledger for longer than a lease, so that another takes the batch over and ends it: it
// is stopped, or its machine's line is cut. What it still believes to own after that must be lost.
func (r *round) outlast(t *testing.T, s *stage) {
	t.Helper()
	old, cut := s.main, len(r.hosts) > 1 && r.rng.IntN(2) == 0
	r.faulty = true
	if cut {
		r.figures.kills["cut-long"]++
		r.lines[old.at].silence(true)
	} else {
		r.figures.kills["stop-long"]++
		old.signal(syscall.SIGSTOP)
	}
	if len(r.hosts) > 1 {
		r.home = (old.at + 1) % len(r.hosts)
	}
	<-time.After(reel.LeaseTTL + time.Second)
	s.main = r.run(t)
	r.figures.runs++
	select {
	case <-s.main.done:
		if s.main.code() == 1 && r.server == nil { // the stopped one holds the file's lock: nobody can do anything but end it
			r.figures.kills["stop-long-locked"]++
		}
	case <-time.After(time.Duration(r.rng.IntN(40)) * time.Second):
	}
	if cut {
		r.lines[old.at].silence(false)
	} else {
		old.signal(syscall.SIGCONT)
	}
	<-time.After(time.Duration(r.rng.IntN(500)) * time.Millisecond)
	if r.await(old, patience) && !old.killed() {
		// It may end by itself: it no longer leads, and says so with 1.
		if code := old.code(); code != 1 && code != 0 && code != 3 && code != 4 {
			r.problem("%s ended with %d after it was kept away for a lease: %s", old.name, code, head(old.errors()))
		}
	}
}

// farewell ends a lender, which should go by itself when the batch has its result.
func (r *round) farewell(s *stage) {
	if s.lender == nil {
		return
	}
	r.await(s.lender, patience)
	r.ended(s.lender)
}

// again runs the finished batch twice more. The first may still look up what a killed look left open; the second must
// find nothing to do. Neither may wait for anything.
func (r *round) again(t *testing.T) {
	t.Helper()
	var last int
	for i := range 2 {
		before := r.effects()
		attempts := r.count("attempt")
		a := r.run(t)
		r.figures.runs++
		for !a.leads() && !a.over() {
			if time.Since(a.began) > 15*time.Second {
				r.problem("%s still does not lead after 15 s, and nobody else is alive", a.name)
				break
			}
			<-time.After(5 * time.Millisecond)
		}
		if !r.await(a, patience) {
			return
		}
		if !r.ended(a) {
			r.problem("%s ended with %d in peace: %s", a.name, a.code(), head(a.errors()))
			return
		}
		if i == 1 {
			if last != a.code() {
				r.problem("%s ended with %d, the run before with %d", a.name, a.code(), last)
			}
			if n, m := len(r.effects()), r.count("attempt"); n != len(before) || m != attempts {
				r.problem("a run with nothing to do made %d effects and %d attempts", n-len(before), m-attempts)
			}
		}
		last = a.code()
	}
	r.check(last)
}

// cleanUp ends what a failed round left running, so that it does not disturb the others.
func (r *round) cleanUp() {
	for _, a := range r.actors {
		if !a.over() {
			a.signal(syscall.SIGKILL)
			<-a.done
		}
	}
	_, left := offspring(r.dir)
	for _, pid := range left {
		if belongs(pid, r.dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	r.unequip()
}

func (f figures) kinds() []string { return slices.Sorted(maps.Keys(f.kills)) }
