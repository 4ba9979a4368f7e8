package dashboard

import (
	"fmt"
	"strings"

	"reelpass/internal/overview"
)

// Charts are drawn on the server, in units of their own, without style attributes: the policy forbids them.

// bar is the states of a batch in one line.
type bar struct {
	Parts []barPart
	Text  string // the same in words
}

type barPart struct {
	Group overview.Group
	Count int
	X, W  float64
	Link  string
}

const (
	barWidth = 1000.0
	barLeast = 4.0 // a segment above zero is seen
)

func newBar(c overview.Counts, jobs string) bar {
	var b bar
	total := 0
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return b
	}
	shown, small := 0.0, 0.0
	for _, n := range c {
		if w := barWidth * float64(n) / float64(total); n > 0 && w < barLeast {
			small += barLeast
		} else {
			shown += w
		}
	}
	x := 0.0
	var text []string
	for _, g := range overview.Groups() {
		n := c[g]
		if n == 0 {
			continue
		}
		w := barWidth * float64(n) / float64(total)
		if w < barLeast {
			w = barLeast
		} else {
			w *= (barWidth - small) / shown
		}
		b.Parts = append(b.Parts, barPart{Group: g, Count: n, X: x, W: max(1, w-2), Link: jobs + "?state=" + statesOf(g)})
		text = append(text, num(n)+" "+g.String())
		x += w
	}
	b.Text = strings.Join(text, ", ")
	return b
}

// statesOf is the states of a group, as a filter names them.
func statesOf(g overview.Group) string {
	return [...]string{"succeeded", "running,publishing", "pending,failed", "set_aside,exhausted,out_of_passes,cancelled", "in_doubt"}[g]
}

// sparkline is a few numbers as columns.
type sparkline struct {
	Columns []column
	Most    int
	Text    string
}

type column struct{ X, Y, H float64 }

func newSparkline(counts []int) sparkline {
	var s sparkline
	sum := 0
	for _, n := range counts {
		s.Most, sum = max(s.Most, n), sum+n
	}
	for i, n := range counts {
		if n == 0 {
			continue
		}
		h := 60 * float64(n) / float64(s.Most)
		s.Columns = append(s.Columns, column{X: float64(i) * 10, Y: 60 - h, H: h})
	}
	s.Text = fmt.Sprintf("%s in the last hour, at most %d in a minute", plural(sum, "post", "posts"), s.Most)
	return s
}
