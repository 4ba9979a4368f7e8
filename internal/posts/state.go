package posts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"reelpass/internal/reel"
)

// ReadSchedulerState reads the jobs of a scheduler_state.json of the earlier scheduler, in either of its variants. Unknown keys
// are passed over and missing ones are taken as empty, but a file without a list named jobs is refused. Paths are kept as they
// are, backslashes too. Statuses mean what they mean to ReadProgress; in_progress is in doubt. Jobs that never got an account
// are left out with a notice: that scheduler gave accounts out only when a job's turn came.
//
// The iterator may be used once; it holds one job at a time. A bad job is a *RowError and reading goes on; a *FileError, with
// line and column, is the last value. Line is where the job begins.
func ReadSchedulerState(r io.Reader, o Options) iter.Seq2[reel.Post, error] {
	o = o.withDefaults()
	return func(yield func(reel.Post, error) bool) {
		src := bufio.NewReaderSize(r, readSize)
		if err := startOfText(src); err != nil {
			yield(reel.Post{}, err)
			return
		}
		w := &window{src: src}
		s := &stateFile{w: w, dec: json.NewDecoder(w), o: o}
		err := s.read(yield)
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(reel.Post{}, err)
		default:
			s.census.tell(o.Notice)
		}
	}
}

// maxDepth bounds what the decoder must remember of lists within lists. Real files have three levels.
const maxDepth = 1000

const moreText = "there is more after the end of the JSON object"

// errStopped says that the caller wants no more.
var errStopped = errors.New("stopped by the caller")

type stateFile struct {
	w      *window
	dec    *json.Decoder
	o      Options
	census census
	open   int // lists and objects that have begun and not ended
	line   int // where the last token begins
	column int
}

// stateJob is a job of either variant. Numbers may come as text: people have edited these files.
type stateJob struct {
	ID          string      `json:"id"`
	Account     string      `json:"account"`
	VideoPath   string      `json:"video_path"`
	Caption     string      `json:"caption"`
	Status      string      `json:"status"`
	Attempts    looseNumber `json:"attempts"`
	MaxAttempts looseNumber `json:"max_attempts"`
	LastError   string      `json:"last_error"`
	LastAttempt string      `json:"last_attempt"`
	CompletedAt string      `json:"completed_at"`
	ErrorType   string      `json:"error_type"`
	Category    string      `json:"error_category"`
	WorkerID    looseNumber `json:"worker_id"`
}

// read walks the top level object.
func (s *stateFile) read(yield func(reel.Post, error) bool) error {
	token, err := s.token()
	if errors.Is(err, io.EOF) {
		return &FileError{Problem: "the file is empty"}
	}
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return s.here("a scheduler state is a JSON object, and this is none")
	}
	seen := false
	for s.dec.More() {
		key, err := s.token()
		if err != nil {
			return err
		}
		if key != "jobs" {
			if err := s.skip(); err != nil {
				return err
			}
			continue
		}
		if seen {
			return s.here("there is a second list named jobs")
		}
		seen = true
		if err := s.jobs(yield); err != nil {
			return err
		}
	}
	if _, err := s.token(); err != nil {
		return err
	}
	switch _, err := s.token(); {
	case err == nil:
		return s.here(moreText)
	case !errors.Is(err, io.EOF):
		return s.fault(s.w.solid(s.w.base), moreText)
	}
	if !seen {
		return &FileError{Problem: "there is no list named jobs"}
	}
	return nil
}

// token is the next token. io.EOF only at the end of the file.
func (s *stateFile) token() (json.Token, error) {
	at := s.dec.InputOffset()
	token, err := s.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) && s.open == 0 {
			return nil, io.EOF
		}
		return nil, s.syntax(at, err)
	}
	s.line, s.column = s.w.place(s.w.solid(at))
	switch token {
	case json.Delim('{'), json.Delim('['):
		if s.open++; s.open > maxDepth {
			return nil, s.here("lists and objects are nested too deeply")
		}
	case json.Delim('}'), json.Delim(']'):
		s.open--
	}
	return token, s.settle()
}

// settle lets the window forget what has been understood.
func (s *stateFile) settle() error {
	if !s.w.forget(s.dec.InputOffset()) {
		return s.fault(s.w.badText(), "the text is not UTF-8")
	}
	return nil
}

// skip passes over one value of any size, token by token.
func (s *stateFile) skip() error {
	depth := s.open
	for {
		if _, err := s.token(); err != nil {
			return err
		}
		if s.open <= depth {
			return nil
		}
	}
}

