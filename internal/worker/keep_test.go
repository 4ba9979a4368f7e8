package worker_test

import (
	"context"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

// memory is a desk that remembers, or refuses to.
type memory struct {
	kept   map[string]string
	refuse bool
}

func (m *memory) desk() reel.Desk {
	return reel.Desk{
		Step:  func(string) {},
		Share: func(context.Context) bool { return true },
		Keep: func(_ context.Context, name, value string) bool {
			if m.refuse {
				return false
			}
			if m.kept == nil {
				m.kept = map[string]string{}
			}
			if m.kept[name] = value; value == "" {
				delete(m.kept, name)
			}
			return true
		},
	}
}

// TestAWorkerKeepsWhatItNeedsLater runs a real process: what it keeps in one assignment it finds in the next, and in a look.
func TestAWorkerKeepsWhatItNeedsLater(t *testing.T) {
	s := workertest.NewStage(t)
	c := newClient(s, os.Args[0])
	defer func() { _ = c.Close() }()
	var m memory
	a := reel.Assignment{JobID: workertest.Keeps, Account: "acc1", Attempt: 1}
	if r := c.Publish(t.Context(), a, m.desk()); r.Posted || r.Evidence.Text != "kept" {
		t.Fatalf("got %+v", r)
	}
	if want := map[string]string{"container": "17 of acc1"}; !maps.Equal(m.kept, want) {
		t.Errorf("kept %v, want %v", m.kept, want)
	}
	a.Kept, a.Attempt = maps.Clone(m.kept), 2
	if look := c.Find(t.Context(), a, time.Now(), m.desk()); look.Finding != reel.Found || look.Receipt.ID != "17 of acc1" {
		t.Errorf("look %+v", look)
	}
	if r := c.Publish(t.Context(), a, m.desk()); !r.Posted || r.Receipt.ID != "17 of acc1" {
		t.Errorf("got %+v", r)
	}
	if len(m.kept) != 0 {
		t.Errorf("what is done with is still there: %v", m.kept)
	}
	m.refuse, a.Kept = true, nil
	if r := c.Publish(t.Context(), a, m.desk()); r.Posted || r.Evidence.Text != "not kept" || r.Evidence.Code != "" {
		t.Errorf("a keep that was refused: %+v", r)
	}
	if r := c.Publish(t.Context(), a, reel.Desk{Step: func(string) {}}); r.Posted || r.Evidence.Text != "not kept" {
		t.Errorf("a desk that keeps nothing: %+v", r)
	}
}

// What is kept is bounded, is text, and is no secret.
func TestWhatCannotBeKept(t *testing.T) {
	const secret = "hunter2-hunter2"
	for name, line := range map[string]string{
		"no name":     `{"type":"keep","name":"","value":"1"}`,
		"a bad name":  `{"type":"keep","name":"a b","value":"1"}`,
		"a long name": `{"type":"keep","name":"` + strings.Repeat("a", 41) + `","value":"1"}`,
		"a lot":       `{"type":"keep","name":"a","value":"` + strings.Repeat("x", reel.KeptMost+1) + `"}`,
		"a secret":    `{"type":"keep","name":"a","value":"token=` + secret + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := worker.NewClient(worker.Options{Argv: []string{"/bin/sh", "-c", "read x; echo '" + line + "'; read x"}, Secrets: []string{secret}})
			defer func() { _ = c.Close() }()
			var m memory
			r := c.Publish(t.Context(), reel.Assignment{JobID: "v1"}, m.desk())
			if e := r.Evidence; e.Code != reel.CodeWorkerProtocol || strings.Contains(e.Text, secret) {
				t.Errorf("got %+v", r)
			}
			if len(m.kept) != 0 {
				t.Errorf("kept %v", m.kept)
			}
		})
	}
}
