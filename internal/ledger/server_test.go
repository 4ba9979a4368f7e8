package ledger_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"reelpass/internal/ledger"
	"reelpass/internal/ledger/ledgertest"
	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// One suite, both stores.
func TestStoreOnServer(t *testing.T) { ledgertest.TestStore(t, onServer(t)) }

func TestServerAgainstModel(t *testing.T) { ledgertest.TestModel(t, onServer(t)) }

// newServer is a throw-away PostgreSQL server that ends with the test.
func newServer(t *testing.T) *postgrestest.Server {
	t.Helper()
	s, err := postgrestest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// onServer makes ledgers in one database of a server, each when the one before is done with.
func onServer(t *testing.T) ledgertest.Factory {
	address, err := newServer(t).Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	door, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = door.Close() })
	tables := `SELECT table_name FROM information_schema.tables WHERE table_schema='public' AND table_name NOT IN ('reelpass_version','turn') ORDER BY table_name`
	var before []*ledger.Store
	return func(t *testing.T, clock func() time.Time) ledgertest.Fixture {
		for _, s := range before { // a server has only so many connections
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		before = nil
		open := func(t *testing.T) *ledger.Store {
			t.Helper()
			s, err := ledger.Open(context.Background(), address, ledger.Options{Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			before = append(before, s)
			return s
		}
		store := open(t)
		if _, err := door.Exec(`TRUNCATE ` + strings.Join(column(t, door, tables), ",") + ` RESTART IDENTITY`); err != nil {
			t.Fatal(err)
		}
		return ledgertest.Fixture{
			Store:   store,
			Dump:    func(t *testing.T) string { return dump(t, door, tables) },
			Journal: func(t *testing.T) []reel.Event { return journal(t, door) },
			Exec:    func(q string) error { _, err := door.Exec(q); return err },
			Beside:  func(t *testing.T) ledgertest.Store { return open(t) },
			Reopen: func(t *testing.T) ledgertest.Store {
				if err := store.Close(); err != nil {
					t.Fatal(err)
				}
				store = open(t)
				return store
			},
		}
	}
}
