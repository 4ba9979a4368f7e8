package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// endings draws how attempts of a batch ended, one after another: few signatures, few accounts, so that they meet.
func endings() *rapid.Generator[[]reel.Sample] {
	return rapid.Custom(func(t *rapid.T) []reel.Sample {
		var all []reel.Sample
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		n := 0
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			n += rapid.IntRange(1, 3).Draw(t, "posts before") // posts are not told, only counted
			at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second)
			s := reel.Sample{
				Signature: rapid.SampledFrom([]string{"", "a", "a", "a", "b"}).Draw(t, "signature"),
				Account:   rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "account"),
				Attempt:   n, At: at,
			}
			if s.Signature != "" && rapid.IntRange(0, 9).Draw(t, "asks") == 0 {
				s.Wait = time.Duration(rapid.IntRange(1, 3000).Draw(t, "wait")) * time.Second
			}
			all = append(all, s)
		}
		return all
	})
}

func breakerLimits() *rapid.Generator[reel.Limits] {
	return rapid.Custom(func(t *rapid.T) reel.Limits {
		l := reel.DefaultLimits()
		l.Breaker.Fails = rapid.IntRange(2, 5).Draw(t, "k")
		l.Breaker.Of = rapid.IntRange(l.Breaker.Fails, 10).Draw(t, "n")
		l.MaxWait = reel.Seconds(time.Duration(rapid.IntRange(0, 7200).Draw(t, "max wait")) * time.Second)
		return l
	})
}

// Whether it opens is said once more, straight from the words: k of the last n attempts, one signature, enough accounts.
func TestBreakerOpensByTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := breakerLimits().Draw(t, "limits")
		var b reel.Breaker
		var past []reel.Sample // since it was closed last
		for _, s := range endings().Draw(t, "endings") {
			s.Canary = b.Outage != nil && rapid.Bool().Draw(t, "canary")
			was := b.Outage
			again := plan.Breaker(b, s, l)
			if b = plan.Breaker(b, s, l); fmt.Sprint(b.Outage, b.Recent) != fmt.Sprint(again.Outage, again.Recent) {
				t.Fatal("not the same twice")
			}
			past = append(past, s)
			if was == nil {
				opens := s.Wait > 0
				if alike, accounts := count(past, s, l.Breaker.Of); s.Signature != "" && alike >= l.Breaker.Fails && accounts >= min(3, l.Breaker.Fails) {
					opens = true
					if b.Outage != nil && s.Wait == 0 && (b.Outage.Failed != alike || b.Outage.Accounts != accounts) {
						t.Fatalf("says %+v, it was %d over %d accounts", *b.Outage, alike, accounts)
					}
				}
				if opens != (b.Outage != nil) {
					t.Fatalf("open: %v, the law says %v after %+v", b.Outage != nil, opens, past)
				}
			}
			if b.Outage == nil && was != nil {
				if !s.Canary || s.Signature == was.Signature || s.Wait > 0 {
					t.Fatalf("%+v closed it", s)
				}
				past = nil
			}
			if was != nil && s.Canary && s.Signature != was.Signature && s.Wait == 0 && b.Outage != nil {
				t.Fatalf("the canary ended with %q and it stays open for %q", s.Signature, was.Signature)
			}
			if b.Outage == nil {
				continue
			}
			past = nil
			if wait := b.Outage.Until.Sub(s.At); s.Canary && s.Wait == 0 && (wait < l.Breaker.Wait.Std() || wait > max(16*l.Breaker.Wait.Std(), 3000*time.Second)) {
				t.Fatalf("the next canary waits %s", wait)
			}
			if was != nil && b.Outage.Until.Before(was.Until) {
				t.Fatalf("a canary may probe at %s, and %s was said before", b.Outage.Until, was.Until)
			}
			if b.Outage.Over != b.Outage.Until.After(b.Outage.Opened.Add(l.MaxWait.Std())) {
				t.Fatalf("over: %+v, a run waits %s", *b.Outage, l.MaxWait.Std())
			}
		}
	})
}

