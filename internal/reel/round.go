package reel

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Round is where a batch stands in its passes. Pass numbers grow for ever; a round is what one budget of passes covers:
// it begins with the first run, and again when a finished batch gets new work.
type Round struct {
	Batch string
	Term  int64 // the leadership under which passes are opened and closed
	Pass  int   // the last pass that was opened, 0 before the first
	Open  bool  // that pass is still open
	Base  int   // passes before this round
}

// Used is how many passes of the round have been opened.
func (r Round) Used() int { return r.Pass - r.Base }

// Standing is a batch between two passes: what plan needs to say what comes next.
type Standing struct {
	Round  Round
	Totals Totals
	// Waiting says that jobs of the open pass wait for the time of their accounts' holds, and that it has no others to do. Others
	// says that jobs of the next pass need not wait.
	Waiting, Others bool
}

// Step is what comes next for a batch: a pass to open after a wait, or a result.
type Step struct {
	Stay   bool          // the open pass stays open: its jobs wait
	Open   int           // the pass to open, 0 when the batch is finished
	Wait   time.Duration // before it
	Result Result        // set when Open is 0, unless the pass stays open
	Why    string        // for a person
}

// Bid is a run that wants to lead a batch.
type Bid struct {
	Batch   string
	Leader  Supervisor
	Term    int64 // the term that was seen; another term in the ledger means that somebody was quicker
	Limits  Limits
	Workers int
	Look    bool // in-doubt jobs can be looked up by this run's publisher
}

// Ending is how an attempt ended and what becomes of its job.
type Ending struct {
	Attempt  Attempt
	Decision Decision
	Look     bool // an in-doubt job can be looked up by the machine
	// Away says of an in-doubt job that its worker was on a host that the decider cannot see, and may still act. No look can tell
	// then that the post is absent for good, until its own supervisor has said how the worker ended, or a person decides.
	Away bool
	// Signature names a failure that others may repeat; empty for one that says nothing of them, and for every other ending.
	// Breaker, where set, is what the attempt makes of the batch's breaker.
	Signature string
	Breaker   func(Breaker, Sample) Breaker
	// From, where set, is the state in which the job was seen by whoever decides for somebody dead: the ending holds only if
	// it is still so.
	From State
}

// ByBytes begins the key of a video whose bytes were seen; their SHA-256 in hex follows.
const ByBytes = "sha256:"

// FingerprintOfPath names a video by its path, where its bytes are not seen.
func FingerprintOfPath(path string) Fingerprint {
	const longest = 1000 // a key of PostgreSQL's index has less than 2,704 bytes
	if len(path) > longest {
		sum := sha256.Sum256([]byte(path))
		path = "sha256:" + hex.EncodeToString(sum[:])
	}
	return Fingerprint{Key: "path:" + path, Path: "path:" + path}
}

// Fingerprint names what a job publishes: the hash of the video's bytes, or its path where they cannot be read.
type Fingerprint struct {
	Key  string // "sha256:…" or "path:…"
	Path string // "path:…", to recognise what an imported file tells of the same video
}
