package ledger_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/ledger/ledgertest"
)

func TestVerifyFindsDamage(t *testing.T) {
	dir := memory(t)
	open := func(t *testing.T, name string, clock func() time.Time) ledgertest.Fixture {
		path := filepath.Join(dir, name)
		store, err := ledger.Open(t.Context(), path, ledger.Options{Clock: clock})
		return behind(t, store, err, "sqlite", path)
	}
	ledgertest.TestDamage(t,
		func(t *testing.T, clock func() time.Time) ledgertest.Fixture { return open(t, "whole.db", clock) },
		func(t *testing.T) ledgertest.Fixture {
			data, err := os.ReadFile(filepath.Join(dir, "whole.db"))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "copy.db"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			return open(t, "copy.db", time.Now)
		}, true)
}

func TestVerifyFindsDamageOnServer(t *testing.T) {
	s := newServer(t)
	open := func(t *testing.T, create, name string, clock func() time.Time) ledgertest.Fixture {
		main, err := sql.Open("pgx", s.DSN("postgres"))
		if err == nil {
			_, err = main.Exec(create)
			err = errors.Join(err, main.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		store, err := ledger.Open(t.Context(), s.DSN(name), ledger.Options{Clock: clock})
		return behind(t, store, err, "pgx", s.DSN(name))
	}
	copies := 0
	ledgertest.TestDamage(t,
		func(t *testing.T, clock func() time.Time) ledgertest.Fixture {
			return open(t, `CREATE DATABASE whole`, "whole", clock)
		},
		func(t *testing.T) ledgertest.Fixture {
			copies++
			name := fmt.Sprint("copy", copies)
			return open(t, `CREATE DATABASE `+name+` TEMPLATE whole`, name, time.Now)
		}, false)
}

// behind is a fixture of an open ledger, with a door to it behind the program's back.
func behind(t *testing.T, store *ledger.Store, err error, driver, name string) ledgertest.Fixture {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return ledgertest.Fixture{Store: store, Exec: func(q string) error {
		door, err := sql.Open(driver, name)
		if err != nil {
			return err
		}
		_, err = door.Exec(q)
		return errors.Join(err, door.Close())
	}}
}

// What SQLite itself sees: an index that does not fit its table.
func TestVerifyAsksSQLite(t *testing.T) {
	f := inFile(t, time.Now)
	if err := f.Exec(`PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql,'look_due = 1','look_due = 0') WHERE name='job_look';
		INSERT INTO batch(name,created_at,used_at) VALUES('b',0,0); INSERT INTO account(name) VALUES('a')`); err != nil {
		t.Fatal(err)
	}
	store := f.Reopen(t)
	if err := f.Exec(`INSERT INTO job(batch_id,job_id,account_id,video_path,caption,due_pass) VALUES(1,'1',1,'v','',1)`); err != nil {
		t.Fatal(err)
	}
	var said []string
	if _, err := store.Verify(t.Context(), func(f ledger.Finding) {
		if f.Check == "file" {
			said = append(said, f.Text)
		}
	}, nil); err != nil {
		t.Fatal(err)
	}
	if len(said) == 0 || !strings.Contains(said[0], "job_look") {
		t.Errorf("SQLite said %q", said)
	}
}
