package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The folder:
//
//	videos/SHA256.mp4    a whole video, named by its bytes; whoever uses it holds a shared lock on it
//	parts/KEY            a video that is being fetched, or was; whoever fetches it holds an exclusive lock on it
//	parts/KEY.json       what it is a part of, and how much room it may take
//	origins/KEY.json     which video was behind an address, and by which validator its origin knows it
//	lock                 held for moments, by whoever looks at the whole or changes which files there are
//
// KEY is the hash of an address. Locks end with their process. A JSON file that was cut by a crash is as good as none.
type disk struct {
	dir   string
	size  int64
	clock func() time.Time
}

const (
	videos  = "videos"
	parts   = "parts"
	origins = "origins"
)

const (
	staleAfter = 24 * time.Hour      // a part that nobody has gone on with is removed
	forgetting = 30 * 24 * time.Hour // an origin that nobody has asked is forgotten
	spare      = 256 << 20           // bytes of the disk that are never used: the ledger is often beside
	lockPoll   = 20 * time.Millisecond
)

// prepare makes the folder and proves that it can be written.
func (d disk) prepare() error {
	for _, sub := range []string{videos, parts, origins} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o750); err != nil {
			return diskLack(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return diskLack(err)
	}
	return f.Close()
}

// locked does something while nobody else looks at the whole.
func (d disk) locked(ctx context.Context, do func() error) error {
	f, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return diskLack(err)
	}
	defer f.Close()
	if err := lock(ctx, f, unix.LOCK_EX); err != nil {
		return err
	}
	return do()
}

// lock waits for a lock. The kernel's own wait could not be ended.
func lock(ctx context.Context, f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return diskLack(err)
		}
		t := time.NewTimer(lockPoll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// pin opens a video and keeps it from being removed until it is closed; nil where there is none.
func (d disk) pin(ctx context.Context, name string) (pinned *os.File, err error) {
	path := filepath.Join(d.dir, videos, name)
	err = d.locked(ctx, func() error {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return diskLack(err)
		}
		if err := lock(ctx, f, unix.LOCK_SH); err != nil {
			return errors.Join(err, f.Close())
		}
		if st, err := f.Stat(); err == nil { // what nobody has wanted for longest goes first; the order is no promise
			_ = os.Chtimes(path, d.clock(), st.ModTime())
		}
		pinned = f
		return nil
	})
	return pinned, err
}

// remove takes a video away unless somebody uses it.
func (d disk) remove(ctx context.Context, name string) error {
	return d.locked(ctx, func() error {
		_, err := removeUnlocked(filepath.Join(d.dir, videos, name))
		return err
	})
}

// removeUnlocked removes a file that nobody has locked.
func removeUnlocked(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, diskLack(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, nil // in use
	}
	if err := os.Remove(path); err != nil {
		return false, diskLack(err)
	}
	return true, nil
}

// origin is what is known of an address.
type origin struct {
	File string    `json:"file"` // in videos
	At   time.Time `json:"at"`   // when its origin vouched for it last
	validator
}

// validator is by what an origin knows a version of a video.
type validator struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Strong says that equal validators mean equal bytes, so that a part may be gone on with.
	Strong bool `json:"strong,omitempty"`
}

// fresh says that the origin need not be asked again. One that gives no validators is asked rarely, for its answer is the whole video.
func (o origin) fresh(now time.Time) bool {
	age := now.Sub(o.At)
	limit := time.Minute
	if o.ETag == "" && o.Modified == "" {
		limit = time.Hour
	}
	return age >= 0 && age < limit
}

func (d disk) origin(key string) (o origin, ok bool) {
	return o, readJSON(filepath.Join(d.dir, origins, key+".json"), &o) && o.File == filepath.Base(o.File)
}

func (d disk) keepOrigin(ctx context.Context, key string, o origin) error {
	return d.locked(ctx, func() error { return writeJSON(filepath.Join(d.dir, origins, key+".json"), o) })
}

func readJSON(path string, into any) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, into) == nil
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, data, 0o640)
	}
	if err != nil {
		return diskLack(err)
	}
	return nil
}

// file is one of the folder, as room is made.
type file struct {
	path string
	size int64
	used time.Time
	part bool
}

// makeRoom removes what nobody uses, the longest unused first, until the folder keeps its bound and the disk some room for
// others. The caller holds the lock; more is what will be written beside what is counted already.
func (d disk) makeRoom(more int64) error {
	all, err := d.list()
	if err != nil {
		return diskLack(err)
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path)) })
	var total int64
	for _, f := range all {
		total += f.size
	}
	var free unix.Statfs_t
	if err := unix.Statfs(d.dir, &free); err != nil {
		return diskLack(err)
	}
	left := int64(free.Bavail)*free.Bsize - spare - more
	for _, f := range all {
		stale := f.part && d.clock().Sub(f.used) > staleAfter
		if !stale && total <= d.size && left >= 0 {
			continue
		}
		gone, err := removeUnlocked(f.path)
		if err != nil {
			return err
		}
		if gone {
			total, left = total-f.size, left+f.size
			if f.part {
				_ = os.Remove(f.path + ".json")
			}
		}
	}
	switch {
	case total > d.size:
		return lack{"storage", fmt.Sprintf("the media cache may hold %d bytes, and would hold %d that are in use", d.size, total)}
	case left < 0:
		return lack{"storage", "the disk of the media cache is full"}
	}
	return nil
}

// list is every video and part with the room it takes; a part's room is what it was promised.
func (d disk) list() ([]file, error) {
	var all []file
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		sub, json := filepath.Base(filepath.Dir(path)), filepath.Ext(path) == ".json"
		f := file{path: path, size: info.Size(), used: usedAt(info), part: sub == parts}
		switch {
		case sub == origins && d.clock().Sub(info.ModTime()) > forgetting:
			return os.Remove(path)
		case f.part && json:
			if _, err := os.Stat(strings.TrimSuffix(path, ".json")); err != nil {
				return os.Remove(path)
			}
			return nil
		case f.part:
			var s partState
			if readJSON(path+".json", &s) {
				f.size = max(f.size, s.Room)
			}
			f.used = info.ModTime()
		case sub != videos:
			return nil
		}
		all = append(all, f)
		return nil
	})
	return all, err
}

func usedAt(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(st.Atim.Unix())
}
