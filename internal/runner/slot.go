package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// recordPatience is how long a hard stop waits for a ledger that does not take what is known.
const recordPatience = 10 * time.Second

// slot claims and executes jobs one after another until the run stops.
func (r *Runner) slot(hard context.Context, id int) {
	w := r.NewWorker(id)
	defer func() {
		if err := w.Close(); err != nil {
			r.notice("worker %d: %v", id, err)
		}
	}()
	var done *reel.Ended // the job before, where its end is recorded with the next claim
	var silent time.Time // since when a shared ledger does not answer
	woken := false
	for !r.stopping() {
		asked := r.now()
		claim, err := r.claim(hard, r.claimant(id, w, done))
		idle := errors.Is(err, reel.ErrNothingDue) || errors.Is(err, reel.ErrPaused)
		if err == nil || idle {
			silent = time.Time{} // it has answered
		}
		if done != nil {
			if err != nil && !idle { // not taken together: the end alone, which must not be lost
				r.record(hard, done)
				done = nil
				continue
			}
			done = nil
			r.wakeOne() // its account is free
		}
		switch {
		case idle:
			r.brake(errors.Is(err, reel.ErrPaused))
			r.hindered(err)
			if woken = r.sleep(); !woken {
				return
			}
			continue
		case err != nil && r.patient(&silent, err):
			continue
		case err != nil:
			r.fail(fmt.Errorf("claim a job: %w", err))
			return
		}
		r.brake(false)
		if woken { // where one found a job there may be more
			woken = false
			r.wakeOne()
		}
		done = r.execute(hard, w, claim, asked)
	}
	if done != nil {
		r.record(hard, done)
	}
}

// patient waits a second for a shared ledger that does not answer, for no longer than leases live. Nothing was claimed.
func (r *Runner) patient(silent *time.Time, err error) bool {
	if !r.Shared || errors.Is(err, reel.ErrBroken) || errors.Is(err, reel.ErrRefused) {
		return false
	}
	if silent.IsZero() {
		*silent = time.Now()
		r.notice("the ledger does not answer, trying again: %v", err)
	}
	return time.Since(*silent) < leasePatience && r.pause(context.Background(), time.Second)
}

func (r *Runner) claim(ctx context.Context, c reel.Claimant) (claim reel.Claim, err error) {
	err = r.jobChange(func() (events []reel.Event, err error) {
		claim, events, err = r.Slots.Claim(ctx, c)
		return events, err
	})
	return claim, err
}

func (r *Runner) claimant(id int, w Worker, done *reel.Ended) reel.Claimant {
	c := reel.Claimant{Batch: r.Batch, Supervisor: r.Supervisor.ID, Worker: id, Process: w.Process(), Done: done, AllowRepost: r.AllowRepost}
	if r.Immediate {
		c.Recognise = func(j reel.Job) (reel.Fingerprint, bool) {
			if r.Media != nil && reel.IsAddress(j.VideoPath) {
				return reel.Fingerprint{}, false // it is fetched before the share, which may fail
			}
			return r.state.videos.known(j.VideoPath)
		}
	}
	return c
}

// brake tells once when a person pauses the batch, and once when it goes on.
func (r *Runner) brake(paused bool) {
	r.state.mu.Lock()
	was := r.state.paused
	r.state.paused = paused
	r.state.mu.Unlock()
	switch {
	case paused && !was:
		r.tell(reel.Event{At: r.Clock().UTC(), Kind: reel.EventPaused, Batch: r.Batch})
	case was && !paused:
		r.tell(reel.Event{At: r.Clock().UTC(), Kind: reel.EventResumed, Batch: r.Batch})
	}
}

func (r *Runner) stopping() bool {
	select {
	case <-r.state.stop:
		return true
	default:
		return false
	}
}

// sleep waits for a token; false when the run stops. The last slot to fall asleep tells the leader.
func (r *Runner) sleep() bool {
	r.state.mu.Lock()
	r.state.waiting++
	all := r.state.waiting == r.slots()
	r.state.mu.Unlock()
	defer func() {
		r.state.mu.Lock()
		r.state.waiting--
		r.state.mu.Unlock()
	}()
	if all {
		select {
		case r.state.idle <- struct{}{}:
		default:
		}
	}
	select {
	case <-r.state.wake:
		return true
	case <-r.state.stop:
		return false
	}
}

