package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5" // PostgreSQL in its own protocol; the driver that others build on
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"reelpass/internal/reel"
)

const (
	// patience is how long a change waits for a server that cannot be reached: a restart takes seconds. It is well under a
	// lease's time, so that whoever renews leases learns in time that it cannot.
	patience = 8 * time.Second
	// deadline is the longest that one statement may take, waiting for other writers included.
	deadline = 20 * time.Second
	// writers is the advisory lock that every writing transaction holds: they happen one after another, as in a file.
	writers = 0x52454C50 // "RELP"
)

// IsServer says that a ledger's name is the address of a PostgreSQL server and not a file.
func IsServer(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// Shown is a ledger's name as it may be shown: a server's address without its password.
func Shown(name string) string {
	if !IsServer(name) {
		return name
	}
	u, err := url.Parse(name)
	if err != nil {
		return "postgres://…"
	}
	q := u.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		if q.Has(secret) {
			q.Set(secret, "xxxxx")
		}
	}
	u.RawQuery = q.Encode()
	return u.Redacted()
}

// configure reads an address, and sets what every connection needs: commits that are on disk, and an end to waiting. A
// supervisor that hangs within a transaction is cut off by the server, so that it keeps out nobody else.
func configure(address string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	for name, value := range map[string]string{
		"application_name": "reelpass", "synchronous_commit": "on", "statement_timeout": millis(deadline), "lock_timeout": millis(deadline),
		"idle_in_transaction_session_timeout": millis(patience), "tcp_user_timeout": millis(deadline),
	} {
		c.RuntimeParams[name] = value
	}
	return c, nil
}

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// openServer opens the ledger in a server's database, creating and migrating it where needed.
func openServer(ctx context.Context, address string, opt Options) (*Store, error) {
	s := &Store{path: Shown(address), clock: opt.Clock, server: true, turns: map[int64]*int64{}}
	if opt.Clock == nil {
		s.clock = time.Now
	}
	config, err := configure(address)
	if err == nil {
		s.read = pool{DB: stdlib.OpenDB(*config), numbered: true}
		s.read.SetMaxOpenConns(4)
		err = s.migrateServer(ctx, opt.MustExist)
	}
	if err == nil {
		s.writer = newWriter(&serverLink{config: config, clock: opt.Clock})
		return s, nil
	}
	return nil, errors.Join(s.trouble(err), s.Close())
}

// migrateServer brings the schema up to date under a lock of the server, and refuses one that is newer than this program.
func (s *Store) migrateServer(ctx context.Context, mustExist bool) error {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	sub, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.read.DB, sub, goose.WithLogger(goose.NopLogger()), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	var there bool
	if err := s.read.QueryRowContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&there); err != nil {
		return err
	}
	if !there && mustExist {
		return &FileError{Path: s.path, Kind: Missing}
	}
	have, want := int64(0), int64(1)
	if there {
		if have, want, err = p.GetVersions(ctx); err != nil {
			return err
		}
	}
	switch {
	case have > want:
		return &FileError{Path: s.path, Kind: Newer, Err: fmt.Errorf("schema %d, this program knows %d", have, want)}
	case have == want:
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

// serverLink is the link to a PostgreSQL server. A lost connection is made anew when the next transaction begins.
type serverLink struct {
	config *pgx.ConnConfig
	clock  func() time.Time // nil: the server's
	conn   *pgx.Conn
	id     string            // of the transaction
	texts  map[string]string // statements as the server takes them
}

// begin waits its turn among all writers of the ledger.
func (l *serverLink) begin() (m moment, err error) {
	for until := time.Now().Add(patience); ; {
		if m, err = l.tryBegin(); err == nil || !lost(err) || time.Now().After(until) {
			return m, err
		}
		<-time.After(100 * time.Millisecond) // nothing has happened yet: it is safe to ask again
	}
}

func (l *serverLink) tryBegin() (m moment, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Second)
	defer cancel()
	if l.conn == nil || l.conn.IsClosed() {
		if l.conn, err = pgx.ConnectConfig(ctx, l.config); err != nil {
			l.conn = nil
			return m, err
		}
	}
	var now int64
	batch := &pgx.Batch{}
	batch.Queue(`BEGIN`)
	batch.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(writers))
	batch.Queue(`SELECT pg_current_xact_id()::text, (SELECT COALESCE(max(seq),0) FROM event), (extract(epoch FROM clock_timestamp())*1000000)::bigint`)
	sent := l.conn.SendBatch(ctx, batch)
	_, err = sent.Exec()
	if err == nil {
		_, err = sent.Exec()
	}
	if err == nil {
		err = sent.QueryRow().Scan(&l.id, &m.event, &now)
	}
	if err = errors.Join(err, sent.Close()); err != nil {
		l.drop()
		return m, err
	}
	m.now = time.UnixMicro(now)
	if l.clock != nil {
		m.now = l.clock()
	}
	return m, nil
}

