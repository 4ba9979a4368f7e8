package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"reelpass/internal/config"
	"reelpass/internal/dashboard"
	"reelpass/internal/fault"
)

// ownRules are the verdicts of the settings, to which the dashboard adds while it runs.
type ownRules struct {
	file  string
	rules atomic.Pointer[fault.Rules] // nil: the built-in ones, which are not built before they are asked for
}

// openRules reads the settings' rules. A file that is not there yet has none: the first that is taught makes it.
func openRules(s config.Settings) (*ownRules, error) {
	o := &ownRules{file: s.Rules}
	text, err := readOwn(o.file)
	if err == nil {
		err = o.follow(text)
	}
	return o, err
}

func (o *ownRules) table() *fault.Rules {
	if own := o.rules.Load(); own != nil {
		return own
	}
	return fault.Default()
}

// readOwn reads a file of one's own rules; nothing where none is named, or it is not there yet.
func readOwn(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, cannotRead("rules file", file, err)
	}
	return text, nil
}

// follow judges by a text from now on.
func (o *ownRules) follow(text []byte) error {
	if len(text) == 0 {
		o.rules.Store(nil)
		return nil
	}
	own, err := fault.Parse(o.file, text)
	if err != nil {
		return usageError{err}
	}
	o.rules.Store(own.Before(fault.Default()))
	return nil
}

// teach is how the dashboard adds to the file; nil where the settings name none.
func (o *ownRules) teach(s config.Settings) *dashboard.Teach {
	if o.file == "" {
		return nil
	}
	return &dashboard.Teach{
		File: o.file, Read: func() ([]byte, error) { return readOwn(o.file) }, Stops: stops(s.Limits()),
		Most: 10 * time.Second, // less than a browser waits for, and than the server lets an answer take
		Write: func(text []byte) error {
			if err := writeWhole(o.file, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
				return err
			}
			return o.follow(text)
		},
	}
}
