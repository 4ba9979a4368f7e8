package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/reel"
)

// A proposed rule takes every example that it was made of and no case of the rules that are there, whatever the messages are.
func TestAProposedRuleTakesItsOwnAndNothingElse(t *testing.T) {
	base := Default()
	var cases []Case
	for i, rule := range base.list { // a few, for time's sake: TestNoRuleIsMadeOfWhatIsKnown asks the others
		if i%8 == 0 {
			cases = append(cases, rule.Cases...)
		}
	}
	words := rapid.OneOf(
		rapid.StringMatching(`[a-z]{2,12}`), rapid.SampledFrom(strings.Fields(common)), rapid.StringMatching(`[A-Z][a-z]+Exception:?`),
		rapid.SampledFrom([]string{"logged", "out", "offline", "device", "adb:", "ошибка", "媒体", "(.*", "[a-z", `\d+`, "'quoted'", "$1"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		kinds := NewClusterer(MostClusters)
		source := rapid.SampledFrom([]reel.Source{"", reel.SourceTool, reel.SourceScreen}).Draw(t, "source")
		for range rapid.IntRange(1, 2).Draw(t, "kinds") {
			text := rapid.SliceOfN(words, 1, 12).Draw(t, "words")
			for range rapid.IntRange(1, 4).Draw(t, "messages") {
				one := slices.Clone(text)
				one[rapid.IntRange(0, len(one)-1).Draw(t, "place")] = fmt.Sprint(rapid.IntRange(0, 9999).Draw(t, "number"))
				kinds.Add(reel.Evidence{Source: source, Text: strings.Join(one, " ")})
			}
		}
		for _, k := range kinds.Clusters() {
			rule, err := Propose(base, k, reel.Verdict{Category: reel.Infrastructure, Type: "some_type"})
			if errors.Is(err, ErrPlain) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			alone, err := build([]Rule{rule})
			if err != nil {
				t.Fatalf("%+v is no rule: %v", rule, err)
			}
			for _, e := range append(slices.Clone(k.Examples), rule.Cases[0].evidence()) {
				if alone.Judge(e).Rule != rule.ID {
					t.Fatalf("%+v does not take %q", rule, e.Text)
				}
			}
			for _, c := range cases {
				if alone.Judge(c.evidence()).Rule == rule.ID {
					t.Fatalf("%+v takes %q, which has its rule", rule, c.Text)
				}
			}
			if _, taken := base.places[rule.ID]; taken {
				t.Fatalf("%s is taken", rule.ID)
			}
		}
	})
}

// Words that stand in all failures make no rule: it would take what it was not made for.
func TestNoRuleIsMadeOfWordsThatSayNothing(t *testing.T) {
	for _, text := range []string{"error", "Error: upload failed", "job 17 failed with code 3", "", "12345", "..."} {
		kinds := NewClusterer(MostClusters)
		kinds.Add(reel.Evidence{Text: text})
		for _, k := range kinds.Clusters() {
			if rule, err := Propose(Default(), k, reel.Verdict{}); !errors.Is(err, ErrPlain) {
				t.Errorf("%q became %+v, %v", text, rule, err)
			}
		}
	}
}

// What a rule knows already gets no second one: the proposal would take its case.
func TestNoRuleIsMadeOfWhatIsKnown(t *testing.T) {
	base, n := Default(), 0
	for _, rule := range base.list {
		for i, c := range rule.Cases {
			if i%4 != 0 { // a few of each rule, for time's sake
				continue
			}
			kinds := NewClusterer(MostClusters)
			kinds.Add(c.evidence())
			if got, err := Propose(base, kinds.Clusters()[0], reel.Verdict{}); !errors.Is(err, ErrPlain) {
				t.Errorf("%q of %s became %+v, %v", c.Text, rule.ID, got, err)
			}
			n++
		}
	}
	if n < 100 {
		t.Errorf("only %d cases were tried", n)
	}
}
