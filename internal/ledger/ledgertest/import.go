package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

func importCases() []testCase {
	return []testCase{
		{"an import adds every row, pending, in file order", func(r *room) {
			rep := r.add(batch, "1@a", "2@b", "3@a")
			r.equal("report", rep, ledger.ImportReport{Batch: batch, Added: 3})
			r.equal("totals", r.status(batch).Totals, reel.Totals{Jobs: 3, Pending: 3})
			var ids []reel.JobID
			for j, err := range r.Store.Jobs(r.ctx, batch, ledger.Filter{}) {
				r.must(err)
				ids = append(ids, j.ID)
				r.equal("state", j.State, reel.Pending)
			}
			r.equal("order", ids, []reel.JobID{"1", "2", "3"})
		}},
		{"the same file twice adds nothing", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.publish(r.claim(batch))
			rep := r.add(batch, "1@a", "2@b")
			r.equal("report", rep, ledger.ImportReport{Batch: batch, Known: 2})
			r.is(batch, "1", reel.Succeeded, "")
		}},
		{"a job that was imported as new learns that an earlier orchestrator posted it, or may have", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c")
			posted, doubt := post("1@a"), post("2@b")
			posted.Past = &reel.Past{State: reel.Succeeded, Tally: reel.Tally{Attempts: 1}}
			doubt.Past = &reel.Past{State: reel.InDoubt, Tally: reel.Tally{Attempts: 2}}
			rep, err := r.load(batch, posted, doubt)
			r.must(err)
			r.equal("report", rep, ledger.ImportReport{Batch: batch, Known: 2})
			r.is(batch, "1", reel.Succeeded, "")
			r.is(batch, "2", reel.InDoubt, "")
			r.equal("totals", r.status(batch).Totals, reel.Totals{Jobs: 3, Pending: 1, Succeeded: 1, InDoubt: 1, Attempts: 3})
			r.start(batch)
			r.equal("claimed", r.order(batch), "3")
		}},
		{"another caption is told and not taken", func(r *room) {
			r.add(batch, "1@a")
			p := post("1@a")
			p.Caption = "another"
			rep, err := r.load(batch, p)
			r.must(err)
			r.equal("report", rep, ledger.ImportReport{Batch: batch, Known: 1, Recaption: 1})
			r.equal("caption", r.job(batch, "1").Caption, "caption of 1")
		}},
		{"a job_id with another account or video is a conflict, and nothing is imported", func(r *room) {
			r.add(batch, "1@a")
			moved := post("1@a")
			moved.VideoPath = "/v/other.mp4"
			for column, row := range map[string]reel.Post{"account": post("1@b"), "video_path": moved} {
				r.untouched("a conflict", func() {
					_, err := r.load(batch, post("new@new"), row, post("new2@new2"))
					var bad *ledger.ImportError
					var conflict *ledger.ConflictError
					if !errors.As(err, &bad) || len(bad.Problems) != 1 || !errors.As(bad.Problems[0], &conflict) {
						r.Fatalf("got %v, want one conflict", err)
					}
					r.equal("conflict", conflict.Column, column)
					r.equal("line", conflict.Line, 3)
				})
			}
		}},
		{"a bad row anywhere and nothing is imported, not even the batch", func(r *room) {
			r.untouched("a bad file", func() {
				runs := 0
				_, err := r.Store.Import(r.ctx, batch, func(yield func(reel.Post, error) bool) {
					runs++
					_ = yield(post("1@a"), nil) && yield(reel.Post{}, errors.New("line 3: bad")) && yield(post("2@a"), nil) &&
						yield(reel.Post{}, errors.New("line 5: bad"))
				})
				var bad *ledger.ImportError
				if !errors.As(err, &bad) || len(bad.Problems) != 2 || bad.More {
					r.Fatalf("got %v, want two problems", err)
				}
				r.equal("times that the rows were read", runs, 1)
			})
			_, err := r.Store.Status(r.ctx, batch)
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"a file that is all wrong is left after twenty problems", func(r *room) {
			read := 0
			_, err := r.Store.Import(r.ctx, batch, func(yield func(reel.Post, error) bool) {
				for read = 1; read <= 1000; read++ {
					if !yield(reel.Post{}, fmt.Errorf("line %d", read)) {
						return
					}
				}
			})
			var bad *ledger.ImportError
			if !errors.As(err, &bad) || len(bad.Problems) != 20 || !bad.More {
				r.Fatalf("got %v", err)
			}
			r.equal("rows read", read, 20)
		}},
		{"a cancelled import leaves nothing", func(r *room) {
			ctx, cancel := context.WithCancel(r.ctx)
			r.untouched("a cancelled import", func() {
				_, err := r.Store.Import(ctx, batch, func(yield func(reel.Post, error) bool) {
					for i := range 100 {
						if i == 50 {
							cancel()
						}
						if !yield(post(fmt.Sprintf("%d@a", i)), nil) {
							return
						}
					}
				})
				r.wantErr(err, context.Canceled)
			})
		}},
		{"rows that come during a pass join the next one", func(r *room) {
			r.add(batch, "1@a")
			r.start(batch)
			r.add(batch, "2@b")
			r.publish(r.claim(batch))
			r.nothing(batch)
			n, _ := r.next(batch)
			r.equal("pass", n, 2)
			r.equal("claimed", r.claim(batch).Job.ID, "2")
		}},
		{"states of the earlier orchestrator's files are kept", pastStates},
		{"a posted row of an earlier file guards its video under any job_id", func(r *room) {
			p := post("old@a")
			p.Past = &reel.Past{State: reel.Succeeded, Tally: reel.Tally{Attempts: 1}, ClaimedAt: r.now(), CompletedAt: r.now()}
			_, err := r.load("old", p)
			r.must(err)
			again := post("new@a")
			again.VideoPath = p.VideoPath
			_, err = r.load(batch, again)
			r.must(err)
			r.start(batch)
			c := r.claim(batch)
			_, err = r.Store.Intent(r.ctx, c, byHash("sha256:1", c.Job.VideoPath), false)
			r.wantErr(err, reel.ErrDuplicate)
		}},
		{"a big file is streamed: memory stays flat", streamed},
	}
}

