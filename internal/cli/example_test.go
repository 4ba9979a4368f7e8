package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/cli"
)

// TestFolderExample runs the README's second example as its reader does: a program of one's own really publishes the files to
// a folder, and a second program answers whether they are there.
func TestFolderExample(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	for name, c := range map[string]struct {
		env  map[string]string
		exit int
	}{
		"as it is": {nil, 3}, // one post has no video
		"dying after each post": {map[string]string{ // in doubt, looked up, found
			"REELPASS_COMMAND_RUN": "sh,-c,python3 post_one.py && kill -9 $$",
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, part := range []string{"folder", filepath.Join("launch", "videos")} {
				if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("..", "..", "examples", part))); err != nil {
					t.Fatal(err)
				}
			}
			for _, left := range []string{".reelpass", "published"} {
				if err := os.RemoveAll(filepath.Join(dir, "folder", left)); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(filepath.Join(dir, "folder"))
			getenv := func(name string) string {
				if v, ok := c.env[name]; ok {
					return v
				}
				return os.Getenv(name)
			}
			var out, errs bytes.Buffer
			args := []string{"reelpass", "run", "posts.csv", "--retry-delay", "0"}
			if code := cli.Main(args, getenv, strings.NewReader(""), &out, &errs); code != c.exit {
				t.Fatalf("exit %d, want %d\n%s%s", code, c.exit, out.String(), errs.String())
			}
			posted, err := filepath.Glob(filepath.Join("published", "*", "*.mp4"))
			if err != nil || len(posted) != 4 {
				t.Errorf("published: %q, %v", posted, err)
			}
			out.Reset()
			if code := cli.Main([]string{"reelpass", "status", "--json"}, getenv, strings.NewReader(""), &out, &errs); code != 0 {
				t.Fatal(errs.String())
			}
			for _, want := range []string{`"succeeded":4`, `"set_aside":1`, `"in_doubt":0`} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the status does not say %s: %s", want, out.String())
				}
			}
		})
	}
}
