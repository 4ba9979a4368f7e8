package protocol_test

import "fmt"

// world is what a search supposes: which machines there are, what the jobs are, and which guards are missing.
type world struct {
	name     string
	hosts    int   // 1: one ledger file; 2: a shared ledger, and neither host can kill a process of the other
	accounts int   // 1: both jobs are of one account
	tries    uint8 // how often a job is attempted
	single   bool  // there is only one job
	twins    bool  // both jobs are the same video, for the same account
	verdict  bool  // an attempt may end with an account verdict, which holds the account
	passes   bool  // the first run may open one pass only
	mild     bool  // no supervisor hangs or dies while its worker has the go; the network may fail at any time
	without  guard
	mind     wrong // the only trouble that is minded; 0: any
}

// has says that none of some guards is missing.
func (w *world) has(g guard) bool { return w.without&g == 0 }

// here says whether two supervisors are on one host.
func (w *world) here() bool { return w.hosts == 1 }

// content is which video a job is.
func (w *world) content(j who) int {
	if w.twins {
		return 0
	}
	return int(j) - 1
}

// who numbers supervisors, 1 for A and 2 for B, and jobs. 0 is nobody.
type who uint8

func (w who) other() who { return 3 - w }

func (w who) String() string { return "-AB"[w : w+1] }

// at is where a job stands in the ledger.
type at uint8

const (
	pending at = iota
	running
	publishing
	succeeded
	failed
	setAside
	exhausted
	outOfPasses
	inDoubt
)

func (a at) String() string {
	return [...]string{"pending", "running", "publishing", "succeeded", "failed", "set aside", "exhausted", "out of passes", "in doubt"}[a]
}

func (a at) inFlight() bool { return a == running || a == publishing }

// job is a row of the ledger, and beside it how often the job was really posted.
type job struct {
	at    at
	owner who   // who has the lease; 0: nobody
	over  bool  // the lease was not renewed in time
	next  bool  // due in the next pass, else in this one
	look  bool  // waits for a look
	away  who   // in doubt, and a worker of this supervisor, which nobody could kill, may still act for it
	tries uint8 // attempts that ended
	posts uint8 // outside: 2 stands for more as well
}

func (o *job) ready() bool { return o.at == pending || o.at == failed }

// life of a supervisor. On one host a process that hangs is one that does nothing for a while, which a search tries of every
// process at every moment; so only where nobody can kill it is it told apart: it does not even end its own workers.
type life uint8

const (
	up life = iota
	hung
	dead
)

// lead is what a supervisor believes of its lead.
type lead uint8

const (
	follows lead = iota
	leads        // its term is the latest
	deposed      // somebody else has begun a later term, and it does not know yet
)

// step is where a supervisor's slot stands.
type step uint8

const (
	idle     step = iota
	working       // a worker has the job
	intended      // the intent is in the ledger, the go is not given
	went          // the go is given
	ended         // the worker is dead, and that is not recorded
	looking       // the publisher is asked whether the job is posted
	looked        // its answer is not recorded
)

// end is how an attempt ended, or what a look found.
type end uint8

const (
	noEnd end = iota
	notShared
	unclear
	posted
	trouble // not shared, and it is the account's trouble
	found
	absent
)

func (e end) String() string {
	return [...]string{"nothing", "not shared", "unclear", "posted", "trouble with the account", "found", "absent"}[e]
}

// proc is where a worker process stands. It lives on where its supervisor hangs, and what it started lives on where that dies.
type proc uint8

const (
	gone proc = iota
	fresh
	acts   // has the go; may post at any moment
	shared // has posted, and not told
)

// sup is a supervisor with its one slot, and its worker.
type sup struct {
	life    life
	overdue bool // 25 s have passed since its last renewal
	lead    lead

	step step
	job  who
	own  bool // the slot's fence is the job's latest
	long bool // the lease ended after the slot had asked for the intent
	end  end
	proc proc

	prey who  // the job of the other one that it is about to settle
	same bool // its fence is the one that was seen
	seen at
}

// state is everything at one moment.
type state struct {
	jobs   [2]job
	sups   [2]sup
	guards [2]who // the publish ledger: which job stands for a video
	leader who
	done   bool  // no pass is open, and the batch has a result
	hold   bool  // of the account, which then is the only one
	wrong  wrong // what must never happen, and did
}

// wrong is a broken promise.
type wrong uint8

const (
	right wrong = iota
	twice
	lie
	touched
	slain
	usurped
	stuck
)

func (w wrong) String() string {
	return [...]string{
		"nothing", "the video is posted twice", "a post is recorded that never was, or a post counts as none",
		"a held account is touched", "a supervisor that renews its leases is killed", "who does not lead ends the batch of who does",
		"a job can never end",
	}[w]
}

func (s *state) job(j who) *job { return &s.jobs[j-1] }
func (s *state) sup(i who) *sup { return &s.sups[i-1] }

// breaks notes the first broken promise.
func (s *state) breaks(w wrong) {
	if s.wrong == right {
		s.wrong = w
	}
}

func (w *world) start() state {
	s := state{leader: 1}
	if w.single {
		s.jobs[1].at = setAside
	}
	s.sups[0].lead = leads
	return s
}

// move is one step, in words.
type move struct {
	text  string // %[1]s is who moves, %[2]d the job, %[3]s the other one, %[4]s a word
	by    who
	job   who
	word  fmt.Stringer
	fault bool // nobody can count on its happening, so it must not be needed for a good end
}

func (m move) String() string {
	if m.word == nil {
		m.word = noEnd
	}
	return fmt.Sprintf(m.text+"%.0[1]s%.0[2]s%.0[3]s%.0[4]s", m.by, m.job, m.by.other(), m.word)
}
