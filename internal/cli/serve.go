package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/access"
	"reelpass/internal/config"
	"reelpass/internal/dashboard"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	listen, cert, key string
	hosts             []string
	link, token       bool
	name, role        string
	schedule          string
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "the dashboard: see and steer batches in a browser",
		Long: `Serves the dashboard of a ledger until it is stopped: where batches stand, why
jobs fail, what needs a person, and the steps that only a person takes. It
listens on this machine alone unless --listen says otherwise, and nobody comes
in without a code: one is printed at the start, opens one session, and is good
for ten minutes. --link prints another and ends; --token prints one for scripts,
which send it as 'Authorization: Bearer TOKEN'.

What it may be called beside localhost is named with --host: a request under any
other name is refused. Give it --cert and --key, or a proxy that speaks TLS,
before it listens on a network.

With --schedule it keeps the schedule of a file as well, as 'reelpass schedule
run' does, and shows what comes next. Ctrl-C then lets running posts finish, and
the dashboard is there until they have; a second one kills the workers.`,
		Example: "  reelpass serve\n  reelpass serve --schedule schedule.yaml\n  reelpass serve --link --name anna --role look",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8765", "`ADDRESS` to listen on")
	c.Flags().StringSliceVar(&f.hosts, "host", nil, "`NAMES` by which it may be called, beside localhost")
	c.Flags().StringVar(&f.cert, "cert", "", "`FILE` with the certificate for TLS")
	c.Flags().StringVar(&f.key, "key", "", "`FILE` with its key")
	c.Flags().BoolVar(&f.link, "link", false, "print a link to sign in with, and end")
	c.Flags().BoolVar(&f.token, "token", false, "print a token for scripts, and end")
	c.Flags().StringVar(&f.name, "name", "", "whose link or token it is, for the journal (default: you)")
	c.Flags().StringVar(&f.role, "role", string(access.Steer), "what they may do: `ROLE` look or steer")
	c.Flags().StringVar(&f.schedule, "schedule", "", "keep the schedule of this `FILE` too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case access.Role(f.role) != access.Look && access.Role(f.role) != access.Steer:
			return usage("--role is look or steer, not %q", f.role)
		case (f.cert == "") != (f.key == ""):
			return usage("--cert and --key go together")
		case f.link && f.token, (f.link || f.token) && f.schedule != "":
			return usage("say either --link or --token or --schedule")
		}
		if f.name == "" {
			f.name = a.person()
		}
		keeps := f.schedule != ""
		if keeps {
			if _, _, err := a.plans([]string{f.schedule}); err != nil {
				return err
			}
		}
		return a.with(c, ledger.Options{MustExist: !keeps}, func(ctx context.Context, s config.Settings, store *ledger.Store) error {
			book := access.Open(accessFile(s.DB), a.now)
			if f.token {
				token, err := book.Issue(access.Token, f.name, access.Role(f.role))
				if err == nil {
					_, err = fmt.Fprintln(a.out, token)
				}
				return err
			}
			if f.link {
				return a.printLink(book, f)
			}
			return a.serve(ctx, c, s, store, book, f)
		})
	}
	return c
}

// accessFile is where it stands who may come in: beside the ledger, or where a ledger on a server has its logs.
func accessFile(db string) string {
	if ledger.IsServer(db) {
		return filepath.Join(".reelpass", "access.json")
	}
	return filepath.Join(filepath.Dir(db), "access.json")
}

func (a *app) printLink(book *access.Book, f serveFlags) error {
	code, err := book.Issue(access.Code, f.name, access.Role(f.role))
	if err != nil {
		return err
	}
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(f.listen)
	if err != nil {
		return usage("--listen: %w", err)
	}
	if len(f.hosts) > 0 {
		host = f.hosts[0]
	} else if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	_, err = fmt.Fprintf(a.out, "%s://%s/sign-in?code=%s\n", scheme, net.JoinHostPort(host, port), code)
	return err
}

func (a *app) serve(ctx context.Context, c *cobra.Command, s config.Settings, store *ledger.Store, book *access.Book, f serveFlags) (err error) {
	own, err := openRules(s)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(a.err, nil))
	tell, alerts, err := a.alerts(s, store, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return hinted{fmt.Errorf("cannot listen on %s: %w", f.listen, err), "name another address with --listen, as 127.0.0.1:8766"}
	}
	f.listen = listener.Addr().String() // the port may have been left to the system
	about := []dashboard.Fact{{Name: "reelpass", Value: version()}, {Name: "ledger", Value: ledger.Shown(s.DB)}, {Name: "publisher", Value: s.Publisher}}
	d, err := dashboard.New(dashboard.Config{
		Ledger: store, Access: book, Rules: own.table, Hosts: f.hosts, Evidence: s.Phone.Evidence, Zone: time.Local, About: about, Secure: f.cert != "",
		Absent: func(h reel.Held) reel.Decision { return runner.Absent(h.Claim) },
		Alerts: alerts,
		Coming: a.coming(f.schedule), Teach: own.teach(s),
		Clock: a.now, Log: log,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := a.printLink(book, f); err != nil {
		return errors.Join(err, listener.Close())
	}
	if ip := net.ParseIP(strings.Trim(hostOf(f.listen), "[]")); f.cert == "" && (ip == nil || !ip.IsLoopback()) {
		fmt.Fprintln(a.err, "hint: it listens on a network without TLS: whoever listens there reads along; give it --cert and --key")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	if f.schedule == "" {
		watched, unwatch := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer unwatch()
		ctx = watched
	} else {
		out := &lines{to: a.out}
		keeping, leave := context.WithCancel(ctx)
		signals := a.watchKeeper(leave, out)
		defer signals.end()
		keeper, err := a.scheduleKeeper(signals.hard, c, s, store, f.schedule, out)
		if err != nil {
			leave()
			return errors.Join(err, listener.Close())
		}
		defer wg.Wait()
		defer leave() // also where the server ends by itself
		wg.Go(func() {
			defer stop() // until the last post is done somebody may want to see it
			keeper.Keep(keeping)
		})
	}
	if tell != nil {
		telling, end := context.WithCancel(ctx)
		defer wg.Wait()
		defer end() // also where the server ends by itself
		wg.Go(func() { tell(telling) })
	}
	return d.Serve(ctx, listener, f.cert, f.key)
}

// coming says what a schedule begins next; nil where there is none. What is wrong with the file the keeper says.
func (a *app) coming(path string) func() []dashboard.Coming {
	if path == "" {
		return nil
	}
	return func() (all []dashboard.Coming) {
		_, plans, err := a.plans([]string{path})
		if err != nil {
			return nil
		}
		now := a.now()
		for _, p := range plans {
			at := p.Next(now)
			all = append(all, dashboard.Coming{Plan: p.Name, At: at, Batch: p.BatchOf(at)})
		}
		return all
	}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
