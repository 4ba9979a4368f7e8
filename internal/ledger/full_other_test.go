//go:build !linux

package ledger

import "testing"

func smallDisk(t *testing.T) string {
	t.Helper()
	t.Skip("mounts are known on Linux only")
	return ""
}
