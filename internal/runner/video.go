package runner

import (
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

// fingerprints recognises videos by their bytes. A video that goes to many accounts is read once.
type fingerprints struct {
	mu    sync.Mutex
	known map[fileVersion]string
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
	byPath := reel.Fingerprint{Key: "path:" + path, Path: "path:" + path}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return byPath, nil
	}
	if err != nil {
		return byPath, err
	}
	v := fileVersion{path: path, size: st.Size(), mtime: st.ModTime()}
	f.mu.Lock()
	key, ok := f.known[v]
	f.mu.Unlock()
	if !ok {
		if key, err = hash(path); err != nil {
			return byPath, err
		}
		f.mu.Lock()
		if f.known == nil || len(f.known) >= maxKnown {
			f.known = map[fileVersion]string{}
		}
		f.known[v] = key
		f.mu.Unlock()
	}
	return reel.Fingerprint{Key: key, Path: byPath.Path}, nil
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
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
