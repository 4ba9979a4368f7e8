package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"reelpass/internal/ledger/ledgertest"
	"reelpass/internal/reel"
)

func TestClaimsAreLinearizable(t *testing.T) { ledgertest.TestLinear(t, inFile, 10, nil) }

func TestClaimsAreLinearizableOnServer(t *testing.T) { ledgertest.TestLinear(t, onServer(t), 2, nil) }

// TestHistoriesGiveABrokenStoreAway shows that the histories can fail.
func TestHistoriesGiveABrokenStoreAway(t *testing.T) {
	for name, spoil := range map[string]func(ledgertest.Store) ledgertest.Store{
		"gives the same claim twice":             func(s ledgertest.Store) ledgertest.Store { return &twice{Store: s} },
		"gives an intent for a lost lease":       func(s ledgertest.Store) ledgertest.Store { return lenient{s} },
		"does not keep an end":                   func(s ledgertest.Store) ledgertest.Store { return forgetful{s} },
		"renews leases that others have settled": func(s ledgertest.Store) ledgertest.Store { return &clinging{Store: s} },
	} {
		t.Run(name, func(t *testing.T) { ledgertest.TestLinear(t, inFile, 20, spoil) })
	}
}

// twice gives one claim in ten a second time.
type twice struct {
	ledgertest.Store
	mu sync.Mutex
	n  int
	c  reel.Claim
}

func (s *twice) Claim(ctx context.Context, who reel.Claimant) (reel.Claim, []reel.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n%10 == 0 && s.c.Key != 0 {
		return s.c, nil, nil
	}
	c, events, err := s.Store.Claim(ctx, who)
	if err == nil {
		s.c = c
	}
	return c, events, err
}

type lenient struct{ ledgertest.Store }

func (s lenient) Intent(ctx context.Context, c reel.Claim, f reel.Fingerprint, repost bool) ([]reel.Event, error) {
	events, err := s.Store.Intent(ctx, c, f, repost)
	if errors.Is(err, reel.ErrLost) {
		err = nil
	}
	return events, err
}

type forgetful struct{ ledgertest.Store }

func (s forgetful) Record(ctx context.Context, c reel.Claim, e reel.Ending) ([]reel.Event, error) {
	if c.Attempt == 2 {
		return nil, nil
	}
	return s.Store.Record(ctx, c, e)
}

type clinging struct {
	ledgertest.Store
	mu   sync.Mutex
	held []reel.Lease
}

func (s *clinging) Renew(ctx context.Context, supervisor string) ([]reel.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, err := s.Store.Renew(ctx, supervisor)
	if len(s.held) > len(held) {
		held = s.held
	}
	s.held = held
	return held, err
}
