package overview

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Group is where a job stands, as charts and failure lists count it: one of five.
type Group int

// The groups, in the order in which charts draw them.
const (
	Posted Group = iota
	InWork
	ToDo // waiting, or will be tried again
	NotPosted
	InDoubt
	groups
)

// Groups lists the groups in the order of charts.
func Groups() []Group { return []Group{Posted, InWork, ToDo, NotPosted, InDoubt} }

// String is the group's word.
func (g Group) String() string {
	return [...]string{"posted", "in work", "to do", "not posted", "in doubt"}[g]
}

// GroupOf is the group of a state.
func GroupOf(s reel.State) Group {
	switch s {
	case reel.Succeeded:
		return Posted
	case reel.Running, reel.Publishing:
		return InWork
	case reel.Pending, reel.Failed:
		return ToDo
	case reel.InDoubt:
		return InDoubt
	case reel.SetAside, reel.Exhausted, reel.OutOfPasses, reel.Cancelled:
		return NotPosted
	}
	return ToDo
}

// Counts is how many jobs stand in each group.
type Counts [groups]int

// CountsOf are the counts of a batch's totals.
func CountsOf(t reel.Totals) Counts {
	var c Counts
	for _, s := range reel.States() {
		c[GroupOf(s)] += t.Of(s)
	}
	return c
}

// Signer names a failure so that the same trouble of another job has the same name. own are words of the job itself.
type Signer func(e reel.Evidence, v reel.Verdict, own ...string) string

// Overview is what the journal says up to an event. It is not safe for concurrent use.
type Overview struct {
	sign     Signer
	seq      int64
	batches  map[string]*batch
	accounts map[string]*Account
	losses   int           // workers that were lost, and leases
	phones   time.Duration // that attempts had a phone switched on
}

// New is an empty overview.
func New(sign Signer) *Overview {
	return &Overview{sign: sign, batches: map[string]*batch{}, accounts: map[string]*Account{}}
}

// Seq is the number of the last event that was added.
func (o *Overview) Seq() int64 { return o.seq }

// Losses is how many attempts ended because a worker or its lease was lost.
func (o *Overview) Losses() int { return o.losses }

// PhoneTime is how long attempts had a phone of their own switched on, over all batches.
func (o *Overview) PhoneTime() time.Duration { return o.phones }

// Add takes the next event of the journal.
func (o *Overview) Add(e reel.Event) {
	o.seq = max(o.seq, e.Seq)
	if e.Account != "" {
		o.account(e)
	}
	if e.Batch == "" {
		return
	}
	b := o.batches[e.Batch]
	if b == nil {
		b = newBatch()
		o.batches[e.Batch] = b
	}
	if e.Kind == reel.EventFailed && e.Evidence != nil && (e.Evidence.Code == reel.CodeWorkerLost || e.Evidence.Code == reel.CodeLeaseLost) {
		o.losses++
	}
	if ended(e.Kind) {
		if since, ok := b.phones[e.Job]; ok {
			o.phones += e.At.Sub(since)
			delete(b.phones, e.Job)
		}
	}
	b.add(e, o.sign)
}

// ended says that an attempt ended with such an event.
func ended(k reel.EventKind) bool {
	return k == reel.EventSucceeded || k == reel.EventFailed || k == reel.EventInDoubt || k == reel.EventDuplicate
}

// fate is what is remembered of a job while it is under way, and for ever once it has failed.
type fate struct {
	account string
	state   reel.State
	causes  []*cause
	claimed time.Time
}

type batch struct {
	jobs   map[reel.JobID]*fate
	counts Counts
	causes map[string]*cause
	series series
	posted window
	took   ring[time.Duration] // the last attempts, without those that were interrupted
	recent ring[reel.Event]
	phones map[reel.JobID]time.Time // since when an attempt has a phone on
	slots  int
}

func newBatch() *batch {
	return &batch{
		jobs: map[reel.JobID]*fate{}, causes: map[string]*cause{}, phones: map[reel.JobID]time.Time{},
		took: ring[time.Duration]{most: 50}, recent: ring[reel.Event]{most: 20},
	}
}

