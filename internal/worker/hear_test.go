package worker

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"

	"reelpass/internal/reel"
)

// Whatever a worker sends: no post is reported without a go, the go is asked for at most once and given at most once, and
// evidence always has a source.
func FuzzHear(f *testing.F) {
	for _, s := range []string{
		`{"type":"posted"}`, "{\"type\":\"share\"}\n{\"type\":\"posted\",\"receipt\":{\"id\":\"1\"}}", `{"type":"failed"}`,
		"{\"type\":\"share\"}\n{\"type\":\"share\"}", `{"type":"failed","evidence":{"source":"worker","code":"lease_lost","text":"x"}}`,
		`{"type":"step","name":7}`, `{"type":"found"}`, "\x00", `{"TYPE":"posted"}`, `{"type":"posted","job_id":"b"}`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte, goAhead bool) {
		asked := 0
		c := NewClient(Options{})
		p := publishing{
			client: c, ctx: t.Context(), ses: &session{stdin: null}, assignment: reel.Assignment{JobID: "a", Attempt: 1},
			desk: reel.Desk{Share: func(context.Context) bool { asked++; return goAhead }},
		}
		e := ending{code: reel.CodeWorkerLost, text: "ended"}
		for line := range bytes.Lines(said) {
			m, ours, err := decodeAnswer(line)
			if !ours {
				continue
			}
			if err != nil {
				m.Attempt = -1
			}
			done, fault := p.hear(m)
			if e.done = done; done || fault != "" {
				break
			}
		}
		r := p.report(e)
		if asked > 1 {
			t.Fatalf("asked for the go %d times by %q", asked, said)
		}
		if r.Posted && (!goAhead || asked != 1) {
			t.Fatalf("posted without a go by %q", said)
		}
		if !r.Posted && !slices.Contains(reel.Sources(), r.Evidence.Source) {
			t.Fatalf("no source in %+v by %q", r, said)
		}
		if !r.Posted && asked == 1 && goAhead && !r.Evidence.ShareBegun {
			t.Fatalf("the go was given and is forgotten: %+v by %q", r, said)
		}
	})
}
