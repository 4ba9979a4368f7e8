package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/notify"
	"reelpass/internal/reel"
)

// journal is a ledger's journal that grows while it is followed.
type journal struct {
	mu      sync.Mutex
	events  []reel.Event
	batches []reel.Status
	err     error
}

func (j *journal) add(e reel.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq, e.At = int64(len(j.events)+1), time.Now()
	if e.Batch == "" {
		e.Batch = "launch"
	}
	j.events = append(j.events, e)
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

func (j *journal) Head(context.Context) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.events)), j.err
}

func (j *journal) Journal(_ context.Context, after int64, most int) ([]reel.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.events[min(after, int64(len(j.events))):]
	return slices.Clone(rest[:min(most, len(rest))]), j.err
}

func (j *journal) Batches(context.Context) ([]reel.Status, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.batches, j.err
}

// post keeps what it is given to carry.
type post struct {
	mu  sync.Mutex
	got []notify.Message
	do  func(context.Context, notify.Message)
}

func (p *post) Send(ctx context.Context, m notify.Message) []notify.Result {
	if p.do != nil {
		p.do(ctx, m)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, m)
	return nil
}

// takes compares what was carried since the last time.
func (p *post) takes(t *testing.T, titles ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := []string{}
	for _, m := range p.got {
		got = append(got, m.Title)
	}
	if p.got = nil; strings.Join(got, "\n") != strings.Join(titles, "\n") {
		t.Errorf("told %q, want %q", got, titles)
	}
}

// serve is a follower that runs until it is stopped.
type serve struct {
	stop func()
	log  *bytes.Buffer
}

func start(t interface{ Context() context.Context }, dir string, j *journal, p *post) serve {
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		notify.Run(ctx, notify.Config{
			Source: j, Courier: p, File: filepath.Join(dir, "ledger", "alerts.json"), Ledger: "ledger.db", Options: all(), Clock: time.Now,
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
	})
	synctest.Wait()
	return serve{log: &log, stop: func() { cancel(); wg.Wait() }}
}

// pass lets time go on, and whatever is done in it.
func pass(d time.Duration) {
	<-time.After(d) // of a bubble: nobody waits
	synctest.Wait()
}

func doubt(job string) reel.Event {
	return reel.Event{Kind: reel.EventInDoubt, Job: reel.JobID(job)}
}

func finished() reel.Event {
	return reel.Event{Kind: reel.EventFinished, Result: reel.AllComplete, Text: "STOPPING"}
}

func TestBeginsAtTheHead(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		j.add(finished())
		j.add(doubt("v1"))
		s := start(t, dir, j, p)
		pass(time.Hour)
		p.takes(t)
		j.add(reel.Event{Kind: reel.EventPassClosed, Pass: 2, Text: "CONTINUING"})
		pass(2 * time.Second)
		p.takes(t, "launch: pass 2 ended")
		s.stop()
		if s.log.Len() > 0 {
			t.Error(s.log)
		}
	})
	info, err := os.Stat(filepath.Join(dir, "ledger", "alerts.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// What happened while nobody was there is told once, unless it is older than an hour; and what waited to be told is not lost.
func TestARestartRepeatsNothingAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		s := start(t, dir, j, p)
		j.add(finished())
		j.add(doubt("v1")) // is gathered for a minute
		pass(2 * time.Second)
		s.stop()
		p.takes(t, "launch: the batch ended: all_complete")
		j.add(doubt("v2"))
		pass(10 * time.Second)
		s = start(t, dir, j, p)
		pass(time.Minute)
		p.takes(t, "launch: 2 jobs are in doubt")
		j.add(doubt("v3"))
		pass(2 * time.Second)
		s.stop()

		s = start(t, dir, j, p)
		pass(4 * time.Minute)
		p.takes(t) // the throttle holds over the restart
		pass(time.Minute)
		p.takes(t, "launch: 1 job is in doubt")
		s.stop()

		j.add(reel.Event{Kind: reel.EventFinished, Batch: "old", Result: reel.AllComplete})
		pass(time.Hour + time.Minute)
		j.add(reel.Event{Kind: reel.EventFinished, Batch: "young", Result: reel.AllComplete})
		s = start(t, dir, j, p)
		pass(time.Hour)
		p.takes(t, "young: the batch ended: all_complete")
		if s.stop(); strings.Count(s.log.String(), "not told") != 1 {
			t.Errorf("log: %s", s.log)
		}
	})
}

// Over any number of restarts, at whatever moment, every doubt is counted once and every end is told once.
func TestAnyRestarts(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		home := filepath.Join(dir, fmt.Sprint(n))
		steps := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 30).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.IntRange(1, 90), len(steps), len(steps)).Draw(rt, "waits")
		synctest.Test(t, func(t *testing.T) {
			j, p := &journal{}, &post{}
			s := start(t, home, j, p)
			doubts, ends := 0, 0
			for i, step := range steps {
				switch step {
				case 0:
					s.stop()
					s = start(t, home, j, p)
				case 1:
					s.stop()
					j.add(doubt("away"))
					j.add(finished())
					doubts, ends = doubts+1, ends+1
					s = start(t, home, j, p)
				case 2:
					j.add(finished())
					ends++
				default:
					j.add(doubt("v"))
					doubts++
				}
				pass(time.Duration(waits[i]) * time.Second)
			}
			pass(10 * time.Minute)
			s.stop()
			ids := map[string]bool{}
			for _, m := range p.got {
				if ids[m.ID] {
					t.Errorf("%s was sent twice", m.ID)
				}
				ids[m.ID] = true
				if m.Kind == notify.BatchEnded {
					ends--
				} else {
					doubts -= m.Count
				}
				for _, a := range m.Also {
					doubts -= a.Count
				}
			}
			if ends != 0 || doubts != 0 {
				t.Errorf("%d ends and %d doubts were not told; steps %v, waits %v", ends, doubts, steps, waits)
			}
		})
	})
}

