package ledgertest

import "reelpass/internal/reel"

// togetherCases are of claims that bring along the end of the job before and the intent of the next.
func togetherCases() []testCase {
	// bold is a claimant for whom executing is the irreversible step. It knows every video by its path.
	bold := func() reel.Claimant {
		c := claimant(batch, 0)
		c.Recognise = func(j reel.Job) (reel.Fingerprint, bool) { return byHash("sha256:"+j.VideoPath, j.VideoPath), true }
		return c
	}
	return []testCase{
		{"a claim may carry the intent: then a dead worker leaves a doubt", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c, _, err := r.Store.Claim(r.ctx, bold())
			r.must(err)
			r.equal("intended", c.Intended, true)
			r.equal("state", r.job(batch, "1").State, reel.Publishing)
			r.record(c, r.posted(c))
			r.equal("state", r.job(batch, "1").State, reel.Succeeded)
		}},
		{"a claim that carries the intent refuses a video that is on the account, and goes on with the next job", func(r *room) {
			twin := post("2@a")
			twin.VideoPath = post("1@a").VideoPath
			_, err := r.load(batch, post("1@a"), twin, post("3@a"))
			r.must(err)
			r.start(batch)
			c, _, err := r.Store.Claim(r.ctx, bold())
			r.must(err)
			r.record(c, r.posted(c))
			c, _, err = r.Store.Claim(r.ctx, bold())
			r.must(err)
			r.equal("claimed", c.Job.ID, reel.JobID("3"))
			r.equal("twin", r.job(batch, "2").Reason, reel.ReasonDuplicate)
			r.equal("attempts of the twin", r.job(batch, "2").Tally.Attempts, 0)
		}},
		{"a video that is not recognised at once has its intent later", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			who := bold()
			who.Recognise = func(reel.Job) (reel.Fingerprint, bool) { return reel.Fingerprint{}, false }
			c, _, err := r.Store.Claim(r.ctx, who)
			r.must(err)
			r.equal("intended", c.Intended, false)
			r.equal("state", r.job(batch, "1").State, reel.Running)
			r.intent(c)
		}},
		{"the end of the job before is recorded with the claim, and frees its account", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			first := r.claim(batch)
			r.intent(first)
			who := claimant(batch, 0)
			who.Done = &reel.Ended{Claim: first, Ending: r.posted(first)}
			next, _, err := r.Store.Claim(r.ctx, who)
			r.must(err)
			r.equal("next", next.Job.ID, reel.JobID("2"))
			r.equal("before", r.job(batch, "1").State, reel.Succeeded)
		}},
		{"the end of the job before is recorded although nothing is due", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			first := r.claim(batch)
			r.intent(first)
			who := claimant(batch, 0)
			who.Done = &reel.Ended{Claim: first, Ending: r.posted(first)}
			_, _, err := r.Store.Claim(r.ctx, who)
			r.wantErr(err, reel.ErrNothingDue)
			r.equal("before", r.job(batch, "1").State, reel.Succeeded)
		}},
		{"a claim whose job before is no longer its own changes nothing", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			first := r.claim(batch)
			r.fail(first, reel.Infrastructure)
			r.untouched("a late end with a claim", func() {
				who := claimant(batch, 0)
				who.Done = &reel.Ended{Claim: first, Ending: r.posted(first)}
				_, _, err := r.Store.Claim(r.ctx, who)
				r.wantErr(err, reel.ErrLost)
			})
		}},
		{"whoever settles for a dead one is refused when its last word was another state", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.intent(c) // after the sweeper has looked
			r.untouched("an end on old sight", func() {
				e := r.failing(c, reel.Infrastructure, false)
				e.From = reel.Running
				_, err := r.Store.Record(r.ctx, c, e)
				r.wantErr(err, reel.ErrLost)
			})
		}},
	}
}
