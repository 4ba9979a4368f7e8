package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// What is wrong with a server is said in one line, with its kind, and never with a password.
func TestServerTroubles(t *testing.T) {
	s := newServer(t)
	address, err := s.Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	door, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = door.Close() })
	run := func(queries ...string) {
		t.Helper()
		for _, q := range queries {
			if _, err := door.Exec(q); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
	as := func(user, database string) string {
		return strings.Replace(s.DSN(database), "reelpass@", user+":hunter2@", 1)
	}
	run(`CREATE ROLE reader LOGIN`, `CREATE ROLE cannot NOLOGIN`, `CREATE DATABASE frozen`, `ALTER DATABASE frozen SET default_transaction_read_only=on`)
	for name, test := range map[string]struct {
		address string
		exist   bool
		want    ledger.Trouble
	}{
		"no address":        {"postgres://u:hunter2@h:port/x", false, ledger.BadAddress},
		"a bare password":   {"postgres://u:hunter2@x#y/z@127.0.0.1:1/x", false, ledger.BadAddress},
		"nobody there":      {"postgres://u:hunter2@127.0.0.1:1/x", false, ledger.Unreachable},
		"no such user":      {as("nobody", "ledger"), false, ledger.Denied},
		"a user kept out":   {as("cannot", "ledger"), false, ledger.Denied},
		"no such database":  {as("reelpass", "none"), false, ledger.NoDatabase},
		"no rights":         {as("reader", "ledger"), false, ledger.Unwritable},
		"a read-only one":   {as("reelpass", "frozen"), false, ledger.Unwritable},
		"no ledger in it":   {as("reelpass", "ledger"), true, ledger.Missing},
		"a reader's ledger": {as("reader", "ledger"), true, ledger.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := ledger.Open(t.Context(), test.address, ledger.Options{MustExist: test.exist})
			var trouble *ledger.FileError
			if !errors.As(err, &trouble) || trouble.Kind != test.want {
				t.Errorf("%v", err)
			}
			if store != nil || err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%q", err)
			}
		})
	}
	store, err := ledger.Open(t.Context(), address, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	run(`INSERT INTO reelpass_version(version_id,is_applied) VALUES(99,true)`)
	for _, opt := range []ledger.Options{{}, {ReadOnly: true}} {
		_, err = ledger.Open(t.Context(), address, opt)
		var trouble *ledger.FileError
		if !errors.As(err, &trouble) || trouble.Kind != ledger.Newer {
			t.Errorf("a newer ledger: %v", err)
		}
	}
}

// A password that is wrong, or that is not given, is told as such, and the one that was given is not shown.
func TestWrongPassword(t *testing.T) {
	rules, err := os.CreateTemp("", "pg_hba-*") // the server's user must read it
	if err == nil {
		_, err = rules.WriteString("host all reelpass 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
		err = errors.Join(err, rules.Chmod(0o644), rules.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(rules.Name()) })
	s, err := postgrestest.Start("fsync=off", "hba_file="+rules.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	door, err := sql.Open("pgx", s.DSN("postgres"))
	if err == nil {
		_, err = door.Exec(`CREATE ROLE ana LOGIN PASSWORD 'right'`)
		_, errMade := door.Exec(`CREATE DATABASE ana OWNER ana`)
		err = errors.Join(err, errMade, door.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]ledger.Trouble{"ana:hunter2@": ledger.Denied, "ana@": ledger.Denied, "ana:right@": ""} {
		store, err := ledger.Open(t.Context(), strings.Replace(s.DSN("ana"), "reelpass@", who, 1), ledger.Options{})
		var trouble *ledger.FileError
		if want == "" && err == nil {
			err = store.Close()
		}
		if (want != "") != errors.As(err, &trouble) || want != "" && trouble.Kind != want {
			t.Errorf("%s: %v", who, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %q", who, err)
		}
	}
}

// full is one job from its claim to its post.
func full(ctx context.Context, s *ledger.Store) error {
	c, _, err := s.Claim(ctx, reel.Claimant{Batch: "b", Supervisor: "me", Worker: 1})
	if err != nil {
		return err
	}
	path := reel.Fingerprint{Key: "path:" + c.Job.VideoPath, Path: "path:" + c.Job.VideoPath}
	if _, err := s.Intent(ctx, c, path, false); err != nil {
		return err
	}
	_, err = s.Record(ctx, c, reel.Ending{Decision: plan.Posted(), Attempt: reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Outcome: reel.OutcomeSucceeded, ShareBegun: true,
	}})
	return err
}

// A server that is shut down, crashes, or cuts every connection between and within transactions costs no change and repeats none.
func TestServerGoesAndComesBack(t *testing.T) {
	server := newServer(t)
	address, err := server.Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ledger.Open(t.Context(), address, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const jobs = 400
	if err := begin(t.Context(), s, jobs); err != nil {
		t.Fatal(err)
	}
	posted := make(chan error, jobs)
	go func() {
		defer close(posted)
		for range jobs {
			posted <- full(context.Background(), s)
		}
	}()
	done := 0
	for err := range posted {
		if err != nil {
			t.Fatalf("job %d: %v", done, err)
		}
		switch done++; {
		case done%150 == 100: // twice down and up while the next change is under way
			sig := map[bool]syscall.Signal{true: syscall.SIGINT, false: syscall.SIGQUIT}[done < 150]
			if err := errors.Join(server.Down(sig), server.Up()); err != nil {
				t.Fatal(err)
			}
		case done%20 == 0:
			cut(t, address)
		}
	}
	st, err := s.Status(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if st.Totals.Succeeded != jobs || st.Totals.Attempts != jobs || st.Passes[0].Succeeded != jobs {
		t.Errorf("%+v", st)
	}
}

// begin imports a batch and opens its first pass.
func begin(ctx context.Context, s *ledger.Store, jobs int) error {
	me := reel.Supervisor{ID: "me", Name: "me"}
	if err := s.Enlist(me); err != nil {
		return err
	}
	if _, err := s.Import(ctx, "b", func(yield func(reel.Post, error) bool) {
		for i := range jobs {
			if !yield(reel.Post{Job: reel.Job{ID: reel.JobID(fmt.Sprint(i)), Account: fmt.Sprint(i), VideoPath: fmt.Sprint("/", i)}}, nil) {
				return
			}
		}
	}); err != nil {
		return err
	}
	r, _, err := s.Lead(ctx, reel.Bid{Batch: "b", Leader: me, Limits: reel.DefaultLimits()})
	if err == nil {
		_, err = s.OpenPass(ctx, "b", r.Term, 1)
	}
	return err
}

// cut ends every session of the ledger's, wherever it is.
func cut(t *testing.T, address string) {
	t.Helper()
	door, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = door.Close() }()
	if _, err := door.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='reelpass'`); err != nil {
		t.Error(err)
	}
}

// Many that ask where a batch stands share few connections, and none waits for another for ever.
func TestManyReadAtOnce(t *testing.T) {
	address, err := newServer(t).Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ledger.Open(t.Context(), address, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := begin(t.Context(), s, 3); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 5 {
				if st, err := s.Status(t.Context(), "b"); err != nil || st.Phase != reel.PhaseRunning {
					t.Errorf("%s, %v", st.Phase, err)
				}
			}
		})
	}
	all.Wait()
}
