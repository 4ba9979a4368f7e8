package ledger

import (
	"database/sql"
	"errors"
	"time"
)

// link is the one connection that writes: to a file, or to a server. It is used by one goroutine at a time. Statements are
// written for both, with ? or ?1 for arguments.
type link interface {
	// begin begins a transaction that sees all that was committed before, and keeps every other writer out until its end. A
	// careful one runs each statement at once. What it will ask first may be asked in the same journey: a link to a server does, which
	// may call ask again where it has to begin anew; to a file no question is far.
	begin(careful bool, ask func() []question) (moment, error)
	// end commits, or takes everything back. An error means that nothing of it happened, unless it is reel.ErrBroken.
	end(commit bool) error
	// exec runs a statement and returns how many rows it changed. Where their number is foreseen, the link may answer it at once
	// and send the statement later, many in one journey; if it turns out another, a later call fails with errUnforeseen. about is the
	// account whose rows the statement touches; empty, and it keeps its place among all others.
	exec(foreseen int64, about, query string, args ...any) (int64, error)
	// each calls scan for each row of a query. scan must not use the link.
	each(query string, args []any, scan func(scanner) error) error
	close() error
}

// What is foreseen of a statement where it is no number of rows.
const (
	unforeseen = -1 // nobody can say beforehand
	certain    = -2 // it changes what it should, or fails
)

// errUnforeseen says that a statement changed another number of rows than was foreseen: the transaction must be taken back, and
// tried again with care.
var errUnforeseen = errors.New("not what was foreseen")

// errLost says that the way to the server was lost within a transaction, which did not happen.
var errLost = errors.New("the connection was lost")

// moment is when a transaction happens.
type moment struct {
	now   time.Time // by the clock that all who share the ledger go by
	event int64     // number of the last event before; 0 where it is to be read
	far   bool      // a question costs a journey: better ask once for many
}

// question is a query, and what takes each row of its answer.
type question struct {
	query string
	args  []any
	scan  func(scanner) error
}

// scanner is a row that was found.
type scanner interface{ Scan(dest ...any) error }

// rowOf reads one row; sql.ErrNoRows where there is none.
func rowOf(l link, query string, args []any, dest ...any) error {
	found := false
	err := l.each(query, args, func(row scanner) error {
		if found {
			return nil
		}
		found = true
		return row.Scan(dest...)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}
