package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"reelpass/internal/command"
	"reelpass/internal/config"
	"reelpass/internal/ledger"
	"reelpass/internal/media"
	"reelpass/internal/rehearsal"
	"reelpass/internal/runner"
	"reelpass/internal/worker"
)

var (
	_ runner.Worker    = (*worker.Client)(nil)
	_ runner.Worker    = (*command.Worker)(nil)
	_ runner.Media     = (*media.Cache)(nil)
	_ worker.Publisher = (*rehearsal.Publisher)(nil)
)

// publisher makes the workers of a run.
type publisher struct {
	worker func(id int) runner.Worker
	look   bool // it can look up in-doubt jobs
	// immediate: executing a job is itself the irreversible step
	immediate bool
	media     runner.Media // nil: it has no use for the videos themselves
	// tidy puts in order what dead workers left in the outside world, and says what it did; nil: there is nothing
	tidy func(context.Context, *ledger.Store) (string, error)
}

// publisher checks the chosen publisher before anything is begun, and says how its workers are made.
func (a *app) publisher(s config.Settings, mark string, l *logs) (publisher, error) {
	secrets := secretsOf(os.Environ(), s)
	switch s.Publisher {
	case config.PublisherCommand:
		cfg := command.Config{
			Run: s.Command.Run, Protocol: s.Command.Protocol, Find: s.Command.Find,
			Timeout: cmp.Or(s.Command.Timeout, s.JobTimeout).Std(),
		}
		if err := command.Check(cfg, ""); err != nil {
			return publisher{}, usageError{err}
		}
		make := func(id int) *command.Worker {
			return command.New(cfg, command.Options{Log: l.worker(id), Mark: mark, Secrets: secrets, Env: withoutLedger()})
		}
		return publisher{
			worker:    func(id int) runner.Worker { return make(id) },
			look:      make(1).CanFind(),
			immediate: s.Command.Protocol == config.ProtocolExit,
			media:     a.media(s),
		}, nil
	case config.PublisherRehearsal:
		argv, err := a.rehearsalArgv(s)
		if err != nil {
			return publisher{}, err
		}
		return publisher{
			look: s.Rehearsal.World != "",
			worker: func(id int) runner.Worker {
				return worker.NewClient(worker.Options{
					Argv: argv, Timeout: s.JobTimeout.Std(), Log: l.worker(id), Mark: mark, Secrets: secrets,
					Env: withoutLedger(),
				})
			},
		}, nil
	case config.PublisherPhone:
		return a.phonePublisher(s, mark, l, secrets)
	case config.PublisherGraph:
		return a.graphPublisher(s, l, secrets)
	case "":
		return publisher{}, hinted{
			usage("no publisher is chosen"),
			"put 'publisher: graph', phone, command or rehearsal into reelpass.yaml, or give --publisher",
		}
	}
	return publisher{}, usage("publisher %s is not in this build", s.Publisher)
}

// media is where videos from an address are kept. One fetch may take as long as a job.
func (a *app) media(s config.Settings) *media.Cache {
	return media.New(media.Config{Dir: s.MediaCache, Size: s.MediaCacheSize.Bytes(), Timeout: s.JobTimeout.Std(), Clock: a.now})
}

// withoutLedger takes the ledger's address and password from a worker's environment: it has no use for them.
func withoutLedger() []string { return []string{"REELPASS_DB", "PGPASSWORD"} }

// rehearsalArgv is how this program is started as a rehearsal's worker.
func (a *app) rehearsalArgv(s config.Settings) ([]string, error) {
	cfg := rehearsal.Config{Script: s.Rehearsal.Script, World: s.Rehearsal.World}
	if _, err := rehearsal.New(cfg); err != nil {
		return nil, usageError{err}
	}
	self, err := a.self()
	if err != nil {
		return nil, err
	}
	argv := []string{self, "publisher", "rehearsal", "--latency", s.Rehearsal.Latency.String(), "--seed", strconv.FormatUint(s.Rehearsal.Seed, 10)}
	if s.Rehearsal.Script != "" {
		argv = append(argv, "--script", s.Rehearsal.Script)
	}
	if s.Rehearsal.World != "" {
		argv = append(argv, "--world", s.Rehearsal.World)
	}
	return argv, nil
}

// self is this program's file, under the name it was called by where that is the same file.
func (a *app) self() (string, error) {
	real, err := os.Executable()
	if err != nil {
		return "", err
	}
	called, err := exec.LookPath(a.arg0)
	if err != nil {
		return real, nil
	}
	x, errX := os.Stat(called)
	y, errY := os.Stat(real)
	if errX != nil || errY != nil || !os.SameFile(x, y) {
		return real, nil
	}
	return filepath.Abs(called)
}

// publisherCommand is what a built-in publisher's worker process runs. People have no use for it.
func (a *app) publisherCommand() *cobra.Command {
	c := &cobra.Command{Use: "publisher", Short: "carry out jobs that a supervisor sends as JSON lines", Hidden: true, Args: cobra.NoArgs}
	r := &cobra.Command{Use: "rehearsal", Args: cobra.NoArgs}
	var cfg rehearsal.Config
	var latency config.Duration
	r.Flags().StringVar(&cfg.Script, "script", "", "outcomes per job")
	r.Flags().StringVar(&cfg.World, "world", "", "what was posted")
	r.Flags().Uint64Var(&cfg.Seed, "seed", 0, "of drawn outcomes")
	r.Flags().Var(&latency, "latency", "of a job")
	r.RunE = func(c *cobra.Command, _ []string) error {
		cfg.Latency = latency.Std()
		p, err := rehearsal.New(cfg)
		if err != nil {
			return usageError{err}
		}
		// Ctrl-C reaches the whole terminal; the supervisor decides what it means for a job that runs.
		signal.Ignore(os.Interrupt)
		err = worker.Serve(context.WithoutCancel(c.Context()), a.in, a.out, p)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	c.AddCommand(r, a.phoneCommand())
	return c
}
