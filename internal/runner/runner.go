package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"reelpass/internal/reel"
)

// Slots is what a slot needs of the ledger.
type Slots interface {
	// Claim answers reel.ErrNothingDue (perhaps a *reel.Waiting) or reel.ErrPaused when no job can be taken now; what was done before is recorded with it
	// in any case. After any other error nothing is.
	Claim(context.Context, reel.Claimant) (reel.Claim, []reel.Event, error)
	// Intent is refused with reel.ErrLost or reel.ErrDuplicate; after either the job is no longer ours.
	Intent(context.Context, reel.Claim, reel.Fingerprint, bool) ([]reel.Event, error)
	// Record answers reel.ErrLost when the lease is over.
	Record(context.Context, reel.Claim, reel.Ending) ([]reel.Event, error)
	// RecordLook answers reel.ErrLost when the lease is over.
	RecordLook(context.Context, reel.Claim, reel.Look, reel.Decision) ([]reel.Event, error)
	// Started is a note that nobody waits for.
	Started(reel.Lease, reel.Process)
}

// Leases is what keeping and settling leases needs of the ledger.
type Leases interface {
	Enlist(reel.Supervisor) error
	// Renew returns the leases that the supervisor still holds.
	Renew(ctx context.Context, supervisor string) ([]reel.Lease, error)
	// Held lists the leases of all other supervisors, and the doubts for which their workers may still act.
	Held(ctx context.Context, notOf string) ([]reel.Held, error)
	// Release gives back a look that was not carried out.
	Release(context.Context, reel.Claim) error
	// Bury says that nothing acts any more for a doubt that was listed; reel.ErrLost where that is known already.
	Bury(context.Context, reel.Claim) error
}

// Memory is what remembering for workers needs of the ledger.
type Memory interface {
	// Keep answers reel.ErrLost when the lease is over.
	Keep(ctx context.Context, c reel.Claim, name, value string) ([]reel.Event, error)
}

// Passes is what leading a batch needs of the ledger. Every call under a term answers reel.ErrLost when it no longer leads.
type Passes interface {
	Leader(ctx context.Context, batch string) (reel.Leadership, error)
	// Lead answers reel.ErrTaken when somebody was quicker.
	Lead(context.Context, reel.Bid) (reel.Round, []reel.Event, error)
	OpenPass(ctx context.Context, batch string, term int64, pass int) ([]reel.Event, error)
	// Advance answers reel.ErrNotYet while the pass has jobs to do, *reel.OutageError when they wait for longer than a run does.
	Advance(ctx context.Context, batch string, term int64, decide func(reel.Standing) reel.Step) (reel.Step, []reel.Event, error)
	StepDown(ctx context.Context, batch string, term int64, why string) ([]reel.Event, error)
}

// Worker executes assignments one at a time, in a process of its own.
type Worker interface {
	// Publish never fails: whatever happens is evidence. When ctx is cancelled the process is dead before it returns.
	Publish(context.Context, reel.Assignment, reel.Desk) reel.Report
	// Find looks whether an assignment is already posted.
	Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look
	// Process is the worker's process; zero while none runs.
	Process() reel.Process
	Close() error
}

// Processes is what settling needs of the operating system.
type Processes interface {
	// Here says whether a process is, or was, one of this host: of others nothing is certain.
	Here(reel.Process) bool
	// OtherBoot says whether a process is of another start of this machine, or of another machine.
	OtherBoot(reel.Process) bool
	// Alive says whether exactly this process still runs here. It is false for another host's.
	Alive(reel.Process) bool
	// Kill ends a process that is still exactly this one.
	Kill(reel.Process) error
	// KillOrphans ends every process that a supervisor's workers left, and returns when they are gone.
	KillOrphans(ctx context.Context, supervisor string, worker reel.Process) error
}

// Media brings videos that are named by an address to this machine.
type Media interface {
	// Fetch returns when the video is a file here; the evidence says why it is not. When ctx ends so does the fetch.
	Fetch(ctx context.Context, address string) (reel.Copy, *reel.Evidence)
}

// Config of a runner.
type Config struct {
	Batch       string
	Supervisor  reel.Supervisor
	Limits      reel.Limits
	Workers     int  // worker processes side by side
	PerWorker   int  // slots of each: jobs that it has at once
	AllowRepost bool // the same video may go to the same account again
	Look        bool // the publisher can look up in-doubt jobs
	// Shared says that supervisors of other hosts share the ledger. They cannot see whether a worker lives, so none may outlive
	// its lease.
	Shared bool
	// Listen, where it is set, calls heard whenever something may have happened elsewhere that slots here wait for. It returns
	// when ctx ends, or when it can hear no more; then it is called again. Slots look each second whether it hears or not.
	Listen func(ctx context.Context, heard func()) error
	// Immediate says that executing a job is itself the irreversible step, as with a program that is judged by its exit. Then a
	// claim carries the intent and the end of the slot's job before: one commit a job instead of three.
	Immediate bool
}

