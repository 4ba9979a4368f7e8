package ledgertest

import (
	"fmt"
	"sync"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

func readCases() []testCase {
	return []testCase{
		{"the latest batch is the one imported to or run last", func(r *room) {
			_, err := r.Store.Latest(r.ctx)
			r.wantErr(err, reel.ErrNotFound)
			r.add("first", "1@a")
			r.later(1e9)
			r.add("second", "1@b")
			r.later(1e9)
			latest := func(want string) {
				r.Helper()
				got, err := r.Store.Latest(r.ctx)
				r.must(err)
				r.equal("latest", got, want)
			}
			latest("second")
			r.lead("first")
			latest("first")
			all, err := r.Store.Batches(r.ctx)
			r.must(err)
			r.equal("batches", []string{all[0].Name, all[1].Name}, []string{"first", "second"})
		}},
		{"the phase says what a batch is doing", func(r *room) {
			phase := func(want reel.Phase) { r.Helper(); r.equal("phase", r.status(batch).Phase, want) }
			r.add(batch, "1@a")
			phase(reel.PhaseIdle)
			r.start(batch)
			phase(reel.PhaseRunning)
			r.later(reel.LeaseTTL)
			phase(reel.PhaseInterrupted) // its leader has fallen silent
			_, err := r.Store.Renew(r.ctx, sup(0).ID)
			r.must(err)
			phase(reel.PhaseRunning)
			r.fail(r.claim(batch), reel.Infrastructure)
			_, err = r.advance(batch)
			r.must(err)
			phase(reel.PhaseWaiting)
			r.must(r.Store.Pause(r.ctx, batch, true, "me"))
			phase(reel.PhasePaused)
			_, err = r.Store.Status(r.ctx, "none")
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"jobs are chosen by state, reason and account", func(r *room) {
			r.add(batch, "1@a", "2@a", "3@b", "4@c", "5@d")
			r.start(batch)
			r.fail(r.claim(batch), reel.Account)
			r.fail(r.claim(batch), reel.Content)
			r.publish(r.claim(batch))
			for want, f := range map[string]ledger.Filter{
				"12345": {},
				"123":   {States: []reel.State{reel.SetAside}},
				"1234":  {States: []reel.State{reel.SetAside, reel.Succeeded}},
				"2":     {Reason: reel.ReasonAccountHold},
				"12":    {Account: "a"},
				"1":     {Account: "a", States: []reel.State{reel.SetAside}, Reason: reel.ReasonAccount},
				"5":     {States: []reel.State{reel.Pending}},
				"":      {States: []reel.State{"nonsense' OR 1=1 --"}},
			} {
				got := ""
				for j, err := range r.Store.Jobs(r.ctx, batch, f) {
					r.must(err)
					got += string(j.ID)
				}
				r.equal("chosen", got, want)
			}
			for range r.Store.Jobs(r.ctx, "none", ledger.Filter{}) {
				r.Error("a job of no batch")
			}
		}},
		{"a story has the job's attempts and events in order", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			r.next(batch)
			r.publish(r.claim(batch))
			st, err := r.Store.Story(r.ctx, batch, "1")
			r.must(err)
			var kinds []reel.EventKind
			for _, e := range st.Events {
				kinds = append(kinds, e.Kind)
				r.equal("job", e.Job, "1")
			}
			r.equal("events", kinds, []reel.EventKind{reel.EventClaimed, reel.EventFailed, reel.EventClaimed, reel.EventIntent, reel.EventSucceeded})
			r.equal("attempts", []int{len(st.Attempts), st.Attempts[0].Pass, st.Attempts[1].Pass}, []int{2, 1, 2})
			r.equal("limits", st.Limits, r.limits)
			_, err = r.Store.Story(r.ctx, batch, "none")
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"jobs come in pages, chosen by any filter", func(r *room) {
			r.add("other", "0@z")
			r.add(batch, "1@a", "2@a", "3@b", "4@c", "5@d")
			r.start(batch)
			r.fail(r.claim(batch), reel.Account)
			r.fail(r.claim(batch), reel.Content)
			r.publish(r.claim(batch))
			for want, f := range map[string]ledger.Filter{
				"12345": {},
				"123":   {States: []reel.State{reel.SetAside}},
				"12":    {Account: "a"},
				"1":     {Category: reel.Account},
				"3":     {Category: reel.Content},
				"13":    {Pass: 1, States: []reel.State{reel.SetAside}},
				"5":     {Words: "/V/5.MP4"},
				"4":     {Words: "c", States: []reel.State{reel.Succeeded}},
				"":      {Words: "%"},
			} {
				all := ""
				for j, err := range r.Store.Jobs(r.ctx, batch, f) {
					r.must(err)
					all += string(j.ID)
				}
				for _, most := range []int{1, 3, 50} {
					got := ""
					for place, first := int64(0), true; first || place != 0; first = false {
						page, err := r.Store.Page(r.ctx, batch, f, place, most)
						r.must(err)
						if len(page.Jobs) > most {
							r.Errorf("%d jobs on a page of %d", len(page.Jobs), most)
						}
						for _, j := range page.Jobs {
							got += string(j.ID)
						}
						place = page.Next
					}
					r.equal(fmt.Sprintf("pages of %d for %+v", most, f), got, all)
				}
				r.equal(fmt.Sprintf("chosen by %+v", f), all, want)
			}
			_, err := r.Store.Page(r.ctx, "none", ledger.Filter{}, 0, 50)
			r.wantErr(err, reel.ErrNotFound)
		}},
		{"the journal is read on from any place", func(r *room) {
			r.add(batch, "1@a", "2@b")
			r.start(batch)
			r.fail(r.claim(batch), reel.Infrastructure)
			r.publish(r.claim(batch))
			whole := r.Journal(r.T)
			head, err := r.Store.Head(r.ctx)
			r.must(err)
			r.equal("head", head, whole[len(whole)-1].Seq)
			var got []reel.Event
			for after := int64(0); after < head; after = got[len(got)-1].Seq {
				part, err := r.Store.Journal(r.ctx, after, 2)
				r.must(err)
				if len(part) == 0 || len(part) > 2 {
					r.Fatalf("%d events after %d", len(part), after)
				}
				got = append(got, part...)
			}
			for i := range whole {
				r.equal("event", []any{got[i].Seq, got[i].Kind, got[i].At.UTC(), got[i].Job}, []any{whole[i].Seq, whole[i].Kind, whole[i].At.UTC(), whole[i].Job})
			}
			none, err := r.Store.Journal(r.ctx, head, 9)
			r.must(err)
			r.equal("after the end", len(none), 0)
		}},
		{"a status read during changes adds up", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@e", "6@f", "7@g", "8@h")
			r.start(batch)
			var all sync.WaitGroup
			all.Go(func() {
				for range 8 {
					c := r.claim(batch)
					r.publish(c)
				}
			})
			for range 50 {
				st := r.status(batch)
				t, sum := st.Totals, 0
				for _, s := range reel.States() {
					sum += t.Of(s)
				}
				if sum != t.Jobs || st.Passes[0].Processed != t.Attempts || st.Passes[0].Succeeded != t.Succeeded {
					r.Errorf("%+v", st)
				}
			}
			all.Wait()
		}},
		{"a reader that stops half-way is in nobody's way", func(r *room) {
			r.add(batch, "1@a", "2@b", "3@c")
			r.start(batch)
			for range r.Store.Jobs(r.ctx, batch, ledger.Filter{}) {
				r.publish(r.claim(batch)) // written while the rows are being read
				break
			}
			r.publish(r.claim(batch))
		}},
		{"texts of any kind come back as they were", func(r *room) { // but NUL, which no room lets in
			p := post("1@a")
			p.Caption = "zwei\nZeilen, \"quotes\", ümläüt, 🎬, \x01 and '; DROP TABLE job; --"
			p.Account = "ä'\"🎬"
			_, err := r.load(batch, p)
			r.must(err)
			r.start(batch)
			c := r.claim(batch)
			r.equal("caption", c.Job.Caption, p.Caption)
			e := r.failing(c, reel.Unknown, false)
			e.Attempt.Evidence.Text = p.Caption
			e.Attempt.Evidence.Note = "<b>&\u2028"
			r.record(c, e)
			st, err := r.Store.Story(r.ctx, batch, "1")
			r.must(err)
			r.equal("evidence", st.Attempts[0].Evidence, e.Attempt.Evidence)
			r.equal("account", st.Record.Account, p.Account)
		}},
	}
}
