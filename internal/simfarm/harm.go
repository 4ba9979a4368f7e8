package simfarm

import (
	"fmt"
	"slices"
	"time"

	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// When a harm strikes.
const (
	AtStart     = "start"        // when the phone has started
	BeforeShare = "before_share" // when the page is shown on which Share is touched
	AfterShare  = "after_share"  // when Share was touched
)

// Harm is something that happens to a phone.
type Harm struct {
	Kind  string        `json:"kind"`
	When  string        `json:"when,omitempty"`  // AtStart where empty; harms of the vendor strike when it is asked
	After time.Duration `json:"after,omitempty"` // that moment, in nanoseconds
}

func (h Harm) String() string {
	text := h.Kind
	if h.When != "" {
		text += " " + h.When
	}
	if h.After > 0 {
		text += fmt.Sprintf(" + %s", h.After)
	}
	return text
}

// Kind is a kind of harm: by its name, with what it does in a line.
type Kind struct {
	Name  string `json:"kind"`
	About string `json:"about"`
	// Vendor: it strikes when the vendor's API is asked, else when the phone runs.
	Vendor bool `json:"vendor,omitempty"`

	strike func(*Farm, *rented, *simphone.Phone)
}

// recovers is how long harms last that end by themselves.
const recovers = 5 * time.Second

// kinds are all harms that there are: those of a phone and its link as phones were seen to suffer them, and what the vendor answers.
var kinds = []Kind{
	{Name: "link_cut", About: "all connections to the phone are cut once", strike: onPhone1((*simphone.Phone).Drop)},
	{Name: "link_down", About: "the phone is off the network for good", strike: onPhone1((*simphone.Phone).Down)},
	{Name: "link_away", About: "the phone is off the network for 5 seconds", strike: func(f *Farm, r *rented, p *simphone.Phone) {
		p.Down()
		f.soon(r, recovers, func() { _ = p.Up() })
	}},
	{Name: "frozen", About: "the link takes everything and answers nothing", strike: onPhone1((*simphone.Phone).Freeze)},
	{Name: "frozen_a_while", About: "the same, for 5 seconds", strike: func(f *Farm, r *rented, p *simphone.Phone) {
		p.Freeze()
		f.soon(r, recovers, p.Thaw)
	}},
	{Name: "logged_out", About: "the phone's ADB forgets the login", strike: onPhone1((*simphone.Phone).Logout)},
	{Name: "slow", About: "each command on the phone takes a second longer", strike: onPhone1(func(p *simphone.Phone) { p.ShellDelay(time.Second) })},
	{Name: "connects_late", About: "the phone answers connections after 4 seconds", strike: onPhone1(func(p *simphone.Phone) { p.ConnectDelay(4 * time.Second) })},
	{Name: "disk_full", About: "files that come do not fit on the phone", strike: onPhone1(func(p *simphone.Phone) { p.DiskFull(true) })},
	{Name: "server_dies", About: "the driver's server on the phone dies", strike: onPhone1((*simphone.Phone).KillServer)},
	{Name: "server_hangs", About: "the driver's server on the phone never answers", strike: onPhone1(func(p *simphone.Phone) { p.HangServer(true) })},
	{Name: "server_refuses", About: "the driver's server on the phone refuses connections", strike: onPhone1(func(p *simphone.Phone) { p.RefuseServer(true) })},
	{Name: "server_cut", About: "open connections to the driver's server are cut once", strike: onPhone1((*simphone.Phone).CutServer)},
	{Name: "server_lame", About: "the driver's server on the phone does not come up", strike: onPhone1(func(p *simphone.Phone) { p.LameServer(true) })},
	{Name: "stopped", About: "the vendor stops the phone", strike: func(f *Farm, r *rented, _ *simphone.Phone) { _ = f.stop(r.id) }},
	{Name: "no_room", About: "the start is refused: too many phones run", Vendor: true},
	{Name: "in_use", About: "the start is refused: somebody else uses the phone", Vendor: true},
	{Name: "start_fails", About: "the start fails with a server's error", Vendor: true},
	{Name: "expired", About: "the phone's time is used up", Vendor: true},
	{Name: "no_money", About: "the account at the vendor is empty", Vendor: true},
	{Name: "too_many_calls", About: "a call is refused: too many in a minute", Vendor: true},
	{Name: "adb_closed", About: "ADB does not open", Vendor: true},
	{Name: "upload_fails", About: "a video does not reach the phone", Vendor: true},
}

func onPhone1(do func(*simphone.Phone)) func(*Farm, *rented, *simphone.Phone) {
	return func(_ *Farm, _ *rented, p *simphone.Phone) { do(p) }
}

// Kinds lists what may happen.
func Kinds() []Kind { return slices.Clone(kinds) }

func kindOf(name string) (Kind, bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// Check says what is wrong with a harm.
func (h Harm) Check() error {
	switch _, ok := kindOf(h.Kind); {
	case !ok:
		return fmt.Errorf("there is no harm %q", h.Kind)
	case h.When != "" && h.When != AtStart && h.When != BeforeShare && h.When != AfterShare:
		return fmt.Errorf("a harm strikes at %s, %s or %s, not %q", AtStart, BeforeShare, AfterShare, h.When)
	case h.After < 0 || h.After > time.Hour:
		return fmt.Errorf("a harm strikes up to an hour after its moment, not %s", h.After)
	}
	return nil
}

// Run is what happens from one start of a phone to its stop.
type Run struct {
	Harms []Harm
	App   simgram.Scenario
}

// soon does something later, unless the phone is stopped before. The lock is not held.
func (f *Farm) soon(r *rented, after time.Duration, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.phone != nil && !r.leaving {
		r.later = append(r.later, time.AfterFunc(after, do))
	}
}

// moment has the harms strike that wait for it. The lock is not held.
func (f *Farm) moment(r *rented, when string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strike(r, when)
}

// strike is moment with the lock held.
func (f *Farm) strike(r *rented, when string) {
	p := r.phone
	if p == nil || r.leaving {
		return
	}
	r.harms = slices.DeleteFunc(r.harms, func(h Harm) bool {
		k, _ := kindOf(h.Kind)
		if k.Vendor || h.When != when && (h.When != "" || when != AtStart) {
			return false
		}
		f.faults = append(f.faults, fmt.Sprintf("%s: %s", r.account, h))
		r.later = append(r.later, time.AfterFunc(h.After, func() { k.strike(f, r, p) })) // never under the phone's own lock
		return true
	})
}

// refuses says that a harm of the vendor strikes now, once. The lock is held.
func (f *Farm) refuses(r *rented, kind string) bool {
	i := slices.IndexFunc(r.harms, func(h Harm) bool { return h.Kind == kind })
	if i < 0 {
		return false
	}
	r.harms = slices.Delete(r.harms, i, i+1)
	f.faults = append(f.faults, fmt.Sprintf("%s: %s", r.account, kind))
	return true
}