// Runner runs one batch. Make it with its fields set; call Lead or Lend once.
type Runner struct {
	Config
	Slots     Slots
	Leases    Leases
	Passes    Passes
	Memory    Memory // nil: nothing is kept
	Processes Processes
	Media     Media // nil: the publisher is handed addresses as they are shown
	NewWorker func(id int) Worker
	Judge     func(reel.Evidence) reel.Verdict
	// Pause says how long evidence asks to wait. Sign names a failure so that the same trouble of another job has the same name.
	// Where they are nil, nothing asks, and no failure is like another.
	Pause func(reel.Evidence, reel.Verdict, time.Time) reel.Pause
	Sign  func(reel.Evidence, reel.Verdict, reel.Job) string
	// Tidy puts in order what workers that died left in the outside world, where no job of the account is in flight, and says what it
	// did. It is called by whoever leads, again and again, and at the end of every run; nil: there is no such thing.
	Tidy  func(context.Context) (done string, err error)
	Watch func(reel.Event) // told of everything; called from many goroutines
	Clock func() time.Time

	once  sync.Once
	state *state
}

// state is what the goroutines of a running Runner share.
type state struct {
	stop chan struct{} // closed: finish what runs, start nothing new
	wake chan struct{} // one token: one idle slot tries to claim again
	idle chan struct{} // a token when every slot has nothing to do

	// order keeps what is told in the order of the journal: whoever changes a job holds it shared until the change is told, and
	// whoever opens or closes a pass holds it alone.
	order sync.RWMutex

	mu      sync.Mutex
	stopped bool
	failure error // why the run ends by itself
	waiting int
	paused  bool
	active  map[reel.Lease]context.CancelCauseFunc
	videos  fingerprints
	told    hindrance // what keeps due jobs waiting, as it was told last

	renewed atomic.Pointer[moment] // when the leases were renewed last
}

// moment is a point in time by both clocks. A wall clock may be set back, and the other one stands still while a machine sleeps.
type moment struct{ wall, steady time.Time }

func (r *Runner) now() moment { return moment{wall: r.Clock().Round(0), steady: time.Now()} }

// passed is how long ago a moment was, by the clock that says more: what must not last too long goes by it.
func (r *Runner) passed(m moment) time.Duration {
	return max(r.Clock().Round(0).Sub(m.wall), time.Since(m.steady))
}

// Why a job's context ends before the job does.
var (
	errLeaseLost = errors.New("the lease was lost")
	errHardStop  = errors.New("stopped")
)

func (r *Runner) init() {
	r.once.Do(func() {
		n := r.slots()
		r.state = &state{
			stop: make(chan struct{}), wake: make(chan struct{}, n), idle: make(chan struct{}, 1),
			active: map[reel.Lease]context.CancelCauseFunc{},
		}
	})
}

// Stop asks for a soft end: running posts finish, nothing new starts. It may be called often and from anywhere.
func (r *Runner) Stop() {
	r.init()
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	if !r.state.stopped {
		r.state.stopped = true
		close(r.state.stop)
	}
}

// fail ends the run softly because it cannot go on.
func (r *Runner) fail(err error) {
	r.state.mu.Lock()
	if r.state.failure == nil {
		r.state.failure = err
	}
	r.state.mu.Unlock()
	r.Stop()
}

func (r *Runner) slots() int { return r.Workers * r.PerWorker }

// jobChange makes a change of a job and tells it.
func (r *Runner) jobChange(change func() ([]reel.Event, error)) error {
	r.state.order.RLock()
	defer r.state.order.RUnlock()
	events, err := change()
	r.tell(events...)
	return err
}

// passChange makes a change of the batch's passes and tells it, after all that was told of jobs before it.
func (r *Runner) passChange(change func() ([]reel.Event, error)) error {
	r.state.order.Lock()
	defer r.state.order.Unlock()
	events, err := change()
	r.tell(events...)
	return err
}

func (r *Runner) tell(events ...reel.Event) {
	for _, e := range events {
		r.Watch(e)
	}
}

func (r *Runner) notice(format string, args ...any) {
	r.tell(reel.Event{At: r.Clock().UTC(), Kind: reel.EventNotice, Batch: r.Batch, Text: fmt.Sprintf(format, args...)})
}

// Lead leads the batch to its end: the result, or reel.Interrupted when it was stopped. Cancelling ctx is the hard stop:
// workers are killed, and what is known of their jobs is still recorded. An error means that the run could not be carried
// on; *TakenError when somebody else leads.
func (r *Runner) Lead(ctx context.Context) (reel.Result, error) {
	r.init()
	if err := r.Leases.Enlist(r.Supervisor); err != nil {
		return "", fmt.Errorf("enlist: %w", err)
	}
	term, err := r.takeLead(ctx)
	if hardStopped(ctx, err) {
		return reel.Interrupted, nil
	}
	if err != nil {
		return "", err
	}
	var result reel.Result
	err = r.serve(ctx, func(ctx context.Context) (err error) {
		result, err = r.leads(ctx, term)
		return err
	})
	return r.wound(term, result, err)
}

