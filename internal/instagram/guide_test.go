package instagram_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/instagram"
	"reelpass/internal/phone"
	"reelpass/internal/reel"
	"reelpass/internal/simgram"
	"reelpass/internal/simphone"
)

// guided is a guide made of a function.
type guided func(instagram.Question) (instagram.Advice, error)

func (g guided) Ask(_ context.Context, q instagram.Question) (instagram.Advice, error) { return g(q) }

// ask posts with a window in the way that no rule knows, and a guide.
func ask(t *testing.T, g instagram.Guide) (reel.Report, *world) {
	t.Helper()
	w := &world{}
	now := time.Unix(1_780_000_000, 0)
	h := &hand{t: t, app: simgram.New(simgram.Config{
		Account: "mira.weaves", World: w, Clock: func() time.Time { return now }, Scenario: simgram.Scenario{Popups: []string{simgram.Strange}},
	})}
	h.app.Event(simphone.Event{Kind: simphone.MediaAdded, File: simphone.File{Path: video, Size: 3_100_000}})
	p := instagram.NewPoster(func(ctx context.Context) error { now = now.Add(time.Second); return context.Cause(ctx) }, nil)
	if g != nil {
		p.Ask(g, func(context.Context) ([]byte, error) { return []byte("png"), nil })
	}
	r, _ := p.Post(t.Context(), h, instagram.Post{Me: "mira.weaves", Caption: caption}, reel.Desk{
		Step: func(string) {}, Share: func(context.Context) bool { return true },
	})
	return r, w
}

// A window that no rule knows is taken away as the guide says. Nothing that publishes is offered to it.
func TestAGuideLeadsPastAnUnknownScreen(t *testing.T) {
	asked := 0
	r, w := ask(t, guided(func(q instagram.Question) (instagram.Advice, error) {
		asked++
		if len(q.Choices) != 1 || q.Choices[0].Text != "Stay on the ground" || !slices.Contains(q.Texts, "Meet the new orbit") {
			t.Errorf("%+v", q)
		}
		if picture, err := q.Picture(t.Context()); err != nil || string(picture) != "png" {
			t.Error(string(picture), err)
		}
		return instagram.Advice{Do: instagram.DoTap, Touch: 0, Note: "an offer"}, nil
	}))
	if !r.Posted || len(w.posts) != 1 || asked != 1 || r.Evidence != (reel.Evidence{}) {
		t.Errorf("%+v, %q, asked %d times", r, w.posts, asked)
	}
}

// What a guide says stands beside the evidence and never in it.
func TestWhatAGuideSaysIsANote(t *testing.T) {
	const said = "there is no notice that the action was blocked or the account suspended"
	r, _ := ask(t, guided(func(instagram.Question) (instagram.Advice, error) { return instagram.Advice{Note: said}, nil }))
	if r.Posted || r.Evidence.Code != instagram.CodeStuck || strings.Contains(r.Evidence.Text, "blocked") || !strings.Contains(r.Evidence.Note, said) {
		t.Errorf("%+v", r)
	}
}

// Without a guide, with one that fails, and with one that says anything whatever: nothing is published, and the way ends.
func TestAGuideCanDoNoHarm(t *testing.T) {
	if r, _ := ask(t, nil); r.Posted || r.Evidence.Code != instagram.CodeStuck {
		t.Errorf("%+v", r)
	}
	boom := errors.New("boom")
	if r, _ := ask(t, guided(func(instagram.Question) (instagram.Advice, error) { return instagram.Advice{}, boom })); r.Posted || r.Evidence.Text != "boom" {
		t.Errorf("%+v", r)
	}
	rapid.Check(t, func(rt *rapid.T) {
		r, w := ask(t, guided(func(instagram.Question) (instagram.Advice, error) {
			return instagram.Advice{
				Do:    rapid.SampledFrom([]instagram.Do{"", instagram.DoTap, instagram.DoBack, instagram.DoWait, instagram.DoShare, instagram.DoType, instagram.DoDone, instagram.DoOpen, "x"}).Draw(rt, "do"),
				Touch: rapid.IntRange(-2, 3).Draw(rt, "touch"),
			}, nil
		}))
		if r.Posted != (len(w.posts) == 1) || len(w.posts) > 1 || !r.Posted && r.Evidence.ShareBegun {
			rt.Fatalf("%+v, %q", r, w.posts)
		}
	})
}

// Nobody is asked about pages on which only a person may act, and nothing that publishes, or lies where such a thing lies, is a choice.
func TestWhatAGuideIsNeverShown(t *testing.T) {
	button := func(text string, y int) phone.Node {
		return phone.Node{Text: text, Clickable: true, Enabled: true, Bounds: phone.Rect{X2: 100, Y1: y, Y2: y + 50}}
	}
	for _, text := range []string{"Password", "Log in", "Confirm it's you", "Enter the security code", "I'm not a robot", "We suspended your account", "Passwort"} {
		if q, ok := instagram.QuestionOf(phone.Screen{Nodes: []phone.Node{button("Later", 0), {Text: text}}}); ok {
			t.Errorf("asked beside %q: %+v", text, q)
		}
	}
	if _, ok := instagram.QuestionOf(phone.Screen{Nodes: []phone.Node{button("Later", 0), {Private: true}}}); ok {
		t.Error("asked beside a password field")
	}
	for _, text := range []string{"Share", "Post", "Share now", "Publish to feed", "Teilen", "Compartir", "Опубликовать", "Send"} {
		under := button("", 0)
		q, ok := instagram.QuestionOf(phone.Screen{Nodes: []phone.Node{under, button(text, 0), button("Not now", 60)}})
		if !ok || len(q.Choices) != 1 || q.Choices[0].Text != "Not now" {
			t.Errorf("%q: %+v", text, q.Choices)
		}
	}
	id := button("", 0)
	id.ID = "com.instagram.android:id/share_button"
	if q, _ := instagram.QuestionOf(phone.Screen{Nodes: []phone.Node{id}}); len(q.Choices) != 0 {
		t.Errorf("%+v", q.Choices)
	}
}
