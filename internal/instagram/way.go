package instagram

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// Do is a kind of move.
type Do string

// The moves.
const (
	DoTap   Do = "tap"   // touch Node
	DoType  Do = "type"  // write the caption into Node
	DoBack  Do = "back"  // press back
	DoOpen  Do = "open"  // bring the app to the front; before Share, begun anew
	DoWait  Do = "wait"  // look again
	DoShare Do = "share" // ask for the go, and touch Node if it is given
	DoDone  Do = "done"  // the post is proven
	DoStop  Do = "stop"  // give up: Evidence says why
)

// Move is what to do next.
type Move struct {
	Do       Do
	Node     *phone.Node
	Evidence reel.Evidence
}

// Post is what is to be posted.
type Post struct {
	Me      string
	Caption string
	Length  string // of the video as the gallery labels it, m:ss; empty where not known: then the newest video is taken
}

// The codes of evidence from the way; fault has a rule for each. Trouble is told as "trouble:" and its name.
const (
	CodeStuck      = "way_stuck"       // the same screen came again and again
	CodeNoVideo    = "way_no_video"    // the gallery does not show it
	CodeUnproven   = "way_unproven"    // Share was tapped, and nothing proves the post
	CodeCannotPost = "way_cannot_post" // Share was tapped, and the app says that it cannot be posted
	CodeTooLong    = "way_too_long"
	CodeUpload     = "way_other_upload" // another post's upload does not end
)

// Bounds of one way.
const (
	patience    = 4   // the same move on the same screen, before something else is tried
	relaunches  = 2   // how often the app is begun anew
	mostMoves   = 120 // a way takes 9 to 30; uploads are waited for in moves too
	unprovenFor = 60  // looks after Share without a proof
	uploadFor   = 40  // looks at another post's upload
)

// Memory is what is remembered of one attempt. Shared is never forgotten: whatever happens after it, Share is not touched again.
type Memory struct {
	Shared bool
	Banner bool // "can't be posted" was on the screen before Share
	Stale  bool // a banner of a post was on the screen before Share, or an upload that ran
	Posts  int  // on the profile before Share; -1 where it was not seen

	looking bool // it is only looked whether a post is there
	quiet   bool // while looking: the feed was seen, and no upload runs there
	runs    bool // since Share an upload was seen
	uploads int  // looks at another post's upload
	moves   int
	looks   int    // after Share
	last    string // the last screen and move
	same    int    // how often it came in a row
	opened  int
}

// NewMemory remembers nothing.
func NewMemory() *Memory { return &Memory{Posts: -1} }

// Way decides what to do on a screen. It looks at no clock and touches no phone. It is safe for use by many at once.
type Way struct {
	moves []moveRule
	ages  []ageRule
}

type moveRule struct {
	screen, variant     string
	before, after, look bool
	do                  Do
	at                  []mark
}

// when says whether the move is one for now.
func (r *moveRule) when(m *Memory) bool {
	switch {
	case m.looking:
		return r.look
	case m.Shared:
		return r.after
	}
	return r.before
}

// ageRule is a way to write how old a reel is.
type ageRule struct {
	unit time.Duration
	text *regexp.Regexp
}

//go:embed way.yaml
var builtinWay string

// NewWay knows the way that comes with this program. It panics only if that is damaged, which a test rules out.
func NewWay() *Way {
	w, err := readWay(builtinWay, builtin)
	if err != nil {
		panic(err)
	}
	return w
}

