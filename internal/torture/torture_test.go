//go:build linux

package torture_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/cli"
	"reelpass/internal/postgrestest"
)

// envPlay makes the test binary play the program under test.
const envPlay = "TORTURE_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(envPlay) {
	case "reelpass":
		signal.Ignore(unix.SIGXFSZ) // a file that may not grow is to be an error, as a full disk is
		os.Exit(cli.Main(os.Args, os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	case "host":
		if err := beHost(); err != nil {
			fmt.Fprintln(os.Stderr, "torture: no machine:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The environment of a torture: how many rounds, or for how many minutes (else a short form), the seed that all choices follow
// from, one round only.
const (
	envRounds  = "REELPASS_TORTURE"
	envMinutes = "REELPASS_TORTURE_MINUTES"
	envSeed    = "REELPASS_TORTURE_SEED"
	envOnly    = "REELPASS_TORTURE_ROUND"
)

// shortForm is how long the form lasts that `go test ./...` has.
const shortForm = 20 * time.Second

// side is how many rounds run side by side: most of a round is waiting.
const side = 3

// TestTorture kills, stops and restarts the real program on real batches, then lets each batch finish in peace and recounts:
// nothing posted twice, nothing lost, every figure right, nobody left alive.
func TestTorture(t *testing.T) {
	t.Parallel()
	newTorture(t).whole(t)
}

// TestTortureOnServer is the same with each ledger on a PostgreSQL server of its own, which has its share of the faults, and
// supervisors on several machines, each with a line of its own to the server.
func TestTortureOnServer(t *testing.T) {
	t.Parallel()
	tor := newTorture(t)
	tor.template = template(t)
	if tor.privileged {
		tor.hosts = []*host{machine(t, "alpha", false), machine(t, "beta", false), machine(t, "gamma", false)}
	} else {
		t.Log("all supervisors are on one machine: several need root, and so do small disks")
	}
	tor.whole(t)
}

// template is a server that is down; each round has a copy of it.
func template(t *testing.T) *postgrestest.Server {
	t.Helper()
	server, err := postgrestest.Start("fsync=off", "shared_buffers=16MB", "max_wal_size=64MB", "min_wal_size=32MB", "max_connections=200")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := server.Database(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	if err := server.Down(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	return server
}

func (tor *torture) whole(t *testing.T) {
	t.Helper()
	tor.program, tor.jumper = self(t), jumper(t)
	began := time.Now()
	deadline := time.Now().Add(shortForm)
	if testing.Short() {
		deadline = time.Now().Add(shortForm / 4)
	}
	if tor.minutes > 0 {
		deadline = time.Now().Add(time.Duration(tor.minutes) * time.Minute)
	}
	tor.rounds(t, func(n int) bool {
		if tor.only > 0 {
			return n <= tor.only
		}
		if tor.want > 0 && tor.minutes == 0 {
			return n <= tor.want
		}
		return time.Now().Before(deadline)
	})
	t.Logf("%.2f hours, %v", time.Since(began).Hours(), tor.figures)
}

type torture struct {
	program    string
	jumper     string // the program whose clock may be set; empty: nobody sets it
	pub        string
	template   *postgrestest.Server // nil: each round has a file
	hosts      []*host
	privileged bool // small disks may be mounted
	seed       uint64
	want       int // rounds; 0 is the short form
	minutes    int // instead, in the long form
	only       int
	way        way
	wanted     bool // problems are what the test wants

	mu       sync.Mutex
	next     int
	figures  figures
	problems int
}

func newTorture(t *testing.T) *torture {
	t.Helper()
	tor := &torture{seed: uint64(time.Now().UnixNano()), pub: publisher(t), privileged: privileged(t)}
	number := func(name string) int {
		v := os.Getenv(name)
		if v == "" {
			return 0
		}
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	tor.want, tor.minutes, tor.only = number(envRounds), number(envMinutes), number(envOnly)
	tor.way = way(os.Getenv("REELPASS_TORTURE_WAY"))
	if s := os.Getenv(envSeed); s != "" {
		tor.seed = uint64(number(envSeed))
	}
	t.Logf("%s=%d", envSeed, tor.seed)
	return tor
}

// self is the test binary, which plays the program.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// publisher builds the publishing program. It is a small one of its own, because it is started a hundred times a round.
func publisher(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "publisher")
	build(t, path, "./testdata/publisher")
	return path
}

func build(t *testing.T, to string, args ...string) {
	t.Helper()
	c := exec.Command("go", append([]string{"build", "-o", to}, args...)...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// rounds plays rounds while more says so.
func (tor *torture) rounds(t *testing.T, more func(n int) bool) {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for range side {
		wg.Go(func() {
			for {
				tor.mu.Lock()
				n := tor.next + 1
				if !more(n) || tor.problems > 5 || tor.wanted && tor.problems > 0 {
					tor.mu.Unlock()
					return
				}
				tor.next = n
				tor.mu.Unlock()
				if tor.only > 0 && n != tor.only {
					continue
				}
				tor.round(t, n)
				tor.mu.Lock()
				if tor.want > 0 && tor.figures.rounds%10 == 0 {
					t.Logf("%s: %v", time.Since(began).Round(time.Second), tor.figures)
				}
				tor.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (tor *torture) round(t *testing.T, n int) {
	r := newRound(t, n, tor.seed, tor.way, tor.program, tor.pub)
	r.long = tor.want > 0 && n%8 == 5
	r.equip(t, tor)
	r.play(t)
	tor.mu.Lock()
	defer tor.mu.Unlock()
	tor.figures.add(r.figures)
	if len(r.problems) == 0 || tor.wanted {
		_ = os.RemoveAll(r.dir)
	}
	if len(r.problems) == 0 {
		return
	}
	tor.problems += len(r.problems)
	if tor.wanted {
		t.Logf("round %d (%s): %s", n, r.way, r.problems[0])
		return
	}
	t.Errorf("round %d (%s), kept in %s, again with %s=%d %s=%d:\n%s", n, r.way, r.dir, envSeed, tor.seed, envOnly, n,
		strings.Join(r.problems, "\n"))
}

func (f figures) String() string {
	var kills []string
	for _, k := range f.kinds() {
		kills = append(kills, fmt.Sprintf("%s %d", k, f.kills[k]))
	}
	return fmt.Sprintf("rounds %d, runs %d (%d refused), jobs %d, attempts %d, effects %d, in doubt %d, doubles %d, lost %d; %s",
		f.rounds, f.runs, f.refused, f.jobs, f.attempts, f.effects, f.inDoubt, f.doubles, f.lost, strings.Join(kills, ", "))
}
