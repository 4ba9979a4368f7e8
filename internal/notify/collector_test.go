package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/notify"
	"reelpass/internal/reel"
)

var began = time.Date(2026, 11, 2, 22, 0, 0, 0, time.UTC)

func all() notify.Options {
	return notify.Options{Kinds: notify.Kinds(), Throttle: 5 * time.Minute, Stalled: 15 * time.Minute}
}

// told is the kind that an event counts for; empty for one that nobody is told of.
func told(e reel.Event) notify.Kind {
	if e.By != "" {
		return ""
	}
	switch e.Kind {
	case reel.EventPassClosed:
		return notify.PassEnded
	case reel.EventFinished, reel.EventInterrupted:
		return notify.BatchEnded
	case reel.EventBreakerOpen:
		if e.Outage.Probes == 0 {
			return notify.BreakerOpened
		}
	case reel.EventHold:
		if e.Until.IsZero() {
			return notify.AccountHeld
		}
	case reel.EventInDoubt:
		return notify.JobInDoubt
	}
	return ""
}

func drawEvent(t *rapid.T, seq int64, at time.Time) reel.Event {
	e := reel.Event{
		Seq: seq, At: at, Batch: rapid.SampledFrom([]string{"launch", "autumn", "a b"}).Draw(t, "batch"),
		Kind: rapid.SampledFrom([]reel.EventKind{
			reel.EventRunStarted, reel.EventPassOpened, reel.EventClaimed, reel.EventSucceeded, reel.EventFailed, reel.EventPassClosed, reel.EventFinished,
			reel.EventInterrupted, reel.EventBreakerOpen, reel.EventBreakerShut, reel.EventHold, reel.EventInDoubt, reel.EventLooked, reel.EventPaused, reel.EventResumed,
		}).Draw(t, "kind"),
		Account: fmt.Sprint("acc", seq), Job: reel.JobID(fmt.Sprint("v", seq)), Text: "said",
	}
	switch e.Kind {
	case reel.EventBreakerOpen:
		e.Outage = &reel.Outage{Signature: "adb: device offline", Failed: 5, Of: 10, Accounts: 4, Probes: rapid.IntRange(0, 1).Draw(t, "probes")}
	case reel.EventHold:
		if rapid.Bool().Draw(t, "by a person") {
			e.By = "ana"
		} else if rapid.Bool().Draw(t, "for a while") {
			e.Until = at.Add(time.Hour)
		}
	case reel.EventLooked:
		e.Look = &reel.Look{Finding: rapid.SampledFrom([]reel.Finding{reel.Found, reel.Absent, reel.Unsure}).Draw(t, "finding")}
	case reel.EventPaused, reel.EventResumed:
		e.By = "ana"
	}
	return e
}

// Whatever happens, whenever the program is started anew, and whatever is asked for: every event is in exactly one count, no kind of a batch is
// told of more often than the throttle allows, and every end is told at once, by itself, exactly once.
func TestNothingIsLostAndNothingTooOften(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := all()
		opt.Throttle = time.Duration(rapid.IntRange(0, 600).Draw(t, "throttle")) * time.Second
		opt.Kinds = rapid.SliceOfNDistinct(rapid.SampledFrom(notify.Kinds()), 0, 6, rapid.ID[notify.Kind]).Draw(t, "kinds")
		c := notify.NewCollector(opt, notify.Memory{})
		now := began
		want, got := map[string]int{}, map[string]int{}
		last, ids := map[string]time.Time{}, map[string]bool{}
		ends := 0
		hear := func() {
			for _, m := range c.Due(now) {
				key := string(m.Kind) + " " + m.Batch
				if ids[m.ID] {
					t.Fatalf("%s is sent twice", m.ID)
				}
				ids[m.ID] = true
				if m.Title == "" || m.Text == "" || !strings.HasPrefix(m.Title, m.Batch+": ") || len(m.Names) > 5 {
					t.Fatalf("%+v", m)
				}
				if m.Kind == notify.BatchEnded {
					if ends--; m.Count != 1 {
						t.Fatalf("one message of %d ends", m.Count)
					}
				} else if at, before := last[key]; before && now.Sub(at) < opt.Throttle {
					t.Fatalf("%s: told again after %s, the throttle is %s", key, now.Sub(at), opt.Throttle)
				}
				last[key] = now
				if m.Kind != notify.Stalled {
					got[key] += m.Count
				}
				for _, a := range m.Also {
					got[string(a.Kind)+" "+m.Batch] += a.Count
				}
				c.Sent(m)
			}
			if ends != 0 {
				t.Fatalf("%d ends were not told at once", ends)
			}
		}
		for seq := range rapid.Int64Range(1, 60).Draw(t, "events") {
			e := drawEvent(t, seq+1, now)
			c.Add(e, now)
			if k := told(e); k != "" && contains(opt.Kinds, k) {
				want[string(k)+" "+e.Batch]++
				if k == notify.BatchEnded {
					ends++
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				c = again(t, opt, c)
			}
			if rapid.Bool().Draw(t, "time goes on") {
				now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
				hear()
			}
		}
		for range 3 {
			now = now.Add(opt.Throttle + time.Minute)
			hear()
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("\ntold %v\nwant %v", got, want)
		}
	})
}

