package schedule

import (
	"slices"
	"time"
)

// Next is the first appointment after a moment. An appointment is a moment: a time that the clock skips (02:30 in the night in which summer time begins) is the
// moment at which the clock goes on, and one that it shows twice (02:30 when summer time ends) is the first of the two. So each time of a
// day is one appointment, whatever the clock does.
func (p Plan) Next(after time.Time) time.Time {
	for wall := wallOf(after, p.Zone); ; {
		if wall = p.onWall(wall); wall.IsZero() {
			return time.Time{} // Parse lets no such plan in
		}
		if at := momentOf(wall, p.Zone); at.After(after) { // else the clock was set back, and it was kept before
			return at
		}
	}
}

// Due is what became of the appointments after one moment and up to another: the one to keep now, zero where there is none, and how many
// others were missed, with the last of them.
func (p Plan) Due(after, now time.Time) (keep time.Time, missed int, last time.Time) {
	if year := now.AddDate(-1, 0, 0); after.Before(year) {
		after = year // nobody wants to hear of more
	}
	for at := p.Next(after); !at.IsZero() && !at.After(now); at = p.Next(at) {
		if !keep.IsZero() {
			missed, last = missed+1, keep
		}
		keep = at
	}
	if !keep.IsZero() && p.Missed == Skip && now.Sub(keep) > Grace {
		return time.Time{}, missed + 1, keep
	}
	return keep, missed, last
}

// onWall is the plan's first time behind one that the clock shows. Both are written as if they were UTC.
func (p Plan) onWall(t time.Time) (next time.Time) {
	if p.cron != nil {
		return p.cron.Next(t)
	}
	y, m, d := t.Date()
	for i := range 8 { // today's may be over, and the same day of the next week is the farthest
		midnight := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		if len(p.Days) > 0 && !slices.Contains(p.Days, midnight.Weekday()) {
			continue
		}
		for _, at := range p.At {
			if at := midnight.Add(at); at.After(t) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if !next.IsZero() {
			return next
		}
	}
	return next
}

// wallOf is what the clock shows, written as if it were UTC.
func wallOf(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// momentOf is the first moment at which the clock shows wall, or has gone past it.
func momentOf(wall time.Time, zone *time.Location) time.Time {
	y, m, d := wall.Date()
	t := time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	start, end := t.ZoneBounds()
	switch shown := wallOf(t, zone); {
	case shown.Before(wall): // skipped, and t lies before the gap
		return end
	case shown.After(wall):
		return start
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Nanosecond).Zone()
	_, now := t.Zone()
	if first := t.Add(time.Duration(now-before) * time.Second); first.Before(start) { // it was shown before the clock was set back, too
		return first
	}
	return t
}
