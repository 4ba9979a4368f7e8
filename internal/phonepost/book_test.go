package phonepost_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reelpass/internal/geelark"
	"reelpass/internal/phonepost"
	"reelpass/internal/reel"
)

// counting is a vendor that only stops.
type counting struct {
	phonepost.Vendor
	stopped []string
	fails   error
}

func (c *counting) Stop(_ context.Context, id string) error {
	if c.fails != nil {
		return c.fails
	}
	c.stopped = append(c.stopped, id)
	return nil
}

// The phones of the dead are stopped, once; those of the living are left alone.
func TestTheBookIsSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "phones")
	dead, living := reel.Process{PID: 1, Started: 10}, reel.Process{PID: 2, Started: 20}
	of := func(p reel.Process) *phonepost.Book { return &phonepost.Book{Dir: dir, Self: p} }
	alive := func(p reel.Process) bool { return p == living }
	v := &counting{}
	if stopped, err := of(dead).Sweep(t.Context(), v, alive); err != nil || len(stopped) > 0 {
		t.Fatal(stopped, err)
	}
	for _, p := range []geelark.Phone{{ID: "52842910000000001", Name: "mira"}, {ID: "../x", Name: "odd"}, {ID: "3", Name: "given back"}} {
		if err := of(dead).Started(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := of(living).Started(t.Context(), geelark.Phone{ID: "4", Name: "busy"}); err != nil {
		t.Fatal(err)
	}
	of(dead).Stopped(geelark.Phone{ID: "3"})

	v.fails = errors.New("the vendor is away")
	stopped, err := of(living).Sweep(t.Context(), v, alive)
	if len(stopped) > 0 || err == nil || !strings.Contains(err.Error(), "the phone mira may still be running: the vendor is away") {
		t.Errorf("%v, %v", stopped, err)
	}
	v.fails = nil
	stopped, err = of(living).Sweep(t.Context(), v, alive)
	slices.Sort(stopped)
	if err != nil || !slices.Equal(stopped, []string{"mira", "odd"}) || len(v.stopped) != 2 {
		t.Errorf("%v, %v, %v", stopped, v.stopped, err)
	}
	if stopped, err = of(living).Sweep(t.Context(), v, alive); err != nil || len(stopped) > 0 {
		t.Errorf("twice: %v, %v", stopped, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "damaged.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = of(living).Sweep(t.Context(), v, alive); err == nil {
		t.Error("a damaged entry is passed over in silence")
	}
}
