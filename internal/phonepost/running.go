package phonepost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"reelpass/internal/geelark"
	"reelpass/internal/reel"
)

// keptPhone is the name under which the phone is kept that runs for a job: they cost money by the minute, and whoever comes after a
// dead worker must know which to stop.
const keptPhone = "phone"

type running struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// left is the phone that an earlier attempt of the job had started and not stopped; zero where there is none.
func left(a reel.Assignment) (r running) {
	_ = json.Unmarshal([]byte(a.Kept[keptPhone]), &r) // one that cannot be read is none
	return r
}

// keeps has it remembered that a phone is started, before it is.
func keeps(ctx context.Context, d reel.Desk, p geelark.Phone) error {
	value, err := json.Marshal(running{p.ID, p.Name})
	if err != nil {
		return err
	}
	if d.Keep == nil || !d.Keep(ctx, keptPhone, string(value)) {
		return &unkeptError{p.Name}
	}
	return nil
}

// stopped has it forgotten again. What stays remembered is stopped once more, which is no harm.
func stopped(ctx context.Context, d reel.Desk) {
	if d.Keep != nil {
		d.Keep(ctx, keptPhone, "")
	}
}

// unkeptError says that the ledger does not take what whoever comes next must know.
type unkeptError struct{ phone string }

func (e *unkeptError) Error() string {
	return "the phone " + e.phone + " is not started: the ledger does not take what must be known of it"
}

// codeUnkept is its evidence's code.
const codeUnkept = "phone_not_noted"

// Evidence tells it to whoever judges it.
func (e *unkeptError) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: codeUnkept, Text: e.Error(), Step: step}
}

// Record knows what workers had kept.
type Record interface {
	// Leftovers lists what is kept under a name of accounts on which nobody works now.
	Leftovers(ctx context.Context, name string) ([]reel.Leftover, error)
	Forget(context.Context, reel.Leftover) error
}

// Sweep stops the phones that dead workers left running, and says which. The error tells of those that may still run.
func Sweep(ctx context.Context, rec Record, v Vendor) (stopped []string, err error) {
	tried := map[int64]bool{}
	var errs []error
	for {
		// Listed anew for each: meanwhile somebody may have taken the account's next job, and its phone with it.
		left, err := rec.Leftovers(ctx, keptPhone)
		if err != nil {
			return stopped, errors.Join(append(errs, err)...)
		}
		next := -1
		for i := range left {
			if !tried[left[i].Key] {
				next = i
				break
			}
		}
		if next < 0 {
			return stopped, errors.Join(errs...)
		}
		l := left[next]
		tried[l.Key] = true
		var p running
		if err := json.Unmarshal([]byte(l.Value), &p); err != nil || p.ID == "" {
			errs = append(errs, fmt.Errorf("what is kept of job %s names no phone", l.Job))
			continue
		}
		if err := v.Stop(ctx, p.ID); err != nil {
			errs = append(errs, &RunningError{Phone: p.Name, Err: err})
			continue
		}
		stopped = append(stopped, p.Name)
		if err := rec.Forget(ctx, l); err != nil {
			errs = append(errs, err)
		}
	}
}
