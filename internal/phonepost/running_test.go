package phonepost_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"reelpass/internal/geelark"
	"reelpass/internal/phonepost"
	"reelpass/internal/reel"
)

// counting is a vendor that only stops.
type counting struct {
	phonepost.Vendor
	stopped []string
	fails   map[string]error
}

func (c *counting) Stop(_ context.Context, id string) error {
	if err := c.fails[id]; err != nil {
		return err
	}
	c.stopped = append(c.stopped, id)
	return nil
}

// record is a ledger of leftovers; taken are accounts on which somebody began to work meanwhile.
type record struct {
	left  []reel.Leftover
	taken func(account string) bool
}

func (r *record) Leftovers(_ context.Context, name string) (all []reel.Leftover, err error) {
	for _, l := range r.left {
		if l.Name == name && (r.taken == nil || !r.taken(l.Account)) {
			all = append(all, l)
		}
	}
	return all, nil
}

func (r *record) Forget(_ context.Context, l reel.Leftover) error {
	r.left = slices.DeleteFunc(r.left, func(o reel.Leftover) bool { return o == l })
	return nil
}

func phones() *record {
	return &record{left: []reel.Leftover{
		{Key: 1, Job: "1", Account: "a", Name: "phone", Value: `{"id":"p1","name":"a"}`},
		{Key: 2, Job: "2", Account: "b", Name: "posts", Value: "7"},
		{Key: 3, Job: "3", Account: "c", Name: "phone", Value: `{"id":"p3","name":"c"}`},
		{Key: 4, Job: "4", Account: "d", Name: "phone", Value: "odd"},
	}}
}

func TestPhonesThatWereLeftRunningAreStopped(t *testing.T) {
	r, v := phones(), &counting{}
	stopped, err := phonepost.Sweep(t.Context(), r, v)
	if !slices.Equal(stopped, []string{"a", "c"}) || !slices.Equal(v.stopped, []string{"p1", "p3"}) {
		t.Errorf("stopped %v, %v", stopped, v.stopped)
	}
	if err == nil || err.Error() != "what is kept of job 4 names no phone" {
		t.Errorf("error %v", err)
	}
	if len(r.left) != 2 {
		t.Errorf("left %v", r.left)
	}
}

// One that cannot be stopped stays remembered, and does not keep the others running.
func TestAPhoneThatCannotBeStoppedStaysRemembered(t *testing.T) {
	r, v := phones(), &counting{fails: map[string]error{"p1": errors.New("no answer")}}
	stopped, err := phonepost.Sweep(t.Context(), r, v)
	var running *phonepost.RunningError
	if !slices.Equal(stopped, []string{"c"}) || !errors.As(err, &running) || running.Phone != "a" {
		t.Errorf("stopped %v, %v", stopped, err)
	}
	v.fails = nil
	if stopped, _ = phonepost.Sweep(t.Context(), r, v); !slices.Equal(stopped, []string{"a"}) {
		t.Errorf("stopped later: %v", stopped)
	}
}

// A phone that somebody uses by now is left alone.
func TestAPhoneThatIsUsedAgainIsLeftRunning(t *testing.T) {
	v := &counting{}
	r := phones()
	r.taken = func(account string) bool { return account == "c" && len(v.stopped) > 0 }
	if stopped, _ := phonepost.Sweep(t.Context(), r, v); !slices.Equal(stopped, []string{"a"}) {
		t.Errorf("stopped %v", stopped)
	}
}

// starting is a vendor that knows every account's phone and notes what it is asked.
type starting struct {
	counting
	started []string
}

func (*starting) Find(_ context.Context, account string) (geelark.Phone, error) {
	return geelark.Phone{ID: "p-" + account, Name: account}, nil
}

func (s *starting) Start(_ context.Context, id string) error {
	s.started = append(s.started, id)
	return errors.New("does not come up")
}

// A phone of which nobody would know is not started; one that may come up yet is stopped, and forgotten only then.
func TestAPhoneIsNotedBeforeItIsStarted(t *testing.T) {
	for _, noted := range []bool{false, true} {
		v := &starting{}
		var told []string
		_, err := (&phonepost.Cloud{Vendor: v}).Take(t.Context(), reel.Assignment{Account: "a"}, reel.Desk{
			Step: func(string) {},
			Keep: func(_ context.Context, name, value string) bool {
				if len(v.started) != 0 && value != "" {
					t.Error("noted after it was started")
				}
				if value == "" && len(v.stopped) == 0 {
					t.Error("forgotten before it was stopped")
				}
				told = append(told, name+value)
				return noted
			},
		})
		if err == nil || (len(v.started) == 1) != noted || len(v.stopped) != len(v.started) {
			t.Errorf("noted %t: %v, started %v, stopped %v", noted, err, v.started, v.stopped)
		}
		if want := []string{`phone{"id":"p-a","name":"a"}`, "phone"}[:1+len(v.started)]; !slices.Equal(told, want) {
			t.Errorf("told %v", told)
		}
	}
}
