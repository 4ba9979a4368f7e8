package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Backup writes a copy of the file as it stands at one moment, whole and synced before it has its name. Runs may go on meanwhile.
func (s *Store) Backup(ctx context.Context, to string) error {
	part, err := os.CreateTemp(filepath.Dir(to), ".reelpass-backup-*") // SQLite writes into an empty file
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }() // it has another name by then, or is of no use
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return errors.Join(s.trouble(err), part.Close())
	}
	_, err = conn.ExecContext(ctx, `PRAGMA query_only=0`)
	if err == nil {
		_, err = conn.ExecContext(ctx, `VACUUM INTO ?`, part.Name())
	}
	_, back := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA query_only=1`)
	if err = errors.Join(err, back, conn.Close()); err != nil {
		return errors.Join(s.trouble(err), part.Close())
	}
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), to)
}
