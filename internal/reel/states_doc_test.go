package reel_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"reelpass/internal/reel"
)

// The page that people read and the table that the code obeys say the same, row for row.
func TestStatesPageIsTheTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	events := journalEvents()
	told := map[reel.State][]reel.State{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		from, to := reel.State(strings.Trim(cells[0], "`")), reel.State(strings.Trim(cells[1], "`"))
		if slices.Contains(told[from], to) {
			t.Errorf("%s to %s is told twice", from, to)
		}
		told[from] = append(told[from], to)
		if cells[2] == "" {
			t.Errorf("%s to %s: the page does not say who", from, to)
		}
		for event := range strings.SplitSeq(cells[3], ", ") {
			if !slices.Contains(events, reel.EventKind(strings.Trim(event, "`"))) {
				t.Errorf("%s to %s: %s is no event of the journal", from, to, event)
			}
		}
	}
	for _, from := range reel.States() {
		for _, to := range reel.States() {
			page, code := slices.Contains(told[from], to), reel.CanBecome(from, to)
			if page != code {
				t.Errorf("%s to %s: on the page %v, in the code %v", from, to, page, code)
			}
		}
	}
	for from := range told {
		if !slices.Contains(reel.States(), from) {
			t.Errorf("the page has a state %s that the code does not know", from)
		}
	}
}

func journalEvents() []reel.EventKind {
	return []reel.EventKind{
		reel.EventClaimed, reel.EventKept, reel.EventIntent, reel.EventSucceeded, reel.EventFailed, reel.EventInDoubt, reel.EventLooked,
		reel.EventDuplicate, reel.EventHeldBack, reel.EventRetried, reel.EventCancelled, reel.EventOutOfPasses,
		reel.EventRunStarted, reel.EventDoubted, reel.EventRejudged,
	}
}
