package simfarm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// Config says what stands on the farm.
type Config struct {
	Accounts []string // a phone for each, named like it
	Mixed    bool     // faults and troubles, drawn from Seed
	Script   *Script  // what happens where nothing is drawn, or before it is; nil: nothing
	Seed     uint64
	Boot     time.Duration // of a phone
	Upload   time.Duration // of a reel
	Latency  time.Duration // of each command and call on a phone
	Dir      string        // for files on their way; an empty one of its own
}

// Farm is a running farm.
type Farm struct {
	cfg   Config
	token string
	url   string
	http  *http.Server
	wg    sync.WaitGroup

	mu      sync.Mutex
	chance  *mathrand.Rand
	phones  map[string]*rented // by id
	posts   map[Post]int
	minutes time.Duration // that phones ran
	calls   int
	faults  []string // what was done to phones, in order
}

// Post is a post as the world sees it.
type Post struct{ Account, Caption string }

// rented is one phone of the farm. The app's state outlives a stop.
type rented struct {
	id, account string
	app         *simgram.App
	phone       *simphone.Phone // while it runs
	since       time.Time
	leaving     bool // it is being stopped
	adb         bool
	later       []*time.Timer
	harms       []Harm           // that wait for their moment
	runs        []Run            // what the next starts bring
	always      simgram.Scenario // what the app does else
}

// password is the login of all phones.
const password = "sim-login"

// Start starts a farm. Close ends it.
func Start(cfg Config) (*Farm, error) {
	f := &Farm{
		cfg: cfg, token: "sim-" + rand.Text(), chance: mathrand.New(mathrand.NewPCG(cfg.Seed, 7)), phones: map[string]*rented{},
		posts: map[Post]int{},
	}
	for i, account := range cfg.Accounts {
		said := cfg.Script.of(account)
		r := &rented{id: fmt.Sprintf("5284%014d", i+1), account: account, runs: said.Runs}
		g := simgram.Config{Account: account, Posts: 10, Upload: cfg.Upload, World: f, Language: said.Language, Moment: func(m simgram.Moment) {
			switch m {
			case simgram.SharePage:
				f.moment(r, BeforeShare)
			case simgram.Shared:
				f.moment(r, AfterShare)
			}
		}}
		if said.Posts > 0 {
			g.Posts = said.Posts
		}
		if cfg.Mixed {
			r.always, g.Language = f.drawScenario(), simgram.Languages()[f.chance.IntN(len(simgram.Languages()))]
		}
		r.app = simgram.New(g)
		f.phones[r.id] = r
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulated farm: %w", err)
	}
	f.url = "http://" + l.Addr().String()
	f.http = &http.Server{Handler: f.routes(), ReadHeaderTimeout: 10 * time.Second}
	f.wg.Go(func() { _ = f.http.Serve(l) }) // ends with Close
	return f, nil
}

// URL is the address of the vendor's API, and Token its credential.
func (f *Farm) URL() string { return f.url }

// Token is the credential of the API.
func (f *Farm) Token() string { return f.token }

// Close ends the farm, and all its phones.
func (f *Farm) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := f.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.http.Close()
	}
	f.wg.Wait()
	for _, id := range f.ids() {
		err = errors.Join(err, f.stop(id))
	}
	return err
}

func (f *Farm) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.phones))
}

// Posted is told by the apps.
func (f *Farm) Posted(account, caption string, _ simphone.File) {
	// Apps are used with a phone's lock, and never with the farm's.
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts[Post{account, caption}]++
}

// drawScenario draws what an account's app does to people, for good. One in eight is in trouble.
func (f *Farm) drawScenario() (s simgram.Scenario) {
	s.Popups = [][]string{nil, nil, {"rate"}, {"permission", "stickers"}}[f.chance.IntN(4)]
	switch f.chance.IntN(16) {
	case 0, 1:
		s.Trouble = simgram.Troubles()[f.chance.IntN(len(simgram.Troubles()))]
	case 2:
		s.Stale = true
	case 3:
		s.CannotPost = true
	case 4:
		s.Story = true
	case 5:
		s.LongVideo = true
	case 6:
		s.Silent = true
	}
	return s
}