func (s *stateFile) jobs(yield func(reel.Post, error) bool) error {
	token, err := s.token()
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		return s.here("jobs is not a list")
	}
	for s.dec.More() {
		begin := s.w.solid(s.dec.InputOffset())
		line, _ := s.w.place(begin)
		var j stateJob
		err := s.dec.Decode(&j)
		mistyped, isMistyped := errors.AsType[*json.UnmarshalTypeError](err)
		if err != nil && !isMistyped {
			return s.syntax(begin, err)
		}
		if err := s.settle(); err != nil {
			return err
		}
		p, keep, bad := reel.Post{Line: line}, false, (*RowError)(nil)
		if isMistyped {
			bad = &RowError{Line: line, Column: mistyped.Field, Problem: "cannot be a JSON " + mistyped.Value}
		} else {
			p, keep, bad = s.post(j, line)
		}
		if bad != nil {
			if !yield(reel.Post{Line: line}, bad) {
				return errStopped
			}
		} else if keep && !yield(p, nil) {
			return errStopped
		}
	}
	_, err = s.token()
	return err
}

func (s *stateFile) post(j stateJob, line int) (p reel.Post, keep bool, bad *RowError) {
	p = reel.Post{Line: line, Job: reel.Job{
		ID: reel.JobID(strings.TrimSpace(j.ID)), Account: strings.TrimSpace(j.Account),
		VideoPath: strings.TrimSpace(j.VideoPath), Caption: j.Caption, MaxAttempts: jobLimit(j.MaxAttempts.n),
	}}
	refuse := func(column, problem string) (reel.Post, bool, *RowError) {
		return p, false, &RowError{Line: line, Column: column, Problem: problem}
	}
	e := earlier{
		status: j.Status, errText: j.LastError, category: j.Category, kind: j.ErrorType,
		attempts: j.Attempts.n, worker: j.WorkerID.n,
		touched: j.Attempts.n > 0 || j.WorkerID.set || j.LastAttempt != "" || j.CompletedAt != "" || j.LastError != "",
	}
	var ok bool
	if e.claimed, ok = parseLocal(j.LastAttempt, s.o.Location); !ok {
		return refuse("last_attempt", fmt.Sprintf("%q is not a time", clip(j.LastAttempt)))
	}
	if e.completed, ok = parseLocal(j.CompletedAt, s.o.Location); !ok {
		return refuse("completed_at", fmt.Sprintf("%q is not a time", clip(j.CompletedAt)))
	}
	if _, known := e.past(p, &census{}); !known {
		return refuse("status", fmt.Sprintf("%q is no status of the earlier scheduler", clip(j.Status)))
	}
	if p.Account == "" {
		s.census.noAccount++
		return p, false, nil
	}
	if bad := checkJob(&p); bad != nil {
		if bad.Column == "job_id" {
			bad.Column = "id" // as this file calls it
		}
		return p, false, bad
	}
	past, _ := e.past(p, &s.census)
	p.Past = &past
	return p, true, nil
}

// here is a FileError at the last token.
func (s *stateFile) here(problem string) error {
	return &FileError{Line: s.line, Column: s.column, Problem: problem}
}

// fault is a FileError at an offset that the window still holds.
func (s *stateFile) fault(offset int64, problem string) error {
	line, column := s.w.place(offset)
	return &FileError{Line: line, Column: column, Problem: problem}
}

// syntax gives a decoder's error its place. The decoder counts only some of the bytes it reads, so the place is found by
// reading what is kept from offset on once more: one value at most.
func (s *stateFile) syntax(offset int64, err error) error {
	offset = s.w.solid(offset)
	if errors.Is(err, errTooLong) {
		return s.fault(offset, errTooLong.Error())
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.fault(s.w.base+int64(len(s.w.kept)), "the JSON ends too early")
	}
	wrong, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		line, column := s.w.place(offset)
		return &FileError{Line: line, Column: column, Problem: "cannot be read further", Err: err}
	}
	var again json.RawMessage
	if inner, ok := errors.AsType[*json.SyntaxError](json.NewDecoder(bytes.NewReader(s.w.since(offset))).Decode(&again)); ok && inner.Offset > 1 {
		return s.fault(offset+inner.Offset-1, "bad JSON: "+inner.Error())
	}
	return s.fault(offset, "bad JSON: "+wrong.Error())
}

// looseNumber is a count that may be a number, the same as text, empty or null.
type looseNumber struct {
	n   int
	set bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *looseNumber) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(strings.Trim(string(b), `"`))
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxCount {
		kind := "number "
		if b[0] == '"' {
			kind = "string "
		}
		return &json.UnmarshalTypeError{Value: kind + clip(string(b))} // the decoder adds the field's name
	}
	l.n, l.set = n, true
	return nil
}
