package console_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/console"
	"reelpass/internal/reel"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded reads the one stream of events that all formats are shown from.
func recorded(t testing.TB) []reel.Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []reel.Event
	for s := bufio.NewScanner(f); s.Scan(); {
		var e reel.Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		t.Fatal("no events recorded")
	}
	return events
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("%s:%d\n got %q\nwant %q\n(-update writes the files anew; then look at the diff)", name, i+1, a, b)
		}
	}
}

func zone() *time.Location { return time.FixedZone("UTC+1", 3600) }

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		file string
		o    console.Options
	}{
		{"plain80.txt", console.Options{}},
		{"plain60.txt", console.Options{Width: 60}},
		{"plain120.txt", console.Options{Width: 120}},
		{"wideambiguous.txt", console.Options{Width: 71, WideAmbiguous: true}},
		{"verbose.txt", console.Options{Verbose: true}},
		{"color.txt", console.Options{Color: true}},
		{"json.jsonl", console.Options{JSON: true, Live: true, Color: true}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var out bytes.Buffer
			c.o.Out, c.o.Location = &out, zone()
			con := console.New(c.o)
			for _, e := range recorded(t) {
				con.See(e)
				con.Tick(e.At)
			}
			if err := con.Close(); err != nil {
				t.Fatal(err)
			}
			golden(t, c.file, out.String())
			if !c.o.JSON {
				fits(t, out.String(), c.o.Width, c.o.WideAmbiguous)
			}
		})
	}
}

// fits says that no line is wider than the terminal.
func fits(t *testing.T, out string, width int, wide bool) {
	t.Helper()
	if width == 0 {
		width = 80
	}
	for _, l := range strings.Split(strip(out), "\n") {
		if w := cells(l, wide); w > width {
			t.Errorf("%d cells in a line of %d: %q", w, width, l)
		}
	}
}

// A script reads exactly what json.Marshal says of an event, and nothing besides.
func TestJSONIsTheEvents(t *testing.T) {
	var out, want bytes.Buffer
	con := console.New(console.Options{Out: &out, JSON: true})
	for _, e := range recorded(t) {
		con.See(e)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		want.Write(append(b, '\n'))
	}
	if out.String() != want.String() {
		t.Error("the stream is not the events")
	}
}

// screen does what a terminal does with the bytes it gets: it returns the lines that stay, and the line being written.
func screen(t *testing.T, out string, width int) (lines []string, bottom string) {
	t.Helper()
	var line string
	for out != "" {
		switch {
		case strings.HasPrefix(out, "\r\x1b[K"):
			line, out = "", out[len("\r\x1b[K"):]
		case out[0] == '\n':
			lines, line, out = append(lines, line), "", out[1:]
		default:
			n := strings.IndexAny(out, "\r\n\x1b")
			if n == 0 {
				t.Fatalf("unexpected control in %q", out[:min(20, len(out))])
			}
			if n < 0 {
				n = len(out)
			}
			line, out = line+out[:n], out[n:]
			if w := cells(line, false); w > width {
				t.Errorf("a line of %d cells wraps on %d: %q", w, width, line)
			}
		}
	}
	return lines, line
}

// The live line stands below the lines, follows the events and the clock it is given, and is gone after Close; what stays on
// the screen is exactly what a file would have got.
func TestLive(t *testing.T) {
	var out, file bytes.Buffer
	con := console.New(console.Options{Out: &out, Live: true, Location: zone()})
	plain := console.New(console.Options{Out: &file, Location: zone()})
	var frames strings.Builder
	last := ""
	frame := func(at time.Time) {
		_, bottom := screen(t, out.String(), 80)
		if w := cells(bottom, false); w > 79 {
			t.Errorf("the live line has %d cells: %q", w, bottom)
		}
		if bottom != last {
			frames.WriteString(at.UTC().Format("15:04:05.0") + " |" + bottom + "|\n")
		}
		last = bottom
	}
	events := recorded(t)
	for i, e := range events {
		con.See(e)
		plain.See(e)
		frame(e.At)
		if i+1 < len(events) {
			for at := e.At.Add(200 * time.Millisecond); at.Before(events[i+1].At) && at.Sub(e.At) < time.Minute; at = at.Add(1400 * time.Millisecond) {
				con.Tick(at)
				frame(at)
			}
		}
	}
	con.Tick(events[len(events)-1].At.Add(time.Second))
	if err := con.Close(); err != nil {
		t.Fatal(err)
	}
	lines, bottom := screen(t, out.String(), 80)
	if bottom != "" {
		t.Errorf("left on the screen: %q", bottom)
	}
	if got := strings.Join(lines, "\n") + "\n"; got != file.String() {
		t.Error("the lines on the screen are not those of the file")
	}
	golden(t, "live.txt", frames.String())
}

