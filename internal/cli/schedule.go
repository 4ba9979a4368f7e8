package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/schedule"
	"reelpass/internal/worker"
)

var _ schedule.Ledger = (*ledger.Store)(nil)

const scheduleFile = "schedule.yaml"

func (a *app) scheduleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "begin batches at times of day",
		Long: `Begins batches by itself, as plans in schedule.yaml say:

  plans:
    - name: evening
      at: ["09:00", "18:30"]      # by the clock on the wall
                                  # or cron: "0 9 * * 1-5"
      days: [mon, tue, wed]       # every day where it is left out
      zone: Europe/Berlin         # this machine's where it is left out
      from: posts.csv             # or a folder of such files, or a scheduler_state.json
      per_account_and_day: 2      # all there are where it is left out
      batch: "{plan}-{date}-{time}"
      missed: once                # or skip

At its time a plan makes a batch of the posts that none of its batches has yet,
of an account no more than the day allows, and runs it as 'reelpass run' does.`,
	}
	c.AddCommand(a.scheduleListCommand(), a.scheduleCheckCommand(), a.scheduleRunCommand())
	return c
}

// plans reads the schedule file that a command names, or the usual one.
func (a *app) plans(args []string) (path string, plans []schedule.Plan, err error) {
	path = scheduleFile
	if len(args) == 1 {
		path = args[0]
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return path, nil, cannotRead("schedule", path, err)
	}
	if plans, err = schedule.Parse(path, data, time.Local); err != nil {
		return path, nil, usageError{err}
	}
	return path, plans, nil
}

func (a *app) scheduleCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "say what is wrong with a schedule, without a ledger",
		Long: `Reads a schedule (default: schedule.yaml) and the sources that it names. Exit
code 2 where something is wrong, with file, line and column.`,
		Example: "  reelpass schedule check",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path, plans, err := a.plans(args)
			if err != nil {
				return err
			}
			s, err := a.settings(c, nil)
			if err != nil {
				return err
			}
			var wrong []error
			for _, p := range plans {
				n := 0
				err := a.source(s, p, func(all iter.Seq2[reel.Post, error]) error {
					for _, err := range all {
						if err != nil {
							return usageError{err}
						}
						n++
					}
					return nil
				})
				if err != nil {
					wrong = append(wrong, usage("plan %s: %w", p.Name, err))
					continue
				}
				fmt.Fprintf(a.out, "plan %s: %s in %s, next %s\n", p.Name, count(n, "post", "posts"), p.From, onClock(p.Next(a.now()), p))
			}
			if len(wrong) > 0 {
				return errors.Join(wrong...)
			}
			fmt.Fprintf(a.out, "%s: %s, nothing is wrong\n", path, count(len(plans), "plan", "plans"))
			return nil
		},
	}
}

// onClock is a moment as the plan's clock shows it.
func onClock(t time.Time, p schedule.Plan) string {
	if t.IsZero() {
		return ""
	}
	return t.In(p.Zone).Format("Mon 2006-01-02 15:04:05 MST")
}

// planLine is a plan and where it stands, for scripts.
type planLine struct {
	Plan  string            `json:"plan"`
	Next  time.Time         `json:"next"`
	Batch string            `json:"batch"` // of the next appointment
	Last  *reel.Appointment `json:"last,omitempty"`
}

