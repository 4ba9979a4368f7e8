package reel

import (
	"fmt"
	"time"
)

// BreakerLimits say when the breaker of a batch trips and how it probes. Zero Fails turns it off.
type BreakerLimits struct {
	Fails int     `json:"fails"` // that many of the last Of attempts fail alike
	Of    int     `json:"of"`
	Wait  Seconds `json:"wait"` // before the first canary; it doubles up to sixteen times itself
}

// Breaker keeps the jobs of a batch from being claimed while one failure repeats itself over many accounts, or while the
// publisher asked to wait. It is kept in the ledger, so that all supervisors of a batch share it. The zero Breaker is closed.
type Breaker struct {
	Recent []Alike `json:"recent,omitempty"` // the failures that count among the last attempts, the oldest first
	Outage *Outage `json:"outage,omitempty"` // set while it is open
	Canary Canary  `json:"canary,omitzero"`  // the job that probes
}

// Canary is the lease of the one job that probes whether an outage is over. One that is no longer held probes no more.
type Canary struct {
	Key   int64 `json:"key"`
	Fence int64 `json:"fence"`
}

// Alike is a failure that another may repeat.
type Alike struct {
	Signature string    `json:"signature"`
	Account   string    `json:"account"`
	Attempt   int       `json:"attempt"` // its place among all attempts of the batch
	At        time.Time `json:"at"`
}

// Outage is an open breaker: why nothing is claimed, and until when.
type Outage struct {
	Signature string `json:"signature"`
	// Failed of the last Of attempts failed alike, over that many Accounts. All are 0 where it began with the publisher's own word.
	Failed   int       `json:"failed"`
	Of       int       `json:"of"`
	Accounts int       `json:"accounts"`
	Since    time.Time `json:"since"`  // the first of these failures
	Opened   time.Time `json:"opened"` // since when the present run waits
	Until    time.Time `json:"until"`  // no job is claimed before, then one
	Asked    bool      `json:"asked"`  // the publisher itself named that time
	Probes   int       `json:"probes"` // canaries that failed alike
	Over     bool      `json:"over"`   // it lasts for longer than a run waits
}

// Why says in words why the breaker is open.
func (o Outage) Why() string {
	if o.Failed == 0 {
		return "the publisher asked to wait: " + o.Signature
	}
	return fmt.Sprintf("%d of the last %d attempts failed alike, over %d accounts: %s", o.Failed, o.Of, o.Accounts, o.Signature)
}

// Sample is how an attempt ended, for the breaker.
type Sample struct {
	Signature string // of a failure that others may repeat; empty for every other ending
	Account   string
	Attempt   int // its place among all attempts of the batch
	At        time.Time
	Wait      time.Duration // the publisher asked for it
	Canary    bool          // the attempt was the probe
}

// Renewed is the breaker at the start of a run: a person may have mended the cause, so that a canary may probe at once,
// but not before a time that the publisher asked for.
func (b Breaker) Renewed(now time.Time, l Limits) Breaker {
	b.Recent = nil
	if b.Outage == nil || l.Breaker.Fails == 0 && !b.Outage.Asked {
		return Breaker{}
	}
	o := *b.Outage
	if !o.Asked {
		o.Until, o.Probes = now, 0
	}
	o.Opened, o.Over = now, o.Until.After(now.Add(l.MaxWait.Std()))
	b.Outage = &o
	return b
}

// Pause is how long the publisher or an account asked to be left alone.
type Pause struct {
	For       time.Duration // 0: nobody asked
	Publisher bool          // everything waits, not the account alone
}

// Waiting is why no job can be claimed although some are due: it is an ErrNothingDue with a time.
type Waiting struct {
	For      time.Duration // until a job may be claimed; 0 while a canary probes
	Account  string        // whose hold ends first, empty where the whole batch waits
	Accounts int           // that wait
	Why      string        // the type of its verdict, or a person's words
	Outage   *Outage       // where the breaker is open
}

func (w *Waiting) Error() string {
	if w.Outage != nil {
		return "the breaker is open: " + w.Outage.Why()
	}
	return fmt.Sprintf("%d accounts wait, the first is %s", w.Accounts, w.Account)
}

// Is makes errors.Is(err, ErrNothingDue) true.
func (w *Waiting) Is(target error) bool { return target == ErrNothingDue }

// OutageError ends a run whose breaker stayed open for longer than a run waits. What was not attempted stays for the next run.
type OutageError struct{ Outage Outage }

func (e *OutageError) Error() string {
	text := "the breaker stays open: " + e.Outage.Why()
	if n := e.Outage.Probes; n > 0 {
		text += fmt.Sprintf("; canaries that failed alike: %d", n)
	}
	return text
}
