package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"reelpass/internal/console"
	"reelpass/internal/graph"
	"reelpass/internal/reel"
	"reelpass/internal/vault"
)

// tokenLife is how long a token of Instagram Login lives from when it was given (Meta, exchange of tokens).
const tokenLife = 60 * 24 * time.Hour

// envAppSecret holds the secret of the app at Meta, while a token is exchanged.
const envAppSecret = "INSTAGRAM_APP_SECRET"

// tokenCommands are the subcommands of accounts that deal with tokens of the official API.
func (a *app) tokenCommands() []*cobra.Command {
	return []*cobra.Command{a.accountsAdd(), a.accountsList(), a.accountsCheck(), a.accountsRemove()}
}

func (a *app) accountsAdd() *cobra.Command {
	c := &cobra.Command{
		Use: "add ACCOUNT", Short: "take an account's token for the official API",
		Long: `Reads a long-lived token of Instagram's official API from standard input, asks
the API whose it is, and keeps it encrypted in graph.accounts. A token of an
account that is there takes the place of the old one. The key that opens the
file is made in graph.key, unless REELPASS_AGE_KEY or a systemd credential
"reelpass-age-key" holds one.

A token as a login page gives it lives for an hour. With --short it is exchanged
for a long-lived one, which Instagram Login alone can do, and only with the
secret of the app in INSTAGRAM_APP_SECRET; it is not kept. Without --short the
token is taken for a long-lived one. Those of Instagram Login live for 60 days and are renewed by whoever
runs a batch in their last ten. A token may also come from the environment
(INSTAGRAM_TOKEN_NAME) or a systemd credential (instagram-NAME); then it is not
kept, and not renewed.`,
		Example: `  reelpass accounts add studio.nord < token.txt
  INSTAGRAM_APP_SECRET=... reelpass accounts add studio.nord --short < short.txt`,
		Args: cobra.ExactArgs(1),
	}
	login := c.Flags().String("login", "", "`instagram` or facebook (default: as the token begins)")
	id := c.Flags().String("id", "", "the account's `ID` (default: the API is asked)")
	expires := c.Flags().String("expires", "", "when the token lapses, as `DATE` (default for Instagram Login: in 60 days)")
	short := c.Flags().Bool("short", false, "exchange the token, which lives for an hour, for a long-lived one")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, flags(c))
		if err != nil {
			return err
		}
		if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			fmt.Fprint(a.err, "Paste the token and press Enter (it is shown): ")
		}
		line, err := bufio.NewReader(io.LimitReader(a.in, 1<<16)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		token := strings.TrimSpace(line)
		if token == "" || strings.ContainsAny(token, " \t\"'") {
			return hinted{usage("standard input holds no token"), "give it as 'reelpass accounts add " + args[0] + " < token.txt'"}
		}
		e := vault.Entry{Name: args[0], ID: *id, Token: token, Login: cmp.Or(*login, vault.LoginOf(token)), Issued: a.now().UTC().Truncate(time.Second)}
		switch {
		case e.Login != string(graph.Instagram) && e.Login != string(graph.Facebook):
			return usage("--login must be instagram or facebook, not %q", e.Login)
		case *expires != "":
			if e.Expires, err = time.Parse(time.DateOnly, *expires); err != nil {
				return usage("--expires wants a date like 2027-01-31, not %q", *expires)
			}
		case e.Login == string(graph.Instagram):
			e.Expires = e.Issued.Add(tokenLife)
		}
		client, err := graphClient(s.Graph, 4)
		if err != nil {
			return err
		}
		if *short {
			if err := a.exchange(c.Context(), client, &e, *expires); err != nil {
				return err
			}
		}
		name, err := a.askWhose(c.Context(), client, &e)
		if err != nil {
			return err
		}
		if err := a.keeper(s.Graph, client, nil).File.Put(e); err != nil {
			return err
		}
		a.say("", fmt.Sprintf("account %s: the token of %s (id %s) is kept in %s%s", console.Clean(e.Name), console.Clean(name), e.ID, s.Graph.Accounts, lapses(e.Expires)))
		return nil
	}
	return c
}

// exchange puts a long-lived token in the place of an entry's short-lived one.
func (a *app) exchange(ctx context.Context, client *graph.Client, e *vault.Entry, expires string) error {
	secret := os.Getenv(envAppSecret)
	switch {
	case e.Login != string(graph.Instagram):
		return hinted{usage("--short exchanges tokens of Instagram Login alone"), "Facebook's own tools give a long-lived token of Facebook Login"}
	case expires != "":
		return usage("--short and --expires exclude each other: the exchange says when the new token lapses")
	case secret == "":
		return hinted{
			usage("a short-lived token cannot be exchanged without the app's secret"),
			"put it into " + envAppSecret + " (the app's dashboard at Meta, API setup with Instagram login), or give a long-lived token without --short",
		}
	}
	token, lives, err := client.Exchange(ctx, graph.Account{Login: graph.Instagram, Token: e.Token}, secret)
	var f *graph.Failure
	switch {
	case errors.As(err, &f) && f.Code != 0:
		return hinted{usage("the API does not exchange this token: %s", f.Message), "it must be a short-lived one, not an hour old, and " + envAppSecret + " the secret of the app for which it was given"}
	case err != nil:
		return err
	}
	if e.Token = token; lives > 0 {
		e.Expires = e.Issued.Add(lives)
	}
	return nil
}

