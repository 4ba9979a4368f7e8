package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"reelpass/internal/reel"
)

// Accounts knows how accounts are reached. Its errors can tell themselves as evidence.
type Accounts interface {
	Account(ctx context.Context, name string) (Account, error)
}

// Config says with what a publisher works.
type Config struct {
	Client   *Client
	Accounts Accounts
	// Check looks at a video and its caption before anything is sent; nil, or an answer of nil: all is well.
	Check func(video, caption string) *reel.Evidence
	// Offer makes a video reachable by a URL, for accounts that take no uploads; nil: it cannot be done.
	Offer func(ctx context.Context, video string) (url string, err error)
	// PostsPerDay is the user's own limit for an account in 24 hours; 0: the platform's alone.
	PostsPerDay int
	Times       Times
	Log         *slog.Logger
	Clock       func() time.Time
}

// Times are how long things are waited for. Meta asks for a container's state once a minute and for at most five; people ask every 5 to
// 15 s for up to ten. How long a container lags behind a publication nobody says, so that grace is minutes.
type Times struct {
	Poll    time.Duration // between two questions
	Process time.Duration // for a container to be finished; then the next pass asks on
	Confirm time.Duration // for a publication whose answer was lost, at once
	Grace   time.Duration // for the same in a look, before it is called absent
}

// DefaultTimes are those.
func DefaultTimes() Times {
	return Times{Poll: 5 * time.Second, Process: 8 * time.Minute, Confirm: 45 * time.Second, Grace: 3 * time.Minute}
}

// Steps as the desk is told them.
const (
	StepCheck     = "check"
	StepLimit     = "limit"
	StepContainer = "container"
	StepUpload    = "upload"
	StepProcess   = "process"
	StepPublish   = "publish"
	StepConfirm   = "confirm"
)

// Publisher posts through the API. It is safe for use by many at once.
type Publisher struct{ cfg Config }

// New makes a publisher.
func New(cfg Config) *Publisher {
	if cfg.Times == (Times{}) {
		cfg.Times = DefaultTimes()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{cfg: cfg}
}

// keptContainer is the name under which a job's container is kept: whoever comes next goes on with it.
const keptContainer = "container"

// kept is a container with what it was made for.
type kept struct {
	ID   string    `json:"id"`
	URI  string    `json:"uri,omitempty"`
	At   time.Time `json:"at"`
	Size int64     `json:"size"` // of the video, with the time of its last change: another video needs another container
	Mod  int64     `json:"mod"`
}

// trouble is evidence on its way out of a step.
type trouble struct{ reel.Evidence }

func (t *trouble) Error() string { return t.Text }

// The codes of what is found out without the API; fault has a rule for each.
const (
	CodeDailyLimit = "graph_daily_limit"   // the account has made its posts of the day
	CodeProcessing = "graph_processing"    // the container is not finished yet
	CodeChanged    = "graph_video_changed" // the video changed while it was uploaded
	CodeNoVideo    = "graph_video_missing"
	CodeUnkept     = "graph_not_kept"  // the ledger does not take what must be remembered
	CodeNoURL      = "graph_needs_url" // the account takes no uploads, and there is no other way
	CodeUpload     = "graph_upload"    // an upload was refused
)

func found(code, format string, args ...any) error {
	return &trouble{reel.Evidence{Source: reel.SourceTool, Code: code, Text: "graph: " + fmt.Sprintf(format, args...)}}
}

// evidence tells what ended an attempt.
func evidence(err error, step string) reel.Evidence {
	var t *trouble
	if errors.As(err, &t) {
		t.Step = step
		return t.Evidence
	}
	var own interface {
		Evidence(step string) reel.Evidence
	}
	if errors.As(err, &own) {
		return own.Evidence(step)
	}
	return reel.Evidence{Source: reel.SourceTool, Text: err.Error(), Step: step}
}

// post is one attempt.
type post struct {
	*Publisher
	a    reel.Assignment
	desk reel.Desk
	acct Account
	step string

	refused bool // the publication, and the container is not published
}

func (p *post) at(step string) {
	p.step = step
	p.desk.Step(step)
}

// Publish posts one video. What it reports as posted is on the account; a report that is no post, after the go, is a doubt unless it is
// Refused.
func (p *Publisher) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	o := &post{Publisher: p, a: a, desk: d}
	receipt, err := o.run(ctx)
	if err != nil {
		return reel.Report{Evidence: evidence(err, o.step), Refused: o.refused}
	}
	return reel.Report{Posted: true, Receipt: receipt}
}

