package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

func (a *app) resolveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "resolve JOB (--posted | --not-posted)",
		Short: "say whether an in-doubt job is posted, after you have looked",
		Long: `An in-doubt job may be posted: its share began, and its outcome is not known.
Look at the account, then say what you saw. --posted ends the job as succeeded.
--not-posted counts its attempt as a failure, and its limits decide whether the
next pass tries it again: say it only when you are sure. It is refused while the
worker was on a machine that has not been heard of since, and might still share:
run reelpass there again, or say --worker-dead when that machine is off for good.`,
		Example: "  reelpass resolve job-7 --posted --url https://www.instagram.com/reel/...\n  reelpass resolve job-8 --not-posted",
		Args:    cobra.ExactArgs(1),
	}
	c.Flags().String("batch", "", batchHelp)
	posted := c.Flags().Bool("posted", false, "it is posted")
	absent := c.Flags().Bool("not-posted", false, "it is certainly not posted")
	dead := c.Flags().Bool("worker-dead", false, "with --not-posted: the machine of its worker is off, or the worker is certainly gone")
	url := c.Flags().String("url", "", "with --posted: where the post is")
	id := c.Flags().String("id", "", "with --posted: the post's id")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *posted == *absent {
			return usage("say either --posted or --not-posted")
		}
		look := reel.Look{Finding: reel.Absent, By: a.person()}
		if *posted {
			look.Finding, look.Receipt = reel.Found, reel.Receipt{ID: reel.Scrub(*id), URL: reel.Scrub(*url)}
		} else if *url != "" || *id != "" {
			return usage("--url and --id go with --posted")
		}
		if look.WorkerDead = *dead; *dead && *posted {
			return usage("--worker-dead goes with --not-posted")
		}
		return a.withLedger(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if err != nil {
				return err
			}
			e, err := store.Resolve(ctx, batch, reel.JobID(args[0]), look, func(h reel.Held) reel.Decision { return runner.Absent(h.Claim) })
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: %s (%s)\n", args[0], e.Decision.State, e.Decision.Why)
			return nil
		})
	}
	return c
}

func (a *app) retryCommand() *cobra.Command {
	return a.manyCommand("retry", "return jobs to the next pass, with fresh limits",
		`Returns jobs that are set aside, exhausted, out of passes or cancelled to the
next pass, with their limits fresh; then run again. It is refused for jobs that
are posted, running or in doubt, and for jobs of a held account: release the
account first. Exit code 1 when a job was refused.`,
		"exhausted", "returned", (*ledger.Store).Retry)
}

func (a *app) cancelCommand() *cobra.Command {
	return a.manyCommand("cancel", "take jobs back that are not posted and not running",
		`Takes jobs out of the batch. They stay in the ledger and can be returned with
'reelpass retry'. It is refused for jobs that are posted, running or in doubt.
Exit code 1 when a job was refused.`,
		"pending", "cancelled", (*ledger.Store).Cancel)
}

// manyCommand is a command that does one thing to the jobs named, or to those that a filter chooses.
func (a *app) manyCommand(name, short, long, state, done string, do func(*ledger.Store, context.Context, string, reel.JobID, string) (reel.Event, error)) *cobra.Command {
	c := &cobra.Command{
		Use: name + " [JOB...]", Short: short, Long: long + "\n\n" + selectionHelp(),
		Example: "  reelpass " + name + " job-1 job-2\n  reelpass " + name + " --state " + state + " --dry-run",
	}
	c.Flags().String("batch", "", batchHelp)
	sel := selection(c)
	dry := c.Flags().Bool("dry-run", false, "only say what would be done")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 == sel.empty() {
			return usage("name jobs, or choose them with --state, --reason, --account or another of the filters")
		}
		return a.withLedger(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if err != nil {
				return err
			}
			ids, err := choose(ctx, store, batch, sel, args)
			if err != nil {
				return err
			}
			n, refused := 0, 0
			for _, id := range ids {
				if *dry {
					fmt.Fprintf(a.out, "%s would be %s\n", id, done)
					continue
				}
				switch _, err := do(store, ctx, batch, id, a.person()); {
				case err == nil:
					n++
				case errors.Is(err, reel.ErrRefused):
					refused++
					fmt.Fprintf(a.err, "reelpass: %v\n", err)
				default:
					return err
				}
			}
			if !*dry {
				fmt.Fprintf(a.out, "%d %s, %d refused\n", n, done, refused)
			}
			if refused > 0 {
				a.code = exitCannot
			}
			return nil
		})
	}
	return c
}

func choose(ctx context.Context, store *ledger.Store, batch string, sel *selector, args []string) ([]reel.JobID, error) {
	var ids []reel.JobID
	for _, arg := range args {
		ids = append(ids, reel.JobID(arg))
	}
	if len(ids) > 0 {
		return ids, nil
	}
	filter, err := sel.filter()
	if err != nil {
		return nil, err
	}
	if _, err := store.Status(ctx, batch); err != nil {
		return nil, err // an unknown batch is an error, not an empty choice
	}
	for r, err := range store.Jobs(ctx, batch, filter) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

func (a *app) pauseCommand() *cobra.Command {
	return a.brakeCommand("pause", "start no new job of a batch; running ones finish",
		`Starts no new job of a batch, for the run that leads it and for all that lend it
workers; running ones finish. The run waits until 'reelpass resume'.`, true, "paused")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.brakeCommand("resume", "let a paused batch go on",
		`Lets a batch go on that 'reelpass pause' stopped. It does not start a run: to
continue an interrupted batch, use 'reelpass run'.`, false, "resumed")
}

func (a *app) brakeCommand(name, short, long string, paused bool, done string) *cobra.Command {
	c := &cobra.Command{Use: name + " [BATCH]", Short: short, Long: long, Args: cobra.MaximumNArgs(1)}
	c.Flags().String("batch", "", batchHelp)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withLedger(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if len(args) == 1 {
				batch, err = args[0], nil
			}
			if err != nil {
				return err
			}
			if err := store.Pause(ctx, batch, paused, a.person()); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "batch %s %s\n", batch, done)
			return nil
		})
	}
	return c
}
