package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"reelpass/internal/schedule"
)

func TestDaysOfTheWeek(t *testing.T) {
	p := at(9 * time.Hour)
	p.Days = []time.Weekday{time.Monday, time.Friday}
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC) // a Friday
	got := ""
	for range 3 {
		at = p.Next(at)
		got += at.Format("Mon 02 ")
	}
	if got != "Mon 30 Fri 04 Mon 07 " {
		t.Error(got)
	}
}

func TestDue(t *testing.T) {
	p := at(9*time.Hour, 18*time.Hour)
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }
	for _, c := range []struct {
		after, now time.Time
		missed     schedule.Missed
		want       string
	}{
		{day(20, 8, 0), day(20, 8, 59), schedule.Once, "- 0 -"},
		{day(20, 8, 0), day(20, 9, 0), schedule.Once, "20 09:00 0 -"},
		{day(20, 9, 0), day(20, 9, 0), schedule.Once, "- 0 -"},
		{day(20, 8, 0), day(22, 10, 0), schedule.Once, "22 09:00 4 21 18:00"},
		{day(20, 8, 0), day(22, 10, 0), schedule.Skip, "- 5 22 09:00"},
		{day(20, 8, 0), day(22, 9, 1), schedule.Skip, "22 09:00 4 21 18:00"},
	} {
		p.Missed = c.missed
		keep, missed, last := p.Due(c.after, c.now)
		show := func(t time.Time) string {
			if t.IsZero() {
				return "-"
			}
			return t.Format("02 15:04")
		}
		if got := fmt.Sprint(show(keep), " ", missed, " ", show(last)); got != c.want {
			t.Errorf("after %s at %s, %s: %s, want %s", show(c.after), show(c.now), c.missed, got, c.want)
		}
	}
}
