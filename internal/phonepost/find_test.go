package phonepost_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/phonepost"
	"reelpass/internal/reel"
)

// empty is a bay whose phones cannot be had.
type empty struct{ asked int }

func (e *empty) Take(context.Context, reel.Assignment, reel.Desk) (phonepost.Held, error) {
	e.asked++
	return nil, errors.New("busy")
}

// A look that cannot be taken is tried again a few times, and then it cannot tell; it is never an answer.
func TestALookThatCannotBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bay := &empty{}
		p := phonepost.New(phonepost.Config{Bay: bay})
		began := time.Now()
		look := p.Find(t.Context(), reel.Assignment{Account: "mira"}, began, reel.Desk{Step: func(string) {}})
		if look.Finding != reel.Unsure || !strings.Contains(look.Why, "busy") || bay.asked != 3 || time.Since(began) != 90*time.Second {
			t.Errorf("%+v, asked %d times in %s", look, bay.asked, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if look := p.Find(ctx, reel.Assignment{}, began, reel.Desk{Step: func(string) {}}); look.Finding != reel.Unsure || bay.asked != 4 {
			t.Errorf("%+v, asked %d times", look, bay.asked)
		}
	})
}

// What an earlier attempt counted is forgotten before anything else: the profile may have changed since, and nobody may see it this time.
func TestAnOldCountIsForgotten(t *testing.T) {
	for _, takes := range []bool{true, false} {
		bay, kept := &empty{}, "7"
		p := phonepost.New(phonepost.Config{Bay: bay})
		r := p.Publish(t.Context(), reel.Assignment{Account: "mira", Kept: map[string]string{"posts": "7"}}, reel.Desk{
			Step: func(string) {}, Keep: func(_ context.Context, name, value string) bool {
				if name == "posts" && takes {
					kept = value
				}
				return takes
			},
		})
		if r.Posted || (kept == "") != takes || (bay.asked == 1) != takes {
			t.Errorf("%+v, kept %q, asked %d times", r, kept, bay.asked)
		}
	}
}

// What the platform would not take costs no phone.
func TestAVideoIsCheckedBeforeAPhoneIsTaken(t *testing.T) {
	bay := &empty{}
	p := phonepost.New(phonepost.Config{Bay: bay, Check: func(_, caption string) *reel.Evidence {
		if caption == "" {
			return nil
		}
		return &reel.Evidence{Source: reel.SourceTool, Code: "video_too_long", Text: "too long"}
	}})
	for caption, asked := range map[string]int{"x": 0, "": 1} {
		bay.asked = 0
		r := p.Publish(t.Context(), reel.Assignment{Account: "mira", Caption: caption}, reel.Desk{Step: func(string) {}})
		if r.Posted || bay.asked != asked || (r.Evidence.Code == "video_too_long") != (asked == 0) {
			t.Errorf("%q: %+v, asked %d times", caption, r, bay.asked)
		}
	}
}
