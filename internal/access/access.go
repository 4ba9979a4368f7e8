package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock" // kernel lock: the server and a command may change the file at the same time

	"reelpass/internal/disk"
)

// Role is what a person may do.
type Role string

// The roles.
const (
	Look  Role = "look"  // read every page
	Steer Role = "steer" // and retry, cancel, release, resolve, pause
)

// Roles lists the roles.
func Roles() []Role { return []Role{Look, Steer} }

// Kind is what a secret is good for.
type Kind string

// The kinds of secrets, and how long they live.
const (
	Code    Kind = "code"    // once, within ten minutes: it becomes a session
	Session Kind = "session" // a browser, for thirty days after its last use
	Token   Kind = "token"   // a script, until it is revoked
)

const (
	codeLife    = 10 * time.Minute
	sessionLife = 30 * 24 * time.Hour
	// noted is how exactly the last use is kept: not every look at a page writes the file.
	noted = 10 * time.Minute
)

// Grant is one secret that was given out.
type Grant struct {
	ID    string    `json:"id"` // to name it; it opens nothing
	Kind  Kind      `json:"kind"`
	Name  string    `json:"name"`
	Role  Role      `json:"role"`
	Hash  string    `json:"hash"`
	Made  time.Time `json:"made"`
	Used  time.Time `json:"used,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Person is whom a secret belongs to.
type Person struct {
	Name string
	Role Role
	ID   string // of the grant
}

// MaySteer says that the person may change things.
func (p Person) MaySteer() bool { return p.Role == Steer }

// ErrRefused is the answer to a secret that is wrong, spent, revoked or too old. It does not say which.
var ErrRefused = errors.New("this code or token opens nothing")

// Book is the file. It is safe for concurrent use, also by several processes.
type Book struct {
	path  string
	clock func() time.Time

	mu     sync.Mutex
	read   fs.FileInfo // as it was read last
	grants []Grant
}

// Open names the file, which need not exist yet.
func Open(path string, clock func() time.Time) *Book { return &Book{path: path, clock: clock} }

// Issue makes a secret and returns it; it is kept as a hash only.
func (b *Book) Issue(kind Kind, name string, role Role) (secret string, err error) {
	err = b.change(func(list []Grant) ([]Grant, error) {
		secret, list = b.issue(list, kind, name, role)
		return list, nil
	})
	return secret, err
}

func (b *Book) issue(list []Grant, kind Kind, name string, role Role) (string, []Grant) {
	var raw [24]byte
	rand.Read(raw[:])
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	g := Grant{Kind: kind, Name: name, Role: role, Hash: hash(secret), Made: b.clock().UTC()}
	g.ID = g.Hash[:8]
	switch kind {
	case Code:
		g.Until = g.Made.Add(codeLife)
	case Session:
		g.Until = g.Made.Add(sessionLife)
	case Token:
	}
	return secret, append(list, g)
}

// Spend turns a code into a session, once.
func (b *Book) Spend(code string) (session string, p Person, err error) {
	err = b.change(func(list []Grant) ([]Grant, error) {
		i := b.find(list, code, Code)
		if i < 0 {
			return nil, ErrRefused
		}
		g := list[i]
		session, list = b.issue(slices.Delete(list, i, i+1), Session, g.Name, g.Role)
		p = Person{Name: g.Name, Role: g.Role, ID: list[len(list)-1].ID}
		return list, nil
	})
	return session, p, err
}

// Check says whose session or token a secret is; ErrRefused where it is nobody's.
func (b *Book) Check(secret string, kind Kind) (Person, error) {
	list, err := b.list()
	if err != nil {
		return Person{}, err
	}
	i := b.find(list, secret, kind)
	if i < 0 {
		return Person{}, ErrRefused
	}
	g := list[i]
	if b.clock().Sub(g.Used) > noted {
		if err := b.change(func(list []Grant) ([]Grant, error) {
			if i := b.find(list, secret, kind); i >= 0 {
				list[i].Used = b.clock().UTC()
				if kind == Session {
					list[i].Until = list[i].Used.Add(sessionLife)
				}
			}
			return list, nil
		}); err != nil {
			return Person{}, err
		}
	}
	return Person{Name: g.Name, Role: g.Role, ID: g.ID}, nil
}

// Revoke ends a session, token or code by its ID; false where there is none.
func (b *Book) Revoke(id string) (there bool, err error) {
	err = b.change(func(list []Grant) ([]Grant, error) {
		n := len(list)
		list = slices.DeleteFunc(list, func(g Grant) bool { return g.ID == id })
		there = len(list) < n
		return list, nil
	})
	return there, err
}

// Grants lists what was given out and still opens something, without its hashes.
func (b *Book) Grants() ([]Grant, error) {
	list, err := b.list()
	list = slices.DeleteFunc(slices.Clone(list), func(g Grant) bool { return b.over(g) })
	for i := range list {
		list[i].Hash = ""
	}
	return list, err
}

// find is the place of a secret. Hashes of secrets with 24 bytes of chance may be compared as they are: who learns from the time how a
// hash begins knows nothing of a secret.
func (b *Book) find(list []Grant, secret string, kind Kind) int {
	h := hash(secret)
	return slices.IndexFunc(list, func(g Grant) bool { return g.Hash == h && g.Kind == kind && !b.over(g) })
}

func (b *Book) over(g Grant) bool { return !g.Until.IsZero() && !b.clock().Before(g.Until) }

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// list reads the file where it changed since.
func (b *Book) list() ([]Grant, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.read, b.grants = nil, nil
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("access: %w", err)
	case b.read != nil && os.SameFile(b.read, info) && b.read.ModTime().Equal(info.ModTime()) && b.read.Size() == info.Size():
		return b.grants, nil
	}
	list, err := load(b.path)
	if err != nil {
		return nil, err
	}
	b.read, b.grants = info, list
	return list, nil
}

func load(path string) ([]Grant, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	var file struct {
		Grants []Grant `json:"grants"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("access: %s is damaged; remove it, and everybody signs in anew: %w", path, err)
	}
	return file.Grants, nil
}

// change rewrites the file in one piece, under a lock that other processes heed. What is over goes.
func (b *Book) change(f func([]Grant) ([]Grant, error)) (err error) {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o750); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	lock := flock.New(b.path + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	list, err := load(b.path)
	if err != nil {
		return err
	}
	if list, err = f(slices.DeleteFunc(list, b.over)); err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{"grants": list}, "", "  ")
	if err != nil {
		return err
	}
	if err := disk.Write(b.path, 0o600, func(f *disk.File) error {
		_, err := f.Write(append(data, '\n'))
		return err
	}); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return nil
}
