package posts

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// maxError is how much of an error's text the earlier orchestrator kept, in characters.
const maxError = 500

// What the file says before the error that was seen, where the state is not one of its own. ReadProgress takes it away again.
// Both tables of error texts that the earlier orchestrator had take doubtText for an account failure ("verify",
// "verification required"), which neither retries, should one of its tools classify by the text again.
const (
	doubtText     = "in doubt, may have been posted: verification required, verify on the account by hand"
	duplicateText = "already published on this account"
	holdText      = "the account is on hold"
	cancelledText = "cancelled"
)

// progressColumns are the seeds' 15 columns in their order.
func progressColumns() []string {
	return []string{
		"job_id", "account", "video_path", "caption", "status", "worker_id", "claimed_at", "completed_at", "error",
		"attempts", "max_attempts", "retry_at", "error_type", "error_category", "pass_number",
	}
}

// WriteProgressCSV writes jobs as the earlier orchestrator's progress.csv, with its statuses pending, claimed, success and
// failed, and with local times of loc (nil means time.Local) without a zone.
//
// What it has no status for is written as it would treat it most safely: as a failure of the category account, which it never
// retries. So a job in doubt is failed, account, in_doubt; a job set aside as a duplicate, for an account's hold or taken
// back by a person is failed, account and duplicate, account_hold or cancelled. ReadProgress understands these again.
// Running and publishing jobs are claimed, which ReadProgress takes for in doubt; the earlier orchestrator itself gives
// claims back after 600 s and would post such a job again, so a file for its use must be written when nothing is in flight.
//
// A success has no error, category or type, whatever failed before it. Errors are cut to 500 characters.
//
// The file may be opened in a spreadsheet: a text that it could take for a formula (= + - @, a tab or a line end first; many captions
// begin so) has an apostrophe before it, which ReadProgress takes away again. Numbers and times are our own and stay as they are.
func WriteProgressCSV(w io.Writer, records iter.Seq2[reel.Record, error], loc *time.Location) error {
	return writeProgress(w, records, loc, disarm)
}

// WriteRawProgressCSV is WriteProgressCSV without the apostrophes: for the earlier orchestrator, which would post them, and not for a
// spreadsheet.
func WriteRawProgressCSV(w io.Writer, records iter.Seq2[reel.Record, error], loc *time.Location) error {
	return writeProgress(w, records, loc, func(s string) string { return s })
}

func writeProgress(w io.Writer, records iter.Seq2[reel.Record, error], loc *time.Location, safe func(string) string) error {
	if loc == nil {
		loc = time.Local
	}
	out := csv.NewWriter(w)
	if err := out.Write(progressColumns()); err != nil {
		return fmt.Errorf("write progress csv: %w", err)
	}
	for r, err := range records {
		if err != nil {
			return fmt.Errorf("write progress csv: %w", err)
		}
		if err := out.Write(progressCells(r, loc, safe)); err != nil {
			return fmt.Errorf("write progress csv: job %s: %w", r.ID, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write progress csv: %w", err)
	}
	return nil
}

// oldFailure is what the file says of a job that did not succeed.
type oldFailure struct{ text, category, kind string }

func progressCells(r reel.Record, loc *time.Location, safe func(string) string) []string {
	status, failure := progressStatus(r)
	limit := r.MaxAttempts
	if limit == 0 {
		limit = reel.DefaultLimits().MaxAttempts
	}
	worker, pass := "", ""
	if tried(r) {
		worker = strconv.Itoa(r.Worker)
	}
	if r.Pass > 0 {
		pass = strconv.Itoa(r.Pass)
	}
	text := func(s string) string { return safe(cleanText(s)) }
	return []string{
		text(string(r.ID)), text(r.Account), text(reel.ShownVideo(r.VideoPath)), text(r.Caption), status,
		worker, formatLocal(r.ClaimedAt, loc), formatLocal(r.CompletedAt, loc), safe(cut(cleanText(failure.text), maxError)),
		strconv.Itoa(r.Tally.Attempts), strconv.Itoa(limit), "", safe(failure.kind), failure.category, pass,
	}
}

func progressStatus(r reel.Record) (string, oldFailure) {
	seen := oldFailure{text: r.Error, category: string(r.Verdict.Category), kind: r.Verdict.Type}
	switch r.State {
	case reel.Pending:
		return "pending", seen // of an earlier round, where a person returned the job
	case reel.Running, reel.Publishing:
		return "claimed", seen
	case reel.Succeeded:
		return "success", oldFailure{}
	case reel.InDoubt:
		return "failed", neverRetry(join(doubtText, r.Error), markInDoubt)
	case reel.Cancelled:
		return "failed", neverRetry(join(cancelledText, r.Error), markCancelled)
	case reel.SetAside:
		switch r.Reason {
		case reel.ReasonDuplicate:
			return "failed", neverRetry(join(duplicateText, r.Error), markDuplicate)
		case reel.ReasonAccountHold:
			return "failed", neverRetry(join(holdText, r.Error), markAccountHold)
		case reel.ReasonCancelled:
			return "failed", neverRetry(join(cancelledText, r.Error), markCancelled)
		default: // account, content, unknown_not_retryable: the verdict says it
		}
	case reel.Failed, reel.Exhausted, reel.OutOfPasses:
	}
	return "failed", seen
}

func neverRetry(text, kind string) oldFailure {
	return oldFailure{text: text, category: string(reel.Account), kind: kind}
}

// join puts the reason before the error that was seen; split takes it away again.
func join(reason, seen string) string {
	if seen == "" {
		return reason
	}
	return reason + ": " + seen
}

func split(reason, text string) string {
	seen, ok := strings.CutPrefix(text, reason)
	if !ok {
		return text
	}
	return strings.TrimPrefix(seen, ": ")
}

// tried says that a worker has had the job at least once.
func tried(r reel.Record) bool {
	return r.Pass > 0 || r.Worker > 0 || !r.ClaimedAt.IsZero()
}

// cut keeps the first n characters (code points, so that no letter is broken).
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// cleanText makes text that a tool printed fit for a text file: what is not UTF-8, or NUL, becomes U+FFFD.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
