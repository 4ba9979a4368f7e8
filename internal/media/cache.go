package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Config of a cache.
type Config struct {
	Dir     string        // of the fetched videos; it is made by the first fetch
	Size    int64         // bytes that it may hold
	Timeout time.Duration // for one fetch, the wait for another supervisor's fetch of the same video included
	Stall   time.Duration // how long nothing may come before a fetch is given up; 0 means a minute
	// Transport carries the requests; nil means HTTP with deadlines for each step, through the proxy of the environment.
	Transport http.RoundTripper
	Clock     func() time.Time
}

// Cache fetches videos. Make it with New; it is safe for many goroutines, and several processes may use one folder.
type Cache struct {
	cfg   Config
	disk  disk
	http  *http.Client
	cloud cloud

	mu      sync.Mutex
	flights map[string]*flight
	sums    map[version]string // of files whose bytes were read
}

// flight is a fetch that others wait for.
type flight struct {
	done chan struct{}
	// Both are valid after done.
	err     error
	stopped bool // not the fetch failed: whoever carried it out was stopped
}

// version is a file as it was when its bytes were read.
type version struct {
	path     string
	size     int64
	modified time.Time
}

// maxSums bounds the memory of what was read.
const maxSums = 4096

// New makes a cache; it touches neither disk nor network.
func New(cfg Config) *Cache {
	if dir, err := filepath.Abs(cfg.Dir); err == nil {
		cfg.Dir = dir // a publisher may work elsewhere
	}
	if cfg.Transport == nil {
		cfg.Transport = transport()
	}
	if cfg.Stall == 0 {
		cfg.Stall = time.Minute
	}
	c := &Cache{
		cfg: cfg, disk: disk{dir: cfg.Dir, size: cfg.Size, clock: cfg.Clock},
		http:    &http.Client{Transport: cfg.Transport, CheckRedirect: checkRedirect},
		flights: map[string]*flight{}, sums: map[version]string{},
	}
	c.cloud.http = c.http
	return c
}

// Check says why the folder cannot be used. A folder that is not there yet is not made.
func (c *Cache) Check() error {
	if _, err := os.Stat(c.cfg.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.disk.prepare()
}

// Fetch brings the video of an address to this machine. The copy stays as it is until it is released. Slots that want the same
// video at the same time share one fetch, and its failure. The evidence says why there is no copy; nothing of an address's
// user or query is in it. When ctx ends so does the fetch, and what has come so far is kept for the next.
func (c *Cache) Fetch(ctx context.Context, address string) (reel.Copy, *reel.Evidence) {
	made, err := c.fetch(ctx, address)
	if err != nil {
		return reel.Copy{}, evidence(ctx, address, err)
	}
	return made, nil
}

func (c *Cache) fetch(ctx context.Context, address string) (reel.Copy, error) {
	a, err := reel.ParseAddress(address)
	if err != nil {
		return reel.Copy{}, lack{"address", err.Error()}
	}
	if a.Scheme == "file" {
		return c.here(ctx, a)
	}
	for {
		c.mu.Lock()
		f, busy := c.flights[address]
		if !busy {
			f = &flight{done: make(chan struct{})}
			c.flights[address] = f
		}
		c.mu.Unlock()
		if !busy {
			made, err := c.bring(ctx, a)
			f.err, f.stopped = err, ctx.Err() != nil
			c.mu.Lock()
			delete(c.flights, address)
			c.mu.Unlock()
			close(f.done)
			return made, err
		}
		select {
		case <-ctx.Done():
			return reel.Copy{}, context.Cause(ctx)
		case <-f.done:
		}
		if f.err != nil && !f.stopped {
			return reel.Copy{}, f.err
		}
	}
}

// here takes a video of this machine as it is.
func (c *Cache) here(ctx context.Context, a reel.Address) (reel.Copy, error) {
	st, err := os.Stat(a.Object)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return reel.Copy{}, lack{"404", "there is no such file on this machine"}
	case err != nil:
		return reel.Copy{}, lack{"storage", err.Error()}
	case !st.Mode().IsRegular():
		return reel.Copy{}, lack{"404", "it is not a file"}
	case st.Size() == 0:
		return reel.Copy{}, errEmpty
	}
	sum, err := c.sum(ctx, a.Object)
	if err != nil {
		return reel.Copy{}, err
	}
	if err := compare(a, sum); err != nil {
		return reel.Copy{}, err
	}
	return reel.Copy{Path: a.Object, SHA256: sum, Release: func() {}}, nil
}

