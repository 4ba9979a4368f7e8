package overview_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// That the journal adds up to the jobs, for each way of a job and for random histories, is held by the suite of the ledger
// (ledgertest, addsUp). Here stands what only an overview tells.

var night = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

func sign(e reel.Evidence, v reel.Verdict, _ ...string) string {
	return string(v.Category) + " " + e.Text
}

func failed(seq int64, at time.Duration, job, account, text string, to reel.State) reel.Event {
	return reel.Event{
		Seq: seq, At: night.Add(at), Kind: reel.EventFailed, Batch: "b", Job: reel.JobID(job), Account: account, Pass: 1, Attempt: 1,
		Evidence: &reel.Evidence{Text: text}, Verdict: &reel.Verdict{Category: reel.Infrastructure}, Decision: &reel.Decision{State: to},
	}
}

func event(seq int64, at time.Duration, kind reel.EventKind, job string) reel.Event {
	return reel.Event{Seq: seq, At: night.Add(at), Kind: kind, Batch: "b", Job: reel.JobID(job), Account: "a" + job}
}

func TestCausesSayWhatBecameOfTheJobs(t *testing.T) {
	o := overview.New(sign)
	imported := event(1, 0, reel.EventImported, "")
	imported.Count, imported.Account = 3, ""
	seq := int64(1)
	add := func(e reel.Event) { seq++; e.Seq = seq; o.Add(e) }
	o.Add(imported)
	for _, job := range []string{"1", "2", "3"} {
		add(event(0, time.Minute, reel.EventClaimed, job))
		add(failed(0, 2*time.Minute, job, "a"+job, "offline", reel.Failed))
	}
	add(event(0, 3*time.Minute, reel.EventClaimed, "1"))
	add(event(0, 4*time.Minute, reel.EventSucceeded, "1"))
	add(event(0, 3*time.Minute, reel.EventClaimed, "2"))
	add(failed(0, 5*time.Minute, "2", "a2", "another", reel.Exhausted))
	causes := o.Causes("b")
	if len(causes) != 2 || causes[0].Signature != "infrastructure another" && causes[0].Signature != "infrastructure offline" {
		t.Fatalf("%+v", causes)
	}
	for _, c := range causes {
		got := fmt.Sprint(c.Jobs, c.Accounts, c.Attempts, c.Recovered(), c.By[overview.ToDo], c.By[overview.NotPosted])
		want := map[string]string{"infrastructure offline": "3 3 3 1 1 1", "infrastructure another": "1 1 1 0 0 1"}[c.Signature]
		if got != want {
			t.Errorf("%s: %s, want %s", c.Signature, got, want)
		}
	}
	if p := o.Pace("b", night.Add(5*time.Minute)); p.Counts != (overview.Counts{1, 0, 1, 1, 0}) || p.Minute[58] != 1 {
		t.Errorf("%+v", p)
	}
	if a := o.Accounts(); len(a) != 3 || fmt.Sprint(a[0].Last) != "[to do posted]" || !a[0].LastPost.Equal(night.Add(4*time.Minute)) {
		t.Errorf("%+v", a)
	}
	if o.Seq() != seq {
		t.Errorf("seq %d, want %d", o.Seq(), seq)
	}
}

func TestTheTimeLeftIsNotGuessedFromFew(t *testing.T) {
	o := overview.New(sign)
	o.Add(reel.Event{Seq: 1, At: night, Kind: reel.EventRunStarted, Batch: "b", Workers: 4, Totals: &reel.Totals{Jobs: 100, Pending: 100}})
	for i := range 20 {
		if _, _, ok := o.Pace("b", night).Left(80, 0); ok {
			t.Fatalf("guessed from %d attempts", i)
		}
		job := fmt.Sprint(i)
		at := time.Duration(i) * time.Minute
		o.Add(event(0, at, reel.EventClaimed, job))
		o.Add(event(0, at+time.Duration(10+i)*time.Second, reel.EventSucceeded, job))
	}
	from, to, ok := o.Pace("b", night).Left(80, 30*time.Second)
	if !ok || from != 20*15*time.Second+30*time.Second || to != 20*25*time.Second+30*time.Second {
		t.Errorf("%v to %v, %v", from, to, ok)
	}
}

// A series stays small for a batch of any length, and its last point is how the jobs stand.
func TestASeriesStaysSmall(t *testing.T) {
	o := overview.New(sign)
	o.Add(reel.Event{Seq: 1, At: night, Kind: reel.EventImported, Batch: "b", Count: 100_000})
	for i := range 100_000 {
		o.Add(event(int64(i), time.Duration(i)*time.Second, reel.EventClaimed, fmt.Sprint(i)))
		o.Add(event(int64(i), time.Duration(i)*time.Second, reel.EventSucceeded, fmt.Sprint(i)))
	}
	p := o.Pace("b", night.Add(100_000*time.Second))
	if len(p.Series) > 240 || p.Series[len(p.Series)-1].Counts != p.Counts || p.Counts[overview.Posted] != 100_000 {
		t.Errorf("%d points, %v", len(p.Series), p.Counts)
	}
	for i := 1; i < len(p.Series); i++ {
		if !p.Series[i].At.After(p.Series[i-1].At) || p.Series[i].Counts[overview.Posted] < p.Series[i-1].Counts[overview.Posted] {
			t.Fatalf("point %d goes back: %v after %v", i, p.Series[i], p.Series[i-1])
		}
	}
}

