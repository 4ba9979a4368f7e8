package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

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
		x, err := extend(s, args[0])
		if err != nil {
			return err
		}
		changes, err := a.replay(c.Context(), s, x.Old, x.New)
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
		if err := writeWhole(s.Rules, func(w io.Writer) error { _, err := w.Write(x.Text); return err }); err != nil {
			return fmt.Errorf("rules file %s: %w", s.Rules, err)
		}
		if err := a.noteRules(c.Context(), s, x); err != nil {
			return err
		}
		if !*asJSON {
			fmt.Fprintf(a.out, "added to %s\n", s.Rules)
		}
		if changes.Judged > 0 {
			fmt.Fprintln(a.err, "hint: 'reelpass rejudge' gives the failures that are stored their new verdicts")
		}
		return nil
	}
	return c
}

// extend puts the rules of a file behind one's own.
func extend(s config.Settings, path string) (fault.Extension, error) {
	added, err := os.ReadFile(path)
	if err != nil {
		return fault.Extension{}, cannotRead("rules", path, err)
	}
	own, err := readOwn(s.Rules)
	if err != nil {
		return fault.Extension{}, err
	}
	x, err := fault.Extend(s.Rules, own, path, added)
	switch _, taken := errors.AsType[*fault.CaseError](err); {
	case taken:
		return x, hinted{usageError{err}, "nothing was added; make the rule narrower (texts, sources), or its case right"}
	case err != nil:
		return x, usageError{err}
	}
	return x, nil
}

// replay holds rules against what the ledger remembers; nothing where there is no ledger yet.
func (a *app) replay(ctx context.Context, s config.Settings, old, proposed *fault.Rules) (fault.Changes, error) {
	replay := fault.NewReplay(old, proposed, stops(s.Limits()))
	store, err := openAs(ctx, s, ledger.Options{ReadOnly: true})
	var none *ledger.FileError
	if errors.As(err, &none) && none.Kind == ledger.Missing {
		return replay.Changes(), nil
	}
	if err != nil {
		return fault.Changes{}, err
	}
	for e, err := range store.History(ctx) {
		if err != nil {
			return fault.Changes{}, errors.Join(err, store.Close())
		}
		replay.Add(e)
	}
	return replay.Changes(), store.Close()
}

// noteRules puts into the journal, where there is one, which rules were added.
func (a *app) noteRules(ctx context.Context, s config.Settings, x fault.Extension) error {
	store, err := openAs(ctx, s, ledger.Options{MustExist: true})
	var none *ledger.FileError
	if errors.As(err, &none) && none.Kind == ledger.Missing {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(store.RulesAdded(ctx, a.person(), x.Added...), store.Close())
}

// stops says whether a verdict ends a job that has all its tries left.
func stops(l reel.Limits) func(reel.Verdict) bool {
	return func(v reel.Verdict) bool { return plan.After(plan.Try{}, v, l).State != reel.Failed }
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
	fmt.Fprintln(a.out, c)
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
