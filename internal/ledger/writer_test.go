package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"reelpass/internal/reel"
)

// grouped queues changes while somebody has the turn, so that all of them come into one group, and returns their answers.
func grouped(t *testing.T, s *Store, changes ...func(*tx) error) []error {
	t.Helper()
	return atOnce(s, len(changes), func(i int) error { return s.do(changes[i]) })
}

// atOnce calls do, which makes one change, n times while somebody has the turn, so that all come into one group in their order.
func atOnce(s *Store, n int, do func(i int) error) []error {
	s.writer.turn <- struct{}{}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
		for queued := 0; queued <= i; {
			s.writer.mu.Lock()
			queued = len(s.writer.queue)
			s.writer.mu.Unlock()
		}
	}
	<-s.writer.turn
	all.Wait()
	return errs
}

func add(name string) func(*tx) error {
	return func(t *tx) error {
		_, err := t.insert(`INSERT INTO account(name) VALUES(?) RETURNING id`, name)
		return err
	}
}

func accounts(t *testing.T, s *Store) string {
	t.Helper()
	var all string
	if err := s.read.QueryRowContext(t.Context(), `SELECT COALESCE(string_agg(name,' ' ORDER BY name),'') FROM account`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// One bad change in a group takes no other with it, whether it is refused, fails after writing, or breaks the transaction.
func TestBadChangeStandsAlone(t *testing.T) {
	errBad := errors.New("bad")
	for name, bad := range map[string]func(*tx) error{
		"refused before it writes": func(*tx) error { return errBad },
		"fails after it wrote":     func(t *tx) error { return errors.Join(add("bad")(t), errBad) },
		"fails in SQL":             func(t *tx) error { return errors.Join(add("bad")(t), add("bad")(t), errBad) },
		"fails in SQL and tells nobody": func(t *tx) error {
			_ = add("bad")(t)
			_ = add("bad")(t)
			return errBad
		},
		"ends the transaction": func(t *tx) error { // as SQLite does by itself on a full disk
			_, err := t.exec(`INSERT OR ROLLBACK INTO batch(id,name,created_at,used_at) VALUES(1,'b',0,0),(1,'b',0,0)`)
			return errors.Join(err, errBad)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
			refusal := func(*tx) error { return reel.ErrLost } // its answer must not be lost where the group is tried again
			errs := grouped(t, s, add("one"), add("two"), bad, add("three"), refusal)
			if !errors.Is(errs[4], reel.ErrLost) {
				t.Errorf("the refused change was told %v", errs[4])
			}
			for i, err := range errs[:4] {
				if i == 2 && err == nil || i != 2 && err != nil {
					t.Errorf("change %d: %v", i, err)
				}
			}
			if got := accounts(t, s); got != "one three two" {
				t.Errorf("accounts %q", got)
			}
		})
	}
}

// A group is committed once: what its changes wrote is there together.
func TestGroupIsOneCommit(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	seen := ""
	errs := grouped(t, s, add("one"), func(x *tx) error { seen = accounts(t, s); return add("two")(x) })
	if err := errors.Join(errs...); err != nil || seen != "" || accounts(t, s) != "one two" {
		t.Errorf("%v; from outside %q, then %q", err, seen, accounts(t, s))
	}
}

// A change that can be made only once is made once, alone, and in its place.
func TestOnceIsOnce(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	s.writer.turn <- struct{}{}
	var order []string
	var all sync.WaitGroup
	queue := func(f func()) {
		s.writer.mu.Lock()
		n := len(s.writer.queue)
		s.writer.mu.Unlock()
		all.Go(f)
		for have := n; have == n; {
			s.writer.mu.Lock()
			have = len(s.writer.queue)
			s.writer.mu.Unlock()
		}
	}
	note := func(name string, err error) func(*tx) error {
		return func(t *tx) error { order = append(order, name); return errors.Join(add(name)(t), err) }
	}
	bad := errors.New("bad")
	queue(func() { _ = s.do(note("a", nil)) })
	queue(func() { _ = s.do(note("b", nil)) })
	queue(func() {
		if err := s.writer.commitOnce(note("once", bad)); !errors.Is(err, bad) {
			t.Error(err)
		}
	})
	queue(func() { _ = s.do(note("c", nil)) })
	<-s.writer.turn
	all.Wait()
	if got := fmt.Sprint(order); got != "[a b once c]" || accounts(t, s) != "a b c" {
		t.Errorf("order %s, accounts %q", got, accounts(t, s))
	}
}

// What is asked of a closed ledger is refused, what was asked in time is done, and closing twice is no harm.
func TestCloseWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path)
	var done atomic.Int64
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				err := s.do(add(fmt.Sprintf("%d-%d", w, i)))
				if errors.Is(err, errClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < 50 {
		runtime.Gosched() // others write
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Error("closing again:", err)
	}
	again := mustOpen(t, path)
	var n int64
	if err := again.read.QueryRowContext(context.Background(), `SELECT count(*) FROM account`).Scan(&n); err != nil || n != done.Load() {
		t.Errorf("%d are there, %d were confirmed (%v)", n, done.Load(), err)
	}
}

// What is remembered of a job is a hint. One that a failed transaction left wrong neither loses an ending nor lets a wrong one pass.
func TestWrongMemoryOfAJobIsNoHarm(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	seed(t, s, "b", 2, 2)
	lead(t, s, "b")
	wrong := errors.New("this transaction does not happen")
	claim := func() reel.Claim {
		t.Helper()
		c, _, err := s.Claim(ctx, reel.Claimant{Batch: "b", Supervisor: "sup-1", Worker: 1})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ending := func(c reel.Claim, state reel.State, outcome reel.Outcome) reel.Ending {
		return reel.Ending{
			Attempt:  reel.Attempt{Number: c.Attempt, Pass: c.Pass, Outcome: outcome, Verdict: reel.Verdict{Category: reel.Unknown}},
			Decision: reel.Decision{State: state},
		}
	}
	c := claim()
	if err := s.do(func(t *tx) error { // an intent that is rolled back
		t.homes[c.Key] = home{batch: 1, account: 1, state: reel.Publishing, content: "sha256:never"}
		_, err := t.exec(`UPDATE job SET state='publishing' WHERE id=?`, c.Key)
		return errors.Join(err, wrong)
	}); !errors.Is(err, wrong) {
		t.Fatal(err)
	}
	if _, err := s.Record(ctx, c, ending(c, reel.Succeeded, reel.OutcomeSucceeded)); !errors.Is(err, reel.ErrRefused) {
		t.Errorf("a post without an intent: %v", err)
	}
	if _, err := s.Record(ctx, c, ending(c, reel.Failed, reel.OutcomeFailed)); err != nil {
		t.Error(err)
	}
	c = claim()
	path := reel.Fingerprint{Key: "path:" + c.Job.VideoPath, Path: "path:" + c.Job.VideoPath}
	if _, err := s.Intent(ctx, c, path, false); err != nil {
		t.Fatal(err)
	}
	h := s.writer.group.homes[c.Key]
	h.content = "sha256:another"
	s.writer.group.homes[c.Key] = h
	if _, err := s.Record(ctx, c, ending(c, reel.Failed, reel.OutcomeFailed)); err != nil {
		t.Error(err)
	}
	var rows int
	if err := s.read.QueryRow(`SELECT count(*) FROM publish`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d videos are guarded by a job that did not post them (%v)", rows, err)
	}
}
