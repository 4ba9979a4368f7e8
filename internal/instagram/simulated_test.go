package instagram_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/simgram"
)

// looking is a hand that notes what it is shown.
type looking struct {
	*hand
	z     *instagram.Recogniser
	names map[string]int
}

func (l looking) Screen(ctx context.Context) (phone.Screen, error) {
	s, err := l.hand.Screen(ctx)
	seen := l.z.Recognise(s, instagram.Context{Me: "mira.weaves", Shared: instagram.SharedNo})
	l.names[seen.Screen+" "+seen.Variant]++
	return s, err
}

// Every page of the simulated app is known, in every language, and there are as many as a trial needs.
func TestTheSimulatedScreensAreKnown(t *testing.T) {
	all := looking{z: instagram.NewRecogniser(), names: map[string]int{}}
	scenarios := []simgram.Scenario{
		{}, {Popups: slices.DeleteFunc(simgram.Popups(), func(p string) bool { return p == simgram.Strange })}, {Stale: true}, {CannotPost: true}, {Story: true}, {LongVideo: true}, {Fails: true}, {Silent: true}, {Crash: true},
	}
	for _, trouble := range simgram.Troubles() {
		scenarios = append(scenarios, simgram.Scenario{Trouble: trouble})
	}
	for _, language := range simgram.Languages() {
		for _, s := range scenarios {
			try(t, simgram.Config{Language: language, Upload: 5 * time.Second, Scenario: s}, func(h *hand) { h.watch = all })
		}
	}
	d := doubt(t, simgram.Config{}, true)
	all.hand = d.h
	if _, err := d.p.Look(t.Context(), all, instagram.Doubt{Me: "mira.weaves", Caption: caption, Before: 41, Since: d.now}, func() time.Time { return d.now }); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(all.names))
	if all.names[instagram.UnknownScreen+" "] > 0 || len(names) < 25 {
		t.Errorf("%d screens: %q", len(names), names)
	}
}