func contains(list []notify.Kind, k notify.Kind) bool {
	for _, x := range list {
		if x == k {
			return true
		}
	}
	return false
}

// again is the collector after its memory went through a file.
func again(t interface{ Fatal(...any) }, opt notify.Options, c *notify.Collector) *notify.Collector {
	data, err := json.Marshal(c.Memory())
	if err != nil {
		t.Fatal(err)
	}
	var mem notify.Memory
	if err := json.Unmarshal(data, &mem); err != nil {
		t.Fatal(err)
	}
	return notify.NewCollector(opt, mem)
}

// feeder gives a collector events in their order.
type feeder struct {
	c   *notify.Collector
	seq int64
}

func (f *feeder) add(now time.Time, e reel.Event) {
	f.seq++
	e.Seq, e.At = f.seq, now
	if e.Batch == "" {
		e.Batch = "launch"
	}
	f.c.Add(e, now)
}

func (f *feeder) due(t *testing.T, now time.Time, titles ...string) []notify.Message {
	t.Helper()
	list := f.c.Due(now)
	got := make([]string, 0, len(list))
	for _, m := range list {
		got = append(got, m.Title)
		f.c.Sent(m)
	}
	if strings.Join(got, "\n") != strings.Join(titles, "\n") {
		t.Fatalf("at %s:\n got %q\nwant %q", now.Sub(began), got, titles)
	}
	return list
}

// Twelve accounts that are set aside within a minute are one message, and the next one waits for the throttle.
func TestManyHoldsAreOneMessage(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	now := began
	for i := range 12 {
		f.add(now, reel.Event{Kind: reel.EventHold, Account: fmt.Sprintf("acc%d", i+1), Verdict: &reel.Verdict{Category: reel.Account, Type: "login_required"}})
		f.due(t, now)
		now = now.Add(5 * time.Second)
	}
	m := f.due(t, now, "launch: 12 accounts set aside")[0]
	if m.Text != "acc1, acc2, acc3, acc4, acc5 and 7 more.\nThe last was held for: login required.\nNothing is attempted on them until a person releases them (reelpass accounts)." || m.Count != 12 {
		t.Errorf("%+v", m)
	}
	f.add(now, reel.Event{Kind: reel.EventHold, Account: "acc13"})
	f.due(t, now.Add(4*time.Minute+59*time.Second))
	f.due(t, now.Add(5*time.Minute), "launch: 1 account set aside")
}

// What was not told of a batch goes with the message of its end.
func TestTheEndTellsTheRest(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	pass := func(n int) reel.Event {
		return reel.Event{Kind: reel.EventPassClosed, Pass: n, Text: "CONTINUING: 4 jobs will retry", Stats: &reel.PassStats{Pass: n, Processed: 11, Succeeded: 5, Failed: reel.Failures{Infrastructure: 6}, SuccessRate: 45.5}}
	}
	f.add(began, pass(1))
	m := f.due(t, began, "launch: pass 1 ended")[0]
	if m.Text != "Pass 1: 5 of 11 attempts posted (45.5%), 6 failed. CONTINUING: 4 jobs will retry" {
		t.Error(m.Text)
	}
	now := began.Add(time.Minute)
	f.add(now, reel.Event{Kind: reel.EventInDoubt, Job: "v7"})
	f.add(now, reel.Event{Kind: reel.EventHold, Account: "mira", Batch: "other"})
	f.add(now, pass(2))
	f.add(now, reel.Event{Kind: reel.EventFinished, Result: reel.OnlyNonRetryable, Text: "STOPPING", Totals: &reel.Totals{Jobs: 12, Succeeded: 11, InDoubt: 1}})
	m = f.due(t, now, "launch: the batch ended: only_non_retryable")[0]
	want := "Jobs: 12 (11 succeeded, 1 in doubt).\nSTOPPING\nSince the last message: 1 job is in doubt: v7\n" +
		"Since the last message: pass 2 ended. Pass 2: 5 of 11 attempts posted (45.5%), 6 failed. CONTINUING: 4 jobs will retry"
	if m.Text != want {
		t.Errorf("\n got %s\nwant %s", m.Text, want)
	}
	f.due(t, now.Add(time.Hour), "other: 1 account set aside")
	f.add(now, reel.Event{Kind: reel.EventInterrupted, Result: reel.Interrupted})
	f.due(t, now, "launch: the run was cut short, work is left")
}

