//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// Jobs and accounts of the ledger on which slots are measured: more than a stretch uses up.
const (
	slotJobs     = 40_000
	slotAccounts = 1_000
)

// run is what was measured of one run with slots.
type run struct {
	rate     float64 // cycles a second
	cycles   series  // milliseconds from one job's start to the next's, over all slots
	fairness float64 // cycles of the slowest slot over those of the fastest
	errs     []string
}

// lead opens a batch's pass as the runner does, and tells how long each step took.
func lead(ctx context.Context, s *ledger.Store, took func(step string, d time.Duration)) (reel.Supervisor, error) {
	sup := reel.Supervisor{ID: fmt.Sprintf("bench-%d", time.Now().UnixNano()), Name: "bench"}
	step := func(name string, do func() error) error {
		began := time.Now()
		err := do()
		if took != nil {
			took(name, time.Since(began))
		}
		return err
	}
	var round reel.Round
	var next reel.Step
	limits := reel.DefaultLimits()
	err := step("lead", func() error {
		if err := s.Enlist(sup); err != nil {
			return err
		}
		l, err := s.Leader(ctx, batch)
		if err != nil {
			return err
		}
		round, _, err = s.Lead(ctx, reel.Bid{Batch: batch, Leader: sup, Term: l.Term, Limits: limits, Workers: 1})
		return err
	})
	if err == nil {
		err = step("held", func() error { _, err := s.Held(ctx, sup.ID); return err })
	}
	if err == nil {
		err = step("advance", func() (err error) {
			next, _, err = s.Advance(ctx, batch, round.Term, func(st reel.Standing) reel.Step { return plan.Next(st, limits) })
			return err
		})
	}
	if err == nil {
		err = step("open pass", func() error { _, err := s.OpenPass(ctx, batch, round.Term, next.Open); return err })
	}
	return sup, err
}

