package cli_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the ledger is damaged behind the program's back
	_ "modernc.org/sqlite"

	"reelpass/internal/ledger"
	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
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

// reelpass runs the program in a folder of its own: in this process its threads would come and go, and take servers with them.
func reelpass(t *testing.T, db string, args ...string) (code int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "reelpass")) // by this name TestMain knows what to play
	}
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, "reelpass"), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), "REELPASS_DB="+db, "USER=ana"), &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
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
		if code, _, errs := reelpass(t, db, "import", posts(t, 30)); code != 0 {
			t.Fatal(errs)
		}
		exec(`UPDATE job SET due_pass=5`)
		code, out, errs := reelpass(t, db, "ledger", "verify")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if code != 1 || len(lines) != 22 || lines[0] != "due: job j0 of batch posts: pending and due in pass 5, where no run will find it: the last pass opened is 0" ||
			lines[20] != "due: and 10 more; --json shows all" || !strings.HasSuffix(lines[21], "is damaged: 30 contradictions in 1 batch, 30 jobs, 0 attempts, 1 event") {
			t.Errorf("%d: %s", code, out)
		}
		if !strings.HasPrefix(errs, "hint: ") {
			t.Error(errs)
		}
		code, out, _ = reelpass(t, db, "ledger", "verify", "--json")
		lines = strings.Split(strings.TrimSpace(out), "\n")
		if code != 1 || len(lines) != 31 || !strings.HasPrefix(lines[0], `{"check":"due","batch":"posts","job_id":"j0","text":"`) ||
			lines[30] != `{"sound":false,"batches":1,"jobs":30,"attempts":0,"events":1,"findings":30}` {
			t.Errorf("%d: %s", code, out)
		}
	})
}

// Machines with reelpasses of other rules do not share a batch. Each says who is older, and what to do.
func TestVersionSkewIsRefused(t *testing.T) {
	stores(t, func(t *testing.T, db string, _ func(string)) {
		file := posts(t, 3)
		if code, _, errs := reelpass(t, db, "import", file); code != 0 {
			t.Fatal(errs)
		}
		s, err := ledger.Open(t.Context(), db, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		lead := func(generation int, version string) {
			t.Helper()
			other := reel.Supervisor{
				ID: version, Name: "pid 7 on phones-2", Generation: generation, Version: version, Rehearsal: true,
				Process: reel.Process{Host: "phones-2", PID: 7},
			}
			l, err := s.Leader(t.Context(), "posts")
			if err == nil {
				err = s.Enlist(other)
			}
			if err == nil {
				_, _, err = s.Lead(t.Context(), reel.Bid{Batch: "posts", Leader: other, Term: l.Term, Limits: reel.DefaultLimits()})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		refused := func(want, hint string) {
			t.Helper()
			for _, args := range [][]string{{"run"}, {"worker"}, {"run", file}} {
				code, _, errs := reelpass(t, db, append(args, "--publisher", "rehearsal")...)
				if code != 1 || !strings.HasPrefix(errs, "reelpass: "+want) || !strings.Contains(errs, "\nhint: "+hint) || strings.Count(errs, "\n") != 2 {
					t.Errorf("%v: %d: %s", args, code, errs)
				}
			}
		}
		lead(reel.Generation-1, "v0.9")
		refused(`batch "posts" is led by reelpass v0.9 (generation 0) of pid 7 on phones-2; this is reelpass `, "stop the older one")
		lead(reel.Generation+1, "v1.9")
		refused(`batch "posts" is led by reelpass v1.9 (generation 2) of pid 7 on phones-2; this is reelpass `, "install the newer reelpass here")
	})
}

// A rehearsal's posts are none: neither takes the other's for its own, and a refused run imports nothing.
func TestRehearsalsAndRealRunsKeepApart(t *testing.T) {
	stores(t, func(t *testing.T, db string, _ func(string)) {
		s, err := ledger.Open(t.Context(), db, ledger.Options{})
		if err == nil {
			err = s.Enlist(reel.Supervisor{ID: "real", Name: "pid 7 on phones-2"})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		code, out, errs := reelpass(t, db, "run", posts(t, 3), "--publisher", "rehearsal")
		if code != 1 || out != "" || errs != `reelpass: this ledger keeps real posts: what a rehearsal does would be taken for real, and never be posted
hint: name another ledger with --db; rehearsals and real runs need one each
` {
			t.Errorf("%d: %s%s", code, out, errs)
		}
		if list, err := s.Batches(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("imported all the same: %v %v", list, err)
		}
	})
}

// What a server is set up to do is told before a night; a server that forgets is warned of, and one that cannot work is a failure.
func TestDoctorKnowsServers(t *testing.T) {
	s, err := postgrestest.Start("fsync=on", "full_page_writes=on", "synchronous_commit=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	address, err := s.Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	exec := func(q string) {
		t.Helper()
		db, err := sql.Open("pgx", address)
		if err == nil {
			_, err = db.Exec(q)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	doctor := func(db string, want int, lines ...string) {
		t.Helper()
		code, out, errs := reelpass(t, db, "doctor", "--publisher", "rehearsal")
		if code != want || errs != "" {
			t.Errorf("code %d, want %d: %s", code, want, errs)
		}
		for _, l := range lines {
			if !regexp.MustCompile("(?m)^" + l).MatchString(out) {
				t.Errorf("no line %q in\n%s", l, out)
			}
		}
	}
	as := func(user string) string { return strings.Replace(address, "reelpass@", user+"@", 1) }
	exec(`CREATE ROLE reader LOGIN`)
	doctor(address, 0, "ok    ledger .* will be made by the first", `ok    server     PostgreSQL \d+.*, \d+ of \d+ connections are open`, "ok    rights ",
		"ok    durable    fsync and full_page_writes are on; synchronous_commit is off by default, and reelpass turns it on for itself",
		"ok    clock      this machine's clock and the server's are .* apart", "ok    disk .* beside the logs")
	doctor(as("reader"), 1, "FAIL  rights     the user lacks CREATE in schema public", "      hint: let the owner")
	if code, _, errs := reelpass(t, address, "import", posts(t, 3)); code != 0 {
		t.Fatal(errs)
	}
	doctor(address, 0, "ok    ledger .* is sound", "ok    rights ")
	exec(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`)
	doctor(as("reader"), 1, "ok    ledger .* is sound", "FAIL  rights     the user lacks DELETE on publish, DELETE on turn, INSERT on account and 21 more")
	if code, out, errs := reelpass(t, as("reader"), "status"); code != 0 || !strings.Contains(out, "posts") {
		t.Errorf("a reader's status: %d %s%s", code, out, errs)
	}
	if code, _, errs := reelpass(t, as("reader"), "pause"); code != 1 || !strings.Contains(errs, "the ledger cannot be written") || strings.Count(errs, "\n") != 2 {
		t.Errorf("a reader's pause: %d %s", code, errs)
	}
	doctor(as("nobody"), 1, "FAIL  server .*: the server refuses this user or password")
	exec(`ALTER DATABASE ledger SET default_transaction_read_only=on`)
	doctor(address, 1, "FAIL  server .*; it takes no changes")
	lazy, err := postgrestest.Start("fsync=off", "full_page_writes=off", "max_connections=8")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lazy.Stop() })
	doctor(lazy.DSN("postgres"), 1, "warn  durable    fsync and full_page_writes off: when this server's machine crashes it may forget an intent", "FAIL  server .* of 5 connections are open",
		"      hint: raise max_connections")
}
