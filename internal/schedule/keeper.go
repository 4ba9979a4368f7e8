package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Ledger is where appointments stand.
type Ledger interface {
	// TakeDuty makes the schedule the owner's, or fails with reel.ErrTaken and says whose it is.
	TakeDuty(context.Context, reel.Duty) (reel.Duty, error)
	LeaveDuty(context.Context, reel.Duty) error
	// Appoint notes an appointment unless it stands there, and EndAppointment that it is kept; reel.ErrLost without the duty.
	Appoint(ctx context.Context, d reel.Duty, a reel.Appointment, missed int) (bool, error)
	EndAppointment(context.Context, reel.Duty, reel.Appointment) error
	// Appointments are those that are open, the last of each plan, and the last AppointmentSeen of each.
	Appointments(context.Context) ([]reel.Appointment, error)
}

// Again is when a batch that could not be run to its end is run again: what stands in its way (a server that is away, a run that still
// leads it, a mistake in a file) mends itself or is mended by a person. What was posted knows the ledger.
const Again = time.Minute

// beat is how often the keeper gives a sign of life and looks at its plans.
const beat = reel.DutyTTL / 3

// Keeper keeps the appointments of plans. Whatever ends it, the next one goes on: an appointment is noted before anything of it is done, and
// each step after that may be done twice.
type Keeper struct {
	Ledger Ledger
	Duty   reel.Duty
	Plans  func() ([]Plan, error) // what the file says now
	// Bring puts what is due into the batch of an appointment, unless that is filled, and says how many jobs it has. It is called for one
	// appointment at a time.
	Bring func(context.Context, Plan, reel.Appointment) (jobs int, err error)
	// Run runs a batch to its end and says how it ended. done is false where it has to be run again. It returns soon after ctx ends.
	Run func(ctx context.Context, batch string) (how string, done bool)
	// Dead says that a process is certainly dead; of another machine nothing is certain. Its duty is not waited for.
	Dead  func(reel.Process) bool
	Clock func() time.Time
	Say   func(text string)

	wait    sync.WaitGroup
	filling chan struct{} // holds one: what an appointment takes the next one must see
	mu      sync.Mutex
	busy    map[reel.Appointment]bool      // being kept at this moment
	again   map[reel.Appointment]time.Time // not before
	said    map[string]string              // by subject: what was said last, so that it is said once
	changed chan struct{}
}

// Keep keeps appointments until ctx ends, and then waits for what it began.
func (k *Keeper) Keep(ctx context.Context) {
	k.busy, k.again, k.said = map[reel.Appointment]bool{}, map[reel.Appointment]time.Time{}, map[string]string{}
	k.changed, k.filling = make(chan struct{}, 1), make(chan struct{}, 1)
	defer func() {
		k.wait.Wait()
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := k.Ledger.LeaveDuty(leave, k.Duty); err != nil {
			k.Say(fmt.Sprintf("the duty ends by itself in %s: %v", reel.DutyTTL, err))
		}
	}()
	for ctx.Err() == nil {
		next := time.NewTimer(k.turn(ctx))
		select {
		case <-ctx.Done():
		case <-next.C:
		case <-k.changed:
		}
		next.Stop()
	}
}

// turn does what is to be done now, and says for how long nothing is.
func (k *Keeper) turn(ctx context.Context) time.Duration {
	has, err := k.Ledger.TakeDuty(ctx, k.Duty)
	if errors.Is(err, reel.ErrTaken) && k.Dead(has.Process) {
		if err = k.Ledger.LeaveDuty(ctx, has); err == nil { // it cannot any more
			has, err = k.Ledger.TakeDuty(ctx, k.Duty)
		}
	}
	switch {
	case errors.Is(err, reel.ErrTaken):
		k.once("duty", fmt.Sprintf("%s keeps the schedule: waiting until it is gone", has.Who))
		return beat / 2
	case err != nil:
		if ctx.Err() == nil {
			k.once("duty", fmt.Sprintf("the ledger cannot be asked: %v", err))
		}
		return beat
	default:
		k.once("duty", "keeping the schedule")
	}
	plans, err := k.Plans()
	if err != nil {
		k.once("plans", err.Error())
		return beat
	}
	k.once("plans", "")
	now := k.Clock()
	open, err := k.note(ctx, plans, now)
	if err != nil {
		if ctx.Err() == nil {
			k.once("duty", fmt.Sprintf("the ledger cannot be asked: %v", err))
		}
		return beat
	}
	for _, a := range open {
		k.begin(ctx, a, plans, now)
	}
	wait := beat
	for _, p := range plans {
		wait = min(wait, p.Next(now).Sub(now))
	}
	return max(wait, time.Millisecond)
}

