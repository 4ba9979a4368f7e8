package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"reelpass/internal/reel"
)

// The outcomes with a meaning of their own. Every other text that does not begin with "!" is evidence from a tool, seen
// before the share.
const (
	outcomeOK          = "ok"                  // posts
	outcomeCrashBefore = "!crash-before-share" // the process dies before it asks for the go
	outcomeCrashAfter  = "!crash-after-share"  // the process dies after the go; the post is there
	outcomeFailAfter   = "!fail-after-share"   // followed by a text: evidence after the go; the post is not there
	outcomeHang        = "!hang"               // no progress until killed
)

// script gives each job's outcomes, attempt by attempt.
type script map[reel.JobID][]outcome

// outcome is what an attempt comes to. A text alone stands for itself; one that asks to wait is written as an object:
// {"text": "Too many requests", "retry_after": "90s", "holds": "publisher"}.
type outcome struct {
	Text       string `json:"text"`
	RetryAfter string `json:"retry_after"`
	Holds      string `json:"holds"`
}

// outcome is what the n-th attempt (from 1) of a job comes to: the last outcome repeats, and a job that is not in the
// script is posted.
func (s script) outcome(job reel.JobID, attempt int) outcome {
	list := s[job]
	if len(list) == 0 {
		return outcome{Text: outcomeOK}
	}
	return list[min(max(attempt, 1), len(list))-1]
}

// readScript reads a script file. Its errors name file, line and column.
func readScript(path string) (script, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("rehearsal script: %w", err)
	}
	s, err := parseScript(raw)
	if at := (*placed)(nil); errors.As(err, &at) {
		line, column := place(raw, at.offset)
		return nil, fmt.Errorf("rehearsal script %s:%d:%d: %w", path, line, column, at.err)
	}
	return s, err
}

// placed is an error at a byte of the script.
type placed struct {
	offset int64
	err    error
}

func (p *placed) Error() string { return p.err.Error() }

// place turns a byte offset into line and column, both from 1 and counted in characters.
func place(raw []byte, offset int64) (line, column int) {
	before := raw[:min(max(offset, 0), int64(len(raw)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// parseScript reads {"job":["outcome",...],...}. It goes token by token, so that a mistake can be shown at its place.
func parseScript(raw []byte) (script, error) {
	text := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	p := parser{dec: json.NewDecoder(bytes.NewReader(text)), skipped: int64(len(raw) - len(text)), size: int64(len(text)), raw: text}
	if err := p.open('{', `{"job":["outcome", ...]}`); err != nil {
		return nil, err
	}
	s := script{}
	for p.dec.More() {
		job, at, err := p.text("a job's name")
		if err != nil {
			return nil, err
		}
		if _, twice := s[reel.JobID(job)]; twice {
			return nil, p.wrong(at, fmt.Errorf("job %q stands here for the second time", job))
		}
		if err := p.open('[', "a list of outcomes"); err != nil {
			return nil, err
		}
		var list []outcome
		for p.dec.More() {
			o, at, err := p.outcome()
			if err != nil {
				return nil, err
			}
			if err := o.check(); err != nil {
				return nil, p.wrong(at, err)
			}
			list = append(list, o)
		}
		if len(list) == 0 {
			return nil, p.wrong(at, fmt.Errorf("job %q has no outcome", job))
		}
		if err := p.close(); err != nil {
			return nil, err
		}
		s[reel.JobID(job)] = list
	}
	if err := p.close(); err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, p.wrong(p.dec.InputOffset(), errors.New("something follows the script's end"))
	}
	return s, nil
}

// check says what is wrong with an outcome.
func (o outcome) check() error {
	if o.RetryAfter+o.Holds == "" {
		return checkText(o.Text)
	}
	switch {
	case o.Text == outcomeOK || strings.HasPrefix(o.Text, "!"):
		return fmt.Errorf("outcome %q cannot ask to wait", o.Text)
	case o.Holds != "" && o.Holds != reel.HoldsAccount && o.Holds != reel.HoldsPublisher:
		return fmt.Errorf("holds is %s or %s, not %q", reel.HoldsAccount, reel.HoldsPublisher, o.Holds)
	}
	return nil
}

func checkText(o string) error {
	if !strings.HasPrefix(o, "!") {
		if strings.TrimSpace(o) == "" {
			return errors.New("an outcome is empty")
		}
		return nil
	}
	name, text, _ := strings.Cut(o, " ")
	switch name {
	case outcomeCrashBefore, outcomeCrashAfter, outcomeHang:
		if text == "" {
			return nil
		}
	case outcomeFailAfter:
		if strings.TrimSpace(text) != "" {
			return nil
		}
		return fmt.Errorf("%s needs a text: %q", name, name+" adb: device offline")
	}
	return fmt.Errorf("outcome %q is not known; there are %s, %s, %s TEXT and %s",
		o, outcomeCrashBefore, outcomeCrashAfter, outcomeFailAfter, outcomeHang)
}

type parser struct {
	dec     *json.Decoder
	skipped int64 // bytes before what the decoder sees
	size    int64
	raw     []byte
}

func (p *parser) wrong(offset int64, err error) error { return &placed{p.skipped + offset, err} }

// failure places an error of the decoder.
func (p *parser) failure(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at := max(0, min(syntax.Offset, p.size)-1)
		// The decoder points sometimes at the wrong character and sometimes behind it. A blank is never wrong.
		for at < p.size-1 && strings.IndexByte(" \t\r\n,", p.raw[at]) >= 0 {
			at++
		}
		return p.wrong(at, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return p.wrong(p.size, errors.New("the script ends too early"))
	}
	return p.wrong(p.dec.InputOffset(), err)
}

func (p *parser) open(delim json.Delim, what string) error {
	t, err := p.dec.Token()
	if err != nil {
		return p.failure(err)
	}
	if t != delim {
		return p.wrong(p.dec.InputOffset()-1, fmt.Errorf("%v stands where %s is expected", t, what))
	}
	return nil
}

func (p *parser) close() error {
	if _, err := p.dec.Token(); err != nil {
		return p.failure(err)
	}
	return nil
}

// outcome reads a text or an object, and where it begins.
func (p *parser) outcome() (o outcome, at int64, err error) {
	rest := bytes.TrimLeft(p.raw[p.dec.InputOffset():], " \t\r\n,")
	if len(rest) == 0 || rest[0] != '{' {
		o.Text, at, err = p.text("an outcome")
		return o, at, err
	}
	at = int64(len(p.raw) - len(rest))
	var fields map[string]string
	if err := p.dec.Decode(&fields); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) {
			return o, at, p.wrong(at, errors.New(`an outcome is a text or {"text":"...","retry_after":"90s"}, all of them texts`))
		}
		return o, at, p.failure(err)
	}
	for name, value := range fields {
		switch name {
		case "text":
			o.Text = value
		case "retry_after":
			o.RetryAfter = value
		case "holds":
			o.Holds = value
		default:
			return o, at, p.wrong(at, fmt.Errorf("an outcome has text, retry_after and holds, not %q", name))
		}
	}
	return o, at, nil
}

// text reads a string, and where it begins.
func (p *parser) text(what string) (s string, at int64, err error) {
	t, err := p.dec.Token()
	if err != nil {
		return "", 0, p.failure(err)
	}
	end := p.dec.InputOffset()
	s, ok := t.(string)
	if !ok {
		return "", 0, p.wrong(end-1, fmt.Errorf("%v stands where %s is expected", t, what))
	}
	// The decoder tells only where a string ends. Written plainly it begins its own length before that; with escapes
	// in it, the place is a little late.
	return s, max(0, end-int64(len(s))-2), nil
}
