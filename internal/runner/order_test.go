package runner_test

import (
	"context"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// dawdling is a ledger whose answer to a record comes late: when the pass has been closed, or after two of the leader's looks.
type dawdling struct {
	*ledger.Store
	closed chan struct{}
}

func (d *dawdling) Record(ctx context.Context, c reel.Claim, e reel.Ending) ([]reel.Event, error) {
	events, err := d.Store.Record(ctx, c, e)
	select {
	case <-d.closed:
	case <-time.After(2500 * time.Millisecond):
	}
	return events, err
}

func (d *dawdling) Advance(ctx context.Context, batch string, term int64, decide func(reel.Standing) reel.Step) (reel.Step, []reel.Event, error) {
	step, events, err := d.Store.Advance(ctx, batch, term, decide)
	if err == nil && step.Result != reel.NoResult {
		close(d.closed)
	}
	return step, events, err
}

func TestWhatIsToldIsInOrder(t *testing.T) {
	b := newBench(t, jobs(1, own), nil)
	r := b.runner("one", 1, fast())
	d := &dawdling{Store: b.store, closed: make(chan struct{})}
	r.Slots, r.Passes = d, d
	if _, err := r.Lead(context.Background()); err != nil {
		t.Fatal(err)
	}
	var last int64
	for _, e := range b.events {
		if e.Seq == 0 {
			continue
		}
		if e.Seq < last {
			t.Errorf("%s (%d) is told after what followed it (%d)", e.Kind, e.Seq, last)
		}
		last = e.Seq
	}
}
