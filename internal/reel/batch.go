package reel

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Sentinels that cross rooms. Wrap them with what was being done; compare with errors.Is.
var (
	// ErrNotFound: no such batch, job or account.
	ErrNotFound = errors.New("not found")
	// ErrLost: the lease or the leadership is no longer ours. Stop, and kill the worker.
	ErrLost = errors.New("no longer ours")
	// ErrNothingDue: no job can be claimed now. A later one may be, while others are in flight.
	ErrNothingDue = errors.New("nothing due")
	// ErrPaused: a person paused the batch; nothing can be claimed until it is resumed.
	ErrPaused = errors.New("paused")
	// ErrDuplicate: the same video was already published, or is being published, on the same account.
	ErrDuplicate = errors.New("already published on this account")
	// ErrNotYet: a pass cannot be closed while jobs of it are due, in flight or to be looked up.
	ErrNotYet = errors.New("not yet")
	// ErrRefused: a person asked for something that would not be safe in the present state.
	ErrRefused = errors.New("refused")
	// ErrTaken: somebody else leads the batch.
	ErrTaken = errors.New("taken")
	// ErrBroken: it is not known whether the ledger keeps what was written last, and this process cannot find out. Only another
	// run can go on.
	ErrBroken = errors.New("it is not known whether the last change was kept")
)

// Limits says how often and how long things are tried. reference: docs/semantics.md, rules 3 to 5.
type Limits struct {
	MaxPasses      int     `json:"max_passes"`           // passes of one round of a batch, at least 1
	RetryDelay     Seconds `json:"retry_delay"`          // between two passes
	Infrastructure int     `json:"infrastructure_limit"` // failures of this kind allowed to one job; 0 and 1 both mean no retry
	Unknown        int     `json:"unknown_limit"`        // likewise
	MaxAttempts    int     `json:"max_attempts_per_job"` // attempts of any ending, at least 1
	RetryUnknown   bool    `json:"unknown_error_is_retryable"`
	AccountHold    bool    `json:"account_hold"` // an account verdict holds the whole account
	// MaxWait is the longest that a run waits for an account or a publisher that asked for time, or for an outage to end.
	MaxWait Seconds       `json:"max_wait"`
	Breaker BreakerLimits `json:"breaker"`
}

// DefaultLimits are the project's defaults: 5 passes, 30 s, 3 infrastructure, 2 unknown, 5 attempts, waits of up to 12 hours,
// and a breaker that trips when 5 of the last 10 attempts fail alike.
func DefaultLimits() Limits {
	return Limits{
		MaxPasses: 5, RetryDelay: Seconds(30 * time.Second), Infrastructure: 3, Unknown: 2, MaxAttempts: 5,
		RetryUnknown: true, AccountHold: true, MaxWait: Seconds(12 * time.Hour),
		Breaker: BreakerLimits{Fails: 5, Of: 10, Wait: Seconds(time.Minute)},
	}
}

// Validate says which limit makes no sense.
func (l Limits) Validate() error {
	switch {
	case l.MaxPasses < 1:
		return fmt.Errorf("max-passes must be at least 1, not %d", l.MaxPasses)
	case l.MaxAttempts < 1:
		return fmt.Errorf("max-attempts-per-job must be at least 1, not %d", l.MaxAttempts)
	case l.Infrastructure < 0:
		return fmt.Errorf("infra-retry-limit must not be negative, not %d", l.Infrastructure)
	case l.Unknown < 0:
		return fmt.Errorf("unknown-retry-limit must not be negative, not %d", l.Unknown)
	case l.RetryDelay < 0:
		return fmt.Errorf("retry-delay must not be negative, not %s", l.RetryDelay.Std())
	case l.MaxWait < 0:
		return fmt.Errorf("max-wait must not be negative, not %s", l.MaxWait.Std())
	case l.Breaker.Fails == 0: // off
		return nil
	case l.Breaker.Fails < 2 || l.Breaker.Of < l.Breaker.Fails || l.Breaker.Of > 100:
		return fmt.Errorf("breaker must be off, or K/N with 2 <= K <= N <= 100, not %d/%d", l.Breaker.Fails, l.Breaker.Of)
	case l.Breaker.Wait <= 0:
		return fmt.Errorf("breaker-wait must be more than nothing, not %s", l.Breaker.Wait.Std())
	}
	return nil
}

// Of is the limit of failures of one category. Account and content failures are never retried: their limit is 1.
func (l Limits) Of(c Category) int {
	switch c {
	case Infrastructure:
		return l.Infrastructure
	case Unknown:
		return l.Unknown
	case Account, Content:
		return 1
	}
	return 1
}

// Decision is what plan makes of an attempt: the job's next state, why, and whether the account is held with it.
type Decision struct {
	State   State  `json:"state"`
	Reason  Reason `json:"reason,omitempty"`
	DuePass int    `json:"due_pass,omitempty"` // with Failed: the pass that will take it
	Hold    bool   `json:"hold,omitempty"`     // the account is held, for Wait or else until a person releases it
	// Wait is how long the account is held, or the whole batch where Hold is not set.
	Wait Seconds `json:"wait,omitempty"`
	Free bool    `json:"free,omitempty"` // the attempt does not count against any limit
	Why  string  `json:"why"`            // the same for a person: which limit, which count, what comes next
}

// Failures counts failures by category, in one pass.
type Failures struct {
	Account        int `json:"account"`
	Content        int `json:"content"`
	Infrastructure int `json:"infrastructure"`
	Unknown        int `json:"unknown"`
}

// Total is the number of failures of all categories.
func (f Failures) Total() int { return f.Account + f.Content + f.Infrastructure + f.Unknown }

