//go:build race

package ledger

// The race detector makes the ledger several times slower; make test runs the model once more without it.
const modelRuns = "15"
