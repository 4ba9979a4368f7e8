package instagram

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"reelpass/internal/phone"
	"reelpass/internal/reel"
)

// Phone is a phone in somebody's hand. An error that can tell itself as evidence does (Evidence(step)); any other is told as it is.
type Phone interface {
	Screen(ctx context.Context) (phone.Screen, error)
	Tap(ctx context.Context, at phone.Point) error
	// Type writes a text into a field, in the place of what is there.
	Type(ctx context.Context, field phone.Node, text string) error
	Press(ctx context.Context, k phone.Key) error
	// Open brings the app to the front; anew, and it is ended first.
	Open(ctx context.Context, anew bool) error
}

// Poster goes the way through the app on a phone.
type Poster struct {
	screens *Recogniser
	way     *Way
	// pause lets the app draw before it is looked at again
	pause func(ctx context.Context) error
	// unknown is given each screen that no rule knows, so that it can become one
	unknown func(phone.Screen)

	guide   Guide // nil: nobody is asked
	picture func(context.Context) ([]byte, error)
}

// Ask has somebody asked about screens that no rule knows. picture takes a picture of what the phone shows.
func (p *Poster) Ask(g Guide, picture func(context.Context) ([]byte, error)) {
	p.guide, p.picture = g, picture
}

// NewPoster goes the built-in way. pause waits between a move and the next look; unknown is told of screens that no rule knows, nil
// where nobody wants them.
func NewPoster(pause func(context.Context) error, unknown func(phone.Screen)) *Poster {
	return &Poster{screens: NewRecogniser(), way: NewWay(), pause: pause, unknown: unknown}
}

// Steps of the way, as the desk is told them.
const (
	StepOpen    = "open app"
	StepShare   = "share"
	StepConfirm = "confirm"
)

// KeptPosts is the name under which the number of posts before Share is kept, for a look that comes later.
const KeptPosts = "posts"

// Post posts what is to be posted, on a phone that has the video in its gallery. Share is touched at most once, after the desk's go.
// A report that is no post and has ShareBegun is a doubt.
func (p *Poster) Post(ctx context.Context, ph Phone, post Post, d reel.Desk) (r reel.Report, m *Memory) {
	m = NewMemory()
	step, counted, strange := StepOpen, -1, 0
	var notes []string
	defer func() {
		if len(notes) > 0 && !r.Posted {
			r.Evidence.Note = strings.Join(notes, "; ")
		}
	}()
	d.Step(step)
	failed := func(err error) (reel.Report, *Memory) { return reel.Report{Evidence: evidence(err, step, m.Shared)}, m }
	if err := ph.Open(ctx, true); err != nil {
		return failed(err)
	}
	for {
		if err := p.pause(ctx); err != nil {
			return failed(err)
		}
		s, err := ph.Screen(ctx)
		if err != nil {
			return failed(err)
		}
		seen := p.screens.Recognise(s, Context{Me: post.Me, Shared: sharedWord(m.Shared)})
		if seen.Screen == UnknownScreen && p.unknown != nil {
			p.unknown(s)
		}
		if !m.Shared && step != seen.Screen {
			step = seen.Screen
			d.Step(step)
		}
		move := p.way.Next(s, seen, post, m)
		if m.Posts != counted && d.Keep != nil { // what is not kept makes a later look less sure, and nothing worse
			counted = m.Posts
			d.Keep(ctx, KeptPosts, strconv.Itoa(counted))
		}
		if strange++; seen.Screen != UnknownScreen || m.Shared {
			strange = 0
		}
		if p.guide != nil && strange >= askAfter && move.Do != DoStop {
			var note string
			if move, note, err = p.advised(ctx, ph, s, post.Me); err != nil {
				return failed(err)
			}
			if note != "" {
				notes = append(notes, "guide: "+note)
			}
		}
		switch move.Do {
		case DoDone:
			return reel.Report{Posted: true}, m
		case DoStop:
			move.Evidence.Step = step
			return reel.Report{Evidence: move.Evidence}, m
		case DoShare:
			step = StepShare
			if !d.Share(ctx) {
				return reel.Report{Evidence: reel.Evidence{
					Source: reel.SourceWorker, Code: reel.CodeLeaseLost, Text: "told to stop before the share", Step: step,
				}}, m
			}
			m.Shared = true // from here on it may have been touched, whatever is answered
			err = ph.Tap(ctx, move.Node.Bounds.Center())
			step = StepConfirm
			d.Step(step)
		default:
			err = act(ctx, ph, move, post, m.Shared)
		}
		if err != nil {
			return failed(err)
		}
	}
}

func act(ctx context.Context, ph Phone, move Move, post Post, shared bool) error {
	switch move.Do {
	case DoTap:
		return ph.Tap(ctx, move.Node.Bounds.Center())
	case DoType:
		return ph.Type(ctx, *move.Node, post.Caption)
	case DoBack:
		return ph.Press(ctx, phone.KeyBack)
	case DoOpen:
		return ph.Open(ctx, !shared) // an upload that runs must not be ended
	case DoWait, DoShare, DoDone, DoStop:
	}
	return nil
}

func sharedWord(shared bool) Shared {
	if shared {
		return SharedYes
	}
	return SharedNo
}

// evidence tells an error of the phone.
func evidence(err error, step string, shared bool) reel.Evidence {
	var own interface {
		Evidence(step string) reel.Evidence
	}
	e := reel.Evidence{Source: reel.SourceTool, Text: err.Error(), Step: step}
	if errors.As(err, &own) {
		e = own.Evidence(step)
	}
	e.ShareBegun = shared
	return e
}
