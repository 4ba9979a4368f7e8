package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term" // is this a terminal, and how wide

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// flagSet collects flags that override settings: a flag counts only when it was given.
type flagSet struct {
	c     *cobra.Command
	apply []func(*config.Settings) error
}

func flags(c *cobra.Command) *flagSet { return &flagSet{c: c} }

func (f *flagSet) given(name string, do func(*config.Settings) error) {
	f.apply = append(f.apply, func(s *config.Settings) error {
		if !f.c.Flags().Changed(name) {
			return nil
		}
		return do(s)
	})
}

func (f *flagSet) number(name, short string, def int, help string, at func(*config.Settings) *int) {
	v := whole(def)
	f.c.Flags().VarP(&v, name, short, help)
	f.given(name, func(s *config.Settings) error { *at(s) = int(v); return nil })
}

// whole is a number on the command line; it says what it wants in words.
type whole int

// String is the number.
func (w *whole) String() string { return strconv.Itoa(int(*w)) }

// Type names the kind of value in help.
func (w *whole) Type() string { return "number" }

// Set reads the number.
func (w *whole) Set(text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("want a whole number")
	}
	*w = whole(n)
	return nil
}

func (f *flagSet) text(name, help string, at func(*config.Settings) *string) {
	f.textDefault(name, "", help, at)
}

func (f *flagSet) textDefault(name, def, help string, at func(*config.Settings) *string) {
	v := f.c.Flags().String(name, def, help)
	f.given(name, func(s *config.Settings) error { *at(s) = *v; return nil })
}

func (f *flagSet) duration(name string, def config.Duration, help string, at func(*config.Settings) *config.Duration) {
	v := def
	f.c.Flags().Var(&v, name, help)
	f.given(name, func(s *config.Settings) error { *at(s) = v; return nil })
}

func (f *flagSet) size(name string, def config.Size, help string, at func(*config.Settings) *config.Size) {
	v := def
	f.c.Flags().Var(&v, name, help)
	f.given(name, func(s *config.Settings) error { *at(s) = v; return nil })
}

func (f *flagSet) list(name, short, help string, at func(*config.Settings) *[]string) {
	v := f.c.Flags().StringSliceP(name, short, nil, help)
	f.given(name, func(s *config.Settings) error { *at(s) = *v; return nil })
}

// is sets a setting to value when the flag is given.
func (f *flagSet) is(name, help string, value bool, at func(*config.Settings) *bool) {
	v := f.c.Flags().Bool(name, false, help)
	f.given(name, func(s *config.Settings) error {
		if *v {
			*at(s) = value
		}
		return nil
	})
}

// settings reads file and environment, and lays the flags over them.
func (a *app) settings(c *cobra.Command, f *flagSet) (config.Settings, error) {
	path, named := "reelpass.yaml", c.Flags().Changed("config")
	if named {
		path, _ = c.Flags().GetString("config")
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		data = nil
	case err != nil:
		return config.Settings{}, cannotRead("settings file", path, err)
	}
	s, err := config.Load(path, data, a.getenv)
	if err != nil {
		return s, usageError{err}
	}
	if c.Flags().Changed("db") {
		s.DB, _ = c.Flags().GetString("db")
	}
	if f != nil {
		for _, apply := range f.apply {
			if err := apply(&s); err != nil {
				return s, usageError{err}
			}
		}
	}
	if err := s.Validate(); err != nil {
		return s, usageError{err}
	}
	return s, nil
}

// openLedger opens the ledger that the settings name. The caller closes it.
func openLedger(ctx context.Context, s config.Settings, mustExist bool) (*ledger.Store, error) {
	return openAs(ctx, s, ledger.Options{MustExist: mustExist})
}

func openAs(ctx context.Context, s config.Settings, opt ledger.Options) (*ledger.Store, error) {
	if strings.Contains(s.DB, "://") && !ledger.IsServer(s.DB) {
		return nil, hinted{usage("db: a ledger is a SQLite file or a PostgreSQL database"), "give --db a path, or an address that begins with postgres://"}
	}
	if strings.Contains(s.DB, "dbname=") || strings.Contains(s.DB, "host=") {
		return nil, hinted{usage("db: this is neither a path nor an address"), "a server's address begins with postgres://"}
	}
	return ledger.Open(ctx, s.DB, opt)
}

