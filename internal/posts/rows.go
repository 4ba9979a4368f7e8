package posts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxLine   = 1 << 20  // bytes of one line
	maxRecord = 1 << 20  // bytes of one row; beyond it a quote was surely left open
	maxCells  = 1 << 16  // cells of one row over many lines
	readSize  = 64 << 10 // bytes asked of the file at a time
)

// rows reads CSV records one at a time in constant memory.
//
// It is not encoding/csv because a file from a stranger must not cost more than a row: encoding/csv takes all that follows
// an open quote into memory before it notices, cannot say on which line that quote opened, and has no limit for a line. What
// both accept they read alike, line ends inside quotes included (CRLF becomes LF); a fuzz test holds the two together.
type rows struct {
	src   *bufio.Reader
	comma byte
	line  int      // lines read so far
	start int      // line on which the current record starts
	cells []string // of the current record; the slice is used again by the next
	long  []byte   // a line longer than src's buffer
	plain []byte   // the current record without its quotes
	ends  []int    // where each cell ends in plain
}

// newRows looks at the first bytes: it takes a UTF-8 byte order mark away and refuses UTF-16.
func newRows(r io.Reader) (*rows, error) {
	src := bufio.NewReaderSize(r, readSize)
	if err := startOfText(src); err != nil {
		return nil, err
	}
	return &rows{src: src, comma: ','}, nil
}

func startOfText(src *bufio.Reader) error {
	head, err := src.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return &FileError{Problem: "cannot be read", Err: err}
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return &FileError{Line: 1, Problem: "the text is UTF-16 (little endian), not UTF-8"}
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return &FileError{Line: 1, Problem: "the text is UTF-16 (big endian), not UTF-8"}
	case bytes.Equal(head, []byte("\xEF\xBB\xBF")):
		_, _ = src.Discard(3) // peeked, so it cannot fail
	}
	return nil
}

// readLine is the next line without its end. It is valid until the next call. io.EOF after the last.
func (t *rows) readLine() ([]byte, error) {
	line, err := t.src.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = t.readLong(line)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if _, ours := errors.AsType[*FileError](err); ours {
			return nil, err
		}
		return nil, &FileError{Line: t.line + 1, Problem: "cannot be read further", Err: err}
	}
	if len(line) == 0 {
		return nil, io.EOF
	}
	t.line++
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if i := bytes.IndexByte(line, 0); i >= 0 {
		return nil, &FileError{Line: t.line, Column: i + 1, Problem: "a NUL byte: this is not a text file, or it is UTF-16"}
	}
	if !utf8.Valid(line) {
		return nil, &FileError{Line: t.line, Column: badByte(line) + 1, Problem: "the text is not UTF-8"}
	}
	return line, nil
}

func (t *rows) readLong(head []byte) ([]byte, error) {
	t.long = append(t.long[:0], head...)
	for {
		part, err := t.src.ReadSlice('\n')
		t.long = append(t.long, part...)
		if len(t.long) > maxLine {
			return nil, &FileError{Line: t.line + 1, Problem: "the line is longer than 1 MiB"}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return t.long, err
		}
	}
}

// badByte is the offset of the first byte that is not UTF-8.
func badByte(line []byte) int {
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}

// next reads one record into cells. It skips empty lines. io.EOF after the last; after a *RowError the next line may be
// read; after any other error nothing more can be.
func (t *rows) next() error {
	for {
		line, err := t.readLine()
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return t.record(line)
		}
	}
}

// record splits the record that starts with line.
func (t *rows) record(line []byte) error {
	t.start = t.line
	t.cells = t.cells[:0]
	if bytes.IndexByte(line, '"') >= 0 {
		return t.quoted(line)
	}
	text := string(line)
	for {
		i := strings.IndexByte(text, t.comma)
		if i < 0 {
			t.cells = append(t.cells, text)
			return nil
		}
		t.cells = append(t.cells, text[:i])
		text = text[i+1:]
	}
}

// quoted splits a record in which there are quotes, and which may go on over many lines because of them.
func (t *rows) quoted(line []byte) error {
	t.plain, t.ends = t.plain[:0], t.ends[:0]
	for more := true; more; {
		var err error
		if len(line) > 0 && line[0] == '"' {
			line, more, err = t.quotedCell(line[1:])
		} else {
			line, more, err = t.plainCell(line)
		}
		if err != nil {
			return err
		}
		if len(t.ends) == maxCells {
			return &FileError{Line: t.line, Problem: "a row has more than 65536 cells"}
		}
		t.ends = append(t.ends, len(t.plain))
	}
	text, from := string(t.plain), 0
	for _, end := range t.ends {
		t.cells = append(t.cells, text[from:end])
		from = end
	}
	return nil
}

func (t *rows) plainCell(line []byte) (rest []byte, more bool, err error) {
	cell, rest, more := bytes.Cut(line, []byte{t.comma})
	if bytes.IndexByte(cell, '"') >= 0 {
		return nil, false, t.rowError("a quote inside a cell that does not start with one")
	}
	t.plain = append(t.plain, cell...)
	return rest, more, nil
}

// quotedCell takes the rest of a cell after its opening quote.
func (t *rows) quotedCell(line []byte) (rest []byte, more bool, err error) {
	opened := t.line
	for {
		i := bytes.IndexByte(line, '"')
		if i >= 0 {
			t.plain = append(t.plain, line[:i]...)
			line = line[i+1:]
			switch {
			case len(line) == 0:
				return nil, false, nil
			case line[0] == '"':
				t.plain = append(t.plain, '"')
				line = line[1:]
				continue
			case line[0] == t.comma:
				return line[1:], true, nil
			}
			if opened != t.line {
				return nil, false, t.rowError(fmt.Sprintf("the quote opened on line %d ends on line %d in the middle of a cell: one of them is too many", opened, t.line))
			}
			return nil, false, t.rowError("text after the closing quote of a cell")
		}
		t.plain = append(append(t.plain, line...), '\n')
		if len(t.plain) > maxRecord {
			return nil, false, &FileError{Line: opened, Problem: "a quote opens here and is not closed within 1 MiB"}
		}
		line, err = t.readLine()
		if errors.Is(err, io.EOF) {
			return nil, false, &FileError{Line: opened, Problem: "a quote opens here and is never closed"}
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func (t *rows) rowError(problem string) error { return &RowError{Line: t.start, Problem: problem} }
