package simgram

import (
	"fmt"
	"time"

	"reelpass/internal/phone"
	"reelpass/internal/simphone"
)

// Package is the app's name on a phone.
const Package = "com.instagram.android"

// World is told what was really posted: the ledger outside of everything that is tested.
type World interface {
	Posted(account, caption string, video simphone.File)
}

// Config says whose app it is and what it does to people.
type Config struct {
	Account  string
	Language string // of Languages; English where empty
	Posts    int    // on the profile at the beginning; the newest is of an hour before
	Upload   time.Duration
	World    World
	Clock    func() time.Time
	Scenario Scenario
	// Moment is told when something is reached; nil where nobody wants to know. It must not use the app.
	Moment func(Moment)
}

// Moment is a point on the way to a post.
type Moment int

// The moments.
const (
	SharePage Moment = iota // the page is shown on which Share is touched
	Shared                  // Share was touched, and the upload begins
)

// Scenario is what happens in an app beside the usual.
type Scenario struct {
	Trouble    Trouble  // with the account, from the start on
	AfterShare Trouble  // with the account, once Share was tapped
	Popups     []string // windows that come one after another: of Popups
	Stale      bool     // a banner of an earlier post stands on the feed
	CannotPost bool     // a banner of an earlier failure stands on the feed
	Story      bool     // the gallery opens for a story first
	LongVideo  bool     // Share is asked for once more, for reels over three minutes
	Fails      bool     // the upload fails: nothing is posted
	Silent     bool     // it is posted, and no banner ever tells
	Crash      bool     // the app is gone after Share; the post is made
	Hidden     bool     // reels do not say when they were posted
}

// Trouble is a trouble with the account, by the name that it has for whoever looks at screens.
type Trouble string

// The troubles.
const (
	Suspended     Trouble = "suspended"
	Disabled      Trouble = "disabled"
	LoggedOut     Trouble = "logged_out"
	Login         Trouble = "login" // a login form, which is being logged out too
	UploadID      Trouble = "upload_id"
	Captcha       Trouble = "captcha"
	Selfie        Trouble = "selfie"
	ActionBlocked Trouble = "action_blocked"
)

// Troubles lists them all.
func Troubles() []Trouble {
	return []Trouble{Suspended, Disabled, LoggedOut, Login, UploadID, Captcha, Selfie, ActionBlocked}
}

// App is the app on one phone. It is used by one goroutine at a time.
type App struct {
	cfg      Config
	at       string // the page that is shown
	files    []simphone.File
	chosen   simphone.File
	caption  string
	keyboard bool
	popups   []string
	trouble  Trouble
	posts    int
	reels    []posted // the newest last; older ones are not kept
	opened   int      // the reel that is shown, counted from the newest
	unfolded bool     // its caption
	story    bool
	asked    bool // Share was asked for once more

	uploading time.Time // when the upload began; zero when none runs
	sent      string    // its caption
	result    string    // posted or failed, until the app is begun anew
}

// posted is a reel on the profile.
type posted struct {
	caption string
	at      time.Time
}

// New is an app that was not begun yet: the phone shows its home.
func New(cfg Config) *App {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Language == "" {
		cfg.Language = "en"
	}
	a := &App{cfg: cfg, at: home, popups: cfg.Scenario.Popups, trouble: cfg.Scenario.Trouble, posts: cfg.Posts, story: cfg.Scenario.Story}
	now := cfg.Clock()
	for i := min(cfg.Posts, gridMost); i > 0; i-- {
		a.reels = append(a.reels, posted{fmt.Sprintf("An earlier reel, and the one before it had the number %d", cfg.Posts-i), now.Add(-time.Duration(i) * time.Hour)})
	}
	return a
}

// Become gives the app another scenario, as from its next start on.
func (a *App) Become(s Scenario) {
	a.cfg.Scenario, a.popups, a.trouble, a.story, a.asked = s, s.Popups, s.Trouble, s.Story, false
}

// Popups lists the windows that may come.
func Popups() []string { return []string{"rate", "verified", "permission", "stickers", Strange} }

// Strange is a window that nobody has seen before: what leads on without agreeing to anything is in its own words.
const Strange = "strange"

func (a *App) reached(m Moment) {
	if a.cfg.Moment != nil {
		a.cfg.Moment(m)
	}
}

// The pages.
const (
	home    = "home" // of the phone
	feed    = "feed"
	profile = "profile"
	create  = "create"
	gallery = "gallery"
	editor  = "editor"
	draft   = "draft"
	sharing = "sharing" // the page where it is shared
	long    = "long"
	reel    = "reel" // one's own, opened on the profile
)

