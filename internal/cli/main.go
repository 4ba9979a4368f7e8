package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra" // commands, help and completion for four shells; old, stable, known to everybody

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// Exit codes. Scripts rely on them.
const (
	exitOK         = 0
	exitCannot     = 1 // could not do it; the message says why
	exitUsage      = 2 // the call or its input is wrong
	exitNonRetry   = 3 // run: only_non_retryable
	exitMaxPasses  = 4 // run: max_passes_reached
	exitInterrupt  = 130
	exitTerminated = 143
)

// usageError is the caller's mistake: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// hinted is an error with advice on a line of its own.
type hinted struct {
	err  error
	hint string
}

func (e hinted) Error() string { return e.err.Error() }
func (e hinted) Unwrap() error { return e.err }

// app is one call of the program.
type app struct {
	arg0   string
	getenv func(string) string
	in     io.Reader
	out    io.Writer
	err    io.Writer
	now    func() time.Time
	code   int // what a command that did its work wants to exit with
}

// Main runs the program and returns its exit code.
func Main(args []string, getenv func(string) string, in io.Reader, out, errw io.Writer) int {
	a := &app{arg0: args[0], getenv: getenv, in: in, out: out, err: errw, now: time.Now}
	root, words := a.root(), oldWords(args[1:])
	root.SetArgs(words)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := knownCommand(root, words)
	if err == nil {
		err = root.ExecuteContext(context.Background())
	}
	if err == nil {
		return a.code
	}
	return a.report(err)
}

