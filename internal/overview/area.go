package overview

import (
	"fmt"
	"strings"
)

// Area is how jobs stood over time as it is drawn: one band for each group, the first at the bottom.
type Area struct {
	Bands []Band
	Rows  []Point // the same as a table, at most a dozen
}

// Band is one group of an Area.
type Band struct {
	Group Group
	Path  string // as SVG writes it, 600 wide and 120 high
}

// NewArea draws a series. One that has no length has no bands.
func NewArea(points []Point) Area {
	var a Area
	if len(points) < 2 {
		return a
	}
	first, last := points[0].At, points[len(points)-1].At
	span := last.Sub(first).Seconds()
	if span <= 0 {
		return a
	}
	total := 1
	for _, p := range points {
		n := 0
		for _, c := range p.Counts {
			n += c
		}
		total = max(total, n)
	}
	y := func(n int) float64 { return 120 - 120*float64(n)/float64(total) }
	for _, g := range Groups() {
		var up, down strings.Builder
		any := false
		for i, p := range points {
			below := 0
			for _, h := range Groups() {
				if h < g {
					below += p.Counts[h]
				}
			}
			any = any || p.Counts[g] > 0
			x := 600 * p.At.Sub(first).Seconds() / span
			op := "L"
			if i == 0 {
				op = "M"
			}
			fmt.Fprintf(&up, "%s%.1f %.1f", op, x, y(below+p.Counts[g]))
			// the lower edge is walked back
			q := points[len(points)-1-i]
			below = 0
			for _, h := range Groups() {
				if h < g {
					below += q.Counts[h]
				}
			}
			fmt.Fprintf(&down, "L%.1f %.1f", 600*q.At.Sub(first).Seconds()/span, y(below))
		}
		if any {
			a.Bands = append(a.Bands, Band{g, up.String() + down.String() + "Z"})
		}
	}
	step := max(1, (len(points)+11)/12)
	for i := 0; i < len(points); i += step {
		a.Rows = append(a.Rows, points[i])
	}
	if (len(points)-1)%step != 0 {
		a.Rows = append(a.Rows, points[len(points)-1])
	}
	return a
}
