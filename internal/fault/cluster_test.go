package fault_test

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// failures draws evidence that is somewhat alike: templates with words, ids and numbers put in.
func failures() *rapid.Generator[[]reel.Evidence] {
	return rapid.Custom(func(t *rapid.T) []reel.Evidence {
		word := rapid.SampledFrom([]string{"alpha", "beta", "gamma", "*", "#", "7f3a", "/tmp/x", "émile"})
		var all []reel.Evidence
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			var words []string
			for range rapid.IntRange(0, 6).Draw(t, "words") {
				words = append(words, word.Draw(t, "word"))
			}
			all = append(all, reel.Evidence{
				Source: rapid.SampledFrom([]reel.Source{"", reel.SourceTool, reel.SourceExit}).Draw(t, "source"),
				Code:   rapid.SampledFrom([]string{"", "1", "E-12345678901234"}).Draw(t, "code"),
				Text:   strings.Join(words, " "),
			})
		}
		return all
	})
}

// Every failure is counted once, in a cluster or as other; a cluster's examples are its own; there are never more than may be.
func TestClustersAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(t, "most")
		c := fault.NewClusterer(most)
		all := failures().Draw(t, "failures")
		for _, e := range all {
			c.Add(e)
		}
		clusters := c.Clusters()
		n := c.Other()
		for i, one := range clusters {
			n += one.Count
			if one.Count < 1 || len(one.Examples) < 1 || len(one.Examples) > one.Count {
				t.Fatalf("%+v", one)
			}
			if i > 0 && clusters[i-1].Count < one.Count {
				t.Fatal("not the most frequent first")
			}
		}
		if n != len(all) || len(clusters) > most {
			t.Fatalf("%d of %d failures counted, %d clusters of at most %d", n, len(all), len(clusters), most)
		}
	})
}

// What was sorted in is found again at any later time, in a cluster whose pattern fits it, and never founds another.
func TestSameMessageFindsItsCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := fault.NewClusterer(1000)
		all := failures().Draw(t, "failures")
		for _, e := range all {
			c.Add(e)
		}
		before := len(c.Clusters())
		for _, e := range all {
			found, ok := c.Find(e)
			if !ok || found.Source != e.Source {
				t.Fatalf("%+v is not found again: %+v", e, found)
			}
			c.Add(e)
		}
		if after := len(c.Clusters()); after != before || c.Other() > 0 {
			t.Fatalf("%d clusters became %d, %d other", before, after, c.Other())
		}
	})
}

// Messages of templates that differ plainly fall into the same clusters in whatever order they come.
func TestClustersWhateverTheOrder(t *testing.T) {
	templates := []string{
		"upload quota of the reserve folder is used up for user %s",
		"could not open the side panel for user %s after waiting",
		"sticker tray did not come into sight (%s)",
		"the helper says: fermata %s",
		"job %s: worker left its desk without a note",
	}
	rapid.Check(t, func(t *rapid.T) {
		var all []reel.Evidence
		for range 60 {
			word := rapid.SampledFrom([]string{"anna", "bert", "cleo", "d4e5", "1234"}).Draw(t, "word")
			all = append(all, reel.Evidence{Text: fmt.Sprintf(rapid.SampledFrom(templates).Draw(t, "template"), word)})
		}
		if first, second := patterns(all), patterns(rapid.Permutation(all).Draw(t, "order")); !slices.Equal(first, second) {
			t.Fatalf("%q\n%q", first, second)
		}
	})
}

func patterns(all []reel.Evidence) []string {
	c := fault.NewClusterer(fault.MostClusters)
	for _, e := range all {
		c.Add(e)
	}
	var list []string
	for _, one := range c.Clusters() {
		list = append(list, fmt.Sprint(one.Count, " ", one.Pattern))
	}
	return list
}

func TestClustersOfWords(t *testing.T) {
	c := fault.NewClusterer(10)
	for _, user := range []string{"anna", "bert", "cleo"} {
		c.Add(reel.Evidence{Source: reel.SourceTool, Text: "Reserve folder of " + user + " is full: 17 of 17 slots (/data/" + user + "/x)"}, user)
	}
	c.Add(reel.Evidence{Source: reel.SourceExit, Text: "working\nReserve folder of dora is full: 17 of 17 slots (/data/dora/x)"})
	got := c.Clusters()
	want := "reserve folder of # is full: # of # slots (#)"
	if len(got) != 2 || got[0].Pattern != want || got[0].Count != 3 || got[1].Source != reel.SourceExit {
		t.Fatalf("%+v", got)
	}
}

// How well the clusters follow the labels of real messages, in any order: a cluster should be of one category and one type.
func TestClustersOfCorpus(t *testing.T) {
	list := messages(t, filepath.Join("..", "..", "..", "shared", "corpus", "errors-dev.jsonl"))
	least, most := len(list), 0
	for seed := range int64(10) {
		shuffled := slices.Clone(list)
		if seed > 0 {
			rand.New(rand.NewSource(seed)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		}
		c := fault.NewClusterer(fault.MostClusters)
		for _, m := range shuffled { // each is a kind of its own; other jobs say it with other numbers
			for digit := range 3 {
				c.Add(reel.Evidence{Text: otherNumbers(m.Text, digit)})
			}
		}
		categories, types := map[string]map[string]int{}, map[string]map[string]int{}
		for _, m := range shuffled {
			found, _ := c.Find(reel.Evidence{Text: m.Text})
			tell(categories, found.Pattern, string(m.Category))
			tell(types, found.Pattern, string(m.Category)+"/"+m.Type)
		}
		n := len(c.Clusters())
		least, most = min(least, n), max(most, n)
		if seed == 0 {
			t.Logf("%d messages, each with three sets of numbers, %d clusters; purity by category %.3f, by type %.3f", len(list), n, purity(categories, len(list)), purity(types, len(list)))
		}
		if p := purity(categories, len(list)); p < 0.98 {
			t.Errorf("purity by category is %.3f", p)
		}
	}
	t.Logf("in ten orders %d to %d clusters", least, most)
	if most-least > len(list)/20 {
		t.Errorf("the order matters: %d to %d clusters", least, most)
	}
}

// otherNumbers is a message as another job would say it.
func otherNumbers(text string, by int) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return '0' + (r-'0'+rune(by))%10
		}
		return r
	}, text)
}

func tell(counts map[string]map[string]int, cluster, label string) {
	if counts[cluster] == nil {
		counts[cluster] = map[string]int{}
	}
	counts[cluster][label]++
}

func purity(counts map[string]map[string]int, all int) float64 {
	n := 0
	for _, labels := range counts {
		most := 0
		for _, count := range labels {
			most = max(most, count)
		}
		n += most
	}
	return float64(n) / float64(all)
}

func FuzzClusterer(f *testing.F) {
	f.Add("tool", "12", "a b c\na b d\n* * *\n# # #", "a")
	f.Add("exit", "", "Traceback (most recent call last):\n\xff\xfe \u00e9", "")
	f.Fuzz(func(t *testing.T, source, code, text, own string) {
		c := fault.NewClusterer(3)
		n := 0
		for line := range strings.Lines(text + "\n" + text) {
			c.Add(reel.Evidence{Source: reel.Source(source), Code: code, Text: line}, own)
			n++
		}
		for _, one := range c.Clusters() {
			n -= one.Count
			for _, e := range one.Examples {
				if _, ok := c.Find(e, own); !ok && !strings.Contains(e.Text, " ... ") { // it was not cut
					t.Fatalf("%q is not found", e.Text)
				}
			}
		}
		if n != c.Other() {
			t.Fatalf("%d failures are not counted", n-c.Other())
		}
	})
}
