package ledger

import (
	"context"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock" // kernel lock: migrations run one at a time, SQLite has no lock for them
	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3" // migrations as plain SQL files, as an embedded library
	_ "modernc.org/sqlite"        // SQLite without cgo, so that reelpass stays one static binary
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as a reelpass ledger ("RELP"), so that a foreign database is never written to.
const applicationID = 0x52454C50

// busyTimeout is how long a statement waits for another process's transaction. A big import is the longest there is.
const busyTimeout = 60 * time.Second

// Options of Open.
type Options struct {
	Clock     func() time.Time // time.Now where nil
	MustExist bool             // do not create a ledger
	// ReadOnly opens a ledger that exists for reading alone: not even its schema is brought up to date, and whoever may not write
	// it can read it. Every change is refused.
	ReadOnly bool
}

// Store is a ledger in a SQLite file, or in a PostgreSQL database. It may be used by many goroutines at once, and other
// processes may open the same beside it.
type Store struct {
	path   string // or the server's address, without its password
	server bool
	config *pgx.ConnConfig // of a server's connections that do not write
	// foreignClock says that leases go by the server's clock, not by clock.
	foreignClock bool
	clock        func() time.Time
	read         pool
	writer       *writer
	firsts       sync.Map // by batch: the number of its first job, an int64
}

// Open opens the ledger at path, or at the address of a PostgreSQL server (IsServer), creating and migrating it where needed.
// Its errors say what is wrong in one line; use Trouble to learn the kind.
func Open(ctx context.Context, path string, opt Options) (*Store, error) {
	if IsServer(path) {
		return openServer(ctx, path, opt)
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if err := refuseNetwork(path, fileSystem); err != nil {
		return nil, err
	}
	if err := inspect(path, opt.MustExist || opt.ReadOnly); err != nil && !settled(path, err) {
		return nil, err
	}
	if opt.ReadOnly {
		return openForReading(ctx, path, opt)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, unwritable(path, err)
	}
	s := &Store{path: path, clock: opt.Clock}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(s.trouble(err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	err := s.migrate(ctx)
	if err != nil {
		return err
	}
	// WAL with synchronous=FULL makes a commit durable; a bigger WAL between checkpoints would only lengthen them.
	write, err := connectFile(s.path, s.clock, "journal_mode(WAL)", "synchronous(FULL)", cache)
	if err != nil {
		return err
	}
	s.writer = newWriter(write)
	if s.read.DB, err = sql.Open("sqlite", dsn(s.path, "query_only(1)", cache)); err == nil {
		s.read.SetMaxOpenConns(4)
	}
	return err
}

// cache is what a connection may keep in memory: 16 MB.
const cache = "cache_size(-16000)"

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// inspect looks at the file without opening it as a database, since opening may already change it.
func inspect(path string, mustExist bool) error {
	st, err := os.Stat(path) // first: to open a pipe would wait for its other end
	switch {
	case errors.Is(err, fs.ErrNotExist) && mustExist:
		return &FileError{Path: path, Kind: Missing}
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &FileError{Path: path, Kind: Unreadable, Err: err}
	case st.IsDir():
		return &FileError{Path: path, Kind: Foreign, Err: errors.New("it is a directory")}
	case !st.Mode().IsRegular():
		return &FileError{Path: path, Kind: Foreign, Err: errors.New("it is not a file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return &FileError{Path: path, Kind: Unreadable, Err: err}
	}
	defer f.Close()
	head := make([]byte, 100)
	n, err := io.ReadFull(f, head)
	switch {
	case n == 0:
		return nil // an empty file is a new ledger
	case err != nil || string(head[:16]) != "SQLite format 3\x00":
		return &FileError{Path: path, Kind: Foreign, Err: errors.New("it is not a SQLite database")}
	case binary.BigEndian.Uint32(head[68:]) == applicationID:
		return nil
	}
	return &FileError{Path: path, Kind: Foreign, Err: errors.New("it is a database of another program")}
}

// settled says that a file which looked foreign was only being made into a ledger by another process.
func settled(path string, err error) bool {
	var file *FileError
	if !errors.As(err, &file) || file.Kind != Foreign {
		return false
	}
	if _, err := os.Stat(lockPath(path)); err != nil {
		return false // nobody makes it into one; do not leave a lock file beside it
	}
	lock := flock.New(lockPath(path))
	if lock.Lock() != nil {
		return false
	}
	defer lock.Close()
	return inspect(path, false) == nil
}

func lockPath(path string) string { return path + ".lock" }

func unwritable(path string, err error) *FileError {
	kind := Unwritable
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind = Full
	}
	return &FileError{Path: path, Kind: kind, Err: err}
}

// migrate brings the schema up to date under a lock file, and refuses a schema that is newer than this program.
func (s *Store) migrate(ctx context.Context) error {
	lock := flock.New(lockPath(s.path))
	if err := lock.Lock(); err != nil {
		return unwritable(s.path, err)
	}
	defer lock.Close()
	if err := mark(ctx, s.path); err != nil {
		return err
	}
	sub, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(s.path, "journal_mode(WAL)", "synchronous(FULL)"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return &FileError{Path: s.path, Kind: Newer, Err: fmt.Errorf("schema %d, this program knows %d", have, want)}
	}
	if have == want {
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

// mark makes a new file one of ours before anything else is in it. It is written without WAL: there the mark would stay
// beside the file until a checkpoint, and a kill before it would leave a file that nobody recognises.
func mark(ctx context.Context, path string) error {
	st, err := os.Stat(path)
	_, torn := os.Stat(path + "-journal") // the mark itself was cut short: SQLite takes it back, and it is made again
	if err == nil && st.Size() > 0 && torn != nil {
		return nil
	}
	db, err := sql.Open("sqlite", dsn(path, "journal_mode(DELETE)", "synchronous(FULL)"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return errors.Join(err, db.Close())
}

// Close writes what is queued and closes the file.
func (s *Store) Close() error {
	err := s.writer.close()
	if s.read.DB != nil {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// Path is the file of the ledger, or the server's address without its password.
func (s *Store) Path() string { return s.path }

func ms(t time.Time) int64 { return t.UnixMilli() }

func fromMS(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return time.UnixMilli(v.Int64).UTC()
}

func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
