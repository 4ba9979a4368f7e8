package reel

import "context"

// Assignment is a job as a worker process is told of it.
type Assignment struct {
	JobID     JobID  `json:"job_id"`
	Account   string `json:"account"`
	VideoPath string `json:"video_path"`
	Caption   string `json:"caption"`
	Attempt   int    `json:"attempt"`
	Pass      int    `json:"pass"`
	WorkerID  int    `json:"worker_id"`
}

// Report is what a worker process made of an assignment: a post with its receipt, or evidence of why there is none.
// Evidence.ShareBegun says whether the irreversible step may have happened; then a report without a post is a doubt.
type Report struct {
	Posted   bool
	Receipt  Receipt
	Evidence Evidence // zero when posted
}

// Desk is whom a worker turns to while it executes one assignment. All three are called from one goroutine at a time.
type Desk struct {
	// Share asks for the go before the irreversible step. false means: the job is lost, do not share.
	Share func(context.Context) bool
	// Step tells of progress; it also proves that the worker lives.
	Step func(name string)
	// Started tells which process executes the assignment, unless it ends within a moment.
	Started func(Process)
}

// Copy is a video that was fetched from an address: a file of this machine that stays as it is until it is released.
type Copy struct {
	Path    string
	SHA256  string // of its bytes, in hex
	Release func()
}
