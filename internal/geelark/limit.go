package geelark

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// The vendor allows 200 calls a minute and 24,000 an hour, and bans for two hours whoever exceeds the latter. Whether it counts for
// each call by itself or for all together is not clear: all together is safe. Three calls a second, and some at once, stay within both.
const (
	limitEvery = time.Minute / 180
	limitBurst = 15
)

// FileLimit is the Limit that all processes of this machine share which use the same credential: when the next call may be made
// is kept in a small file, which is locked while it is looked at.
type FileLimit struct {
	path  string
	clock func() time.Time
	pause func(context.Context, time.Duration) error
}

// NewFileLimit keeps the limit of a credential in a folder, which must exist. The credential cannot be learnt from the file.
func NewFileLimit(dir, credential string) *FileLimit {
	sum := sha256.Sum256([]byte("geelark limit " + credential))
	return &FileLimit{path: filepath.Join(dir, "geelark-"+hex.EncodeToString(sum[:6])+".limit"), clock: time.Now, pause: pause}
}

// limitState is what the file holds. Both are times in milliseconds.
type limitState struct {
	Next   int64 `json:"next"`   // when a call may be made that comes after all that were let through
	Closed int64 `json:"closed"` // nothing before this
}

// Take waits until a call may be made.
func (l *FileLimit) Take(ctx context.Context) error {
	for {
		var wait time.Duration
		err := l.change(ctx, func(s *limitState, now int64) {
			wait = 0
			burst := (limitBurst * limitEvery).Milliseconds()
			switch {
			case s.Closed > now:
				wait = time.Duration(s.Closed-now) * time.Millisecond
			case s.Next-burst > now:
				wait = time.Duration(s.Next-burst-now) * time.Millisecond
			default:
				s.Next = max(s.Next, now) + limitEvery.Milliseconds()
			}
		})
		if err != nil || wait == 0 {
			return err
		}
		if deadline, ok := ctx.Deadline(); ok && l.clock().Add(wait).After(deadline) || wait > time.Hour {
			return fmt.Errorf("GeeLark lets no call through for %s", wait.Round(time.Second))
		}
		if err := l.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// Close lets no call through for a while.
func (l *FileLimit) Close(ctx context.Context, d time.Duration) error {
	return l.change(ctx, func(s *limitState, now int64) { s.Closed = max(s.Closed, now+d.Milliseconds()) })
}

// change reads, changes and writes the file under its lock. A file that cannot be read counts as a new one: it is only a limit. A
// time further away than the vendor's longest ban comes from a clock that was set back, and is forgotten.
func (l *FileLimit) change(ctx context.Context, f func(s *limitState, now int64)) error {
	lock := flock.New(l.path + ".lock")
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return fmt.Errorf("limit of calls: %w", err)
	}
	defer lock.Close()
	var s limitState
	if data, err := os.ReadFile(l.path); err == nil {
		_ = json.Unmarshal(data, &s) // see above
	}
	now := l.clock().UnixMilli()
	longest := now + (2*time.Hour + time.Minute).Milliseconds()
	if s.Next > longest {
		s.Next = 0
	}
	if s.Closed > longest {
		s.Closed = 0
	}
	f(&s, now)
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(l.path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("limit of calls: %w", err)
	}
	return nil
}
