package worker

import (
	"bytes"
	"testing"
)

// Whatever a program calls itself, and that may look like the rest of the line, its start time is found.
func FuzzParseStat(f *testing.F) {
	for _, name := range []string{"sh", "a b) c", ") S 1 12 12 0", "((", "", "\n"} {
		f.Add([]byte(name), []byte(name))
	}
	f.Fuzz(func(t *testing.T, name, line []byte) {
		_, _ = parseStat(line) // must not panic
		rest := []byte(") S 1 77 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 2 3\n")
		s, err := parseStat(bytes.Join([][]byte{[]byte("12 ("), name, rest}, nil))
		if err != nil || s.started != 4711 || s.pgrp != 77 || s.state != 'S' {
			t.Fatalf("name %q: got %+v, %v", name, s, err)
		}
	})
}
