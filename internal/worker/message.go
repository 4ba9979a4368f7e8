package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"reelpass/internal/reel"
)

// maxLine is the longest line of the protocol, in bytes. Longer ones are a fault: nobody sends them who means it.
const maxLine = 1 << 20

// The types of messages. Others are ignored on both sides.
const (
	typeJob    = "job"
	typeFind   = "find"
	typeGo     = "go"
	typeStop   = "stop"
	typeStep   = "step"
	typeShare  = "share"
	typePosted = "posted"
	typeFailed = "failed"
	typeFound  = "found"
	typeAbsent = "absent"
	typeUnsure = "unsure"
	typeKeep   = "keep"
	typeKept   = "kept"
)

// request is what the supervisor sends.
type request struct {
	Type string `json:"type"`
	reel.Assignment
	Since string `json:"since,omitempty"` // RFC 3339, with find
}

// answer is what the worker sends.
type answer struct {
	Type     string         `json:"type"`
	Name     string         `json:"name,omitempty"`
	Receipt  *reel.Receipt  `json:"receipt,omitempty"`
	Evidence *reel.Evidence `json:"evidence,omitempty"`
	Why      string         `json:"why,omitempty"`
	Value    string         `json:"value,omitempty"` // with keep
	// JobID and Attempt say which assignment is answered. They may be left out; where they are there they must fit, so
	// that a late answer is never taken for the next job's.
	JobID   reel.JobID `json:"job_id,omitempty"`
	Attempt int        `json:"attempt,omitempty"`
	// Exiting says that the process ends after this answer: the next job needs another one.
	Exiting bool `json:"exiting,omitempty"`
}

// fits says that the answer does not name another assignment.
func (m answer) fits(a reel.Assignment) bool {
	return (m.JobID == "" || m.JobID == a.JobID) && (m.Attempt == 0 || m.Attempt == a.Attempt)
}

// encode writes one line. Characters like < stay themselves: other languages read the line too, and so do people.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	if b.Len() > maxLine {
		return nil, fmt.Errorf("encode message: %d bytes are more than a line's %d", b.Len(), maxLine)
	}
	return b.Bytes(), nil
}

// JobLine is the assignment as the protocol's job message, one line with its end. It fails above 1 MiB.
func JobLine(a reel.Assignment) ([]byte, error) {
	return encode(request{Type: typeJob, Assignment: a})
}

// wrong says what is wrong with a keep message, nothing where all is well.
func (m answer) wrong(secrets []string) string {
	switch {
	case !reel.KeptName(m.Name):
		return "worker keeps something under no good name"
	case len(m.Value) > reel.KeptMost:
		return fmt.Sprintf("worker keeps %d bytes, which is more than %d", len(m.Value), reel.KeptMost)
	case Clean(m.Value, reel.KeptMost, secrets...) != m.Value:
		return "worker keeps a secret, or what is no text"
	}
	return ""
}

// FindLine is the protocol's find message for an assignment made at or after since.
func FindLine(a reel.Assignment, since time.Time) ([]byte, error) {
	return encode(request{Type: typeFind, Assignment: a, Since: since.UTC().Format(time.RFC3339Nano)})
}

// decodeAnswer reads a worker's line. ok is false for what is no message of ours: other output, or a type not known here.
// An error means that it is one, and broken.
func decodeAnswer(line []byte) (m answer, ok bool, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' {
		return answer{}, false, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(line, &head) != nil {
		return answer{}, false, nil
	}
	switch head.Type {
	case typeStep, typeShare, typePosted, typeFailed, typeFound, typeAbsent, typeUnsure, typeKeep:
	default:
		return answer{}, false, nil
	}
	var wire struct {
		answer
		Receipt *struct{ ID, URL word } `json:"receipt"`
		// Evidence shadows the embedded one, for the sake of what may be a number.
		Evidence *struct {
			reel.Evidence
			Code       word `json:"code"`
			RetryAfter word `json:"retry_after"`
		} `json:"evidence"`
	}
	if err := json.Unmarshal(line, &wire); err != nil {
		return answer{Type: head.Type}, true, fmt.Errorf("message %s: %w", head.Type, err)
	}
	m = wire.answer
	if wire.Receipt != nil {
		m.Receipt = &reel.Receipt{ID: string(wire.Receipt.ID), URL: string(wire.Receipt.URL)}
	}
	if wire.Evidence != nil {
		e := wire.Evidence.Evidence
		e.Code, e.RetryAfter = string(wire.Evidence.Code), string(wire.Evidence.RetryAfter)
		m.Evidence = &e
	}
	return m, true, nil
}

// word is a text that a worker may write as a number: identifiers and codes often are, and too large for a float.
type word string

// UnmarshalJSON reads either.
func (w *word) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && (data[0] == '-' || data[0] >= '0' && data[0] <= '9') {
		*w = word(data)
		return nil
	}
	return json.Unmarshal(data, (*string)(w))
}

// decodeRequest reads a supervisor's line; ok is false for what is none of ours, an error for a broken one.
func decodeRequest(line []byte) (r request, since time.Time, ok bool, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return request{}, time.Time{}, false, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return request{}, time.Time{}, false, fmt.Errorf("not a message: %w", err)
	}
	switch head.Type {
	case typeGo, typeStop, typeKept:
		return request{Type: head.Type}, time.Time{}, true, nil
	case typeJob, typeFind:
	default:
		return request{}, time.Time{}, false, nil
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return request{}, time.Time{}, false, fmt.Errorf("message %s: %w", head.Type, err)
	}
	if r.Type == typeFind && r.Since != "" {
		if since, err = time.Parse(time.RFC3339, r.Since); err != nil {
			return request{}, time.Time{}, false, fmt.Errorf("message find: %w", err)
		}
	}
	return r, since, true, nil
}
