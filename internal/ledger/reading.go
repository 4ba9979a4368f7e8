package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errReadOnly is the answer to whoever would change a ledger that was opened for reading.
var errReadOnly = errors.New("the ledger was opened for reading only")

// openForReading opens a file that only this store does not write. Where its user may not write it either, nothing is made
// beside it: SQLite's own files would belong to somebody who is in the owner's way later.
func openForReading(ctx context.Context, file string, opt Options) (*Store, error) {
	s := &Store{path: file, clock: opt.Clock}
	name := dsn(file, "query_only(1)", cache)
	if unix.Access(file, unix.W_OK) != nil {
		name += "&mode=ro"
		if _, err := os.Stat(file + "-wal"); errors.Is(err, fs.ErrNotExist) {
			name += "&immutable=1" // nobody has it open: it is as it stands
		}
	}
	db, err := sql.Open("sqlite", name)
	if err == nil {
		s.read.DB = db
		s.read.SetMaxOpenConns(4)
		err = s.sameSchema(ctx, "goose_db_version", "sqlite", `SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE name='goose_db_version')`)
	}
	if err != nil {
		return nil, errors.Join(s.trouble(err), s.Close())
	}
	return s, nil
}

// sameSchema refuses a ledger of another schema than this program's, and one that has none yet.
func (s *Store) sameSchema(ctx context.Context, table, dialect, there string) error {
	var found bool
	if err := s.read.QueryRowContext(ctx, there).Scan(&found); err != nil {
		return err
	}
	var have int64
	if found {
		if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(max(version_id),0) FROM `+table).Scan(&have); err != nil {
			return err
		}
	}
	switch want, err := newest(dialect); {
	case err != nil:
		return err
	case have == 0:
		return &FileError{Path: s.path, Kind: Missing}
	case have > want:
		return &FileError{Path: s.path, Kind: Newer, Err: fmt.Errorf("schema %d, this program knows %d", have, want)}
	case have < want:
		return &FileError{Path: s.path, Kind: Older, Err: fmt.Errorf("schema %d, this program's is %d", have, want)}
	}
	return nil
}

// newest is the schema of this program.
func newest(dialect string) (int64, error) {
	files, err := fs.Glob(migrations, path.Join("migrations", dialect, "*.sql"))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(err, fs.ErrNotExist)
	}
	number, _, _ := strings.Cut(path.Base(files[len(files)-1]), "_") // they are sorted
	return strconv.ParseInt(number, 10, 64)
}
