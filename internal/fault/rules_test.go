package fault_test

import (
	"testing"

	"reelpass/internal/fault"
)

// Every rule has a case, every case gets its verdict, and no rule is hidden behind an earlier one.
func TestEveryCase(t *testing.T) {
	for _, miss := range fault.Default().Test() {
		t.Error(miss)
	}
}
