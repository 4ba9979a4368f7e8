//go:build linux

package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"reelpass/internal/ledger"
)

// benchImport is goal 4: a file of a million rows.
func benchImport(t *testing.T, y *yard) {
	const rows, tenth, accounts = 1_000_000, 100_000, 10_000
	file, smallFile := y.postsFile(t, rows, accounts), y.postsFile(t, tenth, accounts)
	var ours, bareTimes, peak, smallPeak, cpu series
	for range repetitions {
		got := y.importFile(t, file, rows)
		ours, peak, cpu = append(ours, got.wall.Seconds()), append(peak, got.peak), append(cpu, got.cpu.Seconds())
		bareTimes = append(bareTimes, y.bareImport(t, rows, accounts))
		smallPeak = append(smallPeak, y.importFile(t, smallFile, tenth).peak)
	}
	tb := newTable("4. Import of 1,000,000 rows from a CSV file")
	defer tb.print()
	tb.show("bare prepared inserts of the same rows, one transaction", bareTimes, " s", "same tables, indexes and driver; closing the file is in both times")
	tb.show("reelpass import, the whole process", ours, " s", fmt.Sprintf("processor time %s s", cpu))
	tb.atMost("its time : the bare inserts'", ours.by(bareTimes), 1.3, "x", "")
	tb.atMost("its peak memory", peak, 64, " MB", "VmHWM")
	tb.atMost("its peak memory : that with 100,000 rows", peak.by(smallPeak), 1.1, "x", smallPeak.String()+" MB")
}

// importFile imports a file into a new ledger with the program itself.
func (y *yard) importFile(t *testing.T, file string, rows int) outcome {
	t.Helper()
	dir := y.folder(t, "import")
	got := y.execute(t, dir, call{args: []string{"import", file, "--batch", batch}})
	if got.code != 0 {
		t.Fatalf("import: exit %d: %s", got.code, got.stderr)
	}
	s, err := ledger.Open(t.Context(), filepath.Join(dir, ".reelpass", "ledger.db"), ledger.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(t.Context(), batch)
	if err = errors.Join(err, s.Close(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	if st.Totals.Jobs != rows {
		t.Fatalf("%d jobs were imported, not %d", st.Totals.Jobs, rows)
	}
	return got
}

// bareImport inserts the same rows into the same empty tables: seconds.
func (y *yard) bareImport(t *testing.T, rows, accounts int) float64 {
	t.Helper()
	path := y.copyOf(t, y.template(t, 0, 1), "bare-import.db")
	b := openBare(t, path, "FULL")
	took := b.insertAll(rows, accounts)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return took.Seconds()
}
