//go:build !race

package runner_test

// scenarios is how many random scenarios are held against the model.
const scenarios = 2000
