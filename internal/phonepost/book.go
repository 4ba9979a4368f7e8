package phonepost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"reelpass/internal/geelark"
	"reelpass/internal/reel"
)

// Book remembers on this machine's disk which phones were started and by which process, so that they can be stopped when that
// process is dead: they cost money by the minute.
type Book struct {
	Dir  string       // made where it is missing
	Self reel.Process // who starts phones
}

// entry is a phone in the book.
type entry struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Process reel.Process `json:"process"`
}

func (b *Book) file(id string) string {
	return filepath.Join(b.Dir, strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
			return r
		}
		return '_'
	}, id)+".json")
}

// Started enters a phone, durably, before it is started.
func (b *Book) Started(_ context.Context, p geelark.Phone) error {
	data, err := json.Marshal(entry{p.ID, p.Name, b.Self})
	if err == nil {
		err = os.MkdirAll(b.Dir, 0o700)
	}
	if err == nil {
		err = writeDurably(b.file(p.ID), data)
	}
	if err != nil {
		return fmt.Errorf("book of started phones: %w", err)
	}
	return nil
}

func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Stopped strikes a phone out.
func (b *Book) Stopped(p geelark.Phone) {
	_ = os.Remove(b.file(p.ID)) // what stays is stopped once more, which is no harm
}

// Sweep stops the phones of processes that are dead, and says which could not be stopped.
func (b *Book) Sweep(ctx context.Context, v Vendor, alive func(reel.Process) bool) (stopped []string, err error) {
	files, err := os.ReadDir(b.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("book of started phones: %w", err)
	}
	var errs []error
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".json" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(b.Dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // stopped meanwhile
		}
		var e entry
		if err == nil {
			err = json.Unmarshal(data, &e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("book of started phones: %s: %w", f.Name(), err))
			continue
		}
		if alive(e.Process) {
			continue
		}
		if err := v.Stop(ctx, e.ID); err != nil {
			errs = append(errs, &RunningError{Phone: e.Name, Err: err})
			continue
		}
		b.Stopped(geelark.Phone{ID: e.ID})
		stopped = append(stopped, e.Name)
	}
	return stopped, errors.Join(errs...)
}
