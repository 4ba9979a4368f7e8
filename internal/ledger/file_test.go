package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"reelpass/internal/reel"
)

func mustOpen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// troubleOf is the kind of a *FileError, whose text must be one line that begins with the path.
func troubleOf(t *testing.T, path string, err error) Trouble {
	t.Helper()
	var file *FileError
	if !errors.As(err, &file) {
		t.Fatalf("got %v, want a *FileError", err)
	}
	if text := file.Error(); strings.ContainsAny(text, "\n") || !strings.HasPrefix(text, path+": "+string(file.Kind)) {
		t.Errorf("text %q", text)
	}
	return file.Kind
}

// tree is every file below a folder with its bytes.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out bytes.Buffer
	if err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			fmt.Fprintf(&out, "%s %x\n", p, sha256.Sum256(data))
			return err
		}
		fmt.Fprintf(&out, "%s %s\n", p, d.Type())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestForeignFilesAreNotTouched(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, path string){
		"text":       func(t *testing.T, path string) { write(t, path, strings.Repeat("account,video_path,caption\n", 20)) },
		"short text": func(t *testing.T, path string) { write(t, path, "x") },
		"header only": func(t *testing.T, path string) {
			write(t, path, "SQLite format 3\x00"+strings.Repeat("\x00", 20))
		},
		"another program's database": func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`CREATE TABLE job(x); INSERT INTO job VALUES(1)`); err != nil {
				t.Fatal(err)
			}
		},
		"folder": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"pipe": func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o644); err != nil {
				t.Skip(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "l.db")
			make(t, path)
			before := tree(t, dir)
			_, err := Open(context.Background(), path, Options{})
			if k := troubleOf(t, path, err); k != Foreign {
				t.Errorf("got %q", k)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNewLedgers(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(context.Background(), filepath.Join(dir, "none.db"), Options{MustExist: true}); troubleOf(t, filepath.Join(dir, "none.db"), err) != Missing {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("a ledger that must exist left %v", entries)
	}
	empty := filepath.Join(dir, "empty.db")
	write(t, empty, "")
	s := mustOpen(t, empty)
	seed(t, s, "b", 3, 3)
	mustOpen(t, filepath.Join(dir, "new", "folder", "odd name?#%.db"))
	if _, err := os.Stat(filepath.Join(dir, "new", "folder", "odd name?#%.db")); err != nil {
		t.Error(err)
	}
}

// What makes a commit durable, read back from the connections.
func TestPragmas(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	for query, want := range map[string]string{
		"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA application_id": fmt.Sprint(applicationID), "PRAGMA busy_timeout": "60000",
	} {
		var got string
		if err := rowOf(s.writer.conn, query, nil, &got); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", query, got, want, err)
		}
	}
	if _, err := s.read.Exec(`DELETE FROM total`); err == nil {
		t.Error("a reader's connection writes")
	}
}

// Numbers that are quoted outside are never given again.
func TestNumbersAreNotReused(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	for _, table := range []string{"batch", "job", "account", "supervisor", "hold"} {
		var text string
		if err := s.read.QueryRow(`SELECT sql FROM sqlite_master WHERE name=?`, table).Scan(&text); err != nil || !strings.Contains(text, "AUTOINCREMENT") {
			t.Errorf("%s: %v %s", table, err, text)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version(version_id,is_applied) VALUES(99,1); PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, opt := range []Options{{}, {ReadOnly: true}} {
		if _, err := Open(context.Background(), path, opt); troubleOf(t, path, err) != Newer {
			t.Error(err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("it was changed")
	}
}

func TestDamagedFiles(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, whole)
	seed(t, s, "b", 2000, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	garbage := func(from, n int) []byte {
		bad := bytes.Clone(data)
		for i := from; i < min(len(bad), from+n); i++ {
			bad[i] = byte(chance.Uint32())
		}
		return bad
	}
	cases := map[string][]byte{
		"truncated to a page":   data[:4096],
		"truncated in a page":   data[:len(data)/2+100],
		"truncated at a page":   data[:len(data)/8192*4096],
		"the header's end":      garbage(24, 40),
		"the schema":            garbage(100, 300),
		"all after the header":  garbage(4096, len(data)),
		"the last page":         garbage(len(data)-4096, 4096),
		"zeroes in the middle":  append(append(bytes.Clone(data[:len(data)/2]), make([]byte, 8192)...), data[len(data)/2+8192:]...),
		"text after the header": append(bytes.Clone(data[:100]), bytes.Repeat([]byte("text "), 2000)...),
	}
	for i := range 20 {
		cases[fmt.Sprintf("garbage %d", i)] = garbage(4096+chance.IntN(len(data)-4096), 64+chance.IntN(3000))
	}
	for name, bad := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "l.db")
			write(t, path, string(bad))
			err := use(path)
			if strings.HasPrefix(name, "garbage") && err == nil {
				return // in a text or in free space: nobody can tell
			}
			if k := troubleOf(t, path, err); k != Damaged && k != Foreign {
				t.Errorf("%q: %v", k, err)
			}
		})
	}
}

// use opens a ledger, lets SQLite look through all of it, and works with it.
func use(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Check(ctx); err != nil {
		return err
	}
	if err := s.Enlist(reel.Supervisor{ID: "sup-1"}); err != nil {
		return err
	}
	for _, err := range s.Jobs(ctx, "b", Filter{}) {
		if err != nil {
			return err
		}
	}
	l, err := s.Leader(ctx, "b")
	if err != nil {
		return err
	}
	r, _, err := s.Lead(ctx, reel.Bid{Batch: "b", Leader: reel.Supervisor{ID: "sup-1"}, Term: l.Term, Limits: reel.DefaultLimits()})
	if err != nil {
		return err
	}
	if _, err := s.OpenPass(ctx, "b", r.Term, 1); err != nil {
		return err
	}
	return cycle(s, 1)
}

func TestUnwritablePlaces(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{
		func() error { return os.Chmod(path, 0o444) },
		func() error { return errors.Join(os.Chmod(path, 0o644), os.Chmod(dir, 0o555)) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), path, Options{}); troubleOf(t, path, err) != Unwritable {
			t.Error(err)
		}
	}
	_ = os.Chmod(dir, 0o755)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), path, Options{}); troubleOf(t, path, err) != Unreadable {
		t.Error(err)
	}
}

// Whatever the schema says of one row that names another, Verify looks at it.
func TestEveryReferenceIsVerified(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"))
	rows, err := s.read.Query(`SELECT m.name,f."from",f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type='table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var r reference
		if err := rows.Scan(&r.table, &r.column, &r.of); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(references(), r) {
			t.Errorf("%+v is not looked at", r)
		}
	}
	if err := rows.Err(); err != nil || n == 0 {
		t.Errorf("%d references: %v", n, err)
	}
}
