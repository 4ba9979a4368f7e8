package posts

import (
	"fmt"
	"strings"
)

// RowError says what is wrong with one row. Reading goes on after it, so that a caller can list every bad row of a file
// before it refuses the file.
type RowError struct {
	Line    int    // 1-based line on which the row starts
	Column  string // the column's name, or empty where the whole row is meant
	Problem string // plain words, without line and column
}

// Error gives line, column and problem.
func (e *RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Column, e.Problem)
}

// FileError says why a file cannot be read at all, or no further. It is the last value of its iterator.
type FileError struct {
	Line    int    // 1-based, 0 where no line can be named
	Column  int    // 1-based and in bytes, 0 where it says nothing
	Problem string // plain words, without line and column
	Err     error  // what the reader underneath said, if it was that
}

// Error gives the place, where there is one, and the problem.
func (e *FileError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ", column %d", e.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap is the fault of the reader underneath, or nil.
func (e *FileError) Unwrap() error { return e.Err }
