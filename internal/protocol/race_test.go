//go:build race

package protocol_test

// The race detector makes a search slow and finds nothing in it: the big worlds are visited without it (Makefile).
const big = false
