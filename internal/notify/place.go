package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock" // kernel lock: two servers of one ledger must not both tell of it

	"reelpass/internal/disk"
)

// place is the file that remembers over a restart what was told. Nobody but its holder writes it.
type place struct {
	path   string
	ledger string
	lock   *flock.Flock
}

// kept is what stands in the file.
type kept struct {
	Ledger string    `json:"ledger"`
	Saved  time.Time `json:"saved"`
	Memory Memory    `json:"memory"`
}

func newPlace(path, ledger string) *place {
	return &place{path: path, ledger: ledger, lock: flock.New(path + ".lock")}
}

// take says whether the file is ours alone now.
func (p *place) take() (bool, error) {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o750); err != nil {
		return false, fmt.Errorf("alerts: %w", err)
	}
	ours, err := p.lock.TryLock()
	if err != nil {
		return false, fmt.Errorf("alerts: %w", err)
	}
	return ours, nil
}

func (p *place) release() error { return p.lock.Close() }

// load reads what was kept of this ledger; false where there is nothing.
func (p *place) load() (Memory, bool, error) {
	data, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{}, false, nil
	}
	if err != nil {
		return Memory{}, false, fmt.Errorf("alerts: %w", err)
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return Memory{}, false, fmt.Errorf("alerts: %s is damaged, and is begun anew: %w", p.path, err)
	}
	return k.Memory, k.Ledger == p.ledger, nil
}

// save writes the file in one piece.
func (p *place) save(m Memory, now time.Time) error {
	data, err := json.MarshalIndent(kept{Ledger: p.ledger, Saved: now.UTC(), Memory: m}, "", "  ")
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	if err := disk.Write(p.path, 0o600, func(f *disk.File) error {
		_, err := f.Write(append(data, '\n'))
		return err
	}); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	return nil
}
