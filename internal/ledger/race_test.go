//go:build race

package ledger

// The race detector makes SQLite ten times slower; make test runs the model once more without it.
const modelRuns = "15"
