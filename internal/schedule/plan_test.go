package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"reelpass/internal/schedule"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// On the nights on which clocks change a time is one appointment, also where the clock shows it twice or not at all.
func TestNightsOfClockChange(t *testing.T) {
	p := at(2*time.Hour + 30*time.Minute)
	p.Zone = zone(t, "Europe/Berlin")
	for _, day := range []time.Time{time.Date(2026, 3, 28, 12, 0, 0, 0, p.Zone), time.Date(2026, 10, 24, 12, 0, 0, 0, p.Zone)} {
		first := p.Next(day)
		second := p.Next(first)
		if h := second.Sub(first); h < 23*time.Hour || h > 25*time.Hour {
			t.Errorf("after %s comes %s", first, second)
		}
		if !p.SameDay(first, day.AddDate(0, 0, 1)) {
			t.Errorf("%s is not on the next day", first)
		}
	}
}

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
