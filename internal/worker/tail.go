package worker

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"reelpass/internal/reel"
)

const (
	// tailKept is how much of a stream's end is remembered. It is more than any evidence shows, so that what is
	// shown begins at a line's beginning, where the patterns of secrets still fit.
	tailKept = 8 << 10
	// lineKept is where a longer line is cut for the log.
	lineKept = 4 << 10
	// linesLogged is how many lines one job may write to the log.
	linesLogged = 1000
	// pipePatience is how long a stream is read after its process and group are gone: only a process that left the
	// group can still hold it open, and it must not hold up the slot.
	pipePatience = 500 * time.Millisecond
)

// Tail takes a process's output: it remembers the end of it and passes each line to a log, scrubbed. It may be used from
// several goroutines.
type Tail struct {
	log     *slog.Logger
	message string
	secrets []string

	mu     sync.Mutex
	end    []byte
	cut    bool // something before end was forgotten
	line   []byte
	logged int
}

// NewTail makes a Tail whose lines are logged under message. A nil log logs nothing.
func NewTail(log *slog.Logger, message string, secrets ...string) *Tail {
	return &Tail{log: log, message: message, secrets: secrets}
}

// Write takes the next piece. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if len(t.end) > 2*tailKept {
		t.end = append(t.end[:0], t.end[len(t.end)-tailKept:]...)
		t.cut = true
	}
	if t.log == nil {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		t.line = append(t.line, line[:min(len(line), max(0, 2*lineKept-len(t.line)))]...)
		if whole {
			t.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush logs the line that is complete. The lock is held.
func (t *Tail) flush() {
	line := strings.TrimSpace(string(t.line))
	t.line = t.line[:0]
	if line == "" || t.log == nil {
		return
	}
	t.logged++
	if t.logged < linesLogged {
		t.log.Info(t.message, "line", Clean(line, lineKept, t.secrets...))
	} else if t.logged == linesLogged {
		t.log.Warn(t.message, "line", "(too many lines: the rest of this job's are not logged)")
	}
}

// Reset forgets what was remembered and allows the log another job's lines.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end, t.cut, t.logged = t.end[:0], false, 0
}

// Close logs a last line that had no end.
func (t *Tail) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
}

// Last is the end of what was written, at most n bytes (up to 8 KiB), clean and from a line's beginning where something
// was left out.
func (t *Tail) Last(n int) string {
	t.mu.Lock()
	text := string(t.end)
	cut := t.cut
	t.mu.Unlock()
	if cut {
		if _, after, ok := strings.Cut(text, "\n"); ok {
			text = after
		}
	}
	text = Clean(text, 2*len(text)+64, t.secrets...)
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	for len(text) > 0 && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}

// LastLine is the last line that is not blank, as it was written.
func (t *Tail) LastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.end)
	return string(bytes.TrimSpace(text[bytes.LastIndexByte(text, '\n')+1:]))
}

// Clean makes text that came from outside fit to be kept and shown: valid UTF-8 without NUL (PostgreSQL takes neither),
// secrets masked, no blanks around it, and at most n bytes from its beginning.
func Clean(text string, n int, secrets ...string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	text = strings.TrimSpace(reel.Scrub(text, secrets...))
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// Drain reads a pipe into w until its end, or until a deadline set on it.
func Drain(w io.Writer, r *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_, _ = w.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// HurryUp makes the readers of these pipes stop soon after their process is gone.
func HurryUp(pipes ...*os.File) {
	soon := time.Now().Add(pipePatience)
	for _, p := range pipes {
		_ = p.SetDeadline(soon)
	}
}
