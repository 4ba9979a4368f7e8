package report_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html" // reads pages as browsers do
	"pgregory.net/rapid"

	"reelpass/internal/reel"
	"reelpass/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)

func plusOne() *time.Location { return time.FixedZone("Europe/Somewhere", 3600) }

func each(records []reel.Record) iter.Seq2[reel.Record, error] {
	return func(yield func(reel.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// journal is one that a test wrote.
type journal []reel.Event

func (j journal) events(yield func(reel.Event, error) bool) {
	for _, e := range j {
		if !yield(e, nil) {
			return
		}
	}
}

// night is a batch with jobs in every state, and how they came there.
func night() (reel.Status, journal, []reel.Record) {
	var events journal
	tell := func(minutes int, e reel.Event) {
		e.At = start.Add(time.Duration(minutes) * time.Minute)
		if e.Batch == "" {
			e.Batch = "spring <1>"
		}
		events = append(events, e)
	}
	offline := reel.Verdict{Category: reel.Infrastructure, Type: "adb_offline", Rule: "adb-offline"}
	suspended := reel.Verdict{Category: reel.Account, Type: "suspended", Rule: "suspended"}
	s := reel.Status{Batch: reel.Batch{Name: "spring <1>", Phase: reel.PhaseFinished, Result: reel.OnlyNonRetryable}}
	var records []reel.Record
	job := func(id, account, caption string, st reel.State, reason reel.Reason) *reel.Record {
		records = append(records, reel.Record{
			Job: reel.Job{ID: reel.JobID(id), Account: account, VideoPath: "/srv/videos/" + id + ".mp4", Caption: caption}, State: st, Reason: reason,
		})
		return &records[len(records)-1]
	}
	tell(0, reel.Event{Kind: reel.EventImported, Count: 34})
	tell(0, reel.Event{Kind: reel.EventImported, Count: 9000, Batch: "another"})
	for i := range 24 {
		id := fmt.Sprintf("reel-%02d", i+1)
		r := job(id, fmt.Sprintf("studio.%c", 'a'+i%5), "Autumn sale, day one: everything must go. #autumn @friend\nSee you there!", reel.Succeeded, "")
		r.Receipt = reel.Receipt{ID: fmt.Sprintf("C%02dxY", i), URL: fmt.Sprintf("https://www.instagram.com/reel/C%02dxY/", i)}
		r.CompletedAt, r.Pass = start.Add(time.Duration(2*i+1)*time.Minute), 1
		tell(2*i, reel.Event{Kind: reel.EventClaimed, Job: r.ID, Account: r.Account})
		if i%4 == 0 {
			tell(2*i+1, reel.Event{Kind: reel.EventFailed, Job: r.ID, Account: r.Account, Pass: 1, Evidence: &reel.Evidence{Text: "adb: device offline"}, Verdict: &offline, Decision: &reel.Decision{State: reel.Failed}})
			r.Error, r.Verdict = "adb: device offline", offline
			tell(50+i, reel.Event{Kind: reel.EventClaimed, Job: r.ID, Account: r.Account})
			tell(51+i, reel.Event{Kind: reel.EventSucceeded, Job: r.ID, Account: r.Account})
			continue
		}
		tell(2*i+1, reel.Event{Kind: reel.EventSucceeded, Job: r.ID, Account: r.Account})
	}
	for i, st := range []struct {
		state   reel.State
		reason  reel.Reason
		verdict reel.Verdict
		text    string
	}{
		{reel.Pending, "", reel.Verdict{}, ""},
		{reel.Running, "", reel.Verdict{}, ""},
		{reel.Publishing, "", reel.Verdict{}, ""},
		{reel.Failed, "", offline, "adb: device offline"},
		{reel.SetAside, reel.ReasonAccount, suspended, "We suspended your account. 180 days left to appeal or we'll permanently disable it"},
		{reel.SetAside, reel.ReasonAccountHold, reel.Verdict{}, ""},
		{reel.Exhausted, reel.ReasonInfraLimit, offline, strings.Repeat("adb: device offline ", 30)},
		{reel.OutOfPasses, reel.ReasonMaxPasses, reel.Verdict{Category: reel.Unknown}, `"Reels+" is not a supported thing`},
		{reel.InDoubt, "", reel.Verdict{Category: reel.Infrastructure, Type: "worker_lost"}, "the worker died"},
		{reel.Cancelled, reel.ReasonCancelled, reel.Verdict{}, ""},
	} {
		r := job(fmt.Sprintf("late-%d", i+1), "studio.held", "", st.state, st.reason)
		r.Error, r.Verdict, r.DuePass = st.text, st.verdict, 2
		if st.verdict != (reel.Verdict{}) {
			kind := reel.EventFailed
			if st.state == reel.InDoubt {
				kind = reel.EventInDoubt
			}
			tell(60+i, reel.Event{Kind: reel.EventClaimed, Job: r.ID, Account: r.Account})
			tell(61+i, reel.Event{Kind: kind, Job: r.ID, Account: r.Account, Pass: 1, Evidence: &reel.Evidence{Text: st.text}, Verdict: &st.verdict, Decision: &reel.Decision{State: st.state}})
		}
	}
	evil := job(`"><script>alert(1)</script>`, "<b>@evil", "</td><img src=https://evil.example/x onerror=alert(1)>", reel.Succeeded, "")
	evil.Receipt = reel.Receipt{ID: "javascript", URL: "javascript:alert(1)"}
	evil.VideoPath = "https://u:hunter2@h.example/v.mp4?sig=hunter2"
	for _, r := range records {
		s.Totals.Jobs++
		s.Totals.Add(r.State, 1)
	}
	s.Totals.Attempts = 1_234_567
	s.Passes = []reel.PassStats{
		{Pass: 1, Processed: 29, Succeeded: 18, Failed: reel.Failures{Account: 1, Infrastructure: 8, Unknown: 1}, InDoubt: 1, SetAside: 2, Exhausted: 1, Retryable: 7, SuccessRate: 62.1, StartedAt: start, EndedAt: start.Add(70 * time.Minute)},
		{Pass: 2, Processed: 6, Succeeded: 6, SuccessRate: 100, StartedAt: start.Add(2 * time.Hour)},
	}
	slices.SortStableFunc(events, func(x, y reel.Event) int { return x.At.Compare(y.At) })
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	return s, events, records
}

func write(t testing.TB, w io.Writer, s reel.Status, j journal, records []reel.Record) {
	t.Helper()
	course, err := report.CourseOf(j.events, s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Write(w, s, course, each(records), start.Add(3*time.Hour), plusOne()); err != nil {
		t.Fatal(err)
	}
}

func TestPageGolden(t *testing.T) {
	var b strings.Builder
	s, j, records := night()
	write(t, &b, s, j, records)
	page := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Error("the page is not as in testdata/page.html; with -update it is rewritten")
	}
	for _, want := range []string{ // added up from the journal, of this batch alone
		`infrastructure: adb offline</th><td class="n">8</td><td class="n">8</td><td class="n">6</td><td class="n">6</td><td class="n">0</td><td class="n">1</td><td class="n">1</td><td class="n">0</td>`,
		`studio.held</th><td class="n">5</td><td class="n">5</td>`, `>C01xY</a>`, "1,234,567 attempts", "h.example", "UTC&#43;01:00",
	} {
		if (want == "h.example") == strings.Contains(b.String(), want) {
			t.Errorf("%q", want)
		}
	}
}

// outside lists what a page would load or run, and where its links lead.
func outside(t rapid.TB, page string) (loads, links []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "link", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "source", "foreignobject", "image", "use":
			loads = append(loads, n.Data)
		case "style":
			if text := n.FirstChild.Data; strings.Contains(text, "url(") || strings.Contains(text, "@import") || strings.Contains(text, "@font-face") {
				loads = append(loads, "a style that loads")
			}
		}
		for _, a := range n.Attr {
			switch {
			case n.Data == "a" && a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "src" || a.Key == "href" || a.Key == "srcset" || a.Key == "action" || a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "background" || a.Key == "ping",
				strings.Contains(a.Val, "url(") && !strings.HasPrefix(a.Val, "url(#"), n.Data == "meta" && a.Val == "refresh":
				loads = append(loads, n.Data+" "+a.Key+"="+a.Val)
			}
		}
	}
	return loads, links
}

// Whatever stands in jobs, errors and receipts: the page loads and runs nothing, its links lead to posts only, and what it shows is text.
func TestPageAsksNobody(t *testing.T) {
	_, _, some := night()
	words := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		`"><script src=//evil.example/x></script>`, "</style><img src=//evil.example onerror=alert(1)>", "javascript:alert(1)", "' onmouseover='alert(1)", "data:text/html,x",
		"https://www.instagram.com/reel/C1/", "HTTPS://evil.example", "</title><link href=//evil.example>", "{{.}}", "<!--", "\x00\xff", "https://h/?a=1&b=\"><svg onload=alert(1)>",
	}))
	rapid.Check(t, func(t *rapid.T) {
		r := some[0]
		r.ID, r.Account, r.Caption, r.VideoPath = reel.JobID(words.Draw(t, "id")), words.Draw(t, "account"), words.Draw(t, "caption"), words.Draw(t, "video")
		r.Error, r.Receipt = words.Draw(t, "error"), reel.Receipt{ID: words.Draw(t, "receipt"), URL: words.Draw(t, "url")}
		r.Verdict = reel.Verdict{Category: reel.Unknown, Type: words.Draw(t, "type")}
		r.State = rapid.SampledFrom(reel.States()).Draw(t, "state")
		s := reel.Status{Batch: reel.Batch{Name: words.Draw(t, "batch")}}
		s.Totals.Jobs = 1
		s.Totals.Add(r.State, 1)
		j := journal{
			{Seq: 1, At: start, Batch: s.Name, Kind: reel.EventImported, Count: 1},
			{Seq: 2, At: start.Add(time.Minute), Batch: s.Name, Kind: reel.EventFailed, Job: r.ID, Account: r.Account, Evidence: &reel.Evidence{Text: r.Error}, Verdict: &r.Verdict},
		}
		var b strings.Builder
		course, err := report.CourseOf(j.events, s.Name)
		if err == nil {
			err = report.Write(&b, s, course, each([]reel.Record{r}), start, time.UTC)
		}
		if err != nil {
			t.Fatal(err)
		}
		loads, links := outside(t, b.String())
		if len(loads) > 0 || strings.Contains(b.String(), "ZgotmplZ") {
			t.Fatalf("the page loads or runs %q", loads)
		}
		for _, link := range links {
			if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
				t.Fatalf("the page leads to %q", link)
			}
		}
	})
}

