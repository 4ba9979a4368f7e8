package cli

import (
	"time"

	"reelpass/internal/config"
)

// moment is a time as a person gives it: of today or, where that is over, of tomorrow; of a day; or so long from now. Empty is none.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			at := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
			if !at.After(now) {
				at = at.AddDate(0, 0, 1)
			}
			return at, nil
		}
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			if !t.After(now) {
				return t, usage("--until: %s is over", text)
			}
			return t, nil
		}
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	return time.Time{}, usage("--until: want a time as 14:05, 2026-12-24 14:05 or 90m, not %q", text)
}

// local is a moment in this machine's zone; none stays none.
func local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Local()
}