// note writes down which appointments are due, and returns all that are open.
func (k *Keeper) note(ctx context.Context, plans []Plan, now time.Time) (open []reel.Appointment, err error) {
	all, err := k.Ledger.Appointments(ctx)
	if err != nil {
		return nil, err
	}
	last, times := map[string]time.Time{}, map[string]string{}
	for _, a := range all {
		last[a.Plan] = a.At
		switch a.State {
		case reel.AppointmentOpen:
			open = append(open, a)
		case reel.AppointmentSeen:
			times[a.Plan] = a.Note
		case reel.AppointmentEnded, reel.AppointmentMissed:
		}
	}
	for _, p := range plans {
		since := last[p.Name]
		if times[p.Name] != p.Times() { // it is new, or has other times: what lies before is nobody's
			a := reel.Appointment{Plan: p.Name, At: now.Truncate(time.Millisecond), State: reel.AppointmentSeen, Note: p.Times()}
			if _, err := k.Ledger.Appoint(ctx, k.Duty, a, 0); err != nil {
				return nil, err
			}
			continue
		}
		at, missed, lastMissed := p.Due(since, now)
		if missed > 0 {
			k.Say(fmt.Sprintf("plan %s: %d missed, the last at %s", p.Name, missed, lastMissed.Format("2006-01-02 15:04:05 MST")))
		}
		switch {
		case !at.IsZero():
			a := reel.Appointment{Plan: p.Name, At: at, Batch: p.BatchOf(at), State: reel.AppointmentOpen}
			if _, err := k.Ledger.Appoint(ctx, k.Duty, a, missed); err != nil {
				return nil, err
			}
			open = append(open, a)
		case missed > 0:
			a := reel.Appointment{Plan: p.Name, At: lastMissed, State: reel.AppointmentMissed, Note: fmt.Sprintf("%d missed", missed)}
			if _, err := k.Ledger.Appoint(ctx, k.Duty, a, missed); err != nil {
				return nil, err
			}
		}
	}
	return open, nil
}

// key is an appointment without its zone.
func key(a reel.Appointment) reel.Appointment { return reel.Appointment{Plan: a.Plan, At: a.At.UTC()} }

// begin begins to keep an appointment, unless that is going on or was tried just now.
func (k *Keeper) begin(ctx context.Context, a reel.Appointment, plans []Plan, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy[key(a)] || now.Before(k.again[key(a)]) {
		return
	}
	var plan *Plan
	for i := range plans {
		if plans[i].Name == a.Plan {
			plan = &plans[i]
		}
	}
	k.busy[key(a)] = true
	k.wait.Go(func() {
		how, done := k.keep(ctx, a, plan)
		if done {
			a.Note = how
			if err := k.Ledger.EndAppointment(context.WithoutCancel(ctx), k.Duty, a); err != nil {
				how, done = how+"; that could not be written down: "+err.Error(), false
			}
		}
		k.once(a.Batch, fmt.Sprintf("plan %s, batch %s: %s", a.Plan, a.Batch, how))
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.busy, key(a))
		if delete(k.again, key(a)); !done {
			k.again[key(a)] = k.Clock().Add(Again)
		}
		select {
		case k.changed <- struct{}{}:
		default:
		}
	})
}

// keep brings the posts of an appointment into its batch and runs it. A plan that was taken out of the file meanwhile brings nothing more;
// what its batch has already is run.
func (k *Keeper) keep(ctx context.Context, a reel.Appointment, plan *Plan) (how string, done bool) {
	if plan != nil {
		select {
		case k.filling <- struct{}{}:
		case <-ctx.Done():
			return "stopped", false
		}
		jobs, err := k.Bring(ctx, *plan, a)
		<-k.filling
		switch {
		case err != nil:
			return err.Error(), false
		case jobs == 0:
			return "nothing to post", true
		}
		k.Say(fmt.Sprintf("plan %s, batch %s: running %d jobs", a.Plan, a.Batch, jobs))
	}
	return k.Run(ctx, a.Batch)
}

// once says something about a subject unless that was said last. Nothing is not said, and forgets.
func (k *Keeper) once(subject, text string) {
	k.mu.Lock()
	same := k.said[subject] == text
	k.said[subject] = text
	k.mu.Unlock()
	if !same && text != "" {
		k.Say(text)
	}
}