// storeSlots drives the ledger alone: so many goroutines that claim, intend and record.
func storeSlots(t *testing.T, path string, slots int) (r run) {
	t.Helper()
	s, err := ledger.Open(t.Context(), path, ledger.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sup, err := lead(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	counts, errs := make([]int, slots), make([]error, slots)
	began := time.Now()
	for i := range slots {
		wg.Go(func() {
			for time.Since(began) < stretch && errs[i] == nil {
				if errs[i] = storeCycle(t.Context(), s, sup.ID, i+1); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(began).Seconds()
	for i, n := range counts {
		r.rate += float64(n) / elapsed
		if errs[i] != nil && !errors.Is(errs[i], reel.ErrNothingDue) {
			t.Error(errs[i])
		}
	}
	return r
}

func storeCycle(ctx context.Context, s *ledger.Store, supervisor string, worker int) error {
	c, _, err := s.Claim(ctx, reel.Claimant{Batch: batch, Supervisor: supervisor, Worker: worker})
	if err != nil {
		return err
	}
	content := "path:" + c.Job.VideoPath
	if _, err := s.Intent(ctx, c, reel.Fingerprint{Key: content, Path: content}, false); err != nil {
		return err
	}
	now := time.Now()
	_, err = s.Record(ctx, c, reel.Ending{Decision: plan.Posted(), Attempt: reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: worker, Host: "bench", StartedAt: now, EndedAt: now,
		Outcome: reel.OutcomeSucceeded, ShareBegun: true, Receipt: reel.Receipt{ID: "r1"},
	}})
	return err
}

// idler is a worker that does nothing but ask for the go. It notes when each job reached it.
type idler struct {
	starts []time.Time
	began  func() // told of each job; the first starts the clock
}

func (w *idler) Publish(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
	w.began()
	w.starts = append(w.starts, time.Now())
	if !d.Share(ctx) {
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeLeaseLost}}
	}
	return reel.Report{Posted: true, Receipt: reel.Receipt{ID: "r1"}}
}

func (*idler) Find(context.Context, reel.Assignment, time.Time, reel.Desk) reel.Look {
	return reel.Look{Finding: reel.Unsure}
}
func (*idler) Process() reel.Process { return reel.Process{} }
func (*idler) Close() error          { return nil }

// alone is a machine on which no other supervisor ever ran.
type alone struct{}

func (alone) Here(reel.Process) bool                                  { return true }
func (alone) OtherBoot(reel.Process) bool                             { return false }
func (alone) Alive(reel.Process) bool                                 { return false }
func (alone) Kill(reel.Process) error                                 { return nil }
func (alone) KillOrphans(context.Context, string, reel.Process) error { return nil }

// runSlots runs the batch with the real runner and idle workers, and stops it softly when it has worked for a while. How
// long it takes to the first job is measured elsewhere.
func runSlots(t *testing.T, path string, slots int, while time.Duration) (r run) {
	t.Helper()
	s, err := ledger.Open(t.Context(), path, ledger.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var mu sync.Mutex
	workers := make([]*idler, 0, slots)
	id := fmt.Sprintf("bench-%d", time.Now().UnixNano())
	var ru *runner.Runner
	began := sync.OnceFunc(func() { time.AfterFunc(while, ru.Stop) })
	ru = &runner.Runner{
		Config: runner.Config{
			Batch: batch, Supervisor: reel.Supervisor{ID: id, Name: id, Process: reel.Process{Host: "bench", PID: 1}},
			Limits: reel.DefaultLimits(), Workers: slots, PerWorker: 1, Shared: ledger.IsServer(path),
		},
		Slots: s, Leases: s, Passes: s, Processes: alone{}, Clock: time.Now,
		Judge: func(reel.Evidence) reel.Verdict { return reel.Verdict{Category: reel.Unknown} },
		NewWorker: func(int) runner.Worker {
			mu.Lock()
			defer mu.Unlock()
			w := &idler{starts: make([]time.Time, 0, slotJobs/slots), began: began}
			workers = append(workers, w)
			return w
		},
		Watch: func(e reel.Event) {
			if e.Kind == reel.EventNotice || e.Kind == reel.EventFailed {
				mu.Lock()
				defer mu.Unlock()
				r.errs = append(r.errs, e.Text)
			}
		},
	}
	if _, err := ru.Lead(t.Context()); err != nil {
		r.errs = append(r.errs, err.Error())
	}
	r.measure(workers)
	return r
}

// measure takes the figures from when the jobs reached the workers.
func (r *run) measure(workers []*idler) {
	var first, last time.Time
	cycles, least, most := 0, 0, 0
	for i, w := range workers {
		n := len(w.starts) - 1
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
		cycles += max(0, n)
		for j, at := range w.starts {
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
			if j > 0 {
				r.cycles = append(r.cycles, millis(at.Sub(w.starts[j-1])))
			}
		}
	}
	if span := last.Sub(first).Seconds(); span > 0 {
		r.rate = float64(cycles) / span
	}
	if most > 0 {
		r.fairness = float64(max(0, least)) / float64(most)
	}
}

func (r *run) busy() (n int) {
	for _, e := range r.errs {
		if low := strings.ToLower(e); strings.Contains(low, "busy") || strings.Contains(low, "locked") {
			n++
		}
	}
	return n
}

func slotCounts() []int { return []int{1, 4, 16, 64} }

// at names a figure of so many slots.
func at(what string, slots int) string { return fmt.Sprint(what, " ", slots) }

// benchSlots is goal 1: a batch of jobs that do nothing, with full durability.
func benchSlots(t *testing.T, y *yard) {
	from := y.template(t, slotJobs, slotAccounts)
	fresh := func() string { return y.copyOf(t, from, "slots.db") }
	withBare := func(sync string, use func(*bare) float64) float64 {
		b := openBare(t, fresh(), sync)
		defer b.close()
		return use(b)
	}
	var errs []string
	busy := 0
	m := measure(func(f figures) {
		f["floor"] += y.syncFloor(t, 1)
		f["bare"] += withBare("FULL", func(b *bare) float64 { return b.cycles(1) })
		for _, n := range slotCounts() {
			r := runSlots(t, fresh(), n, stretch)
			f[at("runner", n)] += r.rate
			f[at("p99", n)] += r.cycles.at(0.99)
			f[at("longest", n)] += r.cycles.at(1)
			f[at("fair", n)] += r.fairness
			errs, busy = append(errs, r.errs...), busy+r.busy()
			f[at("store", n)] += storeSlots(t, fresh(), n).rate
		}
		f["plain"] += withBare("FULL", (*bare).plain)
		for _, n := range []int{16, 64} {
			f[at("group", n)] += withBare("FULL", func(b *bare) float64 { return b.cycles(n) })
		}
		f["driver"] += withBare("OFF", func(b *bare) float64 { return b.cycles(1) })
		f["driver 64"] += withBare("OFF", func(b *bare) float64 { return b.cycles(64) })
	})
	printSlots(m, errs, busy)
	benchBusy(t, y)
}

func printSlots(m map[string]series, errs []string, busy int) {
	tb := newTable("1. A cycle: claim, intent, record, each durable (WAL, synchronous=FULL), jobs that do nothing")
	defer tb.print()
	perSecond := " cycles/s"
	own := func(name string) string { return number(1000 / m[name].median()) }
	one, bare := m[at("runner", 1)], m["bare"]
	tb.show("floor: append 4 KiB + fdatasync, three times", m["floor"], perSecond, "no SQL at all")
	tb.show("bare loop: the same statements, 3 transactions", bare, perSecond,
		fmt.Sprintf("%s of the floor; the driver's own time (synchronous=OFF): %s ms a cycle, %s ms where 64 share a commit",
			bare.by(m["floor"]), own("driver"), own("driver 64")))
	tb.show("bare plain loop: 3 updates, no journal or history", m["plain"], perSecond, "")
	tb.show("runner, 1 slot", one, perSecond, fmt.Sprintf("%s of the floor", one.by(m["floor"])))
	tb.atLeast("runner, 1 slot : bare loop", one.by(bare), 0.85, "x", fmt.Sprintf("the ledger without the runner: %sx", m[at("store", 1)].by(bare)))
	tb.atLeast("runner, 1 slot : bare plain loop", one.by(m["plain"]), 0.6, "x", "the price of journal, history and counters")
	for _, n := range []int{4, 16, 64} {
		what, ratio := fmt.Sprintf("runner, %d slots : 1 slot", n), m[at("runner", n)].by(one)
		beside := fmt.Sprintf("%s cycles/s; the ledger without the runner %sx", number(m[at("runner", n)].median()), m[at("store", n)].by(m[at("store", 1)]))
		if g := m[at("group", n)]; len(g) > 0 {
			beside += fmt.Sprintf("; limit: one loop that puts %d cycles into each commit %sx", n, g.by(one))
		}
		switch n {
		case 16:
			tb.atLeast(what, ratio, 4, "x", beside)
		case 64:
			tb.atLeast(what, ratio, 9, "x", beside)
		default:
			tb.show(what, ratio, "x", beside)
		}
	}
	for _, n := range []int{4, 16, 64} {
		tb.atLeast(fmt.Sprintf("%d slots: the slowest : the fastest", n), m[at("fair", n)], 0.8, "x", "")
	}
	for _, n := range slotCounts() {
		what, beside := fmt.Sprintf("%d slots: p99 of a cycle", n), fmt.Sprintf("the longest %s ms", m[at("longest", n)])
		if n == 16 {
			tb.atMost(what, m[at("p99", n)], 10, " ms", beside)
		} else {
			tb.show(what, m[at("p99", n)], " ms", beside)
		}
	}
	first := "no notice and no error of any kind"
	if len(errs) > 0 {
		first = fmt.Sprintf("%d notices and errors, the first: %s", len(errs), errs[0])
	}
	tb.line("BUSY errors in all these runs", "0", fmt.Sprint(busy), verdict(true, busy == 0), first)
}

// benchBusy lets other processes read and write the same ledger while 16 slots work.
func benchBusy(t *testing.T, y *yard) {
	tb := newTable("1b. The same with 16 slots for 3 s while other processes use the ledger: `status` and `import` of 100 rows, in a loop")
	defer tb.print()
	path := y.copyOf(t, y.template(t, slotJobs, slotAccounts), "busy.db")
	rows := y.postsFile(t, 100, 10)
	done := make(chan struct{})
	var others sync.WaitGroup
	var failed []string
	var mu sync.Mutex
	times := map[string]series{}
	loop := func(name string, args func(i int) []string) {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				got := y.execute(t, y.dir, call{args: append(args(i), "--db", path)})
				mu.Lock()
				times[name] = append(times[name], millis(got.wall))
				if got.code != 0 {
					failed = append(failed, fmt.Sprintf("%s: exit %d: %s", name, got.code, got.stderr))
				}
				mu.Unlock()
			}
		})
	}
	loop("status", func(int) []string { return []string{"status", batch, "--json"} })
	loop("import", func(i int) []string { return []string{"import", rows, "--batch", fmt.Sprint("other-", i)} })
	r := runSlots(t, path, 16, 3*time.Second)
	close(done)
	others.Wait()
	errs := append(r.errs, failed...)
	first := "nothing failed"
	if len(errs) > 0 {
		first = errs[0]
	}
	tb.line("errors that reached anyone", "0", fmt.Sprint(len(errs)), verdict(true, len(errs) == 0), first)
	tb.show("p99 of a cycle meanwhile", series{r.cycles.at(0.99)}, " ms", fmt.Sprintf("%s cycles/s, the longest %s ms", number(r.rate), number(r.cycles.at(1))))
	for _, name := range []string{"status", "import"} {
		tb.show("`"+name+"` beside it, whole process", times[name], " ms", fmt.Sprintf("%d times", len(times[name])))
	}
}
