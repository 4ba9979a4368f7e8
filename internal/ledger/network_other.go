//go:build !linux

package ledger

// fileSystem names the file system of a path. It is known on Linux only.
func fileSystem(string) (string, error) { return "", nil }
