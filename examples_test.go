package reelpass_test

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reelpass/internal/config"
	"reelpass/internal/fault"
	"reelpass/internal/reel"
)

// rows reads the posts of an example by their header.
func rows(t *testing.T, example string) []map[string]string {
	t.Helper()
	file, err := os.Open(filepath.Join("examples", example, "posts.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var posts []map[string]string
	for _, record := range records[1:] {
		post := map[string]string{}
		for i, name := range records[0] {
			post[name] = record[i]
		}
		posts = append(posts, post)
	}
	return posts
}

func settingsOf(t *testing.T, example string) config.Settings {
	t.Helper()
	name := filepath.Join("examples", example, "reelpass.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := config.Load(name, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// The launch example tells one story of each kind, and the rules that are built in must see it so.
func TestLaunchExample(t *testing.T) {
	s := settingsOf(t, "launch")
	text, err := os.ReadFile(filepath.Join("examples", "launch", s.Rehearsal.Script))
	if err != nil {
		t.Fatal(err)
	}
	script := map[string][]string{}
	if err := json.Unmarshal(text, &script); err != nil {
		t.Fatal(err)
	}
	contents, accounts := map[[32]byte]string{}, map[string]bool{}
	jobs := map[string]string{}
	for _, post := range rows(t, "launch") {
		video, err := os.ReadFile(filepath.Join("examples", "launch", post["video_path"]))
		if err != nil {
			t.Error(err)
		}
		if len(video) < 12 || string(video[4:8]) != "ftyp" {
			t.Errorf("%s is no MP4", post["video_path"])
		}
		if other, ok := contents[sha256.Sum256(video)]; ok {
			t.Errorf("%s and %s are the same video", post["job_id"], other)
		}
		contents[sha256.Sum256(video)] = post["job_id"]
		accounts[post["account"]] = true
		jobs[post["job_id"]] = post["account"]
	}
	if len(jobs) != 12 || len(accounts) != 7 {
		t.Errorf("%d jobs on %d accounts", len(jobs), len(accounts))
	}
	rules, seen := fault.Default(), map[reel.Category]int{}
	for job, outcomes := range script {
		if jobs[job] == "" {
			t.Errorf("the script has a job %q that the posts do not have", job)
		}
		first := rules.Judge(reel.Evidence{Source: reel.SourceTool, Text: outcomes[0]})
		seen[first.Category]++
		for _, outcome := range outcomes[:len(outcomes)-1] {
			if v := rules.Judge(reel.Evidence{Source: reel.SourceTool, Text: outcome}); v.Category != first.Category {
				t.Errorf("%s: %q is %s, its first failure was %s", job, outcome, v.Category, first.Category)
			}
		}
		last := outcomes[len(outcomes)-1]
		heals := first.Category == reel.Infrastructure || first.Category == reel.Unknown
		if heals != (last == "ok") {
			t.Errorf("%s: %s trouble (%q) ends in %q", job, first.Category, outcomes[0], last)
		}
	}
	want := map[reel.Category]int{reel.Account: 1, reel.Content: 1, reel.Infrastructure: 3, reel.Unknown: 1}
	for category, n := range want {
		if seen[category] != n {
			t.Errorf("%d jobs with %s trouble, want %d", seen[category], category, n)
		}
	}
}

// The programs of the folder example keep the contract of exit codes, and never leave half a post.
func TestFolderExample(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	s := settingsOf(t, "folder")
	dir := t.TempDir()
	for _, program := range []string{"post_one.py", "is_it_there.py"} {
		text, err := os.ReadFile(filepath.Join("examples", "folder", program))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, program), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.Abs(filepath.Join("examples", "folder"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(argv []string, post map[string]string) (int, string) {
		t.Helper()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "REELPASS_JOB_ID="+post["job_id"], "REELPASS_ACCOUNT="+post["account"],
			"REELPASS_VIDEO_PATH="+filepath.Join(root, post["video_path"]), "REELPASS_CAPTION="+post["caption"])
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	for _, post := range rows(t, "folder") {
		if code, _ := run(s.Command.Find, post); code != 1 {
			t.Errorf("%s is looked up before it is posted: exit %d, want 1", post["job_id"], code)
		}
		video, err := os.ReadFile(filepath.Join(root, post["video_path"]))
		code, out := run(s.Command.Run, post)
		if err != nil {
			if code != 65 {
				t.Errorf("%s has no video: exit %d, want 65", post["job_id"], code)
			}
			continue
		}
		var receipt reel.Receipt
		if err := json.Unmarshal([]byte(out), &receipt); code != 0 || err != nil || receipt.ID != post["job_id"] {
			t.Errorf("%s: exit %d, receipt %q, %v", post["job_id"], code, out, err)
		}
		published := filepath.Join(dir, "published", post["account"])
		if got, err := os.ReadFile(filepath.Join(published, post["job_id"]+".mp4")); err != nil || string(got) != string(video) {
			t.Errorf("%s is not what was published, %v", post["job_id"], err)
		}
		if code, found := run(s.Command.Find, post); code != 0 || found != out {
			t.Errorf("%s is looked up: exit %d, %q, want 0 and %q", post["job_id"], code, strings.TrimSpace(found), out)
		}
		if parts, _ := filepath.Glob(filepath.Join(published, ".*.part")); len(parts) > 0 {
			t.Errorf("left over: %v", parts)
		}
	}
	closed := rows(t, "folder")[0]
	if err := os.WriteFile(filepath.Join(dir, "published", closed["account"], "CLOSED"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _ := run(s.Command.Run, closed); code != 77 {
		t.Errorf("a closed account: exit %d, want 77", code)
	}
	full := map[string]string{"job_id": "x", "account": "y\x01/" + strings.Repeat("z", 300), "video_path": closed["video_path"]}
	if code, _ := run(s.Command.Run, full); code != 75 {
		t.Errorf("a folder that cannot be made: exit %d, want 75", code)
	}
}