func pastStates(r *room) {
	at := r.now().Add(-time.Hour)
	rows := []reel.Post{
		past("new@a", reel.Past{State: reel.Pending}),
		past("tried@b", reel.Past{
			State: reel.Failed, Tally: reel.Tally{Attempts: 2, Infrastructure: 2}, Evidence: reel.Evidence{Text: "device offline"},
			Verdict: verdict(reel.Infrastructure), Worker: 3, ClaimedAt: at, CompletedAt: at,
		}),
		past("done@c", reel.Past{State: reel.Succeeded, Tally: reel.Tally{Attempts: 1}, ClaimedAt: at, CompletedAt: at}),
		past("broken@d", reel.Past{
			State: reel.SetAside, Reason: reel.ReasonAccount, Tally: reel.Tally{Attempts: 1, Account: 1}, Evidence: reel.Evidence{Text: "log in"},
			Verdict: verdict(reel.Account), ClaimedAt: at, CompletedAt: at, Hold: true,
		}),
		past("doubt@e", reel.Past{State: reel.InDoubt, Tally: reel.Tally{Attempts: 1}, ClaimedAt: at}),
		past("other@d", reel.Past{State: reel.Pending}),
	}
	_, err := r.load(batch, rows...)
	r.must(err)
	r.equal("totals", r.status(batch).Totals, reel.Totals{Jobs: 6, Pending: 2, Failed: 1, Succeeded: 1, SetAside: 1, InDoubt: 1, Attempts: 5})
	j := r.job(batch, "tried")
	r.equal("tally", j.Tally, reel.Tally{Attempts: 2, Infrastructure: 2})
	r.equal("error", j.Error, "device offline")
	r.equal("worker", j.Worker, 3)
	holds, err := r.Store.Holds(r.ctx, false)
	r.must(err)
	if len(holds) != 1 || holds[0].Account != "d" || holds[0].Job != "broken" {
		r.Errorf("holds: %+v", holds)
	}
	r.start(batch)
	r.is(batch, "other", reel.SetAside, reel.ReasonAccountHold)
	c := r.claim(batch)
	r.equal("first", c.Job.ID, "new")
	c = r.claimAs(1, batch)
	r.equal("second", c.Job.ID, "tried")
	r.equal("attempt", c.Attempt, 3)
	r.fail(c, reel.Infrastructure) // the third, and the limit is three
	r.is(batch, "tried", reel.Exhausted, reel.ReasonInfraLimit)
	r.nothing(batch)
}

func past(spec string, p reel.Past) reel.Post {
	row := post(spec)
	row.Past = &p
	return row
}

func streamed(r *room) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start, most := heap(), uint64(0)
	_, err := r.Store.Import(r.ctx, batch, func(yield func(reel.Post, error) bool) {
		for i := range n {
			if i%(n/4) == n/8 {
				most = max(most, heap())
			}
			if !yield(post(fmt.Sprintf("%d@acc%d", i, i%1000)), nil) {
				return
			}
		}
	})
	r.must(err)
	r.equal("jobs", r.status(batch).Totals, reel.Totals{Jobs: n, Pending: n})
	if most > start+8<<20 {
		r.Errorf("the heap grew by %d KiB during an import of %d rows", (most-start)>>10, n)
	}
	r.start(batch)
	r.equal("first", r.claim(batch).Job.ID, "0")
	r.big = true
}
