package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"reelpass/internal/reel"
)

// A full disk is told as such, leaves nothing half-done, and is no more than a pause.
func TestFullDisk(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	pages := func(n int) {
		t.Helper()
		var got int
		if err := rowOf(s.writer.conn, fmt.Sprintf(`PRAGMA max_page_count=%d`, n), nil, &got); err != nil {
			t.Fatal(err)
		}
	}
	fullDisk(t, s, func() { pages(1) }, func() { pages(1 << 30) })
}

// The same on a small file system that is really full; it needs the right to mount one.
func TestReallyFullDisk(t *testing.T) {
	dir := smallDisk(t)
	s := mustOpen(t, filepath.Join(dir, "l.db"))
	filler := filepath.Join(dir, "filler")
	fullDisk(t, s, func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for chunk := make([]byte, 4096); err == nil; {
			_, err = f.Write(chunk)
		}
	}, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := Open(context.Background(), filepath.Join(dir, "l.db"), Options{}); err != nil {
		t.Error(err)
	}
}

func fullDisk(t *testing.T, s *Store, fill, free func()) {
	t.Helper()
	ctx := context.Background()
	seed(t, s, "b", 400, 100)
	lead(t, s, "b")
	status := func() reel.Status {
		t.Helper()
		st, err := s.Status(ctx, "b")
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	before := status()
	fill()
	failed := 0
	for range 400 { // some still fits
		if err := cycle(s, 1); err != nil {
			if k := troubleOf(t, s.path, err); k != Full {
				t.Fatalf("%q: %v", k, err)
			}
			failed++
			break
		}
	}
	if failed == 0 {
		t.Fatal("the disk is not full")
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { // groups fail whole, and then one by one
			if err := cycle(s, 1); err != nil && !errors.Is(err, reel.ErrNothingDue) {
				troubleOf(t, s.path, err)
			}
		})
	}
	all.Wait()
	_, err := s.Import(ctx, "more", func(yield func(reel.Post, error) bool) {
		for i := range 20_000 {
			if !yield(reel.Post{Job: reel.Job{ID: reel.JobID(fmt.Sprint(i)), Account: "a", VideoPath: "/v", Caption: "text"}}, nil) {
				return
			}
		}
	})
	if k := troubleOf(t, s.path, err); k != Full {
		t.Errorf("import: %q: %v", k, err)
	}
	if _, err := s.Status(ctx, "more"); !errors.Is(err, reel.ErrNotFound) {
		t.Errorf("a part of an import was kept: %v", err)
	}
	free()
	for {
		err := cycle(s, 1)
		if errors.Is(err, reel.ErrNothingDue) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	after := status()
	if after.Totals.Jobs != before.Totals.Jobs || after.Totals.Succeeded != after.Totals.Attempts || after.Passes[0].Succeeded != after.Totals.Succeeded ||
		after.Totals.Pending+after.Totals.Failed != 0 || after.Totals.Succeeded+after.Totals.Running+after.Totals.Publishing != after.Totals.Jobs {
		t.Errorf("%+v", after)
	}
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}
