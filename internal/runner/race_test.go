//go:build race

package runner_test

// The race detector makes the ledger several times slower: it looks at races in a part of the scenarios, and make test runs all of
// them without it.
const scenarios = 150
