package posts

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Format is a kind of file that jobs come in.
type Format string

// The formats that Detect tells apart.
const (
	PostsCSV       Format = "posts csv"       // ReadCSV
	ProgressCSV    Format = "progress csv"    // ReadProgress
	SchedulerState Format = "scheduler state" // ReadSchedulerState
)

// Detect says which format a file has by its first bytes, of which it wants the whole header line (64 KiB are always enough).
// A JSON object is a scheduler state; a header with status and attempts is a progress file; one with two of account, video_path and
// caption is a posts file. The name is used in messages alone: what is in a file counts, not what it is called. The error
// is a *FileError.
func Detect(head []byte, name string) (Format, error) {
	refuse := func(line int, problem string) (Format, error) {
		return "", &FileError{Line: line, Problem: problem}
	}
	body := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n")
	switch {
	case len(body) == 0:
		return refuse(0, "the file is empty")
	case body[0] == '{':
		return SchedulerState, nil
	case body[0] == '[':
		return refuse(1, fmt.Sprintf("%s is a JSON list; a scheduler state is a JSON object with a list named jobs", filepath.Base(name)))
	}
	all := layout{required: progressLayout().required, optional: append(progressLayout().optional, "publish_at")}
	src, err := newRows(bytes.NewReader(head))
	if err != nil {
		return "", err
	}
	t := &table{rows: src}
	if err := t.readHeader(all); err != nil {
		if file, ok := errors.AsType[*FileError](err); ok {
			return "", file
		}
		return "", err
	}
	has := func(column string) bool { return slices.Contains(t.names, column) }
	switch {
	case has("status") && has("attempts"):
		return ProgressCSV, nil
	case columns(has, postsLayout().required) >= 2: // whichever is missing, ReadCSV names it
		return PostsCSV, nil
	}
	return refuse(t.start, fmt.Sprintf("%s has no header that is known: a posts file names the columns account, video_path and caption, a progress file job_id, account, video_path, caption, status and attempts",
		filepath.Base(name)))
}

// columns counts which of the names are there.
func columns(has func(string) bool, names []string) (n int) {
	for _, name := range names {
		if has(name) {
			n++
		}
	}
	return n
}
