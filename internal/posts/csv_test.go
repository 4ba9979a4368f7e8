package posts_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/posts"
	"reelpass/internal/reel"
)

func TestReadCSV(t *testing.T) {
	one := reel.Job{ID: "j1", Account: "acc1", VideoPath: "/v/1.mp4", Caption: "Hi"}
	derived := one
	derived.ID = posts.DeriveID("acc1", "/v/1.mp4")
	with := func(j reel.Job, caption string) reel.Job { j.Caption = caption; return j }
	at := func(j reel.Job, when time.Time) reel.Job { j.PublishAt = when; return j }
	for _, c := range []struct {
		name, in string
		want     []reel.Job
		notice   string
	}{
		{"plain", "account,video_path,caption\nacc1,/v/1.mp4,Hi\n", []reel.Job{derived}, ""},
		{"no last line end", "account,video_path,caption\nacc1,/v/1.mp4,Hi", []reel.Job{derived}, ""},
		{"last line ends in CR", "account,video_path,caption\r\nacc1,/v/1.mp4,Hi\r", []reel.Job{derived}, ""},
		{"header alone", "account,video_path,caption\n", nil, ""},
		{"order, case, spaces, id", "Caption, JOB_ID ,VIDEO_path,Account\nHi, j1 , /v/1.mp4 ,\tacc1 \n", []reel.Job{one}, ""},
		{"empty id is derived", "job_id,account,video_path,caption\n,acc1,/v/1.mp4,Hi\n", []reel.Job{derived}, ""},
		{"BOM, CRLF, semicolon", "\uFEFFaccount;video_path;caption\r\nacc1;/v/1.mp4;Hi, you\r\n", []reel.Job{with(derived, "Hi, you")}, ""},
		{"tab", "account\tvideo_path\tcaption\nacc1\t/v/1.mp4\tHi; you, too\n", []reel.Job{with(derived, "Hi; you, too")}, ""},
		{"quoted header", "\"account\";\"video_path\";\"caption\"\nacc1;/v/1.mp4;Hi\n", []reel.Job{derived}, ""},
		{"quotes and lines", "account,video_path,caption\r\nacc1,/v/1.mp4,\"a \"\"b\"\",\r\n\r\nc \"\r\n", []reel.Job{with(derived, "a \"b\",\n\nc ")}, ""},
		{"caption is not trimmed", "account,video_path,caption\nacc1,/v/1.mp4,  Hi \n", []reel.Job{with(derived, "  Hi ")}, ""},
		{"empty caption, empty lines", "\n  \naccount,video_path,caption\n\nacc1,/v/1.mp4,\n\n", []reel.Job{with(derived, "")}, ""},
		{"unknown columns", "account,x,video_path,Y z,caption\nacc1,1,/v/1.mp4,2,Hi\n", []reel.Job{derived}, `the columns "x", "Y z" are ignored`},
		{"rows of commas", "account,video_path,caption\n,,\nacc1,/v/1.mp4,Hi\n , ,\n", []reel.Job{derived}, "2 rows without any content were left out"},
		{"publish_at with zone", "account,video_path,caption,publish_at\nacc1,/v/1.mp4,Hi,2026-01-02T15:04:05Z\n", []reel.Job{at(derived, time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC))}, ""},
		{"publish_at local", "account,video_path,caption,publish_at\nacc1,/v/1.mp4,Hi, 2026-01-02 15:04 \n", []reel.Job{at(derived, time.Date(2026, 1, 2, 14, 4, 0, 0, time.UTC))}, ""},
		{"publish_at local seconds", "account,video_path,caption,publish_at\nacc1,/v/1.mp4,Hi,2026-01-02 15:04:05\n", []reel.Job{at(derived, time.Date(2026, 1, 2, 14, 4, 5, 0, time.UTC))}, ""},
		{"the longest caption", "account,video_path,caption\nacc1,/v/1.mp4," + strings.Repeat("é", 32<<10) + "\n", []reel.Job{with(derived, strings.Repeat("é", 32<<10))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems, notices := read(t, posts.ReadCSV, strings.NewReader(c.in))
			if len(problems) > 0 {
				t.Fatalf("errors: %q", problems)
			}
			if strings.Join(notices, "\n") != c.notice {
				t.Errorf("notices %q, want %q", notices, c.notice)
			}
			if !slices.EqualFunc(got, c.want, func(p reel.Post, j reel.Job) bool { return sameJob(p.Job, j) && p.Past == nil }) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func sameJob(a, b reel.Job) bool {
	same := a.PublishAt.Equal(b.PublishAt)
	a.PublishAt, b.PublishAt = time.Time{}, time.Time{}
	return same && a == b
}

func TestReadCSVBad(t *testing.T) {
	const header = "account,video_path,caption\n"
	for _, c := range []struct {
		name, in string
		want     []string // the errors, in order
		rows     int      // posts read all the same
	}{
		{"empty", "", []string{"the file is empty"}, 0},
		{"white space", "\n \r\n", []string{"the file is empty"}, 0},
		{"only a BOM", "\uFEFF", []string{"the file is empty"}, 0},
		{"no header", "acc1,/v/1.mp4,Hi\n", []string{"line 1: no header: the first line must name the columns account, video_path, caption"}, 0},
		{"one missing", "\naccount,caption\nacc1,Hi\n", []string{"line 2: the column video_path is missing from the header"}, 0},
		{"two missing", "account\nacc1\n", []string{"line 1: the columns video_path, caption are missing from the header"}, 0},
		{"column twice", "account,video_path,caption,Account\n", []string{"line 1: the column account is twice in the header"}, 0},
		{"header quote", "account,video_path,\"caption\" x\n", []string{"line 1: the header cannot be read: text after the closing quote of a cell"}, 0},
		{"UTF-16 LE", "\xFF\xFEa\x00", []string{"line 1: the text is UTF-16 (little endian), not UTF-8"}, 0},
		{"UTF-16 BE", "\xFE\xFF\x00a", []string{"line 1: the text is UTF-16 (big endian), not UTF-8"}, 0},
		{"not UTF-8", header + "a,/v,x\na,/w,caf\xE9\na,/z,x\n", []string{"line 3, column 9: the text is not UTF-8"}, 1},
		{"not UTF-8 in quotes", header + "a,/v,\"x\n\xE9\"\n", []string{"line 3, column 1: the text is not UTF-8"}, 0},
		{"NUL", header + "a,/v,x\x00y\n", []string{"line 2, column 7: a NUL byte: this is not a text file, or it is UTF-16"}, 0},
		{"CR alone", "account,video_path,caption\racc1,/v,Hi\r", []string{"line 1: the lines end in CR alone, not in LF or CRLF"}, 0},
		{"open quote", header + "a,/v,x\na,/w,\"x\ny\nz\n", []string{"line 3: a quote opens here and is never closed"}, 1},
		{"open quote in a later cell", header + "\"a\n\",/w,\"x\ny\n", []string{"line 3: a quote opens here and is never closed"}, 0},
		{"open quote in a large file", header + "a,/w,\"x\n" + strings.Repeat("a,/v,x\n", 200_000), []string{"line 2: a quote opens here and is not closed within 1 MiB"}, 0},
		{"long line", header + "a,/v,x\na,/w," + strings.Repeat("x", 1<<20) + "\n", []string{"line 3: the line is longer than 1 MiB"}, 1},
		{"short, long", header + "a,/v\na,/v,x,y\na,/w,x\n", []string{
			"line 2: the row is too short: 2 cells where the header has 3", "line 3: the row is too long: 4 cells where the header has 3",
		}, 1},
		{"empty cells", header + ",/v,x\n\"x\ny\",\" \",z\na, ,x\na,/w,x\n", []string{
			"line 2: account: is empty", "line 3: account: holds a control character or a line break", "line 5: video_path: is empty",
		}, 1},
		{"quotes", header + "a,/v,x\"y\na,/v,\"x\" y\na,/v,\"x\ny\"z\na,/w,x\n", []string{
			"line 2: a quote inside a cell that does not start with one", "line 3: text after the closing quote of a cell",
			"line 4: the quote opened on line 4 ends on line 5 in the middle of a cell: one of them is too many",
		}, 1},
		{"long cells", header + "a,/v," + strings.Repeat("x", 64<<10+1) + "\n" + strings.Repeat("a", 256) + ",/v,x\n", []string{
			"line 2: caption: has 65537 bytes, at most 65536 are taken", "line 3: account: has 256 bytes, at most 255 are taken",
		}, 0},
		{"cells without end", header + "\"\n\"" + strings.Repeat(",", 1<<17) + "\n", []string{"line 3: a row has more than 65536 cells"}, 0},
		{"header again", header + "a,/v,x\n" + header + "a,/w,x\n", []string{"line 3: the header is here a second time"}, 2},
		{"addresses", header + "a,http://h/v.mp4,x\na,https://u:hunter2/x@h/v,x\na,s3://b,x\na,https://h/v.mp4?***,x\na,gs://b/v.mp4,x\n", []string{
			"line 2: video_path: cannot be fetched: http:// is not one of https, s3, gs and file",
			"line 3: video_path: is not a well-formed address",
			"line 4: video_path: names no object after its bucket",
			"line 5: video_path: has *** where a secret was masked: take the address from where it was first written",
		}, 1},
		{"publish_at", "account,video_path,caption,publish_at\na,/v,x,tomorrow\na,/v,x,2026-02-30 10:00\n", []string{
			`line 2: publish_at: "tomorrow" is neither RFC 3339 nor 2006-01-02 15:04[:05]`,
			`line 3: publish_at: "2026-02-30 10:00" is neither RFC 3339 nor 2006-01-02 15:04[:05]`,
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems, _ := read(t, posts.ReadCSV, strings.NewReader(c.in))
			if !slices.Equal(problems, c.want) {
				t.Errorf("errors\n got %q\nwant %q", problems, c.want)
			}
			if len(got) != c.rows {
				t.Errorf("%d posts, want %d", len(got), c.rows)
			}
		})
	}
}

func TestReadCSVSkippedHour(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zone data on this machine")
	}
	in := "account,video_path,caption,publish_at\na,/v,x,2026-03-29 02:30\n"
	for _, err := range posts.ReadCSV(strings.NewReader(in), posts.Options{Location: berlin}) {
		if err == nil || !strings.Contains(err.Error(), "the clocks skip it") {
			t.Errorf("got %v", err)
		}
	}
}

func TestReadCSVBrokenReader(t *testing.T) {
	cause := errors.New("disk on fire")
	in := io.MultiReader(strings.NewReader("account,video_path,caption\na,/v,x\nb,/v"), iotest.ErrReader(cause))
	rows := 0
	var last error
	for _, err := range posts.ReadCSV(in, posts.Options{}) {
		if last = err; err == nil {
			rows++
		}
	}
	if file, ok := errors.AsType[*posts.FileError](last); rows != 1 || !ok || file.Line != 3 || !errors.Is(last, cause) {
		t.Errorf("%d rows, then %v; want 1, then a FileError on line 3 around %v", rows, last, cause)
	}
}

func TestReadCSVStopsWhenAsked(t *testing.T) {
	in := "account,video_path,caption\na,/v\na,/v,x\na,/v,x\n"
	n := 0
	for range posts.ReadCSV(strings.NewReader(in), posts.Options{}) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d values", n)
	}
}

// Whatever encoding/csv writes, in any of the separators, reads back equal (but for CRLF in captions, which is LF).
func TestReadCSVReadsWhatIsWritten(t *testing.T) {
	name := rapid.StringMatching(`[a-z0-9_."',;é🎉 -]{0,20}[a-z0-9"]`).Filter(func(s string) bool { return s == strings.TrimSpace(s) })
	caption := rapid.StringOf(rapid.SampledFrom([]rune("ab \"',;\t\n\r=@é🎉\u2028")))
	rapid.Check(t, func(t *rapid.T) {
		var want []reel.Job
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma = rapid.SampledFrom([]rune{',', ';', '\t'}).Draw(t, "comma")
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		if err := w.Write([]string{"caption", "account", "job_id", "video_path"}); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 20).Draw(t, "rows") {
			j := reel.Job{ID: reel.JobID(name.Draw(t, "id")), Account: name.Draw(t, "account"), VideoPath: name.Draw(t, "path"), Caption: caption.Draw(t, "caption")}
			if err := w.Write([]string{j.Caption, j.Account, string(j.ID), j.VideoPath}); err != nil {
				t.Fatal(err)
			}
			if w.UseCRLF { // then the writer itself drops a CR and makes CRLF of LF
				j.Caption = strings.ReplaceAll(j.Caption, "\r", "")
			}
			j.Caption = strings.ReplaceAll(j.Caption, "\r\n", "\n")
			want = append(want, j)
		}
		w.Flush()
		i := 0
		for p, err := range posts.ReadCSV(&file, posts.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || p.Job != want[i] {
				t.Fatalf("row %d: got %+v, want %+v", i, p.Job, want)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d rows, want %d", i, len(want))
		}
	})
}

func TestDeriveID(t *testing.T) {
	for _, c := range []struct{ account, path, want string }{
		{"acc1", "/v/clip01.mp4", "acc1-clip01-"},
		{"@a.b_c", `C:\videos\My  clip (1).final.MP4`, "a.b_c-My-clip-1-.final-"},
		{"анна", "/v/День 1.mp4", "анна-День-1-"},
		{"!!", "/v/.mp4", ".mp4-"},
		{strings.Repeat("a", 100), "/v/" + strings.Repeat("b", 100), strings.Repeat("a", 32) + "-" + strings.Repeat("b", 48) + "-"},
	} {
		got := string(posts.DeriveID(c.account, c.path))
		if stem, ok := strings.CutPrefix(got, c.want); !ok || len(stem) != 8 {
			t.Errorf("%s, %s: got %q, want %q and 8 digits", c.account, c.path, got, c.want)
		}
	}
	// Ids in ledgers are for ever: this one must never change.
	if got := posts.DeriveID("acc1", "/v/clip01.mp4"); got != "acc1-clip01-2cbf7fca" {
		t.Errorf("the id of an old job has changed to %s", got)
	}
	if got := posts.DeriveID("a", "https://h/clip?X-Amz-Credential=AKIA/2026/s3&X-Amz-Signature=hunter2"); !strings.HasPrefix(string(got), "a-clip-") || len(got) != len("a-clip-12345678") {
		t.Errorf("got %s", got)
	}
	if posts.DeriveID("a", "b/c.mp4") == posts.DeriveID("a", "d/c.mp4") {
		t.Error("two videos of one account have the same id")
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		in, name string
		want     posts.Format
		problem  string
	}{
		{"account,video_path,caption\n", "p.csv", posts.PostsCSV, ""},
		{"\uFEFFCaption;Account;Video_path\r\n", "p", posts.PostsCSV, ""},
		{"account,video_path,caption,status\n", "p.csv", posts.PostsCSV, ""},
		{"job_id,account,video_path,caption,status,worker_id,attempts\nv1,a", "progress.csv", posts.ProgressCSV, ""},
		{"\uFEFF \n{\"jobs\":", "x.csv", posts.SchedulerState, ""},
		{"[{}]", "dir/x.json", "", "line 1: x.json is a JSON list; a scheduler state is a JSON object with a list named jobs"},
		{"", "x.csv", "", "the file is empty"},
		{"\xFF\xFEa\x00", "x.csv", "", "line 1: the text is UTF-16 (little endian), not UTF-8"},
		{"hello\n", "dir/x.csv", "", "line 1: x.csv has no header that is known: a posts file names the columns account, video_path and caption, a progress file job_id, account, video_path, caption, status and attempts"},
	} {
		got, err := posts.Detect([]byte(c.in), c.name)
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if got != c.want || problem != c.problem {
			t.Errorf("%q: got %q, %q; want %q, %q", c.in, got, problem, c.want, c.problem)
		}
	}
}
