package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"reelpass/internal/reel"
)

// serverLink is the link to a PostgreSQL server. A lost connection is made anew when the next transaction begins.
type serverLink struct {
	config  *pgx.ConnConfig
	clock   func() time.Time // nil: the server's
	conn    *pgx.Conn
	name    string            // of this link, for ever
	waiting []foreseen        // to be sent with what comes next
	careful bool              // nothing waits
	token   int64             // of the last commit that was asked for
	texts   map[string]string // statements as the server takes them
}

func newServerLink(config *pgx.ConnConfig, clock func() time.Time) *serverLink {
	return &serverLink{config: config, clock: clock, name: rand.Text(), texts: map[string]string{}}
}

// begin waits its turn among all writers of the ledger.
func (l *serverLink) begin(careful bool, ask func() []question) (m moment, err error) {
	l.waiting, l.careful = nil, careful
	for until := time.Now().Add(patience); ; {
		if m, err = l.tryBegin(ask); err == nil || !lost(err) || time.Now().After(until) {
			return m, err
		}
		<-time.After(100 * time.Millisecond) // nothing has happened yet: it is safe to ask again
	}
}

func (l *serverLink) tryBegin(ask func() []question) (m moment, err error) {
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
	batch.Queue(begin) // each statement must see what was committed while it waited, whatever the server's default
	batch.Queue(takeTurn, int64(writers))
	batch.Queue(`SELECT COALESCE((SELECT seq FROM event ORDER BY seq DESC LIMIT 1),0), (extract(epoch FROM clock_timestamp())*1000000)::bigint`)
	var asked []question
	if ask != nil {
		asked = ask()
	}
	for _, q := range asked {
		batch.Queue(l.text(q.query), q.args...)
	}
	sent := l.conn.SendBatch(ctx, batch)
	_, err = sent.Exec()
	if err == nil {
		_, err = sent.Exec()
	}
	if err == nil {
		err = sent.QueryRow().Scan(&m.event, &now)
	}
	for _, q := range asked {
		if err == nil {
			err = answered(sent, q.scan)
		}
	}
	if err = errors.Join(err, sent.Close()); err != nil {
		l.drop()
		return m, err
	}
	m.now, m.far = time.UnixMicro(now), true
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

const (
	begin    = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`
	takeTurn = `SELECT pg_advisory_xact_lock($1)`
)

// end commits, or takes everything back. A commit leaves a token in the row of this link. Where its answer is lost the row is
// read in a turn of its own, which cannot come before the old one has ended: the token is there exactly if the commit is. (The
// transaction's number would not do: a server that crashes may give it to another writer.)
func (l *serverLink) end(commit bool) error {
	if l.conn == nil {
		return errLost
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if !commit {
		l.rollback(ctx)
		return nil
	}
	l.token++
	batch := &pgx.Batch{}
	waiting := l.pack(batch, true)
	batch.Queue(`INSERT INTO turn(link,token,at) VALUES($1,$2,now()) ON CONFLICT(link) DO UPDATE SET token=excluded.token, at=excluded.at`, l.name, l.token)
	batch.Queue(`COMMIT`)
	sent := l.conn.SendBatch(ctx, batch)
	err := asForeseen(sent, waiting, true)
	if err == nil {
		_, err = sent.Exec()
	}
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = sent.Exec()
	}
	if closing := sent.Close(); err == nil { // else it tells of the same
		err = closing
	}
	var said *pgconn.PgError
	switch {
	case err == nil && tag.String() == "COMMIT":
		return nil
	case err == nil: // ROLLBACK: a statement had failed
		return errors.New("the transaction had failed")
	case errors.Is(err, errUnforeseen):
		l.rollback(ctx)
		return err
	}
	l.drop()
	if errors.As(err, &said) && !lost(err) {
		return err // the server's own word that it did not commit
	}
	return l.outcome(err)
}

// rollback takes the transaction back.
func (l *serverLink) rollback(ctx context.Context) {
	if l.conn == nil {
		return
	}
	if _, err := l.conn.Exec(ctx, `ROLLBACK`); err != nil {
		l.drop()
	}
}

// outcome finds out whether the last transaction was committed. It fails with errLost where it was not, and with reel.ErrBroken
// where nobody can tell.
func (l *serverLink) outcome(cause error) error {
	for until := time.Now().Add(2 * patience); time.Now().Before(until); <-time.After(100 * time.Millisecond) {
		if token, err := l.lastToken(); err == nil {
			if token == l.token {
				return nil
			}
			return fmt.Errorf("%w: %w", errLost, cause)
		}
	}
	return fmt.Errorf("%w: %w", reel.ErrBroken, cause)
}

// lastToken is the token of the last commit of this link that happened, 0 before the first.
func (l *serverLink) lastToken() (token int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue(takeTurn, int64(writers))
	batch.Queue(`SELECT COALESCE(max(token),0) FROM turn WHERE link=$1`, l.name)
	sent := conn.SendBatch(ctx, batch)
	_, err = sent.Exec()
	if err == nil {
		_, err = sent.Exec()
	}
	if err == nil {
		err = sent.QueryRow().Scan(&token)
	}
	return token, errors.Join(err, sent.Close())
}

// sent is a statement on its way, and how many rows it is to change.
type sent struct {
	text string
	rows int64
}

// pack makes what waits ready for a journey; strict, and the server itself refuses what was not foreseen, before a commit in the same
// journey.
func (l *serverLink) pack(b *pgx.Batch, strict bool) (packed []sent) {
	send := func(text string, args []any, rows int64) {
		if strict && rows != certain {
			text, args = exactly(text, len(args)+1), append(args[:len(args):len(args)], rows)
		}
		b.Queue(text, args...)
		packed = append(packed, sent{text, rows})
	}
	for _, g := range gather(l.waiting) {
		if len(g.more) > 0 {
			if arrays, types, ok := columnsOf(g.args, g.more); ok {
				if text, ok := l.spread(g.query, types); ok {
					send(text, arrays, g.rows)
					continue
				}
			}
		}
		rows := g.rows
		if rows != certain {
			rows /= int64(1 + len(g.more)) // the same for statements of one text
		}
		send(l.text(g.query), g.args, rows)
		for _, args := range g.more {
			send(l.text(g.query), args, rows)
		}
	}
	l.waiting = nil
	return packed
}

// exactly makes a statement fail, by a division by zero, where it changes another number of rows than its nth argument says.
func exactly(text string, n int) string {
	return fmt.Sprintf(`WITH changed AS (%s RETURNING 1) SELECT 1/(count(*)=$%d)::int FROM changed`, text, n)
}

// asForeseen reads the answers of what waited.
func asForeseen(answers pgx.BatchResults, packed []sent, strict bool) error {
	for _, f := range packed {
		tag, err := answers.Exec()
		var said *pgconn.PgError
		switch {
		case errors.As(err, &said) && (said.Code == "22012" || said.Code == "23505"): // see exactly; and what was read ahead has changed
			return fmt.Errorf("%w: %w", errUnforeseen, err)
		case err != nil:
			return err
		case !strict && f.rows != certain && tag.RowsAffected() != f.rows:
			return fmt.Errorf("%w: %d rows instead of %d from %.60q", errUnforeseen, tag.RowsAffected(), f.rows, f.text)
		}
	}
	return nil
}

func (l *serverLink) exec(rows int64, about, query string, args ...any) (int64, error) {
	if l.conn == nil {
		return 0, errLost
	}
	if !l.careful && rows != unforeseen {
		l.waiting = append(l.waiting, foreseen{about, query, args, rows})
		return max(rows, 0), nil
	}
	if err := l.flush(); err != nil {
		return 0, err
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
	batch := &pgx.Batch{}
	waiting := l.pack(batch, false)
	batch.Queue(l.text(query), args...)
	sent := l.conn.SendBatch(ctx, batch)
	defer func() { _ = sent.Close() }() // tells nothing that was not told before
	if err := asForeseen(sent, waiting, false); err != nil {
		return l.seen(err)
	}
	return l.seen(answered(sent, scan))
}

// answered reads the rows of the next answer.
func answered(sent pgx.BatchResults, scan func(scanner) error) error {
	rows, err := sent.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	rows.Close()
	return rows.Err()
}

// flush sends what waits.
func (l *serverLink) flush() error {
	if len(l.waiting) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	waiting := l.pack(batch, false)
	ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Second)
	defer cancel()
	sent := l.conn.SendBatch(ctx, batch)
	err := asForeseen(sent, waiting, false)
	if closing := sent.Close(); err == nil {
		err = closing
	}
	return l.seen(err)
}

// seen drops a connection that is of no use any more.
func (l *serverLink) seen(err error) error {
	if lost(err) {
		l.drop()
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return err
}

// close ends the connection, and takes away the rows of links that ended long ago.
func (l *serverLink) close() error {
	if l.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = l.conn.Exec(ctx, `DELETE FROM turn WHERE link=$1 OR at < now() - interval '7 days'`, l.name) // a courtesy
	}
	l.drop()
	return nil
}

func (l *serverLink) text(query string) string {
	text, ok := l.texts[query]
	if !ok {
		text = numbered(query)
		l.texts[query] = text
	}
	return text
}

// spread is a statement for many rows, nothing and false where it cannot be written so.
func (l *serverLink) spread(query string, types []string) (string, bool) {
	key := strings.Join(types, ",") + " " + query
	text, ok := l.texts[key]
	if !ok {
		text, _ = spread(query, types)
		l.texts[key] = text
	}
	return text, text != ""
}

// numbered writes ? and ?1 as PostgreSQL's $1.
func numbered(query string) string {
	return replaced(query, func(n int) string { return fmt.Sprint("$", n) })
}

// replaced writes something else for each ? and ?1.
func replaced(query string, by func(n int) string) string {
	var out strings.Builder
	counted := 0
	for {
		before, after, found := strings.Cut(query, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		rest := strings.TrimLeft(after, "0123456789")
		n, err := strconv.Atoi(after[:len(after)-len(rest)])
		if err != nil { // no number: the next one
			counted++
			n = counted
		}
		out.WriteString(by(n))
		query = rest
	}
}

// lost says that an error is about the way to the server, and not about what it was asked.
func lost(err error) bool {
	if err == nil {
		return false
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case "57P01", "57P02", "57P03", "08000", "08003", "08006", "53300": // going down, crashed, starting, cut, too many for now
			return true
		case "25P03", "25P04", "40001", "40P01": // a turn that took too long, one that met another
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, errLost) || pgconn.SafeToRetry(err) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