// compare holds bytes against what the user says that they are.
func compare(a reel.Address, sum string) error {
	if a.SHA256 == "" || a.SHA256 == sum {
		return nil
	}
	return lack{"mismatch", "another video is there: SHA-256 is " + sum + ", wanted " + a.SHA256}
}

// sum is the hash of a file's bytes. A version of a file is read once.
func (c *Cache) sum(ctx context.Context, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", lack{"storage", err.Error()}
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", lack{"storage", err.Error()}
	}
	v := version{path: name, size: st.Size(), modified: st.ModTime()}
	c.mu.Lock()
	sum, ok := c.sums[v]
	c.mu.Unlock()
	if ok {
		return sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return "", lack{"storage", err.Error()}
	}
	sum = hex.EncodeToString(h.Sum(nil))
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sums) >= maxSums {
		clear(c.sums)
	}
	c.sums[v] = sum
	return sum, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// take gives a file of the cache out, if it is there and its bytes are what its name says. One that is damaged is removed.
func (c *Cache) take(ctx context.Context, name string) (reel.Copy, bool, error) {
	pinned, err := c.disk.pin(ctx, name)
	if err != nil || pinned == nil {
		return reel.Copy{}, false, err
	}
	sum, err := c.sum(ctx, pinned.Name())
	if err == nil && strings.HasPrefix(name, sum) {
		return reel.Copy{Path: pinned.Name(), SHA256: sum, Release: func() { _ = pinned.Close() }}, true, nil
	}
	_ = pinned.Close() // it was only read
	if err == nil {
		err = c.disk.remove(ctx, name)
	}
	return reel.Copy{}, false, err
}

// bring takes a video from the cache while that is certainly what the address means, and else asks there.
func (c *Cache) bring(ctx context.Context, a reel.Address) (made reel.Copy, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, lack{"408", fmt.Sprintf("not fetched within %s", c.cfg.Timeout)})
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // whatever it was that the end broke
		}
	}()
	if err := c.disk.prepare(); err != nil {
		return made, err
	}
	if a.SHA256 != "" {
		if made, ok, err := c.take(ctx, a.SHA256+extension(a)); ok || err != nil {
			return made, err
		}
	}
	key := hashed(a.URL)
	if made, ok, err := c.fresh(ctx, a, key); ok || err != nil {
		return made, err
	}
	p, err := c.disk.part(ctx, key)
	if err != nil {
		return made, err
	}
	defer p.close()
	if made, ok, err := c.fresh(ctx, a, key); ok || err != nil { // another supervisor was quicker
		return made, err
	}
	return c.ask(ctx, a, key, p)
}

// fresh takes a video that its origin has vouched for a moment ago.
func (c *Cache) fresh(ctx context.Context, a reel.Address, key string) (reel.Copy, bool, error) {
	o, ok := c.disk.origin(key)
	if !ok || !o.fresh(c.cfg.Clock()) || a.SHA256 != "" {
		return reel.Copy{}, false, nil
	}
	return c.take(ctx, o.File)
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// extension is the end of a video's name where that looks like one: programs go by it.
func extension(a reel.Address) string {
	ext := strings.ToLower(path.Ext(a.Object))
	if len(ext) < 2 || len(ext) > 6 || strings.Trim(ext[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return ext
}
