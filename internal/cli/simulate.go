package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/simfarm"
)

// simulation is what `reelpass simulate` was asked for.
type simulation struct {
	phones                int
	accounts              []string
	scenario              string
	seed                  uint64
	boot, upload, latency config.Duration
	pictures              string
	json, kinds, graph    bool
}

func (a *app) simulateCommand() *cobra.Command {
	s := simulation{
		boot: config.Duration(2 * time.Second), upload: config.Duration(2 * time.Second), latency: config.Duration(10 * time.Millisecond),
	}
	c := &cobra.Command{
		Use:   "simulate [-- COMMAND...]",
		Short: "try a publisher out: simulated phones with a small Instagram, or a false API, on this machine",
		Long: `Starts a farm of simulated phones behind a simulated GeeLark, on this machine
alone, and runs COMMAND with its address and credential in the environment, so
that 'reelpass run' uses it with the real adb, Appium and driver. Afterwards it
says what was really posted; exit code 1 where something was posted twice or a
phone is left running, else that of COMMAND. Without COMMAND it serves until
Ctrl-C.

The phones are named like the accounts: sim-1 to sim-N, or those of --accounts.
With --scenario mixed, languages, dialogs, troubles with accounts and about one
fault in two runs of a phone are drawn from --seed, before and after Share: cut
and frozen links, lost logins, full disks, dying servers, refusals of GeeLark.
A --scenario FILE says what happens to which account, run by run, and by the
address in SIMULATE_URL another program can look at phones and harm them:
docs/simulate.md has both. 'reelpass simulate --kinds' lists the faults.

With --graph it is Instagram's official API that is simulated, for publisher
graph: accounts with tokens, containers, limits, and with --scenario mixed every
way in which its calls were seen to fail. Any file will do as a video there:
graph.check is off.`,
		Example: `  reelpass simulate --accounts mira,lina -- reelpass run posts.csv --db sim.db
  reelpass simulate --phones 8 --scenario mixed --pictures shots -- reelpass run posts.csv --db sim.db
  reelpass simulate --graph --accounts mira,lina -- reelpass run posts.csv --db sim.db`,
		Args: cobra.ArbitraryArgs,
	}
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&s.phones, "phones", 4, "how many phones or accounts, where none are named")
	f.StringSliceVarP(&s.accounts, "accounts", "a", nil, "a phone for each of these accounts, as `a,b`")
	f.StringVar(&s.scenario, "scenario", "none", "none: all goes well; mixed: what a seed draws; else a `FILE`")
	f.Uint64Var(&s.seed, "seed", 1, "what is drawn follows from it")
	f.Var(&s.boot, "boot", "how long a phone takes to start")
	f.Var(&s.upload, "upload", "how long a reel takes to upload")
	f.Var(&s.latency, "latency", "how long a phone takes for each command")
	f.StringVar(&s.pictures, "pictures", "", "write a picture of each phone's screen into `FOLDER` at the end")
	f.BoolVar(&s.json, "json", false, "print the report as one JSON object")
	f.BoolVar(&s.graph, "graph", false, "simulate Instagram's official API instead of phones")
	f.BoolVar(&s.kinds, "kinds", false, "list the faults that may happen, and end")
	c.RunE = func(c *cobra.Command, args []string) error { return a.simulate(c.Context(), s, args) }
	return c
}

func (a *app) simulate(ctx context.Context, s simulation, argv []string) (err error) {
	most := 200
	if s.kinds {
		for _, k := range simfarm.Kinds() {
			fmt.Fprintf(a.out, "%-16s %s\n", k.Name, k.About)
		}
		return nil
	}
	if s.graph {
		most = 10_000
	}
	if len(s.accounts) == 0 && (s.phones < 1 || s.phones > most) || len(s.accounts) > most {
		return usage("from 1 to %d phones or accounts can be simulated", most)
	}
	for i := range s.phones {
		if len(s.accounts) == i && i < s.phones {
			s.accounts = append(s.accounts, fmt.Sprintf("sim-%d", i+1))
		}
	}
	if s.graph {
		return a.simulateGraph(ctx, s, argv)
	}
	script, err := scriptOf(s.scenario)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "reelpass-simulate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	farm, err := simfarm.Start(simfarm.Config{
		Accounts: s.accounts, Mixed: s.scenario == "mixed", Script: script, Seed: s.seed, Boot: s.boot.Std(), Upload: s.upload.Std(), Latency: s.latency.Std(), Dir: dir,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, farm.Close()) }()
	env := []string{"REELPASS_PUBLISHER=phone", "REELPASS_PHONE_FROM=geelark", "REELPASS_PHONE_GEELARK=" + farm.URL(), envToken + "=" + farm.Token(), "SIMULATE_URL=" + farm.URL() + "/sim"}
	if len(argv) == 0 {
		return a.serveFarm(ctx, env)
	}
	if err := a.runOnFarm(ctx, argv, env); err != nil {
		return err
	}
	farm.AwaitUploads(ctx)
	r := farm.Report()
	if s.pictures != "" {
		if err := farm.WritePictures(s.pictures); err != nil {
			return err
		}
	}
	if len(r.Doubles) > 0 || len(r.Running) > 0 {
		a.code = exitCannot
	}
	return a.showFarm(r, s)
}

// scriptOf reads the scenario where it is a file.
func scriptOf(scenario string) (*simfarm.Script, error) {
	if scenario == "none" || scenario == "mixed" {
		return nil, nil
	}
	f, err := os.Open(scenario)
	if err != nil {
		return nil, usage("--scenario must be none, mixed or a file: %w", err)
	}
	defer func() { _ = f.Close() }()
	script, err := simfarm.ReadScript(f)
	if err != nil {
		return nil, usageError{err}
	}
	return script, nil
}

// serveFarm says how the farm is reached, and waits for Ctrl-C.
func (a *app) serveFarm(ctx context.Context, env []string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(a.out, "The farm runs until Ctrl-C. In another terminal:")
	for _, kv := range env {
		fmt.Fprintln(a.out, "  export "+kv)
	}
	<-ctx.Done()
	return nil
}

// runOnFarm runs the command. It gets the signals of the terminal itself; its exit code becomes ours.
func (a *app) runOnFarm(ctx context.Context, argv, env []string) error {
	if argv[0] == "reelpass" { // this very program, wherever it was called from
		self, err := a.self()
		if err != nil {
			return err
		}
		argv = append([]string{self}, argv[1:]...)
	}
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), env...)
	c.Stdin, c.Stdout, c.Stderr = a.in, a.out, a.err
	err := c.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		a.code = max(ended.ExitCode(), exitCannot)
		return nil
	}
	if err != nil {
		return usage("%s cannot be run: %w", argv[0], err)
	}
	return nil
}

func (a *app) showFarm(r simfarm.Report, s simulation) error {
	if s.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	none := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return strings.Join(list, ", ")
	}
	fmt.Fprintf(a.out, "\nThe world outside, after %d calls of the vendor's API and %.1f phone minutes (seed %d):\n", r.Calls, r.Minutes, s.seed)
	fmt.Fprintf(a.out, "  posted                %d\n  posted twice          %s\n  phones left running   %s\n", r.Posts, none(r.Doubles), none(r.Running))
	if len(r.Faults) > 0 {
		fmt.Fprintf(a.out, "  what phones suffered  %s\n", strings.Join(r.Faults, "\n                        "))
	}
	return nil
}
