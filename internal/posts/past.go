package posts

import (
	"fmt"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// The marks that WriteProgressCSV leaves in error_type for what the earlier orchestrator has no status for, and that
// ReadProgress understands again.
const (
	markInDoubt     = "in_doubt"
	markDuplicate   = string(reel.ReasonDuplicate)
	markAccountHold = string(reel.ReasonAccountHold)
	markCancelled   = string(reel.ReasonCancelled)
)

// earlier is what a file of the earlier orchestrator says of a job beside the job itself.
type earlier struct {
	status         string
	errText        string
	category, kind string // of the last failure; older files have the kind alone
	attempts       int    // failures, as that orchestrator counted
	pass, worker   int
	claimed        time.Time
	completed      time.Time
	touched        bool // a worker left some trace of itself
}

// census counts what a reader has to tell at the end of a file.
type census struct {
	noAccount, inDoubt, lostStatus, skipped int
	firstDoubt                              reel.JobID
	firstLine                               int
}

// past decides what an old status means here. ok is false for a status that nobody knows: it is not guessed.
//
//	pending                         pending
//	(empty), never touched          pending
//	(empty), touched by a worker    in_doubt: the write that lost the status may have been the one after the post
//	success                         succeeded
//	failed, retrying                failed, to be judged again from its text
//	claimed, in_progress            in_doubt: the worker may have posted before the file was left
//	verification_pending            set_aside/account
//	terminated                      set_aside/account
//	skipped                         set_aside/cancelled: left out on purpose, so only a person returns it
func (e earlier) past(p reel.Post, c *census) (past reel.Past, ok bool) {
	past = reel.Past{
		Tally: reel.Tally{Attempts: e.attempts}, Pass: e.pass, Worker: e.worker,
		ClaimedAt: e.claimed, CompletedAt: e.completed,
	}
	switch e.status {
	case "pending":
		past.State = reel.Pending
		past.Evidence = e.evidence() // of earlier failures, for the record; a pending job is not judged
	case "":
		if e.touched {
			c.lostStatus++
			past.State = reel.InDoubt
			past.Tally.Attempts = max(1, e.attempts)
			past.Evidence = e.evidence("its status was empty")
			past.Evidence.ShareBegun = true
			break
		}
		past.State = reel.Pending
	case "success":
		past.State = reel.Succeeded
		past.Tally.Attempts = max(1, e.attempts) // that orchestrator counted failures only
	case "failed", "retrying":
		e.failed(&past)
	case "claimed", "in_progress":
		if c.inDoubt == 0 {
			c.firstDoubt, c.firstLine = p.ID, p.Line
		}
		c.inDoubt++
		past.State = reel.InDoubt
		past.Tally.Attempts = e.attempts + 1 // the claim was an execution of its own
		past.Evidence = e.evidence("its status was " + e.status)
		past.Evidence.ShareBegun = true
	case "verification_pending", "terminated":
		past.State, past.Reason = reel.SetAside, reel.ReasonAccount
		past.Evidence = e.evidence("its status was " + e.status)
	case "skipped":
		c.skipped++
		past.State, past.Reason = reel.SetAside, reel.ReasonCancelled
		past.Evidence = e.evidence("its status was skipped")
	default:
		return past, false
	}
	return past, true
}

// failed fills in a failure, or what WriteProgressCSV disguised as one.
func (e earlier) failed(past *reel.Past) {
	past.State = reel.Failed
	past.Evidence = e.evidence()
	if e.category == string(reel.Account) {
		if reason, ours := markText(e.kind); ours {
			past.Evidence.Text = split(reason, past.Evidence.Text)
		}
		switch e.kind {
		case markInDoubt:
			past.State = reel.InDoubt
			past.Evidence.ShareBegun = true
		case markDuplicate, markAccountHold, markCancelled:
			past.State, past.Reason = reel.SetAside, reel.Reason(e.kind)
			return // set aside without an attempt, so none is counted that was not
		}
	}
	past.Tally.Attempts = max(1, e.attempts)
}

// markText is what WriteProgressCSV put before the error under one of its marks.
func markText(kind string) (reason string, ours bool) {
	switch kind {
	case markInDoubt:
		return doubtText, true
	case markDuplicate:
		return duplicateText, true
	case markAccountHold:
		return holdText, true
	case markCancelled:
		return cancelledText, true
	}
	return "", false
}

// evidence keeps the old error as it was. Its source is not known, so it is empty; the old verdict and whatever else
// explains the row go into the note, which is shown and never judged.
func (e earlier) evidence(notes ...string) reel.Evidence {
	switch {
	case e.category != "" && e.kind != "":
		notes = append(notes, "earlier verdict: "+e.category+"/"+e.kind)
	case e.category != "" || e.kind != "":
		notes = append(notes, "earlier verdict: "+e.category+e.kind)
	}
	return reel.Evidence{Text: e.errText, Note: strings.Join(notes, "; ")}
}

// tell gives the census to a person.
func (c *census) tell(notice func(string)) {
	if c.inDoubt > 0 {
		notice(fmt.Sprintf("%s in a worker's hands when the file was written and may have been posted: in doubt, not tried again before somebody has looked (the first is %s, line %d)",
			count(c.inDoubt, "job was", "jobs were"), c.firstDoubt, c.firstLine))
	}
	if c.lostStatus > 0 {
		notice(count(c.lostStatus, "job has", "jobs have") + " an empty status but traces of a worker: in doubt")
	}
	if c.skipped > 0 {
		notice(count(c.skipped, "skipped job is", "skipped jobs are") + " set aside")
	}
	if c.noAccount > 0 {
		notice(count(c.noAccount, "job without an account was", "jobs without an account were") + " left out")
	}
}

// jobLimit is the limit an old file gives to a job: only one below the default counts, the batch's rules otherwise.
func jobLimit(n int) int {
	if n > 0 && n < reel.DefaultLimits().MaxAttempts {
		return n
	}
	return 0
}
