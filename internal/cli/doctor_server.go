package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"reelpass/internal/config"
	"reelpass/internal/ledger"
)

// oldestServer is the oldest PostgreSQL that is tried with, and maxSkew how far clocks may be apart before a person is told.
const (
	oldestServer = 13_00_00
	maxSkew      = 5 * time.Second
)

// examineServer looks how the server of a ledger is set up.
func examineServer(ctx context.Context, s config.Settings) []finding {
	f, err := ledger.Examine(ctx, s.DB)
	if err != nil {
		return []finding{bad("server", err)}
	}
	return []finding{serverItself(f), serverRights(f), serverDurable(f), serverClock(f)}
}

func serverItself(f ledger.Facts) finding {
	x := finding{Check: "server", OK: true, Text: fmt.Sprintf("PostgreSQL %s, %d of %d connections are open", f.Version, f.Connections, f.Connectable)}
	switch {
	case f.Number < oldestServer:
		x.OK, x.Hint = false, "use PostgreSQL 13 or newer"
	case f.ReadOnly:
		x.OK, x.Text, x.Hint = false, x.Text+"; it takes no changes", "name the primary server; look at default_transaction_read_only where it is the primary"
	case f.Connectable-f.Connections < f.PerSupervisor:
		x.OK, x.Hint = false, fmt.Sprintf("raise max_connections: each run and each worker needs up to %d", f.PerSupervisor)
	}
	return x
}

func serverRights(f ledger.Facts) finding {
	if len(f.Missing) == 0 {
		return finding{Check: "rights", OK: true, Text: "the user may do all that a run does"}
	}
	text := strings.Join(f.Missing[:min(3, len(f.Missing))], ", ")
	if n := len(f.Missing) - 3; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return finding{Check: "rights", Text: "the user lacks " + text, Hint: "let the owner of the tables run reelpass, or GRANT what is missing"}
}

// serverDurable warns of a server that says "kept" before it is: a post that it forgets may be repeated.
func serverDurable(f ledger.Facts) finding {
	x := finding{Check: "durable", OK: true, Text: "fsync and full_page_writes are on"}
	if f.Lazy {
		x.Text += "; synchronous_commit is off by default, and reelpass turns it on for itself"
	}
	if len(f.Off) > 0 {
		x.Warn, x.Text = true, strings.Join(f.Off, " and ")+" off: when this server's machine crashes it may forget an intent, and its video may be posted twice"
		x.Hint = "turn it on in postgresql.conf before anything real is posted"
	}
	return x
}

func serverClock(f ledger.Facts) finding {
	x := finding{Check: "clock", OK: true, Text: fmt.Sprintf("this machine's clock and the server's are %s apart", f.Ahead.Abs())}
	if f.Ahead.Abs() > maxSkew {
		x.Warn, x.Hint = true, "set both by NTP: publish_at and all leases go by the server's clock"
	}
	return x
}