// drop closes the connection: whatever it was about is taken back by the server.
func (l *serverLink) drop() {
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = l.conn.Close(ctx)
		l.conn = nil
	}
}

// end commits, or takes everything back. Where the answer to a commit is lost, the server is asked afterwards what became of
// the transaction.
func (l *serverLink) end(commit bool) error {
	if l.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if !commit {
		if _, err := l.conn.Exec(ctx, `ROLLBACK`); err != nil {
			l.drop()
		}
		return nil
	}
	tag, err := l.conn.Exec(ctx, `COMMIT`)
	switch {
	case err == nil && tag.String() == "COMMIT":
		return nil
	case err == nil: // ROLLBACK: a statement had failed
		return errors.New("the transaction had failed")
	}
	var said *pgconn.PgError
	refused := errors.As(err, &said) && !strings.HasPrefix(said.Code, "57P") && !strings.HasPrefix(said.Code, "08") // the server is going down
	l.drop()
	if refused {
		return err
	}
	return l.outcome(err)
}

// outcome finds out whether the last transaction was committed. It fails with cause where it was not, and with reel.ErrBroken
// where nobody can tell.
func (l *serverLink) outcome(cause error) error {
	for until := time.Now().Add(patience); time.Now().Before(until); <-time.After(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		status, err := l.status(ctx)
		cancel()
		switch {
		case err != nil || status == "in progress":
		case status == "committed":
			return nil
		case status == "aborted":
			return fmt.Errorf("%w: %w", errLost, cause)
		}
	}
	return fmt.Errorf("%w: %w", reel.ErrBroken, cause)
}

func (l *serverLink) status(ctx context.Context) (string, error) {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return "", err
	}
	l.conn = conn
	var status sql.NullString
	if err := conn.QueryRow(ctx, `SELECT pg_xact_status($1::text::xid8)`, l.id).Scan(&status); err != nil {
		l.drop()
		return "", err
	}
	return status.String, nil
}

func (l *serverLink) exec(query string, args ...any) (int64, error) {
	if l.conn == nil {
		return 0, errLost
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Second)
	defer cancel()
	tag, err := l.conn.Exec(ctx, l.text(query), args...)
	return tag.RowsAffected(), l.seen(err)
}

func (l *serverLink) each(query string, args []any, scan func(scanner) error) error {
	if l.conn == nil {
		return errLost
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Second)
	defer cancel()
	rows, err := l.conn.Query(ctx, l.text(query), args...)
	if err != nil {
		return l.seen(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	rows.Close()
	return l.seen(rows.Err())
}

// seen drops a connection that is of no use any more.
func (l *serverLink) seen(err error) error {
	if lost(err) {
		l.drop()
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

func (l *serverLink) close() error {
	l.drop()
	return nil
}

func (l *serverLink) text(query string) string {
	if l.texts == nil {
		l.texts = map[string]string{}
	}
	text, ok := l.texts[query]
	if !ok {
		text = numbered(query)
		l.texts[query] = text
	}
	return text
}

// numbered writes ? and ?1 as PostgreSQL's $1.
func numbered(query string) string {
	if strings.Contains(query, "?1") {
		return strings.ReplaceAll(query, "?", "$")
	}
	var out strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			fmt.Fprintf(&out, "$%d", n)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// lost says that an error is about the way to the server, and not about what it was asked.
func lost(err error) bool {
	if err == nil {
		return false
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return strings.HasPrefix(said.Code, "57P") || strings.HasPrefix(said.Code, "08") || said.Code == "25P03" // shut down, starting, cut off
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, errLost) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// serverTrouble names what a server's answer means. The address is shown without its password.
func serverTrouble(err error) Trouble {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case "28P01", "28000":
			return Denied
		case "3D000":
			return NoDatabase
		case "42501":
			return Unwritable
		case "25006":
			return Unwritable
		case "53100":
			return Full
		case "55P03", "57014":
			return Busy
		case "42P01", "42703":
			return Damaged
		}
	}
	var parse *pgconn.ParseConfigError
	switch {
	case errors.As(err, &parse):
		return BadAddress
	case lost(err):
		return Unreachable
	}
	return ""
}
