package phonepost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"reelpass/internal/adb"
	"reelpass/internal/appium"
	"reelpass/internal/geelark"
	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// Times of a post's parts that are not the parts' own.
const (
	releaseMost = 90 * time.Second // to give a phone back, also when the job's time is over
	drawn       = 700 * time.Millisecond
)

// Config says with what a publisher works.
type Config struct {
	Bay    Bay
	ADB    *adb.Client
	Appium appium.Config
	Keep   *Shelf        // of what was seen; nil keeps nothing
	Pause  time.Duration // between a move and the next look; drawn where zero
	// Prepared says that the phones have the driver's server already.
	Prepared bool
	// Check looks at a video and its caption before a phone is taken; nil, or an answer of nil: all is well.
	Check func(video, caption string) *reel.Evidence
	// Length says how the gallery labels a video, m:ss; empty where it cannot tell.
	Length func(video string) string
	// Guide makes whom to ask about screens that no rule knows, anew for each attempt; nil: nobody is asked.
	Guide func() instagram.Guide
	// Again are the pauses after which a look that could not be taken is tried once more; after 20 s and 70 s where nil.
	Again []time.Duration
	// Grace is how long a look waits for a post that may still come before it calls it absent: an app goes on with an upload after it
	// was begun anew, and a profile may be late. DefaultGrace where zero.
	Grace time.Duration
	Log   *slog.Logger
}

// DefaultGrace is minutes, since nobody says how long a profile may lag behind.
const DefaultGrace = 4 * time.Minute

// Publisher posts with phones, one after another.
type Publisher struct {
	cfg    Config
	server *appium.Server
}

// New makes a publisher. Close ends what it began.
func New(cfg Config) *Publisher {
	if cfg.Pause == 0 {
		cfg.Pause = drawn
	}
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Again == nil {
		cfg.Again = []time.Duration{20 * time.Second, 70 * time.Second} // the vendor's limit of calls is one of a minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{cfg: cfg}
}

// Close ends its Appium server.
func (p *Publisher) Close() error {
	if p.server == nil {
		return nil
	}
	s := p.server
	p.server = nil
	return s.Close()
}

// Publish posts one video.
func (p *Publisher) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	t := &timed{desk: d, now: time.Now}
	r := p.publish(ctx, a, t)
	t.end()
	if !r.Posted && p.cfg.Keep != nil {
		if dir, err := p.cfg.Keep.steps(a, t.list); err != nil {
			p.cfg.Log.Error("evidence could not be kept", "job", a.JobID, "error", err)
		} else {
			r.Evidence.Note = addNote(r.Evidence.Note, "kept in "+dir)
		}
	}
	return r
}

func (p *Publisher) publish(ctx context.Context, a reel.Assignment, t *timed) (r reel.Report) {
	if p.cfg.Check != nil {
		if e := p.cfg.Check(a.VideoPath, a.Caption); e != nil {
			return reel.Report{Evidence: *e}
		}
	}
	// What an earlier attempt counted is old by now: a look must not go by it, should this attempt not see the profile.
	if a.Kept[instagram.KeptPosts] != "" && !t.desk.Keep(ctx, instagram.KeptPosts, "") {
		return p.failed(&unkeptError{a.Account}, t.last)
	}
	held, err := p.cfg.Bay.Take(ctx, a, t.through())
	if err != nil {
		return p.failed(err, t.last)
	}
	defer func() {
		if err := p.release(ctx, a, held); err != nil && !r.Posted {
			r.Evidence.Note = addNote(r.Evidence.Note, err.Error())
		}
	}()
	dev := held.Device()
	t.step(StepUpload)
	file, err := held.Load(ctx, a.VideoPath)
	if err == nil {
		err = dev.Scan(ctx, file)
	}
	if err != nil {
		return p.failed(err, t.last)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMost)
		defer cancel()
		_ = dev.Remove(ctx, file) // a phone that is gone keeps it
	}()
	defer p.keepLogin(ctx, dev)()
	return p.drive(ctx, a, dev, t)
}

// release gives a phone back, also when the job's time is over.
func (p *Publisher) release(ctx context.Context, a reel.Assignment, held Held) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMost)
	defer cancel()
	err := held.Release(ctx)
	if err != nil {
		p.cfg.Log.Error("a phone could not be given back", "account", a.Account, "error", err)
	}
	return err
}

// keepLogin renews the device's login until it is told to end, and waits for its end.
func (p *Publisher) keepLogin(ctx context.Context, dev *adb.Device) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	tick := time.NewTicker(adb.KeepEvery)
	ended := make(chan struct{})
	go func() { defer close(ended); dev.Keep(ctx, tick.C) }()
	return func() { cancel(); tick.Stop(); <-ended }
}

// drive goes the way through the app in a session of its own.
func (p *Publisher) drive(ctx context.Context, a reel.Assignment, dev *adb.Device, t *timed) (r reel.Report) {
	var unknown []phone.Screen
	err := p.session(ctx, dev, t, func(s *appium.Session) {
		poster := instagram.NewPoster(p.pause, func(s phone.Screen) { unknown = append(unknown, s) })
		if p.cfg.Guide != nil {
			poster.Ask(p.cfg.Guide(), s.Picture)
		}
		post := instagram.Post{Me: a.Account, Caption: a.Caption}
		if p.cfg.Length != nil {
			post.Length = p.cfg.Length(a.VideoPath)
		}
		if r, _ = poster.Post(ctx, driven{s}, post, t.through()); !r.Posted {
			p.look(ctx, a, s, unknown)
		}
	})
	if err != nil {
		return p.failed(err, t.last)
	}
	return r
}

