package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"reelpass/internal/reel"
)

// postUntilDone claims and posts until the batch has no open job left. Accounts may be busy in another process for a while.
func postUntilDone(ctx context.Context, s *Store, batch string) error {
	for {
		c, _, err := s.Claim(ctx, reel.Claimant{Batch: batch, Supervisor: batch, Worker: 1})
		if errors.Is(err, reel.ErrNothingDue) {
			st, err := s.Status(ctx, batch)
			if err != nil || st.Totals.Pending == 0 {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := finishPost(ctx, s, c); err != nil {
			return err
		}
	}
}

// Two processes that create, migrate and write one ledger at once are in nobody's way: none hears of a lock.
func TestTwoProcessesWriteAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	first, out1 := role(t, "write", path, "first")
	second, out2 := role(t, "write", path, "second")
	for out1.Scan() {
		t.Log("first:", out1.Text())
	}
	for out2.Scan() {
		t.Log("second:", out2.Text())
	}
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path)
	for _, b := range []string{"first", "second"} {
		st, err := s.Status(context.Background(), b)
		if want := (reel.Totals{Jobs: jobsOfAWriter, Succeeded: jobsOfAWriter, Attempts: jobsOfAWriter}); err != nil || st.Totals != want {
			t.Errorf("%s: %+v, %v", b, st.Totals, err)
		}
	}
	if err := s.Check(context.Background()); err != nil {
		t.Error(err)
	}
}

// A ledger is recognised as ours from its first moment: also while another process has it open with everything but the mark
// still in the WAL, and after that process was killed.
func TestKilledProcessLeavesALedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	cmd, out := role(t, "hold", path, "")
	if !out.Scan() || out.Text() != "ready <nil>" {
		t.Fatal(out.Text())
	}
	beside := mustOpen(t, path)
	if err := beside.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := mustOpen(t, path)
	st, err := s.Status(context.Background(), "b")
	if err != nil || st.Totals.Jobs != 1 {
		t.Errorf("%+v, %v", st.Totals, err)
	}
}
