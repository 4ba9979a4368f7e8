package ledgertest

import (
	"errors"

	"reelpass/internal/ledger"
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
	return errors.Join(append(errs, err)...)
}