// session begins a session on a device, has it used, and ends it.
func (p *Publisher) session(ctx context.Context, dev *adb.Device, t *timed, use func(*appium.Session)) error {
	t.step(StepSession)
	if err := p.serve(ctx); err != nil {
		return err
	}
	port, err := appium.FreePort()
	if err != nil {
		return err
	}
	s, err := p.server.Begin(ctx, appium.Target{Serial: dev.Serial(), ADBPort: p.cfg.ADB.Port(), SystemPort: port, Prepared: p.cfg.Prepared})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMost)
		defer cancel()
		s.End(ctx)
		_ = dev.Unforward(ctx, port) // a session that ended took it along
	}()
	use(s)
	return nil
}

// look keeps what the phone shows after a failure.
func (p *Publisher) look(ctx context.Context, a reel.Assignment, s *appium.Session, unknown []phone.Screen) {
	if p.cfg.Keep == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	picture, errPicture := s.Picture(ctx)
	screen, errScreen := s.Screen(ctx)
	err := p.cfg.Keep.seen(a, picture, screen, unknown, map[string]string{"appium.log": p.server.Last(), "adb.log": p.cfg.ADB.Log()})
	if err = errors.Join(errPicture, errScreen, err); err != nil {
		p.cfg.Log.Warn("not all of the evidence could be kept", "job", a.JobID, "error", err)
	}
}

func (p *Publisher) pause(ctx context.Context) error {
	t := time.NewTimer(p.cfg.Pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// serve makes sure that the Appium server answers; one that does not is replaced.
func (p *Publisher) serve(ctx context.Context) error {
	if p.server != nil && p.server.Healthy(ctx) {
		return nil
	}
	if err := p.Close(); err != nil {
		return err
	}
	s, err := appium.Start(ctx, p.cfg.Appium)
	p.server = s
	return err
}

// Find looks on the account's profile whether the post is there. A question may be asked again: a phone that is busy, or lost on the way,
// is taken once more after a while.
func (p *Publisher) Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look {
	t := &timed{desk: d, now: time.Now}
	for try := 0; ; try++ {
		look, err := p.find(ctx, a, since, t)
		if err == nil {
			return look
		}
		e := p.failed(err, t.last).Evidence
		look = reel.Look{Finding: reel.Unsure, Why: "nobody could look on the profile: " + e.Text}
		if lasting := e.Code == geelark.CodeNotInGeeLark || e.Code == geelark.CodeTwoOfAName || e.Code == geelark.CodeExpired; lasting || try >= len(p.cfg.Again) {
			return look
		}
		wait := time.NewTimer(p.cfg.Again[try])
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return look
		}
	}
}

// find is one look. An error means that none could be taken.
func (p *Publisher) find(ctx context.Context, a reel.Assignment, since time.Time, t *timed) (look reel.Look, err error) {
	held, err := p.cfg.Bay.Take(ctx, a, t.through())
	if err != nil {
		return look, err
	}
	defer func() { _ = p.release(ctx, a, held) }() // it is in the log
	dev := held.Device()
	defer p.keepLogin(ctx, dev)()
	doubt := instagram.Doubt{Me: a.Account, Caption: a.Caption, Before: -1, Since: since, Until: time.Now().Add(p.cfg.Grace)}
	if n, err := strconv.Atoi(a.Kept[instagram.KeptPosts]); err == nil {
		doubt.Before = n
	}
	var failed error
	err = p.session(ctx, dev, t, func(s *appium.Session) {
		t.step(StepLook)
		var unknown []phone.Screen
		pause := func(ctx context.Context) error { t.alive(); return p.pause(ctx) }
		poster := instagram.NewPoster(pause, func(s phone.Screen) { unknown = append(unknown, s) })
		if look, failed = poster.Look(ctx, driven{s}, doubt, time.Now); failed != nil || look.Finding == reel.Unsure {
			p.look(ctx, a, s, unknown)
		}
	})
	return look, errors.Join(err, failed)
}

// failed tells an error of a part as that part's evidence.
func (p *Publisher) failed(err error, step string) reel.Report {
	var own interface {
		Evidence(step string) reel.Evidence
	}
	e := reel.Evidence{Source: reel.SourceTool, Text: err.Error(), Step: step}
	if errors.As(err, &own) {
		e = own.Evidence(step)
	}
	var running *RunningError
	if errors.As(err, &running) {
		p.cfg.Log.Error("a phone could not be given back", "error", running)
		e.Note = addNote(e.Note, running.Error())
	}
	return reel.Report{Evidence: e}
}

func addNote(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}

// driven is a session as the way needs it.
type driven struct{ *appium.Session }

func (d driven) Open(ctx context.Context, anew bool) error {
	if anew {
		if err := d.Shut(ctx, instagram.Instagram); err != nil {
			return err
		}
	}
	return d.Session.Open(ctx, instagram.Instagram)
}

// timed tells the desk of steps and notes how long each took.
type timed struct {
	desk  reel.Desk
	now   func() time.Time
	last  string
	since time.Time
	list  []string
}

// through is the desk behind it.
func (t *timed) through() reel.Desk {
	d := t.desk
	d.Step = t.step
	return d
}

func (t *timed) step(name string) {
	t.end()
	t.last, t.since = name, t.now()
	t.desk.Step(name)
}

// alive tells the desk that the step goes on, every now and then.
func (t *timed) alive() {
	if t.now().Sub(t.since) > 30*time.Second {
		t.step(t.last)
	}
}

func (t *timed) end() {
	if t.last != "" {
		t.list = append(t.list, fmt.Sprintf("%s\t%s", t.last, t.now().Sub(t.since).Round(time.Millisecond)))
	}
}
