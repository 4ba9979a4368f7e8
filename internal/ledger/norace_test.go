//go:build !race

package ledger

// modelRuns is how many random histories are held against the model.
const modelRuns = "100"
