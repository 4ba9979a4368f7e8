package posts

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"reelpass/internal/reel"
)

// maxCount bounds the numbers of old files. A larger one is a number from another column.
const maxCount = 100_000

func progressLayout() layout {
	return layout{
		required: []string{"job_id", "account", "video_path", "caption", "status", "attempts"},
		optional: []string{
			"worker_id", "claimed_at", "completed_at", "error", "max_attempts", "retry_at", "error_type", // in all 13
			"error_category", "pass_number", // 15, as in the seeds
			"run_id", "video_id", // 17, and not needed here
		},
	}
}

// ReadProgress reads a progress.csv of the earlier orchestrator, of 13, 15 or 17 columns, or one that WriteProgressCSV wrote.
// Each post has its Past. What the old statuses become is listed at earlier.past; a job that was claimed is in doubt, never
// ready. Past.Verdict is zero: the caller judges Past.Evidence again and counts the failures by category, of which the file
// knows only the sum (Past.Tally.Attempts; at least 1 for a job that succeeded or failed). Job.MaxAttempts is set where the
// row's limit is below the default.
//
// In a file that has the 15 columns in the order in which WriteProgressCSV writes them, the apostrophe that it puts before what a
// spreadsheet could take for a formula is taken away again, in other files no character is. The earlier orchestrator wrote such files too, and one of its
// captions may have begun with an apostrophe and a formula's sign: how many cells lost one is noticed.
//
// Rows that a broken write has shifted are found by what cannot stand in a column (a status that is none, words for a
// number or a time, a wrong number of cells); each is a *RowError and nothing of it is guessed. Rows that never got an
// account are left out with a notice: no worker of that orchestrator could take them. Otherwise it reads as ReadCSV does.
func ReadProgress(r io.Reader, o Options) iter.Seq2[reel.Post, error] {
	o = o.withDefaults()
	return eachRow(r, progressLayout(), o, func(t *table) (rowFunc, func()) {
		var c census
		parser := newProgressRow(t, o.Location)
		return func() (reel.Post, bool, *RowError) { return parser.parse(&c) }, func() {
			c.tell(o.Notice)
			if parser.rearmed > 0 {
				o.Notice("an apostrophe before = + - or @, put there for spreadsheets, was taken away from " + count(parser.rearmed, "cell", "cells"))
			}
		}
	})
}

// progressRow knows where the columns are.
type progressRow struct {
	t                                                           *table
	loc                                                         *time.Location
	id, account, video, caption, status, worker                 int
	claimed, completed, errText, attempts, limit, retryAt, kind int
	category, pass                                              int
	exported                                                    bool // the columns are those of WriteProgressCSV
	rearmed                                                     int  // cells that lost its apostrophe
}

// text is a cell with words of others, as they were before WriteProgressCSV made them safe for spreadsheets.
func (r *progressRow) text(column int) string {
	s := r.t.cell(column)
	if !r.exported {
		return s
	}
	plain := rearm(s)
	if plain != s {
		r.rearmed++
	}
	return plain
}

func newProgressRow(t *table, loc *time.Location) *progressRow {
	return &progressRow{
		t: t, loc: loc,
		id: t.at("job_id"), account: t.at("account"), video: t.at("video_path"), caption: t.at("caption"),
		status: t.at("status"), worker: t.at("worker_id"), claimed: t.at("claimed_at"), completed: t.at("completed_at"),
		errText: t.at("error"), attempts: t.at("attempts"), limit: t.at("max_attempts"), retryAt: t.at("retry_at"),
		kind: t.at("error_type"), category: t.at("error_category"), pass: t.at("pass_number"),
		exported: slices.Equal(t.names, progressColumns()),
	}
}

func (r *progressRow) parse(c *census) (p reel.Post, keep bool, bad *RowError) {
	p.Line = r.t.start
	p.ID = reel.JobID(strings.TrimSpace(r.text(r.id)))
	p.Account = strings.TrimSpace(r.text(r.account))
	p.VideoPath = strings.TrimSpace(r.text(r.video))
	p.Caption = r.text(r.caption)
	e, limit, bad := r.earlier()
	past, known := e.past(p, &census{}) // counted below, once the row is known to be sound
	if !known {
		return p, false, &RowError{Line: p.Line, Column: "status", Problem: fmt.Sprintf("%q is no status of the earlier orchestrator (is the row shifted?)", clip(e.status))}
	}
	if bad != nil {
		return p, false, bad
	}
	if p.Account == "" && past.State == reel.Pending {
		c.noAccount++
		return p, false, nil
	}
	if p.ID == "" {
		return p, false, &RowError{Line: p.Line, Column: "job_id", Problem: "is empty"}
	}
	if bad := checkJob(&p); bad != nil {
		return p, false, bad
	}
	p.MaxAttempts = jobLimit(limit)
	past, _ = e.past(p, c)
	p.Past = &past
	return p, true, nil
}

// earlier reads the columns that are not the job's own. Every one is checked, needed or not: they show a shifted row.
func (r *progressRow) earlier() (e earlier, limit int, bad *RowError) {
	t := r.t
	number := func(column int) int {
		s := strings.TrimSpace(t.cell(column))
		if s == "" || bad != nil {
			return 0
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > maxCount {
			bad = &RowError{Line: t.start, Column: t.names[column], Problem: fmt.Sprintf("%q is not a number that can stand here (is the row shifted?)", clip(s))}
		}
		return n
	}
	moment := func(column int) time.Time {
		s := strings.TrimSpace(t.cell(column))
		when, ok := parseLocal(s, r.loc)
		if !ok && bad == nil {
			bad = &RowError{Line: t.start, Column: t.names[column], Problem: fmt.Sprintf("%q is not a time (is the row shifted?)", clip(s))}
		}
		return when
	}
	word := func(column int) string {
		s := strings.TrimSpace(r.text(column))
		if !isWord(s) && bad == nil {
			bad = &RowError{Line: t.start, Column: t.names[column], Problem: fmt.Sprintf("%q is not a single word (is the row shifted?)", clip(s))}
		}
		return s
	}
	e = earlier{
		status: strings.TrimSpace(t.cell(r.status)), errText: r.text(r.errText),
		worker: number(r.worker), claimed: moment(r.claimed), completed: moment(r.completed),
		attempts: number(r.attempts), category: word(r.category), kind: word(r.kind), pass: number(r.pass),
	}
	limit = number(r.limit)
	moment(r.retryAt)
	e.touched = e.attempts > 0 || strings.TrimSpace(t.cell(r.worker)) != "" || !e.claimed.IsZero() || !e.completed.IsZero() || e.errText != ""
	return e, limit, bad
}

// isWord says that s could be a category or a type: those are identifiers, never sentences or times.
func isWord(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == ':' || r == ','
	})
}
