package ledgertest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// Slots is what executing jobs needs of a store.
type Slots interface {
	Claim(context.Context, reel.Claimant) (reel.Claim, []reel.Event, error)
	Intent(context.Context, reel.Claim, reel.Fingerprint, bool) ([]reel.Event, error)
	Record(context.Context, reel.Claim, reel.Ending) ([]reel.Event, error)
	RecordLook(context.Context, reel.Claim, reel.Look, reel.Decision) ([]reel.Event, error)
	Started(reel.Lease, reel.Process)
}

// Leases is what keeping and settling leases needs of a store.
type Leases interface {
	Enlist(reel.Supervisor) error
	Renew(ctx context.Context, supervisor string) ([]reel.Lease, error)
	Held(ctx context.Context, notOf string) ([]reel.Held, error)
	Release(context.Context, reel.Claim) error
	Bury(context.Context, reel.Claim) error
}

// Passes is what leading a batch needs of a store.
type Passes interface {
	Leader(ctx context.Context, batch string) (reel.Leadership, error)
	Lead(context.Context, reel.Bid) (reel.Round, []reel.Event, error)
	OpenPass(ctx context.Context, batch string, term int64, pass int) ([]reel.Event, error)
	Advance(ctx context.Context, batch string, term int64, decide func(reel.Standing) reel.Step) (reel.Step, []reel.Event, error)
	StepDown(ctx context.Context, batch string, term int64, why string) ([]reel.Event, error)
}

// Memory is what remembering for workers needs of a store.
type Memory interface {
	Keep(ctx context.Context, c reel.Claim, name, value string) ([]reel.Event, error)
	Leftovers(ctx context.Context, name string) ([]reel.Leftover, error)
	Forget(context.Context, reel.Leftover) error
}

// Steering is what a person's commands need of a store.
type Steering interface {
	Pause(ctx context.Context, batch string, paused bool, by string) error
	Retry(ctx context.Context, batch string, id reel.JobID, by string) (reel.Event, error)
	Cancel(ctx context.Context, batch string, id reel.JobID, by string) (reel.Event, error)
	RulesAdded(ctx context.Context, by string, ids ...string) error
	Resolve(ctx context.Context, batch string, id reel.JobID, look reel.Look, decide func(reel.Held) reel.Decision) (reel.Event, error)
}

// Rejudging is what judging stored attempts anew needs of a store.
type Rejudging interface {
	Histories(ctx context.Context, batch string) iter.Seq2[[]reel.History, error]
	Rejudge(ctx context.Context, batch string, keys []int64, by string, decide func(reel.History) reel.Rejudgement) ([]reel.Rejudgement, error)
}

// Accounts is what holding accounts needs of a store.
type Accounts interface {
	HoldAccount(ctx context.Context, account, by, why string, until time.Time) error
	ReleaseAccount(ctx context.Context, account, by string, cause bool) (int, error)
	Holds(ctx context.Context, all bool) ([]reel.Hold, error)
}

// Reading is what showing a batch needs of a store.
type Reading interface {
	Latest(context.Context) (string, error)
	Batches(context.Context) ([]reel.Status, error)
	Status(ctx context.Context, batch string) (reel.Status, error)
	Jobs(ctx context.Context, batch string, f ledger.Filter) iter.Seq2[reel.Record, error]
	Story(ctx context.Context, batch string, id reel.JobID) (ledger.Story, error)
}

// Duties is what one process at a time does for all.
type Duties interface {
	TakeDuty(context.Context, reel.Duty) (reel.Duty, error)
	LeaveDuty(context.Context, reel.Duty) error
}

// Appointing is what a schedule needs of a store.
type Appointing interface {
	Appoint(ctx context.Context, d reel.Duty, a reel.Appointment, missed int) (bool, error)
	EndAppointment(context.Context, reel.Duty, reel.Appointment) error
	Appointments(context.Context) ([]reel.Appointment, error)
	PlannedJobs(ctx context.Context, plan string) iter.Seq2[ledger.Planned, error]
}

// Browsing is what a page that follows the ledger needs of a store.
type Browsing interface {
	Head(context.Context) (int64, error)
	Journal(ctx context.Context, after int64, most int) ([]reel.Event, error)
	History(context.Context) iter.Seq2[reel.Event, error]
	Page(ctx context.Context, batch string, f ledger.Filter, place int64, most int) (ledger.Page, error)
	Shared(ctx context.Context, batch string, id reel.JobID) (string, error)
}

// Importing is what filling a batch needs of a store.
type Importing interface {
	Import(ctx context.Context, batch string, posts iter.Seq2[reel.Post, error]) (ledger.ImportReport, error)
	Fill(ctx context.Context, d reel.Duty, a reel.Appointment, posts iter.Seq2[reel.Post, error]) (ledger.ImportReport, error)
}

// Restoring is what an old copy of a store needs.
type Restoring interface {
	Restored(ctx context.Context, by string) (int, error)
}

// Checking is what holding a store beside itself needs of it.
type Checking interface {
	Verify(ctx context.Context, found func(ledger.Finding), progress func(done, of int)) (ledger.Extent, error)
}

// Store is a ledger as the whole program uses it.
type Store interface {
	Slots
	Leases
	Passes
	Memory
	Steering
	Rejudging
	Duties
	Appointing
	Accounts
	Reading
	Browsing
	Importing
	Checking
	Restoring
	Close() error
}

// Fixture is an empty store for one case, with the ways round it that only a test may use.
type Fixture struct {
	Store   Store
	Dump    func(*testing.T) string       // every table with every row, as text in a fixed order
	Journal func(*testing.T) []reel.Event // the whole journal, the oldest first
	Exec    func(string) error            // a raw statement
	Reopen  func(*testing.T) Store        // closes the store and opens what it left
	Beside  func(*testing.T) Store        // opens it a second time, as another supervisor does
}

// Factory makes a fixture whose store reads the time from clock. It cleans up after the test by itself.
type Factory func(t *testing.T, clock func() time.Time) Fixture

// testCase is one promise.
type testCase struct {
	promise string
	try     func(*room)
}

// TestStore runs every case against stores that make gives.
func TestStore(t *testing.T, make Factory) {
	for _, c := range slices.Concat(importCases(), claimCases(), intentCases(), keptCases(), togetherCases(), recordCases(), lookCases(), leaseCases(),
		passCases(), roundCases(), skewCases(), restoreCases(), holdCases(), waitCases(), breakerCases(), steerCases(), rejudgeCases(), readCases(), appointCases()) {
		t.Run(c.promise, func(t *testing.T) {
			r := newRoom(t, make)
			c.try(r)
			r.sound()
		})
	}
}
