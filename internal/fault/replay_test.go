package fault_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

func ends(v reel.Verdict) bool { return v.Category == reel.Account || v.Category == reel.Content }

func parsed(t *testing.T, text string) *fault.Rules {
	t.Helper()
	rules, err := fault.Parse("own.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return rules.Before(fault.Default())
}

func failure(job, text string) reel.Event {
	return reel.Event{Kind: reel.EventFailed, Batch: "b", Job: reel.JobID(job), Evidence: &reel.Evidence{Text: text}}
}

func TestReplaySaysWhatARuleWouldHaveChanged(t *testing.T) {
	account := parsed(t, "rules: [{id: my-zorp, category: account, type: zorped, texts: [zorp gate is shut]}]")
	hiccup := parsed(t, "rules: [{id: my-zorp, category: infrastructure, type: zorp, texts: [account suspended by zorp]}]")
	posted := func(job string) reel.Event {
		return reel.Event{Kind: reel.EventSucceeded, Batch: "b", Job: reel.JobID(job)}
	}
	doubt := func(job string) reel.Event {
		return reel.Event{Kind: reel.EventInDoubt, Batch: "b", Job: reel.JobID(job)}
	}
	retried := func(job string) reel.Event {
		return reel.Event{Kind: reel.EventRetried, Batch: "b", Job: reel.JobID(job)}
	}
	const shut, other = "the zorp gate is shut", "quibble"
	for what, c := range map[string]struct {
		old, new *fault.Rules
		events   []reel.Event
		want     string // attempts, judged, saved, lost, again
	}{
		"nothing is changed by nothing":              {account, account, []reel.Event{failure("1", shut), failure("1", shut), posted("1")}, "2 0 0 0 0"},
		"what failed afterwards is saved":            {fault.Default(), account, []reel.Event{failure("1", shut), failure("1", shut), failure("1", other)}, "3 1 2 0 0"},
		"a post afterwards is lost":                  {fault.Default(), account, []reel.Event{failure("1", shut), failure("1", other), posted("1")}, "2 1 1 1 0"},
		"a doubt may be a post":                      {fault.Default(), account, []reel.Event{failure("1", shut), doubt("1")}, "1 1 0 1 0"},
		"other jobs are other jobs":                  {fault.Default(), account, []reel.Event{failure("1", shut), failure("2", other), posted("2")}, "2 1 0 0 0"},
		"a person had it tried again":                {fault.Default(), account, []reel.Event{failure("1", shut), retried("1"), posted("1")}, "1 1 0 0 0"},
		"what was given up is tried again":           {account, fault.Default(), []reel.Event{failure("1", shut), failure("2", other)}, "2 1 0 0 1"},
		"a rule that only names the type saves none": {fault.Default(), hiccup, []reel.Event{failure("1", "account suspended by zorp"), failure("2", other)}, "2 1 0 0 1"},
	} {
		r := fault.NewReplay(c.old, c.new, ends)
		for _, e := range c.events {
			r.Add(e)
		}
		got := r.Changes()
		if s := fmt.Sprint(got.Attempts, got.Judged, got.Saved, got.Lost, got.Again); s != c.want {
			t.Errorf("%s: %s, want %s", what, s, c.want)
		}
		if len(got.Examples) != got.Judged {
			t.Errorf("%s: %d examples", what, len(got.Examples))
		}
	}
}

// The same rules change nothing, whatever happened; and nothing is saved or lost more often than it happened.
func TestTheSameRulesChangeNothing(t *testing.T) {
	account := parsed(t, "rules: [{id: my-zorp, category: account, type: zorped, texts: [zorp gate is shut]}]")
	rapid.Check(t, func(t *rapid.T) {
		same, other := fault.NewReplay(account, account, ends), fault.NewReplay(fault.Default(), account, ends)
		failed, posted := 0, 0
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			e := failure(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "job"), rapid.SampledFrom([]string{"the zorp gate is shut", "adb: device offline", "quibble"}).Draw(t, "text"))
			e.Kind = rapid.SampledFrom([]reel.EventKind{reel.EventFailed, reel.EventFailed, reel.EventSucceeded, reel.EventInDoubt, reel.EventRetried, reel.EventClaimed}).Draw(t, "kind")
			switch e.Kind {
			case reel.EventFailed:
				failed++
			case reel.EventSucceeded, reel.EventInDoubt:
				posted++
			default:
			}
			same.Add(e)
			other.Add(e)
		}
		if c := same.Changes(); c.Attempts != failed || c.Judged+c.Saved+c.Lost+c.Again != 0 {
			t.Fatalf("%+v of %d", c, failed)
		}
		if c := other.Changes(); c.Attempts != failed || c.Judged+c.Saved > failed || c.Lost > posted {
			t.Fatalf("%+v of %d failures and %d posts", c, failed, posted)
		}
	})
}
