package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/posts"
	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status [BATCH]",
		Short: "where a batch stands",
		Long: `Shows a batch's state, its passes and its totals: the latest batch, or the one
named. Totals count every job once by its state; a pass counts its own attempts
alone. The state is idle (never run), running, waiting (between two passes),
paused, finished, or interrupted (the next run continues it).`,
		Example: "  reelpass status\n  reelpass status launch --json",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().String("batch", "", batchHelp)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	all := c.Flags().Bool("all", false, "every batch of the ledger")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			var list []reel.Status
			var err error
			if *all {
				list, err = store.Batches(ctx)
			} else {
				batch := ""
				if len(args) == 1 {
					batch = args[0]
				} else if batch, err = batchOf(ctx, c, s, store); err != nil {
					return err
				}
				var st reel.Status
				st, err = store.Status(ctx, batch)
				list = []reel.Status{st}
			}
			if err != nil {
				return err
			}
			for _, st := range list {
				a.truth(ctx, store, &st)
				if *asJSON {
					err = json.NewEncoder(a.out).Encode(st)
				} else {
					err = console.Status(a.out, st, a.look())
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

// truth corrects a batch that seems to be led by a process of this host which is dead: its lease has not run out yet.
func (a *app) truth(ctx context.Context, store *ledger.Store, st *reel.Status) {
	if st.Phase != reel.PhaseRunning && st.Phase != reel.PhaseWaiting {
		return
	}
	l, err := store.Leader(ctx, st.Name)
	if err == nil && worker.Here(l.Leader.Process) && !worker.Alive(l.Leader.Process) {
		st.Phase = reel.PhaseInterrupted
	}
}

func (a *app) jobsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "jobs",
		Short: "list a batch's jobs",
		Long:  "Lists the jobs of a batch in the order of their files.\n\n" + selectionHelp(),
		Example: `  reelpass jobs --state in_doubt
  reelpass jobs --reason account_hold --json`,
		Args: cobra.NoArgs,
	}
	c.Flags().String("batch", "", batchHelp)
	sel := selection(c)
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if err != nil {
				return err
			}
			if _, err := store.Status(ctx, batch); err != nil {
				return err // an unknown batch is an error, not an empty list
			}
			filter, err := sel.filter()
			if err != nil {
				return err
			}
			if *asJSON {
				return posts.WriteJSON(a.out, store.Jobs(ctx, batch, filter))
			}
			return console.Jobs(a.out, store.Jobs(ctx, batch, filter), a.look())
		})
	}
	return c
}

const batchHelp = "the batch's `NAME` (default: the latest)"

// selector is the flags that choose jobs.
type selector struct {
	states                                 []string
	reason, account, category, kind, words string
	pass                                   int
}

func selection(c *cobra.Command) *selector {
	s := &selector{}
	c.Flags().StringSliceVar(&s.states, "state", nil, "only jobs in these states, as `a,b`")
	c.Flags().StringVar(&s.reason, "reason", "", "only jobs with this `REASON`")
	c.Flags().StringVar(&s.account, "account", "", "only jobs of this `ACCOUNT`")
	c.Flags().StringVar(&s.category, "category", "", "only jobs whose last verdict is of this `CATEGORY`")
	c.Flags().StringVar(&s.kind, "type", "", "only jobs whose last verdict is of this `TYPE`")
	c.Flags().IntVar(&s.pass, "pass", 0, "only jobs tried last in this pass")
	c.Flags().StringVar(&s.words, "search", "", "only jobs with these `WORDS` in id, account, file or error")
	return s
}

// selectionHelp lists what --state and --reason take.
func selectionHelp() string {
	return "States:  " + hang(join(reel.States()), 9) + "\nReasons: " + hang(join(reel.Reasons()), 9)
}

// hang breaks words into lines of 80, the second and later ones indented.
func hang(text string, indent int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > 80:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func (s *selector) empty() bool {
	return len(s.states) == 0 && s.reason == "" && s.account == "" && s.category == "" && s.kind == "" && s.words == "" && s.pass == 0
}

func (s *selector) filter() (ledger.Filter, error) {
	f := ledger.Filter{
		Reason: reel.Reason(s.reason), Account: s.account, Category: reel.Category(s.category), Type: s.kind, Pass: s.pass, Words: s.words,
	}
	if s.category != "" && !slices.Contains(reel.Categories(), f.Category) {
		return f, usage("--category: there is no category %q; the categories are %s", s.category, join(reel.Categories()))
	}
	if s.pass < 0 {
		return f, usage("--pass: passes are counted from 1")
	}
	for _, name := range s.states {
		if !slices.Contains(reel.States(), reel.State(name)) {
			return f, usage("--state: there is no state %q; the states are %s", name, join(reel.States()))
		}
		f.States = append(f.States, reel.State(name))
	}
	if s.reason != "" && !slices.Contains(reel.Reasons(), f.Reason) {
		return f, usage("--reason: there is no reason %q; the reasons are %s", s.reason, join(reel.Reasons()))
	}
	return f, nil
}

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

func (a *app) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain JOB",
		Short: "one job's whole story: attempts, evidence, rules, decisions, and what happens next",
		Long: `Tells everything about one job: where it stands and why, each attempt with what
was seen, the rule that judged it and the decision that followed, the journal,
and what happens next.`,
		Example: "  reelpass explain job-7",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().String("batch", "", batchHelp)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if err != nil {
				return err
			}
			st, err := store.Story(ctx, batch, reel.JobID(args[0]))
			if err != nil {
				return hinted{err, "'reelpass jobs' lists the jobs; --batch names another batch"}
			}
			if st.Limits == (reel.Limits{}) { // no run yet: those of the next one
				st.Limits, st.LastPass = s.Limits(), s.MaxPasses
			}
			next := plan.Outlook(st.Record, st.Held, local(st.Until), st.Limits, st.LastPass)
			if !*asJSON {
				err := console.Explain(a.out, st.Record, st.Attempts, st.Events, next, a.look())
				if hint := wayOut(st.Record, st.Held && st.Until.IsZero()); err == nil && hint != "" {
					fmt.Fprintln(a.err, "hint: "+hint)
				}
				return err
			}
			line, err := posts.JSONLine(st.Record)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(posts.Story{Job: line, Held: st.Held, Next: next, Attempts: st.Attempts, Events: st.Events})
		})
	}
	return c
}

