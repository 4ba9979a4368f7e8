package posts

import (
	"fmt"
	"time"
)

// parsePublishAt reads when a job may be published. An empty cell means at once. A time that the clocks of the place
// leave out when they are set forward is refused: whoever wrote it meant another.
func parsePublishAt(s string, loc *time.Location) (when time.Time, problem string) {
	if s == "" {
		return time.Time{}, ""
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, ""
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		t, err := time.ParseInLocation(form, s, loc)
		if err != nil {
			continue
		}
		if plain, err := time.Parse(form, s); err == nil && plain.Format(form) != t.Format(form) {
			return time.Time{}, fmt.Sprintf("%q does not exist in %s: the clocks skip it", clip(s), loc)
		}
		return t, ""
	}
	return time.Time{}, fmt.Sprintf("%q is neither RFC 3339 nor 2006-01-02 15:04[:05]", clip(s))
}

// parseLocal reads the earlier orchestrator's times: ISO, without a zone, with or without a fraction of a second.
func parseLocal(s string, loc *time.Location) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(form, s, loc); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// formatLocal writes a time as the earlier orchestrator did (Python's isoformat): a fraction only where there is one.
func formatLocal(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(loc).Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}

// clip shortens a cell for a message: a shifted row may hold a whole caption where a number should be.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