// PassStats counts the attempts of one pass alone (docs/semantics.md, rule 6):
// Processed = Succeeded + Failed.Total() + InDoubt, and Failed.Total() = SetAside + Exhausted + Retryable.
type PassStats struct {
	Pass        int       `json:"pass"`
	Processed   int       `json:"processed"`
	Succeeded   int       `json:"succeeded"`
	Failed      Failures  `json:"failed"`
	InDoubt     int       `json:"in_doubt"`
	SetAside    int       `json:"set_aside"`
	Exhausted   int       `json:"exhausted"`
	Retryable   int       `json:"retryable"`
	SuccessRate Percent   `json:"success_rate"` // percent, one decimal
	StartedAt   time.Time `json:"started_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"` // zero while the pass is open
}

// Seconds is a duration that JSON shows in seconds, as people and scripts count them.
type Seconds time.Duration

// Std is the duration.
func (s Seconds) Std() time.Duration { return time.Duration(s) }

// MarshalJSON writes seconds, with decimals where there are any.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, s.Std().Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseFloat(string(data), 64)
	*s = Seconds(n * float64(time.Second))
	return err
}

// Percent is a share of a hundred with one decimal.
type Percent float64

// MarshalJSON writes it always with its decimal, 40.0 and not 40: to a script it is never sometimes a whole number.
func (p Percent) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(p), 'f', 1, 64), nil
}

// Rate is 100·succeeded/processed rounded to one decimal, 0 for an empty pass.
func Rate(succeeded, processed int) Percent {
	if processed == 0 {
		return 0
	}
	tenths := (2000*succeeded + processed) / (2 * processed) // rounded half up, in whole numbers
	return Percent(tenths) / 10
}

// Totals counts a batch's jobs by state, and all attempts ever made.
type Totals struct {
	Jobs        int `json:"jobs"`
	Pending     int `json:"pending"`
	Running     int `json:"running"`
	Publishing  int `json:"publishing"`
	Succeeded   int `json:"succeeded"`
	Failed      int `json:"failed"`
	SetAside    int `json:"set_aside"`
	Exhausted   int `json:"exhausted"`
	OutOfPasses int `json:"out_of_passes"`
	InDoubt     int `json:"in_doubt"`
	Cancelled   int `json:"cancelled"`
	Attempts    int `json:"attempts"`
}

// Add counts n more jobs in state s; n may be negative. It leaves Jobs alone.
func (t *Totals) Add(s State, n int) {
	switch s {
	case Pending:
		t.Pending += n
	case Running:
		t.Running += n
	case Publishing:
		t.Publishing += n
	case Succeeded:
		t.Succeeded += n
	case Failed:
		t.Failed += n
	case SetAside:
		t.SetAside += n
	case Exhausted:
		t.Exhausted += n
	case OutOfPasses:
		t.OutOfPasses += n
	case InDoubt:
		t.InDoubt += n
	case Cancelled:
		t.Cancelled += n
	}
}

// Of is the number of jobs in a state.
func (t Totals) Of(s State) int {
	var one Totals
	one.Add(s, 1)
	return one.Pending*t.Pending + one.Running*t.Running + one.Publishing*t.Publishing + one.Succeeded*t.Succeeded +
		one.Failed*t.Failed + one.SetAside*t.SetAside + one.Exhausted*t.Exhausted + one.OutOfPasses*t.OutOfPasses +
		one.InDoubt*t.InDoubt + one.Cancelled*t.Cancelled
}

// Result is how a batch ended.
type Result string

// The results. NoResult while a batch is not finished.
const (
	NoResult         Result = ""
	AllComplete      Result = "all_complete"
	OnlyNonRetryable Result = "only_non_retryable"
	MaxPassesReached Result = "max_passes_reached"
	Interrupted      Result = "interrupted" // a run cut short; the next run continues it
)

// Phase is what a batch is doing now, as `reelpass status` shows it.
type Phase string

// The phases of a batch.
const (
	PhaseIdle        Phase = "idle"        // imported, never run
	PhaseRunning     Phase = "running"     // a pass is open and somebody leads it
	PhaseWaiting     Phase = "waiting"     // between two passes
	PhasePaused      Phase = "paused"      // a person paused it
	PhaseFinished    Phase = "finished"    // it has a result
	PhaseInterrupted Phase = "interrupted" // work is left and nobody leads it
)

// Batch is a named set of jobs.
type Batch struct {
	Name      string    `json:"batch"`
	Phase     Phase     `json:"state"`
	Result    Result    `json:"result"`
	Limits    Limits    `json:"-"` // of the last run
	CreatedAt time.Time `json:"-"`
}

// Status is where a batch stands: what `reelpass status` prints.
type Status struct {
	Batch
	Passes []PassStats `json:"passes"`
	Totals Totals      `json:"totals"`
	Outage *Outage     `json:"outage,omitempty"` // while the breaker is open
}

// Hold keeps every job of an account from being attempted until a time, or until a person releases it.
type Hold struct {
	Account    string    `json:"account"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until,omitzero"` // zero: until a person releases it
	Batch      string    `json:"batch,omitempty"`
	Job        JobID     `json:"job_id,omitempty"` // the job whose verdict caused it; empty when a person held it
	Verdict    Verdict   `json:"verdict,omitzero"`
	Text       string    `json:"text,omitempty"` // what was seen
	ReleasedAt time.Time `json:"released_at,omitzero"`
	ReleasedBy string    `json:"released_by,omitempty"`
	Waiting    int       `json:"waiting"` // jobs set aside by this hold
}
