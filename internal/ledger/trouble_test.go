package ledger

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a server says in codes becomes one kind of trouble each. Most of it a test cannot bring about.
func TestServerCodes(t *testing.T) {
	for code, want := range map[string]Trouble{
		"28P01": Denied, "28000": Denied, "3D000": NoDatabase, "42501": Unwritable, "25006": Unwritable, "53100": Full,
		"55P03": Busy, "57014": Busy, "42P01": Damaged, "57P03": Unreachable, "53300": Unreachable, "22012": "",
	} {
		if got := serverTrouble(fmt.Errorf("claim: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s is %q, want %q", code, got, want)
		}
	}
	if got := serverTrouble(fmt.Errorf("claim: %w", context.DeadlineExceeded)); got != Unreachable {
		t.Errorf("silence is %q", got)
	}
}
