package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/reel"
)

func (a *app) workerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "worker",
		Short: "lend this machine's workers to a batch that another run leads",
		Long: `Claims and executes jobs of a batch beside the run that leads it, from the same
ledger, until the batch is finished. The limits are those of that run. Where
that run is gone without a word (its machine died, hangs or lost the network),
one of the lenders leads in its place within 40 seconds; a run that a person
stopped is not continued. Ctrl-C works as in 'reelpass run'. Exit code 0 when
the batch is finished, 130 or 143 when it was stopped before.`,
		Example: "  reelpass worker --workers 10 --publisher command",
		Args:    cobra.NoArgs,
	}
	f := runFlags(c, "the latest")
	asJSON := c.Flags().Bool("json", false, "print events, one JSON object a line")
	verbose := c.Flags().BoolP("verbose", "v", false, "print claims and steps as well")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		w, err := a.workshop(s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.close()) }()
		return a.lend(c, s, w, runView{json: *asJSON, verbose: *verbose})
	}
	return c
}

func (a *app) lend(c *cobra.Command, s config.Settings, w *workshop, v runView) (err error) {
	ctx := c.Context()
	store, err := openLedger(ctx, s, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Enlist(w.sup); err != nil {
		return err
	}
	batch, err := batchOf(ctx, c, s, store)
	if err != nil {
		return err
	}
	if _, err := store.Status(ctx, batch); err != nil {
		return err
	}
	show := a.show(v)
	if !v.json {
		fmt.Fprintf(a.out, "lending %s to batch %s\n", count(s.Workers*s.Slots, "worker", "workers"), console.Clean(batch))
	}
	r := w.runner(store, s, batch, show.See)
	sigs := watchSignals(r.Stop, func(_ int, sig os.Signal) {
		r.Watch(reel.Event{At: a.now().UTC(), Kind: reel.EventStopping, Batch: batch, Text: sig.String()})
	})
	err = r.Lend(sigs.hard, func(ctx context.Context) (bool, error) {
		st, err := store.Status(ctx, batch)
		return st.Result != reel.NoResult, err
	})
	if first := sigs.end(); first != nil {
		a.code = exitCode(reel.Interrupted, first)
	}
	return errors.Join(err, show.Close())
}
