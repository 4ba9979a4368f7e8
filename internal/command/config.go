package command

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reelpass/internal/worker"
)

// The two ways to talk with the program.
const (
	ProtocolExit  = "exit"  // one process a job; its exit code is the answer
	ProtocolJSONL = "jsonl" // one process for many jobs; lines of JSON
)

// Config is the section `command` of the settings.
type Config struct {
	Run      []string      // program and arguments
	Protocol string        // ProtocolExit when empty
	Timeout  time.Duration // of a job (jsonl: without a line of progress) and of a look; 0 means 600 s
	Find     []string      // program and arguments that look whether a post is there; none when empty
}

// DefaultTimeout is the timeout of a job where none is set.
const DefaultTimeout = 600 * time.Second

// Options are what the supervisor adds.
type Options struct {
	Env     []string      // added to the supervisor's environment
	Dir     string        // working directory; empty means the supervisor's
	Grace   time.Duration // jsonl: how long Close waits before it kills
	Log     *slog.Logger  // takes the program's stderr; nil drops it
	Mark    string        // value of REELPASS_MARK
	Secrets []string      // values masked in evidence and log
}

// Check says what keeps a configuration from working: an unknown protocol, a program that is not there or may not be
// executed, a script that is not there. dir is the working directory of the programs.
func Check(c Config, dir string) error {
	var errs []error
	if p := c.protocol(); p != ProtocolExit && p != ProtocolJSONL {
		errs = append(errs, fmt.Errorf("command: protocol is %q, not %s or %s", p, ProtocolExit, ProtocolJSONL))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("command: timeout must not be negative, not %s", c.Timeout))
	}
	if _, err := worker.Program(c.Run, dir); err != nil {
		errs = append(errs, fmt.Errorf("command: run: %w", err))
	}
	if len(c.Find) > 0 {
		if _, err := worker.Program(c.Find, dir); err != nil {
			errs = append(errs, fmt.Errorf("command: find: %w", err))
		}
	}
	for _, argv := range [][]string{c.Run, c.Find} {
		script := scriptOf(argv)
		if script == "" {
			continue
		}
		at := script
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		var path *fs.PathError
		if _, err := os.Stat(at); errors.As(err, &path) {
			errs = append(errs, fmt.Errorf("command: %s %s: %w", argv[0], script, path.Err))
		}
	}
	for _, arg := range append(append([]string(nil), c.Run...), c.Find...) {
		if strings.ContainsRune(arg, 0) {
			errs = append(errs, errors.New("command: an argument holds a NUL byte"))
			break
		}
	}
	return errors.Join(errs...)
}

// scriptOf is the file that an interpreter is told to run, empty where it is told something else, or is none that is known.
func scriptOf(argv []string) string {
	if len(argv) < 2 || strings.HasPrefix(argv[1], "-") {
		return ""
	}
	name := strings.TrimRight(filepath.Base(argv[0]), "0123456789.")
	if slices.Contains([]string{"python", "sh", "bash", "dash", "zsh", "node", "ruby", "perl", "php"}, name) {
		return argv[1]
	}
	return ""
}

func (c Config) protocol() string {
	if c.Protocol == "" {
		return ProtocolExit
	}
	return c.Protocol
}

func (c Config) timeout() time.Duration {
	if c.Timeout <= 0 {
		return DefaultTimeout
	}
	return c.Timeout
}
