package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func (a *app) addRulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "add FILE",
		Short: "put rules into your own file, after a look at what they would have changed",
		Long: `Puts the rules of FILE, as 'reelpass rules suggest' writes them, behind those in
your own rules file (--rules or the setting rules), which is made where it is
not there; nothing else in it changes. Each rule needs a case, and no case of
any rule may be judged otherwise than before.

First the rules are held against all that the ledger remembers: how many
attempts they judge otherwise, how many of those that failed they would have
saved, and whether a post would have been lost, because its job would have been
given up before. Rules that would have cost a post are refused, unless you say
--anyway. Runs follow the new rules from their next start.`,
		Example: "  reelpass rules suggest > new.yaml        (then fill in category and type)\n  reelpass rules add new.yaml --dry-run\n  reelpass rules add new.yaml",
		Args:    cobra.ExactArgs(1),
	}
	f := flags(c)
	f.text("rules", "your own `FILE` of rules", func(s *config.Settings) *string { return &s.Rules })
	dry := c.Flags().Bool("dry-run", false, "only say what the rules would have changed")
	anyway := c.Flags().Bool("anyway", false, "also where posts would have been lost")
	asJSON := c.Flags().Bool("json", false, "print what the rules would have changed as one JSON object")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		if s.Rules == "" {
			return hinted{usage("there is no file of your own rules"), "name one: --rules rules.yaml, and rules: rules.yaml in reelpass.yaml so that runs follow it"}
		}
		text, old, proposed, err := proposedRules(s, args[0])
		if err != nil {
			return err
		}
		changes, err := a.replay(c.Context(), s, old, proposed)
		if err != nil {
			return err
		}
		if err := a.sayChanges(changes, *asJSON); err != nil {
			return err
		}
		switch {
		case changes.Lost > 0 && !*anyway && !*dry:
			return hinted{fmt.Errorf("nothing was added: %s would have been lost", count(changes.Lost, "post", "posts")), "make the rules narrower, or say --anyway"}
		case *dry:
			return nil
		}
		if err := writeWhole(s.Rules, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
			return fmt.Errorf("rules file %s: %w", s.Rules, err)
		}
		if !*asJSON {
			fmt.Fprintf(a.out, "added to %s\n", s.Rules)
		}
		return nil
	}
	return c
}

// proposedRules are the text of one's own rules file with those of another file behind it, and the tables of verdicts without and with them.
func proposedRules(s config.Settings, path string) (text []byte, old, proposed *fault.Rules, err error) {
	added, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, nil, cannotRead("rules", path, err)
	}
	own, err := os.ReadFile(s.Rules)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = fault.Default()
	case err != nil:
		return nil, nil, nil, cannotRead("rules file", s.Rules, err)
	default:
		if old, err = rules(s); err != nil {
			return nil, nil, nil, err
		}
	}
	if text, err = fault.Append(s.Rules, own, path, added); err != nil {
		return nil, nil, nil, usageError{err}
	}
	parsed, err := fault.Parse(s.Rules, text)
	if err != nil {
		return nil, nil, nil, usageError{err}
	}
	proposed = parsed.Before(fault.Default())
	fresh, err := fault.Parse(path, added)
	if err != nil {
		return nil, nil, nil, usageError{err}
	}
	for _, r := range fresh.All() {
		if len(r.Cases) == 0 {
			return nil, nil, nil, usage("%s: rule %q has no case: give it a message that it must know", path, r.ID)
		}
	}
	known := old.Test()
	for _, m := range proposed.Test() {
		if !slices.Contains(known, m) {
			return nil, nil, nil, hinted{usage("%s: %s", path, m), "nothing was added; make the rule narrower (texts, sources), or its case right"}
		}
	}
	return text, old, proposed, nil
}

// replay holds rules against what the ledger remembers; nothing where there is no ledger yet.
func (a *app) replay(ctx context.Context, s config.Settings, old, proposed *fault.Rules) (fault.Changes, error) {
	limits := s.Limits()
	replay := fault.NewReplay(old, proposed, func(v reel.Verdict) bool { return plan.After(plan.Try{}, v, limits).State != reel.Failed })
	store, err := openAs(ctx, s, ledger.Options{ReadOnly: true})
	var none *ledger.FileError
	if errors.As(err, &none) && none.Kind == ledger.Missing {
		return replay.Changes(), nil
	}
	if err != nil {
		return fault.Changes{}, err
	}
	err = errors.Join(eachEvent(ctx, store, replay.Add), store.Close())
	return replay.Changes(), err
}

// eachEvent goes over the journal.
func eachEvent(ctx context.Context, store *ledger.Store, see func(reel.Event)) error {
	const most = 2000
	for after := int64(0); ; {
		events, err := store.Journal(ctx, after, most)
		if err != nil {
			return err
		}
		for _, e := range events {
			after = e.Seq
			see(e)
		}
		if len(events) < most {
			return nil
		}
	}
}

func (a *app) sayChanges(c fault.Changes, asJSON bool) error {
	if asJSON {
		c.Examples = list(c.Examples)
		return json.NewEncoder(a.out).Encode(c)
	}
	if c.Attempts == 0 {
		_, err := fmt.Fprintln(a.out, "the ledger remembers no failure: nothing to hold the rules against")
		return err
	}
	fmt.Fprintf(a.out, "of %s that failed, %d judged otherwise: %s saved, %s lost", count(c.Attempts, "attempt", "attempts"), c.Judged,
		count(c.Saved, "retry", "retries"), count(c.Lost, "post", "posts"))
	if c.Again > 0 {
		fmt.Fprintf(a.out, ", %s given up that would have been tried again", count(c.Again, "job", "jobs"))
	}
	fmt.Fprintln(a.out)
	for _, e := range c.Examples {
		a.say("  ", fmt.Sprintf("%s: %s -> %s  %s", e.Job, verdictWords(e.Old), verdictWords(e.New), console.Clean(e.Text)))
	}
	return nil
}

func verdictWords(v reel.Verdict) string {
	if v.Type == "" {
		return string(v.Category)
	}
	return string(v.Category) + "/" + v.Type
}
