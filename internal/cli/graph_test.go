package cli_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The official way from end to end, against a false API: a token is taken, kept encrypted and checked, a batch is posted once each, and a
// run that is killed in its midst is gone on with. No token stands anywhere.
func TestTheOfficialWay(t *testing.T) {
	dir := t.TempDir()
	program := build(t, dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("v.mp4", strings.Repeat("v", 200_000))
	write("w.mp4", strings.Repeat("w", 200_000))
	write("posts.csv", "account,video_path,caption\nsim-1,v.mp4,one\nsim-1,w.mp4,two\nsim-2,v.mp4,three\nnobody,v.mp4,four\n")
	write("go.sh", `set -e
P=`+program+`
echo "$INSTAGRAM_TOKEN_SIM_1" | $P accounts add sim-1
T=$INSTAGRAM_TOKEN_SIM_1
unset INSTAGRAM_TOKEN_SIM_1
$P accounts list
$P accounts check sim-1 sim-2
T2=$INSTAGRAM_TOKEN_SIM_2
for bad in "$T2" EAABfacebook; do if echo $bad | $P accounts add sim-2 --short; then exit 9; fi; done
echo "$T2" | INSTAGRAM_APP_SECRET=app-secret-17 $P accounts add sim-2 --short
if echo IGAAwrong | INSTAGRAM_APP_SECRET=app-secret-17 $P accounts add sim-2 --short; then exit 9; fi
if echo IGAAwrong | $P accounts add odo; then exit 9; fi
if echo "$T" | $P accounts add odo --id 5; then exit 9; fi
$P doctor
( $P run posts.csv --retry-delay 0 & echo $! > pid; wait )  > first.txt 2>&1 &
sleep 1.2; kill -9 $(cat pid) || true; wait || true
set +e
$P run --retry-delay 0
echo "run $?"
$P jobs
if grep -r -e "$T" -e "$T2" -e app-secret-17 .reelpass first.txt; then echo the token is told; fi
`)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "simulate", "--graph", "--phones", "2", "--upload", "300ms", "--", "sh", "go.sh")
	c.Dir = dir
	out, err := c.CombinedOutput()
	text := string(out)
	for _, want := range []string{
		"account sim-1: the token of sim-1 (id 17", "account sim-2: the token of sim-2 (id 17",
		"a short-lived token cannot be exchanged without the app's secret", "--short exchanges tokens of Instagram Login alone", "the API does not exchange this token: Invalid OAuth",
		"until 20", "ok    sim-1: 0 of 50 posts in the last 24 hours", "ok    sim-2:", "the API does not take this token",
		"the token is of sim-1", "its token is good", "run 3", "account: logged_out: no tok", "posted                3", "posted twice          none",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing (%v):\n%s", want, err, text)
			break
		}
	}
	if strings.Contains(text, "the token is told") {
		t.Error(text)
	}
}
