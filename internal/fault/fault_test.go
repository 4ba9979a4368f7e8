package fault_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// message is a line of a list of labelled messages.
type message struct {
	ID       string        `json:"id"`
	Text     string        `json:"text"`
	Category reel.Category `json:"category"`
	Type     string        `json:"type"`
}

// score is how well the rules do on a list.
type score struct {
	all, right, types int
	infraAsFault      int // infrastructure called account or content
	accountAsInfra    int
}

func messages(t testing.TB, path string) []message {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []message
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

func rate(t *testing.T, list []message) score {
	t.Helper()
	rules := fault.Default()
	var s score
	for _, m := range list {
		got := rules.Judge(reel.Evidence{Text: m.Text})
		s.all++
		if got.Category == m.Category {
			s.right++
			if got.Type == m.Type {
				s.types++
			} else if m.Type != "" && os.Getenv("FAULT_TYPES") != "" {
				t.Logf("type  %s: want %s/%s, rule %s says %s: %.150q", m.ID, m.Category, m.Type, got.Rule, got.Type, m.Text)
			}
			continue
		}
		t.Logf("wrong %s: want %s/%s, rule %q says %s/%s: %.300q", m.ID, m.Category, m.Type, got.Rule, got.Category, got.Type, m.Text)
		switch {
		case m.Category == reel.Infrastructure && (got.Category == reel.Account || got.Category == reel.Content):
			s.infraAsFault++
		case m.Category == reel.Account && got.Category == reel.Infrastructure:
			s.accountAsInfra++
		}
	}
	t.Logf("%d of %d categories right (%.1f %%), %d types; infrastructure as account or content %d, account as infrastructure %d",
		s.right, s.all, 100*float64(s.right)/float64(s.all), s.types, s.infraAsFault, s.accountAsInfra)
	return s
}

// What phones, tools and applications really said, with the right verdicts. The list is not part of the repository.
func TestCorpus(t *testing.T) {
	s := rate(t, messages(t, filepath.Join("..", "..", "..", "shared", "corpus", "errors-dev.jsonl")))
	s.check(t)
}

// Messages of the same kinds from four sets, each written before the rules were tried on it; the fourth, "mined", is of the
// public sources that the corpus was made of.
func TestMessages(t *testing.T) {
	s := rate(t, messages(t, filepath.Join("testdata", "messages.jsonl")))
	s.check(t)
}

func (s score) check(t *testing.T) {
	t.Helper()
	if s.right*100 < 97*s.all {
		t.Errorf("%d of %d categories are right, which is under 97 %%", s.right, s.all)
	}
	if s.infraAsFault > 0 {
		t.Errorf("%d infrastructure messages are called account or content", s.infraAsFault)
	}
	if s.accountAsInfra > 0 {
		t.Errorf("%d account messages are called infrastructure", s.accountAsInfra)
	}
}