// wayOut is the command by which a person moves a job that the machine does not touch, empty where there is none.
func wayOut(r reel.Record, held bool) string {
	job, account := console.Clean(string(r.ID)), console.Clean(r.Account)
	switch r.State {
	case reel.InDoubt:
		return fmt.Sprintf("look at the account, then 'reelpass resolve %s --posted' or 'reelpass resolve %s --not-posted'", job, job)
	case reel.SetAside, reel.Exhausted, reel.OutOfPasses, reel.Cancelled:
		switch {
		case r.Reason == reel.ReasonAccountHold:
			return fmt.Sprintf("'reelpass accounts release %s' returns it", account)
		case held:
			return fmt.Sprintf("'reelpass accounts release %s', then 'reelpass retry %s' returns it", account, job)
		case r.Reason == reel.ReasonDuplicate:
			return fmt.Sprintf("'reelpass retry %s', then 'reelpass run --allow-repost' publishes it again", job)
		}
		return fmt.Sprintf("'reelpass retry %s' returns it to the next pass with fresh limits", job)
	case reel.Pending, reel.Running, reel.Publishing, reel.Succeeded, reel.Failed:
	}
	return ""
}

func (a *app) accountsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "accounts",
		Short: "list held accounts; hold and release them; tokens of the official API",
		Long: `Without a subcommand: the accounts that are held, since when and why, and how
many jobs wait for their release. After an account verdict nothing touches the
account until a person has looked and released it. A hold with a time, as after
a rate limit, ends by itself.`,
		Example: "  reelpass accounts\n  reelpass accounts release studio.nord",
		Args:    cobra.NoArgs,
	}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	all := c.Flags().Bool("all", false, "holds of the past as well")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withReading(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			holds, err := store.Holds(ctx, *all)
			if err != nil {
				return err
			}
			if !*asJSON {
				return console.Holds(a.out, holds, a.look())
			}
			enc := json.NewEncoder(a.out)
			for _, h := range holds {
				if err := enc.Encode(h); err != nil {
					return err
				}
			}
			return nil
		})
	}
	release := &cobra.Command{
		Use:   "release ACCOUNT...",
		Short: "release accounts: their waiting jobs return to the next pass",
		Args:  cobra.MinimumNArgs(1),
	}
	release.Long = `Releases accounts that a person has looked at, also before the time of a hold
that has one: the jobs that waited for them return to the next pass. The job
whose verdict caused the hold stays set aside: return it with --with-cause, or
later with 'reelpass retry'.`
	cause := release.Flags().Bool("with-cause", false, "return also the job whose verdict caused the hold")
	release.RunE = func(c *cobra.Command, args []string) error {
		return a.withLedger(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			for _, name := range args {
				n, err := store.ReleaseAccount(ctx, name, a.person(), *cause)
				if errors.Is(err, reel.ErrNotFound) {
					return hinted{usage("account %q is not held", name), "'reelpass accounts' lists the held accounts"}
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s released: %s\n", console.Clean(name), count(n, "job returns", "jobs return"))
			}
			return nil
		})
	}
	hold := &cobra.Command{Use: "hold ACCOUNT...", Short: "hold accounts: nothing touches them until they are released", Args: cobra.MinimumNArgs(1)}
	hold.Long = `Holds accounts. Without --until a person must release them, and their jobs are
set aside. With it the jobs wait, and the hold ends by itself at that time:
14:05 (today or tomorrow), 2026-12-24 14:05, 2026-12-24T14:05:00Z, or from now
on for 90m. A run does not wait for longer than its --max-wait: it sets the
jobs aside, and the first run after that time takes them.`
	hold.Example = "  reelpass accounts hold studio.nord --why 'shadow ban?'\n  reelpass accounts hold studio.nord --until 14:05"
	why := hold.Flags().String("why", "", "the reason, for whoever looks later")
	till := hold.Flags().String("until", "", "end by itself at this `TIME`")
	hold.RunE = func(c *cobra.Command, args []string) error {
		until, err := moment(*till, a.now())
		if err != nil {
			return err
		}
		return a.withLedger(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			for _, name := range args {
				if err := store.HoldAccount(ctx, name, a.person(), reel.Scrub(*why), until); err != nil {
					return err
				}
				end := ""
				if !until.IsZero() {
					end = " until " + until.Local().Format(time.DateTime)
				}
				fmt.Fprintf(a.out, "%s held%s\n", console.Clean(name), end)
			}
			return nil
		})
	}
	c.AddCommand(append(a.tokenCommands(), release, hold)...)
	return c
}