// A silence is told once, and not while a batch waits between its passes, is paused, or is not run at all.
func TestStalled(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	now := began
	f.add(now, reel.Event{Kind: reel.EventRunStarted, Limits: &reel.Limits{RetryDelay: reel.Seconds(time.Hour)}})
	f.due(t, now.Add(14*time.Minute))
	f.due(t, now.Add(15*time.Minute), "launch: nothing done for 15 minutes")
	f.due(t, now.Add(3*time.Hour))
	now = now.Add(3 * time.Hour)
	f.add(now, reel.Event{Kind: reel.EventSucceeded, Job: "v1"})
	f.due(t, now.Add(16*time.Minute), "launch: nothing done for 16 minutes")
	f.add(now, reel.Event{Kind: reel.EventPassClosed, Pass: 1})
	f.due(t, now, "launch: pass 1 ended")
	f.due(t, now.Add(74*time.Minute))
	f.due(t, now.Add(75*time.Minute), "launch: nothing done for 75 minutes")
	f.add(now, reel.Event{Kind: reel.EventPaused, By: "ana"})
	f.due(t, now.Add(10*time.Hour))
	f.add(now.Add(10*time.Hour), reel.Event{Kind: reel.EventResumed, By: "ana"})
	f.due(t, now.Add(13*time.Hour), "launch: nothing done for 3 hours")
	f.add(now, reel.Event{Kind: reel.EventFinished, Result: reel.AllComplete})
	f.due(t, now, "launch: the batch ended: all_complete")
	f.add(now, reel.Event{Kind: reel.EventLooked, Look: &reel.Look{Finding: reel.Found}}) // of a batch that nobody runs
	f.due(t, now.Add(99*time.Hour))

	f.c.Lead("seen at the start", false, now)
	f.c.Lead("paused at the start", true, now)
	f.due(t, now.Add(15*time.Minute), "seen at the start: nothing done for 15 minutes")
}

// A canary that fails is no new outage, and a hold that ends by itself or that a person began is no news.
func TestWhatIsNoNews(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	o := reel.Outage{Signature: "adb: device offline", Failed: 5, Of: 10, Accounts: 4}
	f.add(began, reel.Event{Kind: reel.EventBreakerOpen, Outage: &o})
	if m := f.due(t, began, "launch: the breaker opened")[0]; m.Text != "Nothing is claimed: 5 of the last 10 attempts failed alike, over 4 accounts: adb: device offline" {
		t.Error(m.Text)
	}
	probed := o
	probed.Probes = 2
	f.add(began, reel.Event{Kind: reel.EventBreakerOpen, Outage: &probed})
	f.add(began, reel.Event{Kind: reel.EventHold, Account: "mira", Until: began.Add(time.Hour)})
	f.add(began, reel.Event{Kind: reel.EventHold, Account: "lina", By: "ana"})
	f.add(began, reel.Event{Kind: reel.EventHeldBack, Account: "mira", Count: 3})
	f.due(t, began.Add(time.Hour))
}

// Names and texts come from outside: a message is one line each, short, and without secrets.
func TestForeignTextIsCleaned(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	f.add(began, reel.Event{Kind: reel.EventBreakerOpen, Batch: "a\r\nBcc: x@y", Outage: &reel.Outage{Signature: "GET /me?access_token=EAABsbCS1iHgBAKZC12345 \u202e\n" + strings.Repeat("x", 999), Failed: 5, Of: 10}})
	m := f.c.Due(began)[0]
	if strings.ContainsAny(m.Title, "\r\n") || strings.Contains(m.Text, "EAAB") || strings.Contains(m.Text, "\u202e") || len(m.Text) > 300 {
		t.Errorf("%q %q", m.Title, m.Text)
	}
}

func TestForgetsWhatIsOld(t *testing.T) {
	f := &feeder{c: notify.NewCollector(all(), notify.Memory{})}
	f.add(began, reel.Event{Kind: reel.EventInDoubt, Job: "v1"})
	f.add(began, reel.Event{Kind: reel.EventFinished, Batch: "other", Result: reel.AllComplete})
	f.add(began.Add(time.Hour), reel.Event{Kind: reel.EventInDoubt, Job: "v2", Batch: "later"})
	if n := f.c.Forget(began.Add(time.Minute)); n != 2 {
		t.Errorf("%d forgotten, want 2", n)
	}
	f.due(t, began.Add(2*time.Hour), "later: 1 job is in doubt")
}

func TestParseKinds(t *testing.T) {
	if k, err := notify.ParseKinds(nil); err != nil || len(k) != 6 {
		t.Errorf("%v, %v", k, err)
	}
	if k, err := notify.ParseKinds([]string{"in_doubt", " stalled"}); err != nil || fmt.Sprint(k) != "[in_doubt stalled]" {
		t.Errorf("%v, %v", k, err)
	}
	const want = `no kind of alert is called "pass": there are pass_ended, batch_ended, breaker_opened, account_held, in_doubt, stalled`
	if _, err := notify.ParseKinds([]string{"pass"}); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}
