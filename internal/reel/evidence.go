package reel

import "time"

// Source says where evidence was seen. Rules are bound to sources: what a screen says is not what a tool says.
type Source string

// The sources of evidence. The empty source means "not recorded", as in files of the earlier orchestrator.
const (
	SourceScreen Source = "screen" // text on the phone's screen
	SourceTool   Source = "tool"   // what adb, Appium, a program or a vendor's client printed
	SourceHTTP   Source = "http"   // an HTTP answer; Code is the status or the API's code
	SourceExit   Source = "exit"   // how a program ended; Code is its exit code, Text the end of its stderr
	SourceWorker Source = "worker" // the supervisor's own observation of a worker process; Code says which
)

// Sources lists the named sources.
func Sources() []Source {
	return []Source{SourceScreen, SourceTool, SourceHTTP, SourceExit, SourceWorker}
}

// The codes of evidence from SourceWorker: what the supervisor saw of its own worker.
const (
	CodeWorkerLost     = "worker_lost"     // the process ended without an answer
	CodeWorkerTimeout  = "worker_timeout"  // no progress within the job's timeout; killed
	CodeWorkerStart    = "worker_start"    // the process could not be started
	CodeWorkerProtocol = "worker_protocol" // it spoke, but not the protocol
	CodeInterrupted    = "interrupted"     // a person stopped the run, and the worker with it
	CodeLeaseLost      = "lease_lost"      // the supervisor lost its lease and killed the worker
)

// Evidence is what was seen of a failure, kept raw. It is a value and never an error: an error means that nothing could be
// found out. The verdict is derived from it in fault, and can be derived again by better rules.
type Evidence struct {
	Source Source `json:"source,omitempty"`
	Code   string `json:"code,omitempty"`
	Text   string `json:"text"`
	Step   string `json:"step,omitempty"`
	// ShareBegun says that the irreversible step had begun, so that the same text means another thing.
	ShareBegun bool `json:"share_begun,omitempty"`
	// RetryAfter is when the publisher may try again, as it was told: seconds, a duration, or a moment. Holds says of what it was
	// told: HoldsAccount or HoldsPublisher.
	RetryAfter string `json:"retry_after,omitempty"`
	Holds      string `json:"holds,omitempty"`
	// Note is somebody's explanation (a language model's, a driver's). It is kept and shown, and never judged.
	Note string `json:"note,omitempty"`
}

// What a time to wait holds: the account alone, or everything that the publisher does.
const (
	HoldsAccount   = "account"
	HoldsPublisher = "publisher"
)

// Category says whose trouble a failure was.
type Category string

// The categories. The zero Category is none of them and belongs to an attempt that did not fail.
const (
	Account        Category = "account"        // the account is broken: a person must look
	Content        Category = "content"        // the video or caption will never be taken
	Infrastructure Category = "infrastructure" // a hiccup of phone, tool, network or service: try again later
	Unknown        Category = "unknown"        // no rule knows it
)

// Categories lists the four categories in the order in which summaries show them.
func Categories() []Category { return []Category{Account, Content, Infrastructure, Unknown} }

// Verdict is what fault makes of evidence: whose trouble, of which kind, and the rule that said so.
type Verdict struct {
	Category Category `json:"category"`
	Type     string   `json:"type"`
	Rule     string   `json:"rule"`
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeSucceeded Outcome = "succeeded"
	OutcomeFailed    Outcome = "failed"
	OutcomeInDoubt   Outcome = "in_doubt"
)

// Attempt is one execution of a job by a worker in a pass. It is kept for ever.
type Attempt struct {
	Number     int       `json:"attempt"` // 1-based, over all passes
	Pass       int       `json:"pass"`
	Worker     int       `json:"worker_id"`
	Host       string    `json:"host,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	EndedAt    time.Time `json:"ended_at"`
	Outcome    Outcome   `json:"outcome"`
	ShareBegun bool      `json:"share_begun"`
	Evidence   Evidence  `json:"evidence,omitzero"` // zero when it succeeded
	Verdict    Verdict   `json:"verdict,omitzero"`  // zero when it succeeded
	Receipt    Receipt   `json:"receipt,omitzero"`
}

// Finding is what a look at the outside world says of an in-doubt job.
type Finding string

// The three answers of reconciliation. "Cannot tell" is never a retry.
const (
	Found  Finding = "found"  // the post is there
	Absent Finding = "absent" // it is certainly not there
	Unsure Finding = "unsure" // cannot tell
)

// Look is one look at the outside world for an in-doubt job.
type Look struct {
	Finding Finding `json:"finding"`
	Receipt Receipt `json:"receipt,omitzero"` // with Found
	Why     string  `json:"why,omitempty"`    // with Unsure, and what was seen
	By      string  `json:"by,omitempty"`     // a person's name, or empty for the machine
	// WorkerDead is a person's word that the worker of the attempt acts no more: what is not there now will not come later.
	WorkerDead bool `json:"worker_dead,omitempty"`
}
