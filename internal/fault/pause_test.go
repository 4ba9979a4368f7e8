package fault_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// noon is a moment in a zone two hours east of Greenwich.
func noon() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("EET", 7200)) }

func pauseOf(t *testing.T, rules *fault.Rules, e reel.Evidence) reel.Pause {
	t.Helper()
	return rules.Pause(e, rules.Judge(e), noon())
}

// What a message says of a time, where it says so for certain.
func TestTimesInMessages(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"HTTP 429 Too Many Requests\nRetry-After: 120":                                       2 * time.Minute,
		"429 Too Many Requests, headers: {'retry-after': '30'}":                              30 * time.Second,
		"429 Too Many Requests retry-after: Thu, 26 Nov 2026 10:00:45 GMT":                   45 * time.Second,
		"rate limit reached, try again in 5 minutes":                                         5 * time.Minute,
		"rate limit exceeded, please wait 90 seconds before you try again":                   90 * time.Second,
		"Rate limit until 14:05":                                                             2*time.Hour + 5*time.Minute,
		"rate limited until 14:05 UTC":                                                       4*time.Hour + 5*time.Minute,
		"rate limited, try again at 2:05 PM":                                                 2*time.Hour + 5*time.Minute,
		"rate limit resets at 2026-11-26T10:30:00Z":                                          30 * time.Minute,
		"rate limit resets at 2026-11-26 12:30":                                              30 * time.Minute,
		"too many requests: limit resets in 2h":                                              2 * time.Hour,
		"rate limit until 11:00:30":                                                          0, // over within the last hour: nobody meant tomorrow
		"rate limit until 09:00":                                                             21 * time.Hour,
		"rate limit until 25:99":                                                             0,
		"too many requests":                                                                  0,
		"rate limit: 200 requests per hour, 30 seconds timeout used":                         0,
		"adb: device offline, retrying in 5 seconds":                                         0, // not a rate limit
		"rate limit resets at 2019-11-26T10:30:00Z":                                          0,
		"Please wait a few minutes before you try again.":                                    0, // how many?
		"We suspended your account. 180 days left to appeal or we'll permanently disable it": 0,
		"Action blocked. Try again in 3 days":                                                0, // a person must look
	} {
		if got := pauseOf(t, fault.Default(), reel.Evidence{Source: reel.SourceTool, Text: text}); got.For != want || got.Publisher {
			t.Errorf("%q: %+v, want %s", text, got, want)
		}
	}
}

// What a publisher was told, as it writes it down.
func TestRetryAfter(t *testing.T) {
	for raw, want := range map[string]time.Duration{
		"90": 90 * time.Second, "1.5": 1500 * time.Millisecond, "90s": 90 * time.Second, "2h30m": 150 * time.Minute, " 5 ": 5 * time.Second,
		"2026-11-26T12:00:30+02:00": 30 * time.Second, "Thu, 26 Nov 2026 10:01:00 GMT": time.Minute, "1795687260": time.Minute,
		"": 0, "0": 0, "-5": 0, "soon": 0, "NaN": 0, "Inf": 0, "1e300": 0, "2020-01-01T00:00:00Z": 0, "99999h": 0,
	} {
		if got := pauseOf(t, fault.Default(), reel.Evidence{Source: reel.SourceTool, Text: "adb: device offline", RetryAfter: raw}); got.For != want {
			t.Errorf("%q: %s, want %s", raw, got.For, want)
		}
	}
}

// Whose trouble it is decides whether time heals it, and what waits.
func TestWhoWaits(t *testing.T) {
	for _, c := range []struct {
		text, code, holds string
		want              reel.Pause
	}{
		{"adb: device offline", "", "", reel.Pause{For: time.Minute}},
		{"adb: device offline", "", "publisher", reel.Pause{For: time.Minute, Publisher: true}},
		{"API error: 40007", "40007", "", reel.Pause{For: time.Minute, Publisher: true}},
		{"API error: 40007", "40007", "account", reel.Pause{For: time.Minute}},
		{"Please wait a few minutes before you try again.", "", "publisher", reel.Pause{For: time.Minute}}, // Instagram's word to one account
		{"We suspended your account", "", "", reel.Pause{}},
		{"confirm you're human", "", "publisher", reel.Pause{}},
		{"moov atom not found", "", "", reel.Pause{}},
		{"something that nobody knows", "", "", reel.Pause{For: time.Minute}},
	} {
		e := reel.Evidence{Text: c.text, Code: c.code, Holds: c.holds, RetryAfter: "60"}
		if got := pauseOf(t, fault.Default(), e); got != c.want {
			t.Errorf("%+v: %+v, want %+v", e, got, c.want)
		}
	}
}