func (a *app) scheduleListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list [FILE]",
		Short:   "show when plans begin next, and how they ended last",
		Example: "  reelpass schedule list\n  reelpass schedule list --json",
		Args:    cobra.MaximumNArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a plan")
	c.RunE = func(c *cobra.Command, args []string) error {
		_, plans, err := a.plans(args)
		if err != nil {
			return err
		}
		last, err := a.lastAppointments(c)
		if err != nil {
			return err
		}
		now := a.now()
		for i, p := range plans {
			next := p.Next(now)
			line := planLine{Plan: p.Name, Next: next.UTC(), Batch: p.BatchOf(next)}
			was, ok := last[p.Name]
			if ok && was.State != reel.AppointmentSeen {
				line.Last = &was
			}
			if *asJSON {
				if err := json.NewEncoder(a.out).Encode(line); err != nil {
					return err
				}
				continue
			}
			if i > 0 {
				fmt.Fprintln(a.out)
			}
			fmt.Fprintf(a.out, "%s\n  next  %s  batch %s\n", p.Name, onClock(next, p), line.Batch)
			if line.Last != nil {
				fmt.Fprintln(a.out, strings.TrimRight(fmt.Sprintf("  last  %s  %s %s", onClock(was.At, p), was.State, was.Note), " "))
			}
		}
		return nil
	}
	return c
}

// lastAppointments are those of a ledger, by plan; none where there is no ledger yet.
func (a *app) lastAppointments(c *cobra.Command) (map[string]reel.Appointment, error) {
	last := map[string]reel.Appointment{}
	err := a.withLedger(c, func(ctx context.Context, _ config.Settings, store *ledger.Store) error {
		all, err := store.Appointments(ctx)
		for _, at := range all { // in the order of their times
			last[at.Plan] = at
		}
		return err
	})
	var none *ledger.FileError
	if errors.As(err, &none) && none.Kind == ledger.Missing {
		err = nil
	}
	return last, err
}

func (a *app) scheduleRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run [FILE]",
		Short: "keep the schedule until it is stopped",
		Long: `Keeps a schedule (default: schedule.yaml, read anew when it changes): at each
appointment it makes the batch and runs 'reelpass run' on it, with the settings
that such a command would have. One process at a time keeps the schedule of a
ledger; another one waits, and goes on within 30 seconds when the first is gone.
What a dead one left open is run to its end, and nothing is made twice.

Appointments of a time when nobody kept the schedule make one batch when it is
kept again, or none with 'missed: skip'. A run that could not go on is begun
again after a minute. Ctrl-C once: running posts finish; twice: workers are
killed.`,
		Example: "  reelpass schedule run\n  reelpass schedule run plans/summer.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.settings(c, nil)
			if err != nil {
				return err
			}
			path, _, err := a.plans(args)
			if err != nil {
				return err
			}
			store, err := openLedger(c.Context(), s, false)
			if err != nil {
				return err
			}
			return errors.Join(a.keepSchedule(c, s, store, path), store.Close())
		},
	}
}

func (a *app) keepSchedule(c *cobra.Command, s config.Settings, store *ledger.Store, path string) error {
	out := &lines{to: a.out}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	signals := a.watchKeeper(stop, out)
	keeper, err := a.scheduleKeeper(signals.hard, c, s, store, path, out)
	if err == nil {
		keeper.Keep(ctx)
	}
	if first := signals.end(); first != nil {
		a.code = exitCode(reel.Interrupted, first)
	}
	return errors.Join(err, out.err)
}

// watchKeeper watches signals for a keeper, and says what each does.
func (a *app) watchKeeper(soft func(), out *lines) signals {
	return watchSignals(soft, func(n int, sig os.Signal) {
		text := ": running posts finish, nothing new begins; once more to kill the workers"
		if n > 1 {
			text = ": workers are killed, what is known is recorded"
		}
		out.say("", a.now().Format("15:04:05")+" "+sig.String()+text)
	})
}

