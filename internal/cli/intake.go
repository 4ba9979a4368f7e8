package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/disk"
	"reelpass/internal/ledger"
	"reelpass/internal/plan"
	"reelpass/internal/posts"
	"reelpass/internal/reel"
	"reelpass/internal/report"
)

// headSize is how much of a file is looked at to tell its format.
const headSize = 64 << 10

// intake brings a file of jobs into a batch.
type intake struct {
	path     string
	settings config.Settings
	judge    func(reel.Evidence) reel.Verdict
	notice   func(string)
	now      time.Time
}

// batch is the name that the jobs go under: the one of the settings, or the file's own.
func (in intake) batch() string {
	if in.settings.Batch != "" {
		return in.settings.Batch
	}
	base := filepath.Base(in.path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// into imports the file. Its errors name the file; nothing of a file with an error is imported.
func (in intake) into(ctx context.Context, store *ledger.Store) (ledger.ImportReport, error) {
	rep := ledger.ImportReport{}
	f, all, err := in.open()
	if err != nil {
		return rep, err
	}
	defer f.Close()
	rep, err = store.Import(ctx, in.batch(), all)
	var bad *ledger.ImportError
	if errors.As(err, &bad) {
		for i, p := range bad.Problems {
			bad.Problems[i] = fmt.Errorf("%s: %w", in.path, p)
		}
		return rep, hinted{bad, nothingImported}
	}
	return rep, err
}

// open opens the file for the jobs in it, which are read from its start each time they are ranged over. The caller closes it.
func (in intake) open() (*os.File, iter.Seq2[reel.Post, error], error) {
	f, err := openWhole(in.path)
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, errors.Join(cannotRead("posts file", in.path, err), f.Close())
	}
	format, err := posts.Detect(head[:n], in.path)
	if err != nil {
		return nil, nil, errors.Join(hinted{usage("%s: %w", in.path, err), nothingImported}, f.Close())
	}
	return f, in.prepare(in.posts(f, format)), nil
}

const nothingImported = "nothing was imported; mend the file and give the same command again"

// openWhole opens a file that can be read more than once. What comes through a pipe is kept in a file without a name.
func openWhole(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cannotRead("posts file", path, err)
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(err, f.Close())
	case st.IsDir():
		return nil, errors.Join(usage("%s: it is a directory, not a file of posts", path), f.Close())
	case st.Mode().IsRegular():
		return f, nil
	}
	defer f.Close()
	whole, err := os.CreateTemp("", "reelpass-*")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(whole, f); err == nil {
		_, err = whole.Seek(0, io.SeekStart)
	}
	if err = errors.Join(err, os.Remove(whole.Name())); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), whole.Close())
	}
	return whole, nil
}

// posts reads the file from its start each time it is ranged over: the ledger tries a refused import a second time.
func (in intake) posts(f *os.File, format posts.Format) iter.Seq2[reel.Post, error] {
	notice := in.notice
	return func(yield func(reel.Post, error) bool) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			yield(reel.Post{}, err)
			return
		}
		read := posts.ReadCSV
		switch format {
		case posts.ProgressCSV:
			read = posts.ReadProgress
		case posts.SchedulerState:
			read = posts.ReadSchedulerState
		case posts.PostsCSV:
		}
		all := read(bufio.NewReaderSize(f, headSize), posts.Options{Notice: notice})
		notice = func(string) {} // told once is enough
		all(yield)
	}
}