func readWay(text, screens string) (*Way, error) {
	var f struct {
		Moves []struct {
			Screen, Variant, When string
			Do                    Do
			At                    []string
		} `yaml:"moves"`
		Ages []struct {
			Unit  string
			Texts []string
		} `yaml:"ages"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(text), &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("way: %w", err)
	}
	c, err := phrasesOf(screens)
	if err != nil {
		return nil, err
	}
	w := &Way{}
	for i, m := range f.Moves {
		r := moveRule{screen: m.Screen, variant: m.Variant, do: m.Do}
		words := strings.Fields(m.When)
		if len(words) == 0 {
			words = []string{"before", "after", "look"}
		}
		for _, word := range words {
			r.before, r.after, r.look = r.before || word == "before", r.after || word == "after", r.look || word == "look"
			if word != "before" && word != "after" && word != "look" {
				return nil, fmt.Errorf("way: move %d: when is before, after or look, not %q", i+1, word)
			}
		}
		switch {
		case m.Screen == "":
			return nil, fmt.Errorf("way: move %d: it needs a screen", i+1)
		case m.Do != DoTap && m.Do != DoBack && m.Do != DoOpen && m.Do != DoWait || (m.Do == DoTap) != (len(m.At) > 0):
			return nil, fmt.Errorf("way: move %d: %q is no move, or at is missing or too much", i+1, m.Do)
		}
		for _, text := range m.At {
			k, err := c.mark(text)
			if err != nil || k.whole != "" {
				return nil, fmt.Errorf("way: move %d: mark %q: %w", i+1, text, err)
			}
			r.at = append(r.at, k)
		}
		w.moves = append(w.moves, r)
	}
	for _, a := range f.Ages {
		unit, err := time.ParseDuration(a.Unit)
		if err != nil {
			return nil, fmt.Errorf("way: ages: %w", err)
		}
		for _, text := range a.Texts {
			re, err := regexp.Compile(`^(?:` + text + `)$`)
			if err != nil {
				return nil, fmt.Errorf("way: ages: %w", err)
			}
			w.ages = append(w.ages, ageRule{unit, re})
		}
	}
	return w, nil
}

// Next says what to do on a screen, and remembers that it was said.
func (w *Way) Next(s phone.Screen, seen Sighting, p Post, m *Memory) Move {
	move := w.decide(s, seen, p, m)
	if move.Do == DoDone || move.Do == DoStop {
		return move
	}
	if m.moves++; m.moves > mostMoves {
		return stop(m, CodeTooLong, fmt.Sprintf("after %d moves the way did not end; last seen: %s", mostMoves, seen.Screen))
	}
	return w.unstuck(move, seen, m)
}

// decide is the move without regard to what was tried before.
func (w *Way) decide(s phone.Screen, seen Sighting, p Post, m *Memory) Move {
	if seen.Trouble != "" {
		e := reel.Evidence{Source: reel.SourceScreen, Code: "trouble:" + string(seen.Trouble), Text: words(s, seen), ShareBegun: m.Shared}
		return Move{Do: DoStop, Evidence: e}
	}
	if m.Shared {
		return w.afterShare(s, seen, p, m)
	}
	switch seen.Screen {
	case "share_page":
		return sharePage(s, p)
	case "gallery":
		if seen.Variant == "reel_mode" || seen.Variant == "" {
			return chooseVideo(s, p)
		}
	case "cannot_post_banner":
		m.Banner = true
	case "posted":
		m.Stale = true
	case "sharing_progress":
		m.Stale = true
		if m.uploads++; m.uploads > uploadFor {
			return stop(m, CodeUpload, "another post's upload does not end")
		}
	case "profile":
		if n, ok := PostCount(s); ok {
			m.Posts = n
		}
	}
	if move, ok := w.byData(s, seen, p, m); ok {
		return move
	}
	return Move{Do: DoWait}
}

func (w *Way) afterShare(s phone.Screen, seen Sighting, p Post, m *Memory) Move {
	m.runs = m.runs || seen.Screen == "sharing_progress"
	if seen.Proof == Posted && (m.runs || !m.Stale) { // what was on the screen before is no proof of what came after
		return Move{Do: DoDone}
	}
	if seen.Screen == "cannot_post_banner" && !m.Banner {
		return stop(m, CodeCannotPost, words(s, seen))
	}
	if seen.Screen != "sharing_progress" {
		m.looks++
	}
	if m.looks > unprovenFor {
		return stop(m, CodeUnproven, fmt.Sprintf("Share was tapped, and %d looks later nothing proves the post; last seen: %s", unprovenFor, seen.Screen))
	}
	if move, ok := w.byData(s, seen, p, m); ok {
		return move
	}
	return Move{Do: DoWait}
}

// byData takes the move that the data has for a screen.
func (w *Way) byData(s phone.Screen, seen Sighting, p Post, m *Memory) (Move, bool) {
	v := view(s, Context{Me: p.Me})
	for i := range w.moves {
		r := &w.moves[i]
		if r.screen != seen.Screen || r.variant != "" && r.variant != seen.Variant || !r.when(m) {
			continue
		}
		if r.do != DoTap {
			return Move{Do: r.do}, true
		}
		for j := range r.at {
			if at, ok := r.at[j].on(&v); ok && !s.Nodes[at].Bounds.Empty() {
				return Move{Do: DoTap, Node: &s.Nodes[at]}, true
			}
		}
	}
	return Move{}, false
}

// sharePage writes the caption, reads it back, closes the keyboard, and only then shares.
func sharePage(s phone.Screen, p Post) Move {
	var field, ok, share *phone.Node
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch {
		case strings.HasSuffix(n.ID, ":id/caption_input_text_view"):
			field = n
		case strings.HasSuffix(n.ID, ":id/action_bar_button_text"):
			ok = n
		case strings.HasSuffix(n.ID, ":id/share_button"):
			share = n
		}
	}
	switch {
	case field == nil && ok != nil:
		return Move{Do: DoTap, Node: ok}
	case field == nil:
		return Move{Do: DoWait}
	case !sameCaption(field.Text, p.Caption):
		return Move{Do: DoType, Node: field}
	case ok != nil:
		return Move{Do: DoTap, Node: ok}
	case share != nil:
		return Move{Do: DoShare, Node: share}
	}
	return Move{Do: DoWait}
}

// sameCaption compares what the field shows with what it should: the app may change blanks at the ends of lines. An empty field shows
// its hint.
func sameCaption(shown, want string) bool {
	return captionLines(shown) == captionLines(want) || strings.TrimSpace(want) == "" && isHint(shown)
}

func captionLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t\u00a0")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func isHint(s string) bool { return s == "" || strings.HasSuffix(normal(s), "…") }

// chooseVideo takes the newest video: the first thumbnail of a video whose label shows the right length, where it is known.
func chooseVideo(s phone.Screen, p Post) Move {
	var first *phone.Node
	for i := range s.Nodes {
		n := &s.Nodes[i]
		if !strings.HasSuffix(n.ID, ":id/gallery_grid_item_thumbnail") || !strings.Contains(normal(n.Desc), "video") {
			continue
		}
		if p.Length == "" || sameLength(p.Length, labelOf(s, i)) {
			first = n
			break
		}
	}
	if first == nil {
		return Move{Do: DoWait, Evidence: reel.Evidence{Code: CodeNoVideo}}
	}
	return Move{Do: DoTap, Node: first}
}

// sameLength compares two lengths as labels show them. One may be rounded where the other is cut: a second more or less is the same.
func sameLength(a, b string) bool {
	x, okX := seconds(a)
	y, okY := seconds(b)
	return okX && okY && x-y <= 1 && y-x <= 1
}

// seconds reads m:ss or h:mm:ss.
func seconds(label string) (n int, ok bool) {
	for part := range strings.SplitSeq(strings.TrimSpace(label), ":") {
		m, err := strconv.Atoi(part)
		if err != nil || m < 0 || m > 9999 {
			return 0, false
		}
		n, ok = n*60+m, true
	}
	return n, ok
}

// labelOf is the length that stands on a thumbnail: the label behind it and before the next one.
func labelOf(s phone.Screen, thumbnail int) string {
	for _, n := range s.Nodes[thumbnail+1:] {
		switch {
		case strings.HasSuffix(n.ID, ":id/gallery_grid_item_label"):
			return n.Text
		case strings.HasSuffix(n.ID, ":id/gallery_grid_item_thumbnail"):
			return ""
		}
	}
	return ""
}

// unstuck sees to it that the same move on the same screen is not made for ever: then back, then the app anew, then the end.
// Waiting for an upload is no such thing.
func (w *Way) unstuck(move Move, seen Sighting, m *Memory) Move {
	if m.Shared || seen.Screen == "sharing_progress" {
		return move // looks are counted there
	}
	key := seen.Screen + "/" + seen.Variant + " " + string(move.Do)
	if move.Node != nil {
		key += " " + move.Node.ID + move.Node.Desc
	}
	if key != m.last {
		m.last, m.same = key, 0
	}
	m.same++
	switch {
	case m.same <= patience:
		return move
	case m.same == patience+1 && move.Do != DoBack:
		return Move{Do: DoBack}
	case m.opened < relaunches:
		m.opened++
		m.last, m.same = "", 0
		return Move{Do: DoOpen}
	case move.Evidence.Code == CodeNoVideo:
		return stop(m, CodeNoVideo, "the gallery does not show the video")
	}
	return stop(m, CodeStuck, fmt.Sprintf("the way is stuck on %s", seen.Screen))
}

func stop(m *Memory, code, text string) Move {
	return Move{Do: DoStop, Evidence: reel.Evidence{Source: reel.SourceTool, Code: code, Text: "instagram: " + text, ShareBegun: m.Shared}}
}

// words is what a screen says of trouble, in its own words: the element that it was known by, and what stands below it.
func words(s phone.Screen, seen Sighting) string {
	const most = 400
	var said []string
	from := 0
	if seen.Mark != nil {
		for i := range s.Nodes {
			if &s.Nodes[i] == seen.Mark {
				from = i
			}
		}
	}
	length := 0
	for _, n := range s.Nodes[from:] {
		t := strings.TrimSpace(n.Text)
		if t == "" {
			t = strings.TrimSpace(n.Desc)
		}
		if t == "" || len(said) > 0 && said[len(said)-1] == t {
			continue
		}
		if length += len(t); length > most && len(said) > 0 {
			break
		}
		said = append(said, t)
	}
	return strings.Join(said, " · ")
}

// PostCount reads how many posts a profile has. Counts that are shortened (1.2K) cannot be compared, and are none.
func PostCount(s phone.Screen) (int, bool) {
	for _, n := range s.Nodes {
		if strings.HasSuffix(n.ID, ":id/profile_header_familiar_post_count_value") && plainNumber.MatchString(n.Text) {
			count := 0
			for _, r := range n.Text {
				if r >= '0' && r <= '9' {
					count = count*10 + int(r-'0')
				}
			}
			return count, true
		}
	}
	return 0, false
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,3}([.,  ]?[0-9]{3})?$`)