// scheduleKeeper makes what keeps the schedule of a file. It runs batches as processes of their own, which write to out, and whose workers are killed when
// hard ends.
func (a *app) scheduleKeeper(hard context.Context, c *cobra.Command, s config.Settings, store *ledger.Store, path string, out *lines) (*schedule.Keeper, error) {
	process, err := worker.Self()
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	who := reel.Supervisor{
		ID: rand.Text(), Name: fmt.Sprintf("pid %d on %s", process.PID, host), Process: process,
		Generation: reel.Generation, Version: version(), Rehearsal: s.Publisher == config.PublisherRehearsal,
	}
	if err := store.Enlist(who); err != nil {
		return nil, err
	}
	argv, err := a.runArgv(c)
	if err != nil {
		return nil, err
	}
	say := func(text string) {
		out.say("", a.now().Format("15:04:05")+" "+strings.TrimSpace(text))
	}
	duty := reel.Duty{Name: reel.ScheduleDuty, Owner: who.ID, Who: who.Name}
	return &schedule.Keeper{
		Ledger: store, Duty: duty, Clock: a.now, Say: say,
		Dead:  dead,
		Plans: func() ([]schedule.Plan, error) { _, plans, err := a.plans([]string{path}); return plans, err },
		Bring: func(ctx context.Context, p schedule.Plan, at reel.Appointment) (int, error) {
			return a.fill(ctx, s, store, duty, p, at, say)
		},
		Run: func(ctx context.Context, batch string) (string, bool) {
			a.awaitFree(ctx, store, batch)
			return runBatch(ctx, hard, slices.Concat(argv, []string{"--batch", batch}), out.named(batch))
		},
	}, nil
}

// dead says that a process of this machine has ended. Of another machine's nothing is certain.
func dead(p reel.Process) bool { return worker.Here(p) && !worker.Alive(p) }

// awaitFree waits while somebody leads a batch: what a dead keeper began goes on by itself. Where that cannot be told, the run will say it.
func (a *app) awaitFree(ctx context.Context, store *ledger.Store, batch string) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		l, err := store.Leader(ctx, batch)
		if err != nil || l.Leader.ID == "" || dead(l.Leader.Process) || !a.now().Before(l.Until) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// runArgv is how this program runs a batch with the settings that it has itself.
func (a *app) runArgv(c *cobra.Command) ([]string, error) {
	self, err := a.self()
	if err != nil {
		return nil, err
	}
	argv := []string{self, "run"}
	for _, name := range []string{"config", "db"} {
		if f := c.Flags().Lookup(name); f.Changed {
			argv = append(argv, "--"+name, f.Value.String())
		}
	}
	return argv, nil
}

// runBatch runs a batch as a process of its own, which outlives this one. The end of soft is its first signal, that of hard its second.
func runBatch(soft, hard context.Context, argv []string, out io.Writer) (how string, done bool) {
	p := exec.Command(argv[0], argv[1:]...)
	p.Stdout, p.Stderr = out, out
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // else a terminal's Ctrl-C would reach it as well as ours
	if err := p.Start(); err != nil {
		return err.Error(), false
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }() // it is waited for below, whatever happens
	for _, ctx := range []context.Context{soft, hard} {
		select {
		case err := <-ended:
			return howEnded(p, err)
		case <-ctx.Done():
			_ = p.Process.Signal(os.Interrupt) // it may have ended just now
		}
	}
	return howEnded(p, <-ended)
}

// howEnded says how a run ended. It has to be run again unless it came to an end of its own: everything posted, or what is left waits for a
// person, or the passes are used up.
func howEnded(p *exec.Cmd, err error) (how string, done bool) {
	if p.ProcessState == nil {
		return err.Error(), false
	}
	switch code := p.ProcessState.ExitCode(); code {
	case 0:
		return string(reel.AllComplete), true
	case exitCode(reel.OnlyNonRetryable, nil):
		return string(reel.OnlyNonRetryable), true
	case exitCode(reel.MaxPassesReached, nil):
		return string(reel.MaxPassesReached), true
	default:
		return "the run ended: " + p.ProcessState.String(), false
	}
}

