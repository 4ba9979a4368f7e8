package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/simgraph"
)

// death is a moment at which a supervisor is killed: in the n-th call of a kind, counted over all supervisors so far.
type death struct {
	call string // limit, create, upload, status, publish, list, media
	n    int
	how  how
}

// how far a call has come when its caller dies.
type how int

const (
	unheard  how = iota // it is lost on the way
	halfway             // half of its body has arrived
	answered            // it is carried out, and its answer is not read
	lingers             // it is carried out when the container was asked for since, and is there
)

// gate stands before a false API. It holds the call in which the supervisor is to die until it is dead.
type gate struct {
	server *simgraph.Server
	held   chan struct{}

	mu    sync.Mutex
	death death
	calls map[string]int
	dead  chan struct{}
	late  func() // what is carried out after the next question
	sent  int64  // bytes of videos that arrived
}

// kills says when the next supervisor dies; nobody: it lives.
func (g *gate) kills(d death) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.death, g.dead = d, make(chan struct{})
}

func callOf(r *http.Request) string {
	switch p := r.URL.Path; {
	case strings.Contains(p, "/ig-api-upload/"):
		return simgraph.AtUpload
	case strings.HasSuffix(p, "/media_publish"):
		return simgraph.AtPublish
	case strings.HasSuffix(p, "/content_publishing_limit"):
		return simgraph.AtLimit
	case strings.HasSuffix(p, "/media") && r.Method == http.MethodPost:
		return simgraph.AtCreate
	case strings.HasSuffix(p, "/media"):
		return simgraph.AtList
	case strings.Contains(r.URL.RawQuery, "permalink"):
		return simgraph.AtMedia
	case strings.Contains(r.URL.RawQuery, "status_code"):
		return simgraph.AtStatus
	}
	return ""
}

// arriving counts what arrives of a body, and after so many bytes calls stop.
type arriving struct {
	io.ReadCloser
	g    *gate
	left int64
	stop func()
}

func (a *arriving) Read(b []byte) (int, error) {
	if a.stop != nil {
		if a.left == 0 {
			a.stop()
			return 0, io.ErrUnexpectedEOF
		}
		b = b[:min(int64(len(b)), a.left)]
	}
	n, err := a.ReadCloser.Read(b)
	a.g.mu.Lock()
	a.g.sent += int64(n)
	a.g.mu.Unlock()
	a.left -= int64(n)
	return n, err
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := callOf(r)
	g.mu.Lock()
	g.calls[call]++
	dies := g.death.call == call && g.death.n == g.calls[call]
	how, dead, late := g.death.how, g.dead, g.late
	if call == simgraph.AtStatus {
		g.late = nil
	}
	g.mu.Unlock()
	hold := func() {
		g.held <- struct{}{}
		<-dead
	}
	if call == simgraph.AtUpload {
		a := &arriving{ReadCloser: r.Body, g: g}
		if dies && how == halfway {
			a.left, a.stop = r.ContentLength/2, hold
		}
		r.Body = a
	}
	switch {
	case dies && how == unheard:
		hold()
		panic(http.ErrAbortHandler)
	case dies && how == lingers:
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		g.mu.Lock()
		g.late = func() { g.server.ServeHTTP(httptest.NewRecorder(), r) }
		g.mu.Unlock()
		hold()
		panic(http.ErrAbortHandler)
	case dies && how == answered:
		g.server.ServeHTTP(httptest.NewRecorder(), r)
		hold()
		panic(http.ErrAbortHandler)
	}
	g.server.ServeHTTP(w, r)
	if call == simgraph.AtStatus && late != nil {
		late()
	}
}

// killed is a row of the table in docs/official-api.md.
type killed struct {
	state  string
	deaths []death // one for each supervisor that dies
	posts  int     // how many the batch has; 1 where zero
	end    string  // what the next run did
	made   int     // containers, for the first video
	asked  int     // publications asked for
}

func kills() []killed {
	once := func(call string, h how) []death { return []death{{call: call, n: 1, how: h}} }
	return []killed{
		{state: "nothing is made yet", deaths: once(simgraph.AtLimit, unheard), end: "posted", made: 1, asked: 1},
		{state: "the container is made, its id was not read", deaths: once(simgraph.AtCreate, answered), end: "posted", made: 2, asked: 1},
		{state: "the container is noted, the upload is begun", deaths: once(simgraph.AtUpload, unheard), end: "posted", made: 1, asked: 1},
		{state: "half of the upload has arrived", deaths: once(simgraph.AtUpload, halfway), end: "posted", made: 1, asked: 1},
		{state: "the upload is complete, its answer was not read", deaths: once(simgraph.AtUpload, answered), end: "posted", made: 1, asked: 1},
		{state: "the container is finished, nobody knows yet", deaths: once(simgraph.AtStatus, answered), end: "posted", made: 1, asked: 1},
		{state: "the intent is written, the publication never arrives", deaths: once(simgraph.AtPublish, unheard), end: "in doubt, absent, posted", made: 1, asked: 2},
		{state: "the intent is written, the publication arrives late", deaths: once(simgraph.AtPublish, lingers), end: "in doubt, found", made: 1, asked: 1},
		{state: "published, the answer was not read", deaths: once(simgraph.AtPublish, answered), end: "in doubt, found", made: 1, asked: 1},
		{state: "published, the answer is read and not recorded", deaths: once(simgraph.AtMedia, unheard), end: "in doubt, found", made: 1, asked: 1},
		{state: "the receipt is recorded", deaths: []death{{call: simgraph.AtLimit, n: 2, how: unheard}}, posts: 2, end: "posted", made: 2, asked: 2},
		{state: "twice: published, then in the look", deaths: append(once(simgraph.AtPublish, answered), death{simgraph.AtList, 1, unheard}), end: "in doubt, found", made: 1, asked: 1},
		{
			state: "twice: the intent is written, then in the look", deaths: append(once(simgraph.AtPublish, unheard), death{simgraph.AtStatus, 2, answered}),
			end: "in doubt, absent, posted", made: 1, asked: 2,
		},
		{
			state: "twice: half of the upload, then the intent is written", deaths: append(once(simgraph.AtUpload, halfway), death{simgraph.AtPublish, 1, unheard}),
			end: "in doubt, absent, posted", made: 1, asked: 2,
		},
	}
}

