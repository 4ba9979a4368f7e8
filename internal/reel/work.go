package reel

import (
	"context"
	"strings"
)

// Assignment is a job as a worker process is told of it.
type Assignment struct {
	JobID     JobID  `json:"job_id"`
	Account   string `json:"account"`
	VideoPath string `json:"video_path"`
	Caption   string `json:"caption"`
	Attempt   int    `json:"attempt"`
	Pass      int    `json:"pass"`
	WorkerID  int    `json:"worker_id"`
	// Kept is what earlier attempts had remembered of the job (Desk.Keep), by name; nil where there is nothing.
	Kept map[string]string `json:"kept,omitempty"`
}

// Report is what a worker process made of an assignment: a post with its receipt, or evidence of why there is none.
// Evidence.ShareBegun says whether the irreversible step may have happened; then a report without a post is a doubt.
type Report struct {
	Posted   bool
	Receipt  Receipt
	Evidence Evidence // zero when posted
	// Refused says that the go was given and the step certainly not taken: the other side refused it in plain words, and was asked
	// whether it is so. Then it is a failure and no doubt. Only a publisher inside the supervisor is believed.
	Refused bool
}

// Desk is whom a worker turns to while it executes one assignment, or looks one up. All are called from one goroutine at a time.
type Desk struct {
	// Share asks for the go before the irreversible step. false means: the job is lost, do not share. A look has none.
	Share func(context.Context) bool
	// Keep has a value remembered of the job, durably before it returns, so that whoever comes after this process can go on from it:
	// later attempts and looks find it in Assignment.Kept. An empty value is forgotten. false means: it is not remembered.
	// Names and values are bounded by KeptName and KeptMost.
	Keep func(ctx context.Context, name, value string) bool
	// Step tells of progress; it also proves that the worker lives.
	Step func(name string)
	// Started tells which process executes the assignment, unless it ends within a moment.
	Started func(Process)
}

// KeptMost is how long a kept value may be, in bytes: an identifier and a state, no content.
const KeptMost = 4 << 10

// KeptName says whether a name can be kept: 1 to 40 of a-z, 0-9, '_' and '-'.
func KeptName(name string) bool {
	return name != "" && len(name) <= 40 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// Leftover is something that a worker kept of a job which nobody executes any more, nor any other job of its account.
type Leftover struct {
	Key     int64 // the ledger's own number of the job
	Batch   string
	Job     JobID
	Account string
	Name    string
	Value   string
}

// Copy is a video that was fetched from an address: a file of this machine that stays as it is until it is released.
type Copy struct {
	Path    string
	SHA256  string // of its bytes, in hex
	Release func()
}
