package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"reelpass/internal/config"
	"reelpass/internal/graph"
	"reelpass/internal/media"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
	"reelpass/internal/vault"
	"reelpass/internal/video"
	"reelpass/internal/worker"
)

var (
	_ runner.Worker    = (*worker.Inside)(nil)
	_ worker.Publisher = (*graph.Publisher)(nil)
)

// The environment of tokens: the key that opens their file, and systemd's folder of credentials, in which the key may lie as well.
const (
	envAgeKey      = "REELPASS_AGE_KEY"
	envCredentials = "CREDENTIALS_DIRECTORY"
	credentialKey  = "reelpass-age-key"
)

// graphPublisher makes the official API's publisher. Its workers are goroutines and no processes: they only wait for a network, and a
// process for each would cost 15 MB and say nothing more when it dies.
func (a *app) graphPublisher(s config.Settings, l *logs, secrets []string) (publisher, error) {
	client, err := graphClient(s.Graph, s.Workers*s.Slots)
	if err != nil {
		return publisher{}, err
	}
	log := l.worker(0)
	keeper := a.keeper(s.Graph, client, func(name string, err error) { log.Warn("a token could not be renewed", "account", name, "error", err) })
	if _, err := keeper.File.Entries(); err != nil { // else every job would say so
		return publisher{}, err
	}
	cfg := graph.Config{
		Client: client, Accounts: &addresses{keeper: keeper, client: client}, PostsPerDay: s.Graph.PostsPerDay, Times: graph.DefaultTimes(), Log: log, Clock: a.now,
	}
	cfg.Times.Grace = s.Graph.Grace.Std()
	if s.Graph.Check {
		cfg.Check = checked
	}
	if s.Graph.Bucket != "" {
		bucket, err := reel.ParseAddress(s.Graph.Bucket + "/-")
		if err != nil {
			return publisher{}, usage("graph.bucket %w", err)
		}
		bucket.Object = filepath.Dir(bucket.Object)
		cfg.Offer = func(ctx context.Context, file string) (string, error) {
			return media.Offer(ctx, client.HTTP, bucket, file, a.now)
		}
	}
	pub := graph.New(cfg)
	return publisher{
		look: true, media: a.media(s),
		worker: func(int) runner.Worker {
			return &worker.Inside{Publisher: pub, Timeout: s.JobTimeout.Std(), Log: log, Secrets: secrets}
		},
	}, nil
}

func graphClient(g config.Graph, connections int) (*graph.Client, error) {
	c := &graph.Client{Base: map[graph.Login]string{graph.Instagram: g.Instagram, graph.Facebook: g.Facebook}, Version: g.Version, HTTP: graph.NewHTTP(max(connections, 4))}
	for login, base := range c.Base {
		if base == "" {
			continue
		}
		if err := graph.CheckBase(base); err != nil {
			return nil, usage("graph.%s %w", login, err)
		}
	}
	return c, nil
}

// keeper knows where tokens lie, and renews them.
func (a *app) keeper(g config.Graph, client *graph.Client, told func(string, error)) *vault.Keeper {
	f := &vault.File{Path: g.Accounts, Key: g.Key, KeyText: os.Getenv(envAgeKey)}
	dir := os.Getenv(envCredentials)
	if f.KeyText == "" && dir != "" {
		if data, err := os.ReadFile(filepath.Join(dir, credentialKey)); err == nil {
			f.KeyText = string(data)
		}
	}
	return &vault.Keeper{
		File: f, Env: os.Getenv, Credentials: dir, Clock: a.now, Told: told,
		Renew: func(ctx context.Context, e vault.Entry) (string, time.Duration, error) {
			return client.Refresh(ctx, graph.Account{ID: e.ID, Login: graph.Login(e.Login), Token: e.Token})
		},
	}
}

// addresses gives accounts to the publisher. An entry without an id, as from the environment, is asked whose it is.
type addresses struct {
	keeper *vault.Keeper
	client *graph.Client
	ids    known
}

// Account implements graph.Accounts.
func (x *addresses) Account(ctx context.Context, name string) (graph.Account, error) {
	e, err := x.keeper.Entry(ctx, name)
	if err != nil {
		return graph.Account{}, err
	}
	acct := graph.Account{ID: e.ID, Login: graph.Login(e.Login), Token: e.Token}
	if acct.ID != "" {
		return acct, nil
	}
	if acct.ID = x.ids.of(e.Token); acct.ID == "" {
		if acct.ID, _, err = x.client.Me(ctx, acct); err != nil {
			return acct, err
		}
		x.ids.is(e.Token, acct.ID)
	}
	return acct, nil
}

// checked holds a video and its caption against the platform's rules. What is only advice is not told here.
func checked(path, caption string) *reel.Evidence {
	_, problems, err := video.CheckFile(path)
	if err != nil {
		return nil // the upload will find out, and say it better
	}
	for _, p := range append(problems, video.CheckCaption(caption)...) {
		if p.Grave {
			text := p.Text
			if p.Code[0] == 'v' || p.Code[0] == 'a' {
				text = "the video " + text
			}
			return &reel.Evidence{Source: reel.SourceTool, Code: p.Code, Text: text}
		}
	}
	return nil
}

// examineGraph checks the tokens, and asks the API for each whose it is.
func (a *app) examineGraph(ctx context.Context, s config.Settings) []finding {
	if s.Publisher != config.PublisherGraph {
		return nil
	}
	client, err := graphClient(s.Graph, 4)
	if err != nil {
		return []finding{bad("graph", err)}
	}
	k := a.keeper(s.Graph, client, func(string, error) {})
	all, err := k.File.Entries()
	switch {
	case err != nil:
		return []finding{bad("accounts", err)}
	case len(all) == 0:
		return []finding{{Check: "accounts", OK: true, Text: "no token is in " + s.Graph.Accounts + "; those of the environment are asked when they are needed"}}
	}
	var list []finding
	for _, e := range all {
		err := a.tryAccount(ctx, client, k, e.Name)
		f := finding{Check: "account " + e.Name, OK: err == nil, Text: "its token is good" + lapses(e.Expires)}
		if err != nil {
			f.Text, f.Hint = err.Error(), "'reelpass accounts add "+e.Name+"' takes a new token"
			if wasShort(err, e, a.now()) {
				f.Hint = shortHint
			}
		}
		list = append(list, f)
	}
	return list
}

// tryAccount asks the API whether an account's token is good and the account's own.
func (a *app) tryAccount(ctx context.Context, client *graph.Client, k *vault.Keeper, name string) error {
	e, err := k.Entry(ctx, name)
	if err != nil {
		return err
	}
	acct := graph.Account{ID: e.ID, Login: graph.Login(e.Login), Token: e.Token}
	if acct.ID == "" {
		if acct.ID, _, err = client.Me(ctx, acct); err != nil {
			return err
		}
	}
	used, total, err := client.Quota(ctx, acct)
	if err == nil && total > 0 && used >= total {
		return errors.New("the account has made its posts of the day")
	}
	return err
}

func lapses(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", until " + at.UTC().Format(time.DateOnly)
}

// known remembers whose tokens are. It is safe for use by many at once.
type known struct {
	mu  sync.Mutex
	ids map[string]string
}

func (k *known) of(token string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[token]
}

func (k *known) is(token, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[string]string{}
	}
	k.ids[token] = id
}
