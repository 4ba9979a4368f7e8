package posts

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// layout is what a kind of CSV file calls its columns.
type layout struct {
	required []string
	optional []string
}

func (l layout) knows(name string) bool {
	return slices.Contains(l.required, name) || slices.Contains(l.optional, name)
}

// meant is the known column that a name is a slip of, empty where it is none: the same letters and digits but for one. To ignore such a
// column would post at once what was to wait.
func (l layout) meant(name string) string {
	for _, known := range slices.Concat(l.required, l.optional) {
		if slip(letters(name), letters(known)) {
			return known
		}
	}
	return ""
}

func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, name)
}

// slip says that two words are the same but for one letter that is missing, too many, wrong, or in the place of its neighbour.
func slip(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

// table is an opened CSV file: its rows, and where each column is.
type table struct {
	*rows
	names []string
}

// openTable reads up to the header line, which also says what separates the cells.
func openTable(r io.Reader, l layout, notice func(string)) (*table, error) {
	src, err := newRows(r)
	if err != nil {
		return nil, err
	}
	t := &table{rows: src}
	if err := t.readHeader(l); err != nil {
		return nil, err
	}
	return t, t.checkHeader(l, notice)
}

func (t *table) readHeader(l layout) error {
	for {
		line, err := t.readLine()
		if errors.Is(err, io.EOF) {
			return &FileError{Problem: "the file is empty"}
		}
		if err != nil {
			return err
		}
		text := string(line)
		if strings.TrimSpace(text) == "" {
			continue
		}
		if strings.ContainsRune(text, '\r') {
			return &FileError{Line: t.line, Problem: "the lines end in CR alone, not in LF or CRLF"}
		}
		t.comma = separator(text, l)
		if err := t.record(line); err != nil {
			if row, ok := errors.AsType[*RowError](err); ok {
				return &FileError{Line: row.Line, Problem: "the header cannot be read: " + row.Problem}
			}
			return err
		}
		for _, cell := range t.cells {
			t.names = append(t.names, columnName(cell))
		}
		return nil
	}
}

// columnName folds ASCII alone: no column's name has another letter, and Unicode folding would let strange ones in.
func columnName(cell string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.TrimSpace(cell))
}

// separator is the one of comma, semicolon and tab under which the header line has the most columns that are known.
func separator(line string, l layout) byte {
	best, most := byte(','), -1
	for _, comma := range []byte{',', ';', '\t'} {
		known := 0
		for name := range strings.SplitSeq(line, string(comma)) {
			if l.knows(columnName(strings.Trim(strings.TrimSpace(name), `"`))) {
				known++
			}
		}
		if known > most {
			best, most = comma, known
		}
	}
	return best
}

func (t *table) checkHeader(l layout, notice func(string)) error {
	var missing, ignored []string
	for _, name := range l.required {
		if !slices.Contains(t.names, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == len(l.required):
		return &FileError{Line: t.start, Problem: "no header: the first line must name the columns " + strings.Join(l.required, ", ")}
	case len(missing) == 1:
		return &FileError{Line: t.start, Problem: "the column " + missing[0] + " is missing from the header"}
	case len(missing) > 1:
		return &FileError{Line: t.start, Problem: "the columns " + strings.Join(missing, ", ") + " are missing from the header"}
	}
	for i, name := range t.names {
		switch {
		case !l.knows(name):
			if meant := l.meant(name); meant != "" && !slices.Contains(t.names, meant) {
				return &FileError{Line: t.start, Problem: fmt.Sprintf("there is no column %q; is %s meant?", strings.TrimSpace(t.cells[i]), meant)}
			}
			if name != "" {
				ignored = append(ignored, fmt.Sprintf("%q", strings.TrimSpace(t.cells[i])))
			}
		case slices.Index(t.names, name) != i:
			return &FileError{Line: t.start, Problem: "the column " + name + " is twice in the header"}
		}
	}
	switch {
	case len(ignored) == 1:
		notice("the column " + ignored[0] + " is ignored")
	case len(ignored) > 1:
		notice("the columns " + strings.Join(ignored, ", ") + " are ignored")
	}
	return nil
}

// at is the index of a column, -1 where the file has it not.
func (t *table) at(name string) int { return slices.Index(t.names, name) }

// cell is the content of a column in the current row, empty where the file has it not.
func (t *table) cell(i int) string {
	if i < 0 {
		return ""
	}
	return t.cells[i]
}

// blank says that the current row holds nothing at all, as spreadsheets leave them at the end.
func (t *table) blank() bool {
	for _, cell := range t.cells {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// checkWidth compares the current row with the header.
func (t *table) checkWidth() *RowError {
	if len(t.cells) == len(t.names) {
		return nil
	}
	kind := "short"
	if len(t.cells) > len(t.names) {
		kind = "long"
	}
	return &RowError{Line: t.start, Problem: fmt.Sprintf("the row is too %s: %d cells where the header has %d", kind, len(t.cells), len(t.names))}
}
