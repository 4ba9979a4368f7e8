package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// acting is a publisher made of functions.
type acting struct {
	publish func(context.Context, reel.Assignment, reel.Desk) reel.Report
}

func (a acting) Publish(ctx context.Context, j reel.Assignment, d reel.Desk) reel.Report {
	return a.publish(ctx, j, d)
}

func (acting) Find(_ context.Context, a reel.Assignment, since time.Time, _ reel.Desk) reel.Look {
	return reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: string(a.JobID) + since.UTC().Format(time.RFC3339)}}
}

// sharing posts when it gets the go, and counts that.
func sharing(effects *int) acting {
	return acting{func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
		d.Step("up")
		if !d.Share(ctx) {
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "no go"}}
		}
		*effects++
		return reel.Report{Posted: true}
	}}
}

func TestServeWaitsForTheGo(t *testing.T) {
	for answer, want := range map[string]string{`{"type":"go","x":1}`: "posted", `{"type":"stop"}`: "failed"} {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		effects := 0
		done := make(chan error, 1)
		go func() { done <- worker.Serve(t.Context(), inR, outW, sharing(&effects)) }()
		lines := bufio.NewScanner(outR)
		expect := func(kind string) {
			t.Helper()
			if !lines.Scan() || !strings.Contains(lines.Text(), `"type":"`+kind+`"`) {
				t.Fatalf("got %q, want %s", lines.Text(), kind)
			}
		}
		say := func(line string) { _, _ = io.WriteString(inW, line+"\n") }
		say(`{"type":"go"}`) // nobody asked: must not count for the question to come
		say(`{"type":"grease"}`)
		say(`{"type":"job","job_id":"v1","unknown":[1]}`)
		expect("step")
		expect("share")
		if effects != 0 {
			t.Fatal("shared without the go")
		}
		say(answer)
		expect(want)
		say(`{"type":"find","job_id":"v1","since":"2026-01-02T03:04:05Z"}`)
		expect("found")
		if !strings.Contains(lines.Text(), "v12026-01-02T03:04:05Z") {
			t.Errorf("got %s", lines.Text())
		}
		_ = inW.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// When the supervisor is gone its pipe ends. Nothing irreversible may begin then, and the job is told to stop.
func TestServeNeverSharesForADeadSupervisor(t *testing.T) {
	inR, inW := io.Pipe()
	var out bytes.Buffer
	told := false
	p := acting{func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
		_ = inW.Close()
		<-ctx.Done()
		told = true
		if d.Share(context.WithoutCancel(ctx)) {
			t.Error("got the go from a dead supervisor")
		}
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: "stopped"}}
	}}
	go func() {
		_, _ = io.WriteString(inW, `{"type":"job","job_id":"a"}`+"\n"+`{"type":"job","job_id":"b"}`+"\n")
	}()
	if err := worker.Serve(t.Context(), inR, &out, p); err != nil || !told {
		t.Errorf("Serve: %v, told: %t", err, told)
	}
}

func TestServeGivesOneGoAJob(t *testing.T) {
	var out bytes.Buffer
	inR, inW := io.Pipe()
	asked := 0
	p := acting{func(ctx context.Context, _ reel.Assignment, d reel.Desk) reel.Report {
		for range 3 {
			if d.Share(ctx) {
				asked++
			}
		}
		return reel.Report{Posted: true}
	}}
	done := make(chan error, 1)
	go func() {
		done <- worker.Serve(t.Context(), inR, writerFunc(func(b []byte) (int, error) {
			n, err := out.Write(b)
			switch {
			case bytes.Contains(b, []byte(`"share"`)): // the answer, thrice: one that came before the question would be none
				go func() { _, _ = io.WriteString(inW, strings.Repeat(`{"type":"go"}`+"\n", 3)) }()
			case bytes.Contains(b, []byte(`"posted"`)):
				_ = inW.Close()
			}
			return n, err
		}), p)
	}()
	_, _ = io.WriteString(inW, `{"type":"job"}`+"\n")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), `"share"`); asked > 1 || n != 1 {
		t.Errorf("%d goes, %d questions", asked, n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestServeEndsAfterAPanic(t *testing.T) {
	var out bytes.Buffer
	inR, inW := io.Pipe()
	go func() { _, _ = io.WriteString(inW, `{"type":"job","job_id":"a"}`+"\n") }()
	err := worker.Serve(t.Context(), inR, &out, acting{func(context.Context, reel.Assignment, reel.Desk) reel.Report { panic("ouch") }})
	if !errors.Is(err, worker.ErrPanicked) || !strings.Contains(out.String(), "panic: ouch") || !strings.Contains(out.String(), `"exiting":true`) {
		t.Errorf("Serve: %v, said %s", err, out.String())
	}
}

// Whatever the supervisor's end sends, the child answers in whole messages, at most one a request, and shares only on a go.
func FuzzServe(f *testing.F) {
	for _, s := range []string{
		"", "{", `{"type":"job"}`, "{\"type\":\"job\",\"job_id\":\"a\"}\n{\"type\":\"go\"}\n", "{\"type\":\"go\"}\n{\"type\":\"job\"}\n",
		`{"type":"find","since":"yesterday"}`, `{"type":"find"}`, "null\n[]\n\"x\"\n", `{"type":"job","attempt":"x"}`, "{\"type\":\"job\"}\n\x00\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		effects := 0
		_ = worker.Serve(t.Context(), bytes.NewReader(in), &out, sharing(&effects))
		answers := 0
		for line := range bytes.Lines(out.Bytes()) {
			var m struct{ Type string }
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatalf("said %q: %v", line, err)
			}
			if m.Type != "step" && m.Type != "share" {
				answers++
			}
		}
		if requests := bytes.Count(in, []byte("\n")) + 1; answers > requests || effects > requests {
			t.Fatalf("%d answers and %d effects to %q", answers, effects, in)
		}
		if effects > 0 && !bytes.Contains(bytes.ToLower(in), []byte("go")) {
			t.Fatalf("shared on %q", in)
		}
	})
}
