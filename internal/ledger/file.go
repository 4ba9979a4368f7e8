package ledger

import (
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"zombiezen.com/go/sqlite" // the same SQLite bound directly: database/sql costs a statement as much as SQLite itself
)

// fileLink is the link to a SQLite file.
type fileLink struct {
	db    *sqlite.Conn
	clock func() time.Time
	stmts map[string]*statement // by SQL text, kept as long as the connection
}

type statement struct {
	*sqlite.Stmt
	params int
}

// connectFile opens a file that exists.
func connectFile(path string, clock func() time.Time, pragmas ...string) (*fileLink, error) {
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	db.SetBusyTimeout(busyTimeout)
	c := &fileLink{db: db, clock: clock, stmts: map[string]*statement{}}
	for _, p := range pragmas {
		if err := c.each("PRAGMA "+p, nil, func(scanner) error { return nil }); err != nil {
			_ = c.close()
			return nil, err
		}
	}
	return c, nil
}

// close ends the connection and its statements. The file is the ledger's only when it has returned.
func (c *fileLink) close() error {
	for _, s := range c.stmts {
		_ = s.Finalize() // tells of the statement's last failure, which was told before
	}
	return c.db.Close()
}

func (c *fileLink) prepare(query string) (*statement, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	stmt, rest, err := c.db.PrepareTransient(query)
	if err == nil && rest > 0 {
		err = fmt.Errorf("%d bytes behind the statement", rest)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", query, err)
	}
	s := &statement{stmt, stmt.BindParamCount()}
	c.stmts[query] = s
	return s, nil
}

// begin takes the file's write lock. Numbers of events go on from the last one.
func (c *fileLink) begin(bool, func() []question) (moment, error) {
	_, err := c.exec(unforeseen, "", "BEGIN IMMEDIATE")
	return moment{now: c.clock()}, err
}

func (c *fileLink) end(commit bool) error {
	var err error
	if commit {
		_, err = c.exec(unforeseen, "", "COMMIT")
	}
	if !commit || err != nil {
		_, _ = c.exec(unforeseen, "", "ROLLBACK") // SQLite rolls back by itself on some errors, and then says there is nothing to roll back
	}
	return err
}

func (c *fileLink) exec(_ int64, _, query string, args ...any) (int64, error) {
	if err := c.each(query, args, func(scanner) error { return nil }); err != nil {
		return 0, err
	}
	return int64(c.db.Changes()), nil
}

func (c *fileLink) each(query string, args []any, scan func(scanner) error) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	if len(args) != s.params {
		return fmt.Errorf("%d arguments for the %d of %.60q", len(args), s.params, query)
	}
	for i, arg := range args {
		if err := s.bind(i+1, arg); err != nil {
			return fmt.Errorf("argument %d of %.60q: %w", i+1, query, err)
		}
	}
	for {
		found, err := s.Step()
		if err != nil { // Step has reset it
			return err
		}
		if !found {
			return s.Reset()
		}
		if err := scan(s); err != nil {
			_ = s.Reset()
			return err
		}
	}
}

func (s *statement) bind(param int, arg any) error {
	switch v := arg.(type) {
	case nil:
		s.BindNull(param)
	case int:
		s.BindInt64(param, int64(v))
	case int64:
		s.BindInt64(param, v)
	case bool:
		s.BindBool(param, v)
	case string:
		s.BindText(param, v)
	default:
		return fmt.Errorf("no way to write a %T", arg)
	}
	return nil
}

// Scan reads the present row, as (*sql.Rows).Scan does.
func (s *statement) Scan(dest ...any) error {
	if n := s.ColumnCount(); n != len(dest) {
		return fmt.Errorf("%d destinations for %d columns", len(dest), n)
	}
	for i, d := range dest {
		switch d := d.(type) {
		case *int:
			*d = int(s.ColumnInt64(i))
		case *int64:
			*d = s.ColumnInt64(i)
		case *bool:
			*d = s.ColumnBool(i)
		case *string:
			*d = s.ColumnText(i)
		case sql.Scanner:
			if err := d.Scan(s.value(i)); err != nil {
				return fmt.Errorf("column %d: %w", i, err)
			}
		default: // a word of its own type
			v := reflect.ValueOf(d)
			if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.String {
				return fmt.Errorf("column %d: no way to read a %T", i, d)
			}
			v.Elem().SetString(s.ColumnText(i))
		}
	}
	return nil
}

// value is a column for a sql.Scanner.
func (s *statement) value(i int) any {
	switch s.ColumnType(i) {
	case sqlite.TypeNull:
		return nil
	case sqlite.TypeInteger:
		return s.ColumnInt64(i)
	default:
		return s.ColumnText(i)
	}
}
