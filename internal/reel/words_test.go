package reel_test

import (
	"encoding/json"
	"testing"
	"time"

	"reelpass/internal/reel"
)

func TestRateIsRoundedToOneDecimal(t *testing.T) {
	for _, c := range []struct {
		succeeded, processed int
		want                 reel.Percent
		text                 string
	}{{0, 0, 0, "0.0"}, {4, 10, 40, "40.0"}, {1, 3, 33.3, "33.3"}, {2, 3, 66.7, "66.7"}, {5, 11, 45.5, "45.5"}, {1, 8, 12.5, "12.5"}, {1999, 2000, 100, "100.0"}, {7, 7, 100, "100.0"}} {
		got := reel.Rate(c.succeeded, c.processed)
		if got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.succeeded, c.processed, got, c.want)
		}
		if text, err := json.Marshal(got); err != nil || string(text) != c.text {
			t.Errorf("%d of %d in JSON: %s, %v", c.succeeded, c.processed, text, err)
		}
	}
}

func TestSecondsComeBackAsTheyWere(t *testing.T) {
	for d, text := range map[time.Duration]string{30 * time.Second: "30", 250 * time.Millisecond: "0.25", 0: "0", 90 * time.Minute: "5400"} {
		data, err := json.Marshal(reel.Seconds(d))
		if err != nil || string(data) != text {
			t.Errorf("%s in JSON: %s, %v", d, data, err)
		}
		var back reel.Seconds
		if err := json.Unmarshal(data, &back); err != nil || back.Std() != d {
			t.Errorf("%s comes back as %s, %v", d, back.Std(), err)
		}
	}
}

func TestTotalsKnowEveryState(t *testing.T) {
	var totals reel.Totals
	for i, s := range reel.States() {
		totals.Add(s, i+1)
	}
	for i, s := range reel.States() {
		if got := totals.Of(s); got != i+1 {
			t.Errorf("%s: %d, want %d", s, got, i+1)
		}
	}
}

// A final state is left only by a person, and every state that is not final leads on by itself.
func TestLifeOfAJob(t *testing.T) {
	for _, s := range reel.States() {
		next := s.Next()
		if !s.Final() && len(next) == 0 {
			t.Errorf("a job is stuck in %s", s)
		}
		for _, to := range next {
			if s.Final() && (to.InFlight() || to == reel.Succeeded) {
				t.Errorf("from %s, which is final, a job goes to %s by itself", s, to)
			}
		}
		if s != reel.Running && reel.CanBecome(s, reel.Publishing) {
			t.Errorf("the share begins from %s, without a claim", s)
		}
	}
	if len(reel.Succeeded.Next()) > 0 {
		t.Error("a post can be undone")
	}
}
