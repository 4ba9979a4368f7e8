package ledger

import (
	"context"
	"errors"
	"time"
)

// Facts is what a person should know of the server of a ledger.
type Facts struct {
	Version       string        // of PostgreSQL, as the server says it
	Number        int           // the same as a number: 170002 is 17.2
	Off           []string      // settings that durability rests on and that are off: fsync, full_page_writes
	Lazy          bool          // synchronous_commit is off by default; this program turns it on for itself
	ReadOnly      bool          // it takes no changes: a standby, or told so
	Missing       []string      // rights that its user has not, as "INSERT on job"
	Ahead         time.Duration // how far this machine's clock is ahead of the server's
	Connections   int           // open at this moment
	Connectable   int           // how many ordinary users may have open together
	PerSupervisor int           // how many one reelpass needs at most
}

// tables lists what a ledger's user must be able to work with, and what it deletes from.
const (
	tables      = `'supervisor','batch','account','job','attempt','publish','pass','total','hold','event','turn'`
	deletesFrom = `'publish','turn'`
)

// Examine asks a server how it is set up. It needs no ledger in it.
func Examine(ctx context.Context, address string) (f Facts, err error) {
	s, err := connect(address, nil)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := s.brief(ctx)
	defer cancel()
	f.PerSupervisor = readers + 2 // one writes, and one may listen
	var fsync, pages, lazy, off string
	var there bool
	before := s.clock()
	var now int64
	if err := s.read.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('transaction_read_only'),
		current_setting('max_connections')::int-current_setting('superuser_reserved_connections')::int,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type='client backend'), to_regclass(?) IS NOT NULL,
		(extract(epoch FROM clock_timestamp())*1000000)::bigint`, versions).
		Scan(&f.Version, &f.Number, &fsync, &pages, &lazy, &off, &f.Connectable, &f.Connections, &there, &now); err != nil {
		return f, s.trouble(err)
	}
	after := s.clock()
	f.Ahead = before.Add(after.Sub(before) / 2).Sub(time.UnixMicro(now)).Round(time.Millisecond)
	f.Lazy, f.ReadOnly = lazy == "off", off == "on"
	if fsync == "off" {
		f.Off = append(f.Off, "fsync")
	}
	if pages == "off" {
		f.Off = append(f.Off, "full_page_writes")
	}
	query := `SELECT p || ' on ' || t FROM unnest(ARRAY[` + tables + `]) t, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE']) p
		WHERE (p<>'DELETE' OR t IN (` + deletesFrom + `)) AND NOT has_table_privilege(t,p) ORDER BY 1`
	if !there {
		query = `SELECT 'CREATE in schema ' || COALESCE(current_schema(),'(none)') WHERE NOT COALESCE(has_schema_privilege(current_schema(),'CREATE'),FALSE)`
	}
	rows, err := s.read.QueryContext(ctx, query)
	if err != nil {
		return f, s.trouble(err)
	}
	defer rows.Close()
	for rows.Next() {
		var right string
		if err := rows.Scan(&right); err != nil {
			return f, s.trouble(err)
		}
		f.Missing = append(f.Missing, right)
	}
	return f, s.trouble(rows.Err())
}
