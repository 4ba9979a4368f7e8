package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
	"reelpass/internal/worker"
)

var (
	_ runner.Slots  = (*ledger.Store)(nil)
	_ runner.Leases = (*ledger.Store)(nil)
	_ runner.Passes = (*ledger.Store)(nil)
	_ runner.Memory = (*ledger.Store)(nil)
)

// runFlags are the flags of run, with the defaults that the settings have.
func runFlags(c *cobra.Command, batch string) *flagSet {
	c.Flags().SortFlags = false // what is used most stands first
	f, d := flags(c), config.Default()
	f.number("workers", "w", d.Workers, "worker processes side by side", func(s *config.Settings) *int { return &s.Workers })
	f.number("slots", "", d.Slots, "jobs at once per worker", func(s *config.Settings) *int { return &s.Slots })
	f.text("publisher", "who carries a job out, by `NAME`: command (your own program), phone or rehearsal", func(s *config.Settings) *string { return &s.Publisher })
	f.text("batch", "the batch's `NAME` (default: "+batch+")", func(s *config.Settings) *string { return &s.Batch })
	f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
	f.duration("job-timeout", d.JobTimeout, "a worker without progress for so long is killed", func(s *config.Settings) *config.Duration { return &s.JobTimeout })
	f.text("media-cache", "the `FOLDER` of videos that were fetched from an address (default "+d.MediaCache+")", func(s *config.Settings) *string { return &s.MediaCache })
	f.size("media-cache-size", d.MediaCacheSize, "what that folder may hold", func(s *config.Settings) *config.Size { return &s.MediaCacheSize })
	f.is("allow-repost", "publish a video again on an account that has it already", true, func(s *config.Settings) *bool { return &s.AllowRepost })
	return f
}

// retryFlags are the flags of the passes; only the run that leads has them.
func retryFlags(f *flagSet) {
	d := config.Default()
	f.number("max-passes", "", d.MaxPasses, "passes over the batch; 1 means no retry", func(s *config.Settings) *int { return &s.MaxPasses })
	f.duration("retry-delay", d.RetryDelay, "wait between two passes (without a unit: seconds)", func(s *config.Settings) *config.Duration { return &s.RetryDelay })
	f.number("infra-retry-limit", "", d.InfraRetryLimit, "infrastructure failures allowed per job (3 means two retries)", func(s *config.Settings) *int { return &s.InfraRetryLimit })
	f.number("unknown-retry-limit", "", d.UnknownRetryLimit, "unknown failures allowed per job", func(s *config.Settings) *int { return &s.UnknownRetryLimit })
	f.number("max-attempts-per-job", "", d.MaxAttemptsPerJob, "attempts of any ending allowed per job, the first included", func(s *config.Settings) *int { return &s.MaxAttemptsPerJob })
	f.is("no-retry-unknown", "do not retry failures that no rule knows", false, func(s *config.Settings) *bool { return &s.RetryUnknown })
	f.is("no-account-hold", "an account verdict sets aside its own job only", false, func(s *config.Settings) *bool { return &s.AccountHold })
	f.duration("max-wait", d.MaxWait, "longest wait for an account or publisher that asks for time, or an outage", func(s *config.Settings) *config.Duration { return &s.MaxWait })
	f.textDefault("breaker", d.Breaker, "`K/N`: stop claiming when K of the last N attempts fail alike; off", func(s *config.Settings) *string { return &s.Breaker })
	f.duration("breaker-wait", d.BreakerWait, "wait before one job probes whether an outage is over", func(s *config.Settings) *config.Duration { return &s.BreakerWait })
	f.list("accounts", "a", "take from the file only the rows of these accounts, as `a,b`", func(s *config.Settings) *[]string { return &s.Accounts })
	f.text("state-file", "take jobs from `FILE`, the earlier orchestrator's scheduler_state.json", func(s *config.Settings) *string { return &s.StateFile })
}

