package posts

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// What one cell may hold. Generous against real data (an account name has at most 30 letters, a caption 2,200), small
// against memory; the path is Linux's PATH_MAX.
const (
	maxName    = 255      // bytes of an account's name or a job's id
	maxPath    = 4096     // bytes of a video's path
	maxCaption = 64 << 10 // bytes of a caption
)

// Options says how files are read. The zero Options will do.
type Options struct {
	// Location is where times without a zone are meant; nil means time.Local.
	Location *time.Location
	// Notice hears what a person should know although it is no error: columns that are ignored, rows left out. May be nil.
	Notice func(string)
}

func (o Options) withDefaults() Options {
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	return o
}

func postsLayout() layout {
	return layout{required: []string{"account", "video_path", "caption"}, optional: []string{"job_id", "publish_at"}}
}

// ReadCSV reads a posts file: the columns account, video_path and caption in any order, and optionally job_id (else
// DeriveID gives it) and publish_at (RFC 3339, or 2006-01-02 15:04[:05] in Options.Location). Cells are separated as the
// header line is, by comma, semicolon or tab. White space around account, video_path, job_id and publish_at is taken away;
// captions are kept as they are, except that CRLF inside them becomes LF. Rows without any content are left out with a
// notice.
//
// The iterator may be used once. A bad row is a *RowError and reading goes on; a *FileError is the last value. Memory
// does not grow with the file. Nothing is said of two rows for the same job.
func ReadCSV(r io.Reader, o Options) iter.Seq2[reel.Post, error] {
	o = o.withDefaults()
	return eachRow(r, postsLayout(), o, func(t *table) (parse rowFunc, done func()) {
		account, video, caption := t.at("account"), t.at("video_path"), t.at("caption")
		id, publishAt := t.at("job_id"), t.at("publish_at")
		return func() (reel.Post, bool, *RowError) {
			p := reel.Post{Line: t.start, Job: reel.Job{
				ID:        reel.JobID(strings.TrimSpace(t.cell(id))),
				Account:   strings.TrimSpace(t.cell(account)),
				VideoPath: strings.TrimSpace(t.cell(video)),
				Caption:   t.cell(caption),
			}}
			if p.Account == "account" && p.VideoPath == "video_path" {
				return p, false, &RowError{Line: p.Line, Problem: "the header is here a second time"}
			}
			if bad := checkJob(&p); bad != nil {
				return p, false, bad
			}
			when, problem := parsePublishAt(strings.TrimSpace(t.cell(publishAt)), o.Location)
			if problem != "" {
				return p, false, &RowError{Line: p.Line, Column: "publish_at", Problem: problem}
			}
			p.PublishAt = when
			return p, true, nil
		}, func() {}
	})
}

// checkJob says what is wrong with a job that any file brought, and gives it an id where it has none.
func checkJob(p *reel.Post) *RowError {
	bad := func(column, problem string) *RowError {
		return &RowError{Line: p.Line, Column: column, Problem: problem}
	}
	if problem := checkName(p.Account, maxName); problem != "" {
		return bad("account", problem)
	}
	if problem := checkName(p.VideoPath, maxPath); problem != "" {
		return bad("video_path", problem)
	}
	if reel.IsAddress(p.VideoPath) {
		if _, err := reel.ParseAddress(p.VideoPath); err != nil {
			return bad("video_path", err.Error())
		}
	}
	if len(p.Caption) > maxCaption {
		return bad("caption", fmt.Sprintf("has %d bytes, at most %d are taken", len(p.Caption), maxCaption))
	}
	if strings.IndexByte(p.Caption, 0) >= 0 {
		return bad("caption", "holds a NUL character") // JSON can bring one; no environment variable can carry it
	}
	if p.ID == "" {
		p.ID = DeriveID(p.Account, p.VideoPath)
		return nil
	}
	if problem := checkName(string(p.ID), maxName); problem != "" {
		return bad("job_id", problem)
	}
	return nil
}

// checkName refuses what would not survive on one line of a list or in an environment variable.
func checkName(s string, limit int) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > limit {
		return fmt.Sprintf("has %d bytes, at most %d are taken", len(s), limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7F {
			return "holds a control character or a line break"
		}
	}
	return ""
}

// rowFunc makes a post of the table's current row. keep says whether the caller is to see it.
type rowFunc func() (p reel.Post, keep bool, bad *RowError)

// eachRow walks a CSV file. start is called once the header is known; its done is called after the last row.
func eachRow(r io.Reader, l layout, o Options, start func(*table) (parse rowFunc, done func())) iter.Seq2[reel.Post, error] {
	return func(yield func(reel.Post, error) bool) {
		t, err := openTable(r, l, o.Notice)
		if err != nil {
			yield(reel.Post{}, err)
			return
		}
		parse, done := start(t)
		blanks := 0
		for {
			p, keep := reel.Post{}, false
			err := t.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				if t.blank() {
					blanks++
					continue
				}
				bad := t.checkWidth()
				if bad == nil {
					p, keep, bad = parse()
				}
				if bad != nil {
					err = bad
				}
			}
			if err != nil {
				_, goesOn := errors.AsType[*RowError](err)
				if !yield(reel.Post{Line: t.start}, err) || !goesOn {
					return
				}
				continue
			}
			if keep && !yield(p, nil) {
				return
			}
		}
		if blanks > 0 {
			o.Notice(count(blanks, "row without any content was", "rows without any content were") + " left out")
		}
		done()
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
