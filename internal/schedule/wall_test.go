package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/schedule"
)

func plan(t testing.TB, fields string) schedule.Plan {
	t.Helper()
	plans, err := schedule.Parse("schedule.yaml", []byte("plans:\n- {name: p, from: posts.csv, "+fields+"}\n"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return plans[0]
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What happens to a time that the clock skips or shows twice.
func TestNext(t *testing.T) {
	for _, c := range []struct{ name, fields, after, want string }{
		{"later today", "at: ['09:00', '18:30'], zone: Europe/Berlin", "2026-06-01T07:00:00Z", "2026-06-01T18:30:00+02:00"},
		{"tomorrow", "at: ['09:00'], zone: Europe/Berlin", "2026-06-01T07:00:00Z", "2026-06-02T09:00:00+02:00"},
		{"on some days", "at: '09:00', days: [mon, fri], zone: Europe/Berlin", "2026-06-01T07:00:00Z", "2026-06-05T09:00:00+02:00"},
		{"cron", "cron: '30 6 1 * *', zone: Europe/Berlin", "2026-06-01T07:00:00Z", "2026-07-01T06:30:00+02:00"},
		{"cron with seconds", "cron: '*/10 * * * * *', zone: UTC", "2026-06-01T07:00:00Z", "2026-06-01T07:00:10Z"},
		{"a time that the clock skips is when it goes on", "at: ['02:30'], zone: Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"and not once more", "at: ['02:30'], zone: Europe/Berlin", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		{"a time that comes twice is the first of the two", "at: ['02:30'], zone: Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00"},
		{"and not the second", "at: ['02:30'], zone: Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"nor where one looks between the two", "at: ['02:30'], zone: Europe/Berlin", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
		{"cron skips no day either", "cron: '30 2 * * *', zone: Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"and has none twice", "cron: '30 2 * * *', zone: Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"a change of half an hour", "at: ['02:15'], zone: Australia/Lord_Howe", "2026-10-03T12:00:00+10:30", "2026-10-04T02:30:00+11:00"},
		{"a day that is skipped whole", "at: ['09:00'], zone: Pacific/Apia", "2011-12-29T20:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		{"the last day of February", "cron: '0 9 29 2 *', zone: UTC", "2026-01-01T00:00:00Z", "2028-02-29T09:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plan(t, c.fields).Next(moment(t, c.after)); !got.Equal(moment(t, c.want)) {
				t.Errorf("%s, want %s", got.Format(time.RFC3339), c.want)
			}
		})
	}
}

// Each day has each of its times once and only once, in the order of the clock, in every zone.
func TestEachTimeComesOnceADay(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC", "America/Santiago"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		minute := rapid.IntRange(0, 24*60-1).Draw(t, "minute")
		fields := fmt.Sprintf("at: ['%02d:%02d']", minute/60, minute%60)
		if rapid.Bool().Draw(t, "cron") {
			fields = fmt.Sprintf("cron: '%d %d * * *'", minute%60, minute/60)
		}
		plans, err := schedule.Parse("", []byte("plans:\n- {name: p, from: f, zone: "+zone.String()+", "+fields+"}"), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		p := plans[0]
		start := time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, zone)
		seen := map[string]int{}
		last := start.AddDate(0, 0, -1)
		for slot := p.Next(last); slot.Before(start.AddDate(0, 0, 60)); slot = p.Next(slot) {
			if !slot.After(last) {
				t.Fatalf("%s follows %s", slot, last)
			}
			last = slot
			seen[p.BatchOf(slot)[:len("p-2026-01-02")]]++
			// It shows its time, unless the clock skipped it.
			if shown := slot.In(zone); shown.Hour()*60+shown.Minute() != minute {
				if before, _ := slot.Add(-time.Nanosecond).In(zone), 0; before.Hour()*60+before.Minute() >= minute && before.Day() == shown.Day() {
					t.Fatalf("%s is no time of %02d:%02d", shown, minute/60, minute%60)
				}
			}
			// From wherever behind the slot before it one looks, it is the same slot.
			from := slot.Add(-time.Duration(rapid.Int64Range(1, int64(20*time.Hour)).Draw(t, "from")))
			if again := p.Next(from); !again.Equal(slot) {
				t.Fatalf("from %s it is %s, not %s", from.In(zone), again.In(zone), slot.In(zone))
			}
		}
		for d := start; d.Before(start.AddDate(0, 0, 59)); d = d.AddDate(0, 0, 1) {
			if n := seen["p-"+d.Format(time.DateOnly)]; n != 1 {
				t.Fatalf("%s has %d appointments", d.Format(time.DateOnly), n)
			}
		}
	})
}

// Whenever one looks, and however often: each appointment is kept or called missed, and none twice.
func TestNothingIsDueTwice(t *testing.T) {
	once, skip := plan(t, "cron: '*/20 * * * *', zone: Europe/Berlin"), plan(t, "cron: '*/20 * * * *', zone: Europe/Berlin, missed: skip")
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]schedule.Plan{once, skip}).Draw(t, "plan")
		last := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC)
		now, told := last, 0
		start := last
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			keep, missed, skipped := p.Due(last, now)
			if told += missed; missed > 0 && keep.IsZero() {
				keep = skipped
			} else if !keep.IsZero() {
				told++
			}
			if keep.IsZero() {
				continue
			}
			if !keep.After(last) || keep.After(now) {
				t.Fatalf("due at %s, after %s, now %s", keep, last, now)
			}
			last = keep
			if again, missed, _ := p.Due(last, now); !again.IsZero() || missed > 0 {
				t.Fatalf("it is due twice, at %s and at %s", keep, again)
			}
		}
		all := 0
		for slot := p.Next(start); !slot.After(now); slot = p.Next(slot) {
			all++
		}
		if told != all {
			t.Fatalf("%d appointments, and %d were kept or called missed", all, told)
		}
	})
}
