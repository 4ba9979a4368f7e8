package media

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	files "reelpass/internal/disk"
)

// roomStep is how much room is taken at once for a video of unknown length.
const roomStep = 64 << 20

// part is a video that is being fetched. It is ours alone until it is closed.
type part struct {
	d     disk
	f     *os.File
	path  string
	state partState
	size  int64 // bytes that are there
}

// partState is what a part is a part of.
type partState struct {
	validator
	Total int64 `json:"total"` // bytes of the whole; -1 unknown
	Room  int64 `json:"room"`  // bytes that it may grow to
}

// part opens the part of an address, and waits while another has it.
func (d disk) part(ctx context.Context, key string) (*part, error) {
	p := &part{d: d, path: filepath.Join(d.dir, parts, key)}
	for {
		f, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o640)
		if err != nil {
			return nil, diskLack(err)
		}
		if err := lock(ctx, f, unix.LOCK_EX); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		st, err := f.Stat()
		if err != nil {
			return nil, errors.Join(diskLack(err), f.Close())
		}
		if now, err := os.Stat(p.path); err != nil || !os.SameFile(st, now) { // finished or removed by the one before
			_ = f.Close()
			continue
		}
		p.f, p.size = f, st.Size()
		if !readJSON(p.path+".json", &p.state) {
			p.state = partState{}
		}
		return p, nil
	}
}

// close lets go of the part; what is in it stays for the next fetch, and an empty one goes.
func (p *part) close() {
	if p.f == nil {
		return
	}
	if p.size == 0 {
		p.drop()
		return
	}
	_ = p.f.Close() // a part that lacks bytes is found short, and the whole is checked
	p.f = nil
}

// drop removes the part.
func (p *part) drop() {
	_ = os.Remove(p.path) // where it cannot be, it is a stale part later on
	_ = os.Remove(p.path + ".json")
	_ = p.f.Close()
	p.f, p.size = nil, 0
}

// resumable says that a part can be gone on with, if its origin still has the same version.
func (p *part) resumable() bool { return p.size > 0 && p.state.Strong }

// begin makes the part ready for the whole video from its first byte.
func (p *part) begin(ctx context.Context, v validator, total int64) error {
	if err := p.f.Truncate(0); err != nil {
		return diskLack(err)
	}
	p.size = 0
	p.state = partState{validator: v, Total: total}
	if total < 0 {
		total = min(roomStep, p.d.size)
	}
	return p.reserve(ctx, total)
}

// reserve takes room for the part to grow to so many bytes.
func (p *part) reserve(ctx context.Context, room int64) error {
	return p.d.locked(ctx, func() error {
		p.state.Room = room
		if err := writeJSON(p.path+".json", p.state); err != nil {
			return err
		}
		err := p.d.makeRoom(room - p.size)
		if err != nil {
			p.state.Room = p.size
			_ = writeJSON(p.path+".json", p.state) // it is not written after all
		}
		return err
	})
}

// fill appends what comes, and gives it to also. It says how the disk failed with a lack, and returns what reading failed with as it is.
func (p *part) fill(ctx context.Context, from io.Reader, also io.Writer) error {
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return diskLack(err)
	}
	switch n, err := io.Copy(also, reader{ctx, io.LimitReader(p.f, p.size)}); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil || n != p.size:
		return lack{"storage", "the media cache: a part cannot be read again"}
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if p.size+int64(n) > p.state.Room {
				if err := p.reserve(ctx, max(p.size+int64(n), min(p.size+roomStep, p.d.size))); err != nil {
					return err
				}
			}
			if _, err := p.f.Write(buf[:n]); err != nil {
				return diskLack(err)
			}
			_, _ = also.Write(buf[:n]) // hashes do not fail
			p.size += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish makes the whole part a video of the cache, in use by the caller until the file is closed.
func (p *part) finish(ctx context.Context, name string) (*os.File, error) {
	to := filepath.Join(p.d.dir, videos, name)
	if err := p.f.Sync(); err != nil { // it takes its time: not while others wait for the lock
		return nil, diskLack(err)
	}
	err := p.d.locked(ctx, func() error {
		if err := files.Place(p.f, to); err != nil {
			return diskLack(err)
		}
		_ = os.Remove(p.path + ".json")     // without its part it says nothing
		return lock(ctx, p.f, unix.LOCK_SH) // nobody can come between: whoever removes files holds the lock of the whole
	})
	if err != nil {
		return nil, err
	}
	f := p.f
	p.f = nil
	return f, nil
}