// Nothing is written by a tick that changes nothing, and nothing at all without Live.
func TestTickIsQuiet(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	con := console.New(console.Options{Out: &out, Live: true})
	con.See(reel.Event{Kind: reel.EventPassOpened, At: at, Pass: 1, Count: 3})
	con.Tick(at.Add(time.Second))
	before := out.Len()
	con.Tick(at.Add(2 * time.Second))
	if out.Len() != before {
		t.Errorf("an unchanged line was drawn again: %q", out.String()[before:])
	}
	con.See(reel.Event{Kind: reel.EventClaimed, At: at, Pass: 1, Job: "a"})
	con.Tick(at.Add(3 * time.Second))
	if !strings.HasSuffix(out.String(), "pass 1  0/3 done  1 in flight  ✓ 0  ✗ 0") {
		t.Errorf("the claim is not in the live line: %q", out.String())
	}

	out.Reset()
	con = console.New(console.Options{Out: &out})
	con.See(reel.Event{Kind: reel.EventClaimed, At: at, Pass: 1, Job: "a"})
	con.Tick(at)
	if out.Len() != 0 {
		t.Errorf("plain text has no live line and no claims: %q", out.String())
	}
}

// A smaller terminal gets a shorter live line, whole parts of it as long as that is possible.
func TestLiveFits(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	for width := 1; width <= 100; width++ {
		var out bytes.Buffer
		con := console.New(console.Options{Out: &out, Live: true, Width: 200})
		con.See(reel.Event{Kind: reel.EventPassOpened, At: at, Pass: 1, MaxPass: 5, Count: 300})
		for range 7 {
			con.See(reel.Event{Kind: reel.EventSucceeded, At: at.Add(time.Minute), Pass: 1, Job: "a"})
		}
		con.Resize(width)
		out.Reset()
		con.Tick(at.Add(2 * time.Minute))
		if _, bottom := screen(t, out.String(), max(width-1, 0)); width > 90 && !strings.Contains(bottom, "ETA 1h23m43s") {
			t.Errorf("width %d: %q", width, bottom)
		}
	}
}

// Lines of several goroutines do not get mixed.
func TestSeeFromMany(t *testing.T) {
	var out bytes.Buffer
	con := console.New(console.Options{Out: &out, Live: true})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for range 50 {
				con.See(reel.Event{Kind: reel.EventNotice, Text: strings.Repeat("x", w+1)})
				con.Tick(time.Unix(int64(w), 0))
			}
		})
	}
	wg.Wait()
	if n := strings.Count(out.String(), "\n"); n != 400 {
		t.Errorf("%d lines of 400", n)
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// What could not be written is told at the end.
func TestCloseTellsOfErrors(t *testing.T) {
	con := console.New(console.Options{Out: broken{}, JSON: true})
	con.See(reel.Event{Kind: reel.EventNotice})
	if err := con.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v", err)
	}
	con = console.New(console.Options{Out: new(bytes.Buffer), JSON: true})
	con.See(reel.Event{Kind: reel.EventNotice, At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err := con.Close(); err == nil {
		t.Error("an event that JSON cannot carry was lost silently")
	}
}

// Every kind has words of its own: a kind added to reel and forgotten here shows up as a bare name.
func TestEveryKindHasWords(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "reel", "event.go"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for l := range strings.Lines(string(src)) {
		_, rest, ok := strings.Cut(l, "EventKind = \"")
		if !ok {
			continue
		}
		kinds++
		kind := reel.EventKind(rest[:strings.Index(rest, `"`)])
		var out bytes.Buffer
		con := console.New(console.Options{Out: &out, Verbose: true, Width: 120})
		con.See(reel.Event{
			Kind: kind, Job: "job-1", Account: "acc1", Pass: 1, Count: 2, Text: "because", Remaining: reel.Seconds(time.Second),
			Verdict: &reel.Verdict{Category: reel.Content, Type: "too_long", Rule: "r1"}, Look: &reel.Look{Finding: reel.Absent},
		})
		if out.Len() == 0 {
			t.Errorf("%s: nothing is shown", kind)
		}
		if bare := "  " + strings.ReplaceAll(string(kind), "_", " ") + "  content/too_long (r1)\n"; strings.Contains(out.String(), bare) {
			t.Errorf("%s: has no words of its own: %s", kind, out.String())
		}
	}
	if kinds < 25 {
		t.Errorf("only %d kinds found in event.go", kinds)
	}
}
