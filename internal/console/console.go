package console

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Options says where and how to show. The zero Options show nothing anywhere: Out is needed by Console.
type Options struct {
	Out      io.Writer
	Width    int            // cells of a line; 0 means 80, and less than 44 is taken as 44
	Color    bool           // ANSI colours
	Live     bool           // a terminal: keep one line at the bottom that tells how the pass goes
	JSON     bool           // one event a line as JSON, and nothing else; the other fields do not matter then
	Verbose  bool           // claims, steps and worker starts as well
	Location *time.Location // zone of the times shown; nil means UTC
	// WideAmbiguous counts characters of ambiguous width (…, ║, →) as two cells, as some East Asian terminals draw them.
	WideAmbiguous bool
}

// Console shows events. It is safe for concurrent use.
type Console struct {
	mu     sync.Mutex
	o      Options
	page   page
	live   live
	cols   columns
	shown  string // the live line that is on the screen now, empty for none
	blank  bool   // the last line written is blank, or there is none: a block needs none before it
	closed bool
	err    error

	waiting int       // the pass whose wait has been announced, 0 for none
	started time.Time // when this run began
	passes  int       // the highest pass seen
}

// New makes a console. Nothing is written before the first event.
func New(o Options) *Console {
	return &Console{o: o, page: newPage(o), cols: newColumns(), blank: true}
}

// See shows an event. An event of a kind that console does not know gets a plain line.
func (c *Console) See(e reel.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.JSON {
		c.json(e)
		return
	}
	c.live.see(e)
	var b strings.Builder
	c.text(&b, e)
	text := b.String()
	if text == "" {
		return
	}
	if c.blank {
		text = strings.TrimPrefix(text, "\n")
	}
	c.blank = strings.HasSuffix(text, "\n\n")
	c.draw(text)
}

// Tick redraws the live line as of now. The wiring calls it some times a second; without Live it does nothing.
func (c *Console) Tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.o.Live || c.o.JSON || c.closed {
		return
	}
	c.live.at(now)
	if c.line() != c.shown {
		c.draw("")
	}
}

// Resize tells that the terminal has another width now; 0 means 80.
func (c *Console) Resize(width int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o.Width = width
	c.page = newPage(c.o)
}

// Close takes the live line away. It returns the first error met while writing or encoding. Events that come later are
// still shown, without a live line.
func (c *Console) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.shown != "" {
		c.draw("")
	}
	return c.err
}

// draw puts text above the live line, and the live line below it, in one write so that nothing gets between.
func (c *Console) draw(text string) {
	var b strings.Builder
	if c.shown != "" {
		b.WriteString("\r\x1b[K")
	}
	b.WriteString(text)
	c.shown = c.line()
	b.WriteString(c.shown)
	c.write(b.String())
}

// line is the live line to be shown now, empty for none. It stays one cell short of the width: a terminal that has filled
// its last cell is about to wrap.
func (c *Console) line() string {
	if !c.o.Live || c.closed {
		return ""
	}
	width := c.o.Width
	if width <= 0 {
		width = defaultWidth
	}
	return c.page.paint(bold, c.live.line(c.page.ruler, width-1))
}

func (c *Console) json(e reel.Event) {
	b, err := json.Marshal(e)
	if err != nil {
		c.fail(fmt.Errorf("console: event %s: %w", e.Kind, err))
		return
	}
	c.write(string(b) + "\n")
}

func (c *Console) write(s string) {
	if _, err := io.WriteString(c.o.Out, s); err != nil {
		c.fail(fmt.Errorf("console: %w", err))
	}
}

func (c *Console) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}