// Whoever is killed while a message is on its way sends it again, under the same ID; one that was told to stop does not, and lets it arrive.
func TestStoppedInTheMiddleOfASending(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger", "alerts.json")
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		s := start(t, dir, j, p)
		var killed []byte
		p.do = func(ctx context.Context, _ notify.Message) {
			killed, _ = os.ReadFile(file) // what a kill would leave behind
			go s.stop()
			pass(time.Second)
			if ctx.Err() != nil {
				t.Error("the message was cut off")
			}
		}
		j.add(finished())
		j.add(finished())
		pass(5 * time.Second)
		p.do = nil
		first := slices.Clone(p.got)
		p.takes(t, "launch: the batch ended: all_complete")
		s = start(t, dir, j, p)
		pass(5 * time.Second)
		p.takes(t, "launch: the batch ended: all_complete") // the second
		s.stop()

		if err := os.WriteFile(file, killed, 0o600); err != nil {
			t.Fatal(err)
		}
		s = start(t, dir, j, p)
		pass(5 * time.Second)
		s.stop()
		if len(p.got) != 2 || p.got[0].ID != first[0].ID {
			t.Errorf("after a kill: %+v", p.got)
		}
		p.got = nil
	})
}

// What was on its way when the program was killed is sent as it was, although more has happened since.
func TestKilledInTheMiddleOfAGroup(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger", "alerts.json")
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		s := start(t, dir, j, p)
		var killed []byte
		p.do = func(context.Context, notify.Message) { killed, _ = os.ReadFile(file) }
		j.add(doubt("v1"))
		pass(65 * time.Second)
		s.stop()
		j.add(doubt("v2"))
		if err := os.WriteFile(file, killed, 0o600); err != nil {
			t.Fatal(err)
		}
		p.do = nil
		s = start(t, dir, j, p)
		pass(10 * time.Minute)
		s.stop()
		if len(p.got) != 3 || p.got[0].ID != p.got[1].ID || p.got[0].Text != p.got[1].Text || p.got[2].Count != 1 {
			t.Errorf("%+v", p.got)
		}
	})
}

// The clocks of the ledger and of this machine may differ: what is read as it happens is news, whatever its time says.
func TestAnotherClockHidesNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		s := start(t, dir, j, p)
		pass(3 * time.Second)
		j.add(finished())
		j.mu.Lock()
		j.events[0].At = j.events[0].At.Add(-3 * time.Hour)
		j.mu.Unlock()
		pass(3 * time.Second)
		p.takes(t, "launch: the batch ended: all_complete")
		s.stop()
	})
}

// A batch whose run died without a word is told of, also when that was before the start.
func TestStalledBeforeTheStart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		j.batches = []reel.Status{
			{Batch: reel.Batch{Name: "launch", Phase: reel.PhaseRunning}},
			{Batch: reel.Batch{Name: "done", Phase: reel.PhaseFinished}},
			{Batch: reel.Batch{Name: "paused", Phase: reel.PhasePaused}},
			{Batch: reel.Batch{Name: "idle", Phase: reel.PhaseIdle}},
		}
		s := start(t, dir, j, p)
		pass(14 * time.Minute)
		p.takes(t)
		pass(2 * time.Minute)
		s.stop()
		s = start(t, dir, j, p)
		pass(time.Hour)
		p.takes(t, "launch: nothing done for 15 minutes")
		s.stop()
	})
}

// A journal that cannot be read is read later; a place that is damaged or of another ledger is begun anew; and a second server waits.
func TestTrouble(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger", "alerts.json")
	synctest.Test(t, func(t *testing.T) {
		j, p := &journal{}, &post{}
		j.fail(errors.New("the server is gone"))
		s := start(t, dir, j, p)
		pass(time.Minute)
		j.fail(nil)
		pass(2 * time.Second)
		j.add(finished())
		j.fail(errors.New("gone again"))
		pass(time.Minute)
		p.takes(t)
		j.fail(nil)
		pass(2 * time.Second)
		p.takes(t, "launch: the batch ended: all_complete")

		other := &post{}
		second := start(t, dir, j, other)
		j.add(finished())
		pass(time.Minute)
		p.takes(t, "launch: the batch ended: all_complete")
		other.takes(t)
		s.stop()
		pass(2 * time.Second)
		j.add(finished())
		pass(2 * time.Second)
		other.takes(t, "launch: the batch ended: all_complete")
		second.stop()
		if strings.Count(s.log.String(), "cannot be read") != 2 || strings.Count(second.log.String(), "told by another") != 1 {
			t.Errorf("logs:\n%s%s", s.log, second.log)
		}

		for _, text := range []string{"{", `{"ledger":"other.db","memory":{"seq":1}}`, `{"ledger":"ledger.db","memory":{"seq":999}}`} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, dir, j, p)
			pass(2 * time.Second)
			p.takes(t)
			j.add(finished())
			pass(2 * time.Second)
			p.takes(t, "launch: the batch ended: all_complete")
			s.stop()
		}
	})
}
