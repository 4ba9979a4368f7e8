package ledger_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/ledger/ledgertest"
	"reelpass/internal/reel"
)

func TestStore(t *testing.T) { ledgertest.TestStore(t, inFile) }

func TestStoreAgainstModel(t *testing.T) { ledgertest.TestModel(t, inFile) }

// inFile makes a ledger in a new file, and a second door to the file for the tests.
func inFile(t *testing.T, clock func() time.Time) ledgertest.Fixture {
	path := filepath.Join(memory(t), "ledger.db")
	open := func(t *testing.T) *ledger.Store {
		t.Helper()
		s, err := ledger.Open(context.Background(), path, ledger.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	store := open(t)
	door, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = door.Close() })
	return ledgertest.Fixture{
		Store:   store,
		Dump:    func(t *testing.T) string { return dump(t, door, tablesOfFile) },
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

// memory is a folder in memory where the machine has one: syncing costs nothing there, and is not what the suite tests.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ledger-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func journal(t *testing.T, db *sql.DB) []reel.Event {
	t.Helper()
	rows, err := db.Query(`SELECT seq,data FROM event ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []reel.Event
	for rows.Next() {
		var seq int64
		var data string
		var e reel.Event
		if err := rows.Scan(&seq, &data); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		e.Seq = seq
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tablesOfFile lists the tables of a file, those of SQLite and the migrations left out.
const tablesOfFile = `SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' ORDER BY name`

// dump is every row of some tables.
func dump(t *testing.T, db *sql.DB, tables string) string {
	t.Helper()
	var out strings.Builder
	for _, table := range column(t, db, tables) {
		rows, err := db.Query(`SELECT * FROM "` + table + `" ORDER BY 1, 2`)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			cells, dest := make([]any, len(names)), make([]any, len(names))
			for i := range cells {
				dest[i] = &cells[i]
			}
			if err := rows.Scan(dest...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s:", table)
			for i, c := range cells {
				fmt.Fprintf(&out, " %s=%v", names[i], c)
			}
			out.WriteByte('\n')
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}
