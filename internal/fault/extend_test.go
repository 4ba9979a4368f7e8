package fault_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// Whatever a rule's words are, written down it is the same rule: nothing in it breaks out of its place.
func TestAWrittenRuleIsTheSameRule(t *testing.T) {
	text := rapid.StringMatching(`[a-zA-Z:'"#\[\]{}&*!|>%@ ,\\\p{Han}\n-]{4,40}`)
	rapid.Check(t, func(t *rapid.T) {
		rule := fault.Rule{
			ID: rapid.StringMatching(`[a-z][a-z0-9-]{0,20}`).Draw(t, "id"), Category: rapid.SampledFrom(reel.Categories()).Draw(t, "category"),
			Type: rapid.StringMatching(`[a-z_]{1,12}`).Draw(t, "type"), Texts: []string{"words of " + text.Draw(t, "words")},
			Sources: []reel.Source{rapid.SampledFrom(reel.Sources()).Draw(t, "source")}, Cases: []fault.Case{{Text: "a case of " + text.Draw(t, "case")}},
		}
		item, err := rule.YAML()
		if err != nil {
			t.Fatal(err)
		}
		read, err := fault.Parse("own.yaml", append([]byte("rules:\n"), item...))
		if err != nil {
			t.Fatalf("%v\n%s", err, item)
		}
		got := read.All()
		if len(got) != 1 || got[0].ID != rule.ID || got[0].Category != rule.Category || got[0].Type != rule.Type || got[0].Texts[0] != rule.Texts[0] ||
			got[0].Sources[0] != rule.Sources[0] || got[0].Cases[0].Text != reel.Scrub(rule.Cases[0].Text) {
			t.Fatalf("%+v\n%s", got, item)
		}
	})
}

func TestExtend(t *testing.T) {
	x, err := fault.Extend("own.yaml", nil, "new.yaml", []byte(newRules))
	if err != nil || len(x.Added) != 1 || x.Added[0] != "my-quibble" {
		t.Fatalf("%+v %v", x.Added, err)
	}
	e := reel.Evidence{Text: "Quibble flange 9 jammed"}
	if x.Old.Judge(e).Rule != "" || x.New.Judge(e).Rule != "my-quibble" {
		t.Errorf("without %+v, with %+v", x.Old.Judge(e), x.New.Judge(e))
	}
	bare := newRules[:strings.Index(newRules, "    cases")]
	if _, err := fault.Extend("own.yaml", nil, "new.yaml", []byte(bare)); err == nil || !strings.Contains(err.Error(), "has no case") {
		t.Errorf("without a case: %v", err)
	}
	greedy := strings.NewReplacer("my-quibble", "my-greedy", `texts: ["quibble flange"]`, "match: 'device.*'", "Quibble flange 17 jammed", "a device").Replace(newRules)
	_, err = fault.Extend("own.yaml", x.Text, "new.yaml", []byte(greedy))
	if taken, ok := errors.AsType[*fault.CaseError](err); !ok || taken.File != "new.yaml" {
		t.Errorf("it takes the cases of others: %v", err)
	}
	unsaid, err := fault.Rule{ID: "my-a", Texts: []string{"some words"}}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fault.Extend("own.yaml", nil, "new.yaml", append([]byte("rules:\n"), unsaid...)); err == nil || !strings.Contains(err.Error(), fault.FillIn) {
		t.Errorf("nobody has said whose trouble it is: %v", err)
	}
}
