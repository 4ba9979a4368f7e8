//go:build unix

package phonepost_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/adb"
	"reelpass/internal/appium"
	"reelpass/internal/fault"
	"reelpass/internal/geelark"
	"reelpass/internal/instagram"
	"reelpass/internal/phonepost"
	"reelpass/internal/reel"
	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
	"reelpass/internal/worker"
)

var (
	_ worker.Publisher = (*phonepost.Publisher)(nil)
	_ phonepost.Vendor = (*geelark.Client)(nil)
)

const password = "pw-SECRET-1"

// vendor rents simulated phones out, one for each account that it knows.
type vendor struct {
	mu      sync.Mutex
	config  map[string]simgram.Config
	running map[string]*simphone.Phone
	posts   []string
	fails   map[string]error // by call
}

func newVendor(t *testing.T) *vendor {
	v := &vendor{config: map[string]simgram.Config{}, running: map[string]*simphone.Phone{}, fails: map[string]error{}}
	t.Cleanup(func() {
		for id := range maps.Clone(v.running) {
			t.Errorf("the phone %s is left running", id)
			_ = v.Stop(context.Background(), id)
		}
	})
	return v
}

func (v *vendor) Posted(account, caption string, _ simphone.File) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.posts = append(v.posts, account+"|"+caption)
}

func (v *vendor) fail(call string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fails[call]
}

func (v *vendor) Find(_ context.Context, account string) (geelark.Phone, error) {
	if _, ok := v.config[account]; !ok {
		return geelark.Phone{}, &geelark.Finding{Code: geelark.CodeNotInGeeLark, Text: "no phone is named " + account}
	}
	return geelark.Phone{ID: account, Name: account, State: geelark.Off}, v.fail("find")
}

func (v *vendor) Start(_ context.Context, id string) error {
	if err := v.fail("start"); err != nil {
		return err
	}
	cfg := v.config[id]
	cfg.Account, cfg.World, cfg.Upload = id, v, 200*time.Millisecond
	p, err := simphone.Start(simphone.Config{App: simgram.New(cfg), Password: password})
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.running[id] = p
	v.mu.Unlock()
	return nil
}

func (v *vendor) OpenADB(_ context.Context, id string) (geelark.Access, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.running[id]
	return geelark.Access{Address: p.Address(), Password: password}, v.fails["adb"]
}

func (v *vendor) Upload(_ context.Context, id, video string) (string, error) {
	f, err := os.Open(video)
	if err != nil {
		return "", err
	}
	defer f.Close()
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.fails["upload"]; err != nil {
		return "", err
	}
	return "x7.mp4", v.running[id].Put(path.Join(geelark.Folder, "x7.mp4"), f)
}

func (v *vendor) Stop(_ context.Context, id string) error {
	v.mu.Lock()
	p := v.running[id]
	err := v.fails["stop"]
	if err == nil {
		delete(v.running, id)
	}
	v.mu.Unlock()
	if err != nil || p == nil {
		return err
	}
	return p.Close()
}

// stack is what a publisher works with.
func stack(t *testing.T) phonepost.Config {
	t.Helper()
	home, err := filepath.Abs(filepath.Join("..", "..", "tools", "appium"))
	if err == nil {
		_, err = os.Stat(filepath.Join(home, "node_modules", "appium"))
	}
	if _, noADB := exec.LookPath("adb"); errors.Join(err, noADB) != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the stack is not installed: ", err, noADB)
		}
		t.Skip("the stack is not installed (apt-get install adb; npm ci --ignore-scripts in tools/appium)")
	}
	port, err := appium.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	bridge := adb.New("", port)
	if err := bridge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bridge.Stop(context.Background()) })
	return phonepost.Config{ADB: bridge, Appium: appium.Config{Home: home}, Pause: time.Millisecond, Prepared: true}
}