// The supervisor is killed with SIGKILL at each durable state of the official way, and started again: nothing is posted twice, nothing is
// lost, and the same container is gone on with. docs/official-api.md has the table.
func TestTheOfficialWayKilledAtEachState(t *testing.T) {
	program := build(t, t.TempDir())
	rows := make([]string, len(kills()))
	t.Run("killed", func(t *testing.T) {
		for i, k := range kills() {
			t.Run(k.state, func(t *testing.T) {
				t.Parallel()
				rows[i] = k.play(t, program)
			})
		}
	})
	const file, begin, end = "../../docs/official-api.md", "<!-- kills -->\n", "<!-- /kills -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	old, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	table := "| killed when | what the next run did | containers | sent of the video | publications asked for | posts |\n|---|---|---|---|---|---|\n" + strings.Join(rows, "")
	switch {
	case old == table:
	case *update:
		if err := os.WriteFile(file, []byte(head+begin+table+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s has another table (-update writes it anew):\n%s", file, table)
	}
}

const videoSize = 1 << 20

// play kills one supervisor after the other and lets the last one live. It gives what happened as a row.
func (k killed) play(t *testing.T, program string) string {
	dir := t.TempDir()
	g := &gate{server: simgraph.New(simgraph.Config{}), held: make(chan struct{}), calls: map[string]int{}}
	defer g.server.Close()
	account := g.server.Add(simgraph.Account{Name: "mira"})
	front := httptest.NewServer(g)
	defer front.Close()
	g.server.At(front.URL)
	posts := max(k.posts, 1)
	list := "account,video_path,caption,job_id\n"
	for i := range posts {
		name := fmt.Sprintf("v%d.mp4", i)
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte{byte('a' + i)}, videoSize), 0o600); err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("mira,%s,caption %d,j%d\n", name, i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "posts.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	start := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		c := exec.CommandContext(ctx, program, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "REELPASS_PUBLISHER=graph", "REELPASS_GRAPH_CHECK=false", "REELPASS_GRAPH_GRACE=5s", "REELPASS_RETRY_DELAY=0",
			"REELPASS_GRAPH_INSTAGRAM="+front.URL+"/ig", "INSTAGRAM_TOKEN_MIRA="+account.Token)
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, &out
	}
	for _, d := range k.deaths {
		g.kills(d)
		c, out := start("run", "posts.csv", "--json")
		select {
		case <-g.held:
		case <-ctx.Done():
			t.Fatalf("it never came to %+v: %s", d, out)
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // killed
		close(g.dead)
	}
	g.kills(death{})
	c, out := start("run", "posts.csv", "--json")
	if err := c.Wait(); err != nil {
		t.Fatalf("the last run: %v: %s", err, out)
	}
	end := "posted"
	for line := range strings.Lines(out.String()) {
		var e reel.Event
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.Kind == reel.EventLooked && e.Look != nil {
			end = map[reel.Finding]string{reel.Found: "in doubt, found", reel.Absent: "in doubt, absent, posted", reel.Unsure: "in doubt"}[e.Look.Finding]
		}
	}
	world, calls := g.server.Posted(), g.server.Calls()
	g.mu.Lock()
	asked, sent := g.calls[simgraph.AtPublish], 100*float64(g.sent)/videoSize
	g.mu.Unlock()
	if len(world) != posts || len(g.server.Twice()) > 0 || world[0].Bytes != videoSize {
		t.Errorf("the world has %+v, twice %v", world, g.server.Twice())
	}
	if end != k.end || calls[simgraph.AtCreate] != k.made || asked != k.asked {
		t.Errorf("%q with %d containers and %d publications asked for, want %+v: %s", end, calls[simgraph.AtCreate], asked, k, out)
	}
	c, out = start("jobs", "--json")
	if err := c.Wait(); err != nil || strings.Count(out.String(), `"state":"succeeded"`) != posts {
		t.Errorf("%v: %s", err, out)
	}
	return fmt.Sprintf("| %s | %s | %d | %.0f %% | %d | %d |\n", k.state, end, calls[simgraph.AtCreate], sent, asked, len(world))
}
