package schedule_test

import (
	"strings"
	"testing"
	"time"

	"reelpass/internal/schedule"
)

func TestParse(t *testing.T) {
	plans, err := schedule.Parse("s.yaml", []byte(`# the posts of the shop
plans:
  - name: morning
    at: [09:00, "18:30"]
    days: [mon, tue]
    zone: Europe/Berlin
    from: posts.csv
    per_account_and_day: 3
  - name: night
    missed: skip
    cron: "*/15  0-5 * * *"
    zone: UTC
    from: inbox
    batch: n-{date}-{time}
`), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	m, n := plans[0], plans[1]
	at := moment(t, "2026-06-01T16:30:00Z")
	for _, c := range [][2]string{
		{m.Times(), "09:00, 18:30 on mon, tue in Europe/Berlin"},
		{m.BatchOf(at), "morning-2026-06-01-1830"},
		{string(m.Missed), "once"},
		{n.Times(), "cron */15 0-5 * * * in UTC"},
		{n.BatchOf(at), "n-2026-06-01-1630"},
		{string(n.Missed), "skip"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	if m.PerAccountAndDay != 3 || n.PerAccountAndDay != 0 {
		t.Errorf("posts a day: %d and %d", m.PerAccountAndDay, n.PerAccountAndDay)
	}
}

func TestParseRefuses(t *testing.T) {
	whole := "plans:\n- name: p\n  zone: UTC\n  from: f\n  at: '09:00'\n"
	for _, c := range []struct{ text, want string }{
		{"", "s.yaml:1:1: there is no plan in it"},
		{"plans: 3", "s.yaml:1:1: plans: want a list"},
		{"plans: []", "s.yaml:1:1: plans: want a list"},
		{"plan:\n- a", "s.yaml:1:1: unknown key in a schedule"},
		{"plans:\n- a", "s.yaml:2:3: a plan consists of keys"},
		{"plans:\n- name: p\n  zone: UTC", "s.yaml:2:3: a plan needs from"},
		{"plans:\n- name: p\n  zone: UTC\n  from: f", "s.yaml:2:3: a plan needs at or cron"},
		{whole + "  when: now", "s.yaml:6:3: unknown key in a plan"},
		{whole + "  cron: '0 9 * * *'", "s.yaml:6:9: cron: give either"},
		{whole + "  missed: twice", `s.yaml:6:11: missed: "twice" is none of [once skip]`},
		{whole + "  per_account_and_day: many", "s.yaml:6:24: per_account_and_day: want a whole number"},
		{whole + "  per_account_and_day: 0", "s.yaml:6:24: per_account_and_day: want a whole number"},
		{whole + "  days: [mon, someday]", `s.yaml:6:15: days: "someday" is none of [sun mon`},
		{whole + "  batch: daily", "s.yaml:6:10: batch: without {date}"},
		{whole + "  batch: '{day}'", "s.yaml:6:10: batch: it may hold"},
		{whole + "  batch: 'a/{date}'", "s.yaml:6:10: batch: a batch's name has no blank"},
		{strings.Replace(whole, "'09:00'", "['09:00', '9:00']", 1), `s.yaml:5:17: at: "9:00" is no time of day`},
		{strings.Replace(whole, "'09:00'", "['09:00', '09:00:00']", 1), `s.yaml:5:17: at: 09:00:00 stands there twice`},
		{strings.Replace(whole, "'09:00'", "['09:00', '10:00']\n  batch: '{date}'", 1), "s.yaml:6:10: batch: without {time}"},
		{strings.Replace(whole, "UTC", "Mars/Olympus", 1), `s.yaml:3:9: zone: "Mars/Olympus" is no time zone`},
		{strings.Replace(whole, "UTC", "../../etc/passwd", 1), `s.yaml:3:9: zone: "../../etc/passwd" is no time zone`},
		{strings.Replace(whole, "UTC", "Local", 1), `s.yaml:3:9: zone: "Local" is no time zone`},
		{strings.Replace(whole, "name: p", "name: a b", 1), "s.yaml:2:9: name: want up to 40 small letters"},
		{whole + strings.TrimPrefix(whole, "plans:\n"), "s.yaml:6:9: name: there is another plan called p"},
		{whole + "  batch: '{date}'\n- name: q\n  zone: UTC\n  from: f\n  at: '10:00'\n  batch: '{date}'", "s.yaml:11:10: batch: those of plan p are called the same"},
		{strings.Replace(whole, "at: '09:00'", "cron: '99 9 * * *'", 1), "s.yaml:5:9: cron: "},
		{strings.Replace(whole, "at: '09:00'", "cron: '0 9 30 2 *'", 1), "s.yaml:5:9: cron: this day never comes"},
		{strings.Replace(whole, "at: '09:00'", "cron: '@every 5m'", 1), "s.yaml:5:9: cron: @every goes by no clock"},
		{strings.Replace(whole, "at: '09:00'", "cron: 'CRON_TZ=UTC 0 9 * * *'", 1), "s.yaml:5:9: cron: the zone stands in zone"},
		{"plans:\n- name: [", "s.yaml:"},
		{"plans:\n- name: \xff", "s.yaml: not UTF-8"},
	} {
		_, err := schedule.Parse("s.yaml", []byte(c.text), time.UTC)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// Whatever a file holds: a schedule that can be kept, or an error that names the file. Never a panic, and never a plan without a slot.
func FuzzParse(f *testing.F) {
	f.Add("plans:\n- name: p\n  zone: UTC\n  from: f\n  at: '09:00'\n")
	f.Add("plans:\n- {name: p, zone: Europe/Berlin, from: f, cron: '*/5 * * * * *', batch: 'x{date}{time}', missed: once}")
	f.Add("plans:\n- {name: p, zone: UTC, from: f, cron: '0 9 L * *'}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		plans, err := schedule.Parse("s.yaml", []byte(text), time.UTC)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "s.yaml:") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		for _, p := range plans {
			if p.Next(moment(t, "2026-01-01T00:00:00Z")).IsZero() {
				t.Errorf("plan %s never starts", p.Name)
			}
		}
	})
}
