package ledgertest

import (
	"errors"
	"fmt"

	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// sound checks what holds at every moment, of every batch.
func (r *room) sound() {
	r.Helper()
	if r.big {
		return
	}
	if err := r.unsound(); err != nil {
		r.Error(err)
	}
}

func (r *room) unsound() error {
	var errs []error
	_, err := r.Store.Verify(r.ctx, func(f ledger.Finding) { errs = append(errs, errors.New(f.String())) }, nil)
	return errors.Join(append(errs, err, r.addsUp())...)
}

// addsUp holds the journal against the jobs: what the overview makes of it is how they stand, batch by batch, and cause by cause.
func (r *room) addsUp() error {
	o := overview.New(func(e reel.Evidence, v reel.Verdict, _ ...string) string { return string(v.Category) + " " + e.Text })
	for after := int64(0); ; after = o.Seq() {
		events, err := r.Store.Journal(r.ctx, after, 1000)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			o.Add(e)
		}
	}
	batches, err := r.Store.Batches(r.ctx)
	errs := []error{err}
	for _, st := range batches {
		if got, want := o.Pace(st.Name, r.now()).Counts, overview.CountsOf(st.Totals); got != want {
			errs = append(errs, fmt.Errorf("the journal of %s adds up to %v, and the jobs to %v", st.Name, got, want))
		}
		stand := map[reel.JobID]overview.Group{}
		for j, err := range r.Store.Jobs(r.ctx, st.Name, ledger.Filter{}) {
			if err != nil {
				return err
			}
			stand[j.ID] = overview.GroupOf(j.State)
		}
		for _, c := range o.Causes(st.Name) {
			var want overview.Counts
			for _, id := range o.Of(st.Name, c.ID) {
				want[stand[id]]++
			}
			if c.By != want {
				errs = append(errs, fmt.Errorf("the jobs of %s that failed by %s stand at %v, and the journal says %v", st.Name, c.Signature, want, c.By))
			}
		}
	}
	return errors.Join(errs...)
}
