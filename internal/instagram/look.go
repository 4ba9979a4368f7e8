package instagram

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// Doubt is a post that may be on the account.
type Doubt struct {
	Me      string
	Caption string
	Before  int       // posts on the profile before Share; -1 where that is not known
	Since   time.Time // when the attempt began
	Until   time.Time // up to then the post may still come: it is not called absent before
}

// Bounds of one look.
const (
	lookMoves  = 2000 // moves and looks of all rounds together
	lookReels  = 4    // reels that are opened in a round: the newest, and up to three that are pinned before it
	restPauses = 10   // between two rounds
	readPauses = 6    // how often a reel is looked at until its page is drawn
	// youngest is how much older than the attempt a reel may look: ages are rounded, and clocks differ.
	youngest = 2 * time.Minute
	// leastCaption is how many letters of a caption that is cut short must be there to tell it from others.
	leastCaption = 12
)

// shownReel is a reel as its page shows it.
type shownReel struct {
	caption string // as far as it is shown
	cut     bool   // it goes on
	age     time.Duration
	unit    time.Duration // that the age is counted in: it may be nearly one more
	aged    bool          // age is known
}

// profileView is what one round saw.
type profileView struct {
	count  int // posts, -1 where that cannot be read
	listed int // posts that the page lists
	reels  []shownReel
}

// Look finds out on the profile whether a doubtful post is there. It looks again and again until it is found, or until the time is over
// in which it may still come and no upload runs; then the app is begun anew for the last round. Nothing is touched but
// what leads to the profile and its newest reels. An error means that it could not be found out.
func (p *Poster) Look(ctx context.Context, ph Phone, d Doubt, now func() time.Time) (reel.Look, error) {
	m := NewMemory()
	m.looking = true
	for last := false; ; {
		if err := ph.Open(ctx, last); err != nil { // not begun anew at first: an upload may run
			return reel.Look{}, err
		}
		v, why, err := p.round(ctx, ph, d, m)
		if err != nil || why != "" {
			return reel.Look{Finding: reel.Unsure, Why: why}, err
		}
		look := judge(d, v, now())
		if look.Finding == reel.Found || last {
			return look, nil
		}
		last = m.quiet && !now().Before(d.Until)
		if !last {
			if why, err := p.rest(ctx, ph, d, m); why != "" || err != nil {
				return reel.Look{Finding: reel.Unsure, Why: why}, err
			}
		}
	}
}

// rest goes to the feed, where an upload would be seen, and stays a while.
func (p *Poster) rest(ctx context.Context, ph Phone, d Doubt, m *Memory) (why string, err error) {
	if _, why, err = p.reach(ctx, ph, d, m, onFeed); why != "" || err != nil {
		return why, err
	}
	for range restPauses {
		if err := p.pause(ctx); err != nil {
			return "", err
		}
	}
	return "", nil
}

// onFeed are the screens that show the feed, and on it whether an upload runs.
func onFeed(screen string) bool {
	return screen == "feed" || screen == "posted" || screen == "cannot_post_banner"
}

func onProfile(screen string) bool { return screen == "profile" }

// round goes to the profile and reads it. why says what keeps it from that.
func (p *Poster) round(ctx context.Context, ph Phone, d Doubt, m *Memory) (v profileView, why string, err error) {
	s, why, err := p.reach(ctx, ph, d, m, onProfile)
	if why != "" || err != nil {
		return v, why, err
	}
	v.count = -1
	if n, ok := PostCount(s); ok {
		v.count = n
	}
	grid := gridOf(s)
	v.listed = len(grid)
	for i := range grid[:min(len(grid), lookReels)] {
		if i > 0 {
			if s, why, err = p.reach(ctx, ph, d, m, onProfile); why != "" || err != nil {
				return v, why, err
			}
			if grid = gridOf(s); i >= len(grid) {
				break
			}
		}
		if err := ph.Tap(ctx, grid[i].Bounds.Center()); err != nil {
			return v, "", err
		}
		r, ok, err := p.read(ctx, ph, d, m)
		if err != nil {
			return v, "", err
		}
		if ok {
			v.reels = append(v.reels, r)
		}
	}
	return v, "", nil
}

