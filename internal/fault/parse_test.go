package fault_test

import (
	"strings"
	"testing"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

func TestParseRefuses(t *testing.T) {
	const rule = "rules:\n  - id: a\n    category: unknown\n"
	tests := []struct{ name, file, want string }{
		{"no YAML", "rules: [", "my.yaml:1:"},
		{"unknown field of the file", "rulez: []\n", "my.yaml:1:1: unknown field"},
		{"unknown field of a rule", rule + "    text: [abc]\n", "my.yaml:4:5: unknown field"},
		{"a wrong type", rule + "    texts: {a: b}\n", "my.yaml:4:"},
		{"duplicate key", rule + "    texts: [abc]\n    texts: [abd]\n", "my.yaml:5:5"},
		{"no id", "rules:\n  - category: unknown\n    texts: [abc]\n", "my.yaml:2:5: rule \"\": it has no id"},
		{"a bad id", "rules:\n  - id: A b\n    category: unknown\n    texts: [abc]\n", "my.yaml:2:5: rule \"A b\": an id is made of"},
		{"duplicate id", rule + "    texts: [abc]\n  - id: a\n    category: unknown\n    texts: [abd]\n", `my.yaml:5:5: rule "a" is already at 2:5`},
		{"unknown category", "rules:\n  - id: a\n    category: infra\n    texts: [abc]\n", `my.yaml:3:5: rule "a": category "infra" is none of`},
		{"unknown source", rule + "    texts: [abc]\n    sources: [phone]\n", `my.yaml:5:5: rule "a": source "phone" is none of`},
		{"unknown view", rule + "    texts: [abc]\n    in: title\n", `my.yaml:5:5: rule "a": in "title" is none of`},
		{"empty rule", rule, `my.yaml:2:5: rule "a": it is empty`},
		{"bad expression", rule + "    match: 'a('\n", "my.yaml:4:5: rule \"a\": error parsing regexp"},
		{"an expression for everything", rule + "    match: 'a*'\n", "my.yaml:4:5: rule \"a\": the expression matches everything"},
		{"a bad denial", rule + "    texts: [abc]\n    not_match: '['\n", "my.yaml:5:5: rule \"a\": error parsing regexp"},
		{"a text of nothing", rule + "    texts: [' ']\n", "my.yaml:4:5: rule \"a\": text \" \" is too short"},
		{"a bad range", rule + "    codes: ['http:599..500']\n", "my.yaml:4:5: rule \"a\": code \"http:599..500\" is not a range"},
		{"a case without anything", rule + "    texts: [abc]\n    cases: [{want: account}]\n", "my.yaml:5:5: rule \"a\": case 1: it has neither"},
		{"a case of no category", rule + "    texts: [abc]\n    cases: [{text: abc, want: bad}]\n", "my.yaml:5:5: rule \"a\": case 1: want \"bad\""},
		{"near of words that are not there", "words: {a: [abc]}\n" + rule + "    near: [{within: 5, of: [a, b]}]\n", "my.yaml:5:5: rule \"a\": the file has no words \"b\""},
		{"near too far", "words: {a: [abc]}\n" + rule + "    near: [{within: 5000, of: [a, a]}]\n", "my.yaml:5:5: rule \"a\": near within 5000"},
		{"near of one list", "words: {a: [abc]}\n" + rule + "    near: [{within: 5, of: [a]}]\n", "my.yaml:5:5: rule \"a\": near takes two or three"},
		{"near of bad words", "words: {a: ['(']}\n" + rule + "    near: [{within: 5, of: [a, a]}]\n", "my.yaml:3:5: rule \"a\": error parsing"},
		{"an empty entry", "rules:\n  -\n", "my.yaml"},
		{"two documents", "rules: []\n---\nrules: []\n", "more than one"},
		{"too much", strings.Repeat("#", 2<<20), "too many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := fault.Parse("my.yaml", []byte(test.file))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func parse(t *testing.T, file string) *fault.Rules {
	t.Helper()
	rules, err := fault.Parse("my.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestParseTakes(t *testing.T) {
	rules := parse(t, `
defaults: {category: infrastructure, sources: [tool], in: said}
rules:
  - id: my-proxy
    type: proxy
    texts: ["Café  FULL"]
    and: [door]
    not: [closed]
    not_match: 'number \d+'
    cases:
      - {text: "the cafe full, at the door"}
      - {text: "the cafe full", want: unknown}
      - {text: "the cafe full, door closed", want: unknown}
      - {text: "the cafe full, door number 7", want: unknown}
  - id: my-code
    category: account
    codes: [E77, "http:41*", "x:5..9"]
    cases:
      - {text: a, code: e77}
      - {text: "", code: "http:418", want: account}
      - {text: "", code: "x:7"}
      - {text: "", code: "x:10", want: unknown}
`)
	for _, miss := range rules.Test() {
		t.Error(miss)
	}
	if got := rules.All(); len(got) != 2 || got[0].File != "my.yaml" || got[0].Sources[0] != reel.SourceTool || got[1].In != fault.Said {
		t.Errorf("%+v", got)
	}
	if empty := parse(t, ""); len(empty.All()) != 0 || empty.Judge(reel.Evidence{Text: "x"}).Category != reel.Unknown {
		t.Error("an empty file must be no rules")
	}
}

// Written in parts or plainly, a rule is the same.
func TestParseTakesParts(t *testing.T) {
	rules := parse(t, `
words:
  account: [konto, '\bcuenta']
  closed: [gesperrt, cerrada]
rules:
  - id: parts
    category: account
    texts:
      english: [account closed]
      french:
        - compte fermé
    not: {machines: [server, database]}
    match:
      - 'gone \d'
      - 'lost \d'
    near: [{within: 9, of: [account, closed]}]
    cases:
      - {text: account closed}
      - {text: compte fermé}
      - {text: lost 1}
      - {text: "Konto ist gesperrt"}
      - {text: "cerrada la cuenta"}
      - {text: "account closed in the database", want: unknown}
      - {text: "cerrada por fin la cuenta", want: unknown}
`)
	for _, miss := range rules.Test() {
		t.Error(miss)
	}
	rule := rules.All()[0]
	if len(rule.Texts) != 2 || len(rule.Not) != 2 || strings.Count(rule.Match, "|") < 4 {
		t.Errorf("%+v", rule)
	}
}

func TestBefore(t *testing.T) {
	base := fault.Default()
	offline := reel.Evidence{Text: "adb: device offline"}

	own := parse(t, "rules:\n  - {id: mine, category: account, type: dead, texts: [device offline]}\n").Before(base)
	if got := own.Judge(offline); got.Rule != "mine" {
		t.Errorf("a user's rule must come first: %+v", got)
	}
	if len(own.All()) != len(base.All())+1 {
		t.Error("the base rules must stand behind the user's")
	}

	replaced := parse(t, "rules:\n  - {id: adb, category: unknown, type: x, texts: [nothing like it]}\n").Before(base)
	if got := replaced.Judge(offline); got.Rule == "adb" {
		t.Errorf("the base rule of that id must be gone: %+v", got)
	}
	if len(replaced.All()) != len(base.All()) {
		t.Error("one rule must have replaced one")
	}

	alone := parse(t, "replace: true\nrules:\n  - {id: mine, category: account, texts: [zzz]}\n").Before(base)
	if got := alone.Judge(offline); got.Category != reel.Unknown || len(alone.All()) != 1 {
		t.Errorf("replace must stand alone: %+v", got)
	}
}

func TestTestFinds(t *testing.T) {
	rules := parse(t, `
rules:
  - {id: first, category: unknown, texts: [apple], cases: [{text: an apple}, {text: a pear, want: account}]}
  - {id: hidden, category: account, texts: [apple pie], cases: [{text: apple pie}]}
  - {id: bare, category: account, texts: [plum]}
`)
	var got []string
	for _, miss := range rules.Test() {
		got = append(got, miss.String())
	}
	want := []string{
		`first: "a pear": it must be account, and no rule says unknown/`,
		`hidden: "apple pie": it is taken by rule first (unknown)`,
		`bare: it has no case of its own`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A file of the same rules as the built-in ones must be possible to write: nothing about them is special.
func TestBuiltinIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range fault.Default().All() {
		if seen[rule.ID] {
			t.Errorf("%s is there twice", rule.ID)
		}
		seen[rule.ID] = true
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("rules:\n  - {id: a, category: unknown, texts: [abc], match: 'x+', codes: ['a:1..2']}\n"))
	f.Add([]byte("replace: true\ndefaults: {in: said}\nrules: [~]\n"))
	f.Add([]byte("rules:\n  - &a {id: x}\n  - *a\n  - <<: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := fault.Parse("f.yaml", data)
		if (rules == nil) == (err == nil) {
			t.Fatalf("rules %v, error %v", rules, err)
		}
		if err == nil {
			rules.Judge(reel.Evidence{Text: "something", Code: "1"})
			rules.Test()
		}
	})
}
