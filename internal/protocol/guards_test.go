package protocol_test

// guard is one thing that the program does so that nothing is posted twice or lost, and no held account is touched.
type guard uint32

const (
	intentFirst guard = 1 << iota
	token
	fenceOnIntent
	leaseOnIntent
	lateGo
	onlyOnce
	fenceOnRecord
	stateOnRecord
	doubtsStay
	buried
	onlyHere
	killFirst
	readAgain
	unrenewed
	deadline
	onePerAccount
	term
)

// reason is what a guard is for: what goes wrong without it, and where.
type reason struct {
	guard guard
	name  string
	file  string // where the program has it,
	line  string // and a piece of the text there
	world string // where it is needed
	wrong wrong  // what happens without it
	also  guard  // what has to be missing with it before anything goes wrong; 0: nothing
	note  string
}

func reasons() []reason {
	return []reason{
		{
			intentFirst, "the intent is durable before the go", "internal/runner/slot.go", "r.Slots.Intent(ctx, c, fp, r.AllowRepost)",
			"one host, one job", twice, 0, "",
		},
		{
			token, "a commit whose answer is lost is looked up by its token", "internal/ledger/server_link.go", "if token == l.token {",
			"one host, one job", twice, 0, "",
		},
		{
			fenceOnIntent, "the intent is conditional on the fence", "internal/ledger/claim.go", "WHERE id=? AND fence=?\n\t\t\tAND state='running'",
			"two hosts, one job", twice, 0, "On one host whoever settles a lease kills its supervisor first, so that no late word comes.",
		},
		{
			leaseOnIntent, "the intent is refused after the lease's end", "internal/ledger/claim.go", "AND lease_until>?",
			"", right, 0, "An intent that comes late but before anybody has settled the job prolongs the lease; whoever was about to settle it finds another state. It costs nothing and is kept.",
		},
		{
			lateGo, "the go is withheld when the lease may be over", "internal/runner/slot.go", "the ledger took too long, the lease may be over",
			"two hosts, account verdicts", touched, 0, "Alone it lets nothing be posted twice: a doubt of another host is not given up (see there). Without both it does.",
		},
		{
			onlyOnce, "a video has one row in the publish ledger", "internal/ledger/claim.go", "ON CONFLICT DO NOTHING",
			"one host, the same video twice", twice, 0, "",
		},
		{
			fenceOnRecord, "an end is recorded under the fence only", "internal/ledger/record.go", "WHERE id=? AND fence=? AND state=?",
			"two hosts, one job", twice, 0, "",
		},
		{
			stateOnRecord, "who settles a lease records only if the job is still as it was seen", "internal/ledger/record.go", "e.From != \"\" && e.From != at.state",
			"two hosts, one job", twice, 0, "On one host the second reading does the same.",
		},
		{
			doubtsStay, "what may be posted is in doubt, and never simply tried again", "internal/plan/job.go", "d.State = reel.InDoubt",
			"one host, one job", twice, 0, "",
		},
		{
			buried, "a look does not end a doubt whose worker may still act on another host", "internal/ledger/record.go", "if away && look.Finding == reel.Absent {",
			"two hosts, one job", twice, 0, "",
		},
		{
			onlyHere, "a doubt of another host is not looked up by the run that settles it", "internal/runner/leases.go", "ending.Look = ending.Look && !ending.Away",
			"", right, 0, "The guard before this one covers it. It keeps two from using one account at the same time while the other worker is likely to end by itself.",
		},
		{
			killFirst, "whoever settles a lease kills the supervisor and its workers first", "internal/runner/leases.go", "r.Processes.KillOrphans(ctx",
			"one host, one job", twice, 0, "",
		},
		{
			readAgain, "the job is read again after the kill", "internal/runner/leases.go", "The leases are read a second time once all that is dead.",
			"one host, one job", twice, stateOnRecord, "Alone its lack is noticed when the end is recorded, and the next sweep settles the job.",
		},
		{
			unrenewed, "a lease is over only when it was seen unrenewed for a while", "internal/runner/leases.go", "staleAfter = reel.RenewEvery + reel.SweepEvery",
			"one host, one job", slain, 0, "",
		},
		{
			deadline, "a supervisor that cannot renew ends its workers before their leases end", "internal/runner/leases.go", "func (r *Runner) watchLeases(",
			"two hosts, account verdicts", touched, 0, "Alone it lets nothing be posted twice: a doubt of another host is not given up. Without both it does.",
		},
		{
			onePerAccount, "one job of an account is in flight", "internal/ledger/migrations/sqlite/00001_init.sql", "CREATE UNIQUE INDEX job_in_flight ON job(account_id)",
			"one host, account verdicts", touched, 0, "",
		},
		{
			term, "passes are opened and closed under the latest term", "internal/ledger/lead.go", "have != term || !led",
			"one host, the first run has one pass", usurped, 0, "",
		},
	}
}
