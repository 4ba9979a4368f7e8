package ledger

import (
	"path/filepath"
	"slices"
	"testing"

	"reelpass/internal/reel"
)

// Changes that share one commit see each other's breaker: one gets the canary, and each attempt has a place of its own.
func TestAGroupSharesTheBreaker(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	seed(t, s, "b", 4, 4)
	_, sup := lead(t, s, "b")
	who := reel.Claimant{Batch: "b", Supervisor: sup.ID, Worker: 1}
	var places []int
	ending := reel.Ending{
		Signature: "x",
		Attempt:   reel.Attempt{Outcome: reel.OutcomeFailed, Verdict: reel.Verdict{Category: reel.Infrastructure}},
		Decision:  reel.Decision{State: reel.Failed},
		Breaker: func(b reel.Breaker, at reel.Sample) reel.Breaker {
			places = append(places, at.Attempt)
			return reel.Breaker{Outage: &reel.Outage{Signature: "x", Until: at.At}}
		},
	}
	var canaries []bool
	if err := s.hot(func(x *tx) error {
		canaries, places = nil, nil
		owner, err := x.supervisorID(sup.ID)
		if err != nil {
			return err
		}
		var claims []reel.Claim
		for range 2 {
			b, err := x.batch("b")
			if err != nil {
				return err
			}
			c, _, err := x.claimJob(b, owner, who)
			if err != nil {
				return err
			}
			claims = append(claims, c)
		}
		for _, c := range claims {
			ending.Attempt.Number = c.Attempt
			if _, err := x.record(c, ending); err != nil {
				return err
			}
		}
		for range 2 {
			b, err := x.batch("b")
			if err != nil {
				return err
			}
			canary, waiting, err := x.gate(b)
			if err != nil {
				return err
			}
			canaries = append(canaries, canary && waiting == nil)
			if !canary {
				continue
			}
			c, _, err := x.claimJob(b, owner, who)
			if err != nil {
				return err
			}
			if _, err := x.probes(b, &c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(places, []int{1, 2}) || !slices.Equal(canaries, []bool{true, false}) {
		t.Errorf("places %v, canaries %v", places, canaries)
	}
}
