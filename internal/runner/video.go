package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// video brings the video of a job to this machine where it is elsewhere. The lease is kept meanwhile like that of any job.
func (r *Runner) video(ctx context.Context, c reel.Claim) (a reel.Assignment, here reel.Copy, lacking *reel.Evidence) {
	a, here = assignment(c), reel.Copy{Release: func() {}}
	if r.Media == nil || !reel.IsAddress(c.Job.VideoPath) {
		return a, here, nil
	}
	r.step(c, "fetch")
	fetched, lacking := r.Media.Fetch(ctx, c.Job.VideoPath)
	if lacking == nil {
		here, a.VideoPath = fetched, fetched.Path
	}
	return a, here, lacking
}

// fingerprint names a job's video. The same bytes have the same name, by whatever way they came.
func (r *Runner) fingerprint(c reel.Claim, here reel.Copy) (reel.Fingerprint, error) {
	if here.SHA256 != "" {
		return reel.Fingerprint{Key: reel.ByBytes + here.SHA256, Path: reel.FingerprintOfPath(c.Job.VideoPath).Path}, nil
	}
	return r.state.videos.of(c.Job.VideoPath)
}

// fingerprints recognises videos by their bytes. A video that goes to many accounts is read once.
type fingerprints struct {
	mu     sync.Mutex
	hashes map[fileVersion]string
}

type fileVersion struct {
	path  string
	size  int64
	mtime time.Time
}

// maxKnown bounds the memory of fingerprints; a batch rarely has more videos at hand at once.
const maxKnown = 4096

// of names a video: the hash of its bytes, or its path where it is no readable file (a publisher may take an address or a
// name). The error says why a file that is there could not be read; the path stands for it then.
func (f *fingerprints) of(path string) (reel.Fingerprint, error) {
	v, key, err := f.look(path)
	byPath := reel.FingerprintOfPath(path)
	if err != nil || v == (fileVersion{}) {
		return byPath, err
	}
	if key == "" {
		if key, err = hash(path); err != nil {
			return byPath, err
		}
		f.mu.Lock()
		if f.hashes == nil || len(f.hashes) >= maxKnown {
			f.hashes = map[fileVersion]string{}
		}
		f.hashes[v] = key
		f.mu.Unlock()
	}
	return reel.Fingerprint{Key: key, Path: byPath.Path}, nil
}

// known names a video without reading it: false where its bytes would have to be read first. It is asked while a claim is
// being made, so it must be quick; a file system that hangs holds up this supervisor's claims, which is safe.
func (f *fingerprints) known(path string) (reel.Fingerprint, bool) {
	v, key, err := f.look(path)
	byPath := reel.FingerprintOfPath(path)
	switch {
	case err != nil:
		return byPath, false
	case v == (fileVersion{}):
		return byPath, true
	}
	return reel.Fingerprint{Key: key, Path: byPath.Path}, key != ""
}

// look finds which version of a file is there, and its hash if that version was read before. The zero version: no file that
// could be read.
func (f *fingerprints) look(path string) (v fileVersion, key string, err error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return v, "", nil
	}
	if err != nil {
		return v, "", err
	}
	v = fileVersion{path: path, size: st.Size(), mtime: st.ModTime()}
	f.mu.Lock()
	defer f.mu.Unlock()
	return v, f.hashes[v], nil
}

func hash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return reel.ByBytes + hex.EncodeToString(h.Sum(nil)), nil
}
