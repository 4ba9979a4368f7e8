package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

// raw runs a shell script as the worker process.
func raw(t *testing.T, script string) *worker.Client {
	t.Helper()
	s := workertest.NewStage(t)
	c := newClient(s, "/bin/sh", "-c", script)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func desk(answer bool) reel.Desk {
	return reel.Desk{Share: func(context.Context) bool { return answer }}
}

// Whatever a worker says against the protocol, the report never says less than what may have happened.
func TestBreachesOfTheProtocol(t *testing.T) {
	const posted, share = `echo '{"type":"posted","receipt":{"id":"1"}}';`, `echo '{"type":"share"}'; read x;`
	for _, c := range []struct {
		name, script string
		stop         bool
		posted       bool
		code         string
		begun        bool
		text         string
	}{
		{name: "posted without a go", script: "read x;" + posted + "read x", code: reel.CodeWorkerProtocol, begun: true, text: "without a go"},
		{name: "posted after a stop", script: "read x;" + share + posted + "read x", stop: true, code: reel.CodeWorkerProtocol, begun: true},
		{name: "failed after a stop", script: "read x;" + share + `echo '{"type":"failed","evidence":{"text":"ok then"}}'; read x`, stop: true, code: reel.CodeLeaseLost},
		{name: "asks twice", script: "read x;" + share + share + posted, code: reel.CodeWorkerProtocol, begun: true, text: "second go"},
		{name: "broken posted", script: `read x; echo '{"type":"posted","receipt":7}'; read x`, code: reel.CodeWorkerProtocol, begun: true},
		{name: "broken posted after the go", script: "read x;" + share + `echo '{"type":"posted","receipt":7}'; read x`, code: reel.CodeWorkerProtocol, begun: true},
		{name: "broken failed", script: `read x; echo '{"type":"failed","evidence":"no"}'; read x`, code: reel.CodeWorkerProtocol},
		{name: "another job's answer", script: "read x;" + share + `echo '{"type":"posted","job_id":"other"}'; read x`, code: reel.CodeWorkerProtocol, begun: true},
		{name: "a late answer to an earlier attempt", script: `read x; echo '{"type":"failed","attempt":7,"evidence":{"text":"x"}}'; read x`, code: reel.CodeWorkerProtocol},
		{name: "a look's answer to a job", script: `read x; echo '{"type":"absent"}'; read x`, code: reel.CodeWorkerProtocol},
		{name: "a line without end", script: `read x; exec tr '\0' x </dev/zero`, code: reel.CodeWorkerProtocol, text: "more than"},
		{name: "dies with words", script: "read x; echo oh no >&2; exit 3", code: reel.CodeWorkerLost, text: "worker ended: exit status 3\noh no"},
		{name: "closes its output", script: "read x; exec >&-; exit 4", code: reel.CodeWorkerLost, text: "exit status 4"},
		{name: "does not read", script: "exit 5", code: reel.CodeWorkerLost, text: "exit status 5"},
		{name: "dies after the go", script: "read x;" + share + "exit 6", code: reel.CodeWorkerLost, begun: true},
		{name: "claims a share nobody allowed", script: `read x; echo '{"type":"failed","evidence":{"text":"x","share_begun":true}}'; read x`, begun: true},
		{name: "pretends to be the supervisor", script: `read x; echo '{"type":"failed","evidence":{"source":"worker","code":"interrupted","text":"x"}}'; read x`},
		{name: "no source", script: `read x; echo '{"type":"failed","evidence":{"source":"moon","text":"x"}}'; read x`},
		{name: "noise and the unknown are passed over", script: `read x; echo hello; echo '{"type":"grease","a":1}'; echo '{"id":1}'; echo '[1]'; echo;` + share + `echo '{"type":"posted","extra":{}}'; read x`, posted: true},
		{name: "the last line lacks its end", script: "read x;" + share + `printf '{"type":"posted"}'`, posted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := raw(t, c.script).Publish(t.Context(), reel.Assignment{JobID: "v1", Attempt: 1}, desk(!c.stop))
			e := r.Evidence
			if r.Posted != c.posted || e.Code != c.code || e.ShareBegun != c.begun || !strings.Contains(e.Text, c.text) {
				t.Errorf("got %+v", r)
			}
			if !r.Posted && e.Source == "" {
				t.Errorf("no source: %+v", e)
			}
		})
	}
}

// A worker that says its answer twice must not have the second taken for the next job's.
func TestAStaleAnswerIsNotTheNextJobs(t *testing.T) {
	c := raw(t, `while read x; do echo '{"type":"share"}'; read x; printf '{"type":"posted","receipt":{"id":"1"}}\n{"type":"posted","receipt":{"id":"1"}}\n'; done`)
	if r := c.Publish(t.Context(), reel.Assignment{JobID: "a"}, desk(true)); !r.Posted {
		t.Fatalf("got %+v", r)
	}
	r := c.Publish(t.Context(), reel.Assignment{JobID: "b"}, desk(false))
	if r.Posted {
		t.Errorf("got %+v", r)
	}
}

