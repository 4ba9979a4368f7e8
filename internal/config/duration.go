package config

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a length of time as people write it in settings and flags: a number without a unit is seconds.
// It is also a flag's value (String, Set, Type), so that a flag and a key are read by the same rule.
type Duration time.Duration

// ParseDuration reads "30", "0.25", "30s" or "1m30s". A number without a unit is seconds, as in the earlier
// orchestrator's flags. A negative one is read; whether it makes sense is for Settings.Validate to say.
func ParseDuration(text string) (time.Duration, error) {
	trimmed := strings.TrimSpace(text)
	unit := ""
	if number := strings.TrimLeft(trimmed, "+-"); strings.Trim(number, "0123456789.") == "" {
		unit = "s"
	}
	d, err := time.ParseDuration(trimmed + unit)
	if err != nil {
		return 0, fmt.Errorf("want seconds or a duration like 1m30s, not %q", text)
	}
	return d, nil
}

// Std is the duration in the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes it so that ParseDuration reads the same.
func (d Duration) String() string { return time.Duration(d).String() }

// Set reads it as a flag does.
func (d *Duration) Set(text string) error {
	parsed, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// Type is the word that help prints for the value.
func (d *Duration) Type() string { return "duration" }