// begins gives a phone that is about to start what will happen to it; the lock is held.
func (f *Farm) begins(r *rented) {
	next := Run{App: r.always}
	switch {
	case len(r.runs) > 0:
		next, r.runs = r.runs[0], r.runs[1:]
	case f.cfg.Mixed:
		next.Harms = f.draw().Harms
	}
	r.harms = append(r.harms, next.Harms...)
	r.app.Become(next.App)
}

// start turns a phone on, unless the vendor refuses: with a code of the phone's, or of the whole answer.
func (f *Farm) start(r *rented) (phone, whole int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.phone != nil {
		return 0, 0, nil
	}
	f.begins(r)
	for _, no := range []struct {
		kind         string
		phone, whole int
	}{{"no_money", 0, 41001}, {"too_many_calls", 0, 40007}, {"no_room", 47002, 0}, {"in_use", 43007, 0}, {"start_fails", 43010, 0}} {
		if f.refuses(r, no.kind) {
			return no.phone, no.whole, nil
		}
	}
	r.phone, err = simphone.Start(simphone.Config{App: r.app, Name: r.account, Password: password, Latency: f.cfg.Latency})
	r.since, r.adb = time.Now(), false
	if err == nil {
		f.strike(r, AtStart)
	}
	return 0, 0, err
}

// stop turns a phone off. Its app is gone from the screen; an upload that runs is Instagram's by now, and ends.
func (f *Farm) stop(id string) error {
	f.mu.Lock()
	r := f.phones[id]
	if r == nil || r.phone == nil || r.leaving {
		f.mu.Unlock()
		return nil
	}
	p := r.phone
	r.leaving = true
	for _, t := range r.later {
		t.Stop()
	}
	r.later, r.harms = nil, nil
	f.mu.Unlock()
	err := p.Close()
	r.app.Event(simphone.Event{Kind: simphone.Stopped, Package: simgram.Package})
	for _, file := range p.Files() {
		r.app.Event(simphone.Event{Kind: simphone.MediaGone, File: file})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.minutes += time.Since(r.since)
	r.phone, r.leaving = nil, false
	return err
}

// on is a phone that runs, nil where it does not.
func (f *Farm) on(id string) *simphone.Phone {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.phones[id]; r != nil && !r.leaving {
		return r.phone
	}
	return nil
}

// Report is what the ledger outside says.
type Report struct {
	Posts   int      `json:"posts"`   // different ones
	Doubles []string `json:"doubles"` // posted more than once
	Running []string `json:"running"` // phones that run
	Minutes float64  `json:"phone_minutes"`
	Calls   int      `json:"api_calls"`
	Faults  []string `json:"faults,omitempty"`
}

// AwaitUploads waits for as long as an upload takes that began just now.
func (f *Farm) AwaitUploads(ctx context.Context) {
	t := time.NewTimer(f.cfg.Upload)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Report counts what was posted until now.
func (f *Farm) Report() Report {
	for _, id := range f.ids() {
		f.Picture(id) // an app notices the end of an upload when it is looked at
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := Report{Posts: len(f.posts), Calls: f.calls, Minutes: f.minutes.Minutes(), Faults: f.faults}
	for p, n := range f.posts {
		if n > 1 {
			r.Doubles = append(r.Doubles, fmt.Sprintf("%s: %q %d times", p.Account, p.Caption, n))
		}
	}
	for _, p := range f.phones {
		if p.phone != nil {
			r.Running = append(r.Running, p.account)
			r.Minutes += time.Since(p.since).Minutes()
		}
	}
	slices.Sort(r.Doubles)
	slices.Sort(r.Running)
	return r
}

// Picture is a PNG of what a phone shows, or would show.
func (f *Farm) Picture(id string) []byte {
	if p := f.on(id); p != nil {
		return p.Picture()
	}
	f.mu.Lock()
	r := f.phones[id]
	f.mu.Unlock()
	if r == nil {
		return nil
	}
	return simphone.Draw(r.app.Screen())
}

// WritePictures writes a picture of each phone into a folder.
func (f *Farm) WritePictures(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, id := range f.ids() {
		f.mu.Lock()
		name := f.phones[id].account
		f.mu.Unlock()
		if err := os.WriteFile(path.Join(dir, name+".png"), f.Picture(id), 0o600); err != nil {
			return err
		}
	}
	return nil
}
