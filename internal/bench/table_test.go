//go:build linux

package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// series is one figure of each repetition.
type series []float64

func (s series) sorted() series {
	c := slices.Clone(s)
	slices.Sort(c)
	return c
}

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	c := s.sorted()
	return (c[(len(c)-1)/2] + c[len(c)/2]) / 2
}

// at is the value below which that share of the series lies.
func (s series) at(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	return s.sorted()[min(len(s)-1, int(share*float64(len(s))))]
}

func (s series) String() string {
	if len(s) == 0 {
		return "not measured"
	}
	if len(s) == 1 {
		return number(s[0])
	}
	return fmt.Sprintf("%s (%s-%s)", number(s.median()), number(slices.Min(s)), number(slices.Max(s)))
}

// by divides the series, repetition by repetition.
func (s series) by(o series) series {
	q := make(series, 0, len(s))
	for i := range min(len(s), len(o)) {
		if o[i] != 0 {
			q = append(q, s[i]/o[i])
		}
	}
	return q
}

// figures are the sums of one repetition's turns, by name.
type figures map[string]float64

// measure calls once for every turn, and gives each repetition's mean.
func measure(once func(figures)) map[string]series {
	all := map[string]series{}
	for range repetitions {
		f := figures{}
		for range turns {
			once(f)
		}
		for name, sum := range f {
			all[name] = append(all[name], sum/turns)
		}
	}
	return all
}

// number prints three digits that matter, and whole numbers whole.
func number(v float64) string {
	switch a := max(v, -v); {
	case a >= 100 || v == float64(int64(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// table collects lines and prints them when its part is done.
type table struct {
	title string
	lines [][5]string
}

func newTable(title string) *table { return &table{title: title} }

func (tb *table) line(what, goal, figure, reached, beside string) {
	tb.lines = append(tb.lines, [5]string{what, goal, figure, reached, beside})
}

// show is a line without a goal.
func (tb *table) show(what string, s series, unit, beside string) {
	tb.line(what, "", s.String()+unit, "", beside)
}

func (tb *table) atLeast(what string, s series, goal float64, unit, beside string) {
	tb.line(what, ">= "+number(goal)+unit, s.String()+unit, verdict(len(s) > 0, s.median() >= goal), beside)
}

func (tb *table) atMost(what string, s series, goal float64, unit, beside string) {
	tb.line(what, "<= "+number(goal)+unit, s.String()+unit, verdict(len(s) > 0, s.median() <= goal), beside)
}

func verdict(measured, reached bool) string {
	switch {
	case !measured:
		return "?"
	case reached:
		return "yes"
	}
	return "NO"
}

func (tb *table) print() {
	fmt.Fprintln(os.Stdout, tb.title)
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  what\tgoal\tfigure\treached\tbeside it, and the limit")
	for _, l := range tb.lines {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", l[0], l[1], l[2], l[3], l[4])
	}
	_ = w.Flush() // standard output is gone: nobody reads
}
