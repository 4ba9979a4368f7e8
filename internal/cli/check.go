package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/console"
	"reelpass/internal/posts"
	"reelpass/internal/reel"
	"reelpass/internal/video"
)

func (a *app) checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check POSTS.csv",
		Short: "hold the videos and captions of a posts file against the platform's rules, before a run",
		Long: `Looks at every video and caption of a posts file and lists what Instagram would
refuse, and what it takes badly: container, codecs, length, size, frame rate,
shape, place of the index, and the limits of captions. Nothing is sent and
nothing is changed. Each video is read once, its headers alone. A video behind
an address is not fetched.

Exit code 0 where nothing would be refused, 2 where something would or the file
cannot be read. 'reelpass run' with publisher graph looks in the same way before
it sends anything.`,
		Example: "  reelpass check posts.csv\n  reelpass check posts.csv --json | jq -r 'select(.grave) | .video_path'",
		Args:    cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a problem")
	c.RunE = func(c *cobra.Command, args []string) error { return a.check(c.Context(), args[0], *asJSON) }
	return c
}

// verdictOf is what was found of one video. Texts are kept, facts are not: a file may have a million rows.
type verdictOf struct {
	problems []video.Problem
}

// checking goes through a posts file.
type checking struct {
	a                  *app
	asJSON             bool
	seen               map[string]verdictOf
	rows, grave, minor int
	elsewhere          int // behind an address
	bad                int // rows that are none
	told               time.Time
}

func (a *app) check(ctx context.Context, path string, asJSON bool) error {
	f, err := openWhole(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	k := &checking{a: a, asJSON: asJSON, seen: map[string]verdictOf{}, told: a.now()}
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return cannotRead("posts file", path, err)
	}
	format, err := posts.Detect(head[:n], path)
	if err != nil {
		return usage("%s: %w", path, err)
	}
	in := intake{path: path, now: a.now(), notice: func(text string) { fmt.Fprintln(a.err, path+": "+text) }, judge: func(reel.Evidence) reel.Verdict { return reel.Verdict{} }}
	for p, err := range in.posts(f, format) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			var row *posts.RowError
			if !errors.As(err, &row) {
				return usage("%s: %w", path, err)
			}
			k.bad++
			fmt.Fprintf(a.err, "%s: %v\n", path, err)
			continue
		}
		if err := k.row(p); err != nil {
			return err
		}
	}
	return k.end()
}

// row looks at one post.
func (k *checking) row(p reel.Post) error {
	k.rows++
	if now := k.a.now(); k.a.look().Live && now.Sub(k.told) > 200*time.Millisecond {
		k.told = now
		fmt.Fprintf(k.a.err, "\r%d rows, %d videos looked at ", k.rows, len(k.seen))
	}
	problems := video.CheckCaption(p.Caption)
	if reel.IsAddress(p.VideoPath) {
		k.elsewhere++
	} else {
		v, ok := k.seen[p.VideoPath]
		if !ok {
			v = k.look(p.VideoPath)
			k.seen[p.VideoPath] = v
		}
		problems = append(v.problems, problems...)
	}
	for _, x := range problems {
		if x.Grave {
			k.grave++
		} else {
			k.minor++
		}
		if err := k.tell(p, x); err != nil {
			return err
		}
	}
	return nil
}

func (k *checking) look(path string) verdictOf {
	_, problems, err := video.CheckFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problems = []video.Problem{{Code: "video_missing", Text: "is not there", Grave: true}}
	case err != nil:
		problems = []video.Problem{{Code: "video_unread", Text: "cannot be read: " + err.Error(), Grave: true}}
	}
	return verdictOf{problems: problems}
}

func (k *checking) tell(p reel.Post, x video.Problem) error {
	if k.asJSON {
		return json.NewEncoder(k.a.out).Encode(struct {
			Line    int    `json:"line"`
			JobID   string `json:"job_id,omitempty"`
			Account string `json:"account"`
			Video   string `json:"video_path"`
			Code    string `json:"code"`
			Text    string `json:"text"`
			Grave   bool   `json:"grave"`
		}{p.Line, string(p.ID), p.Account, reel.ShownVideo(p.VideoPath), x.Code, x.Text, x.Grave})
	}
	if k.a.look().Live {
		fmt.Fprint(k.a.err, "\r\033[K")
	}
	mark := "advice "
	if x.Grave {
		mark = "refused"
	}
	begin := fmt.Sprintf("%s  line %-5d %-16s ", mark, p.Line, console.Clean(p.Account))
	_, err := fmt.Fprintln(k.a.out, console.Hanging(begin, console.Clean(reel.ShownVideo(p.VideoPath))+": "+x.Text, k.a.look()))
	return err
}

// end says what was seen in all.
func (k *checking) end() error {
	if k.a.look().Live {
		fmt.Fprint(k.a.err, "\r\033[K")
	}
	if k.grave > 0 || k.bad > 0 {
		k.a.code = exitUsage
	}
	if k.asJSON {
		return nil
	}
	fmt.Fprintf(k.a.out, "%s, %s: %d would be refused, %s", count(k.rows, "post", "posts"), count(len(k.seen), "video", "videos"), k.grave, count(k.minor, "piece of advice", "pieces of advice"))
	if k.elsewhere > 0 {
		fmt.Fprintf(k.a.out, "; %s behind an address not looked at", count(k.elsewhere, "video", "videos"))
	}
	if k.bad > 0 {
		fmt.Fprintf(k.a.out, "; %s cannot be read", count(k.bad, "row", "rows"))
	}
	fmt.Fprintln(k.a.out)
	return nil
}
