//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// benchScale is goal 2: a million jobs cost what ten thousand cost.
func benchScale(t *testing.T, y *yard) {
	huge := y.million(t)
	small := y.template(t, 10_000, 1_000)
	tb := newTable("2. A ledger of 1,000,000 jobs (10,000 accounts) against one of 10,000 (1,000 accounts)")
	defer tb.print()
	benchCycleAt(t, y, tb, small, huge)
	benchFirstClaim(t, y, tb, huge)
	benchStatus(t, y, tb, small, huge)
	benchSupervisor(t, y, tb, huge)
}

// benchCycleAt compares the time of a cycle. The big ledger is worked on through all repetitions, the small one begins anew.
func benchCycleAt(t *testing.T, y *yard, tb *table, small, huge string) {
	t.Helper()
	big := y.copyOf(t, huge, "big.db")
	for _, slots := range []int{1, 16} {
		m := measure(func(f figures) {
			f["few"] += runSlots(t, y.copyOf(t, small, "small.db"), slots, stretch).rate
			f["many"] += runSlots(t, big, slots, stretch).rate
		})
		few, many := m["few"], m["many"]
		tb.atMost(fmt.Sprintf("time of a cycle with 1M jobs : with 10k, %d slots", slots), few.by(many), 1.25, "x",
			fmt.Sprintf("%s : %s cycles/s", number(many.median()), number(few.median())))
	}
}

// benchFirstClaim times each step from the opened file to the first claimed job, on a copy that nobody has opened before.
func benchFirstClaim(t *testing.T, y *yard, tb *table, huge string) {
	t.Helper()
	for _, cold := range []bool{false, true} {
		steps, sums := map[string]series{}, series(nil)
		var order []string
		for range repetitions {
			path := y.copyOf(t, huge, "first.db")
			if cold {
				chill(t, path)
			}
			sum := time.Duration(0)
			took := func(step string, d time.Duration) {
				if !slices.Contains(order, step) {
					order = append(order, step)
				}
				steps[step] = append(steps[step], millis(d))
				sum += d
			}
			began := time.Now()
			s, err := ledger.Open(t.Context(), path, ledger.Options{MustExist: true})
			took("open", time.Since(began))
			if err != nil {
				t.Fatal(err)
			}
			sup, err := lead(t.Context(), s, took)
			if err != nil {
				t.Fatal(err)
			}
			began = time.Now()
			_, _, err = s.Claim(t.Context(), reel.Claimant{Batch: batch, Supervisor: sup.ID, Worker: 1})
			took("claim", time.Since(began))
			if err != nil {
				t.Fatal(err)
			}
			sums = append(sums, millis(sum))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		parts := make([]string, len(order))
		for i, step := range order {
			parts[i] = step + " " + number(steps[step].median())
		}
		if beside := strings.Join(parts, ", ") + " ms"; cold {
			tb.show("first claim, with a cold page cache", sums, " ms", beside)
		} else {
			tb.atMost("first claim after opening", sums, 50, " ms", beside)
		}
	}
}

// benchStatus times the status of both ledgers, and asks SQLite how it reads them.
func benchStatus(t *testing.T, y *yard, tb *table, small, huge string) {
	t.Helper()
	paths := [2]string{y.copyOf(t, small, "small.db"), y.copyOf(t, huge, "big.db")}
	var stores [2]*ledger.Store
	for i, path := range paths {
		var err error
		if stores[i], err = ledger.Open(t.Context(), path, ledger.Options{MustExist: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := lead(t.Context(), stores[i], nil); err != nil {
			t.Fatal(err)
		}
		defer stores[i].Close()
	}
	var calls, programs [2]series
	for range repetitions {
		for i, s := range stores {
			const n = 500
			began := time.Now()
			for range n {
				if _, err := s.Status(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			calls[i] = append(calls[i], millis(time.Since(began))/n)
			got := y.execute(t, y.dir, call{args: []string{"status", batch, "--json", "--db", paths[i]}})
			if got.code != 0 {
				t.Fatalf("status: exit %d: %s", got.code, got.stderr)
			}
			programs[i] = append(programs[i], millis(got.wall))
		}
	}
	tb.atMost("status with 1M jobs : with 10k", calls[1].by(calls[0]), 5, "x",
		fmt.Sprintf("%s ms; the whole process %s ms, %sx", number(calls[1].median()), programs[1], programs[1].by(programs[0])))
	b := openBare(t, paths[1], "FULL")
	defer b.close()
	scans, statements := []string{}, statementsOf(t, "../ledger/read.go", "Status", "status", "passes")
	for _, query := range statements {
		for _, step := range b.queryPlan(query) {
			if strings.HasPrefix(step, "SCAN") && !strings.HasPrefix(step, "SCAN CONSTANT") {
				scans = append(scans, step)
			}
		}
	}
	tb.line("status: full scans in its query plans", "0", fmt.Sprint(len(scans)), verdict(len(statements) >= 3, len(scans) == 0),
		strings.Join(append(scans, fmt.Sprintf("%d statements, as they stand in internal/ledger/read.go", len(statements))), "; "))
}

// statementsOf reads the SELECT statements out of functions of a Go file, so that what is explained is what is run.
func statementsOf(t *testing.T, file string, functions ...string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	consts := map[string]string{}
	var text func(ast.Expr) (string, bool)
	text = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			return s, err == nil && e.Kind == token.STRING
		case *ast.Ident:
			s, ok := consts[e.Name]
			return s, ok
		case *ast.BinaryExpr:
			l, ok1 := text(e.X)
			r, ok2 := text(e.Y)
			return l + r, ok1 && ok2
		}
		return "", false
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Names) == 1 && len(v.Values) == 1 {
			if s, ok := text(v.Values[0]); ok {
				consts[v.Names[0].Name] = s
			}
		}
		return true
	})
	var found []string
	for _, d := range tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !slices.Contains(functions, f.Name.Name) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				for _, arg := range call.Args {
					if s, ok := text(arg); ok && strings.HasPrefix(strings.TrimSpace(s), "SELECT") {
						found = append(found, s)
					}
				}
			}
			return true
		})
	}
	return found
}

