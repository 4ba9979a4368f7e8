package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

func (a *app) ledgerCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "ledger", Short: "check the ledger, copy it, and make an old copy safe to run", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.verifyCommand(), a.backupCommand(), a.restoredCommand())
	return c
}

// maxFindings is how many contradictions of one kind a person is shown.
const maxFindings = 20

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "hold everything in the ledger beside everything else; exit 1 when it contradicts itself",
		Long: `Looks through the whole ledger as it stands at one moment, and writes nothing;
runs may go on meanwhile. Counters are recounted from the jobs and attempts,
each job is held beside its attempts, its lease, its guard against a second post
and every step that the journal tells of it. A million jobs take some minutes.

Exit code 0 when all agrees, 1 when something does not: one line for each, which
says where and what should be there.`,
		Example: "  reelpass ledger verify\n  reelpass ledger verify --db copy.db --json",
		Args:    cobra.NoArgs,
	}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line: what is wrong, and at the end what was looked at")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			return a.verify(ctx, store, ledger.Shown(s.DB), *asJSON)
		})
	}
	return c
}

// verdictOfLedger is the last line of `ledger verify --json`.
type verdictOfLedger struct {
	Sound bool `json:"sound"`
	ledger.Extent
	Findings int `json:"findings"`
}

func (a *app) verify(ctx context.Context, store *ledger.Store, name string, asJSON bool) error {
	enc, n, shown := json.NewEncoder(a.out), 0, map[string]int{}
	told := a.now()
	extent, err := store.Verify(ctx, func(f ledger.Finding) {
		n++
		if shown[f.Check]++; asJSON {
			_ = enc.Encode(f) // a stream that is closed has nobody behind it
		} else if shown[f.Check] <= maxFindings {
			fmt.Fprintln(a.out, console.Clean(f.String()))
		}
	}, func(done, of int) {
		if now := a.now(); now.Sub(told) >= 5*time.Second {
			told = now
			fmt.Fprintf(a.err, "%d of %s\n", done, count(of, "job", "jobs"))
		}
	})
	if err != nil {
		return err
	}
	if n > 0 {
		a.code = exitCannot
	}
	if asJSON {
		return enc.Encode(verdictOfLedger{Sound: n == 0, Extent: extent, Findings: n})
	}
	for _, check := range ledger.Checks() {
		if more := shown[check] - maxFindings; more > 0 {
			fmt.Fprintf(a.out, "%s: and %d more; --json shows all\n", check, more)
		}
	}
	looked := fmt.Sprintf("%s, %s, %s, %s", count(extent.Batches, "batch", "batches"), count(extent.Jobs, "job", "jobs"),
		count(extent.Attempts, "attempt", "attempts"), count(extent.Events, "event", "events"))
	if n == 0 {
		fmt.Fprintf(a.out, "%s is sound: %s\n", name, looked)
		return nil
	}
	fmt.Fprintf(a.out, "%s is damaged: %s in %s\n", name, count(n, "contradiction", "contradictions"), looked)
	fmt.Fprintln(a.err, "hint: stop all runs and keep a copy as it is; a backup is safest ('docs/operations.md' says how to go back to one)")
	return nil
}

func (a *app) backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "write a copy of the ledger's file, also while a run goes on",
		Long: `Writes the ledger as it stands at one moment into FILE, which has its name only
when it is whole and on disk. A ledger on a server is backed up with the server's
own tools (pg_dump).

A backup knows nothing of what was posted after it: before you run with one, say
'reelpass ledger restored'.`,
		Example: "  reelpass ledger backup /backups/ledger-$(date +%F).db",
		Args:    cobra.ExactArgs(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			if ledger.IsServer(s.DB) {
				return hinted{usage("a ledger on a server is backed up with the server's own tools"), "pg_dump --format=custom --file=ledger.dump ADDRESS"}
			}
			if _, err := os.Stat(args[0]); err == nil {
				return hinted{usage("%s: it exists", args[0]), "name a new file: a backup replaces nothing"}
			}
			if err := store.Backup(ctx, args[0]); err != nil {
				return fmt.Errorf("backup to %s: %w", args[0], plainCause(err))
			}
			fmt.Fprintf(a.out, "%s written\n", args[0])
			return nil
		})
	}
	return c
}

func (a *app) restoredCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restored --yes",
		Short: "say that this ledger is an old copy, so that nothing is posted twice",
		Long: `An old copy of a ledger knows nothing of what was posted after it was made, and a
run would post it again. This puts every job that a run would take, or had in its
hands, in doubt, in all batches: a run whose publisher can look (command.find)
settles them by itself, the others wait for 'reelpass resolve'.

First stop every run, and import again what was imported after the copy was made.
Jobs that wait for a person (set aside, exhausted, out of passes, cancelled) stay
as they are: before you return one of them, look whether it was posted.`,
		Example: "  reelpass ledger restored --yes",
		Args:    cobra.NoArgs,
	}
	yes := c.Flags().Bool("yes", false, "do it; there is no way back but to settle each job")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !*yes {
			return hinted{usage("this puts every waiting job of the ledger in doubt"), "say --yes when this ledger is an old copy"}
		}
		return a.withLedger(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
			n, err := store.Restored(ctx, a.person())
			if errors.Is(err, reel.ErrRefused) {
				return hinted{err, "stop it first (Ctrl-C there); one that died lets go after half a minute"}
			}
			if err == nil {
				fmt.Fprintf(a.out, "%s in doubt\n", count(n, "job is now", "jobs are now"))
			}
			return err
		})
	}
	return c
}
