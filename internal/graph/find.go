package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"reelpass/internal/reel"
)

// skew is how much earlier than the attempt a post may seem to be: clocks differ.
const skew = 2 * time.Minute

// Find looks whether a doubtful post is there: by its container, and where that does not tell by the account's list of media. It is called
// absent only where the container is certainly unpublished after a time of grace, or can never be published.
func (p *Publisher) Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look {
	unsure := func(format string, args ...any) reel.Look {
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf(format, args...)}
	}
	var c kept
	text := a.Kept[keptContainer]
	if err := json.Unmarshal([]byte(text), &c); text != "" && (err != nil || c.ID == "") {
		return unsure("what is kept of the container cannot be read")
	}
	if c.ID == "" && plain(a.Caption) == "" {
		return unsure("no container is known, and without a caption no reel can be recognised")
	}
	acct, err := p.cfg.Accounts.Account(ctx, a.Account)
	if err != nil {
		return unsure("the account cannot be asked: %v", err)
	}
	o := &post{Publisher: p, a: a, desk: d, acct: acct}
	end := p.cfg.Clock().Add(p.cfg.Times.Grace)
	for {
		look, last := o.once(ctx, c, since)
		if look.Finding != "" {
			return look
		}
		if !p.cfg.Clock().Before(end) {
			if last != nil {
				return unsure("the account cannot be asked: %v", last)
			}
			return reel.Look{Finding: reel.Absent, Why: fmt.Sprintf("%s after the first look no container of it is published, and no reel with this caption is on the account", p.cfg.Times.Grace)}
		}
		if err := p.wait(ctx); err != nil {
			return unsure("interrupted: %v", err)
		}
		if d.Step != nil {
			d.Step(StepConfirm)
		}
	}
}

// once is one look. No finding: ask again; the error says where the question itself failed.
func (p *post) once(ctx context.Context, c kept, since time.Time) (reel.Look, error) {
	if c.ID == "" { // the ledger is an old copy: it does not know what was made since
		return p.listed(ctx, since)
	}
	s, err := p.cfg.Client.Status(ctx, p.acct, c.ID)
	if err != nil {
		var f *Failure
		if errors.As(err, &f) && (f.Uncertain() || f.Unsent || f.Code == 100) {
			return reel.Look{}, err // Meta says of containers at times that they are missing
		}
		return reel.Look{Finding: reel.Unsure, Why: "the container cannot be asked: " + err.Error()}, nil
	}
	look, err := p.listed(ctx, since)
	switch {
	case s.Code == Published:
		return reel.Look{Finding: reel.Found, Receipt: look.Receipt}, nil
	case err == nil && look.Finding == "" && (s.Code == Errored || s.Code == Expired): // it can never be published any more
		return reel.Look{Finding: reel.Absent, Why: "the container was never published: " + s.Text}, nil
	}
	return look, err
}

// listed looks for the post in the account's list of media. No finding: it is not there now.
func (p *post) listed(ctx context.Context, since time.Time) (reel.Look, error) {
	list, whole, err := p.cfg.Client.Media(ctx, p.acct, since.Add(-skew))
	alike := match(list, p.a.Caption, since)
	switch {
	case err != nil:
		return reel.Look{}, err
	case len(alike) == 1:
		return reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: alike[0].ID, URL: alike[0].Permalink}}, nil
	case len(alike) > 1:
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf("the account has %d reels with this caption since then", len(alike))}, nil
	case !whole:
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf("the account has more than %d posts since then, and they were not all looked at", len(list))}, nil
	}
	return reel.Look{}, nil
}

// match are the reels of a list that were posted at or after a moment with a caption. An empty caption matches nothing: it says nothing.
func match(list []Medium, caption string, since time.Time) (all []Medium) {
	want := plain(caption)
	for _, m := range list {
		if want != "" && m.Type == "REELS" && !m.Time.Before(since.Add(-skew)) && plain(m.Caption) == want {
			all = append(all, m)
		}
	}
	return all
}

// plain takes out what may come back otherwise: @ signs, white space, and how letters are put together.
func plain(s string) string {
	return strings.Join(strings.Fields(norm.NFC.String(strings.ReplaceAll(s, "@", ""))), " ")
}