// add takes an event of the batch.
func (b *batch) add(e reel.Event, sign Signer) {
	switch e.Kind {
	case reel.EventImported:
		b.counts[ToDo] += e.Count
		if e.Totals != nil {
			b.counts = CountsOf(*e.Totals)
		}
	case reel.EventRunStarted:
		b.slots = e.Workers
		if e.Totals != nil { // the ledger's own word
			b.reopened(CountsOf(*e.Totals))
		}
	case reel.EventFinished, reel.EventInterrupted:
		if e.Totals != nil {
			b.counts = CountsOf(*e.Totals)
		}
	case reel.EventClaimed:
		f := b.fate(e)
		f.claimed = e.At
		b.moves(f, reel.Running)
	case reel.EventKept:
		if name, value, _ := strings.Cut(e.Text, " "); name == "phone" && value != "" {
			b.phones[e.Job] = e.At
		}
	case reel.EventSucceeded:
		b.ended(e, reel.Succeeded)
		b.posted.add(e.At)
	case reel.EventFailed, reel.EventInDoubt:
		f := b.fate(e)
		if e.Evidence != nil && e.Verdict != nil {
			b.blame(e, f, sign)
		}
		to := reel.InDoubt
		if e.Kind == reel.EventFailed {
			to = decided(e, reel.Failed)
		}
		b.ended(e, to)
	case reel.EventDuplicate:
		b.ended(e, reel.SetAside)
	case reel.EventLooked:
		b.moves(b.fate(e), decided(e, reel.InDoubt))
	case reel.EventDoubted:
		b.moves(b.fate(e), reel.InDoubt)
	case reel.EventRetried:
		b.moves(b.fate(e), reel.Pending)
	case reel.EventCancelled:
		b.moves(b.fate(e), reel.Cancelled)
	case reel.EventRejudged:
		b.rejudged(e, sign)
	case reel.EventHeldBack:
		b.many(e.Count, reel.SetAside, func(f *fate) bool { return f.account == e.Account && f.state.Ready() })
	case reel.EventOutOfPasses: // not those that a person gave back meanwhile: they are pending
		b.many(e.Count, reel.OutOfPasses, func(f *fate) bool { return f.state == reel.Failed })
	default: // it moves no job
	}
	if told(e.Kind) {
		b.recent.add(e)
	}
	b.series.add(e.At, b.counts)
}

// told says that an event belongs into a list of the last ones: claims and intents would push out all others, and so would new verdicts.
func told(k reel.EventKind) bool {
	switch k {
	case reel.EventClaimed, reel.EventKept, reel.EventIntent, reel.EventProbe, reel.EventRejudged:
		return false
	default:
		return true
	}
}

// reopened takes the counts that a run began with. Jobs that had run out of passes are among those to do again.
func (b *batch) reopened(now Counts) {
	if now[NotPosted] < b.counts[NotPosted] {
		for _, f := range b.jobs {
			if f.state == reel.OutOfPasses {
				b.moves(f, reel.Failed)
			}
		}
	}
	b.counts = now
}

func (b *batch) fate(e reel.Event) *fate {
	f := b.jobs[e.Job]
	if f == nil {
		f = &fate{account: e.Account, state: reel.Pending}
		switch e.Kind {
		case reel.EventRetried, reel.EventCancelled: // it says what the job was before
			was, told := strings.CutPrefix(e.Text, "was ")
			if f.state = reel.State(was); !told {
				f.state = reel.SetAside // released with its account
			}
		case reel.EventLooked:
			f.state = reel.InDoubt
		default: // to do
		}
		b.jobs[e.Job] = f
	}
	return f
}

func decided(e reel.Event, otherwise reel.State) reel.State {
	if e.Decision == nil || e.Decision.State == "" {
		return otherwise
	}
	return e.Decision.State
}

// ended moves a job whose attempt ended. One that never failed is forgotten once it is posted.
func (b *batch) ended(e reel.Event, to reel.State) {
	f := b.fate(e)
	if !f.claimed.IsZero() && (e.Evidence == nil || e.Evidence.Code != reel.CodeInterrupted) {
		b.took.add(e.At.Sub(f.claimed))
	}
	b.moves(f, to)
	f.claimed = time.Time{}
	if to == reel.Succeeded && len(f.causes) == 0 {
		delete(b.jobs, e.Job)
	}
}

func (b *batch) moves(f *fate, to reel.State) {
	b.count(f.causes, GroupOf(f.state), GroupOf(to), 1)
	f.state = to
}

// count moves n jobs with the same causes from one group to another.
func (b *batch) count(causes []*cause, from, to Group, n int) {
	b.counts[from] -= n
	b.counts[to] += n
	for _, c := range causes {
		c.by[from] -= n
		c.by[to] += n
	}
}

// many moves n jobs out of what is to do that an event does not name: those that are known here, and the rest by number.
func (b *batch) many(n int, to reel.State, which func(*fate) bool) {
	for _, f := range b.jobs {
		if n > 0 && which(f) {
			b.moves(f, to)
			n--
		}
	}
	b.count(nil, ToDo, GroupOf(to), n)
}

// cause is a failure that jobs have in common.
type cause struct {
	Cause
	by       Counts
	jobs     map[reel.JobID]int // attempts of each
	accounts map[string]int
	passes   map[int]int
}

