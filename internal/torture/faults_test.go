//go:build linux

package torture_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// equip gives a round its ledger's place and its machines: a file or a server of its own, on a disk that may be small, with
// supervisors on one machine or several, whose clocks may be set.
func (r *round) equip(t *testing.T, tor *torture) {
	t.Helper()
	// Drawn in any case, so that a round is the same wherever it is played.
	small, jumpy, machines := r.rng.IntN(3) == 0, r.rng.IntN(3) == 0, r.rng.IntN(4)
	if r.long || tor.template != nil && r.number == 1 {
		machines = 3
	}
	if small && tor.privileged && !tor.wanted {
		r.disk = filepath.Join(r.dir, ".reelpass")
		size := "size=12m"
		if tor.template != nil {
			r.disk, size = filepath.Join(r.dir, "server"), "size=200m"
		}
		r.mount(t, size)
	}
	r.bounded = tor.template == nil && !jumpy && !tor.wanted // only the test binary outlives the signal that comes with the bound
	r.broken, r.hosts = tor.wanted, make([]*host, 1)
	if tor.template != nil {
		if machines > 1 && len(tor.hosts) > 0 && !tor.wanted {
			r.hosts = tor.hosts[:machines]
		}
		r.serve(t, tor.template)
	}
	if jumpy && tor.jumper != "" {
		r.program = tor.jumper
		for i := range r.hosts {
			r.clocks = append(r.clocks, filepath.Join(r.dir, fmt.Sprintf("clock-%d", i)))
		}
	}
}

func (r *round) mount(t *testing.T, size string) {
	t.Helper()
	if err := os.Mkdir(r.disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", r.disk, "tmpfs", 0, size); err != nil {
		t.Fatalf("a small disk: %v", err)
	}
}

// unequip takes away what equip gave.
func (r *round) unequip() {
	for _, l := range r.lines {
		l.close()
	}
	if r.server != nil {
		if err := r.server.Stop(); err != nil {
			r.problem("stop the server: %v", err)
		}
	}
	if r.disk != "" {
		if len(r.problems) > 0 && r.server == nil { // keep the ledger
			_ = os.CopyFS(r.disk+".kept", os.DirFS(r.disk))
		}
		_ = unix.Unmount(r.disk, unix.MNT_DETACH)
	}
}

// address is the ledger's as a machine reaches it.
func (r *round) address(at int) string {
	u, err := url.Parse(r.server.DSN("ledger"))
	if err != nil {
		return err.Error()
	}
	if len(r.gates) > 0 {
		u.Host = r.gates[at]
	} else {
		u.Host = r.lines[at].listener.Addr().String()
	}
	return u.String()
}

// elsewhere is one of the round's machines.
func (r *round) elsewhere() int { return r.rng.IntN(len(r.hosts)) }

// faults are what may happen to what a round stands on, with their weights.
func (r *round) faults() []weighted {
	list := []weighted{{"full", 2}}
	if r.server != nil {
		list = append(list, []weighted{{"reset", 4}, {"silence", 3}, {"slow", 2}, {"restart", 2}, {"crash", 2}, {"freeze", 2}}...)
	} else {
		list = append(list, weighted{"lock", 3})
	}
	if len(r.clocks) > 0 {
		list = append(list, weighted{"jump", 6})
	}
	return list
}

