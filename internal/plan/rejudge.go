package plan

import (
	"time"

	"reelpass/internal/reel"
)

// Rejudge says what rules make of a job's attempts that failed: which verdicts are others, how the failures count then, and what
// becomes of a job that waits for the next pass. What has ended stays as it ended, whatever its verdict. What an earlier
// orchestrator did, or what an old copy does not know (pass 0), no rule has judged, and none does.
func Rejudge(h reel.History, judge func(reel.Evidence) reel.Verdict, pause func(reel.Evidence, reel.Verdict, time.Time) reel.Pause) reel.Rejudgement {
	r := reel.Rejudgement{Tally: h.Tally, Forgiven: h.Forgiven, Verdict: h.Verdict}
	for i, a := range h.Attempts {
		if a.Outcome != reel.OutcomeFailed || a.Pass == 0 || a.Evidence == (reel.Evidence{}) {
			continue
		}
		r.Judged++
		was := a.Verdict
		if a.Verdict = judge(a.Evidence); a.Verdict == was {
			continue
		}
		r.Renewed = append(r.Renewed, reel.Renewal{Attempt: a, Was: was})
		r.Tally = r.Tally.Moved(was.Category, a.Verdict.Category)
		if forgiven(h, a.Number) {
			r.Forgiven = r.Forgiven.Moved(was.Category, a.Verdict.Category)
		}
		if i == len(h.Attempts)-1 && r.Verdict == was {
			r.Verdict = a.Verdict
		}
	}
	if h.State == reel.Failed && len(r.Renewed) > 0 {
		decideAnew(h, &r, pause)
	}
	return r
}

// forgiven says that an attempt counts against no limit. A person's retry forgives all up to it, however they ended; after it those are
// forgiven that asked to wait. Only the number of both together is kept.
func forgiven(h reel.History, number int) bool {
	upTo := h.Forgiven.Attempts
	for upTo+freeAfter(h, upTo) > h.Forgiven.Attempts {
		upTo--
	}
	return number <= upTo || h.Free[number]
}

func freeAfter(h reel.History, number int) int {
	n := 0
	for free := range h.Free {
		if free > number {
			n++
		}
	}
	return n
}

// decideAnew decides on the last attempt of a job that waits, as though it had ended with the new verdicts. What it asked to wait is over,
// and whether it was free is settled: neither ends the job, and no limit does that it does not count against.
func decideAnew(h reel.History, r *reel.Rejudgement, pause func(reel.Evidence, reel.Verdict, time.Time) reel.Pause) {
	last := reel.Renewal{Attempt: h.Attempts[len(h.Attempts)-1]}
	last.Was = last.Verdict
	told := r.Renewed[len(r.Renewed)-1].Number == last.Number
	if told {
		last = r.Renewed[len(r.Renewed)-1]
	}
	before := r.Tally.Minus(r.Forgiven)
	if !h.Free[last.Number] {
		before = before.Minus(reel.Tally{}.Failed(last.Verdict.Category))
	}
	d := After(Try{
		Tally: before, Pass: last.Pass, LastPass: h.LastPass, MaxAttempts: h.MaxAttempts, Pause: pause(last.Evidence, last.Verdict, last.EndedAt),
	}, last.Verdict, h.Limits)
	if d.State == reel.Failed || d.Wait > 0 || d.State == reel.Exhausted && h.Free[last.Number] {
		return
	}
	d.Hold = d.Hold && !h.Mended
	r.Decision = &d
	if !told {
		r.Renewed = append(r.Renewed, last)
	}
}