// execute carries out one claim, which was asked for at the given time. It records what came of it, or returns that where it is to be recorded with the next claim.
func (r *Runner) execute(hard context.Context, w Worker, c reel.Claim, asked moment) *reel.Ended {
	ctx, cancel := context.WithCancelCause(hard)
	defer cancel(nil)
	r.state.mu.Lock()
	r.state.active[c.Lease] = cancel
	r.state.mu.Unlock()
	defer func() {
		r.state.mu.Lock()
		delete(r.state.active, c.Lease)
		r.state.mu.Unlock()
	}()
	if c.Lookup {
		r.look(ctx, w, c)
		r.wakeOne()
		return nil
	}
	done := r.publish(ctx, w, c, asked)
	if done != nil && (r.Immediate || r.Shared) && ctx.Err() == nil {
		return done
	}
	if done != nil {
		r.record(ctx, done)
	}
	r.wakeOne() // its account is free
	return nil
}

// assignment is a job as its publisher sees it. Of an address it does not see the secrets; it is handed the fetched file.
func assignment(c reel.Claim) reel.Assignment {
	return reel.Assignment{
		JobID: c.Job.ID, Account: c.Job.Account, VideoPath: reel.ShownVideo(c.Job.VideoPath), Caption: c.Job.Caption,
		Attempt: c.Attempt, Pass: c.Pass, WorkerID: c.Worker, Kept: c.Kept,
	}
}

// keep has the ledger remember something of a claimed job.
func (r *Runner) keep(c reel.Claim) func(ctx context.Context, name, value string) bool {
	return func(ctx context.Context, name, value string) bool {
		if r.Memory == nil {
			return false
		}
		err := r.jobChange(func() ([]reel.Event, error) { return r.Memory.Keep(ctx, c, name, value) })
		if err != nil {
			r.notice("job %s: %s is not kept: %v", c.Job.ID, name, err)
		}
		return err == nil
	}
}

// publish has the worker execute the job, and decides what becomes of it. nil: there is nothing to record.
func (r *Runner) publish(ctx context.Context, w Worker, c reel.Claim, asked moment) *reel.Ended {
	started := r.Clock()
	duplicate := false // refused at the intent, and set aside with it
	a, here, lacking := r.video(ctx, c)
	defer here.Release()
	desk := reel.Desk{
		Share: func(ctx context.Context) bool {
			err := r.intent(ctx, c, asked, here)
			duplicate = errors.Is(err, reel.ErrDuplicate)
			if err != nil && !duplicate {
				r.notice("job %s: no go for the share: %v", c.Job.ID, err)
			}
			return err == nil
		},
		Keep:    r.keep(c),
		Step:    func(name string) { r.step(c, name) },
		Started: func(p reel.Process) { r.Slots.Started(c.Lease, p) },
	}
	var rep reel.Report
	if lacking != nil {
		rep.Evidence = *lacking
	} else if rep = w.Publish(ctx, a, desk); duplicate {
		return nil
	}
	if errors.Is(context.Cause(ctx), errLeaseLost) {
		rep.Evidence.Source, rep.Evidence.Code = reel.SourceWorker, reel.CodeLeaseLost // tried all the same: whoever settled the lease has been quicker, or nobody has
	}
	attempt := reel.Attempt{
		Number: c.Attempt, Pass: c.Pass, Worker: c.Worker, Host: r.Supervisor.Name, StartedAt: started, EndedAt: r.Clock(),
		ShareBegun: rep.Posted || rep.Evidence.ShareBegun, Evidence: rep.Evidence, Receipt: rep.Receipt,
	}
	if rep.Posted {
		attempt.Outcome, attempt.Evidence = reel.OutcomeSucceeded, reel.Evidence{}
		return &reel.Ended{Claim: c, Ending: reel.Ending{Attempt: attempt, Decision: plan.Posted(), Breaker: r.breaker(c.Limits)}}
	}
	return &reel.Ended{Claim: c, Ending: r.judge(c, attempt)}
}

func (r *Runner) step(c reel.Claim, name string) {
	r.tell(reel.Event{
		At: r.Clock().UTC(), Kind: reel.EventStep, Batch: c.Batch, Pass: c.Pass, Job: c.Job.ID,
		Account: c.Job.Account, Attempt: c.Attempt, Worker: c.Worker, Text: name,
	})
}