// benchSupervisor runs the program on a million jobs for some seconds, stops it softly, and looks at its memory meanwhile.
func benchSupervisor(t *testing.T, y *yard, tb *table, huge string) {
	t.Helper()
	for _, kind := range []struct {
		name, settings string
		workers        int
	}{
		{"command /bin/true, 4 workers", "publisher: command\ncommand:\n  run: [/bin/true]\n", 4},
		{"rehearsal, 16 workers", "publisher: rehearsal\nrehearsal:\n  script: script.json\n  latency: 0\n", 16},
	} {
		dir := y.folder(t, "supervisor")
		for name, text := range map[string]string{"reelpass.yaml": kind.settings, "script.json": "{}"} { // an empty script: all is posted
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		db := y.copyOf(t, huge, "big.db")
		var first time.Time
		posted := 0
		got := y.execute(t, dir, call{
			args: []string{"run", "--batch", batch, "--db", db, "--json", "--verbose", "--workers", strconv.Itoa(kind.workers)}, stop: 8 * time.Second,
			line: func(at time.Time, line []byte) {
				if first.IsZero() && bytes.Contains(line, []byte(`"event":"claimed"`)) {
					first = at
				}
				if bytes.Contains(line, []byte(`"event":"succeeded"`)) {
					posted++
				}
			},
		})
		beside := fmt.Sprintf("peak %s MB; %d jobs in %s s; exit %d", number(got.peak), posted, number(got.wall.Seconds()), got.code)
		if posted == 0 || got.code != 130 {
			beside += ": " + got.stderr
		}
		tb.line("supervisor resident at 1M jobs, "+kind.name, "<= 100 MB", got.resident.String()+" MB", verdict(posted > 0, got.peak <= 100), beside)
		if !first.IsZero() {
			tb.show("  its first claim, from the start of the process", series{millis(first.Sub(got.began))}, " ms", "as the reader of --json sees it; once")
		}
	}
}
