package posts_test

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"reelpass/internal/posts"
)

func TestReadSchedulerStateBad(t *testing.T) {
	const job = `{"id":"a","account":"acc","video_path":"/v","status":"pending"}`
	for _, c := range []struct {
		name, in string
		want     string
		rows     int
	}{
		{"empty", "", "the file is empty", 0},
		{"white space", " \n ", "the file is empty", 0},
		{"list", `[1]`, "line 1, column 1: a scheduler state is a JSON object, and this is none", 0},
		{"text", "hello", "line 1, column 1: bad JSON: invalid character 'h' looking for beginning of value", 0},
		{"no jobs", `{"accounts":[{"jobs":[]}]}`, "there is no list named jobs", 0},
		{"jobs is null", "{\n \"jobs\": null}", "line 2, column 10: jobs is not a list", 0},
		{"jobs twice", `{"jobs":[],"jobs":[]}`, "line 1, column 12: there is a second list named jobs", 0},
		{"cut in the list", `{"jobs":[` + job + ",\n", "line 2, column 1: the JSON ends too early", 1},
		{"cut in a job", `{"jobs":[` + job + ",\n{\"id\":", "line 2, column 7: the JSON ends too early", 1},
		{"cut after the list", `{"jobs":[` + job + "]", "line 1, column 74: the JSON ends too early", 1},
		{"cut in a skipped value", `{"settings":{"a":[`, "line 1, column 19: the JSON ends too early", 0},
		{"bad in a job", "{\"jobs\":[" + job + ",\n  " + job + ",\n  {\"id\": \"b\",\n   \"attempts\": 1,}]}", "line 4, column 18: bad JSON: invalid character '}' looking for beginning of object key string", 2},
		{"bad between jobs", "{\"jobs\":[" + job + "\n  " + job + "]}", "line 2, column 3: bad JSON: expected comma after array element", 1},
		{"bad in a skipped value", "{\"settings\":{\n \"a\":tru }}", "line 2, column 9: bad JSON: invalid character ' ' in literal true (expecting 'e')", 0},
		{"comment", "{\n // no\n}", "line 2, column 2: bad JSON: invalid character '/'", 0},
		{"more behind", `{"jobs":[]} x`, "line 1, column 13: there is more after the end of the JSON object", 0},
		{"two objects", "{\"jobs\":[]}\n{}", "line 2, column 1: there is more after the end of the JSON object", 0},
		{"not UTF-8", "{\"jobs\":[" + job + ",\n{\"id\":\"\xE9\"}]}", "line 2, column 8: the text is not UTF-8", 1},
		{"UTF-16", "\xFF\xFE{\x00", "line 1: the text is UTF-16 (little endian), not UTF-8", 0},
		{"too long a value", `{"jobs":[{"id":"` + strings.Repeat("x", 3<<20) + `"}]}`, "line 1, column 10: one value is longer than 1 MiB", 0},
		{"too deep", `{"x":` + strings.Repeat("[", 5000), "line 1, column 1005: lists and objects are nested too deeply", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems, _ := read(t, posts.ReadSchedulerState, strings.NewReader(c.in))
			if len(problems) != 1 || problems[0] != c.want {
				t.Errorf("errors\n got %q\nwant %q", problems, c.want)
			}
			if len(got) != c.rows {
				t.Errorf("%d posts, want %d", len(got), c.rows)
			}
		})
	}
}

func TestReadSchedulerStateBOM(t *testing.T) {
	got, problems, _ := read(t, posts.ReadSchedulerState, strings.NewReader("\uFEFF{\"jobs\":[{\"account\":\"a\",\"video_path\":\"/v.mp4\"}]}"))
	if len(problems) != 0 || len(got) != 1 || got[0].ID != posts.DeriveID("a", "/v.mp4") {
		t.Errorf("got %+v, %q", got, problems)
	}
}

// endless gives n times the same text, without holding it.
type endless struct {
	head, text, tail string
	n                int
	rest             string
}

