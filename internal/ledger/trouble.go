package ledger

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
	direct "zombiezen.com/go/sqlite"
)

// Trouble is what is wrong with the ledger's file or server.
type Trouble string

// The kinds of trouble.
const (
	Missing    Trouble = "there is no ledger"
	Foreign    Trouble = "this is not a reelpass ledger"
	Newer      Trouble = "the ledger was written by a newer reelpass"
	Older      Trouble = "the ledger was written by an older reelpass"
	Damaged    Trouble = "the ledger is damaged"
	Full       Trouble = "the disk is full"
	Unreadable Trouble = "the ledger cannot be read"
	Unwritable Trouble = "the ledger cannot be written"
	Busy       Trouble = "another process keeps the ledger locked"
	Network    Trouble = "the ledger is on a network file system"

	BadAddress  Trouble = "this is no address of a PostgreSQL server"
	Unreachable Trouble = "the server cannot be reached"
	Denied      Trouble = "the server refuses this user or password"
	NoDatabase  Trouble = "the server has no such database"
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
	return fmt.Sprintf("%s: %s (%s)", e.Path, e.Kind, strings.ReplaceAll(e.Err.Error(), "\n", " "))
}

func (e *FileError) Unwrap() error { return e.Err }

// trouble names what SQLite's code means for the file. Other errors pass through.
func (s *Store) trouble(err error) error {
	if err == nil {
		return nil
	}
	if file := new(FileError); errors.As(err, &file) {
		return err
	}
	var kind Trouble
	if s.server {
		kind = serverTrouble(err)
	} else {
		kind = kindOf(codeOf(err), err.Error())
	}
	if kind == "" {
		return err
	}
	return &FileError{Path: s.path, Kind: kind, Err: err}
}

// codeOf is SQLite's code in an error of either binding, and SQLITE_ERROR in one of neither: then the text decides.
func codeOf(err error) int {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()
	}
	return int(direct.ErrCode(err))
}

func kindOf(code int, text string) Trouble {
	switch code {
	case lib.SQLITE_IOERR_SHMSIZE: // the shared memory beside the file could not grow
		return Full
	case lib.SQLITE_IOERR_READ, lib.SQLITE_IOERR_SHORT_READ:
		return Unreadable
	}
	switch code & 0xff {
	case lib.SQLITE_FULL:
		return Full
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB: // it was one when it was opened: the first bytes say so
		return Damaged
	case lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_IOERR:
		return Unwritable
	case lib.SQLITE_BUSY:
		return Busy
	case lib.SQLITE_ERROR: // the statements are right, so a table that is not there is damage
		for _, damage := range []string{"no such table", "no such column", "unsupported file format"} {
			if strings.Contains(text, damage) {
				return Damaged
			}
		}
	}
	return ""
}
