package ledger_test

import (
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/ledger/ledgertest"
)

func TestVerifyFindsDamage(t *testing.T) { ledgertest.TestDamage(t, inFile) }

func TestVerifyFindsDamageOnServer(t *testing.T) {
	s := newServer(t)
	empty, err := s.Database(t.Context(), "empty")
	if err != nil {
		t.Fatal(err)
	}
	store, err := ledger.Open(t.Context(), empty, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	door := func(t *testing.T, database string) *sql.DB {
		db, err := sql.Open("pgx", s.DSN(database))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	main := door(t, "postgres")
	var made atomic.Int32
	ledgertest.TestDamage(t, func(t *testing.T, clock func() time.Time) ledgertest.Fixture {
		name := fmt.Sprint("damage", made.Add(1))
		if _, err := main.Exec(`CREATE DATABASE ` + name + ` TEMPLATE empty`); err != nil {
			t.Fatal(err)
		}
		store, err := ledger.Open(t.Context(), s.DSN(name), ledger.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		behind := door(t, name)
		return ledgertest.Fixture{Store: store, Exec: func(q string) error { _, err := behind.Exec(q); return err }}
	})
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