func (a *app) runCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run [POSTS.csv]",
		Short: "run a batch in passes to its end, or resume it",
		Long: `Runs a batch: every pending job is tried once in a pass; what failed for a
passing reason is tried again in the next pass; broken accounts and bad content
are set aside. With a posts file its new jobs are added first; without one the
latest batch is resumed. Whatever happens, the next run continues where this
one was cut.

POSTS.csv is a UTF-8 file with a header line: account,video_path,caption, and
where wanted job_id and publish_at. video_path is a file or an address
(https://, s3://, gs://, file://) that is fetched. Who publishes is chosen in
reelpass.yaml ('reelpass help settings') or with --publisher.

Retry behaviour:
  - Default: 5 passes, 5 attempts per job, 30 s between two passes
  - Infrastructure failures (adb timeout, Appium crash, network) are retried,
    up to 3 failures per job
  - Unknown failures are retried, up to 2 failures per job
    (--no-retry-unknown: never)
  - Account failures (suspended, logged out, captcha) are never retried; the
    account is held until a person releases it ('reelpass accounts release')
  - Content failures (bad video, copyright) are never retried
  - A post that began and whose outcome is not known is in doubt: it is looked
    up where the publisher can, and never simply repeated
  - --max-passes 1 turns retries off
  - A rate limit with a time ("until 14:05", retry_after) holds its account, or
    the whole batch, until then: its jobs wait and lose none of their limits
  - The breaker: when 5 of the last 10 attempts fail alike over 3 accounts or
    more, nothing is claimed; after a minute one job probes. It works: the
    batch goes on. It fails alike: the next probe waits for twice as long
  - A run waits for up to 12 hours (--max-wait), then ends and says why

Ctrl-C once: running posts finish, nothing new starts. Twice: workers are
killed, and what is known is still recorded.

Exit codes:
  0    all_complete: every job is posted
  1    could not run, or could not go on; the message says why
  2    wrong usage or bad input; nothing was begun
  3    only_non_retryable: what is left waits for a person
  4    max_passes_reached: what is left could be tried again
  130  interrupted (Ctrl-C); 143 terminated. The next run continues`,
		Example: `  reelpass run posts.csv --workers 3                        3 workers, 5 passes
  reelpass run posts.csv --max-passes 10 --max-attempts-per-job 3
  reelpass run posts.csv --retry-delay 60                   a minute between passes
  reelpass run                                              resume the latest batch
  reelpass run posts.csv --publisher rehearsal              try it out: nothing is published,
    --db rehearsal.db                                       and the real ledger knows nothing of it`,
		Args: cobra.MaximumNArgs(1),
	}
	f := runFlags(c, "the posts file's name, or the latest batch")
	retryFlags(f)
	asJSON := c.Flags().Bool("json", false, "print events, one JSON object a line")
	verbose := c.Flags().BoolP("verbose", "v", false, "print claims and steps as well")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		file := s.StateFile
		if len(args) == 1 {
			if file != "" && c.Flags().Changed("state-file") {
				return usage("give a posts file or --state-file, not both")
			}
			file = args[0]
		}
		if c.Flags().Changed("accounts") && file == "" {
			return hinted{usage("--accounts chooses rows while a file is imported; there is no file"), "give the posts file as well"}
		}
		return a.run(c, s, file, runView{json: *asJSON, verbose: *verbose})
	}
	return c
}

type runView struct{ json, verbose bool }