func (e *endless) Read(p []byte) (int, error) {
	for e.rest == "" {
		switch {
		case e.head != "":
			e.rest, e.head = e.head, ""
		case e.n > 0:
			e.rest, e.n = e.text, e.n-1
		case e.tail != "":
			e.rest, e.tail = e.tail, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// Memory must not grow with the file, neither for a sound one nor for one that is broken on purpose.
func TestMemoryIsConstant(t *testing.T) {
	const mib = 1 << 20
	job := `{"id":"a","account":"acc","video_path":"/v","caption":"` + strings.Repeat("x", 900) + `","status":"pending"}`
	for _, c := range []struct {
		name string
		read readFunc
		in   *endless
		want int
	}{
		{"csv", posts.ReadCSV, &endless{head: "account,video_path,caption\n", text: "acc,/v," + strings.Repeat("x", 1000) + "\n", n: 64 << 10}, 64 << 10},
		{"open quote", posts.ReadCSV, &endless{head: "account,video_path,caption\na,/v,\"", text: strings.Repeat("x", 1000) + "\n", n: 64 << 10}, 1},
		{"one line", posts.ReadCSV, &endless{head: "account,video_path,caption\n", text: strings.Repeat("x", 1024), n: 64 << 10}, 1},
		{"jobs", posts.ReadSchedulerState, &endless{head: `{"jobs":[` + job, text: "," + job, n: 32 << 10, tail: "]}"}, 32<<10 + 1},
		{"skipped list", posts.ReadSchedulerState, &endless{head: `{"jobs":[],"accounts":[1`, text: "," + strings.Repeat(" ", 1000) + "1", n: 16 << 10, tail: "]}"}, 0},
		{"one string", posts.ReadSchedulerState, &endless{head: `{"jobs":["`, text: strings.Repeat("x", 1024), n: 64 << 10}, 1},
		{"white space", posts.ReadSchedulerState, &endless{head: `{"jobs":[`, text: strings.Repeat(" ", 64<<10), n: 1 << 10, tail: "]}"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			values, peak := 0, uint64(0)
			for range c.read(c.in, posts.Options{}) {
				if values++; values%8192 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
				}
			}
			if values != c.want {
				t.Errorf("%d values, want %d", values, c.want)
			}
			runtime.ReadMemStats(&now)
			if values < 2 { // nothing was measured on the way: then what was ever allocated bounds it
				peak = before.HeapAlloc + now.TotalAlloc - before.TotalAlloc
			}
			if peak > before.HeapAlloc+16*mib {
				t.Errorf("the heap grew by %d MiB", (peak-before.HeapAlloc)/mib)
			}
		})
	}
}

func FuzzReaders(f *testing.F) {
	for _, s := range []string{
		"account,video_path,caption\nacc1,/v/1.mp4,\"a\n\"\"b\"\n", "\uFEFFaccount;video_path;caption;publish_at\r\na;b;c;2026-01-02 15:04\r\n",
		"account,video_path,caption\na,\"b\" c,d\n\"", "job_id,account,video_path,caption,status,attempts\nv1,a,/v,x,claimed,1\n",
		`{"jobs":[{"id":"a","account":"b","video_path":"c","status":"in_progress","attempts":"1"}, 3],"x":[{}]}`, "{\"jobs\":[{\"a\":\n}", "\xFF\xFE",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, reader := range map[string]readFunc{"csv": posts.ReadCSV, "progress": posts.ReadProgress, "state": posts.ReadSchedulerState} {
			got, problems, _ := read(t, reader, strings.NewReader(string(in)))
			lines := 1 + strings.Count(string(in), "\n")
			if len(got)+len(problems) > len(in)+1 {
				t.Errorf("%s: %d posts and %d errors from %d bytes", name, len(got), len(problems), len(in))
			}
			for _, p := range got {
				if p.ID == "" || p.Account == "" || p.VideoPath == "" || p.Line < 1 || p.Line > lines {
					t.Errorf("%s: half a post %+v", name, p)
				}
				if (p.Past != nil) != (name != "csv") {
					t.Errorf("%s: past %+v", name, p.Past)
				}
			}
			again, problemsAgain, _ := read(t, reader, &endless{head: string(in)})
			if len(again) != len(got) || !slices.Equal(problems, problemsAgain) {
				t.Errorf("%s: read twice, two answers: %q and %q", name, problems, problemsAgain)
			}
		}
		_, _ = posts.Detect(in, "x")
	})
}
