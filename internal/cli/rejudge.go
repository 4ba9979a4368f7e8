package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

func (a *app) rejudgeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rejudge",
		Short: "judge the failures of the ledger by the rules of today",
		Long: `Judges every attempt that failed by the rules as they are now, so that lists,
the failures page and filters by category and type follow what the rules have
learnt since. The journal keeps the old verdict beside the new one.

Jobs that have ended stay as they ended: 'reelpass retry --category' finds them
by their new verdict. Jobs that wait for the next pass are decided anew: trouble
with the content or the account sets them aside, an account is held as in a run
(unless it has posted since, or was released), and a limit may be used up. Jobs
in a worker's hands or in doubt are left alone, and so is what was imported from
the earlier orchestrator. It is refused for a batch that a run leads. Cut short,
it is simply given again.`,
		Example: "  reelpass rejudge --dry-run\n  reelpass rejudge --batch launch --rules rules.yaml",
		Args:    cobra.NoArgs,
	}
	batch := c.Flags().String("batch", "", "only failures of this batch, by `NAME` (default: of all)")
	dry := c.Flags().Bool("dry-run", false, "only say what would be judged otherwise")
	asJSON := c.Flags().Bool("json", false, "print what was judged otherwise as one JSON object")
	f := flags(c)
	f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		rs, err := rules(s)
		if err != nil {
			return err
		}
		decide := func(h reel.History) reel.Rejudgement { return plan.Rejudge(h, rs.Judge, rs.Pause) }
		open := a.withLedger
		if *dry {
			open = a.withReading
		}
		return open(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			names := []string{*batch}
			if *batch == "" {
				if names, err = store.Names(ctx); err != nil {
					return err
				}
			}
			return a.rejudge(ctx, retrial{store: store, decide: decide, dry: *dry, held: map[string]bool{}}, names, *asJSON)
		})
	}
	return c
}

// retrial goes over the failures of a ledger, and sums up what is judged otherwise.
type retrial struct {
	store  *ledger.Store
	decide func(reel.History) reel.Rejudgement
	dry    bool
	held   map[string]bool // dry: accounts that would be held by now
	sum    rejudged
	told   time.Time
}

// rejudged is what new rules made of the failures, and of the jobs that waited.
type rejudged struct {
	Attempts  int             `json:"attempts"` // that failed
	Judged    int             `json:"judged"`   // of these, otherwise than before
	Verdicts  []verdictChange `json:"verdicts"`
	SetAside  int             `json:"set_aside"`
	Exhausted int             `json:"exhausted"`
	Held      int             `json:"held"` // accounts
}

type verdictChange struct {
	Old      reel.Verdict `json:"old"`
	New      reel.Verdict `json:"new"`
	Attempts int          `json:"attempts"`
}

func (a *app) rejudge(ctx context.Context, t retrial, names []string, asJSON bool) error {
	soft, stop := context.WithCancel(ctx) // the ledger is never asked with it: what is begun is done whole
	sigs := watchSignals(stop, func(int, os.Signal) {})
	var refused []error
	var err error
	t.told = a.now()
	for _, name := range names {
		if err = a.rejudgeBatch(ctx, soft, &t, name); errors.Is(err, reel.ErrRefused) {
			refused = append(refused, err)
		} else if err != nil {
			break
		}
	}
	stopped := soft.Err() != nil
	if sig := sigs.end(); stopped {
		a.code = exitCode(reel.Interrupted, sig)
	}
	stop()
	if err != nil && !errors.Is(err, reel.ErrRefused) {
		return err
	}
	if len(refused) < len(names) {
		if err := a.sayRejudged(t.sum, asJSON); err != nil {
			return err
		}
	}
	switch {
	case stopped:
		fmt.Fprintln(a.err, "stopped: give the same command again for the rest")
	case len(refused) > 0:
		return hinted{errors.Join(refused...), "stop the run first (Ctrl-C there); one that died lets go after half a minute"}
	case t.sum.Judged > 0 && !t.dry:
		fmt.Fprintf(a.err, "hint: jobs that had ended stay as they are: 'reelpass retry --category %s' returns them\n", t.sum.Verdicts[0].New.Category)
	}
	return nil
}

func (a *app) rejudgeBatch(ctx, soft context.Context, t *retrial, name string) error {
	for page, err := range t.store.Histories(ctx, name) {
		if err != nil || soft.Err() != nil {
			return err
		}
		var keys []int64
		var made []reel.Rejudgement
		judged := 0
		for _, h := range page {
			r := t.decide(h)
			judged += r.Judged
			if len(r.Renewed) == 0 {
				continue
			}
			if keys = append(keys, h.Key); t.dry {
				made = append(made, t.foresee(h, r))
			}
		}
		if len(keys) > 0 && !t.dry {
			if made, err = t.store.Rejudge(ctx, name, keys, a.person(), t.decide); err != nil {
				return err
			}
		}
		t.sum.add(judged, made)
		if now := a.now(); now.Sub(t.told) >= 5*time.Second {
			t.told = now
			fmt.Fprintf(a.err, "%s so far\n", count(t.sum.Attempts, "attempt", "attempts"))
		}
	}
	return nil
}

// foresee is a rejudgement as the ledger would take it: a job that waits is set aside with its account once that is held.
func (t *retrial) foresee(h reel.History, r reel.Rejudgement) reel.Rejudgement {
	switch {
	case r.Decision == nil:
	case t.held[h.Account]:
		r.Decision = nil
	case r.Decision.Hold:
		t.held[h.Account] = true
	}
	return r
}

func (s *rejudged) add(attempts int, made []reel.Rejudgement) {
	s.Attempts += attempts
	for _, r := range made {
		for _, a := range r.Renewed {
			if a.Was == a.Verdict {
				continue
			}
			s.Judged++
			i := slices.IndexFunc(s.Verdicts, func(v verdictChange) bool { return v.Old == a.Was && v.New == a.Verdict })
			if i < 0 {
				i, s.Verdicts = len(s.Verdicts), append(s.Verdicts, verdictChange{Old: a.Was, New: a.Verdict})
			}
			s.Verdicts[i].Attempts++
		}
		if r.Decision == nil {
			continue
		}
		if r.Decision.State == reel.Exhausted {
			s.Exhausted++
		} else {
			s.SetAside++
		}
		if r.Decision.Hold {
			s.Held++
		}
	}
}

func (a *app) sayRejudged(s rejudged, asJSON bool) error {
	slices.SortStableFunc(s.Verdicts, func(x, y verdictChange) int { return cmp.Compare(y.Attempts, x.Attempts) })
	if asJSON {
		s.Verdicts = list(s.Verdicts)
		return json.NewEncoder(a.out).Encode(s)
	}
	_, err := fmt.Fprintf(a.out, "of %s that failed, %d judged otherwise\n", count(s.Attempts, "attempt", "attempts"), s.Judged)
	for _, v := range s.Verdicts {
		fmt.Fprintf(a.out, "  %6d  %s -> %s\n", v.Attempts, ruledWords(v.Old), ruledWords(v.New))
	}
	if s.SetAside+s.Exhausted > 0 {
		fmt.Fprintf(a.out, "of the jobs that waited, %d set aside and %d exhausted; %s held\n", s.SetAside, s.Exhausted, count(s.Held, "account", "accounts"))
	}
	return err
}

// ruledWords is a verdict with the rule that gave it.
func ruledWords(v reel.Verdict) string {
	if v.Rule == "" {
		return verdictWords(v)
	}
	return verdictWords(v) + " (" + console.Clean(v.Rule) + ")"
}
