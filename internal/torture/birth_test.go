//go:build linux

package torture_test

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// births is how many ledgers are killed while they come into being, in the short form and in the long.
const (
	births     = 25
	birthsLong = 400
)

// TestTortureBirth kills the first command of a new ledger at any moment, again and again: whatever was there of the ledger
// by then, the next command must go on with it. A round's kills come too late for most of this.
func TestTortureBirth(t *testing.T) {
	tor := newTorture(t)
	tor.program = self(t)
	n := births
	if tor.want > 0 {
		n = birthsLong
	}
	measure := newRound(t, 0, tor.seed, exitBlind, tor.program, tor.pub)
	began := time.Now()
	if code, said := measure.brief(t, "import", "posts.csv"); code != 0 {
		t.Fatalf("import ended with %d: %s", code, said)
	}
	whole := time.Since(began)
	_ = os.RemoveAll(measure.dir)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, kills := 0, 0
	for range side {
		wg.Go(func() {
			for {
				mu.Lock()
				next++
				i := next
				mu.Unlock()
				if i > n {
					return
				}
				r := newRound(t, i, tor.seed, exitBlind, tor.program, tor.pub)
				r.birth(t, whole)
				mu.Lock()
				kills += r.figures.kills["kill"]
				mu.Unlock()
				if len(r.problems) > 0 {
					t.Errorf("ledger %d, kept in %s: %s", i, r.dir, strings.Join(r.problems, "\n"))
					return
				}
				_ = os.RemoveAll(r.dir)
			}
		})
	}
	wg.Wait()
	t.Logf("%d ledgers, %d kills within their first %s", n, kills, whole.Round(time.Millisecond))
}

// birth kills imports into a ledger that is not there yet, and then lets one through.
func (r *round) birth(t *testing.T, whole time.Duration) {
	t.Helper()
	for range 1 + r.rng.IntN(4) {
		a := r.start(t, "import", "posts.csv")
		window := whole
		if r.rng.IntN(2) == 0 {
			window /= 4 // the file's own beginning
		}
		timer := time.NewTimer(time.Duration(r.rng.Int64N(int64(window))))
		select {
		case <-timer.C:
		case <-a.done:
		}
		a.signal(syscall.SIGKILL)
		<-a.done
		if a.killed() {
			r.figures.kills["kill"]++
		} else if a.code() != 0 {
			r.problem("%s ended with %d: %s", a.name, a.code(), head(a.errors()))
			return
		}
	}
	if code, said := r.brief(t, "import", "posts.csv"); code != 0 {
		r.problem("after the kills import ended with %d: %s", code, head(said))
		return
	}
	if n := r.count("job"); n != len(r.jobs) {
		r.problem("%d jobs of %d", n, len(r.jobs))
	}
}