// A worker may end after each job; the next job must neither fail for that nor be given twice to one that took it.
func TestAWorkerThatEndsAfterEachJob(t *testing.T) {
	c := raw(t, `read x; echo '{"type":"share"}'; read x; echo '{"type":"posted"}'`)
	for range 20 {
		if r := c.Publish(t.Context(), reel.Assignment{JobID: "a"}, desk(true)); !r.Posted {
			t.Fatalf("got %+v", r)
		}
	}
}

func TestLooksThatGoWrongCannotTell(t *testing.T) {
	for name, script := range map[string]string{
		"dies": "read x; exit 1", "job's answer": `read x; echo '{"type":"posted"}'; read x`, "broken": `read x; echo '{"type":"found","receipt":1}'; read x`,
		"cannot start": "", "another's": `read x; echo '{"type":"found","job_id":"z"}'; read x`, "no reason": `read x; echo '{"type":"unsure"}'; read x`,
	} {
		t.Run(name, func(t *testing.T) {
			c := raw(t, script)
			if script == "" {
				c = worker.NewClient(worker.Options{Argv: []string{"/no/such/program"}})
			}
			if look := c.Find(t.Context(), reel.Assignment{JobID: "v1"}, time.Now(), reel.Desk{}); look.Finding != reel.Unsure || look.Why == "" {
				t.Errorf("got %+v", look)
			}
			_ = c.Close()
		})
	}
}

func TestWhatCannotStartIsSaidAndPaused(t *testing.T) {
	c := worker.NewClient(worker.Options{Argv: []string{"/no/such/program"}})
	defer func() { _ = c.Close() }()
	begin := time.Now()
	for range 4 { // pauses: none, none, 100 ms, 200 ms
		r := c.Publish(t.Context(), reel.Assignment{JobID: "a"}, desk(true))
		if e := r.Evidence; e.Code != reel.CodeWorkerStart || e.Source != reel.SourceWorker || e.ShareBegun {
			t.Fatalf("got %+v", r)
		}
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("four starts that failed took only %s", took)
	}
}

// A post that was told before the run was stopped is known, whatever came after.
func TestAnAnswerUnderWayIsNotLost(t *testing.T) {
	s := workertest.NewStage(t)
	c := newClient(s, "/bin/sh", "-c", `read x; echo '{"type":"share"}'; read x; echo '{"type":"posted","receipt":{"id":"7"}}'; echo '{"type":"step","name":"after"}'; read x`)
	defer func() { _ = c.Close() }()
	r := c.Publish(t.Context(), reel.Assignment{JobID: "a"}, desk(true))
	if !r.Posted || r.Receipt.ID != "7" {
		t.Errorf("got %+v", r)
	}
	if p := c.Process(); p.PID == 0 || !worker.Alive(p) {
		t.Errorf("the process should go on: %+v", p)
	}
}

// Cancelling while the desk is asked leaves nothing begun, and nothing alive.
func TestCancelWhileAskingForTheGo(t *testing.T) {
	c := raw(t, `read x; echo '{"type":"share"}'; read x; echo '{"type":"posted"}'; read x`)
	ctx, cancel := context.WithCancel(t.Context())
	var p reel.Process
	r := c.Publish(ctx, reel.Assignment{JobID: "a"}, reel.Desk{
		Started: func(started reel.Process) { p = started },
		Share:   func(context.Context) bool { cancel(); return true },
	})
	if r.Posted || r.Evidence.Code != reel.CodeInterrupted || r.Evidence.ShareBegun {
		t.Errorf("got %+v", r)
	}
	if worker.Alive(p) {
		t.Error("the process lives")
	}
}

// The kill does not wait for a desk that is slow to answer: a ledger may hang while the run is stopped.
func TestCancelKillsWhileTheDeskIsStuck(t *testing.T) {
	c := raw(t, `read x; echo '{"type":"share"}'; read x; read x`)
	ctx, cancel := context.WithCancel(t.Context())
	var p reel.Process
	r := c.Publish(ctx, reel.Assignment{JobID: "a"}, reel.Desk{
		Started: func(started reel.Process) { p = started },
		Share: func(context.Context) bool {
			cancel()
			look, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
			defer look.Stop()
			for worker.Alive(p) {
				select {
				case <-look.C:
				case <-late:
					t.Error("the process lives on while the desk is stuck")
					return false
				}
			}
			return false
		},
	})
	if r.Posted || r.Evidence.Code != reel.CodeInterrupted {
		t.Errorf("got %+v", r)
	}
}
