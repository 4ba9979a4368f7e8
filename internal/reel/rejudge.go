package reel

// History is a job that nobody has in his hands, with its attempts, as it is judged anew.
type History struct {
	Key int64 // the ledger's own number of the job
	Record
	Attempts []Attempt
	Free     map[int]bool // attempts, by number, that asked to wait when they ended, and count against no limit
	Mended   bool         // while it waits: its account has posted since the last attempt, or was released by a person
	Limits   Limits       // of the batch's last run; zero before the first
	LastPass int
}

// Rejudgement is what rules make of a history.
type Rejudgement struct {
	Judged   int       // attempts that were judged
	Renewed  []Renewal // those that the ledger must change, by number
	Tally    Tally
	Forgiven Tally
	Verdict  Verdict   // that the job shows
	Decision *Decision // on the last of Renewed, where a job that waited for the next pass does so no more
}

// Renewal is an attempt with its new verdict. Both verdicts are the same where only the decision on it is another.
type Renewal struct {
	Attempt
	Was Verdict
}
