package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"reelpass/internal/config"
	"reelpass/internal/ledger"
)

// finding is one line of doctor.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Warn  bool   `json:"warn,omitempty"` // a run would work, and a person should know this before
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// minFree is how much disk doctor wants: a ledger of a million jobs is half a gigabyte.
const minFree = 1 << 30

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "check settings, ledger, disk, rules and publisher before a night",
		Long: `Checks what a run needs and says what to do about what is missing: settings, the
ledger (of a server also rights, durability, clock and connections), disk, rules
and publisher. It changes nothing. Exit code 1 when something would keep a run
from working; a warning is no such thing.`,
		Args: cobra.NoArgs,
	}
	f := flags(c)
	f.text("publisher", "check this publisher, by `NAME`: command, phone or rehearsal", func(s *config.Settings) *string { return &s.Publisher })
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, x := range a.examine(c, f) {
			if !x.OK {
				a.code = exitCannot
			}
			if *asJSON {
				if err := json.NewEncoder(a.out).Encode(x); err != nil {
					return err
				}
				continue
			}
			mark := "ok  "
			switch {
			case !x.OK:
				mark = "FAIL"
			case x.Warn:
				mark = "warn"
			}
			a.say(fmt.Sprintf("%s  %-10s ", mark, x.Check), x.Text)
			if x.Hint != "" {
				a.say("      hint: ", x.Hint)
			}
		}
		return nil
	}
	return c
}

func (a *app) examine(c *cobra.Command, f *flagSet) []finding {
	s, err := a.settings(c, f)
	if err != nil {
		return []finding{bad("settings", err)}
	}
	all := []finding{{Check: "settings", OK: true, Text: "publisher " + dash(s.Publisher) + ", ledger " + ledger.Shown(s.DB)}}
	all = append(all, a.examineLedger(c.Context(), s)...)
	all = append(all, examineDisk(s), examineLogs(s), a.examineMedia(s), a.examineRules(s), a.examinePublisher(s), examineAlerts(s))
	return slices.Concat(all, a.examineSchedule(), a.examinePhone(c.Context(), s), a.examineGraph(c.Context(), s))
}

func bad(check string, err error) finding {
	return finding{Check: check, Text: err.Error(), Hint: hintFor(err)}
}

// examineLedger opens the ledger for reading: a look must not bring an older one up to date under the runs that use it.
func (a *app) examineLedger(ctx context.Context, s config.Settings) []finding {
	var all []finding
	if ledger.IsServer(s.DB) {
		if all = examineServer(ctx, s); len(all) == 1 {
			return all // it cannot be reached
		}
	}
	return append([]finding{examineFile(ctx, s)}, all...)
}

func examineFile(ctx context.Context, s config.Settings) finding {
	x := finding{Check: "ledger", OK: true, Text: ledger.Shown(s.DB)}
	store, err := openAs(ctx, s, ledger.Options{ReadOnly: true})
	var file *ledger.FileError
	switch {
	case errors.As(err, &file) && file.Kind == ledger.Missing:
		x.Text += " will be made by the first import or run"
		return x
	case errors.As(err, &file) && file.Kind == ledger.Older:
		x.Warn, x.Text, x.Hint = true, err.Error(), hintFor(err)
		return x
	case err != nil:
		return bad("ledger", err)
	}
	if err := errors.Join(store.Check(ctx), store.Close()); err != nil {
		return bad("ledger", err)
	}
	if !ledger.IsServer(s.DB) {
		for _, path := range []string{s.DB, filepath.Dir(s.DB)} { // SQLite keeps files beside it
			if err := unix.Access(path, unix.W_OK); err != nil {
				return bad("ledger", &ledger.FileError{Path: s.DB, Kind: ledger.Unwritable, Err: fmt.Errorf("%s: %w", path, err)})
			}
		}
	}
	x.Text += " is sound"
	return x
}

func examineDisk(s config.Settings) finding {
	dir, of := filepath.Dir(s.DB), "the ledger"
	if ledger.IsServer(s.DB) {
		dir, of = s.LogDir, "the logs"
	}
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	for err != nil && dir != filepath.Dir(dir) { // it is made in the nearest folder that is there
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &st)
	}
	if err != nil {
		return bad("disk", err)
	}
	if st.Blocks == 0 {
		return finding{Check: "disk", Text: dir + " is on no disk: nothing can be kept there", Hint: "name a folder on a disk for " + of}
	}
	free := int64(st.Bavail) * st.Bsize
	x := finding{Check: "disk", OK: free >= minFree, Text: fmt.Sprintf("%.1f GiB free beside %s", float64(free)/(1<<30), of)}
	if !x.OK {
		x.Hint = "free some space: a run that cannot write its ledger stops"
	}
	return x
}

func examineLogs(s config.Settings) finding {
	l, err := openLogs(s.LogDir)
	if err != nil {
		return bad("logs", err)
	}
	if err := l.close(); err != nil {
		return bad("logs", err)
	}
	return finding{Check: "logs", OK: true, Text: s.LogDir + " can be written"}
}

func (a *app) examineMedia(s config.Settings) finding {
	if err := a.media(s).Check(); err != nil {
		return finding{Check: "media", Text: err.Error(), Hint: "name a folder that may be written with media_cache in reelpass.yaml or --media-cache"}
	}
	return finding{Check: "media", OK: true, Text: fmt.Sprintf("videos from addresses are kept in %s, at most %s", s.MediaCache, s.MediaCacheSize)}
}

func (a *app) examineRules(s config.Settings) finding {
	rs, err := rules(s)
	if err != nil {
		return bad("rules", err)
	}
	if wrong := rs.Test(); len(wrong) > 0 {
		return finding{Check: "rules", Text: fmt.Sprintf("%d cases are judged wrong", len(wrong)), Hint: "'reelpass rules test' lists them"}
	}
	return finding{Check: "rules", OK: true, Text: fmt.Sprintf("%d rules, every case judged right", len(rs.All()))}
}

func (a *app) examinePublisher(s config.Settings) finding {
	w, err := a.workshop(s)
	if err != nil {
		return bad("publisher", err)
	}
	text := s.Publisher + " can be started"
	if !w.pub.look {
		text += "; it cannot look up in-doubt jobs, a person must"
	}
	if err := w.close(); err != nil {
		return bad("publisher", err)
	}
	return finding{Check: "publisher", OK: true, Text: text}
}
