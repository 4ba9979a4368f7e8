package adb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Times, from what was measured on cloud phones.
const (
	commandMost = 20 * time.Second       // a command whose link is frozen never ends by itself
	connectMost = 60 * time.Second       // offline for 5 to 20 s after a start is usual
	pushMost    = 10 * time.Minute       // of a file over a slow link
	poll        = 250 * time.Millisecond // between two questions about a state
	maxOutput   = 16 << 20               // a picture of the screen is about 1 MB
)

// Client runs the adb program against a server of its own. It is safe for use by many at once.
type Client struct {
	path string
	port int

	mu   sync.Mutex
	last []string // the last commands and what came of them
}

// logKept is how many commands the log holds.
const logKept = 200

// Log is what was asked of adb lately and what came of it, the oldest first, a line each, without secrets.
func (c *Client) Log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.last, "\n")
}

func (c *Client) note(began time.Time, shown string, err error) {
	outcome := "ok"
	if err != nil {
		outcome = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "adb "+shown+": "), "\n", " | ")
	}
	line := fmt.Sprintf("%s %7s  %s: %s", began.UTC().Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), shown, outcome)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last = append(c.last, line); len(c.last) > logKept {
		c.last = c.last[len(c.last)-logKept:]
	}
}

// New uses the program at a path (adb where empty) and the adb server at a port of this machine, which Start starts.
func New(path string, port int) *Client {
	if path == "" {
		path = "adb"
	}
	return &Client{path: path, port: port}
}

// Port is the adb server's.
func (c *Client) Port() int { return c.port }

// Start starts the adb server, or finds it running.
func (c *Client) Start(ctx context.Context) error {
	_, err := c.run(ctx, commandMost, "start-server")
	return err
}

// Stop ends the adb server. All who use its port lose their devices.
func (c *Client) Stop(ctx context.Context) error {
	_, err := c.run(ctx, commandMost, "kill-server")
	return err
}

// Version is what the program says it is.
func (c *Client) Version(ctx context.Context) (string, error) {
	r, err := c.run(ctx, commandMost, "version")
	line, _, _ := strings.Cut(r.out, "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "Android Debug Bridge version ")), err
}

// Failure says that adb, or the device behind it, did not do what it was asked. It holds no password.
type Failure struct {
	Command string // as it was asked, without secrets
	Text    string // what adb printed, or what is wrong with it
	Code    string // one of the codes below, or empty: then the text tells
	Err     error  // where the program itself failed
}

// The codes of what adb does not say by itself; fault has a rule for each.
const (
	CodeLogin     = "glogin_expired" // the device asks for a login
	CodeNoDevice  = "adb_no_device"  // it did not become a device in time
	CodeFrozen    = "adb_frozen"     // a command was not answered
	CodeNoProgram = "adb_missing"
	CodeIncorrect = "adb_wrong_answer" // an answer of another form than the command has
)

func (f *Failure) Error() string {
	text := f.Text
	if text == "" && f.Err != nil {
		text = f.Err.Error()
	}
	return "adb " + f.Command + ": " + text
}

// Unwrap gives the error of the program.
func (f *Failure) Unwrap() error { return f.Err }

// Evidence tells the failure to whoever judges it.
func (f *Failure) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: f.Code, Text: f.Error(), Step: step}
}

// loginError is what a cloud phone says in the place of an answer, on stdout and with exit code 0, while nobody is logged in.
const loginError = "you should run glogin"

// result is what one command printed.
type result struct{ out, errs string }

// run runs one command. It fails with a *Failure where the program could not be run, did not end in time, ended with another code
// than 0, or asks for a login.
func (c *Client) run(ctx context.Context, most time.Duration, args ...string) (r result, err error) {
	shown := shown(args)
	began := time.Now()
	defer func() { c.note(began, shown, err) }()
	inner, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	cmd := exec.CommandContext(inner, c.path, append([]string{"-P", strconv.Itoa(c.port)}, args...)...)
	cmd.WaitDelay = time.Second // the server that a first command starts keeps its output open
	var out, errs bounded
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	r = result{out.String(), errs.String()}
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, exec.ErrDot) || errors.Is(err, fs.ErrNotExist):
		return r, &Failure{Command: shown, Code: CodeNoProgram, Text: "the program is not installed (apt-get install adb)", Err: err}
	case ctx.Err() != nil:
		return r, &Failure{Command: shown, Err: context.Cause(ctx)}
	case inner.Err() != nil:
		return r, &Failure{Command: shown, Code: CodeFrozen, Text: fmt.Sprintf("no answer within %s", most)}
	case strings.Contains(r.out, loginError) || strings.Contains(r.errs, loginError):
		return r, &Failure{Command: shown, Code: CodeLogin, Text: "error: you should run glogin to login first"}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		text := strings.TrimSpace(r.errs)
		if text == "" {
			text = strings.TrimSpace(r.out)
		}
		return r, &Failure{Command: shown, Text: lastLines(text), Err: err}
	}
	return r, nil
}

// shown is a command for messages: a login without its password, nothing that is very long.
func shown(args []string) string {
	list := make([]string, 0, len(args))
	for _, a := range args {
		if strings.HasPrefix(a, "glogin") {
			list = append(list, "glogin")
			break
		}
		const most = 120
		if len(a) > most {
			a = strings.ToValidUTF8(a[:most], "") + "…"
		}
		list = append(list, a)
	}
	return strings.Join(list, " ")
}

// lastLines keeps the end of what a program said: that is where it says why.
func lastLines(text string) string {
	const most = 1000
	if len(text) > most {
		text = strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}

// bounded keeps the first maxOutput bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room < len(p) {
		b.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
