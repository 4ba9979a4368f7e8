package fault_test

import (
	"bytes"
	"strings"
	"testing"

	"reelpass/internal/fault"
)

const newRules = `# 3 attempts: quibble flange # jammed
rules:
  - id: my-quibble
    category: infrastructure
    type: quibble
    texts: ["quibble flange"]
    cases: [{text: "Quibble flange 17 jammed"}]
`

func TestRulesAreAddedBehindThoseThatAreThere(t *testing.T) {
	const one = "- id: my-zorp\n    category: account\n    type: zorp\n    texts: [zorp gate]\n"
	for what, c := range map[string]struct{ before, after string }{
		"a new file":     {"", "rules:\n" + newRules[strings.Index(newRules, "  - id"):]},
		"comments alone": {"# mine", "# mine\nrules:\n" + newRules[strings.Index(newRules, "  - id"):]},
		"behind others":  {"# mine\nrules:\n  " + one + "    # the end", "# mine\nrules:\n  " + one + "    # the end\n" + newRules[strings.Index(newRules, "  - id"):]},
		"where the list is flush": {
			"rules:\n- id: my-zorp\n  category: account\n  type: zorp\n  texts: [zorp gate]\n",
			"rules:\n- id: my-zorp\n  category: account\n  type: zorp\n  texts: [zorp gate]\n" +
				"- id: my-quibble\n  category: infrastructure\n  type: quibble\n  texts: [\"quibble flange\"]\n  cases: [{text: \"Quibble flange 17 jammed\"}]\n",
		},
	} {
		got, err := fault.Append("own.yaml", []byte(c.before), "new.yaml", []byte(newRules))
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %v\n%s", what, err, got)
		}
	}
}

func TestRulesThatCannotBeAdded(t *testing.T) {
	for what, c := range map[string]struct{ before, added, says string }{
		"an id that is there":    {newRules, newRules, `own.yaml:8:5: rule "my-quibble" is already at 3:5`},
		"no rules":               {"", "rules: []\n", "new.yaml: it has no rules"},
		"not filled in":          {"", strings.Replace(newRules, "infrastructure", "FILL IN", 1), `category "FILL IN" is none of`},
		"a list in one line":     {"rules: [{id: my-zorp, category: account, type: zorp, texts: [zorp gate]}]\n", newRules, "by hand"},
		"another key behind":     {"rules:\n  - id: my-zorp\n    category: account\n    type: z\n    texts: [zorp gate]\nreplace: false\n", newRules, "by hand"},
		"defaults would count":   {"defaults: {sources: [http]}\nrules:\n  - id: my-zorp\n    category: account\n    type: z\n    texts: [zorp gate]\n", newRules, "something else"},
		"a file of other things": {"", "replace: true\n" + newRules, "rules alone"},
		"a file that is wrong":   {"rules: 7\n", newRules, "own.yaml:1:8"},
	} {
		got, err := fault.Append("own.yaml", []byte(c.before), "new.yaml", []byte(c.added))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v\n%s", what, err, got)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte("rules:\n  - id: my-zorp\n    category: account\n    type: z\n    texts: [zorp gate]\n"), []byte(newRules))
	f.Add([]byte(""), []byte(newRules))
	f.Add([]byte("defaults: {category: account}\nrules:\n- id: a\n  texts: [zorp gate]"), []byte("rules:\n- {id: b, category: content, type: c, texts: [some words]}\n"))
	f.Fuzz(func(t *testing.T, text, added []byte) {
		got, err := fault.Append("own.yaml", text, "new.yaml", added)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(got, text) && len(bytes.TrimSpace(text)) > 0 {
			t.Fatalf("what was there has changed:\n%s", got)
		}
		if _, err := fault.Parse("own.yaml", got); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
	})
}