// source hands the posts of a plan's source to use, in the order of their files' names.
func (a *app) source(s config.Settings, p schedule.Plan, use func(iter.Seq2[reel.Post, error]) error) error {
	files := []string{p.From}
	st, err := os.Stat(p.From)
	if err != nil {
		return cannotRead("source", p.From, err)
	}
	if st.IsDir() {
		if files, err = filepath.Glob(filepath.Join(escaped(p.From), "*.csv")); err != nil {
			return err
		}
	}
	rules, err := judge(s)
	if err != nil {
		return err
	}
	var parts []iter.Seq2[reel.Post, error]
	for _, file := range files {
		in := intake{
			path: file, settings: s, now: a.now(), notice: func(string) {},
			judge: func(e reel.Evidence) reel.Verdict { return rules().Judge(e) },
		}
		f, all, err := in.open()
		if err != nil {
			return err
		}
		defer f.Close()
		parts = append(parts, all)
	}
	return use(func(yield func(reel.Post, error) bool) {
		for i, all := range parts {
			for post, err := range all {
				if err != nil {
					err = fmt.Errorf("%s: %w", files[i], err)
				}
				if !yield(post, err) {
					return
				}
			}
		}
	})
}

// escaped is a path that a pattern takes as it is.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// fill puts what is due into the batch of an appointment, and says how many jobs that has. One that is filled stays as it is.
func (a *app) fill(ctx context.Context, s config.Settings, store *ledger.Store, d reel.Duty, p schedule.Plan, at reel.Appointment, say func(string)) (jobs int, err error) {
	now := a.now()
	taken := schedule.Taken{Posts: map[schedule.Post]bool{}, Today: map[string]int{}}
	for j, err := range store.PlannedJobs(ctx, p.Name) {
		if err != nil {
			return 0, err
		}
		if j.At.Equal(at.At) {
			jobs++
		}
		taken.Posts[schedule.Post{ID: j.Job, Account: j.Account, Video: j.Video}] = true
		if p.SameDay(j.Filled, now) && !j.Old {
			taken.Today[j.Account]++
		}
	}
	if jobs > 0 {
		return jobs, nil
	}
	err = a.source(s, p, func(all iter.Seq2[reel.Post, error]) error {
		left, due := 0, 0
		chosen := p.Choose(all, taken, now, &left)
		for _, err := range chosen {
			if err != nil {
				return err
			}
			due++
		}
		if left > 0 {
			say(fmt.Sprintf("plan %s: %s for another day", p.Name, count(left, "post waits", "posts wait")))
		}
		if due == 0 {
			return nil
		}
		rep, err := store.Fill(ctx, d, at, chosen)
		jobs = rep.Added + rep.Known
		return err
	})
	return jobs, err
}

// lines writes whole lines of several writers, each with the name of whose it is.
type lines struct {
	mu  sync.Mutex
	to  io.Writer
	err error
}

func (l *lines) say(name, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name != "" {
		text = "[" + name + "] " + text
	}
	if _, err := fmt.Fprintln(l.to, text); l.err == nil {
		l.err = err
	}
}

// named is a writer whose lines have a name. It is used by one process.
func (l *lines) named(name string) io.Writer { return &namedLines{lines: l, name: name} }

type namedLines struct {
	lines *lines
	name  string
	rest  []byte
}

// Write writes the lines that are whole; it never fails, since a run must not stop because nobody reads.
func (n *namedLines) Write(p []byte) (int, error) {
	n.rest = append(n.rest, p...)
	for {
		line, rest, whole := bytes.Cut(n.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		n.lines.say(n.name, strings.TrimRight(string(line), "\r"))
		n.rest = rest
	}
}

// examineSchedule reads the usual schedule where there is one. A run goes on without it.
func (a *app) examineSchedule() []finding {
	if _, err := os.Stat(scheduleFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, plans, err := a.plans(nil)
	if err != nil {
		return []finding{{Check: "schedule", OK: true, Warn: true, Text: err.Error(), Hint: hintFor(err)}}
	}
	first := plans[0]
	for _, p := range plans {
		if p.Next(a.now()).Before(first.Next(a.now())) {
			first = p
		}
	}
	return []finding{{Check: "schedule", OK: true, Text: fmt.Sprintf("%s, the next is %s at %s, while 'reelpass schedule run' or 'serve --schedule' runs",
		count(len(plans), "plan", "plans"), first.Name, onClock(first.Next(a.now()), first))}}
}
