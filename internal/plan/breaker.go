package plan

import (
	"slices"
	"time"

	"reelpass/internal/reel"
)

// breakerAccounts is over how many accounts a failure must repeat itself before it is taken for everybody's: one account's
// trouble is its own, however often it is met.
const breakerAccounts = 3

// doublings is how often the wait before a canary doubles.
const doublings = 4

// Breaker is what an attempt makes of the batch's breaker. It opens when one signature was met in so many of the last
// attempts, over several accounts, or when the publisher asked to wait. While it is open only the canary counts: one that
// fails alike keeps it open for longer, any other end closes it. It delays and never changes what becomes of a job.
func Breaker(b reel.Breaker, s reel.Sample, l reel.Limits) reel.Breaker {
	if s.Canary {
		b.Canary = reel.Canary{}
		if b.Outage != nil && s.Wait == 0 && s.Signature != b.Outage.Signature {
			return reel.Breaker{} // it works again, or it is another trouble
		}
	}
	switch {
	case b.Outage != nil && (s.Canary || s.Wait > 0):
		return stays(b, s, l)
	case s.Wait > 0:
		return opens(reel.Outage{Signature: s.Signature, Since: s.At, Asked: true}, s, s.Wait, l)
	case s.Signature == "" || l.Breaker.Fails == 0:
		return b
	}
	b.Recent = append(slices.Clone(b.Recent), reel.Alike{Signature: s.Signature, Account: s.Account, Attempt: s.Attempt, At: s.At})
	b.Recent = slices.DeleteFunc(b.Recent, func(a reel.Alike) bool { return a.Attempt <= s.Attempt-l.Breaker.Of })
	if b.Outage != nil {
		return b // begun before it opened
	}
	same := 0
	accounts := map[string]bool{}
	var since time.Time
	for _, a := range b.Recent {
		if a.Signature != s.Signature {
			continue
		}
		if same++; same == 1 {
			since = a.At
		}
		accounts[a.Account] = true
	}
	if same < l.Breaker.Fails || len(accounts) < min(breakerAccounts, l.Breaker.Fails) {
		return b
	}
	o := reel.Outage{Signature: s.Signature, Failed: same, Of: l.Breaker.Of, Accounts: len(accounts), Since: since}
	return opens(o, s, l.Breaker.Wait.Std(), l)
}

// opens forgets what led to it: once closed, the breaker begins anew.
func opens(o reel.Outage, s reel.Sample, wait time.Duration, l reel.Limits) reel.Breaker {
	o.Opened, o.Until = s.At, s.At.Add(wait)
	o.Over = o.Until.After(o.Opened.Add(l.MaxWait.Std()))
	return reel.Breaker{Outage: &o}
}

// stays keeps an open breaker open: for what the publisher asked, or for twice as long as before.
func stays(b reel.Breaker, s reel.Sample, l reel.Limits) reel.Breaker {
	o := *b.Outage
	if s.Canary {
		o.Probes++
	}
	wait := s.Wait
	if wait == 0 {
		wait = l.Breaker.Wait.Std()
		if wait <= 0 { // it is off, and the publisher asked for time
			wait = time.Minute
		}
		wait <<= min(o.Probes, doublings)
	}
	if until := s.At.Add(wait); until.After(o.Until) {
		o.Until, o.Asked = until, s.Wait > 0
	}
	o.Over = o.Until.After(o.Opened.Add(l.MaxWait.Std()))
	b.Outage = &o
	return b
}