// judge turns evidence into a verdict and a decision.
func (r *Runner) judge(c reel.Claim, a reel.Attempt) reel.Ending {
	a.Verdict = r.Judge(a.Evidence)
	var asked reel.Pause
	if r.Pause != nil {
		asked = r.Pause(a.Evidence, a.Verdict, a.EndedAt)
	}
	d := plan.After(plan.Try{
		Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass, MaxAttempts: c.Job.MaxAttempts, ShareBegun: a.ShareBegun, Pause: asked,
	}, a.Verdict, c.Limits)
	a.Outcome = reel.OutcomeFailed
	if d.State == reel.InDoubt {
		a.Outcome = reel.OutcomeInDoubt
	}
	e := reel.Ending{Attempt: a, Decision: d, Look: r.Look && (!d.Hold || d.Wait > 0)}
	if code := a.Evidence.Code; a.Evidence.Source == reel.SourceWorker && (code == reel.CodeInterrupted || code == reel.CodeLeaseLost) {
		return e // our own doing says nothing of the publisher
	}
	e.Breaker = r.breaker(c.Limits)
	if shared := a.Verdict.Category == reel.Infrastructure || a.Verdict.Category == reel.Unknown; shared && r.Sign != nil {
		e.Signature = r.Sign(a.Evidence, a.Verdict, c.Job)
	}
	return e
}

func (r *Runner) breaker(l reel.Limits) func(reel.Breaker, reel.Sample) reel.Breaker {
	return func(b reel.Breaker, s reel.Sample) reel.Breaker { return plan.Breaker(b, s, l) }
}

// intent asks the ledger for the go, unless the claim brought it along. The go is withheld when so much time has passed since
// asking that the lease may be over: a stopped or suspended process must notice how long it was away.
func (r *Runner) intent(ctx context.Context, c reel.Claim, claimed moment, here reel.Copy) error {
	asked := claimed
	if !c.Intended {
		fp, err := r.fingerprint(c, here)
		switch {
		case errors.Is(err, fs.ErrPermission):
			r.notice("job %s: the video may not be read to recognise it again, its path stands for it: %v", c.Job.ID, err)
		case err != nil: // a passing trouble must not make the same video another one
			return fmt.Errorf("recognise the video: %w", err)
		}
		asked = r.now()
		if err := r.jobChange(func() ([]reel.Event, error) { return r.Slots.Intent(ctx, c, fp, r.AllowRepost) }); err != nil {
			return err
		}
	}
	if r.passed(asked) > reel.LeaseTTL-reel.RenewEvery {
		return errors.New("the ledger took too long, the lease may be over")
	}
	return context.Cause(ctx)
}

// record makes an ending durable. A ledger that does not take it is asked again until it does: what is known must not be
// lost. Only a hard stop limits the patience; then the next run settles the job.
func (r *Runner) record(ctx context.Context, done *reel.Ended) {
	r.insist(ctx, done.Claim, func() ([]reel.Event, error) { return r.Slots.Record(ctx, done.Claim, done.Ending) })
}

func (r *Runner) insist(ctx context.Context, c reel.Claim, write func() ([]reel.Event, error)) {
	var give time.Duration
	for {
		err := r.jobChange(write)
		switch {
		case err == nil:
			return
		case errors.Is(err, reel.ErrLost):
			r.notice("job %s: the lease was over before its end could be recorded", c.Job.ID)
			return
		case errors.Is(err, reel.ErrRefused), errors.Is(err, reel.ErrBroken):
			r.fail(err)
			return
		case give >= recordPatience:
			r.fail(fmt.Errorf("job %s could not be recorded: %w", c.Job.ID, err))
			return
		}
		r.notice("job %s: could not be recorded, trying again: %v", c.Job.ID, err)
		r.fail(fmt.Errorf("record job %s: %w", c.Job.ID, err)) // nothing new is begun with a ledger that does not write
		t := time.NewTimer(time.Second)
		<-t.C
		if ctx.Err() != nil {
			give += time.Second
		}
	}
}

// look asks the worker whether an in-doubt job is posted, and settles it if that is certain.
func (r *Runner) look(ctx context.Context, w Worker, c reel.Claim) {
	look := w.Find(ctx, assignment(c), c.Doubt.StartedAt, reel.Desk{Keep: r.keep(c), Step: func(name string) { r.step(c, name) }})
	if ctx.Err() != nil {
		r.insist(ctx, c, func() ([]reel.Event, error) { return nil, r.Leases.Release(context.WithoutCancel(ctx), c) })
		return
	}
	d := Absent(c)
	r.insist(ctx, c, func() ([]reel.Event, error) { return r.Slots.RecordLook(ctx, c, look, d) })
}

// Absent decides what becomes of an in-doubt job that turned out not to be posted: its doubtful attempt was a failure
// before the share, of the kind its evidence says.
func Absent(c reel.Claim) reel.Decision {
	before := c.Tally
	before.Attempts-- // the doubtful attempt is counted already
	v := c.Doubt.Verdict
	if v.Category == "" {
		v.Category = reel.Unknown
	}
	d := plan.After(plan.Try{Tally: before, Pass: c.Pass, LastPass: c.LastPass, MaxAttempts: c.Job.MaxAttempts}, v, c.Limits)
	d.Hold = false // placed when the doubt began, where it had to be
	return d
}
