package ledger

import (
	"context"
	"database/sql"
)

// pool is the connections that read, and see one moment of the ledger at a time.
type pool struct {
	*sql.DB
	numbered bool // arguments are $1, not ?
}

// reader is what reads need: a pool, or one moment of it.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (p pool) text(query string) string {
	if p.numbered {
		return numbered(query)
	}
	return query
}

// QueryContext is that of the database, for statements with ?.
func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.DB.QueryContext(ctx, p.text(query), args...)
}

// QueryRowContext is that of the database, for statements with ?.
func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.DB.QueryRowContext(ctx, p.text(query), args...)
}

// moment lets f read the ledger as it stands at one moment.
func (p pool) moment(ctx context.Context, f func(reader) error) error {
	opt := sql.TxOptions{ReadOnly: true}
	if p.numbered { // a file gives no other
		opt.Isolation = sql.LevelRepeatableRead
	}
	t, err := p.BeginTx(ctx, &opt)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }()
	return f(still{t, p})
}

// still is one moment of a pool.
type still struct {
	tx   *sql.Tx
	pool pool
}

func (s still) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, s.pool.text(query), args...)
}

func (s still) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.tx.QueryRowContext(ctx, s.pool.text(query), args...)
}
