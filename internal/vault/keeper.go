package vault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// renewBefore is how long before its end a token is renewed. Those of Instagram Login live for 60 days.
const renewBefore = 10 * 24 * time.Hour

// youngest is how old a token must be to be renewed (Meta, refresh_access_token).
const youngest = 24 * time.Hour

// Keeper gives the tokens of accounts, and renews them in time. It is safe for use by many at once.
type Keeper struct {
	File *File
	// Env and Credentials are looked into first: variables INSTAGRAM_TOKEN_NAME, and a folder of systemd's with files instagram-name.
	Env         func(string) string
	Credentials string
	// Renew asks for a new token; nil: none is asked for.
	Renew func(context.Context, Entry) (token string, lives time.Duration, err error)
	Clock func() time.Time
	// Told is told when a token could not be renewed though it is valid still; nil: nobody is.
	Told func(name string, err error)

	mu      sync.Mutex
	entries map[string]Entry
	read    time.Time
	tried   map[string]time.Time
}

// again is how long what was read counts, and how long after a renewal that failed the next one is tried.
const (
	again      = time.Minute
	renewAgain = time.Hour
)

// NoTokenError says that an account has no valid token.
type NoTokenError struct {
	Account string
	Lapsed  time.Time // zero: there is none at all
}

func (e *NoTokenError) Error() string {
	if e.Lapsed.IsZero() {
		return "no token is known for account " + e.Account
	}
	return fmt.Sprintf("the token of account %s has lapsed on %s: a person must consent again", e.Account, e.Lapsed.UTC().Format(time.DateOnly))
}

// Evidence tells it to whoever judges it.
func (e *NoTokenError) Evidence(step string) reel.Evidence {
	code := "graph_no_token"
	if !e.Lapsed.IsZero() {
		code = "graph_token_over"
	}
	return reel.Evidence{Source: reel.SourceTool, Code: code, Text: e.Error(), Step: step}
}

// EnvName is the variable that may hold an account's token.
func EnvName(account string) string {
	return "INSTAGRAM_TOKEN_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, account)
}

// Entry is an account's token. The error is *NoTokenError where there is none that is valid.
func (k *Keeper) Entry(ctx context.Context, name string) (Entry, error) {
	if k.Env != nil {
		if t := k.Env(EnvName(name)); t != "" {
			return Entry{Name: name, Token: strings.TrimSpace(t), Login: loginOf(t), From: "the environment"}, nil
		}
	}
	if k.Credentials != "" {
		if data, err := os.ReadFile(filepath.Join(k.Credentials, "instagram-"+filepath.Base(name))); err == nil {
			t := strings.TrimSpace(string(data))
			return Entry{Name: name, Token: t, Login: loginOf(t), From: "a credential"}, nil
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.Clock()
	if k.entries == nil || now.Sub(k.read) > again {
		all, err := k.File.Entries()
		if err != nil {
			return Entry{}, err
		}
		k.entries, k.read = map[string]Entry{}, now
		for _, e := range all {
			k.entries[e.Name] = e
		}
	}
	e, ok := k.entries[name]
	switch {
	case !ok:
		return e, &NoTokenError{Account: name}
	case !e.Expires.IsZero() && !now.Before(e.Expires):
		return e, &NoTokenError{Account: name, Lapsed: e.Expires}
	}
	return k.renewed(ctx, e, now), nil
}

// loginOf tells the product by how a token begins: those of Instagram Login begin with IG, those of Facebook Login with EA.
func loginOf(token string) string {
	if strings.HasPrefix(strings.TrimSpace(token), "EA") {
		return "facebook"
	}
	return "instagram"
}

// LoginOf tells the login from a token.
func LoginOf(token string) string { return loginOf(token) }

// renewed renews a token that is about to lapse. Where that fails it is valid for days still, and tried again later.
func (k *Keeper) renewed(ctx context.Context, e Entry, now time.Time) Entry {
	if k.Renew == nil || e.Login != "instagram" || e.Expires.IsZero() || e.Expires.Sub(now) > renewBefore || now.Sub(e.Issued) < youngest || now.Sub(k.tried[e.Name]) < renewAgain {
		return e
	}
	if k.tried == nil {
		k.tried = map[string]time.Time{}
	}
	k.tried[e.Name] = now
	next := e
	err := k.File.Change(func(all []Entry) ([]Entry, error) {
		i := slices.IndexFunc(all, func(o Entry) bool { return o.Name == e.Name })
		if i < 0 || all[i].Token != e.Token { // somebody else was quicker
			if i >= 0 {
				next = all[i]
			}
			return all, nil
		}
		token, lives, err := k.Renew(ctx, e)
		if err != nil {
			return nil, err
		}
		next.Token, next.Issued, next.Expires = token, now.UTC(), now.Add(lives).UTC()
		all[i] = next
		return all, nil
	})
	if err != nil {
		if k.Told != nil {
			k.Told(e.Name, err)
		}
		return e
	}
	k.entries[e.Name] = next
	return next
}
