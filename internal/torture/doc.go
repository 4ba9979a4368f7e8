// Package torture is a practice room: it runs the real program as real processes, kills them at random and counts what
// really happened in a record that the program does not keep.
//
// It knows how to break things and how to recount: effects outside, the journal, totals, passes, exit codes, processes left
// over. It knows nothing of how the promises are kept; ledger, runner, worker and command do that, and their own tests are
// the place for a single case.
package torture
