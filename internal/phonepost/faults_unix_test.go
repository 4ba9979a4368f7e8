//go:build unix

package phonepost_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/fault"
	"reelpass/internal/geelark"
	"reelpass/internal/phonepost"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
	"reelpass/internal/simfarm"
	"reelpass/internal/simgram"
)

var update = flag.Bool("update", false, "write docs/phone-faults.md anew, with REELPASS_FAULTS=1")

// trial is something that goes wrong with one post.
type trial struct {
	what, when string
	about      string
	run        simfarm.Run
	account    bool // it is the account's trouble
}

// trials are all of them: each fault of a phone and its link at each moment, each refusal of the vendor, each trouble of an account
// before and after Share, and what the app does by itself.
func trials() (all []trial) {
	for _, k := range simfarm.Kinds() {
		if k.Vendor {
			all = append(all, trial{k.Name, "", k.About, simfarm.Run{Harms: []simfarm.Harm{{Kind: k.Name}}}, k.Name == "expired"})
			continue
		}
		for _, when := range []string{simfarm.AtStart, simfarm.BeforeShare, simfarm.AfterShare} {
			all = append(all, trial{k.Name, when, k.About, simfarm.Run{Harms: []simfarm.Harm{{Kind: k.Name, When: when}}}, false})
		}
	}
	for _, trouble := range simgram.Troubles() {
		about := "the account: " + strings.ReplaceAll(string(trouble), "_", " ")
		all = append(all, trial{string(trouble), simfarm.BeforeShare, about, simfarm.Run{App: simgram.Scenario{Trouble: trouble}}, true},
			trial{string(trouble), simfarm.AfterShare, about, simfarm.Run{App: simgram.Scenario{AfterShare: trouble}}, true})
	}
	return append(all,
		trial{"upload fails in the app", simfarm.AfterShare, "the app says that it cannot be posted", simfarm.Run{App: simgram.Scenario{Fails: true}}, false},
		trial{"app crashes", simfarm.AfterShare, "the app is gone; the post is made", simfarm.Run{App: simgram.Scenario{Crash: true}}, false},
		trial{"no banner", simfarm.AfterShare, "nothing on the screen tells of the post", simfarm.Run{App: simgram.Scenario{Silent: true}}, false})
}

// few are tried in every run of the tests; the others take minutes, and are for REELPASS_FAULTS=1.
func few(t trial) bool {
	switch t.what {
	case "server_dies", "upload_fails":
		return t.when != simfarm.AtStart
	case "suspended":
		return true
	}
	return false
}

