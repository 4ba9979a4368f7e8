package ledger_test

import (
	"context"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// Machines that wait for a pass hear within a second that another has opened it, and that a person let a batch go on; jobs that
// come and go are no news.
func TestMachinesHearOfPasses(t *testing.T) {
	address, err := newServer(t).Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	open := func() *ledger.Store {
		s, err := ledger.Open(t.Context(), address, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	here, there := open(), open()
	ctx, stop := context.WithCancel(t.Context())
	heard, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- here.Listen(ctx, func() { heard <- struct{}{} }) }()
	hears := func(what string, change func() error) {
		t.Helper()
		if err := change(); err != nil {
			t.Fatal(what, err)
		}
		select {
		case <-heard:
		case <-time.After(time.Second):
			t.Errorf("%s: not heard within a second", what)
		}
	}
	select { // the first call says that it listens; connecting may take its time
	case <-heard:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not listen")
	}
	sup := reel.Supervisor{ID: "there", Name: "there"}
	if _, err := there.Import(ctx, "b", func(yield func(reel.Post, error) bool) {
		yield(reel.Post{Line: 2, Job: reel.Job{ID: "1", Account: "a", VideoPath: "/v/1.mp4"}}, nil)
	}); err != nil {
		t.Fatal(err)
	}
	if err := there.Enlist(sup); err != nil {
		t.Fatal(err)
	}
	round, _, err := there.Lead(ctx, reel.Bid{Batch: "b", Leader: sup, Limits: reel.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	hears("a pass", func() error { _, err := there.OpenPass(ctx, "b", round.Term, 1); return err })
	if _, _, err := there.Claim(ctx, reel.Claimant{Batch: "b", Supervisor: sup.ID, Worker: 1}); err != nil {
		t.Fatal(err)
	}
	if err := there.Pause(ctx, "b", true, "ana"); err != nil {
		t.Fatal(err)
	}
	hears("a pause that ends", func() error { return there.Pause(ctx, "b", false, "ana") })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(heard) > 0 {
		t.Errorf("%d more calls than there was news", len(heard))
	}
}