// fault makes one fault, which is over when it returns. Other machines than the one it is made for go on meanwhile.
func (r *round) fault(t *testing.T, s *stage, what string) (did bool) {
	t.Helper()
	some := func(least, most int) time.Duration {
		return time.Duration(least+r.rng.IntN(most-least)) * time.Millisecond
	}
	at := r.elsewhere()
	if what != "jump" {
		r.faulty = true
	}
	switch what {
	case "reset":
		for range 1 + r.rng.IntN(3) {
			r.lines[at].reset()
			<-time.After(some(0, 100))
		}
	case "silence":
		r.lines[at].silence(true)
		<-time.After(some(100, 4000))
		if r.rng.IntN(2) == 0 { // what was on its way is lost, or else arrives late
			r.lines[at].reset()
		}
		r.lines[at].silence(false)
	case "slow":
		r.lines[at].slow(some(5, 120))
		<-time.After(some(200, 2500))
		r.lines[at].slow(0)
	case "restart", "crash":
		sig := map[string]syscall.Signal{"restart": syscall.SIGINT, "crash": syscall.SIGQUIT}[what]
		if err := r.server.Down(sig); err != nil {
			r.problem("stop the server: %v", err)
		}
		<-time.After(some(0, 1500))
		if err := r.server.Up(); err != nil {
			r.problem("start the server: %v", err)
		}
	case "freeze":
		_ = r.server.Freeze()
		<-time.After(some(100, 3000))
		_ = r.server.Thaw()
	case "lock":
		return r.lock(some(50, 3000))
	case "jump":
		r.jump(t, at)
	case "full":
		return r.full(s, some(50, 1500))
	default:
		r.problem("no fault is called %s", what)
	}
	return true
}

// lock keeps everybody from writing into the ledger's file for a while, as a slow disk does.
func (r *round) lock(d time.Duration) bool {
	if _, err := os.Stat(filepath.Join(r.dir, ".reelpass", "ledger.db")); err != nil {
		return false
	}
	db := r.ledger()
	defer db.Close()
	c, err := db.Conn(context.Background())
	if err != nil {
		return false
	}
	defer c.Close()
	if _, err := c.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		return false
	}
	<-time.After(d)
	_, err = c.ExecContext(context.Background(), "ROLLBACK")
	return err == nil
}

// jump sets a machine's clock, forwards or backwards, by seconds or hours, or puts it right.
func (r *round) jump(t *testing.T, at int) {
	t.Helper()
	by := []int{-6 * 3600, -3600, -40, -2, 0, 2, 40, 3600, 6 * 3600}[r.rng.IntN(9)]
	next := r.clocks[at] + ".next"
	if err := os.WriteFile(next, []byte(strconv.Itoa(by)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, r.clocks[at]); err != nil {
		t.Fatal(err)
	}
	r.jumped = true
}

// full leaves no room for the ledger for a while: on its small disk, or else for the leading run alone, by a bound on how big a file
// it may write.
func (r *round) full(s *stage, d time.Duration) bool {
	if r.disk == "" {
		if !r.bounded {
			return false
		}
		var before unix.Rlimit
		pid := s.main.cmd.Process.Pid
		if unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &before) != nil {
			return false
		}
		small := unix.Rlimit{Cur: 32 << 10, Max: before.Max} // more than the outside record ever has
		if unix.Prlimit(pid, unix.RLIMIT_FSIZE, &small, nil) != nil {
			return false
		}
		<-time.After(d)
		_ = unix.Prlimit(pid, unix.RLIMIT_FSIZE, &before, nil)
		return true
	}
	filler := filepath.Join(r.disk, "filler")
	f, err := os.Create(filler)
	if err != nil {
		return false
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for until := time.Now().Add(d); time.Now().Before(until); {
		for err = nil; err == nil; { // whatever becomes free meanwhile
			_, err = f.Write(chunk)
		}
		<-time.After(20 * time.Millisecond)
	}
	if err := os.Remove(filler); err != nil {
		r.problem("free the disk: %v", err)
	}
	_ = f.Close()
	if r.server != nil && !r.answers() { // a server that found no room to recover gives up
		if err := r.server.Down(syscall.SIGQUIT); err == nil {
			err = r.server.Up()
			if err != nil {
				r.problem("start the server again: %v", err)
			}
		}
	}
	return true
}

// answers says that the server answers within a few seconds.
func (r *round) answers() bool {
	db, err := sql.Open("pgx", r.server.DSN("postgres"))
	if err != nil {
		return false
	}
	defer db.Close()
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err = db.PingContext(ctx)
		cancel()
		if err == nil {
			return true
		}
		<-time.After(100 * time.Millisecond)
	}
	return false
}