func count(past []reel.Sample, now reel.Sample, window int) (alike, accounts int) {
	seen := map[string]bool{}
	for _, p := range past {
		if p.Signature == now.Signature && p.Attempt > now.Attempt-window {
			alike++
			seen[p.Account] = true
		}
	}
	return alike, len(seen)
}

// Canaries that fail alike come to an end, whatever the numbers: a run never waits for ever.
func TestOutagesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := breakerLimits().Draw(t, "limits")
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		b := plan.Breaker(reel.Breaker{}, reel.Sample{Signature: "a", At: now, Wait: time.Second}, l)
		waits := []time.Duration{}
		for n := 1; !b.Outage.Over; n++ {
			if n > 1000 {
				t.Fatal("it never ends")
			}
			now = b.Outage.Until
			b = plan.Breaker(b, reel.Sample{Signature: "a", At: now, Canary: true}, l)
			waits = append(waits, b.Outage.Until.Sub(now))
		}
		for i := 1; i < len(waits); i++ {
			if waits[i] < waits[i-1] || waits[i] > 16*time.Minute {
				t.Fatalf("waits %v", waits)
			}
		}
		if b = b.Renewed(now, l); l.MaxWait > 0 && (b.Outage.Over || b.Outage.Until.Before(now)) {
			t.Fatalf("the next run begins with %+v", *b.Outage)
		}
	})
}

func TestOffMeansOff(t *testing.T) {
	l := reel.DefaultLimits()
	l.Breaker.Fails = 0
	var b reel.Breaker
	for n := range 100 {
		b = plan.Breaker(b, reel.Sample{Signature: "a", Account: fmt.Sprint(n), Attempt: n}, l)
	}
	if b.Outage != nil || len(b.Recent) > 0 {
		t.Fatalf("%+v", b)
	}
	if b = plan.Breaker(b, reel.Sample{Signature: "a", Wait: time.Minute}, l); b.Outage == nil || !b.Outage.Asked {
		t.Fatal("what the publisher asks for is not the breaker's own")
	}
}

// A time that the publisher asked for is kept by the next run as well; a guess of ours is not.
func TestRenewed(t *testing.T) {
	l := reel.DefaultLimits()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	asked := reel.Breaker{Outage: &reel.Outage{Signature: "a", Asked: true, Until: now.Add(time.Hour), Over: true}}
	if o := asked.Renewed(now, l).Outage; o == nil || !o.Until.Equal(now.Add(time.Hour)) || o.Over {
		t.Fatalf("%+v", o)
	}
	if o := asked.Renewed(now.Add(-12*time.Hour), l).Outage; o == nil || !o.Over {
		t.Fatalf("%+v", o)
	}
	guessed := reel.Breaker{Recent: []reel.Alike{{}}, Outage: &reel.Outage{Signature: "a", Failed: 5, Until: now.Add(time.Hour), Probes: 3, Over: true}}
	if b := guessed.Renewed(now, l); b.Outage == nil || !b.Outage.Until.Equal(now) || b.Outage.Over || b.Outage.Probes != 0 || len(b.Recent) > 0 {
		t.Fatalf("%+v", b)
	}
	l.Breaker.Fails = 0
	if b := guessed.Renewed(now, l); b.Outage != nil {
		t.Fatalf("turned off, and still %+v", *b.Outage)
	}
}

func ExampleBreaker() {
	l := reel.DefaultLimits()
	var b reel.Breaker
	for n := 1; b.Outage == nil; n++ {
		b = plan.Breaker(b, reel.Sample{Signature: "connection refused", Account: fmt.Sprint("acc", n), Attempt: n}, l)
	}
	fmt.Println(b.Outage.Why())
	// Output: 5 of the last 10 attempts failed alike, over 5 accounts: connection refused
}