// reach goes on until a page is shown. why says what keeps it from that.
func (p *Poster) reach(ctx context.Context, ph Phone, d Doubt, m *Memory, there func(screen string) bool) (s phone.Screen, why string, err error) {
	post := Post{Me: d.Me, Caption: d.Caption}
	for {
		if err := p.pause(ctx); err != nil {
			return s, "", err
		}
		if s, err = ph.Screen(ctx); err != nil {
			return s, "", err
		}
		seen := p.screens.Recognise(s, Context{Me: d.Me, Shared: SharedNo})
		if seen.Trouble != "" {
			return s, "the account has trouble: " + words(s, seen), nil
		}
		m.quiet = onFeed(seen.Screen) || m.quiet && seen.Screen != "sharing_progress"
		if there(seen.Screen) {
			m.last, m.same = "", 0
			return s, "", nil
		}
		if m.moves++; m.moves > lookMoves {
			return s, "the profile could not be read; last seen: " + seen.Screen, nil
		}
		move, ok := p.way.byData(s, seen, post, m)
		switch {
		case seen.Screen == UnknownScreen && p.unknown != nil:
			p.unknown(s)
			move = Move{Do: DoBack}
		case !ok:
			move = Move{Do: DoBack}
		}
		if move = p.way.unstuck(move, seen, m); move.Do == DoStop {
			return s, "the profile could not be reached: " + move.Evidence.Text, nil
		}
		if err := act(ctx, ph, move, post, true); err != nil {
			return s, "", err
		}
	}
}

// read reads a reel that was opened, unfolding its caption where it is cut.
func (p *Poster) read(ctx context.Context, ph Phone, d Doubt, m *Memory) (r shownReel, ok bool, err error) {
	unfolded := false
	for range readPauses {
		if err := p.pause(ctx); err != nil {
			return r, false, err
		}
		s, err := ph.Screen(ctx)
		if err != nil {
			return r, false, err
		}
		m.moves++
		if p.screens.Recognise(s, Context{Me: d.Me, Shared: SharedNo}).Screen != "own_reel" {
			if ok {
				return r, true, nil // the touch that should unfold it led elsewhere
			}
			continue
		}
		field := captionOf(s)
		r = p.way.shown(s, field)
		if ok = true; r.aged && !r.cut || unfolded || field == nil {
			return r, true, nil
		}
		unfolded = true
		b := field.Bounds
		if err := ph.Tap(ctx, phone.Point{X: b.X2 - (b.X2-b.X1)/10, Y: b.Y2 - (b.Y2-b.Y1)/4}); err != nil { // where it says that there is more
			return r, true, err
		}
	}
	return r, ok, nil
}

// gridOf lists the posts on a profile, in their order there.
func gridOf(s phone.Screen) []phone.Node {
	var grid []phone.Node
	for _, n := range s.Nodes {
		if strings.HasSuffix(n.ID, ":id/image_button") && !n.Bounds.Empty() {
			grid = append(grid, n)
		}
	}
	return grid
}

// captionOf is the element with a reel's caption: it has no id, and stands behind the author's name and before the buttons.
func captionOf(s phone.Screen) *phone.Node {
	author := false
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch {
		case strings.HasSuffix(n.ID, ":id/clips_author_username"):
			author = true
		case author && strings.HasSuffix(n.ID, ":id/like_button"):
			return nil
		case author && n.ID == "" && n.Clickable && (n.Desc != "" || n.Text != ""):
			return n
		}
	}
	return nil
}

