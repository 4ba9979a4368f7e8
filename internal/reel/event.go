package reel

import "time"

// EventKind names what happened.
type EventKind string

// Events that change the ledger; they are in the journal, written with the change itself.
const (
	EventImported    EventKind = "imported"      // Count jobs were added to the batch; Totals
	EventRunStarted  EventKind = "run_started"   // a leader took the batch; Limits, Workers, Totals
	EventPassOpened  EventKind = "pass_opened"   // Pass of MaxPass, Count jobs due
	EventClaimed     EventKind = "claimed"       // a worker took the job
	EventKept        EventKind = "kept"          // a worker had something remembered; Text is its name and value
	EventIntent      EventKind = "intent"        // the irreversible step may begin
	EventSucceeded   EventKind = "succeeded"     // the attempt posted; Receipt
	EventFailed      EventKind = "failed"        // the attempt failed; Evidence, Verdict, Decision
	EventInDoubt     EventKind = "in_doubt"      // the share began, outcome unknown; Evidence, Verdict
	EventLooked      EventKind = "looked"        // reconciliation; Look, Decision
	EventDuplicate   EventKind = "duplicate"     // refused before the share: already published on this account
	EventHeldBack    EventKind = "held_back"     // set aside without an attempt: the account is held; Count jobs
	EventHold        EventKind = "hold"          // an account is held, until Until where that is set
	EventReleased    EventKind = "released"      // a person released an account, or its time was over; Count jobs returned
	EventRetried     EventKind = "retried"       // a person returned the job
	EventCancelled   EventKind = "cancelled"     // a person took the job back
	EventDoubted     EventKind = "doubted"       // a person said that the ledger is an old copy: the job may be posted
	EventRejudged    EventKind = "rejudged"      // the rules of a later day judged an attempt; Evidence, Verdict, Was; Decision where the job moved
	EventPassClosed  EventKind = "pass_closed"   // Stats, Decision of what comes next in Text
	EventOutOfPasses EventKind = "out_of_passes" // Count jobs could be retried but the passes are used up
	EventFinished    EventKind = "finished"      // Result, Totals
	EventInterrupted EventKind = "interrupted"   // the run was cut short; Text says by what
	EventPaused      EventKind = "paused"
	EventResumed     EventKind = "resumed"
	EventScheduled   EventKind = "scheduled"      // an appointment of the schedule began; Text says of which plan, and the batch
	EventMissed      EventKind = "missed"         // appointments of the schedule were not kept; Count, Text
	EventRulesAdded  EventKind = "rules_added"    // a person added rules of their own; Text names them
	EventBreakerOpen EventKind = "breaker_open"   // nothing is claimed, as Outage says; also when a canary failed alike
	EventProbe       EventKind = "breaker_probe"  // the job claimed just now is the canary
	EventBreakerShut EventKind = "breaker_closed" // jobs are claimed again; Outage is what was
)

// Events that only tell; they are not in the journal.
const (
	EventWaiting    EventKind = "waiting"     // before Pass: Remaining until it starts; sent at the start and every 10 s
	EventOnHold     EventKind = "on_hold"     // jobs are due and must wait: Remaining, Account and Count of accounts or Outage, Text
	EventStep       EventKind = "step"        // a worker's progress; Text names the step
	EventWorkerUp   EventKind = "worker_up"   // a worker process started
	EventWorkerDown EventKind = "worker_down" // a worker process ended; Text says how
	EventSettled    EventKind = "settled"     // a dead predecessor's lease was settled
	EventStopping   EventKind = "stopping"    // a signal asked for the stop; Text says what happens now
	EventNotice     EventKind = "notice"      // anything else a person should read
)

// Event is one thing that happened, for the journal, the console and scripts. Only the fields its kind names are set.
type Event struct {
	Seq       int64      `json:"seq,omitempty"` // place in the journal, 0 for events that only tell
	At        time.Time  `json:"at"`
	Kind      EventKind  `json:"event"`
	Batch     string     `json:"batch,omitempty"`
	Pass      int        `json:"pass,omitempty"`
	MaxPass   int        `json:"max_pass,omitempty"`
	Job       JobID      `json:"job_id,omitempty"`
	Account   string     `json:"account,omitempty"`
	Attempt   int        `json:"attempt,omitempty"`
	Worker    int        `json:"worker_id,omitempty"`
	Fence     int64      `json:"fence,omitempty"`
	Count     int        `json:"count,omitempty"`
	Text      string     `json:"text,omitempty"`
	By        string     `json:"by,omitempty"` // who did it, where a person did
	Evidence  *Evidence  `json:"evidence,omitempty"`
	Verdict   *Verdict   `json:"verdict,omitempty"`
	Was       *Verdict   `json:"was,omitempty"` // the verdict before
	Decision  *Decision  `json:"decision,omitempty"`
	Receipt   *Receipt   `json:"receipt,omitempty"`
	Look      *Look      `json:"look,omitempty"`
	Stats     *PassStats `json:"stats,omitempty"`
	Totals    *Totals    `json:"totals,omitempty"`
	Limits    *Limits    `json:"limits,omitempty"`
	Workers   int        `json:"workers,omitempty"`
	Result    Result     `json:"result,omitempty"`
	Remaining Seconds    `json:"remaining,omitempty"`
	Until     time.Time  `json:"until,omitzero"`
	Outage    *Outage    `json:"outage,omitempty"`
}