// Cause is what failed alike in a batch, and what became of the jobs.
type Cause struct {
	ID        string // short, for addresses
	Signature string
	Verdict   reel.Verdict
	Attempts  int
	Jobs      int
	Accounts  int
	Passes    map[int]int // attempts by pass
	By        Counts      // the jobs, by where they stand now
	First     time.Time
	Last      time.Time
	Example   reel.Event // the last failure of the kind
	// Most is the account with the most attempts among them, and MostAttempts how many that are.
	Most         string
	MostAttempts int
}

// Recovered is how many of its jobs were posted all the same.
func (c Cause) Recovered() int { return c.By[Posted] }

// CauseID is the short name of a signature.
func CauseID(signature string) string {
	sum := sha256.Sum256([]byte(signature))
	return hex.EncodeToString(sum[:5])
}

func (b *batch) blame(e reel.Event, f *fate, sign Signer) *cause {
	signature := sign(*e.Evidence, *e.Verdict, string(e.Job), e.Account)
	id := CauseID(signature)
	c := b.causes[id]
	if c == nil {
		c = &cause{Cause: Cause{ID: id, Signature: signature, First: e.At}, jobs: map[reel.JobID]int{}, accounts: map[string]int{}, passes: map[int]int{}}
		b.causes[id] = c
	}
	if !e.At.Before(c.Last) {
		c.Verdict, c.Last, c.Example = *e.Verdict, e.At, e
	}
	c.Attempts++
	c.passes[e.Pass]++
	c.accounts[e.Account]++
	if c.jobs[e.Job]++; c.jobs[e.Job] == 1 {
		f.causes = append(f.causes, c)
		c.by[GroupOf(f.state)]++
	}
	return c
}

// rejudged moves an attempt from the cause that it had to the one that its new verdict makes it. When each attempt failed is not
// remembered: the cause that it comes to is met as early and as late as the one that it leaves.
func (b *batch) rejudged(e reel.Event, sign Signer) {
	f := b.fate(e)
	if e.Evidence != nil && e.Verdict != nil && e.Was != nil && *e.Was != *e.Verdict {
		if old := b.absolve(e, f, sign); old != nil {
			e.At = old.Last
			if c := b.blame(e, f, sign); old.First.Before(c.First) {
				c.First = old.First
			}
		}
	}
	if e.Decision != nil {
		b.moves(f, e.Decision.State)
	}
}

// absolve takes an attempt from the cause that it had; nil where it had none.
func (b *batch) absolve(e reel.Event, f *fate, sign Signer) *cause {
	id := CauseID(sign(*e.Evidence, *e.Was, string(e.Job), e.Account))
	c := b.causes[id]
	if c == nil || c.jobs[e.Job] == 0 {
		return nil
	}
	c.Attempts--
	less(c.passes, e.Pass)
	less(c.accounts, e.Account)
	if less(c.jobs, e.Job); c.jobs[e.Job] == 0 {
		c.by[GroupOf(f.state)]--
		f.causes = slices.DeleteFunc(f.causes, func(other *cause) bool { return other == c })
	}
	if c.Attempts == 0 {
		delete(b.causes, id)
	}
	return c
}

// less counts one less, and none of a key of which nothing is left.
func less[K comparable](m map[K]int, key K) {
	if m[key]--; m[key] <= 0 {
		delete(m, key)
	}
}

// Causes lists what failed in a batch: first what left most jobs without a post, then what leaves most to do.
func (o *Overview) Causes(name string) []Cause {
	b := o.batches[name]
	if b == nil {
		return nil
	}
	list := make([]Cause, 0, len(b.causes))
	for _, c := range b.causes {
		out := c.Cause
		out.Jobs, out.Accounts, out.By = len(c.jobs), len(c.accounts), c.by
		out.Passes = map[int]int{}
		for p, n := range c.passes {
			out.Passes[p] = n
		}
		for a, n := range c.accounts {
			if n > out.MostAttempts || n == out.MostAttempts && a < out.Most {
				out.Most, out.MostAttempts = a, n
			}
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(x, y Cause) int {
		for _, d := range []int{y.By[NotPosted] - x.By[NotPosted], y.By[ToDo] - x.By[ToDo], y.Jobs - x.Jobs, strings.Compare(x.ID, y.ID)} {
			if d != 0 {
				return d
			}
		}
		return 0
	})
	return list
}

// Of says whether a job of the batch ever failed by a cause.
func (o *Overview) Of(name, cause string) (jobs []reel.JobID) {
	if b := o.batches[name]; b != nil && b.causes[cause] != nil {
		for id := range b.causes[cause].jobs {
			jobs = append(jobs, id)
		}
	}
	slices.Sort(jobs)
	return jobs
}
