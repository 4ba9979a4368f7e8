//go:build linux

package torture_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is the program with one promise broken on purpose. The change is laid over the source when it is built, so that
// nothing in the program itself has to know of it.
type mutant struct {
	name     string
	file     string // relative to the module
	old, new string // old must stand in the file exactly once
	way      way
	escapes  float64
	long     bool // only in the long form
}

func mutants() []mutant {
	return []mutant{
		{
			name: "settles leases without killing orphans first", way: exitFind, escapes: 30, file: "internal/cli/processes.go",
			old: "\t_, err := worker.KillMarked(ctx, supervisor)\n", new: "\tif ctx != nil {\n\t\treturn nil\n\t}\n\t_, err := worker.KillMarked(ctx, supervisor)\n",
		},
		{
			name: "gives the go without an intent", way: jsonlSelf, file: "internal/runner/slot.go",
			old: "func (r *Runner) intent(ctx context.Context, c reel.Claim, claimed moment) error {\n",
			new: "func (r *Runner) intent(ctx context.Context, c reel.Claim, claimed moment) error {\n\tif ctx != nil {\n\t\treturn nil\n\t}\n",
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
			old: "\tif l.Leader.ID != \"\" && !r.gone(", new: "\tif l.Leader.ID == \"?\" && !r.gone(",
		},
	}
}

// enough is in how many rounds a broken program must be found out. Each was found within the first few when it was written.
const enough = 40

// TestTortureCatches shows that the torture can fail: it must find out every program that is broken on purpose.
func TestTortureCatches(t *testing.T) {
	long := os.Getenv(envRounds) != ""
	pub := publisher(t)
	for _, m := range mutants() {
		if m.long && !long {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			tor := newTorture(t)
			tor.pub, tor.program = pub, m.build(t)
			tor.want, tor.only, tor.way, tor.escapes, tor.wanted = 0, 0, m.way, m.escapes, true
			tor.rounds(t, func(n int) bool { return n <= enough })
			if tor.problems == 0 {
				t.Errorf("a program that %s was not found out: %v", m.name, tor.figures)
			}
		})
	}
}

// build builds the program with the change laid over it.
func (m mutant) build(t *testing.T) string {
	t.Helper()
	file := filepath.Join("..", "..", m.file)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%q stands %d times in %s: the change has to be written anew", m.old, n, m.file)
	}
	program := filepath.Join(t.TempDir(), "reelpass")
	lay(t, program, map[string]string{file: strings.Replace(string(source), m.old, m.new, 1)})
	return program
}
