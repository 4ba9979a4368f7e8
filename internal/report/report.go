package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

//go:embed page.html
var pageSource string

const (
	mostRows  = 50  // of a list of failures
	jobsInOne = 500 // jobs in one table: a browser lays out those that are looked at
	mostText  = 200 // characters of a caption or an error: enough to know it by
)

// Course is how a batch went, by its journal.
type Course struct {
	Series   []overview.Point
	Types    []overview.Cause // its failures by verdict: the signature is category and type
	Accounts []overview.Cause // and by account: the signature is its name
}

// CourseOf adds up what a journal has of a batch. Its memory grows with the jobs that failed.
func CourseOf(journal iter.Seq2[reel.Event, error], batch string) (Course, error) {
	types := overview.New(func(_ reel.Evidence, v reel.Verdict, _ ...string) string { return trouble(v) })
	accounts := overview.New(func(_ reel.Evidence, _ reel.Verdict, own ...string) string { return own[len(own)-1] })
	var last time.Time
	for e, err := range journal {
		if err != nil {
			return Course{}, fmt.Errorf("report: %w", err)
		}
		if e.Batch == batch {
			last = e.At
			types.Add(e)
			accounts.Add(e)
		}
	}
	return Course{Series: types.Pace(batch, last).Series, Types: types.Causes(batch), Accounts: accounts.Causes(batch)}, nil
}

// trouble is a verdict as people read it.
func trouble(v reel.Verdict) string {
	if v.Type == "" {
		return string(v.Category)
	}
	return string(v.Category) + ": " + strings.ReplaceAll(v.Type, "_", " ")
}

// Write writes the page. Times are of loc (nil means time.Local), whose name is on the page, as is when it was written. The jobs go
// straight to w, so the page may be larger than memory, and is incomplete when an error is returned: write it beside the old one and rename.
func Write(w io.Writer, s reel.Status, c Course, records iter.Seq2[reel.Record, error], written time.Time, loc *time.Location) error {
	if loc == nil {
		loc = time.Local
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"thousands": thousands,
		"rate":      func(f reel.Percent) string { return strconv.FormatFloat(float64(f), 'f', 1, 64) + "%" },
		"shown":     func(t time.Time) string { return t.In(loc).Format("2006-01-02 15:04:05") },
		"stamp":     func(t time.Time) string { return t.In(loc).Format(time.RFC3339) },
		"length":    func(from, to time.Time) string { return to.Sub(from).Round(time.Second).String() },
		"class":     func(g overview.Group) string { return strings.ReplaceAll(g.String(), " ", "-") },
	}).Parse(pageSource)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var broken error
	out := bufio.NewWriterSize(w, 64<<10)
	err = page.Execute(out, pageData{
		Status: s, Zone: zoneName(loc, written), Written: written, Headline: headline(s), Summary: summary(s.Totals),
		Groups: groupsOf(s.Totals), States: stateCounts(s.Totals), Types: shortened("type", c.Types), Accounts: shortened("account", c.Accounts), Area: overview.NewArea(c.Series),
		Tables: tables(records, s.Totals.Jobs, &broken),
	})
	if broken != nil {
		err = broken
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

type pageData struct {
	Status   reel.Status
	Zone     string
	Written  time.Time
	Headline string
	Summary  string
	Groups   []groupCount
	States   []stateCount
	Types    list
	Accounts list
	Area     overview.Area
	Tables   iter.Seq[table]
}

// All is the number of all jobs.
func (d pageData) All() int { return d.Status.Totals.Jobs }

// list is the first of many.
type list struct {
	By   string
	Rows []overview.Cause
	All  int
}

func shortened(by string, all []overview.Cause) list {
	return list{By: by, Rows: all[:min(len(all), mostRows)], All: len(all)}
}

// Cut says how a list was cut, empty where it was not.
func (l list) Cut() string {
	if l.All == len(l.Rows) {
		return ""
	}
	return fmt.Sprintf("These are the %s that left most jobs without a post, of %s.", thousands(len(l.Rows)), thousands(l.All))
}

type groupCount struct {
	Group overview.Group
	Count int
}

func groupsOf(t reel.Totals) []groupCount {
	var out []groupCount
	counts := overview.CountsOf(t)
	for _, g := range overview.Groups() {
		out = append(out, groupCount{g, counts[g]})
	}
	return out
}

// table is the next few hundred jobs.
type table struct {
	First int  // the number of its first job, from 1
	Full  bool // it will have as many jobs as a table may: a browser may guess its height
	Jobs  iter.Seq[jobRow]
}

// tables deals the jobs out. Only one row at a time is in memory: each table must be gone through before the next one is asked for.
func tables(records iter.Seq2[reel.Record, error], all int, broken *error) iter.Seq[table] {
	return func(yield func(table) bool) {
		next, stop := iter.Pull2(records)
		defer stop()
		r, err, ok := next()
		for n := 0; ok && *broken == nil; {
			t := table{First: n + 1, Full: n+jobsInOne <= all, Jobs: func(yield func(jobRow) bool) {
				for in := 0; ok && in < jobsInOne; in++ {
					if *broken = err; err != nil || !yield(newJobRow(r)) {
						return
					}
					n++
					r, err, ok = next()
				}
			}}
			if !yield(t) {
				return
			}
		}
	}
}

type jobRow struct {
	reel.Record
	Video   string // without its folder
	Text    string // the caption, or its beginning
	Word    string
	Sign    string
	Next    string
	Link    string // the receipt's URL, where it is one that a browser may follow
	Failure string // whose trouble it was
	Seen    string // the error, or its beginning
}

func newJobRow(r reel.Record) jobRow {
	row := jobRow{Record: r, Word: stateWord(r.State), Sign: stateSign(r.State), Next: next(r), Text: short(r.Caption), Video: path.Base(reel.ShownVideo(r.VideoPath))}
	if strings.HasPrefix(r.Receipt.URL, "https://") || strings.HasPrefix(r.Receipt.URL, "http://") {
		row.Link = r.Receipt.URL
	}
	if r.State != reel.Succeeded {
		row.Seen = short(r.Error)
		if r.Verdict != (reel.Verdict{}) {
			row.Failure = trouble(r.Verdict)
		}
	}
	return row
}

// short cuts a long text at its end.
func short(s string) string {
	s = strings.TrimSpace(s)
	n := 0
	for i := range s {
		if n++; n > mostText {
			return s[:i] + "…"
		}
	}
	return s
}