// wound ends a run that led.
func (r *Runner) wound(term int64, result reel.Result, err error) (reel.Result, error) {
	if err == nil && result == reel.NoResult {
		result, err = r.windUp(term)
	}
	if err != nil {
		return "", errors.Join(err, r.stepDown(term, err.Error()))
	}
	return result, nil
}

// Lend works on a batch that somebody else leads, until done says that it is finished, or a stop. Where the leader is gone
// without a word, it takes the lead by the limits that the batch has. A ledger that does not answer ends it only when the leases
// are over.
func (r *Runner) Lend(ctx context.Context, done func(context.Context) (bool, error)) error {
	r.init()
	if err := r.Leases.Enlist(r.Supervisor); err != nil {
		return fmt.Errorf("enlist: %w", err)
	}
	if l, err := r.Passes.Leader(ctx, r.Batch); err == nil && l.Leader.ID != "" { // else a claim will tell
		if err := reel.Skew(r.Batch, r.Supervisor, l.Leader); err != nil {
			return err
		}
	}
	if err := newSweeper(r).buryOwn(ctx); err != nil && ctx.Err() == nil { // it is tried again by the next one
		r.notice("what this machine left in doubt could not be told: %v", err)
	}
	var term int64
	var result reel.Result
	err := r.serve(ctx, func(ctx context.Context) (err error) {
		if term, err = r.lends(ctx, done); term > 0 {
			result, err = r.leads(ctx, term)
		}
		return err
	})
	if term > 0 {
		_, err = r.wound(term, result, err)
	}
	return err
}

// lends waits until the batch is done, or until it has to be led from here: then it returns the term.
func (r *Runner) lends(ctx context.Context, done func(context.Context) (bool, error)) (term int64, err error) {
	answered := time.Now()
	for {
		over, err := done(ctx)
		if err == nil && !over {
			term, err = r.inherit(ctx)
		}
		switch {
		case hardStopped(ctx, err) || err == nil && over:
			return 0, nil
		case err == nil && term > 0:
			return term, nil
		case err == nil:
			answered = time.Now()
		case errors.Is(err, reel.ErrNotFound) || time.Since(answered) > leasePatience:
			return 0, err
		}
		if !r.pause(ctx, time.Second) {
			return 0, nil
		}
	}
}

// hardStopped says that err is only the hard stop, which is no failure: the run is interrupted.
func hardStopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// serve runs the slots and the renewal of their leases beside body, and ends them all when body returns.
func (r *Runner) serve(ctx context.Context, body func(context.Context) error) error {
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { r.Stop(); cancel(errHardStop) })()

	var slots, keepers errgroup.Group
	keep, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	r.renewedAt(r.now())
	keepers.Go(func() error { r.keepLeases(keep); return nil })
	if r.Shared {
		keepers.Go(func() error { r.watchLeases(keep); return nil })
	}
	keepers.Go(func() error { r.poll(keep); return nil })
	if r.Listen != nil {
		keepers.Go(func() error { r.listen(keep); return nil })
	}
	for id := 1; id <= r.Workers; id++ {
		for range r.PerWorker {
			slots.Go(func() error { r.slot(hard, id); return nil })
		}
	}
	err := body(ctx)
	r.Stop()
	_ = slots.Wait() // they return nil: what goes wrong in a slot is told through fail
	stopKeeping()    // leases are kept until the last slot has recorded
	_ = keepers.Wait()
	r.tidy(context.WithoutCancel(ctx))
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	return errors.Join(err, r.state.failure)
}

// poll wakes one idle slot a second, for what happens outside this process: another supervisor's job ends, a person
// releases an account, the time of a post comes. One that finds a job wakes the next.
func (r *Runner) poll(ctx context.Context) { every(ctx, time.Second, r.wakeOne) }

// listen wakes the slots when there is news. What it cannot hear the poll finds out.
func (r *Runner) listen(ctx context.Context) {
	for again := true; again; again = r.pause(ctx, time.Second) {
		_ = r.Listen(ctx, r.wakeAll)
	}
}

func (r *Runner) wakeOne() {
	select {
	case r.state.wake <- struct{}{}:
	default: // enough tokens for every slot
	}
}

func (r *Runner) wakeAll() {
	for range cap(r.state.wake) {
		r.wakeOne()
	}
}

// pause waits, and says false when the run is stopping.
func (r *Runner) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.state.stop:
		return false
	case <-ctx.Done():
		return false
	}
}
