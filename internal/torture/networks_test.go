//go:build linux

package torture_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// envInside says that this process is in a network of its own, which ends with it.
const envInside = "TORTURE_NETWORK"

// TestTortureNetworks has two machines with a network of each share a batch through a server in a third, while their links are
// cut and mended. When the leader's machine is cut off, the machine that lends its workers leads within 40 seconds, although `reelpass run` is
// started there again and again as well; nothing is posted twice and nothing is lost.
func TestTortureNetworks(t *testing.T) {
	if os.Getenv(envInside) != "" {
		networks(t)
		return
	}
	t.Parallel()
	if !privileged(t) {
		t.Skip("networks of one's own need root, outside of a container")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Fatal("ip is not here (apt-get install iproute2; make test does so)")
	}
	// A network, a list of mounts and numbers of processes that are this test's own: all of it goes when the process ends, however it ends.
	c := exec.Command(self(t), "-test.run=^TestTortureNetworks$", "-test.v")
	c.Env = append(os.Environ(), envInside+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	out, err := c.CombinedOutput()
	for line := range bytes.Lines(out) {
		if text := strings.TrimSpace(string(line)); text != "" && !strings.HasPrefix(text, "===") {
			t.Log(text)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// island is a machine with a network whose only way out is a link to the server's.
type island struct {
	*host
	at   int    // which of the round's machines
	link string // the server's end
}

func newIsland(t *testing.T, at int) island {
	t.Helper()
	i := island{host: machine(t, fmt.Sprintf("island%d", at), true), at: at, link: fmt.Sprintf("to-%d", at)}
	pid := strconv.Itoa(i.init.Process.Pid)
	for _, args := range [][]string{
		{"ip", "link", "add", i.link, "type", "veth", "peer", "name", "out", "netns", pid},
		{"ip", "addr", "add", i.gate() + "/24", "dev", i.link},
		{"ip", "link", "set", i.link, "up"},
	} {
		command(t, nil, args...)
	}
	command(t, i.host, "ip", "link", "set", "lo", "up")
	command(t, i.host, "ip", "addr", "add", fmt.Sprintf("10.77.%d.2/24", at), "dev", "out")
	command(t, i.host, "ip", "link", "set", "out", "up")
	return i
}

// gate is the server's address as seen from the island.
func (i island) gate() string { return fmt.Sprintf("10.77.%d.1", i.at) }

// cut takes the link away, and mend gives it back. What is on its way meets silence, as with a cable that is pulled somewhere in between.
func (i island) cut(t *testing.T)  { command(t, nil, "ip", "link", "set", i.link, "down") }
func (i island) mend(t *testing.T) { command(t, nil, "ip", "link", "set", i.link, "up") }

func command(t *testing.T, on *host, args ...string) {
	t.Helper()
	c := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	err := on.start(c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
}

func networks(t *testing.T) {
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, ""))
	if err != nil {
		t.Fatalf("a /proc of its own: %v", err)
	}
	tor := newTorture(t)
	command(t, nil, "ip", "link", "set", "lo", "up")
	islands := []island{newIsland(t, 0), newIsland(t, 1)}
	r := newRound(t, 1, tor.seed, exitFind, self(t), tor.pub)
	server := openServer(t, r)
	r.jobs, r.script, r.unsure = nil, map[string][]string{}, map[reel.JobID]bool{}
	for i := range 220 {
		j := reel.Job{ID: reel.JobID(fmt.Sprintf("j%03d", i)), Account: fmt.Sprintf("acc%02d", i%40), VideoPath: fmt.Sprintf("videos/n%d.mp4", i), Caption: "caption"}
		r.jobs, r.script[string(j.ID)], r.content[j.VideoPath] = append(r.jobs, j), []string{"ok 1500 200"}, j.VideoPath
	}
	r.workers, r.slots, r.timeout, r.limits = 3, 1, 20, reel.DefaultLimits()
	r.server, r.faulty = server, true
	r.writeJobs(t)
	r.write(t, "reelpass.yaml", r.settings())
	for _, i := range islands {
		r.hosts, r.gates = append(r.hosts, i.host), append(r.gates, strings.Replace(server.Address(), "127.0.0.1", i.gate(), 1))
	}
	s := &sea{round: r}
	s.play(t, islands)
	if len(r.problems) > 0 {
		t.Errorf("kept in %s:\n%s", r.dir, strings.Join(r.problems, "\n"))
		return
	}
	_ = os.RemoveAll(r.dir)
	t.Log(r.figures)
}

// openServer is a server that listens to the islands as well.
func openServer(t *testing.T, r *round) *postgrestest.Server {
	t.Helper()
	doors := filepath.Join(r.dir, "pg_hba.conf")
	r.write(t, "pg_hba.conf", "host all all 127.0.0.1/32 trust\nhost all all 10.77.0.0/16 trust\n")
	server, err := postgrestest.Start("fsync=off", "listen_addresses=*", "hba_file="+doors)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := server.Database(t.Context(), "ledger"); err != nil {
		t.Fatal(err)
	}
	return server
}

// sea is a round on islands.
type sea struct {
	*round
	mu   sync.Mutex   // of the round, which several machines play
	last [2][2]*actor // of each, the run and the lender
}

// keep starts `reelpass run` on a machine again and again until the batch has its result, as a person or systemd would.
func (s *sea) keep(t *testing.T, at int, started chan<- bool) {
	for n := 0; ; n++ {
		s.mu.Lock()
		a := s.startAt(t, at, "run", "posts.csv", "--json")
		s.last[at][0] = a
		s.figures.runs++
		s.mu.Unlock()
		if n == 0 {
			close(started)
		}
		<-a.done
		s.mu.Lock()
		finished := s.ended(a) || len(s.problems) > 0
		s.mu.Unlock()
		if finished {
			return
		}
		<-time.After(time.Second)
	}
}

// lend does the same with `reelpass worker`.
func (s *sea) lend(t *testing.T, at int, over <-chan bool) {
	for {
		s.mu.Lock()
		a := s.startAt(t, at, "worker", "--batch", "torture", "--json")
		s.last[at][1] = a
		s.mu.Unlock()
		select {
		case <-a.done:
		case <-over:
			s.mu.Lock()
			s.await(a, patience)
			s.ended(a)
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		s.ended(a)
		s.mu.Unlock()
		<-time.After(time.Second)
	}
}

func (s *sea) leader() (at int, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.last {
		if s.leads(at) {
			return at, true
		}
	}
	return 0, false
}

// leads says that a machine leads, by its run or by its lender.
func (s *sea) leads(at int) bool {
	return slices.ContainsFunc(s.last[at][:], func(a *actor) bool { return a != nil && !a.over() && a.leads() })
}

func (s *sea) play(t *testing.T, islands []island) {
	defer s.cleanUp()
	var runs, lenders sync.WaitGroup
	over := make(chan bool)
	for at := range islands {
		started := make(chan bool)
		runs.Go(func() { s.keep(t, at, started) })
		<-started
		if !s.until("somebody leads", func() bool { _, ok := s.leader(); return ok }) {
			return
		}
		lenders.Go(func() { s.lend(t, at, over) })
	}
	s.cuts(t, islands)
	runs.Wait()
	close(over)
	lenders.Wait()
	if len(s.problems) == 0 {
		s.home = 1
		s.again(t)
	}
	if s.figures.effects != len(s.jobs) {
		s.problem("%d effects of %d jobs", s.figures.effects, len(s.jobs))
	}
}

// cuts cuts the links, for moments first and then the leader's for good enough.
func (s *sea) cuts(t *testing.T, islands []island) {
	posted := func(n int) func() bool {
		before := len(s.effects())
		return func() bool { return len(s.effects()) >= before+n }
	}
	if !s.until("both are at work", posted(10)) {
		return
	}
	first, _ := s.leader()
	for _, i := range islands {
		i.cut(t)
		<-time.After(3 * time.Second)
		i.mend(t)
		s.figures.kills["cut"]++
		if !s.until("the batch goes on after a short cut", posted(5)) {
			return
		}
	}
	if now, _ := s.leader(); now != first {
		s.problem("a cut of 3 s cost the lead of machine %d", first)
	}
	cut := time.Now()
	islands[first].cut(t)
	s.figures.kills["cut-long"]++
	other := 1 - first
	elsewhere := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.leads(other)
	}
	if !s.until("the other machine leads", elsewhere) {
		return
	}
	t.Logf("the leader's machine was cut off, and the other one leads after %.1f s", time.Since(cut).Seconds())
	if after := time.Since(cut); after > 40*time.Second {
		s.problem("the other machine leads only after %s", after)
	}
	if !s.until("the batch goes on there", posted(5)) {
		return
	}
	islands[first].mend(t)
	if !s.until("the batch goes on after the mending", posted(5)) {
		return
	}
	islands[other].cut(t) // the new leader is cut off for a moment
	<-time.After(3 * time.Second)
	islands[other].mend(t)
	s.figures.kills["cut"]++
}
