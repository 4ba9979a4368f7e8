package reel

import "slices"

// State is where a job stands. docs/states.md draws the transitions; a test holds the two together.
type State string

// The states of a job.
const (
	Pending     State = "pending"       // never tried, or returned by a person
	Running     State = "running"       // a worker holds it; nothing irreversible has begun
	Publishing  State = "publishing"    // the intent is durable: the share may have happened
	Succeeded   State = "succeeded"     // posted, with a receipt where the publisher gives one
	Failed      State = "failed"        // failed, and a later pass will take it
	SetAside    State = "set_aside"     // only a person returns it
	Exhausted   State = "exhausted"     // one of its limits is used up
	OutOfPasses State = "out_of_passes" // it could be retried, but the passes are used up
	InDoubt     State = "in_doubt"      // the share began and its outcome is not known
	Cancelled   State = "cancelled"     // a person took it back
)

// States lists every state in the order in which people read them.
func States() []State {
	return []State{Pending, Running, Publishing, Succeeded, Failed, SetAside, Exhausted, OutOfPasses, InDoubt, Cancelled}
}

// Ready says that a pass may take the job.
func (s State) Ready() bool { return s == Pending || s == Failed }

// InFlight says that a worker has the job in its hands.
func (s State) InFlight() bool { return s == Running || s == Publishing }

// Final says that the machine will not touch the job again by itself. An in-doubt job is not final: it is looked up,
// and waits for a person where looking does not settle it.
func (s State) Final() bool {
	switch s {
	case Succeeded, SetAside, Exhausted, OutOfPasses, Cancelled:
		return true
	case Pending, Running, Publishing, Failed, InDoubt:
		return false
	}
	return false
}

// Next is the life of a job: the states that may follow this one, and no other may.
func (s State) Next() []State {
	switch s {
	case Pending: // InDoubt: of a ledger that was restored from an old copy; so with Failed
		return []State{Running, SetAside, Cancelled, InDoubt}
	case Running: // InDoubt: a worker that shared without asking
		return []State{Publishing, Failed, SetAside, Exhausted, InDoubt}
	case Publishing:
		return []State{Succeeded, InDoubt, Failed, SetAside, Exhausted}
	case InDoubt:
		return []State{Succeeded, Failed, SetAside, Exhausted}
	case Failed:
		return []State{Running, SetAside, Exhausted, OutOfPasses, Cancelled, InDoubt}
	case SetAside, Exhausted:
		return []State{Pending, Cancelled}
	case OutOfPasses:
		return []State{Pending, Failed, Cancelled}
	case Cancelled:
		return []State{Pending}
	case Succeeded:
	}
	return nil
}

// CanBecome says whether a job may go from one state to another.
func CanBecome(from, to State) bool { return slices.Contains(from.Next(), to) }

// Reason says why a job is in a state that ends it for the machine. It is empty while the job lives and when it succeeded.
type Reason string

// The reasons, as `reelpass jobs` prints them.
const (
	NoReason              Reason = ""
	ReasonAccount         Reason = "account"
	ReasonContent         Reason = "content"
	ReasonAccountHold     Reason = "account_hold"
	ReasonDuplicate       Reason = "duplicate"
	ReasonUnknownNotRetry Reason = "unknown_not_retryable"
	ReasonInfraLimit      Reason = "infrastructure_limit"
	ReasonUnknownLimit    Reason = "unknown_limit"
	ReasonMaxAttempts     Reason = "max_attempts"
	ReasonMaxPasses       Reason = "max_passes"
	ReasonCancelled       Reason = "cancelled"
)

// Reasons lists every reason but the empty one.
func Reasons() []Reason {
	return []Reason{
		ReasonAccount, ReasonContent, ReasonAccountHold, ReasonDuplicate, ReasonUnknownNotRetry, ReasonInfraLimit,
		ReasonUnknownLimit, ReasonMaxAttempts, ReasonMaxPasses, ReasonCancelled,
	}
}