// Event is what happens beside the screen.
func (a *App) Event(e simphone.Event) {
	switch e.Kind {
	case simphone.Launched:
		if e.Package == Package && a.at == home {
			a.at = feed
		}
	case simphone.Stopped:
		if e.Package == Package {
			a.at, a.keyboard, a.caption, a.result = home, false, "", ""
		}
	case simphone.MediaAdded:
		a.files = append([]simphone.File{e.File}, a.files...)
	case simphone.MediaGone:
		for i, f := range a.files {
			if f.Path == e.File.Path {
				a.files = append(a.files[:i:i], a.files[i+1:]...)
				break
			}
		}
	}
}

// Screen is what is shown now.
func (a *App) Screen() phone.Screen {
	a.tick()
	var s phone.Screen
	for _, e := range a.elements() {
		s.Nodes = append(s.Nodes, e.node)
	}
	return s
}

// tick lets an upload end when its time has come.
func (a *App) tick() {
	if a.uploading.IsZero() || a.cfg.Clock().Sub(a.uploading) < a.cfg.Upload {
		return
	}
	a.uploading = time.Time{}
	if a.cfg.Scenario.Fails {
		a.result = "failed"
		return
	}
	a.posts++
	a.reels = append(a.reels, posted{a.sent, a.cfg.Clock()})
	if a.cfg.World != nil {
		a.cfg.World.Posted(a.cfg.Account, a.sent, a.chosen)
	}
	if !a.cfg.Scenario.Silent {
		a.result = "posted"
	}
}

// Tap touches what lies on top at a place.
func (a *App) Tap(at phone.Point) {
	a.tick()
	list := a.elements()
	for i := len(list) - 1; i >= 0; i-- {
		b := list[i].node.Bounds
		if list[i].act != "" && at.X >= b.X1 && at.X < b.X2 && at.Y >= b.Y1 && at.Y < b.Y2 {
			a.do(list[i].act)
			return
		}
	}
}

// Type writes into the caption.
func (a *App) Type(_ phone.Point, text string, replace bool) {
	if a.at != sharing {
		return
	}
	if replace {
		a.caption = ""
	}
	a.caption += text
	a.keyboard = true
}

// Press presses a key.
func (a *App) Press(k phone.Key) {
	a.tick()
	switch {
	case k == phone.KeyHome:
		a.at = home
	case k != phone.KeyBack || a.at == home:
	case a.trouble != "":
	case len(a.popups) > 0 && a.at == feed && a.popups[0] == Strange: // it stays
	case len(a.popups) > 0 && a.at == feed:
		a.popups = a.popups[1:]
	case a.keyboard:
		a.keyboard = false
	default:
		a.at = map[string]string{
			feed: home, profile: feed, create: profile, gallery: feed, editor: draft, draft: editor, sharing: editor, long: sharing, reel: profile,
		}[a.at]
		if a.at == feed {
			a.story = false
		}
	}
}

// do does what an element does.
func (a *App) do(act string) {
	switch act {
	case "open":
		a.at = feed
	case "dismiss":
		a.popups = a.popups[1:]
	case "keyboard":
		a.keyboard = true
	case "ok":
		a.keyboard = false
	case "share":
		if a.cfg.Scenario.LongVideo && !a.asked {
			a.at, a.asked = long, true
			return
		}
		a.share()
	case "unfold":
		a.unfolded = true
	case "logout": // nobody should
		a.trouble = Login
	default:
		var n int
		if _, err := fmt.Sscanf(act, "file %d", &n); err == nil && n < len(a.files) {
			a.chosen, act = a.files[n], editor
		}
		if _, err := fmt.Sscanf(act, "reel %d", &n); err == nil && n < len(a.reels) {
			a.opened, a.unfolded, act = n, false, reel
		}
		if a.at = act; act == sharing {
			a.reached(SharePage)
		}
	}
}

// share begins the upload: from here on there is no way back.
func (a *App) share() {
	a.uploading, a.result, a.keyboard = a.cfg.Clock(), "", false
	a.sent, a.caption = a.caption, ""
	a.at, a.trouble = feed, a.cfg.Scenario.AfterShare
	if a.cfg.Scenario.Crash {
		a.at = home
	}
	if a.cfg.Upload == 0 {
		a.tick()
	}
	a.reached(Shared)
}
