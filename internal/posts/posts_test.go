package posts_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/posts"
	"reelpass/internal/reel"
)

var update = flag.Bool("update", false, "write the golden files anew")

// plusOne is a zone that no machine has by chance.
func plusOne() *time.Location { return time.FixedZone("UTC+1", 3600) }

type readFunc func(io.Reader, posts.Options) iter.Seq2[reel.Post, error]

// read gathers everything a reader says: posts, errors as text, notices.
func read(t testing.TB, f readFunc, r io.Reader) (got []reel.Post, problems, notices []string) {
	t.Helper()
	o := posts.Options{Location: plusOne(), Notice: func(s string) { notices = append(notices, s) }}
	for p, err := range f(r, o) {
		if err != nil {
			_, row := errors.AsType[*posts.RowError](err)
			if _, file := errors.AsType[*posts.FileError](err); row == file {
				t.Errorf("error of type %T: %v", err, err)
			}
			problems = append(problems, err.Error())
			continue
		}
		got = append(got, p)
	}
	return got, problems, notices
}

func readFile(t testing.TB, f readFunc, name string) (got []reel.Post, problems, notices []string) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return read(t, f, file)
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is different; look at it with -update.\ngot:\n%s", name, got)
	}
}

// list prints posts so that a golden file can be read by a person.
func list(got []reel.Post, problems, notices []string) string {
	var b strings.Builder
	for _, p := range got {
		fmt.Fprintf(&b, "%d: %s %s %s caption=%q max=%d", p.Line, p.ID, p.Account, p.VideoPath, p.Caption, p.MaxAttempts)
		if past := p.Past; past != nil {
			fmt.Fprintf(&b, "\n   %s", past.State)
			if past.Reason != "" {
				fmt.Fprintf(&b, "/%s", past.Reason)
			}
			fmt.Fprintf(&b, " attempts=%d pass=%d worker=%d share=%t text=%q note=%q", past.Tally.Attempts, past.Pass, past.Worker,
				past.Evidence.ShareBegun, past.Evidence.Text, past.Evidence.Note)
			for _, at := range []time.Time{past.ClaimedAt, past.CompletedAt} {
				if at.IsZero() {
					b.WriteString(" -")
				} else {
					fmt.Fprintf(&b, " %s", at.Format(time.RFC3339Nano))
				}
			}
			if past.Verdict != (reel.Verdict{}) || past.Evidence.Source != "" {
				b.WriteString(" JUDGED")
			}
		}
		b.WriteByte('\n')
	}
	for _, s := range problems {
		fmt.Fprintf(&b, "error: %s\n", s)
	}
	for _, s := range notices {
		fmt.Fprintf(&b, "notice: %s\n", s)
	}
	return b.String()
}

func TestEarlierFiles(t *testing.T) {
	for _, c := range []struct {
		file string
		read readFunc
	}{
		{"progress13.csv", posts.ReadProgress},
		{"progress15.csv", posts.ReadProgress},
		{"progress17.csv", posts.ReadProgress},
		{"progress_shifted.csv", posts.ReadProgress},
		{"state_single.json", posts.ReadSchedulerState},
		{"state_parallel.json", posts.ReadSchedulerState},
	} {
		t.Run(c.file, func(t *testing.T) {
			golden(t, c.file+".golden", list(readFile(t, c.read, c.file)))
		})
	}
}

// A job that a worker had in its hands, or whose status is lost, may be on the account already: it must never be ready.
func TestEarlierClaimsAreNeverReady(t *testing.T) {
	const header = "job_id,account,video_path,caption,status,worker_id,claimed_at,completed_at,error,attempts\n"
	for _, row := range []string{
		"v,a,/v,c,claimed,1,2025-12-14T10:00:00,,,0", "v,a,/v,c,claimed,,,,,", "v,a,/v,c,,1,,,,0", "v,a,/v,c,,,2025-12-14T10:00:00,,,0",
		"v,a,/v,c,in_progress,1,,,,0", "v,a,/v,c,skipped,,,,,0", "v,a,/v,c,terminated,,,,,0", "v,a,/v,c,verification_pending,,,,,0", "v,a,/v,c,success,1,,,,0",
	} {
		got, problems, _ := read(t, posts.ReadProgress, strings.NewReader(header+row+"\n"))
		if len(got) != 1 || len(problems) != 0 || got[0].Past == nil {
			t.Fatalf("%s: got %v, %v", row, got, problems)
		}
		if got[0].Past.State.Ready() {
			t.Errorf("%s: is %s, so a pass would take it", row, got[0].Past.State)
		}
	}
}
