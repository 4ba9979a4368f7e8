package rehearsal

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Config is the section `rehearsal` of the settings.
type Config struct {
	Script  string        // file with outcomes; empty means outcomes drawn from Seed
	Latency time.Duration // how long a job takes, spread over its steps
	Seed    uint64        // of the drawn outcomes
	World   string        // file with the effects that happened; empty means that none is kept
}

// Publisher posts nothing and says that it did.
type Publisher struct {
	cfg    Config
	script script // nil means that outcomes are drawn
	die    func()
}

// New makes a Publisher. It fails when the script cannot be read, naming file, line and column, or the world not written.
func New(c Config) (*Publisher, error) {
	p := &Publisher{cfg: c, die: killSelf}
	if c.Script != "" {
		s, err := readScript(c.Script)
		if err != nil {
			return nil, err
		}
		p.script = s
	}
	if c.World != "" {
		f, err := world(c.World).open()
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("rehearsal world: %w", err)
		}
	}
	return p, nil
}

// killSelf ends the process as a crash does: at once, and with nothing said.
func killSelf() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // the signal is on its way, and nothing may happen meanwhile
}

// Publish rehearses one assignment.
func (p *Publisher) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	outcome := outcomeOK
	var fault *failure
	if p.script != nil {
		o := p.script.outcome(a.JobID, a.Attempt)
		outcome = o.Text
		if outcome != outcomeOK && !strings.HasPrefix(outcome, "!") {
			fault = &failure{source: reel.SourceTool, step: "rehearsal", text: o.Text, retryAfter: o.RetryAfter, holds: o.Holds}
		}
	} else {
		fault = draw(p.cfg.Seed, a.JobID, a.Attempt)
	}
	if outcome == outcomeHang {
		<-ctx.Done()
		return interrupted(ctx)
	}
	for _, step := range steps() {
		d.Step(step)
		if !p.wait(ctx) {
			return interrupted(ctx)
		}
		if fault != nil && (fault.step == step || step == stepCaption) {
			return reel.Report{Evidence: reel.Evidence{
				Source: fault.source, Code: fault.code, Text: fault.text, Step: fault.step, RetryAfter: fault.retryAfter, Holds: fault.holds,
			}}
		}
	}
	if outcome == outcomeCrashBefore {
		p.die()
	}
	if !d.Share(ctx) {
		return reel.Report{Evidence: reel.Evidence{
			Source: reel.SourceWorker, Code: reel.CodeLeaseLost, Text: "told to stop before the share", Step: stepShare,
		}}
	}
	return p.share(a, outcome)
}

// share is what happens after the go.
func (p *Publisher) share(a reel.Assignment, outcome string) reel.Report {
	if text, ok := strings.CutPrefix(outcome, outcomeFailAfter+" "); ok {
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: text, Step: stepShare, ShareBegun: true}}
	}
	receipt := fmt.Sprintf("rehearsal-%s-%d", a.JobID, a.Attempt)
	if p.cfg.World != "" {
		err := world(p.cfg.World).add(post{JobID: a.JobID, Account: a.Account, At: time.Now().UTC(), Receipt: receipt})
		if err != nil {
			return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: err.Error(), Step: stepShare, ShareBegun: true}}
		}
	}
	if outcome == outcomeCrashAfter {
		p.die()
	}
	return reel.Report{Posted: true, Receipt: reel.Receipt{ID: receipt}}
}

// Find looks into the world for the assignment's post.
func (p *Publisher) Find(_ context.Context, a reel.Assignment, _ time.Time, _ reel.Desk) reel.Look {
	if p.cfg.World == "" {
		return reel.Look{Finding: reel.Unsure, Why: "a rehearsal without a world cannot be looked up"}
	}
	return world(p.cfg.World).find(a)
}

// wait lets one step's time pass; false means that the job was given up.
func (p *Publisher) wait(ctx context.Context) bool {
	if p.cfg.Latency <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(p.cfg.Latency / time.Duration(len(steps())))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func interrupted(ctx context.Context) reel.Report {
	return reel.Report{Evidence: reel.Evidence{
		Source: reel.SourceWorker, Code: reel.CodeInterrupted, Text: fmt.Sprintf("interrupted: %v", context.Cause(ctx)),
	}}
}
