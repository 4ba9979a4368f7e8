package ledgertest

import (
	"errors"

	"reelpass/internal/reel"
)

func restoreCases() []testCase {
	return []testCase{
		{"an old copy: whatever may have been posted since is in doubt, and nothing else", func(r *room) {
			everyState(r)
			r.untouched("while somebody runs", func() {
				_, err := r.Store.Restored(r.ctx, "me")
				r.wantErr(err, reel.ErrRefused)
			})
			r.later(2 * reel.LeaseTTL) // the copy is old
			late := reel.Claim{Lease: reel.Lease{Key: 7, Fence: 1}, Job: r.job(batch, "6").Job, Batch: batch, Pass: 1, Attempt: 1}
			n, err := r.Store.Restored(r.ctx, "me")
			r.must(err)
			r.equal("doubted", n, 4)
			for _, id := range []reel.JobID{"2", "3", "6", "7", "9"} {
				r.is(batch, id, reel.InDoubt, "")
			}
			r.is(batch, "1", reel.Succeeded, "")
			r.is(batch, "4", reel.SetAside, reel.ReasonAccount)
			r.is(batch, "5", reel.SetAside, reel.ReasonAccountHold)
			r.is(batch, "8", reel.Exhausted, reel.ReasonUnknownLimit)
			_, err = r.Store.Record(r.ctx, late, r.posted(late))
			r.wantErr(err, reel.ErrLost)
			n, err = r.Store.Restored(r.ctx, "me")
			r.must(err)
			r.equal("again", n, 0)
		}},
		{"an old copy: a run looks each of them up, and posts what is not there", func(r *room) {
			r.look = true
			r.limits.MaxAttempts = 1 // what may have been is no attempt of ours, and costs none
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			r.claim(batch)
			r.later(2 * reel.LeaseTTL)
			_, err := r.Store.Restored(r.ctx, "me")
			r.must(err)
			r.lead(batch)
			for _, finding := range []reel.Finding{reel.Found, reel.Absent, reel.Unsure} {
				c := r.claim(batch)
				if c.Fence < 1_000_000 {
					r.Errorf("fence %d may have been given after the copy was made", c.Fence)
				}
				if !c.Lookup || c.Doubt.StartedAt.After(r.now().Add(-reel.LeaseTTL)) {
					r.Errorf("%+v: a look that begins too late", c)
				}
				_, err := r.Store.RecordLook(r.ctx, c, reel.Look{Finding: finding}, r.absent(c))
				r.must(err)
			}
			r.is(batch, "1", reel.Succeeded, "")
			r.is(batch, "2", reel.Failed, "")
			r.is(batch, "3", reel.InDoubt, "")
			r.next(batch)
			again := r.claim(batch) // the look that could not tell
			r.equal("looked up again", []any{again.Job.ID, again.Lookup}, []any{"3", true})
			_, err = r.Store.RecordLook(r.ctx, again, reel.Look{Finding: reel.Unsure}, reel.Decision{})
			r.must(err)
			c := r.claim(batch)
			r.equal("tried", []any{c.Job.ID, c.Lookup}, []any{"2", false})
			r.publish(c)
		}},
		{"an old copy: a video that may be there is refused under another name", func(r *room) {
			r.add(batch, "1@a")
			_, err := r.Store.Restored(r.ctx, "me")
			r.must(err)
			again := post("2@a")
			again.VideoPath = "/v/1.mp4"
			_, err = r.load(batch, again)
			r.must(err)
			r.start(batch)
			c := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, r.fp(c), false)
			if !errors.Is(err, reel.ErrDuplicate) {
				r.Error(err)
			}
		}},
	}
}