// A signed address is a secret, and where a video lies is nobody's matter.
func TestPageShowsNoAddress(t *testing.T) {
	s, j, records := night()
	var b strings.Builder
	write(t, &b, s, j, records)
	for _, secret := range []string{"hunter2", "/srv/videos"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the page shows %s", secret)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	var b strings.Builder
	write(t, &b, reel.Status{Batch: reel.Batch{Name: "b", Phase: reel.PhaseIdle}}, nil, nil)
	for _, want := range []string{"0 of 0 posted", "Not finished: idle.", "No pass has been started.", "No attempt has failed.", "There is no job."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q on the page", want)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// A fault of the jobs, of the journal or of the file comes out: half a report that calls itself whole is a lie.
func TestFaultsComeOut(t *testing.T) {
	cause := errors.New("cause")
	s, _, records := night()
	_, err := report.CourseOf(func(yield func(reel.Event, error) bool) { yield(reel.Event{}, cause) }, s.Name)
	for name, err := range map[string]error{
		"journal": err,
		"file":    report.Write(brokenWriter{cause}, s, report.Course{}, each(records), start, nil),
		"at once": report.Write(io.Discard, s, report.Course{}, func(yield func(reel.Record, error) bool) { yield(reel.Record{}, cause) }, start, nil),
		"jobs": report.Write(io.Discard, s, report.Course{}, func(yield func(reel.Record, error) bool) {
			if yield(records[0], nil) {
				yield(reel.Record{}, cause)
			}
		}, start, nil),
	} {
		if !errors.Is(err, cause) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// counting is how much was written, and how much memory was in use meanwhile.
type counting struct {
	bytes, writes, peak uint64
	tables              int
	tail                string // of the last piece: a tag may be cut in two
}

func (c *counting) Write(p []byte) (int, error) {
	const tag = "<colgroup"
	c.bytes += uint64(len(p))
	text := c.tail + string(p)
	c.tables += strings.Count(text, tag)
	c.tail = text[len(text)-min(len(text), len(tag)-1):]
	if c.writes++; c.writes%5 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		c.peak = max(c.peak, now.HeapAlloc)
	}
	return len(p), nil
}

// Every job is on the page, in tables of five hundred, and many need no more memory than a few.
func TestPageStreams(t *testing.T) {
	const many = 8_000 // a hundred thousand take no more: 48 MB of page
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	_, _, some := night()
	s := reel.Status{Batch: reel.Batch{Name: "many"}}
	s.Totals.Jobs = many
	s.Totals.Add(reel.Succeeded, many)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var c counting
	began := time.Now()
	err := report.Write(&c, s, report.Course{}, func(yield func(reel.Record, error) bool) {
		for range many {
			if !yield(some[0], nil) {
				return
			}
		}
	}, start, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d jobs: %d MB in %v, at most %d MiB more memory", many, c.bytes/1_000_000, time.Since(began), (c.peak-min(c.peak, before.HeapAlloc))>>20)
	if c.tables != many/500 {
		t.Errorf("%d tables", c.tables)
	}
	if c.peak == 0 || c.peak > before.HeapAlloc+3<<20 {
		t.Errorf("the heap grew by %d MiB", (c.peak-before.HeapAlloc)>>20)
	}
}
