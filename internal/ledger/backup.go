package ledger

import (
	"context"
	"errors"

	"reelpass/internal/disk"
)

// Backup writes a copy of the file as it stands at one moment, whole and synced before it has its name. Runs may go on meanwhile.
func (s *Store) Backup(ctx context.Context, to string) error {
	return disk.Write(to, 0o600, func(f *disk.File) error { // SQLite writes into an empty file
		conn, err := s.read.Conn(ctx)
		if err != nil {
			return s.trouble(err)
		}
		_, err = conn.ExecContext(ctx, `PRAGMA query_only=0`)
		if err == nil {
			_, err = conn.ExecContext(ctx, `VACUUM INTO ?`, f.Part())
		}
		_, back := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA query_only=1`)
		return s.trouble(errors.Join(err, back, conn.Close()))
	})
}