// withLedger runs f with settings and an existing ledger.
func (a *app) withLedger(c *cobra.Command, f func(context.Context, config.Settings, *ledger.Store) error) error {
	return a.with(c, ledger.Options{MustExist: true}, f)
}

// withReading is withLedger for commands that change nothing: whoever may read the ledger may use them.
func (a *app) withReading(c *cobra.Command, f func(context.Context, config.Settings, *ledger.Store) error) error {
	return a.with(c, ledger.Options{ReadOnly: true}, f)
}

func (a *app) with(c *cobra.Command, opt ledger.Options, f func(context.Context, config.Settings, *ledger.Store) error) error {
	s, err := a.settings(c, nil)
	if err != nil {
		return err
	}
	store, err := openAs(c.Context(), s, opt)
	if err != nil {
		return err
	}
	return errors.Join(f(c.Context(), s, store), store.Close())
}

// batchOf is the batch that a command means: the one it names, or the one of the settings, or the latest.
func batchOf(ctx context.Context, c *cobra.Command, s config.Settings, store *ledger.Store) (string, error) {
	if f := c.Flags().Lookup("batch"); f != nil && f.Changed {
		return f.Value.String(), nil
	}
	if s.Batch != "" {
		return s.Batch, nil
	}
	name, err := store.Latest(ctx)
	if errors.Is(err, reel.ErrNotFound) {
		return "", hinted{usage("%s: there is no batch in it yet", ledger.Shown(s.DB)), "start with 'reelpass run POSTS.csv' or 'reelpass import POSTS.csv'"}
	}
	return name, err
}

// rules are the built-in ones, or with the user's file before or instead of them.
func rules(s config.Settings) (*fault.Rules, error) {
	if s.Rules == "" {
		return fault.Default(), nil
	}
	data, err := os.ReadFile(s.Rules)
	if err != nil {
		return nil, cannotRead("rules file", s.Rules, err)
	}
	own, err := fault.Parse(s.Rules, data)
	if err != nil {
		return nil, usageError{err}
	}
	return own.Before(fault.Default()), nil
}

// judge is the rules of the settings. A user's rules are read at once, for they may be wrong; the built-in ones
// at the first verdict, for building them takes longer than starting a run.
func judge(s config.Settings) (func() *fault.Rules, error) {
	if s.Rules == "" {
		return fault.Default, nil
	}
	rs, err := rules(s)
	if err != nil {
		return nil, err
	}
	return func() *fault.Rules { return rs }, nil
}

// look is how things are shown to whoever reads stdout.
func (a *app) look() console.Options {
	o := console.Options{Out: a.out, Location: time.Local}
	if f, ok := a.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		o.Live, o.Color = true, a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
		o.Live = a.getenv("TERM") != "dumb"
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			o.Width = w
		}
	}
	return o
}

// say prints a line that hangs from its beginning where a terminal is narrow.
func (a *app) say(begin, text string) {
	fmt.Fprintln(a.out, console.Hanging(begin, text, a.look()))
}

// settingsTopic is `reelpass help settings`: what reelpass.yaml may hold.
func settingsTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString(`Settings come from the command's flags, over REELPASS_ variables of the
environment, over reelpass.yaml (or the file of --config), over the defaults.
A duration without a unit is seconds. A dot stands for a section:

  publisher: command                      publisher: rehearsal
  command:                                rehearsal:
    run: [python3, post_one.py]             script: script.json
    timeout: 600                            latency: 200ms

  publisher: phone                        publisher: phone
  phone:                                  phone:
    from: geelark                           from: devices
                                            devices: [mira=emulator-5554]

The variable of workers is REELPASS_WORKERS, that of command.timeout is
REELPASS_COMMAND_TIMEOUT; lists are separated by commas there. GeeLark's
credential comes from the environment alone: GEELARK_TOKEN, or GEELARK_APP_ID
and GEELARK_API_KEY.

`)
	for _, k := range config.Keys() {
		fmt.Fprintf(&b, "  %-22s %s", k.Name, k.Help)
		if k.Default != "" {
			fmt.Fprintf(&b, " (default %s)", k.Default)
		}
		b.WriteString("\n")
	}
	return &cobra.Command{Use: "settings", Short: "what reelpass.yaml and the environment may set", Long: strings.TrimRight(b.String(), "\n")}
}