// shown is what the page of a reel says of it.
func (w *Way) shown(s phone.Screen, field *phone.Node) (r shownReel) {
	if field != nil {
		r.caption = field.Desc
		if r.caption == "" {
			r.caption = field.Text
		}
		if cut, ok := strings.CutSuffix(strings.TrimSpace(r.caption), "…"); ok {
			r.caption, r.cut = cut, true
		}
	}
	for _, n := range s.Nodes {
		if age, unit, ok := w.age(n.Text); ok && n.ID == "" {
			r.age, r.unit, r.aged = age, unit, true
		}
	}
	return r
}

func (w *Way) age(text string) (age, unit time.Duration, ok bool) {
	text = normal(text)
	if text == "" || len(text) > 40 {
		return 0, 0, false
	}
	for i := range w.ages {
		found := w.ages[i].text.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		n := 1
		if len(found) > 1 {
			var err error
			if n, err = strconv.Atoi(found[1]); err != nil || n > 10_000 {
				return 0, 0, false
			}
		}
		return time.Duration(n) * w.ages[i].unit, w.ages[i].unit, true
	}
	return 0, 0, false
}

// judge says what a round means. A post is found by its caption on a reel that is certainly newer than the attempt's begin: by its age,
// or because there are more posts than before. It is absent only where there are as many posts as before, the newest are other ones, and
// the time is over in which it may still come. Everything else cannot be told.
func judge(d Doubt, v profileView, now time.Time) reel.Look {
	unsure := func(format string, args ...any) reel.Look {
		return reel.Look{Finding: reel.Unsure, Why: "on the profile " + fmt.Sprintf(format, args...)}
	}
	more := 0 // posts that are new since before Share
	if d.Before >= 0 && v.count >= 0 {
		more = v.count - d.Before
	}
	alike, unclear := false, false
	for i, r := range v.reels {
		switch compare(r, d.Caption) {
		case other:
			continue
		case unknown:
			unclear = unclear || !r.aged || !now.Add(-r.age).Before(d.Since.Add(-youngest))
			continue
		case same:
		}
		from, to := now.Add(-r.age-r.unit), now.Add(-r.age) // when it was posted
		if r.aged && to.Before(d.Since.Add(-youngest)) {
			continue // an older one with the same caption
		}
		if r.aged && !from.Before(d.Since.Add(-youngest)) || i < more {
			return reel.Look{Finding: reel.Found}
		}
		alike = true
	}
	switch {
	case alike:
		return unsure("is a reel with this caption, and nothing says when it was posted")
	case d.Before < 0:
		return unsure("is no such reel among the newest, and it is not known how many posts there were before")
	case v.count < 0:
		return unsure("is no such reel among the newest, and the number of posts cannot be read")
	case v.count != d.Before:
		return unsure("are %d posts, before there were %d, and none of the newest has this caption", v.count, d.Before)
	case unclear:
		return unsure("is a reel whose caption cannot be compared")
	case v.count > 0 && len(v.reels) < min(v.listed, lookReels) || v.count > 0 && v.listed == 0:
		return unsure("the newest posts could not all be read")
	case now.Before(d.Until):
		return unsure("it is not there yet")
	}
	return reel.Look{Finding: reel.Absent, Why: fmt.Sprintf("the profile has %d posts, as many as before, and none of the newest has this caption", v.count)}
}

// likeness says whether a reel's caption is the one that is looked for.
type likeness int

const (
	unknown likeness = iota // too little is shown, or there is none to compare
	same
	other
)

// compare holds what is shown of a caption against the whole.
func compare(r shownReel, want string) likeness {
	shown, want := plain(r.caption), plain(want)
	switch {
	case !strings.HasPrefix(want, shown), want != shown && !r.cut && shown != "":
		return other
	case shown == "" || r.cut && len([]rune(shown)) < leastCaption:
		return unknown
	}
	return same
}

// plain takes out what the app may change: white space, and how letters are put together.
func plain(s string) string { return strings.Join(strings.Fields(norm.NFC.String(s)), " ") }