func TestPhonesAndLosses(t *testing.T) {
	o := overview.New(sign)
	kept := event(1, 0, reel.EventKept, "1")
	kept.Text = `phone {"id":"p"}`
	o.Add(kept)
	lost := failed(2, 90*time.Second, "1", "a1", "", reel.Failed)
	lost.Evidence.Code = reel.CodeWorkerLost
	o.Add(lost)
	if o.PhoneTime() != 90*time.Second || o.Losses() != 1 {
		t.Errorf("%v %d", o.PhoneTime(), o.Losses())
	}
}

// The end of the passes names no job: it ends those that failed, not one that a person gave back meanwhile, and only those come again.
func TestTheEndOfThePassesTakesWhatFailed(t *testing.T) {
	for range 20 { // the order of a map is chance
		o := overview.New(sign)
		seq := int64(0)
		add := func(e reel.Event) { seq++; e.Seq = seq; o.Add(e) }
		stand := func(what string, want map[string]overview.Group) {
			t.Helper()
			for _, c := range o.Causes("b") {
				var counts overview.Counts
				for _, job := range o.Of("b", c.ID) {
					counts[want[string(job)]]++
				}
				if c.By != counts {
					t.Fatalf("%s: those of %s stand at %v, want %v", what, c.Signature, c.By, counts)
				}
			}
		}
		add(reel.Event{At: night, Kind: reel.EventImported, Batch: "b", Count: 4, Totals: &reel.Totals{Jobs: 4, Pending: 4}})
		for _, job := range []string{"failed", "released", "aside", "released too"} {
			to := reel.Failed
			if job == "aside" {
				to = reel.SetAside
			}
			add(event(0, time.Minute, reel.EventClaimed, job))
			add(failed(0, 2*time.Minute, job, "a"+job, job, to))
		}
		for _, job := range []string{"released", "released too"} {
			held := event(0, 3*time.Minute, reel.EventHeldBack, "")
			held.Account, held.Count = "a"+job, 1
			add(held)
			back := event(0, 4*time.Minute, reel.EventRetried, job)
			back.Text = "account released"
			add(back)
		}
		out := event(0, 5*time.Minute, reel.EventOutOfPasses, "")
		out.Count, out.Account = 1, ""
		add(out)
		want := map[string]overview.Group{"failed": overview.NotPosted, "released": overview.ToDo, "aside": overview.NotPosted, "released too": overview.ToDo}
		stand("the last pass ended", want)
		add(reel.Event{At: night, Kind: reel.EventRunStarted, Batch: "b", Totals: &reel.Totals{Jobs: 4, Pending: 2, Failed: 1, SetAside: 1}})
		want["failed"] = overview.ToDo
		stand("a new run", want)
	}
}

// New verdicts move attempts to the cause that they make, one by one: the old cause goes with its last, and times and jobs go along.
func TestANewVerdictMovesItsCause(t *testing.T) {
	o := overview.New(sign)
	seq := int64(0)
	add := func(e reel.Event) { seq++; e.Seq = seq; o.Add(e) }
	again := func(job string, to reel.Category, moved reel.State) {
		e := failed(0, time.Hour, job, "a"+job, "offline", moved)
		e.Kind, e.Was, e.Verdict = reel.EventRejudged, &reel.Verdict{Category: reel.Infrastructure}, &reel.Verdict{Category: to}
		if moved == "" {
			e.Decision = nil
		}
		add(e)
	}
	said := func(want ...string) {
		t.Helper()
		var got []string
		for _, c := range o.Causes("b") {
			got = append(got, fmt.Sprint(c.Signature, c.Attempts, c.Jobs, c.Accounts, c.Passes, c.By, c.First.Sub(night), c.Last.Sub(night)))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	add(reel.Event{At: night, Kind: reel.EventImported, Batch: "b", Count: 3})
	for i, job := range []string{"1", "2", "2"} {
		add(event(0, time.Minute, reel.EventClaimed, job))
		add(failed(0, time.Duration(i+2)*time.Minute, job, "a"+job, "offline", reel.Failed))
	}
	said("infrastructure offline3 2 2 map[1:3] [0 0 2 0 0] 2m0s 4m0s")
	again("2", reel.Content, "")
	said("content offline1 1 1 map[1:1] [0 0 1 0 0] 2m0s 4m0s", "infrastructure offline2 2 2 map[1:2] [0 0 2 0 0] 2m0s 4m0s")
	again("2", reel.Content, reel.SetAside)
	said("content offline2 1 1 map[1:2] [0 0 0 1 0] 2m0s 4m0s", "infrastructure offline1 1 1 map[1:1] [0 0 1 0 0] 2m0s 4m0s")
	again("1", reel.Content, "")
	said("content offline3 2 2 map[1:3] [0 0 1 1 0] 2m0s 4m0s")
	if p := o.Pace("b", night); p.Counts != (overview.Counts{0, 0, 2, 1, 0}) {
		t.Errorf("%v", p.Counts)
	}
}