// run imports, leads the batch to its end and turns the result into the exit code.
func (a *app) run(c *cobra.Command, s config.Settings, file string, v runView) (err error) {
	ctx := c.Context()
	w, err := a.workshop(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	store, err := openLedger(ctx, s, file == "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Enlist(w.sup); err != nil { // before the file is imported: a refused run leaves nothing
		return err
	}
	var batch string
	var added *reel.Event
	if file != "" {
		rep, err := a.bring(ctx, s, file, store)
		if err != nil {
			return err
		}
		batch = rep.Batch
		if v.json {
			added = &reel.Event{At: a.now().UTC(), Kind: reel.EventImported, Batch: batch, Count: rep.Added}
		} else {
			fmt.Fprintln(a.out, sayImport(rep))
		}
	} else if batch, err = batchOf(ctx, c, s, store); err != nil {
		return err
	}
	show := a.show(v)
	if added != nil {
		show.See(*added)
	}
	r := w.runner(store, s, batch, show.goesOn(ctx, store, batch))
	signals := watchSignals(r.Stop, func(n int, sig os.Signal) {
		text := sig.String() + ": running posts finish, nothing new starts; once more to kill the workers"
		if n > 1 {
			text = sig.String() + ": workers are killed, what is known is recorded"
		}
		r.Watch(reel.Event{At: a.now().UTC(), Kind: reel.EventStopping, Batch: batch, Text: text})
	})
	result, err := r.Lead(signals.hard)
	first := signals.end()
	shut := show.Close()
	if err != nil {
		return errors.Join(err, shut)
	}
	if shut != nil { // whoever read our output went away; what was to be done is done
		fmt.Fprintln(a.err, "reelpass: "+shut.Error()+"; the run itself was carried through")
	}
	a.code = exitCode(result, first)
	a.advise(result, store, batch)
	return nil
}

func exitCode(result reel.Result, sig os.Signal) int {
	switch result {
	case reel.AllComplete:
		return exitOK
	case reel.OnlyNonRetryable:
		return exitNonRetry
	case reel.MaxPassesReached:
		return exitMaxPasses
	case reel.Interrupted, reel.NoResult:
	}
	if sig == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupt
}

// advise says on stderr what a person can do about the result.
func (a *app) advise(result reel.Result, store *ledger.Store, batch string) {
	st, err := store.Status(context.Background(), batch)
	if err != nil {
		return // the result stands; advice is a courtesy
	}
	var hints []string
	if result == reel.Interrupted {
		hints = append(hints, "the next 'reelpass run' continues here")
	}
	if st.Totals.InDoubt > 0 {
		hints = append(hints, fmt.Sprintf("%d in doubt: look at the account, then 'reelpass resolve JOB --posted' or '--not-posted' (list them: reelpass jobs --state in_doubt)", st.Totals.InDoubt))
	}
	if holds, err := store.Holds(context.Background(), false); err == nil && len(holds) > 0 {
		hints = append(hints, fmt.Sprintf("%s held: 'reelpass accounts' says why, 'reelpass accounts release NAME' gives one back", count(len(holds), "account is", "accounts are")))
	}
	if st.Totals.Exhausted+st.Totals.OutOfPasses > 0 && result != reel.Interrupted {
		hints = append(hints, "'reelpass retry --state exhausted,out_of_passes' returns jobs that used up their limits; then run again")
	}
	for _, h := range hints {
		fmt.Fprintln(a.err, "hint: "+h)
	}
}

// workshop is what a supervisor needs beside the ledger.
type workshop struct {
	a     *app
	sup   reel.Supervisor
	logs  *logs
	pub   publisher
	rules func() *fault.Rules
}

func (a *app) workshop(s config.Settings) (*workshop, error) {
	rules, err := judge(s)
	if err != nil {
		return nil, err
	}
	self, err := worker.Self()
	if err != nil {
		return nil, err
	}
	// A supervisor has little in memory and much garbage: collected a quarter as often, it posts /bin/true a fifteenth faster. The limit is for
	// publishers with many slots inside the process.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(64 << 20)
	host, _ := os.Hostname()
	w := &workshop{
		a: a, rules: rules,
		sup: reel.Supervisor{
			ID: rand.Text(), Name: fmt.Sprintf("pid %d on %s", self.PID, host), Process: self,
			Generation: reel.Generation, Version: version(), Rehearsal: s.Publisher == config.PublisherRehearsal,
		},
	}
	if w.logs, err = openLogs(s.LogDir); err != nil {
		return nil, hinted{err, "name a folder that may be written with log_dir in reelpass.yaml or REELPASS_LOG_DIR"}
	}
	if w.pub, err = a.publisher(s, w.sup.ID, w.logs); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workshop) close() error { return w.logs.close() }

func (w *workshop) runner(store *ledger.Store, s config.Settings, batch string, see func(reel.Event)) *runner.Runner {
	return &runner.Runner{
		Config: runner.Config{
			Batch: batch, Supervisor: w.sup, Limits: s.Limits(), Workers: s.Workers, PerWorker: s.Slots, AllowRepost: s.AllowRepost, Look: w.pub.look,
			Immediate: w.pub.immediate, Shared: ledger.IsServer(s.DB), Listen: store.Listen,
		},
		Slots: store, Leases: store, Passes: store, Memory: store, Tidy: w.tidy(store), Processes: processes{}, Media: w.pub.media, NewWorker: w.pub.worker, Clock: w.a.now,
		Judge: func(e reel.Evidence) reel.Verdict { return w.rules().Judge(e) },
		Pause: func(e reel.Evidence, v reel.Verdict, at time.Time) reel.Pause { return w.rules().Pause(e, v, at) },
		Sign: func(e reel.Evidence, v reel.Verdict, j reel.Job) string {
			return fault.Signature(e, v, j.VideoPath, string(j.ID), j.Account)
		},
		Watch: func(e reel.Event) { w.logs.see(e); see(e) },
	}
}

// tidy is what the runner calls to put in order what dead workers left outside; nil where the publisher has no such thing.
func (w *workshop) tidy(store *ledger.Store) func(context.Context) (string, error) {
	if w.pub.tidy == nil {
		return nil
	}
	return func(ctx context.Context) (string, error) { return w.pub.tidy(ctx, store) }
}

// shown is a console whose live line is kept moving.
type shown struct {
	*console.Console
	stop func()
}

// show opens the console. On a terminal a ticker redraws the live line; it is waited for by Close.
func (a *app) show(v runView) shown {
	o := a.look()
	o.JSON, o.Verbose = v.json, v.verbose
	con := console.New(o)
	if !o.Live || o.JSON {
		return shown{con, func() {}}
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				con.Tick(now)
				if w := a.look().Width; w > 0 && w != o.Width {
					o.Width = w
					con.Resize(w)
				}
			}
		}
	})
	return shown{con, func() { close(done); wg.Wait() }}
}

// goesOn shows events, and after the run's start which pass it finds open: a pass is announced only when it is opened.
func (s shown) goesOn(ctx context.Context, store *ledger.Store, batch string) func(reel.Event) {
	st, err := store.Status(ctx, batch)
	n := len(st.Passes)
	if err != nil || n == 0 || !st.Passes[n-1].EndedAt.IsZero() {
		return s.See // a ledger that cannot be read will be told by whoever needs it
	}
	return func(e reel.Event) {
		s.See(e)
		if e.Kind == reel.EventRunStarted {
			s.See(reel.Event{At: e.At, Kind: reel.EventNotice, Batch: batch, Pass: st.Passes[n-1].Pass, Text: fmt.Sprintf("pass %d was cut short and goes on", st.Passes[n-1].Pass)})
		}
	}
}

// Close ends the ticker and takes the live line away.
func (s shown) Close() error {
	s.stop()
	return s.Console.Close()
}
