package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5" // PostgreSQL in its own protocol; the driver that others build on
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// patience is how long a change waits for a server that cannot be reached: a restart takes seconds. It is well under a
	// lease's time, so that whoever renews leases learns in time that it cannot.
	patience = 8 * time.Second
	// deadline is the longest that one statement may take, waiting for other writers included.
	deadline = 20 * time.Second
	// writers is the advisory lock that every writing transaction holds: they happen one after another, as in a file.
	writers = 0x52454C50 // "RELP"
	// news is the channel on which the schema's trigger tells of passes that open.
	news = "reelpass_news"
	// versions is the table of the schema's version. A name of its own: other programs may keep theirs in the same database.
	versions = "reelpass_version"
)

// IsServer says that a ledger's name is the address of a PostgreSQL server and not a file.
func IsServer(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// Shown is a ledger's name as it may be shown: an address without its password.
func Shown(name string) string {
	scheme, _, address := strings.Cut(name, "://")
	if !address {
		return name
	}
	u, err := url.Parse(name)
	if err != nil || bare(name) {
		return scheme + "://…"
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

// bare says that an address has a password with a character that ends it.
func bare(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	return at >= 0 && strings.ContainsAny(rest[:at], "@#/?")
}

// configure reads an address, and sets what every connection needs: commits that are on disk, and an end to waiting. A
// supervisor that hangs within a transaction is cut off by the server, so that it keeps out nobody else.
func configure(address string, writes bool) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	c.RuntimeParams["application_name"] = "reelpass"
	if !writes { // a person may read a long list slowly
		return c, nil
	}
	for name, value := range map[string]string{
		"synchronous_commit": "on", "statement_timeout": millis(deadline), "lock_timeout": millis(deadline),
		"idle_in_transaction_session_timeout": millis(patience), "tcp_user_timeout": millis(deadline),
		// Every statement of a change finds its rows through an index. Its plan is made once for each connection, perhaps while
		// the tables are empty, and must hold when they have millions of rows.
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
	} {
		c.RuntimeParams[name] = value
	}
	return c, nil
}

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// readers is how many connections of a store read at once; one more writes.
const readers = 4

// connect makes a store that reads from a server, without a look at what is there.
func connect(address string, clock func() time.Time) (*Store, error) {
	s := &Store{path: Shown(address), clock: clock, server: true, foreignClock: clock == nil}
	if clock == nil {
		s.clock = time.Now
	}
	if bare(address) {
		return nil, &FileError{Path: s.path, Kind: BadAddress, Err: errors.New("write @ # / ? in a password as %40 %23 %2F %3F")}
	}
	reading, err := configure(address, false)
	if err != nil {
		return nil, s.trouble(err)
	}
	s.config = reading
	s.read = pool{DB: stdlib.OpenDB(*reading), numbered: true}
	s.read.SetMaxOpenConns(readers)
	return s, nil
}

// openServer opens the ledger in a server's database, creating and migrating it where needed.
func openServer(ctx context.Context, address string, opt Options) (*Store, error) {
	s, err := connect(address, opt.Clock)
	if err != nil {
		return nil, err
	}
	if opt.ReadOnly {
		err = s.sameSchema(ctx, versions, "postgres", `SELECT to_regclass('`+versions+`') IS NOT NULL`)
	} else {
		err = s.migrateServer(ctx, opt.MustExist)
	}
	var config *pgx.ConnConfig
	if err == nil {
		config, err = configure(address, true)
	}
	if err != nil {
		return nil, errors.Join(s.trouble(err), s.Close())
	}
	if !opt.ReadOnly {
		s.writer = newWriter(newServerLink(config, opt.Clock))
	}
	return s, nil
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
	p, err := goose.NewProvider(goose.DialectPostgres, s.read.DB, sub, goose.WithLogger(goose.NopLogger()), goose.WithSessionLocker(locker),
		goose.WithTableName(versions))
	if err != nil {
		return err
	}
	var there bool
	if err := s.read.QueryRowContext(ctx, `SELECT to_regclass(?) IS NOT NULL`, versions).Scan(&there); err != nil {
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

// Listen calls heard whenever another machine has opened a pass or a person has let a batch go on, until ctx ends or the
// connection is lost. A ledger in a file has nobody to hear of: it returns when ctx ends.
func (s *Store) Listen(ctx context.Context, heard func()) error {
	if !s.server {
		<-ctx.Done()
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return s.trouble(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN `+news); err != nil {
		return s.trouble(err)
	}
	for heard(); ; heard() { // once at first, for what happened before
		if _, err := conn.WaitForNotification(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return s.trouble(err)
		}
	}
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
