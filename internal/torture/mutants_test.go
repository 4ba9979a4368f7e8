//go:build linux

package torture_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/postgrestest"
)

// mutant is the program with one promise broken on purpose. The change is laid over the source when it is built.
type mutant struct {
	name     string
	file     string  // relative to the module
	old, new string  // old must stand in the file exactly once
	and      *mutant // a second change, where another guard stands before the one that is meant
	way      way
	long     bool // only in the long form
}

func mutants() []mutant {
	return []mutant{
		{
			name: "gives the go without an intent", way: jsonlSelf, file: "internal/runner/slot.go",
			old: "func (r *Runner) intent(ctx context.Context, c reel.Claim, claimed moment, here reel.Copy) error {\n",
			new: "func (r *Runner) intent(ctx context.Context, c reel.Claim, claimed moment, here reel.Copy) error {\n\tif ctx != nil {\n\t\treturn nil\n\t}\n",
		},
		{
			name: "has no guard against duplicates", way: jsonlFind, file: "internal/runner/slot.go",
			old: "r.Slots.Intent(ctx, c, fp, r.AllowRepost)", new: "r.Slots.Intent(ctx, c, fp, true)",
		},
		{
			name: "takes a dead worker's doubt for a failure", way: exitBlind, long: true, file: "internal/runner/leases.go",
			old: "begun := h.State == reel.Publishing", new: "begun := false",
		},
		{
			name: "takes a look that cannot tell for an absence", way: exitFind, long: true, file: "internal/command/find.go",
			old: "\treturn unsure(why)\n", new: "\t_ = why\n\treturn reel.Look{Finding: reel.Absent}\n",
		},
		{
			name: "lets two lead", way: rehearsalFind, long: true, file: "internal/runner/passes.go",
			old: "\treturn l.Leader.ID != \"\" && !r.gone(", new: "\treturn l.Leader.ID == \"?\" && !r.gone(",
		},
	}
}

// careless is a mutant that is found out when a supervisor dies before what it started.
func careless() mutant {
	return mutant{
		name: "settles leases without killing what is left of their workers", file: "internal/cli/processes.go",
		old: "\t_, err := worker.KillMarked(ctx, supervisor)\n", new: "\tif ctx != nil {\n\t\treturn nil\n\t}\n\t_, err := worker.KillMarked(ctx, supervisor)\n",
	}
}

// late are mutants that are found out when a supervisor comes back after its leases.
func late() []mutant {
	return []mutant{
		{
			name: "takes an intent under an old fence", file: "internal/ledger/claim.go",
			old: "UPDATE job SET state='publishing', lease_until=? WHERE id=? AND fence=?\n", new: "UPDATE job SET state='publishing', lease_until=? WHERE id=? AND fence>=?\n",
			// A supervisor that learns that its leases are lost kills their workers before they are heard, mostly. The fence is for the rest.
			and: &mutant{
				file: "internal/runner/leases.go",
				old:  "range leases {\n\t\tif cancel :=", new: "range leases[:0] {\n\t\tif cancel :=",
			},
		},
	}
}

// enough is in how many rounds a broken program must be found out. Each was found within the first few when it was written.
const enough = 40

// TestTortureCatches shows that the torture can fail: it must find out every program that is broken on purpose.
func TestTortureCatches(t *testing.T) {
	t.Parallel()
	long := os.Getenv(envRounds) != ""
	pub, server := publisher(t), template(t)
	for _, m := range mutants() {
		if m.long && !long {
			continue
		}
		program := m.build(t)
		for on, down := range map[string]*postgrestest.Server{"file": nil, "server": server} {
			t.Run(m.name+" with a "+on, func(t *testing.T) {
				t.Parallel()
				tor := newTorture(t)
				tor.pub, tor.program, tor.template = pub, program, down
				tor.want, tor.only, tor.way, tor.wanted = 0, 0, m.way, true
				tor.rounds(t, func(n int) bool { return n <= enough })
				if tor.problems == 0 {
					t.Errorf("a program that %s was not found out: %v", m.name, tor.figures)
				}
			})
		}
	}
}

// build builds the program with the change laid over it.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	texts := map[string]string{}
	for c := &m; c != nil; c = c.and {
		file := filepath.Join("..", "..", c.file)
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), c.old); n != 1 {
			t.Fatalf("%q stands %d times in %s: the change has to be written anew", c.old, n, c.file)
		}
		texts[file] = strings.Replace(string(source), c.old, c.new, 1)
	}
	program := filepath.Join(t.TempDir(), "reelpass")
	lay(t, program, texts)
	return program
}
