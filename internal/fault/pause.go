package fault

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// rateLimited is the type of verdict whose texts are read for a time, and the only one of category account that ends by itself.
const rateLimited = "rate_limited"

// longest is the longest time that is believed: beyond it a number was something else.
const longest = 366 * 24 * time.Hour

// Pause is how long the evidence of a failure at a moment asks to wait, and for what: the evidence's own retry_after, else what
// its text says of a rate limit, else what the rule of the verdict says. Trouble with an account that is no rate limit asks
// for a person and never for time, and neither does content. A time that is over, or that nobody can read, asks for nothing.
func (r *Rules) Pause(e reel.Evidence, v reel.Verdict, at time.Time) reel.Pause {
	if v.Category == reel.Content || v.Category == reel.Account && v.Type != rateLimited {
		return reel.Pause{}
	}
	rule := r.byID(v.Rule)
	var p reel.Pause
	switch {
	case e.RetryAfter != "":
		p.For = retryAfter(e.RetryAfter, at)
	case rule != nil && (rule.RetryAfter != "" || v.Type == rateLimited):
		if p.For = saidTime(e.Text, at); p.For == 0 {
			p.For, _ = time.ParseDuration(rule.RetryAfter) // checked when it was read; empty is 0
		}
	}
	if p.For <= 0 || p.For > longest {
		return reel.Pause{}
	}
	holds := e.Holds
	if holds == "" && rule != nil {
		holds = rule.Holds
	}
	p.Publisher = holds == reel.HoldsPublisher && v.Category != reel.Account
	return p
}

func (r *Rules) byID(id string) *Rule {
	if i, ok := r.places[id]; ok {
		return &r.list[i]
	}
	return nil
}

// retryAfter reads what a publisher was told: seconds, a duration, seconds since 1970, RFC 3339 or the date of an HTTP header.
func retryAfter(text string, at time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case n >= 1e9 && n < 1e11:
			return time.Unix(int64(n), 0).Sub(at)
		case n > 0 && n < longest.Seconds():
			return time.Duration(n * float64(time.Second))
		}
		return 0
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Sub(at)
	}
	if t, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", text); err == nil { // of HTTP
		return t.Sub(at)
	}
	return 0
}

var (
	header  = regexp.MustCompile(`(?i)\bretry[-_ ]after["']?\s*[:=]\s*["']?([^"'\r\n,;}\]]+(?:, \d\d \w{3} [^"'\r\n,;}\]]+)?)`)
	amount  = regexp.MustCompile(`(?i)\b(?:again|retry|retrying|wait|resets?|available|expires?|lifted)\b[^.\d\n]{0,24}?\b(?:in|after|for|another)?\s*(\d{1,4})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b`)
	instant = regexp.MustCompile(`(?i)\b(?:until|till|again (?:at|after)|resets? (?:at|on)|available (?:again )?(?:at|from)|not before)\s+(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)`)
	oclock  = regexp.MustCompile(`(?i)\b(?:until|till|again (?:at|after)|resets? at|available (?:again )?(?:at|from)|not before)\s+(\d{1,2}):(\d\d)(?::(\d\d))?\s?([ap]\.?m\b\.?)?\s?(Z\b|UTC\b|GMT\b)?`)
)

// saidTime is the time to wait that a text names for certain, 0 where it names none. A time of day without a zone is in the zone of at.
func saidTime(text string, at time.Time) time.Duration {
	text = bound(text)
	if m := header.FindStringSubmatch(text); m != nil {
		if d := retryAfter(m[1], at); d > 0 {
			return d
		}
	}
	if m := instant.FindStringSubmatch(text); m != nil {
		return fullTime(m[1], at)
	}
	if m := oclock.FindStringSubmatch(text); m != nil {
		return timeOfDay(m, at)
	}
	if m := amount.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // four digits at most
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[strings.ToLower(m[2])[0]]
		return time.Duration(n) * unit
	}
	return 0
}

func fullTime(text string, at time.Time) time.Duration {
	text = strings.Replace(strings.ToUpper(text), " ", "T", 1)
	text = strings.NewReplacer("UTC", "Z", "GMT", "Z", " ", "").Replace(text)
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Sub(at)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, at.Location()); err == nil {
			return t.Sub(at)
		}
	}
	return 0
}

// timeOfDay is the time until the next such moment. One that was within the last hour is over: a clock may be a little ahead, and
// nobody meant tomorrow.
func timeOfDay(m []string, at time.Time) time.Duration {
	hour, _ := strconv.Atoi(m[1]) // digits, all three
	minute, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi(m[3])
	if half := strings.ToLower(m[4]); half != "" {
		if hour < 1 || hour > 12 {
			return 0
		}
		hour %= 12
		if half[0] == 'p' {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return 0
	}
	if m[5] != "" {
		at = at.UTC()
	}
	t := time.Date(at.Year(), at.Month(), at.Day(), hour, minute, second, 0, at.Location())
	switch late := at.Sub(t); {
	case late > time.Hour:
		t = t.AddDate(0, 0, 1)
	case late < -23*time.Hour: // just before midnight, seen just after it
		return 0
	}
	return t.Sub(at)
}
