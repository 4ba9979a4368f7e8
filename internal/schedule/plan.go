package schedule

import (
	"iter"
	"slices"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Plan says when batches begin, and of what they are made.
type Plan struct {
	Name string
	At   []time.Duration // times of day, by the clock on the wall
	Days []time.Weekday  // empty: every day
	Zone *time.Location
	From string // a posts file, a folder of posts files, or a scheduler_state.json
	// Batch is the pattern of a batch's name: {plan}, {date} and {time} stand for those of the appointment.
	Batch string
	// PerAccountAndDay is how many posts of an account the plan's batches of one day may have; 0 means all there are.
	PerAccountAndDay int
	Missed           Missed
}

// Missed is what becomes of appointments that nobody kept.
type Missed string

// Once makes one batch of all that were missed, now; Skip leaves them.
const (
	Once Missed = "once"
	Skip Missed = "skip"
)

// Grace is how late an appointment may begin without being called missed.
const Grace = time.Minute

// on are the plan's appointments of the day on which t is. A time that the clocks skip in spring is one all the same, an hour beside; one
// that comes twice in autumn is one.
func (p Plan) on(t time.Time) []time.Time {
	y, m, d := t.In(p.Zone).Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, p.Zone)
	if len(p.Days) > 0 && !slices.Contains(p.Days, noon.Weekday()) {
		return nil
	}
	var all []time.Time
	for _, at := range p.At {
		s := int(at / time.Second)
		all = append(all, time.Date(y, m, d, s/3600, s/60%60, s%60, 0, p.Zone))
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// days goes over noons from the day before from to the day after to.
func (p Plan) days(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		y, m, d := from.In(p.Zone).Date()
		for i := -1; ; i++ {
			noon := time.Date(y, m, d+i, 12, 0, 0, 0, p.Zone)
			if noon.Sub(to) > 36*time.Hour || !yield(noon) {
				return
			}
		}
	}
}

// Next is the first appointment after a moment.
func (p Plan) Next(after time.Time) time.Time {
	for day := range p.days(after, after.AddDate(0, 0, 8)) {
		for _, at := range p.on(day) {
			if at.After(after) {
				return at
			}
		}
	}
	return time.Time{} // a plan has a time of day, and a day of the week
}

// Due is what became of the appointments after one moment and up to another: the one to keep now, zero where there is none, and how many
// others were missed, with the last of them.
func (p Plan) Due(after, now time.Time) (keep time.Time, missed int, last time.Time) {
	if year := now.AddDate(-1, 0, 0); after.Before(year) {
		after = year // nobody wants to hear of more
	}
	for day := range p.days(after, now) {
		for _, at := range p.on(day) {
			if !at.After(after) || at.After(now) {
				continue
			}
			if !keep.IsZero() {
				missed, last = missed+1, keep
			}
			keep = at
		}
	}
	if !keep.IsZero() && p.Missed == Skip && now.Sub(keep) > Grace {
		return time.Time{}, missed + 1, keep
	}
	return keep, missed, last
}

// BatchOf is the name of the batch of an appointment.
func (p Plan) BatchOf(at time.Time) string {
	at = at.In(p.Zone)
	clock := "1504"
	if at.Second() != 0 {
		clock = "150405"
	}
	return strings.NewReplacer("{plan}", p.Name, "{date}", at.Format("2006-01-02"), "{time}", at.Format(clock)).Replace(p.Batch)
}

// SameDay says whether two moments are on one day of the plan.
func (p Plan) SameDay(a, b time.Time) bool {
	return a.In(p.Zone).Format(time.DateOnly) == b.In(p.Zone).Format(time.DateOnly)
}

// Taken is what the plan's other batches have already.
type Taken struct {
	Jobs  map[reel.JobID]bool
	Today map[string]int // by account, of the day of the appointment
}

// Choose leaves of a source what belongs into the next batch: what no other batch of the plan has, in the order of the source and of an account
// no more than the day allows. left counts what has to wait for another day. A job with a past (it is known as posted, say) is taken
// along as it is, and counts for no day.
func (p Plan) Choose(source iter.Seq2[reel.Post, error], taken Taken, left *int) iter.Seq2[reel.Post, error] {
	return func(yield func(reel.Post, error) bool) {
		*left = 0
		today := map[string]int{}
		for post, err := range source {
			if err == nil {
				if taken.Jobs[post.ID] {
					continue
				}
				if p.PerAccountAndDay > 0 && post.Past == nil {
					if taken.Today[post.Account]+today[post.Account] >= p.PerAccountAndDay {
						*left++
						continue
					}
					today[post.Account]++
				}
			}
			if !yield(post, err) {
				return
			}
		}
	}
}
