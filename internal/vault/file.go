package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/gofrs/flock"

	"reelpass/internal/disk"
)

// Entry is an account with its token.
type Entry struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`    // of the Instagram user
	Login   string    `json:"login"` // instagram or facebook
	Token   string    `json:"token"`
	Issued  time.Time `json:"issued"`           // when the token was given or renewed, as far as that is known
	Expires time.Time `json:"expires,omitzero"` // zero: not known, or never
	From    string    `json:"-"`                // where it came from: the file, the environment, a credential
}

// File is an encrypted file of entries. It may be shared by processes.
type File struct {
	Path string
	// Key is where the secret key lies that opens it; it is made where it is missing. KeyText, where it is set, is the key itself.
	Key     string
	KeyText string
}

// identity gives the key. Where none is there and make is set, one is made.
func (f *File) identity(create bool) (*age.X25519Identity, error) {
	text := f.KeyText
	if text == "" {
		data, err := os.ReadFile(f.Key)
		switch {
		case errors.Is(err, fs.ErrNotExist) && create:
			id, err := age.GenerateX25519Identity()
			if err != nil {
				return nil, err
			}
			if err := os.MkdirAll(filepath.Dir(f.Key), 0o700); err != nil {
				return nil, err
			}
			out, err := os.OpenFile(f.Key, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, err
			}
			_, err = fmt.Fprintf(out, "# opens %s; whoever has it can publish on the accounts\n%s\n", filepath.Base(f.Path), id)
			return id, errors.Join(err, out.Sync(), out.Close())
		case err != nil:
			return nil, err
		}
		text = string(data)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			id, err := age.ParseX25519Identity(line)
			if err != nil {
				return nil, errors.New("the key is no age key") // err could quote it
			}
			return id, nil
		}
	}
	return nil, errors.New("the key is no age key (AGE-SECRET-KEY-1...)")
}

// Entries reads all entries, by name. A file that is not there has none.
func (f *File) Entries() ([]Entry, error) {
	data, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	id, err := f.identity(false)
	if err != nil {
		return nil, fmt.Errorf("accounts: %s cannot be opened: %w", f.Path, err)
	}
	r, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		return nil, fmt.Errorf("accounts: %s cannot be opened with this key: %w", f.Path, err)
	}
	var all []Entry
	if err := json.NewDecoder(io.LimitReader(r, 64<<20)).Decode(&all); err != nil {
		return nil, fmt.Errorf("accounts: %s is damaged", f.Path)
	}
	for i := range all {
		all[i].From = f.Path
	}
	return all, nil
}

// Change reads the entries, has them changed and writes them back, all or nothing, while no other process does.
func (f *File) Change(change func([]Entry) ([]Entry, error)) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	lock := flock.New(f.Path + ".lock")
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	defer func() { _ = lock.Close() }()
	all, err := f.Entries()
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	if err := f.write(all); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	return nil
}

func (f *File) write(all []Entry) error {
	id, err := f.identity(true)
	if err != nil {
		return err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, id.Recipient())
	if err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(w).Encode(all), w.Close()); err != nil {
		return err
	}
	return disk.Write(f.Path, 0o600, func(out *disk.File) error {
		_, err := out.Write(sealed.Bytes())
		return err
	})
}

// Put adds an entry, or takes the place of the one with its name.
func (f *File) Put(e Entry) error {
	return f.Change(func(all []Entry) ([]Entry, error) {
		all = slices.DeleteFunc(all, func(o Entry) bool { return o.Name == e.Name })
		return append(all, e), nil
	})
}

// Remove takes an entry out; false where there is none.
func (f *File) Remove(name string) (there bool, err error) {
	err = f.Change(func(all []Entry) ([]Entry, error) {
		n := len(all)
		all = slices.DeleteFunc(all, func(o Entry) bool { return o.Name == name })
		there = len(all) < n
		return all, nil
	})
	return there, err
}
