package overview

import (
	"math"
	"slices"
	"time"

	"reelpass/internal/reel"
)

// ring keeps the last few of many.
type ring[T any] struct {
	most int
	list []T
}

func (r *ring[T]) add(v T) {
	if len(r.list) == r.most {
		copy(r.list, r.list[1:])
		r.list = r.list[:len(r.list)-1]
	}
	r.list = append(r.list, v)
}

// hour is how many minutes a window keeps.
const hour = 60

// window counts what happened in each of the last sixty minutes.
type window struct {
	last   int64 // the newest minute
	counts [hour]int
}

func (w *window) add(at time.Time) {
	minute := at.Unix() / 60
	w.roll(minute)
	if w.last-minute < hour {
		w.counts[minute%hour]++
	}
}

// roll makes a minute the newest one.
func (w *window) roll(minute int64) {
	for m := max(w.last+1, minute-hour+1); m <= minute; m++ {
		w.counts[m%hour] = 0
	}
	w.last = max(w.last, minute)
}

// until is the counts of the sixty minutes that end with a moment, the oldest first.
func (w window) until(now time.Time) []int {
	w.roll(now.Unix() / 60)
	out := make([]int, hour)
	for i := range out {
		out[i] = w.counts[(w.last-int64(hour)+1+int64(i))%hour]
	}
	return out
}

// Point is how the jobs of a batch stood at a moment.
type Point struct {
	At     time.Time
	Counts Counts
}

// points is how many a series keeps: beyond it every other one goes, and the steps become twice as long.
const points = 240

// series is how the jobs stood over time, in steps that grow with the time.
type series struct {
	step time.Duration
	list []Point
}

func (s *series) add(at time.Time, c Counts) {
	if s.step == 0 {
		s.step = time.Second
	}
	if n := len(s.list); n > 0 && at.Sub(s.list[n-1].At) < s.step {
		s.list[n-1].Counts = c
		return
	}
	s.list = append(s.list, Point{at.Truncate(s.step), c})
	if len(s.list) > points {
		for i := range len(s.list) / 2 {
			s.list[i] = s.list[2*i+1] // the later of the two: how they stood at the end
			s.list[i].At = s.list[2*i+1].At
		}
		s.list = s.list[:len(s.list)/2]
		s.step *= 2
	}
}

// Pace is how a batch goes.
type Pace struct {
	Counts Counts
	Series []Point
	Minute []int // posts in each of the last sixty minutes, the oldest first
	Recent []reel.Event
	Slots  int // of the run that leads it, or led it last
	took   []time.Duration
}

// Pace is how a batch goes, at a moment.
func (o *Overview) Pace(name string, now time.Time) Pace {
	b := o.batches[name]
	if b == nil {
		return Pace{Minute: make([]int, hour)}
	}
	recent := slices.Clone(b.recent.list)
	slices.Reverse(recent)
	return Pace{Counts: b.counts, Series: slices.Clone(b.series.list), Minute: b.posted.until(now), Recent: recent, Slots: b.slots, took: slices.Clone(b.took.list)}
}

// enough attempts make a guess of the time that is left worth something.
const enough = 20

// Left is how long the rest of a batch may take: a range from the quartiles of the last fifty attempts, spread over its slots. ok is
// false while too few attempts have ended.
func (p Pace) Left(todo int, waits time.Duration) (from, to time.Duration, ok bool) {
	if len(p.took) < enough || p.Slots < 1 {
		return 0, 0, false
	}
	took := slices.Sorted(slices.Values(p.took))
	rounds := math.Ceil(float64(todo) / float64(p.Slots))
	at := func(quarter int) time.Duration {
		return time.Duration(rounds*float64(took[len(took)*quarter/4])) + waits
	}
	return at(1), at(3), true
}

// Account is how an account fared lately.
type Account struct {
	Name     string
	LastPost time.Time
	Last     []Group // the last ten attempts, the oldest first: posted, to do (it was tried again), not posted, in doubt
	ring     ring[Group]
}

func (o *Overview) account(e reel.Event) {
	var g Group
	switch e.Kind {
	case reel.EventSucceeded:
		g = Posted
	case reel.EventFailed:
		g = ToDo
		if e.Decision != nil {
			g = GroupOf(e.Decision.State)
		}
	case reel.EventInDoubt:
		g = InDoubt
	default:
		if o.accounts[e.Account] == nil && (e.Job != "" || e.Kind == reel.EventHold) {
			o.accounts[e.Account] = &Account{Name: e.Account, ring: ring[Group]{most: 10}}
		}
		return
	}
	a := o.accounts[e.Account]
	if a == nil {
		a = &Account{Name: e.Account, ring: ring[Group]{most: 10}}
		o.accounts[e.Account] = a
	}
	a.ring.add(g)
	if g == Posted {
		a.LastPost = e.At
	}
}

// Accounts lists the accounts that were ever attempted or held, by name.
func (o *Overview) Accounts() []Account {
	list := make([]Account, 0, len(o.accounts))
	for _, a := range o.accounts {
		list = append(list, Account{Name: a.Name, LastPost: a.LastPost, Last: slices.Clone(a.ring.list)})
	}
	slices.SortFunc(list, func(x, y Account) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return list
}
