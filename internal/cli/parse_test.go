package cli

import (
	"strings"
	"testing"
	"time"

	"reelpass/internal/reel"
)

// A line for classify is a message whose source is one that there is, or an error of one line.
func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{`{"text":"x"}`, `{"id":12345678901234567890,"text":"x","source":"screen","code":28}`, `{"text":"x"} {}`, `{"text":1}`, `{"id":{"a":[1]},"text":"","code":"x"}`, `null`, `{"source":"nobody","text":"x"}`, `{"text":"x","code":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parseMessage(line)
		switch {
		case err != nil && strings.Contains(err.Error(), "\n"), err != nil && m != (message{}):
			t.Fatalf("%q: %+v, %v", line, m, err)
		case err == nil:
			for _, s := range reel.Sources() {
				if m.Source == s {
					return
				}
			}
			if m.Source != "" {
				t.Fatalf("%q: source %q", line, m.Source)
			}
		}
	})
}

// A time until which something is to wait lies ahead, or is none.
func FuzzMoment(f *testing.F) {
	for _, s := range []string{"", "14:05", "23:59:59", "2026-12-24 14:05", "2020-01-01T00:00", "90m", "0", "-5", "99999h", "9999-12-31T23:59:59+23:59", "24:00"} {
		f.Add(s, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, now int64) {
		at := time.Unix(now%(1<<36), 0)
		if got, err := moment(text, at); err == nil && text != "" && !got.After(at) {
			t.Fatalf("%q at %s is %s", text, at, got)
		}
	})
}
