package instagram_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/instagram"
)

// recorded is what a person said of a recorded screen.
type recorded struct {
	ID      string `json:"id"`
	Screen  string `json:"screen"`
	Variant string `json:"variant"`
	Trouble string `json:"account_trouble"`
	Proof   *bool  `json:"posted_proof"`
	Trap    bool   `json:"trap"`
}

func (r recorded) proof() instagram.Proof {
	switch {
	case r.Proof == nil:
		return ""
	case *r.Proof:
		return instagram.Posted
	}
	return instagram.NotPosted
}

// TestCorpus holds the screens' data against recorded screens of real phones, where they are at hand.
func TestCorpus(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "corpus", "screens-dev.jsonl")
	f, err := os.Open(path)
	if err != nil {
		t.Skip("no recorded screens beside this checkout")
	}
	defer f.Close()
	z := instagram.NewRecogniser()
	var lines, named, variants, proofs int
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var r recorded
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		lines++
		seen, err := instagram.ReadRecorded(in.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got := z.Recognise(seen.Screen, seen.Context)
		if got.Screen == r.Screen {
			named++
		} else {
			t.Logf("%s: %s taken for %s by %s", r.ID, r.Screen, got.Screen, got.Rule)
		}
		if got.Variant == r.Variant {
			variants++
		} else {
			t.Logf("%s: %s/%s taken for variant %s", r.ID, r.Screen, r.Variant, got.Variant)
		}
		if got.Proof == r.proof() {
			proofs++
		} else {
			t.Logf("%s: %s: proof %q, want %q", r.ID, r.Screen, got.Proof, r.proof())
		}
		trouble := strings.Replace(r.Trouble, "none", "", 1)
		switch {
		case string(got.Trouble) == trouble:
		case trouble != "" && got.Trouble == "":
			t.Errorf("%s: %s: trouble %s not seen (%s)", r.ID, r.Screen, trouble, got.Rule)
		case trouble == "":
			t.Errorf("%s: %s: taken for %s by %s, a trap: %v", r.ID, r.Screen, got.Trouble, got.Rule, r.Trap)
		default:
			t.Errorf("%s: %s: trouble %s, not %s", r.ID, r.Screen, got.Trouble, trouble)
		}
		if got.Proof == instagram.Posted && r.proof() != instagram.Posted {
			t.Errorf("%s: %s: a false proof by %s", r.ID, r.Screen, got.Rule)
		}
	}
	if err := in.Err(); err != nil || lines == 0 {
		t.Fatal(lines, err)
	}
	t.Logf("%d screens: named right %d, variants %d, proofs %d", lines, named, variants, proofs)
	if named*100 < lines*97 {
		t.Errorf("only %d of %d screens are named right", named, lines)
	}
}
