package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"reelpass/internal/reel"
)

// Extension is a file of one's own rules with new ones behind them.
type Extension struct {
	Text     []byte   // of the whole file
	Added    []string // the new rules' ids
	Old, New *Rules   // the tables of verdicts without and with them
}

// CaseError says that with new rules a case is judged otherwise than before: they take what another rule knows.
type CaseError struct {
	File string // of the new rules
	Mismatch
}

// Error says which case.
func (e *CaseError) Error() string { return e.File + ": " + e.String() }

// Extend puts the rules of one file, each with a case, behind those of one's own; own is empty where there is no such file yet. The error says
// what is wrong with either file, or is a *CaseError.
func Extend(name string, own []byte, extra string, added []byte) (x Extension, err error) {
	x.Old = Default()
	if len(bytes.TrimSpace(own)) > 0 {
		mine, err := Parse(name, own)
		if err != nil {
			return x, err
		}
		x.Old = mine.Before(Default())
	}
	if x.Text, err = Append(name, own, extra, added); err != nil {
		return x, err
	}
	all, err := Parse(name, x.Text)
	if err != nil {
		return x, err
	}
	fresh, err := Parse(extra, added)
	if err != nil {
		return x, err
	}
	for _, r := range fresh.list {
		if len(r.Cases) == 0 {
			return x, fmt.Errorf("%s: rule %q has no case: give it a message that it must know", extra, r.ID)
		}
		x.Added = append(x.Added, r.ID)
	}
	x.New = all.Before(Default())
	known := x.Old.Test()
	for _, m := range x.New.Test() {
		if !slices.Contains(known, m) {
			return x, &CaseError{extra, m}
		}
	}
	return x, nil
}

// FillIn stands for a category or a type that a person has not said yet; no file with it is taken.
const FillIn = "FILL IN"

// YAML is a rule of words or an expression as an item of a file's list of rules, with its cases' texts, secrets masked. Values are written as JSON, which is YAML too,
// so that no message can break out of its place.
func (r Rule) YAML() ([]byte, error) {
	var b bytes.Buffer
	for _, line := range []struct {
		begin string
		value any
		given bool
		fill  bool
	}{
		{"  - id: ", r.ID, true, false},
		{"    category: ", r.Category, r.Category != "", true},
		{"    type: ", r.Type, r.Type != "", true},
		{"    sources: ", r.Sources, len(r.Sources) > 0, false},
		{"    texts: ", r.Texts, len(r.Texts) > 0, false},
		{"    match: ", r.Match, r.Match != "", false},
	} {
		data, err := []byte(FillIn), error(nil)
		switch {
		case line.given:
			data, err = json.Marshal(line.value)
		case !line.fill:
			continue
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s%s\n", line.begin, data)
	}
	for i, c := range r.Cases {
		data, err := json.Marshal(reel.Scrub(c.Text))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			b.WriteString("    cases:\n")
		}
		fmt.Fprintf(&b, "      - text: %s\n", data)
	}
	return b.Bytes(), nil
}