// errStopped: the supervisor did not give the go.
var errStopped = &trouble{reel.Evidence{Source: reel.SourceWorker, Code: reel.CodeLeaseLost, Text: "told to stop before the share"}}

func (p *post) run(ctx context.Context) (reel.Receipt, error) {
	p.at(StepCheck)
	if p.cfg.Check != nil {
		if e := p.cfg.Check(p.a.VideoPath, p.a.Caption); e != nil {
			return reel.Receipt{}, &trouble{*e}
		}
	}
	var err error
	if p.acct, err = p.cfg.Accounts.Account(ctx, p.a.Account); err != nil {
		return reel.Receipt{}, err
	}
	p.at(StepLimit)
	if err := p.quota(ctx); err != nil {
		return reel.Receipt{}, err
	}
	c, state, err := p.container(ctx)
	if err != nil {
		return reel.Receipt{}, err
	}
	if state != Published {
		if state, err = p.finished(ctx, c); err != nil {
			return reel.Receipt{}, err
		}
	}
	p.at(StepPublish)
	if !p.desk.Share(ctx) {
		return reel.Receipt{}, errStopped
	}
	sent := p.cfg.Clock()
	if state == Published { // by an earlier attempt that nobody had heard of: never again
		return p.receipt(ctx, "", sent.Add(-containerLife)), nil
	}
	media, err := p.cfg.Client.Publish(ctx, p.acct, c.ID)
	if err == nil {
		return p.receipt(ctx, media, sent), nil
	}
	var f *Failure
	if errors.As(err, &f) && (f.Uncertain() || f.Refused()) && ctx.Err() == nil {
		p.at(StepConfirm)
		switch state = p.confirmed(ctx, c, f.Refused()); {
		case state == Published:
			return p.receipt(ctx, "", sent), nil
		case f.Refused() && state != "":
			p.step, p.refused = StepPublish, true
		}
	}
	return reel.Receipt{}, err
}

// quota asks how many posts the account may still make. A limit that cannot be read is none: the publication itself enforces it.
func (p *post) quota(ctx context.Context) error {
	used, total, err := p.cfg.Client.Quota(ctx, p.acct)
	if err != nil {
		var f *Failure
		if errors.As(err, &f) && (f.Uncertain() || f.Code == 100) {
			return nil
		}
		return err
	}
	most := total
	if own := p.cfg.PostsPerDay; own > 0 && (own < most || most <= 0) {
		most = own
	}
	if most <= 0 || used < most {
		return nil
	}
	t := &trouble{reel.Evidence{
		Source: reel.SourceTool, Code: CodeDailyLimit, Holds: reel.HoldsAccount,
		Text: fmt.Sprintf("graph: the account has made %d of %d posts in 24 hours", used, most), RetryAfter: quotaPause.String(),
	}}
	if at, ok := p.frees(ctx, most); ok {
		t.RetryAfter = at.UTC().Format(time.RFC3339)
	}
	return t
}

// frees is when the window has room again: a day after the post that fills it.
func (p *post) frees(ctx context.Context, most int) (time.Time, bool) {
	day := p.cfg.Clock().Add(-24 * time.Hour)
	list, _, err := p.cfg.Client.Media(ctx, p.acct, day)
	if err != nil || len(list) < most {
		return time.Time{}, false // posts that are not listed count too
	}
	return list[most-1].Time.Add(24*time.Hour + time.Minute), true
}

