package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/DeRuina/timberjack" // rotation; the maintained fork of lumberjack

	"reelpass/internal/reel"
)

// logs are the workers' own log files: JSON lines, rotated, with nothing secret in them.
type logs struct {
	dir   string
	mu    sync.Mutex
	files []*timberjack.Logger
	by    map[int]*slog.Logger
}

func openLogs(dir string) (*logs, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	return &logs{dir: dir, by: map[int]*slog.Logger{}}, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// worker is the log of a worker; it is made at the first use.
func (l *logs) worker(id int) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[id] == nil {
		f := &timberjack.Logger{Filename: filepath.Join(l.dir, fmt.Sprintf("worker-%d.log", id)), MaxSize: 10, MaxBackups: 5}
		l.files = append(l.files, f)
		l.by[id] = slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{ReplaceAttr: func(_ []string, at slog.Attr) slog.Attr {
			if at.Value.Kind() == slog.KindString {
				at.Value = slog.StringValue(reel.Scrub(at.Value.String()))
			}
			return at
		}})).With("worker", id)
	}
	return l.by[id]
}

// see notes how a worker's jobs go in the worker's log. Claims and intents are left to the journal.
func (l *logs) see(e reel.Event) {
	if e.Worker == 0 || e.Kind == reel.EventClaimed || e.Kind == reel.EventIntent {
		return
	}
	args := []any{"batch", e.Batch, "pass", e.Pass, "job", string(e.Job), "account", e.Account, "attempt", e.Attempt}
	if e.Evidence != nil {
		args = append(args, "source", string(e.Evidence.Source), "code", e.Evidence.Code, "step", e.Evidence.Step, "text", e.Evidence.Text)
	}
	if e.Verdict != nil {
		args = append(args, "category", string(e.Verdict.Category), "type", e.Verdict.Type, "rule", e.Verdict.Rule)
	}
	if e.Decision != nil {
		args = append(args, "state", string(e.Decision.State), "why", e.Decision.Why)
	}
	if e.Text != "" {
		args = append(args, "detail", e.Text)
	}
	l.worker(e.Worker).Info(string(e.Kind), args...)
}

func (l *logs) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
