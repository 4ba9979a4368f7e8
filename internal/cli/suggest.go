package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// suggestion is a kind of failure that no rule knows, with the rule that would.
type suggestion struct {
	Pattern string   `json:"pattern"` // * any word, # a number, id, address or path
	Count   int      `json:"attempts"`
	Example string   `json:"example"`
	Rule    *newRule `json:"rule"` // null: its words do not tell it from other failures
}

// newRule is a rule as the file of one's own rules has it; category and type are a person's to say.
type newRule struct {
	ID      string        `json:"id"`
	Sources []reel.Source `json:"sources,omitempty"`
	Texts   []string      `json:"texts,omitempty"`
	Match   string        `json:"match,omitempty"`
	Case    string        `json:"case"`
}

func (a *app) suggestCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "suggest",
		Short: "what failed that no rule knows, and a rule for each kind of it",
		Long: `Sorts the failures of the ledger that no rule knows into kinds, the most
frequent first, and writes a rule for each as a file of your own rules has it.
Whose trouble it is no program can know: say the category (account, content or
infrastructure) and a type where it says FILL IN, and 'reelpass rules add' puts
the rule into your file. What the rules know by now is left out.`,
		Example: "  reelpass rules suggest\n  reelpass rules suggest --batch launch --json",
		Args:    cobra.NoArgs,
	}
	batch := c.Flags().String("batch", "", "only failures of this batch, by `NAME` (default: of all)")
	asJSON := c.Flags().Bool("json", false, "print one JSON object a kind")
	f := flags(c)
	f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
	c.RunE = func(c *cobra.Command, _ []string) error {
		own, err := a.settings(c, f)
		if err != nil {
			return err
		}
		return a.withReading(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			rules, err := judge(own)
			if err != nil {
				return err
			}
			if *batch != "" {
				if _, err := store.Status(ctx, *batch); err != nil {
					return err // an unknown batch is an error, not an empty list
				}
			}
			kinds, err := unknown(ctx, store, rules(), *batch)
			if err != nil {
				return err
			}
			return a.suggest(rules(), kinds, *asJSON)
		})
	}
	return c
}

// unknown sorts what no rule knows of the journal into kinds.
func unknown(ctx context.Context, store *ledger.Store, rules *fault.Rules, batch string) (*fault.Clusterer, error) {
	kinds := fault.NewClusterer(fault.MostClusters)
	for e, err := range store.History(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Kind != reel.EventFailed && e.Kind != reel.EventInDoubt || e.Evidence == nil || batch != "" && e.Batch != batch {
			continue
		}
		if rules.Judge(*e.Evidence).Category == reel.Unknown {
			kinds.Add(*e.Evidence, string(e.Job), e.Account)
		}
	}
	return kinds, nil
}

func (a *app) suggest(rules *fault.Rules, kinds *fault.Clusterer, asJSON bool) error {
	all := kinds.Clusters()
	if len(all) == 0 && !asJSON {
		fmt.Fprintln(a.out, "# no failure that the rules do not know")
	}
	written := false
	for _, k := range all {
		s := suggestion{Pattern: k.Pattern, Count: k.Count, Example: reel.Scrub(k.Examples[0].Text)}
		rule, err := fault.Propose(rules, k, reel.Verdict{})
		switch {
		case err == nil:
			s.Rule = &newRule{rule.ID, rule.Sources, rule.Texts, rule.Match, reel.Scrub(rule.Cases[0].Text)}
		case !errors.Is(err, fault.ErrPlain):
			return err
		}
		if asJSON {
			if err := json.NewEncoder(a.out).Encode(s); err != nil {
				return err
			}
			continue
		}
		if !written {
			fmt.Fprintln(a.out, "rules:")
			written = true
		}
		fmt.Fprintf(a.out, "  # %s: %s\n", count(s.Count, "attempt", "attempts"), console.Clean(s.Pattern))
		if s.Rule == nil {
			fmt.Fprintln(a.out, "  # no rule: its words do not tell it from other failures")
			continue
		}
		text, err := rule.YAML()
		if err != nil {
			return err
		}
		if _, err := a.out.Write(text); err != nil {
			return err
		}
	}
	if n := kinds.Other(); n > 0 {
		fmt.Fprintf(a.err, "%s of still other kinds were not sorted\n", count(n, "attempt", "attempts"))
	}
	return nil
}
