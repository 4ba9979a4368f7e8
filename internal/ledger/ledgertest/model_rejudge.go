package ledgertest

import (
	"pgregory.net/rapid"

	"reelpass/internal/reel"
)

// tryRejudge has rules of another day judge what failed. What that makes of a job's counts, the check of the whole ledger knows.
func (m *model) tryRejudge() {
	name := m.anyBatch()
	b := m.batches[name]
	if b.led && rapid.Bool().Draw(m.T, "step down first") {
		m.stepDown(name)
	}
	table := map[string]reel.Category{}
	judge := func(e reel.Evidence) reel.Verdict {
		if _, known := table[e.Text]; !known {
			table[e.Text] = rapid.SampledFrom(reel.Categories()).Draw(m.T, "category")
		}
		return verdict(table[e.Text])
	}
	keys := m.room.keys(name)
	failed := m.of(name, func(j *modelJob) bool {
		return j.claim == nil && j.state != reel.InDoubt && m.room.job(name, j.ID).Tally != reel.Tally{Attempts: j.attempts}
	})
	if len(keys) != len(failed) {
		m.Fatalf("%d jobs can be judged anew, the model says %d", len(keys), len(failed))
	}
	said := map[reel.JobID]reel.Rejudgement{}
	_, err := m.room.Store.Rejudge(m.room.ctx, name, keys, "me", func(h reel.History) reel.Rejudgement {
		said[h.ID] = anew(judge)(h)
		return said[h.ID]
	})
	if b.led && m.room.now().Before(b.until) {
		m.expect("rejudge", err, reel.ErrRefused)
		return
	}
	m.fatal(err)
	for _, j := range failed {
		d := said[j.ID].Decision
		if d == nil {
			continue
		}
		if j.state != reel.Failed {
			m.Fatalf("job %s is decided anew, the model says that it is %s", j.ID, j.state)
		}
		if j.state = d.State; d.Hold {
			m.hold(j.Account)
			m.aside(name, j.Account)
		}
	}
}
