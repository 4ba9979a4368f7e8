package ledger

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Trouble is what is wrong with the ledger's file.
type Trouble string

// The kinds of trouble.
const (
	Missing    Trouble = "there is no ledger"
	Foreign    Trouble = "this is not a reelpass ledger"
	Newer      Trouble = "the ledger was written by a newer reelpass"
	Damaged    Trouble = "the ledger is damaged"
	Full       Trouble = "the disk is full"
	Unreadable Trouble = "the ledger cannot be read"
	Unwritable Trouble = "the ledger cannot be written"
	Busy       Trouble = "another process keeps the ledger locked"
)

// FileError says what is wrong with the ledger's file, in one line.
type FileError struct {
	Path string
	Kind Trouble
	Err  error
}

func (e *FileError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Path, e.Kind)
	}
	return fmt.Sprintf("%s: %s (%v)", e.Path, e.Kind, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// trouble names what SQLite's code means for the file. Other errors pass through.
func (s *Store) trouble(err error) error {
	var file *FileError
	var lite *sqlite.Error
	if err == nil || errors.As(err, &file) || !errors.As(err, &lite) {
		return err
	}
	kind, ok := map[int]Trouble{
		lib.SQLITE_FULL: Full, lib.SQLITE_CORRUPT: Damaged, lib.SQLITE_NOTADB: Foreign, lib.SQLITE_READONLY: Unwritable,
		lib.SQLITE_CANTOPEN: Unwritable, lib.SQLITE_BUSY: Busy, lib.SQLITE_PERM: Unwritable, lib.SQLITE_IOERR: Unwritable,
	}[lite.Code()&0xff]
	if !ok {
		return err
	}
	return &FileError{Path: s.path, Kind: kind, Err: err}
}
