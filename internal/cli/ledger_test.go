package cli_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the ledger is damaged behind the program's back
	_ "modernc.org/sqlite"

	"reelpass/internal/cli"
	"reelpass/internal/postgrestest"
)

// stores gives every test a ledger of each kind: its name, and a way to run statements behind the program's back.
func stores(t *testing.T, try func(t *testing.T, db string, exec func(string))) {
	t.Helper()
	behind := func(t *testing.T, driver, name string) func(string) {
		return func(q string) {
			t.Helper()
			db, err := sql.Open(driver, name)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		try(t, path, behind(t, "sqlite", path))
	})
	t.Run("server", func(t *testing.T) {
		s, err := postgrestest.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop() })
		address, err := s.Database(t.Context(), "ledger")
		if err != nil {
			t.Fatal(err)
		}
		try(t, address, behind(t, "pgx", address))
	})
}

// reelpass runs a command in this process.
func reelpass(db string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	getenv := func(name string) string { return map[string]string{"REELPASS_DB": db, "USER": "ana"}[name] }
	code = cli.Main(append([]string{os.Args[0]}, args...), getenv, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// posts writes a file of n jobs, each of its own account.
func posts(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "posts.csv")
	var b strings.Builder
	b.WriteString("job_id,account,video_path,caption\n")
	for i := range n {
		fmt.Fprintf(&b, "j%d,a%d,v%d.mp4,one\n", i, i, i)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A damaged ledger is told of in lines that say where, and not in thousands of them.
func TestVerifyTellsOfDamage(t *testing.T) {
	stores(t, func(t *testing.T, db string, exec func(string)) {
		if code, _, errs := reelpass(db, "import", posts(t, 30)); code != 0 {
			t.Fatal(errs)
		}
		exec(`UPDATE job SET due_pass=5`)
		code, out, errs := reelpass(db, "ledger", "verify")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != 1 || len(lines) != 22 || lines[0] != "due: job j0 of batch posts: pending and due in pass 5, where no run will find it: the last pass opened is 0" ||
			lines[20] != "due: and 10 more; --json shows all" || !strings.HasSuffix(lines[21], "is damaged: 30 contradictions in 1 batch, 30 jobs, 0 attempts, 1 event") {
			t.Errorf("%d: %s", code, out)
		}
		if !strings.HasPrefix(errs, "hint: ") {
			t.Error(errs)
		}
		code, out, _ = reelpass(db, "ledger", "verify", "--json")
		lines = strings.Split(strings.TrimSpace(out), "\n")
		if code != 1 || len(lines) != 31 || !strings.HasPrefix(lines[0], `{"check":"due","batch":"posts","job_id":"j0","text":"`) ||
			lines[30] != `{"sound":false,"batches":1,"jobs":30,"attempts":0,"events":1,"findings":30}` {
			t.Errorf("%d: %s", code, out)
		}
	})
}
