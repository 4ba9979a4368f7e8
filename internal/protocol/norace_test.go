//go:build !race

package protocol_test

const big = true