// knownCommand says which command was perhaps meant where there is none of that name.
func knownCommand(root *cobra.Command, words []string) error {
	if len(words) > 0 && strings.HasPrefix(words[0], cobra.ShellCompRequestCmd) {
		return nil // the shell asks, not a person
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	_, rest, err := root.Find(words)
	if err == nil {
		return nil
	}
	hint := "see 'reelpass --help'"
	if i := slices.IndexFunc(rest, func(w string) bool { return !strings.HasPrefix(w, "-") }); i >= 0 {
		if _, err := os.Stat(rest[i]); err == nil {
			hint = "did you mean 'reelpass run " + rest[i] + "'?"
		} else if like := root.SuggestionsFor(rest[i]); len(like) > 0 {
			hint = "did you mean 'reelpass " + like[0] + "'? " + hint
		}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return hinted{usage("%s", first), hint}
}

// cannotRead is the caller's mistake of naming a file that is not there or may not be read.
func cannotRead(what, path string, err error) error {
	return hinted{usage("%s %s: %w", what, path, plainCause(err)), "check the name; it is looked for from the folder in which reelpass was started"}
}

// plainCause is what the operating system said, without the call and the file it was said of.
func plainCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// oldWords translates the earlier orchestrator's flags: `--run` and `--status` were what commands are now.
func oldWords(args []string) []string {
	if len(args) == 0 || !strings.HasPrefix(args[0], "-") {
		return args
	}
	for _, word := range []string{"run", "status"} {
		if i := slices.Index(args, "--"+word); i >= 0 {
			return append([]string{word}, slices.Delete(slices.Clone(args), i, i+1)...)
		}
	}
	return args
}

// report prints an error in one piece, its hint on a line of its own, and chooses the exit code.
func (a *app) report(err error) int {
	fmt.Fprintln(a.err, "reelpass: "+reel.Scrub(err.Error()))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(a.err, "hint: "+hint)
	}
	var use usageError
	var bad *ledger.ImportError
	var file *ledger.FileError
	switch {
	case errors.As(err, &use), errors.As(err, &bad), errors.Is(err, reel.ErrNotFound):
		return exitUsage
	case errors.As(err, &file) && slices.Contains([]ledger.Trouble{ledger.Missing, ledger.Foreign, ledger.Newer, ledger.Older, ledger.BadAddress}, file.Kind):
		return exitUsage
	}
	return exitCannot
}

// hintFor says what to do, where there is something to do.
func hintFor(err error) string {
	var h hinted
	var taken *runner.TakenError
	var skew *reel.SkewError
	var mixed *ledger.MixedError
	var file *ledger.FileError
	var outage *reel.OutageError
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &skew) && skew.Older():
		return "install the newer reelpass here too, and give the same command again"
	case errors.As(err, &skew):
		return "stop the older one (Ctrl-C there; one that died lets go after half a minute), and install this reelpass on every machine"
	case errors.As(err, &mixed):
		return "name another ledger with --db; rehearsals and real runs need one each"
	case errors.As(err, &outage):
		return "what was not attempted stays as it is: mend the cause, then 'reelpass run' probes with one job and goes on (--breaker off: without)"
	case errors.Is(err, reel.ErrNotFound):
		return "'reelpass status --all' lists the batches, 'reelpass jobs' a batch's jobs, 'reelpass accounts' the held accounts"
	case errors.As(err, &taken):
		return "watch it with 'reelpass status'; stop it with Ctrl-C there, or lend it workers with 'reelpass worker'"
	case errors.Is(err, reel.ErrLost):
		return "another machine leads the batch by now, this one was out of touch for too long: nothing is lost; 'reelpass worker' lends it workers again"
	case errors.As(err, &file):
		return map[ledger.Trouble]string{
			ledger.Missing:    "start with 'reelpass run POSTS.csv' or 'reelpass import POSTS.csv', or name the ledger with --db",
			ledger.Foreign:    "name another file with --db; this one was not touched",
			ledger.Newer:      "use the newer reelpass; the ledger was not touched",
			ledger.Older:      "the next 'reelpass run' or 'import' brings it up to date; first stop every run of the older reelpass",
			ledger.Damaged:    "stop all runs, keep a copy of the file and its -wal, and try 'sqlite3 FILE .recover'; a backup is safer",
			ledger.Full:       "free some space and run the same command again: nothing is lost",
			ledger.Unreadable: "check the file's owner and permissions",
			ledger.Unwritable: "check that the folder exists and may be written, or name another place with --db",
			ledger.Busy:       "a long import may be running; try again when it is done",

			ledger.BadAddress:  "it looks like postgres://USER@HOST:5432/DATABASE; the password may stand in PGPASSWORD or ~/.pgpass",
			ledger.Unreachable: "check the address, the network and that the server runs: nothing is lost, run the same command again",
			ledger.Denied:      "check the user, the password (PGPASSWORD, ~/.pgpass) and the server's pg_hba.conf",
			ledger.NoDatabase:  "make it with 'createdb', or name another",
		}[file.Kind]
	}
	return ""
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "reelpass",
		Short: "publish batches of Reels in passes: never twice, nothing lost",
		Long: `reelpass publishes batches of Reels to accounts you own or manage.

It tries every job with isolated workers, says of each failure whose trouble it
was, sets broken accounts aside, retries infrastructure hiccups in later passes,
and stops when all is posted or nothing may be tried again. What it knows is in
one ledger file; kill it and run it again.`,
		Example: `  reelpass run posts.csv                    run a batch, or resume it
  reelpass status                           where it stands
  reelpass jobs --state in_doubt            what waits for you
  reelpass explain JOB                      one job's whole story`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted{usageError{err}, "see '" + c.CommandPath() + " --help'"}
	})
	root.PersistentFlags().String("config", "", "settings `FILE` (default reelpass.yaml where it exists)")
	root.PersistentFlags().String("db", "", "the ledger's `FILE`, or postgres:// and the address of a server (default .reelpass/ledger.db)")
	root.AddCommand(
		a.runCommand(), a.workerCommand(), a.importCommand(), a.exportCommand(), a.statusCommand(), a.jobsCommand(), a.explainCommand(),
		a.classifyCommand(), a.rulesCommand(), a.rejudgeCommand(), a.screenCommand(), a.accountsCommand(), a.resolveCommand(), a.retryCommand(), a.cancelCommand(),
		a.pauseCommand(), a.resumeCommand(), a.ledgerCommand(), a.doctorCommand(), a.checkCommand(), a.serveCommand(), a.scheduleCommand(), a.alertsCommand(), a.simulateCommand(), a.publisherCommand(), settingsTopic(),
	)
	for _, c := range root.Commands() {
		strictArgs(c)
	}
	return root
}

// strictArgs makes a wrong number of arguments a usage error, like a wrong flag.
func strictArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return hinted{usageError{err}, "see '" + c.CommandPath() + " --help'"}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strictArgs(sub)
	}
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}

// person is who steers, for the journal.
func (a *app) person() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if v := a.getenv(name); v != "" {
			return v
		}
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