// container gives the job's container with its state: the one that an earlier attempt made, or a new one.
func (p *post) container(ctx context.Context) (kept, string, error) {
	p.at(StepContainer)
	info, err := os.Stat(p.a.VideoPath)
	if err != nil {
		return kept{}, "", found(CodeNoVideo, "the video cannot be read: %v", err)
	}
	var c kept
	if json.Unmarshal([]byte(p.a.Kept[keptContainer]), &c) == nil && c.ID != "" && p.cfg.Clock().Sub(c.At) < containerLife {
		s, err := p.cfg.Client.Status(ctx, p.acct, c.ID)
		switch {
		case err != nil:
			return c, "", err // while it may be published nothing else is
		case s.Code == Published:
			return c, Published, nil
		case c.Size == info.Size() && c.Mod == info.ModTime().UnixMilli() && (s.Code == Finished || s.Code == InProgress):
			return c, s.Code, p.fill(ctx, c, s)
		}
	}
	return p.create(ctx, info)
}

// create makes a new container and fills it.
func (p *post) create(ctx context.Context, info os.FileInfo) (kept, string, error) {
	made, err := p.cfg.Client.Create(ctx, p.acct, p.a.Caption, "")
	if WantsURL(err) {
		if p.cfg.Offer == nil {
			return kept{}, "", found(CodeNoURL, "the API takes no upload for this account: it wants a URL, and graph.bucket names no place for one")
		}
		var url string
		if url, err = p.cfg.Offer(ctx, p.a.VideoPath); err != nil {
			return kept{}, "", err
		}
		made, err = p.cfg.Client.Create(ctx, p.acct, p.a.Caption, url)
	}
	if err != nil {
		return kept{}, "", err
	}
	c := kept{ID: made.ID, URI: made.URI, At: p.cfg.Clock().UTC(), Size: info.Size(), Mod: info.ModTime().UnixMilli()}
	value, err := json.Marshal(c)
	if err != nil {
		return c, "", err
	}
	if p.desk.Keep == nil || !p.desk.Keep(ctx, keptContainer, string(value)) {
		return c, "", found(CodeUnkept, "the container could not be noted in the ledger")
	}
	return c, InProgress, p.fill(ctx, c, Status{Code: InProgress})
}

// uploadTries is how often an upload is taken up again at the place to which it came, within an attempt.
const uploadTries = 3

// fill uploads what the container has not received yet. An upload that is said to have failed may go on all the same, so the container
// is asked.
func (p *post) fill(ctx context.Context, c kept, s Status) error {
	if c.URI == "" || s.Code == Finished || s.Received >= c.Size {
		return nil
	}
	p.at(StepUpload)
	for try := 1; ; try++ {
		err := p.upload(ctx, c, s.Received)
		if err == nil {
			return nil
		}
		var t *trouble
		if ctx.Err() != nil || errors.As(err, &t) {
			return err
		}
		now, asked := p.cfg.Client.Status(ctx, p.acct, c.ID)
		switch {
		case asked != nil:
			return err
		case now.Code != InProgress || now.Received >= c.Size:
			return nil // what is said of it is read next
		case try >= uploadTries && now.Received <= s.Received:
			return err
		}
		s = now
	}
}

