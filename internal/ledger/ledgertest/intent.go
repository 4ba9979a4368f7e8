package ledgertest

import (
	"strings"
	"time"

	"reelpass/internal/reel"
)

func intentCases() []testCase {
	return []testCase{
		{"the intent needs the current fence", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			old := r.claim(batch)
			r.fail(old, reel.Infrastructure)
			r.next(batch)
			c := r.claim(batch)
			r.untouched("a late intent", func() {
				_, err := r.Store.Intent(r.ctx, old, r.fp(old), false)
				r.wantErr(err, reel.ErrLost)
			})
			r.intent(c)
			r.untouched("a second intent", func() {
				_, err := r.Store.Intent(r.ctx, c, r.fp(c), false)
				r.wantErr(err, reel.ErrLost)
			})
		}},
		{"what a job shared last is known by name, and nothing else is", func(r *room) {
			r.add(batch, "1@a", "2@a")
			r.start(batch)
			shared := func(id reel.JobID) string {
				name, err := r.Store.Shared(r.ctx, batch, id)
				r.must(err)
				return name
			}
			c := r.claim(batch)
			r.equal("before", shared(c.Job.ID), "")
			r.intent(c)
			r.equal("after", []string{shared("1"), shared("2"), shared("none")}, []string{r.fp(c).Key, "", ""})
		}},
		{"the intent needs a lease that has not expired", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.later(reel.LeaseTTL)
			r.untouched("an intent under an expired lease", func() {
				_, err := r.Store.Intent(r.ctx, c, r.fp(c), false)
				r.wantErr(err, reel.ErrLost)
			})
			_, err := r.Store.Renew(r.ctx, sup(0).ID)
			r.must(err)
			r.intent(c) // nobody had settled it
		}},
		{"the intent renews the lease", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.later(reel.LeaseTTL - time.Second)
			r.intent(c)
			held, err := r.Store.Held(r.ctx, sup(1).ID)
			r.must(err)
			r.equal("until", held[0].Until, r.now().Add(reel.LeaseTTL))
		}},
		{"the same bytes are refused on the same account, across batches, and the job is set aside", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.add("c", "other@a")
			r.start(batch)
			r.start("c")
			first := r.claim(batch)
			_, err := r.Store.Intent(r.ctx, first, byHash("sha256:x", first.Job.VideoPath), false)
			r.must(err)
			r.record(first, r.posted(first))
			second := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, second, byHash("sha256:x", second.Job.VideoPath), false)
			r.must(err) // another account may have the same video
			third := r.claim("c")
			events, err := r.Store.Intent(r.ctx, third, byHash("sha256:x", third.Job.VideoPath), false)
			r.wantErr(err, reel.ErrDuplicate)
			r.is("c", "other", reel.SetAside, reel.ReasonDuplicate)
			if len(events) != 1 || events[0].Kind != reel.EventDuplicate || !strings.Contains(events[0].Text, "was published") ||
				!strings.Contains(events[0].Text, "job 1 of batch b") {
				r.Errorf("events: %+v", events)
			}
			r.untouched("the end of a refused job", func() {
				_, err := r.Store.Record(r.ctx, third, r.failing(third, reel.Unknown, false))
				r.wantErr(err, reel.ErrLost)
			})
			_, err = r.advance("c")
			r.must(err) // nothing is in flight there
		}},
		{"a duplicate is refused while the first is in flight or in doubt, and taken once the first is certainly absent", func(r *room) {
			r.add(batch, "1@a")
			r.add("c", "2@a")
			r.start(batch)
			c := r.claim(batch)
			_, err := r.Store.Intent(r.ctx, c, byHash("sha256:x", c.Job.VideoPath), false)
			r.must(err)
			r.record(c, r.failing(c, reel.Unknown, true))
			r.start("c")
			d := r.claim("c")
			events, err := r.Store.Intent(r.ctx, d, byHash("sha256:x", d.Job.VideoPath), false)
			r.wantErr(err, reel.ErrDuplicate)
			if !strings.Contains(events[0].Text, "may have been published") {
				r.Errorf("told %q", events[0].Text)
			}
			_, err = r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Absent, By: "me"}, func(h reel.Held) reel.Decision { return r.absent(h.Claim) })
			r.must(err)
			_, err = r.Store.Retry(r.ctx, "c", "2", "me")
			r.must(err)
			r.start("c")
			d = r.claim("c")
			_, err = r.Store.Intent(r.ctx, d, byHash("sha256:x", d.Job.VideoPath), false)
			r.must(err)
		}},
		{"an allowed repost is posted, and the first still guards", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@a")
			r.start(batch)
			same := byHash("sha256:x", "/v/x.mp4")
			c := r.claim(batch)
			_, err := r.Store.Intent(r.ctx, c, same, false)
			r.must(err)
			r.record(c, r.posted(c))
			c = r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, same, true)
			r.must(err)
			r.record(c, r.posted(c))
			c = r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, same, false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"a video with a very long address is known again", func(r *room) {
			long := make([]byte, 4000)
			for i := range long { // nothing that could be packed
				long[i] = byte('!' + (i*i*31+i*17+i/7)%90)
			}
			for _, id := range []string{"1@a", "2@a"} {
				p := post(id)
				p.VideoPath = "https://example.org/" + string(long)
				_, err := r.load(batch, p)
				r.must(err)
			}
			r.start(batch)
			c := r.claim(batch)
			_, err := r.Store.Intent(r.ctx, c, reel.FingerprintOfPath(c.Job.VideoPath), false)
			r.must(err)
			r.record(c, r.posted(c))
			c = r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, reel.FingerprintOfPath(c.Job.VideoPath), false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"a repost guards by itself when the first turns out absent", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@a")
			r.start(batch)
			same := byHash("sha256:x", "/v/x.mp4")
			c := r.claim(batch)
			_, err := r.Store.Intent(r.ctx, c, same, false)
			r.must(err)
			r.record(c, r.failing(c, reel.Unknown, true))
			c = r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, same, true)
			r.must(err)
			r.record(c, r.posted(c))
			_, err = r.Store.Resolve(r.ctx, batch, "1", reel.Look{Finding: reel.Absent}, func(h reel.Held) reel.Decision { return r.absent(h.Claim) })
			r.must(err)
			c = r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, same, false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"a failure that is certain frees the video for the next try of the same job", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.intent(c)
			r.fail(c, reel.Infrastructure) // after the go, and certainly not shared
			r.is(batch, "1", reel.Failed, "")
			r.next(batch)
			r.publish(r.claim(batch))
			r.is(batch, "1", reel.Succeeded, "")
		}},
		{"no success without an intent", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			r.untouched("a post without an intent", func() {
				_, err := r.Store.Record(r.ctx, c, r.posted(c))
				r.wantErr(err, reel.ErrRefused)
			})
		}},
		{"a worker that shared without asking leaves a doubt that guards its video", func(r *room) {
			r.add(batch, "1@a")
			again := post("2@a")
			again.VideoPath = "/v/1.mp4"
			_, err := r.load(batch, again)
			r.must(err)
			r.start(batch)
			c := r.claim(batch)
			r.record(c, r.failing(c, reel.Infrastructure, true))
			r.is(batch, "1", reel.InDoubt, "")
			d := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, d, byHash("sha256:x", d.Job.VideoPath), false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"a transition that no job makes is refused", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			c := r.claim(batch)
			for _, to := range []reel.State{reel.Pending, reel.Running, reel.OutOfPasses, reel.Cancelled, "nonsense", ""} {
				e := r.failing(c, reel.Unknown, false)
				e.Decision = reel.Decision{State: to}
				r.untouched("an impossible end", func() {
					_, err := r.Store.Record(r.ctx, c, e)
					r.wantErr(err, reel.ErrRefused)
				})
			}
		}},
	}
}