// prepare leaves out other accounts and judges again what an earlier orchestrator called failed. That no row at all is for
// the accounts asked for is a problem: they are misspelt, and "nothing to post" would hide it.
func (in intake) prepare(all iter.Seq2[reel.Post, error]) iter.Seq2[reel.Post, error] {
	return func(yield func(reel.Post, error) bool) {
		others, met := 0, map[string]bool{}
		waiting, until := 0, time.Time{}
		for p, err := range all {
			if err == nil {
				if len(in.settings.Accounts) > 0 {
					if !slices.Contains(in.settings.Accounts, p.Account) {
						others++
						continue
					}
					met[p.Account] = true
				}
				if p.Past != nil {
					in.rejudge(&p)
				}
				if p.PublishAt.After(in.now) {
					waiting++
					until = later(until, p.PublishAt)
				}
			}
			if !yield(p, err) {
				return
			}
		}
		if waiting > 0 {
			in.notice(fmt.Sprintf("publish_at lies ahead in %s, in the last at %s: a run waits for it", count(waiting, "row", "rows"), until.Local().Format("2006-01-02 15:04:05 MST")))
		}
		for _, name := range in.settings.Accounts {
			switch {
			case met[name]:
			case len(met) == 0 && others > 0:
				if !yield(reel.Post{}, fmt.Errorf("no row is for account %q", name)) {
					return
				}
			default:
				in.notice(fmt.Sprintf("no row is for account %q", name))
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rejudge gives an old failure a verdict from its text and decides by today's limits what becomes of it. Its failures are
// counted in the category of the last, which is all that such a file tells.
func (in intake) rejudge(p *reel.Post) {
	past := p.Past
	if past.State == reel.Pending || past.State == reel.Succeeded {
		return
	}
	past.Verdict = in.judge(past.Evidence)
	limits := in.settings.Limits()
	if past.State == reel.SetAside && past.Reason == reel.ReasonAccount {
		past.Verdict.Category = reel.Account
		past.Hold = limits.AccountHold
	}
	if past.State != reel.Failed {
		return
	}
	n := past.Tally.Attempts
	before := reel.Tally{}
	for range n - 1 {
		before = before.Failed(past.Verdict.Category)
	}
	d := plan.After(plan.Try{Tally: before, MaxAttempts: p.MaxAttempts}, past.Verdict, limits)
	past.State, past.Reason, past.Hold = d.State, d.Reason, d.Hold
	past.Tally = before.Failed(past.Verdict.Category)
}

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "add the jobs of a file to a batch, without running it",
		Long: `Adds jobs from a posts file (CSV with the columns account, video_path, caption,
and where wanted job_id and publish_at), from the earlier orchestrator's
progress.csv (13, 15 or 17 columns), or from its scheduler_state.json. Which it
is, the file itself tells.

All of a file is imported or nothing. Jobs that the batch already has are left
as they are, so the same file can be imported again after rows were added. Old
failures are judged again by today's rules; jobs that were in a worker's hands
are in doubt: they may be posted, so they are not tried before somebody has
looked.`,
		Example: "  reelpass import posts.csv --batch launch\n  reelpass import progress.csv",
		Args:    cobra.ExactArgs(1),
	}
	f := flags(c)
	f.text("batch", "the batch's `NAME` (default: the file's name)", func(s *config.Settings) *string { return &s.Batch })
	f.list("accounts", "a", "take only the rows of these accounts, as `a,b`", func(s *config.Settings) *[]string { return &s.Accounts })
	f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
	asJSON := c.Flags().Bool("json", false, "print the counts as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		store, err := openLedger(c.Context(), s, false)
		if err != nil {
			return err
		}
		rep, err := a.bring(c.Context(), s, args[0], store)
		if err = errors.Join(err, store.Close()); err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(a.out).Encode(rep)
		}
		fmt.Fprintln(a.out, sayImport(rep))
		return nil
	}
	return c
}

// bring imports a file and tells its notices on stderr.
func (a *app) bring(ctx context.Context, s config.Settings, path string, store *ledger.Store) (ledger.ImportReport, error) {
	rules, err := judge(s)
	if err != nil {
		return ledger.ImportReport{}, err
	}
	notice := func(text string) { fmt.Fprintln(a.err, path+": "+text) }
	rep, err := intake{path: path, settings: s, judge: func(e reel.Evidence) reel.Verdict { return rules().Judge(e) }, now: a.now(), notice: notice}.into(ctx, store)
	for _, line := range rep.Twice {
		notice(fmt.Sprintf("line %d: the same job stands further up: it is taken once, as it stands there", line))
	}
	return rep, err
}

func sayImport(rep ledger.ImportReport) string {
	text := fmt.Sprintf("batch %s: %d added", rep.Batch, rep.Added)
	if rep.Known > 0 {
		text += fmt.Sprintf(", %d already there", rep.Known)
	}
	if rep.Recaption > 0 {
		text += fmt.Sprintf(" (%d of them now have another caption: the one in the ledger stays)", rep.Recaption)
	}
	return text
}

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "write a batch as csv, json or html",
		Long: `Writes all jobs of a batch. csv is the earlier orchestrator's progress.csv with
its 15 columns and its four statuses (pending, claimed, success, failed); json
has one job a line, as 'reelpass jobs --json'; html is one self-contained page.

A text in csv that a spreadsheet could take for a formula (it begins with = + -
@, a tab or a line end, as many captions do) has an apostrophe before it, which
'reelpass import' takes away again. --raw leaves texts as they are: for the
earlier orchestrator, which would post the apostrophe. Do not open such a file
in a spreadsheet.`,
		Example: "  reelpass export > progress.csv\n  reelpass export --format html -o report.html",
		Args:    cobra.NoArgs,
	}
	format := c.Flags().String("format", "csv", "`csv`, json or html")
	out := c.Flags().StringP("out", "o", "", "write to `FILE` instead of stdout; it is only replaced when complete")
	raw := c.Flags().Bool("raw", false, "csv with its texts as they are, not for spreadsheets")
	c.Flags().String("batch", "", batchHelp)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *raw && *format != "csv" {
			return usage("--raw goes with --format csv")
		}
		return a.withReading(c, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			batch, err := batchOf(ctx, c, s, store)
			if err != nil {
				return err
			}
			st, err := store.Status(ctx, batch)
			if err != nil {
				return err
			}
			write := map[string]func(io.Writer) error{
				"csv": func(w io.Writer) error {
					if *raw {
						return posts.WriteRawProgressCSV(w, store.Jobs(ctx, batch, ledger.Filter{}), nil)
					}
					return posts.WriteProgressCSV(w, store.Jobs(ctx, batch, ledger.Filter{}), nil)
				},
				"json": func(w io.Writer) error { return posts.WriteJSON(w, store.Jobs(ctx, batch, ledger.Filter{})) },
				"html": func(w io.Writer) error {
					course, err := report.CourseOf(store.History(ctx), batch)
					if err != nil {
						return err
					}
					return report.Write(w, st, course, store.Jobs(ctx, batch, ledger.Filter{}), a.now(), nil)
				},
			}[*format]
			if write == nil {
				return usage("--format must be csv, json or html, not %q", *format)
			}
			if *out == "" {
				return write(a.out)
			}
			if st, err := os.Stat(*out); err == nil && st.IsDir() {
				return usage("%s: it is a directory; name a file in it", *out)
			}
			if err := writeWhole(*out, write); err != nil {
				return fmt.Errorf("export to %s: %w", *out, err)
			}
			return nil
		})
	}
	return c
}

// writeWhole writes a file so that it is there whole or as it was before.
func writeWhole(path string, write func(io.Writer) error) error {
	err := disk.Write(path, 0o666, func(f *disk.File) error { return write(f) })
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Op == "open" && at.Path == path {
		return hinted{at.Err, "check that the folder exists and may be written"}
	}
	return err
}
