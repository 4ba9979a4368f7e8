package reel

import (
	"fmt"
	"time"
)

// Process identifies an operating-system process so surely that it may be killed: a pid alone is given to others again.
type Process struct {
	Host    string `json:"host"`    // machine, boot and pid namespace together
	PID     int    `json:"pid"`     // also the process group
	Started int64  `json:"started"` // start time in the kernel's clock ticks since boot
}

// Generation numbers the rules by which supervisors share a ledger: what a state, a lease or an event means, and who may change it
// when. Whoever changes such a rule raises it; then no batch is shared with a program of before.
const Generation = 1

// Supervisor is one running reelpass that claims jobs.
type Supervisor struct {
	ID         string  `json:"id"`   // unique for ever
	Name       string  `json:"name"` // for people: host and pid
	Process    Process `json:"process"`
	Generation int     `json:"generation"`
	Version    string  `json:"version"`   // of the program, for people
	Rehearsal  bool    `json:"rehearsal"` // its posts are none
}

// SkewError says that a batch is shared by the rules of another generation than one's own. It is a reason to refuse (ErrRefused).
type SkewError struct {
	Batch        string
	Mine, Theirs Supervisor // of Theirs perhaps only the generation is known
	InFlight     bool       // Theirs does not lead, but has a job of the batch in its hands
}

// Skew is nil where two supervisors go by the same rules.
func Skew(batch string, mine, theirs Supervisor) error {
	if mine.Generation == theirs.Generation {
		return nil
	}
	return &SkewError{Batch: batch, Mine: mine, Theirs: theirs}
}

// Older says that this program is the older of the two.
func (e *SkewError) Older() bool { return e.Mine.Generation < e.Theirs.Generation }

// Is makes errors.Is(err, ErrRefused) true.
func (e *SkewError) Is(target error) bool { return target == ErrRefused }

func (e *SkewError) Error() string {
	does, older := "is led", "which is the newer"
	if e.InFlight {
		does = "is worked on"
	}
	if e.Older() {
		older = "which is the older"
	}
	return fmt.Sprintf("batch %q %s by %s; this is %s, %s", e.Batch, does, rulesOf(e.Theirs), rulesOf(e.Mine), older)
}

func rulesOf(s Supervisor) string {
	text := fmt.Sprintf("generation %d", s.Generation)
	if s.Version != "" {
		text = fmt.Sprintf("reelpass %s (%s)", s.Version, text)
	}
	if s.Name != "" {
		text += " of " + s.Name
	}
	return text
}

// Lease is a worker's time-limited claim on a job. Fence grows with each claim; a write under an old one changes nothing.
type Lease struct {
	Key   int64 `json:"-"` // the ledger's own number of the job
	Fence int64 `json:"fence"`
}

// Claimant is a slot that asks for work.
type Claimant struct {
	Batch      string
	Supervisor string  // its ID
	Worker     int     // 1-based, for people
	Process    Process // of the slot's worker process; zero where none runs yet
	// Done, where set, is how the slot's job before ended: it is recorded in the same transaction, before the claim.
	Done *Ended
	// Recognise, where set, says that executing a job is itself the irreversible step, so that the claim carries the intent.
	// It names the job's video without reading it; where it cannot, the intent follows as usual.
	Recognise   func(Job) (Fingerprint, bool)
	AllowRepost bool // with Recognise: the same video may go to the same account again
}

// Ended is a job that was executed, and how that ended.
type Ended struct {
	Claim  Claim
	Ending Ending
}

// Claim is a job in a worker's hands: what it needs to execute it, and to decide what becomes of it.
type Claim struct {
	Lease
	Job      Job
	Batch    string
	Pass     int    // the open pass
	Attempt  int    // number of the attempt that begins, 1-based over all passes
	LastPass int    // of its round
	Limits   Limits // of the run that leads the batch, or led it last
	Intended bool   // the intent is recorded with the claim
	Tally    Tally  // what counts against the limits so far, forgiven parts taken off
	Worker   int
	Canary   bool              // the one job that probes whether an outage is over
	Kept     map[string]string // of earlier attempts, by name
	// Lookup says that the job is in doubt and must be looked up, not executed. Doubt is the attempt in question.
	Lookup bool
	Doubt  Attempt
}

// Held is a lease as a sweeper sees it: whose it is, and which process must be dead before the job is looked at again.
type Held struct {
	Claim
	State      State
	Supervisor Supervisor
	WorkerProc Process // zero where none was recorded
	Until      time.Time
	ClaimedAt  time.Time
	// Away says that this is no lease any more but a doubt: another host has settled the job, and cannot know whether the supervisor's
	// worker still acts.
	Away bool
}

// Leadership says who opens and closes the passes of a batch. Term grows with each change of leader.
type Leadership struct {
	Batch  string
	Leader Supervisor // zero ID: nobody
	Term   int64
	Until  time.Time
	Limits Limits // of the batch's last run
}

// Lease times (design: a lease lasts 30 s and is renewed every 10 s).
const (
	LeaseTTL   = 30 * time.Second
	RenewEvery = 10 * time.Second
	SweepEvery = 5 * time.Second
)