func (p *post) upload(ctx context.Context, c kept, offset int64) error {
	f, err := os.Open(p.a.VideoPath)
	if err != nil {
		return found(CodeNoVideo, "the video cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	same := func() bool {
		info, err := f.Stat()
		return err == nil && info.Size() == c.Size && info.ModTime().UnixMilli() == c.Mod
	}
	changed := found(CodeChanged, "the video changed while it was uploaded")
	if !same() {
		return changed
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return found(CodeNoVideo, "the video cannot be read: %v", err)
	}
	body := &alive{r: io.LimitReader(f, c.Size-offset), told: p.cfg.Clock(), now: p.cfg.Clock, tell: func() { p.desk.Step(StepUpload) }}
	err = p.cfg.Client.Upload(ctx, p.acct, Container{ID: c.ID, URI: c.URI}, body, offset, c.Size)
	if !same() {
		p.desk.Keep(ctx, keptContainer, "") // what it holds is no video
		return changed
	}
	return err
}

// alive tells every now and then that an upload goes on.
type alive struct {
	r    io.Reader
	told time.Time
	now  func() time.Time
	tell func()
}

func (a *alive) Read(b []byte) (int, error) {
	if now := a.now(); now.Sub(a.told) > 20*time.Second {
		a.told = now
		a.tell()
	}
	return a.r.Read(b)
}

// finished waits until a container can be published. It gives PUBLISHED where somebody has done that.
func (p *post) finished(ctx context.Context, c kept) (string, error) {
	p.at(StepProcess)
	end := p.cfg.Clock().Add(p.cfg.Times.Process)
	for {
		s, err := p.cfg.Client.Status(ctx, p.acct, c.ID)
		var f *Failure
		switch {
		case err != nil && errors.As(err, &f) && (f.Uncertain() || f.Code == 100) && p.cfg.Clock().Before(end): // a question may be asked again
		case err != nil:
			return "", err
		case s.Code == Finished, s.Code == Published:
			return s.Code, nil
		case s.Code == Errored:
			p.desk.Keep(ctx, keptContainer, "")
			return "", &Failure{Call: "container", Status: 400, Code: subcodeCode(s.Subcode), Subcode: s.Subcode, Message: s.Text}
		case s.Code == Expired:
			p.desk.Keep(ctx, keptContainer, "")
			return "", found(CodeProcessing, "the container has expired: the next attempt makes another one")
		case !p.cfg.Clock().Before(end):
			return "", found(CodeProcessing, "the video is still being processed after %s: the next attempt asks on", p.cfg.Times.Process)
		}
		if err := p.wait(ctx); err != nil {
			return "", err
		}
		p.desk.Step(StepProcess)
	}
}

// subcodeCode is the code that goes with a subcode of a container's text, which names none itself (Meta, error codes).
func subcodeCode(sub int) int {
	if sub == 2207026 {
		return 352
	}
	return -1
}

func (p *Publisher) wait(ctx context.Context) error {
	t := time.NewTimer(p.cfg.Times.Poll)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// confirmed asks for a while whether a container was published, after an answer that is no yes: until it is, or until its state is known
// where that is enough. Empty: the state could not be asked.
func (p *post) confirmed(ctx context.Context, c kept, enough bool) (state string) {
	end := p.cfg.Clock().Add(p.cfg.Times.Confirm)
	for p.cfg.Clock().Before(end) {
		if s, err := p.cfg.Client.Status(ctx, p.acct, c.ID); err == nil {
			state = s.Code
		}
		if state == Published || state != "" && enough || p.wait(ctx) != nil {
			break
		}
	}
	return state
}

// receipt is what is told of a post: its id, and its address where that can be had. It never fails: the post is made.
func (p *post) receipt(ctx context.Context, media string, sent time.Time) reel.Receipt {
	if media == "" {
		list, _, err := p.cfg.Client.Media(ctx, p.acct, sent.Add(-skew))
		if m := match(list, p.a.Caption, sent); err == nil && len(m) == 1 {
			return reel.Receipt{ID: m[0].ID, URL: m[0].Permalink}
		}
		return reel.Receipt{}
	}
	link, err := p.cfg.Client.Permalink(ctx, p.acct, media)
	if err != nil { // Meta says of good posts at times that they are missing
		p.cfg.Log.Warn("the address of a post could not be read", "job", p.a.JobID, "error", err)
	}
	return reel.Receipt{ID: media, URL: link}
}
