package instagram

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"reelpass/internal/phone"
)

// Guide says what to do on a screen that no rule knows. It may be wrong, so it is given little to do: it chooses from elements that take
// something away or lead on, and never sees Share.
type Guide interface {
	// Ask is asked only before Share was touched, never on a screen that tells of trouble with the account or asks who somebody is.
	// It fails only where ctx ends; where it cannot tell, it advises to do nothing.
	Ask(ctx context.Context, q Question) (Advice, error)
}

// Question is a screen that no rule knows.
type Question struct {
	Choices []phone.Node // what may be touched
	Texts   []string     // what stands on the screen beside
	Picture func(context.Context) ([]byte, error)
}

// Advice is what to do on it. Note is why, in the guide's words: it is kept, and never judged.
type Advice struct {
	Do    Do  // DoTap, DoBack, DoWait; anything else means that the guide has none
	Touch int // with DoTap: which of the choices
	Note  string
}

// askAfter is how often in a row an unknown screen must have been seen before anybody is asked: most are a page on its way.
const askAfter = 3

// publishing are the words of elements that publish something, and asking those of pages on which only a person may act. Both are looked
// for in ids and texts alike; one too many only makes the guide see less.
var (
	publishing = regexp.MustCompile(`(?i)(^|[^a-z])(share|shared|post|publish|send|upload|compartir|compartilhar|publicar|enviar|teilen|posten|senden|veröffentlichen|partager|publier|condividi|pubblica|bagikan|paylaş)([^a-z]|$)|поделиться|опубликовать`)
	asking     = regexp.MustCompile(`(?i)password|passcode|log ?in|sign ?(in|up)|captcha|robot|human|verif|confirm (it|your|that)|identity|selfie|security code|birthday|contraseña|senha|passwort|mot de passe|пароль|suspend|disabled|appeal`)
)

// questionOf is what a guide may be asked about a screen; none where only a person may act on it.
func questionOf(s phone.Screen) (q Question, ok bool) {
	words := func(n phone.Node) string {
		id := n.ID[strings.LastIndexByte(n.ID, '/')+1:]
		return strings.ReplaceAll(id, "_", " ") + " " + n.Text + " " + n.Desc
	}
	var forbidden []phone.Rect
	for _, n := range s.Nodes {
		if n.Private || asking.MatchString(words(n)) {
			return q, false
		}
		if publishing.MatchString(words(n)) {
			forbidden = append(forbidden, n.Bounds)
		}
	}
	for _, n := range s.Nodes {
		at := n.Bounds.Center()
		hits := slices.ContainsFunc(forbidden, func(r phone.Rect) bool { return at.X >= r.X1 && at.X < r.X2 && at.Y >= r.Y1 && at.Y < r.Y2 })
		switch {
		case n.Clickable && n.Enabled && !n.Bounds.Empty() && !hits && !strings.HasSuffix(n.Class, "EditText"):
			q.Choices = append(q.Choices, n)
		case n.Text != "":
			q.Texts = append(q.Texts, n.Text)
		}
	}
	return q, true
}

// advised is the move that a guide advises on a screen, as far as it may: what it names must still be there, on the same screen.
func (p *Poster) advised(ctx context.Context, ph Phone, s phone.Screen, me string) (move Move, note string, err error) {
	q, ok := questionOf(s)
	if !ok {
		return Move{Do: DoWait}, "", nil
	}
	q.Picture = p.picture
	a, err := p.guide.Ask(ctx, q)
	if err != nil {
		return Move{}, "", err
	}
	move = Move{Do: a.Do}
	switch a.Do {
	case DoBack, DoWait:
	case DoTap:
		move = Move{Do: DoWait}
		if a.Touch < 0 || a.Touch >= len(q.Choices) {
			break
		}
		now, err := ph.Screen(ctx) // the answer took seconds: what is touched must be what was seen
		if err != nil {
			return Move{}, "", err
		}
		again, ok := questionOf(now)
		if i := slices.Index(again.Choices, q.Choices[a.Touch]); ok && i >= 0 && p.screens.Recognise(now, Context{Me: me, Shared: SharedNo}).Screen == UnknownScreen {
			move = Move{Do: DoTap, Node: &again.Choices[i]}
		}
	default:
		move = Move{Do: DoWait}
	}
	return move, a.Note, nil
}