// wasShort says that a token which has lapsed can only have been a short-lived one: it was taken within the last days.
func wasShort(err error, e vault.Entry, now time.Time) bool {
	var f *graph.Failure
	return errors.As(err, &f) && f.Code == 190 && f.Subcode == 463 && !e.Issued.IsZero() && now.Sub(e.Issued) < tokenLife/2
}

const shortHint = "it lapsed so soon that it must have been a short-lived one: 'reelpass accounts add NAME --short' exchanges those"

// askWhose asks the API whose the token is, and puts its id into the entry where none was given.
func (a *app) askWhose(ctx context.Context, client *graph.Client, e *vault.Entry) (name string, err error) {
	id, name, err := client.Me(ctx, graph.Account{Login: graph.Login(e.Login), Token: e.Token})
	var f *graph.Failure
	switch {
	case err == nil && e.ID == "":
		e.ID = id
	case err == nil && e.ID != id && e.Login == string(graph.Instagram):
		return name, usage("the token is of %s (id %s), not of the account with id %s", name, id, e.ID)
	case errors.As(err, &f) && f.Code == 190:
		return "", hinted{usage("the API does not take this token: %s", f.Message), "a token of Facebook Login needs --login facebook; a lapsed one needs the account's consent again"}
	case err != nil:
		return "", err
	}
	return cmp.Or(name, e.Name), nil
}

func (a *app) accountsList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "list the accounts whose tokens are kept", Args: cobra.NoArgs}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		all, err := a.tokens(c)
		if err != nil {
			return err
		}
		if !*asJSON && len(all) == 0 {
			fmt.Fprintln(a.out, "no token is kept; 'reelpass accounts add NAME' takes one")
		}
		enc := json.NewEncoder(a.out)
		for _, e := range all {
			if *asJSON {
				if err := enc.Encode(map[string]any{"account": e.Name, "id": e.ID, "login": e.Login, "issued": e.Issued, "expires": e.Expires}); err != nil {
					return err
				}
				continue
			}
			a.say(fmt.Sprintf("%-24s ", console.Clean(e.Name)), fmt.Sprintf("%-18s %-10s %s", e.ID, e.Login, left(e.Expires, a.now())))
		}
		return nil
	}
	return c
}

func left(expires, now time.Time) string {
	switch days := int(expires.Sub(now).Hours() / 24); {
	case expires.IsZero():
		return "its end is not known"
	case !now.Before(expires):
		return "lapsed on " + expires.UTC().Format(time.DateOnly) + ": it needs the account's consent again"
	default:
		return fmt.Sprintf("until %s (%s)", expires.UTC().Format(time.DateOnly), count(days, "day", "days"))
	}
}

func (a *app) tokens(c *cobra.Command) ([]vault.Entry, error) {
	s, err := a.settings(c, flags(c))
	if err != nil {
		return nil, err
	}
	return a.keeper(s.Graph, nil, nil).File.Entries()
}

func (a *app) accountsCheck() *cobra.Command {
	c := &cobra.Command{
		Use: "check [ACCOUNT...]", Short: "ask the official API whether tokens are good, and how many posts they may still make",
		Long: "Asks the API for each account, or for all that are kept. Exit code 1 where a token is not good.",
	}
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, flags(c))
		if err != nil {
			return err
		}
		client, err := graphClient(s.Graph, 4)
		if err != nil {
			return err
		}
		k := a.keeper(s.Graph, client, func(name string, err error) {
			fmt.Fprintf(a.err, "account %s: the token could not be renewed: %v\n", name, err)
		})
		if len(args) == 0 {
			all, err := k.File.Entries()
			if err != nil {
				return err
			}
			for _, e := range all {
				args = append(args, e.Name)
			}
		}
		x := &addresses{keeper: k, client: client}
		enc := json.NewEncoder(a.out)
		for _, name := range args {
			v := struct {
				Account string `json:"account"`
				OK      bool   `json:"ok"`
				Error   string `json:"error,omitempty"`
				Used    int    `json:"posts_used"`
				Total   int    `json:"posts_allowed"`
			}{Account: name}
			acct, err := x.Account(c.Context(), name)
			if err == nil {
				v.Used, v.Total, err = client.Quota(c.Context(), acct)
			}
			if v.OK = err == nil; err != nil {
				v.Error, a.code = reel.Scrub(err.Error()), exitCannot
				if e, lost := k.Entry(c.Context(), name); lost == nil && wasShort(err, e, a.now()) {
					fmt.Fprintln(a.err, "hint: account "+console.Clean(name)+": "+shortHint)
				}
			}
			switch {
			case *asJSON:
				if err := enc.Encode(v); err != nil {
					return err
				}
			case err != nil:
				a.say("FAIL  ", console.Clean(name)+": "+console.Clean(v.Error))
			default:
				a.say("ok    ", fmt.Sprintf("%s: %d of %d posts in the last 24 hours", console.Clean(name), v.Used, v.Total))
			}
		}
		return nil
	}
	return c
}

func (a *app) accountsRemove() *cobra.Command {
	c := &cobra.Command{Use: "remove ACCOUNT...", Short: "forget the tokens of accounts", Args: cobra.MinimumNArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, flags(c))
		if err != nil {
			return err
		}
		f := a.keeper(s.Graph, nil, nil).File
		for _, name := range args {
			there, err := f.Remove(name)
			switch {
			case err != nil:
				return err
			case !there:
				return hinted{usage("no token of account %q is kept", name), "'reelpass accounts list' lists them"}
			}
			a.say("", "account "+console.Clean(name)+": its token is forgotten here; it is valid still, until it lapses or is revoked")
		}
		return nil
	}
	return c
}