func TestRulesMayAskForTime(t *testing.T) {
	own := parse(t, `rules:
  - {id: draining, sources: [tool], category: infrastructure, type: gateway, texts: ["gateway is draining"], retry_after: 15m, holds: publisher}
  - {id: cooling, category: account, type: rate_limited, texts: ["cooling down"], retry_after: 1h}
`)
	for text, want := range map[string]reel.Pause{
		"gateway is draining":                         {For: 15 * time.Minute, Publisher: true},
		"gateway is draining, try again in 2 minutes": {For: 2 * time.Minute, Publisher: true},
		"cooling down":                                {For: time.Hour},
	} {
		if got := pauseOf(t, own, reel.Evidence{Source: reel.SourceTool, Text: text}); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	for rule, want := range map[string]string{
		`category: infrastructure, retry_after: soon`:                     `retry_after "soon" is no time to wait`,
		`category: infrastructure, retry_after: -5m`:                      `is no time to wait`,
		`category: infrastructure, retry_after: 99999h`:                   `is no time to wait`,
		`category: infrastructure, holds: phone`:                          `holds "phone" is none of [account publisher]`,
		`category: content, retry_after: 5m`:                              `does not pass with time`,
		`category: account, type: suspended, retry_after: 5m`:             `does not pass with time`,
		`category: account, type: rate_limited, holds: publisher`:         `only trouble of category infrastructure or unknown`,
		`category: infrastructure, retry_after: [5m]`:                     `cannot unmarshal`,
		`category: infrastructure, retry_after: 5m, retry_afterwards: 5m`: `retry_afterwards`,
	} {
		_, err := fault.Parse("rules.yaml", []byte("rules:\n  - {id: x, texts: [\"some words\"], "+rule+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "rules.yaml:") {
			t.Errorf("%s: %v, want %q", rule, err, want)
		}
	}
}

// Whatever a message says, it asks for a sane time or for none, and the same each time.
func TestPauseIsSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"rate limit ", "until ", "14:05", "try again in ", "99 ", "minutes", "retry-after: ", "2026-11-26T10:30:00Z", "9999", " days", "am", ":", "resets at ",
		}))).Draw(t, "pieces")
		e := reel.Evidence{Text: "rate limit " + strings.Join(pieces, ""), RetryAfter: rapid.SampledFrom([]string{"", "", "12", "x"}).Draw(t, "raw")}
		v := fault.Default().Judge(e)
		p := fault.Default().Pause(e, v, noon())
		if p.For < 0 || p.For > 366*24*time.Hour || p != fault.Default().Pause(e, v, noon()) || p.For == 0 && p.Publisher {
			t.Fatalf("%+v of %+v", p, e)
		}
	})
}

// The same trouble of another job has the same signature, other trouble has not.
func TestSignatures(t *testing.T) {
	of := func(e reel.Evidence) string {
		return fault.Signature(e, fault.Default().Judge(e), "/v/launch one.mp4", "spring-drop", "atelier.mira")
	}
	tool := func(text string) reel.Evidence { return reel.Evidence{Source: reel.SourceTool, Text: text} }
	for _, alike := range [][]reel.Evidence{
		{tool("Error: connect ECONNREFUSED 127.0.0.1:4723"), tool("Error: connect ECONNREFUSED 127.0.0.1:4725")},
		{tool("adb: device '62f3ab91' not found"), tool("adb: device '1f00c0de' not found")},
		{tool("GET https://api.example.org/v1/phones?id=abc failed: 502"), tool("GET https://api.example.org/v1/phones?id=xyz&page=2 failed: 502")},
		{tool("cannot open /var/tmp/a/b.mp4: No space left on device"), tool("cannot open /var/tmp/c.mp4: No space left on device")},
		{tool("upload of spring-drop for atelier.mira stopped"), tool("upload of # for # stopped")},
		{
			{Source: reel.SourceExit, Code: "1", Text: "worker 12\nTraceback (most recent call last):\n  File \"a.py\", line 3\nConnectionError: refused 17"},
			{Source: reel.SourceExit, Code: "1", Text: "starting up\nmore\nConnectionError: refused 99\n"},
		},
	} {
		if a, b := of(alike[0]), of(alike[1]); a != b {
			t.Errorf("%q and %q", a, b)
		}
	}
	seen := map[string]reel.Evidence{}
	for _, e := range []reel.Evidence{
		tool("adb: device offline"),
		tool("adb: device unauthorized"),
		tool("Error: connect ECONNREFUSED 127.0.0.1:4723"),
		tool(""),
		{Source: reel.SourceExit, Code: "75"},
		{Source: reel.SourceExit, Code: "3"},
		{Source: reel.SourceWorker, Code: reel.CodeWorkerTimeout},
		{Source: reel.SourceHTTP, Code: "502"},
		{Source: reel.SourceHTTP, Code: "503"},
		tool("something that nobody knows"),
	} {
		s := of(e)
		if other, twice := seen[s]; twice {
			t.Errorf("%+v and %+v are both %q", other, e, s)
		}
		seen[s] = e
	}
	long := of(tool(strings.Repeat("weißt du wie ", 100)))
	if n := len([]rune(long)); n > 160 {
		t.Errorf("%d characters", n)
	}
}