// What goes wrong on the way, and what becomes of the job: no fault of a phone, its link or its vendor is taken for the account's or the
// video's, none after Share is simply tried again, whatever happens the post is made once or not at all, and no phone is left running.
func TestFaultTable(t *testing.T) {
	cfg := stack(t)
	long := os.Getenv("REELPASS_FAULTS") != ""
	cfg.Grace = 2 * time.Second
	rules := fault.Default()
	video := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(video, make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	table := []string{"| what goes wrong | when | verdict | then | posted |", "|---|---|---|---|---|"}
	for _, c := range trials() {
		if !long && !few(c) {
			continue
		}
		t.Run(c.what+" "+c.when, func(t *testing.T) {
			began := time.Now()
			f, err := simfarm.Start(simfarm.Config{Accounts: []string{"mira"}, Upload: 300 * time.Millisecond, Dir: t.TempDir(), Script: simfarm.Once("mira", c.run)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}()
			client, err := geelark.New(geelark.Config{Base: f.URL(), Token: f.Token(), Limit: geelark.NewFileLimit(t.TempDir(), f.Token())})
			if err != nil {
				t.Fatal(err)
			}
			cfg := cfg
			cfg.Bay = &phonepost.Cloud{Vendor: client, ADB: cfg.ADB}
			p := phonepost.New(cfg)
			defer func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}()
			j := &job{t: t, p: p, rules: rules, assignment: reel.Assignment{
				JobID: "j", Account: "mira", VideoPath: video, Caption: "Linen, cotton and a very loud yellow", Attempt: 1, Kept: map[string]string{},
			}}
			verdict, then := j.run()
			f.AwaitUploads(t.Context())
			report := f.Report()
			if len(report.Running) > 0 && j.assignment.Kept["phone"] == "" {
				t.Errorf("left running, and nobody knows: %v", report.Running)
			}
			if len(report.Doubles) > 0 || report.Posts > 1 || strings.HasSuffix(then, "posted") != (report.Posts == 1 && !strings.Contains(then, "person")) {
				t.Errorf("%s, %s: posted %d, twice %v", verdict, then, report.Posts, report.Doubles)
			}
			if verdict != "" && c.account != strings.HasPrefix(verdict, "account") {
				t.Errorf("judged %s", verdict)
			}
			when := strings.ReplaceAll(c.when, "_", " ")
			table = append(table, fmt.Sprintf("| %s | %s | %s | %s | %d |", c.about, when, verdict, then, report.Posts))
			t.Logf("%s %s: %s, %s, posted %d, %s", c.what, c.when, verdict, then, report.Posts, time.Since(began).Round(100*time.Millisecond))
		})
	}
	if long && *update {
		text := "# What goes wrong on a phone, and what becomes of the job\n\nThrough the real adb, Appium and UiAutomator2 driver, on simulated phones behind a simulated GeeLark; each row is one post. " +
			"`REELPASS_FAULTS=1 go test -count=1 -run TestFaultTable -timeout 2h ./internal/phonepost -update` writes it anew.\n\n" + strings.Join(table, "\n") + "\n"
		if err := os.WriteFile("../../docs/phone-faults.md", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// job is one job, taken as a runner takes it: attempts and looks until it is settled.
type job struct {
	t          *testing.T
	p          *phonepost.Publisher
	rules      *fault.Rules
	assignment reel.Assignment
}

func (j *job) desk() reel.Desk {
	return reel.Desk{
		Step: func(string) {}, Share: func(context.Context) bool { return true }, Started: func(reel.Process) {},
		Keep: func(_ context.Context, name, value string) bool {
			if j.assignment.Kept[name] = value; value == "" {
				delete(j.assignment.Kept, name)
			}
			return true
		},
	}
}

// run gives the first verdict, and what came of it.
func (j *job) run() (verdict, then string) {
	var tally reel.Tally
	limits := reel.DefaultLimits()
	for pass := 1; ; pass++ {
		ctx, cancel := context.WithTimeout(j.t.Context(), 10*time.Minute)
		began := time.Now()
		a := j.assignment
		a.Attempt, a.Kept = pass, maps.Clone(a.Kept)
		r := j.p.Publish(ctx, a, j.desk())
		cancel()
		if r.Posted {
			return verdict, then + "posted"
		}
		v := j.rules.Judge(r.Evidence)
		if pass == 1 {
			verdict = fmt.Sprintf("%s, %s", v.Category, v.Type)
		}
		d := plan.After(plan.Try{Tally: tally, Pass: pass, LastPass: 5, ShareBegun: r.Evidence.ShareBegun}, v, limits)
		tally = tally.Failed(v.Category)
		if d.State == reel.Failed {
			then += "tried again, "
			continue
		}
		if d.State == reel.InDoubt {
			if d.Hold {
				return verdict, then + "in doubt, the account is held: a person looks"
			}
			ctx, cancel := context.WithTimeout(j.t.Context(), 5*time.Minute)
			a.Kept = maps.Clone(j.assignment.Kept)
			look := j.p.Find(ctx, a, began, j.desk())
			cancel()
			switch look.Finding {
			case reel.Found:
				return verdict, then + "in doubt, found: posted"
			case reel.Absent:
				then += "in doubt, absent: tried again, "
				continue
			case reel.Unsure:
				j.t.Log(look.Why)
			}
			return verdict, then + "in doubt, a person looks"
		}
		return verdict, then + strings.ReplaceAll(string(d.State), "_", " ")
	}
}
