package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/ledger"
	"reelpass/internal/notify"
)

var _ notify.Source = (*ledger.Store)(nil)

// alertTargets reads where alerts go. An error says which of the list is wrong, and nothing of its address.
func alertTargets(s config.Settings) ([]*notify.Target, error) {
	targets := make([]*notify.Target, 0, len(s.Alerts.Targets))
	for i, text := range s.Alerts.Targets {
		t, err := notify.ParseTarget(text)
		if err != nil {
			return nil, hinted{
				usage("alerts.targets: number %d %w", i+1, err),
				"a webhook is https://HOST/PATH; services are written as shoutrrr has them: https://shoutrrr.nickfedor.com",
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// alertOptions reads of what people are told, and how often.
func alertOptions(s config.Settings) (notify.Options, error) {
	kinds, err := notify.ParseKinds(s.Alerts.Kinds)
	if err != nil {
		return notify.Options{}, usage("alerts.kinds: %w", err)
	}
	return notify.Options{Kinds: kinds, Throttle: s.Alerts.Throttle.Std(), Stalled: s.Alerts.Stalled.Std()}, nil
}

// alerts prepares the telling of alerts: a function that does it until its context ends, and one that says how many there were. Where
// none are wished both are nil.
func (a *app) alerts(s config.Settings, store *ledger.Store, log *slog.Logger) (tell func(context.Context), counts func() (arrived, failed, gathered int64), err error) {
	targets, err := alertTargets(s)
	if err != nil || len(targets) == 0 {
		return nil, nil, err
	}
	opt, err := alertOptions(s)
	if err != nil {
		return nil, nil, err
	}
	sender := notify.NewSender(targets, notify.Deadline, log)
	return func(ctx context.Context) {
		defer sender.Close()
		notify.Run(ctx, notify.Config{
			Source: store, Courier: sender, File: alertsFile(s.DB), Ledger: ledger.Shown(s.DB),
			Options: opt, Clock: a.now, Log: log,
		})
	}, sender.Counts, nil
}

// alertsFile remembers what was told of a ledger: beside it, or where a ledger on a server has its logs. Several ledgers may lie in one
// folder, and each has a place of its own.
func alertsFile(db string) string {
	folder := filepath.Dir(accessFile(db))
	if name := strings.TrimSuffix(filepath.Base(db), filepath.Ext(db)); !ledger.IsServer(db) && name != "ledger" {
		return filepath.Join(folder, name+".alerts.json")
	}
	return filepath.Join(folder, "alerts.json")
}

// examineAlerts says whether anybody would be told. A run goes on without that.
func examineAlerts(s config.Settings) finding {
	targets, err := alertTargets(s)
	opt, wrong := alertOptions(s)
	switch {
	case err != nil:
		return finding{Check: "alerts", OK: true, Warn: true, Text: err.Error(), Hint: hintFor(err)}
	case wrong != nil:
		return finding{Check: "alerts", OK: true, Warn: true, Text: wrong.Error()}
	case len(targets) == 0:
		return finding{Check: "alerts", OK: true, Text: "nobody is told when something happens: alerts.targets is empty"}
	}
	return finding{Check: "alerts", OK: true, Text: fmt.Sprintf("reelpass serve tells %s of %s; 'reelpass alerts test' tries",
		count(len(targets), "target", "targets"), count(len(opt.Kinds), "kind of event", "kinds of events"))}
}

func (a *app) alertsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "alerts",
		Short: "who is told of trouble without looking, and whether it reaches them",
		Long: `While 'reelpass serve' runs, it tells the targets in alerts.targets what people
would want to be woken for: a pass or a batch ended, the breaker opened, an
account was set aside, a job is in doubt, or nothing was done for a while. What
comes in numbers is one message, and of a kind and batch at most one in
alerts.throttle. A message that does not arrive is logged and not tried again.`,
	}
	test := &cobra.Command{
		Use:   "test",
		Short: "send a test message to every target",
		Long: `Sends a test message to every target in alerts.targets and says whether it
arrived. Exit code 1 when one did not. Addresses are secrets: only the service,
and of a webhook its host, are shown.`,
		Example: "  reelpass alerts test\n  reelpass alerts test --dry-run",
		Args:    cobra.NoArgs,
	}
	dry := test.Flags().Bool("dry-run", false, "only print the message and where it would go")
	asJSON := test.Flags().Bool("json", false, "print one JSON object a target")
	test.RunE = func(c *cobra.Command, _ []string) error {
		s, err := a.settings(c, nil)
		if err != nil {
			return err
		}
		targets, err := alertTargets(s)
		if err != nil {
			return err
		}
		if _, err := alertOptions(s); err != nil {
			return err
		}
		if len(targets) == 0 {
			return hinted{errors.New("no target is set, so nobody is told"), "name one in reelpass.yaml: alerts: {targets: [https://...]}; see 'reelpass help settings'"}
		}
		message := notify.Trial(a.now())
		results := make([]notify.Result, len(targets))
		if *dry {
			for i, t := range targets {
				results[i].Target = t.Redacted()
			}
		} else {
			sender := notify.NewSender(targets, notify.Deadline, slog.New(slog.DiscardHandler)) // the results are printed
			defer sender.Close()
			results = sender.Send(c.Context(), message)
		}
		return a.printAlerts(message, results, *dry, *asJSON)
	}
	c.AddCommand(test)
	return c
}

// alertLine is how a message fared, for scripts.
type alertLine struct {
	Target  string  `json:"target"`
	Arrived bool    `json:"arrived"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (a *app) printAlerts(m notify.Message, results []notify.Result, dry, asJSON bool) error {
	if dry && !asJSON {
		fmt.Fprintf(a.out, "%s\n%s\n\n", m.Title, m.Text)
	}
	for _, r := range results {
		line := alertLine{Target: r.Target, Arrived: r.Err == nil && !dry, Seconds: r.Took.Seconds()}
		said := "arrived"
		switch {
		case dry:
			said = "would be sent"
		case r.Err != nil:
			line.Error, said, a.code = r.Err.Error(), "did not arrive: "+r.Err.Error(), exitCannot
		}
		if !asJSON {
			fmt.Fprintf(a.out, "%s  %s\n", r.Target, said)
			continue
		}
		if err := json.NewEncoder(a.out).Encode(line); err != nil {
			return err
		}
	}
	return nil
}