func TestPostsOnRentedPhones(t *testing.T) {
	cfg := stack(t)
	v := newVendor(t)
	var book string // what is kept of a started phone
	cfg.Bay = &phonepost.Cloud{Vendor: v, ADB: cfg.ADB}
	shelf := t.TempDir()
	cfg.Keep = &phonepost.Shelf{Dir: shelf, Most: 3, Secrets: []string{password}}
	video := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(video, make([]byte, 700_000), 0o600); err != nil {
		t.Fatal(err)
	}
	p := phonepost.New(cfg)
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	rules := fault.Default()
	for i, c := range []struct {
		name     string
		scenario simgram.Scenario
		fails    map[string]error
		dies     string // the step at which the server on the phone dies
		account  string
		verdict  string // empty: posted
		posted   int
		begun    bool
		running  bool
	}{
		{name: "posted", posted: 1},
		{name: "posted, with windows in the way", scenario: simgram.Scenario{Popups: []string{"rate", "permission"}, Stale: true}, posted: 1},
		{name: "suspended", scenario: simgram.Scenario{Trouble: simgram.Suspended}, verdict: "account suspended"},
		{name: "captcha after Share", scenario: simgram.Scenario{AfterShare: simgram.Captcha}, verdict: "account captcha", posted: -1, begun: true},
		{name: "nobody's phone", account: "nobody", verdict: "account not_in_geelark"},
		{name: "no money", fails: map[string]error{"start": &geelark.Failure{Endpoint: "/phone/start", Code: 41001}}, verdict: "infrastructure billing"},
		{name: "used by somebody", fails: map[string]error{"start": &geelark.Finding{Code: geelark.CodeInUse, Text: "runs already"}}, verdict: "infrastructure phone_in_use"},
		{name: "ADB does not open", fails: map[string]error{"adb": &geelark.Failure{Endpoint: "/adb/getData", Code: 49001}}, verdict: "infrastructure adb"},
		{name: "no upload", fails: map[string]error{"upload": &geelark.Finding{Code: geelark.CodeUploadFailed, Text: "the phone did not take the file"}}, verdict: "infrastructure geelark_api"},
		{name: "dies while it is driven", dies: "feed", verdict: "infrastructure appium"},
		{name: "dies after Share", dies: instagram.StepConfirm, verdict: "infrastructure appium", begun: true, posted: -1},
		{name: "cannot be stopped", fails: map[string]error{"stop": &geelark.Failure{Endpoint: "/phone/stop", Code: 50000}}, posted: 1, running: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			account := c.account
			if account == "" {
				account = fmt.Sprintf("acc-%d", i)
				v.config[account] = simgram.Config{Scenario: c.scenario}
			}
			v.fails, v.posts, book = c.fails, nil, ""
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var steps []string
			r := p.Publish(ctx, reel.Assignment{JobID: reel.JobID("job/" + strconv.Itoa(i)), Account: account, VideoPath: video, Caption: "hello 👋", Attempt: 2}, reel.Desk{
				Step: func(s string) {
					steps = append(steps, s)
					if s == c.dies {
						v.running[account].KillServer()
					}
				},
				Share: func(context.Context) bool { return true }, Started: func(reel.Process) {},
				Keep: func(_ context.Context, name, value string) bool {
					if name == "phone" {
						book = value
					}
					return true
				},
			})
			verdict := ""
			if !r.Posted {
				j := rules.Judge(r.Evidence)
				verdict = string(j.Category) + " " + j.Type
			}
			if verdict != c.verdict || r.Evidence.ShareBegun != c.begun {
				t.Errorf("%q, want %q: %+v; steps %s", verdict, c.verdict, r.Evidence, strings.Join(steps, ", "))
			}
			if want := max(c.posted, 0); c.posted >= 0 && len(v.posts) != want {
				t.Errorf("posted %q", v.posts)
			}
			v.mu.Lock()
			left := len(v.running)
			v.mu.Unlock()
			if (left > 0) != c.running {
				t.Errorf("%d phones run", left)
			}
			if (book != "") != c.running {
				t.Errorf("what is kept of phones: %s", book)
			}
			if !r.Posted && !strings.Contains(r.Evidence.Note, "kept in "+shelf) {
				t.Errorf("note %q", r.Evidence.Note)
			}
			if c.running {
				v.fails = nil
				_ = v.Stop(context.Background(), account)
			}
		})
	}
	if logs, _ := filepath.Glob(filepath.Join(shelf, "*", "adb.log")); len(logs) == 0 {
		t.Error("nothing is kept of what adb was asked")
	}
	kept, err := os.ReadDir(shelf)
	if err != nil || len(kept) != 3 {
		t.Errorf("%d attempts are kept: %v", len(kept), err)
	}
	for _, k := range kept {
		files, _ := filepath.Glob(filepath.Join(shelf, k.Name(), "*"))
		for _, f := range files {
			if data, _ := os.ReadFile(f); strings.Contains(string(data), "SECRET") {
				t.Errorf("a secret is in %s", f)
			}
		}
	}
}

// A phone on the cable, or an emulator, is another user of the same way.
func TestPostsOnADevice(t *testing.T) {
	cfg := stack(t)
	v := &vendor{}
	p, err := simphone.Start(simphone.Config{App: simgram.New(simgram.Config{Account: "mira", World: v, Upload: time.Millisecond})})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, _, err := net.SplitHostPort(p.Address()); err != nil {
		t.Fatal(err)
	}
	cfg.Bay = &phonepost.Devices{ADB: cfg.ADB, Serials: map[string]string{"mira": p.Address()}}
	cfg.Grace, cfg.Again = time.Millisecond, []time.Duration{time.Millisecond}
	pub := phonepost.New(cfg)
	defer pub.Close()
	began := time.Now()
	video := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(video, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	desk := reel.Desk{
		Step: func(string) {}, Share: func(context.Context) bool { return true }, Started: func(reel.Process) {},
		Keep: func(_ context.Context, name, value string) bool {
			if name != "posts" || value != "0" {
				t.Errorf("kept %s %s", name, value)
			}
			return true
		},
	}
	r := pub.Publish(t.Context(), reel.Assignment{JobID: "j", Account: "mira", VideoPath: video, Caption: "one"}, desk)
	if !r.Posted || !slices.Equal(v.posts, []string{"mira|one"}) {
		t.Errorf("%+v, %q", r, v.posts)
	}
	for _, f := range p.Files() {
		if strings.HasSuffix(f.Path, ".mp4") {
			t.Errorf("the video is left: %s", f.Path)
		}
	}
	r = pub.Publish(t.Context(), reel.Assignment{JobID: "k", Account: "lina", VideoPath: video}, desk)
	if r.Posted || fault.Default().Judge(r.Evidence).Category != reel.Account {
		t.Errorf("an account without a device: %+v", r)
	}
	r = pub.Publish(t.Context(), reel.Assignment{JobID: "l", Account: "mira", VideoPath: "/none.mp4"}, desk)
	if r.Posted {
		t.Errorf("a video that is not there: %+v", r)
	}
	for caption, want := range map[string]reel.Finding{"one": reel.Found, "another": reel.Absent} {
		a := reel.Assignment{JobID: "j", Account: "mira", Caption: caption, Kept: map[string]string{"posts": map[string]string{"one": "0", "another": "1"}[caption]}}
		if look := pub.Find(t.Context(), a, began, desk); look.Finding != want {
			t.Errorf("%s: %+v", caption, look)
		}
	}
	if look := pub.Find(t.Context(), reel.Assignment{Account: "nobody"}, began, desk); look.Finding != reel.Unsure || !strings.Contains(look.Why, "no device is named") {
		t.Errorf("%+v", look)
	}
}
