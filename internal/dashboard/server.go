package dashboard

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/fault"
	"reelpass/internal/ledger"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

//go:embed pages/*.html static openapi.yaml
var files embed.FS

// Config is what a dashboard shows and who may see it.
type Config struct {
	Ledger *ledger.Store
	Access *access.Book
	Rules  func() *fault.Rules
	// Absent decides what becomes of a doubt whose post is certainly not there.
	Absent func(reel.Held) reel.Decision
	// Hosts are the names by which it may be called, beside localhost and the loopback addresses. A request for another name is refused:
	// it may come from a page that made its own name point here.
	Hosts    []string
	Evidence string         // the folder of screenshots, empty where there is none
	Zone     *time.Location // of times, where a browser does not say its own
	About    []Fact         // for the page of settings
	Secure   bool           // it is reached by https
	// Alerts is how many messages arrived and did not, and how many events were told together with others, for the metrics; nil where none are told.
	Alerts func() (arrived, failed, gathered int64)
	// Coming is what a schedule begins next, in any order; nil where none is kept.
	Coming func() []Coming
	// Teach is the file of one's own rules; nil where the settings name none.
	Teach *Teach
	Clock func() time.Time
	Log   *slog.Logger
}

// Coming is a batch that will begin by itself.
type Coming struct {
	Plan, Batch string
	At          time.Time // zero where no time is left
}

// Fact is a line of the page of settings.
type Fact struct{ Name, Value string }

// Server is the dashboard.
type Server struct {
	Config
	pages    map[string]*pageTemplate
	handler  http.Handler
	inner    http.Handler // without the guard
	evidence *os.Root     // nil where there is none
	slow     *bucket      // of wrong codes
	hub      *hub
	hashes   hashes       // of videos that were looked at
	teaching sync.Mutex   // held while a rule is tried or kept
	scripts  atomic.Int64 // that listen to the journal

	reading  sync.Mutex // held by whoever reads the journal on
	mu       sync.Mutex // guards what follows
	overview *overview.Overview
	behind   bool // the journal has not been read to its end yet
	statuses map[string]reel.Status
	seen     map[string]int64 // the last event of each batch that its status was read after
	moved    map[string]int64 // the last event of each batch
	// What waited for a person when it was gathered last, and after which event.
	needed    needs
	neededAt  time.Time
	neededSeq int64
}

// New prepares a dashboard. Run keeps it up to date.
func New(c Config) (*Server, error) {
	s := &Server{
		Config:   c,
		overview: overview.New(fault.Signature), behind: true,
		statuses: map[string]reel.Status{}, seen: map[string]int64{}, moved: map[string]int64{},
		slow: newBucket(10, time.Minute, c.Clock),
	}
	s.hub = newHub(s)
	var err error
	if s.pages, err = loadPages(); err != nil {
		return nil, err
	}
	if c.Evidence != "" {
		root, err := os.OpenRoot(c.Evidence)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
		s.evidence = root
	}
	s.inner = s.routes()
	s.handler = s.guard(s.inner)
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close lets go of the evidence folder.
func (s *Server) Close() error {
	if s.evidence == nil {
		return nil
	}
	return s.evidence.Close()
}

// Serve answers on a listener until ctx ends, and follows the journal meanwhile. With certificate and key it speaks TLS.
func (s *Server) Serve(ctx context.Context, l net.Listener, cert, key string) error {
	web := &http.Server{
		Handler: s, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		// A client that is slow to ask must not keep a connection for ever. A stream renews its deadline with each write.
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.follow(ctx) })
	stopped := make(chan error, 1)
	wg.Go(func() {
		<-ctx.Done()
		s.hub.close()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		stopped <- web.Shutdown(end)
	})
	var err error
	if cert != "" {
		err = web.ServeTLS(l, cert, key)
	} else {
		err = web.Serve(l)
	}
	cancel()
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return <-stopped
	}
	return err
}

// tick is how often the journal is looked at.
const tick = time.Second

// follow reads the journal as it grows, and has the viewers told.
func (s *Server) follow(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("the journal cannot be read", "error", err)
		}
		s.hub.tell(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// catchUp reads the journal to its end.
func (s *Server) catchUp(ctx context.Context) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	const most = 2000
	for {
		s.mu.Lock()
		after := s.overview.Seq()
		s.mu.Unlock()
		events, err := s.Ledger.Journal(ctx, after, most)
		if err != nil {
			return err
		}
		s.mu.Lock()
		for _, e := range events {
			s.overview.Add(e)
			if e.Batch != "" {
				s.moved[e.Batch] = e.Seq
			}
		}
		s.behind = len(events) == most
		s.mu.Unlock()
		if len(events) < most {
			return nil
		}
	}
}

// current reads what the journal has gained, so that whoever took a step sees it done. While a long journal is read for the first time,
// pages do not wait for it: they say that it is not at its end.
func (s *Server) current(ctx context.Context) {
	s.mu.Lock()
	behind := s.behind
	s.mu.Unlock()
	if behind {
		return
	}
	if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
		s.Log.Warn("the journal cannot be read", "error", err)
	}
}

// status is where a batch stands. It is read again only where the journal moved, or where time alone may change it.
func (s *Server) status(ctx context.Context, name string) (reel.Status, error) {
	s.mu.Lock()
	st, known := s.statuses[name]
	moved := s.moved[name]
	fresh := known && s.seen[name] == moved && !s.behind
	s.mu.Unlock()
	if fresh && !slices.Contains([]reel.Phase{reel.PhaseRunning, reel.PhaseWaiting}, st.Phase) {
		return st, nil
	}
	st, err := s.Ledger.Status(ctx, name)
	if err != nil {
		return st, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[name], s.seen[name] = st, moved
	return st, nil
}

// statusList is the status of every batch, the latest first.
func (s *Server) statusList(ctx context.Context) ([]reel.Status, error) {
	names, err := s.Ledger.Names(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]reel.Status, 0, len(names))
	for _, name := range names {
		st, err := s.status(ctx, name)
		if err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}

// sum runs f with the journal added up.
func (s *Server) sum(f func(*overview.Overview)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.overview)
}

// routes are the ways in that need a token; guard adds the few that do not.
func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	page := func(pattern string, f func(*request) (view, error)) { m.HandleFunc(pattern, s.page(f)) }
	page("GET /{$}", s.batchesPage)
	page("GET /b/{batch}", s.batchPage)
	page("GET /b/{batch}/jobs", s.jobsPage)
	page("GET /b/{batch}/jobs/{job}", s.jobPage)
	page("GET /b/{batch}/brake", s.brakePage)
	page("GET /accounts", s.accountsPage)
	page("GET /accounts/{account}", s.accountPage)
	page("GET /in-doubt", s.doubtsPage)
	page("GET /in-doubt/{batch}/{job}", s.doubtPage)
	page("GET /failures", s.failuresPage)
	page("GET /rules", s.rulesPage)
	page("GET /rules/suggest/{sig}", s.teachPage)
	page("GET /settings", s.settingsPage)
	step := func(pattern string, f func(*request) (view, error)) {
		m.HandleFunc("POST "+pattern, s.steering(s.page(f)))
	}
	step("/b/{batch}/jobs/preview", s.previewJobs)
	step("/b/{batch}/jobs/act", s.actOnJobs)
	step("/b/{batch}/brake", s.brake)
	step("/accounts/{account}/release", s.release)
	step("/accounts/{account}/hold", s.hold)
	step("/in-doubt/{batch}/{job}/check", s.checkDoubt)
	step("/in-doubt/{batch}/{job}", s.resolve)
	step("/settings/revoke", s.revoke)
	step("/rules/suggest/{sig}", s.teach)
	s.apiRoutes(m)
	m.HandleFunc("POST /view", s.setView)
	m.HandleFunc("POST /sign-out", s.signOut)
	m.HandleFunc("GET /live", s.hub.serve)
	m.Handle("GET /metrics", s.scrape())
	m.HandleFunc("GET /evidence/{dir}/{file}", s.evidenceFile)
	m.HandleFunc("GET /in-doubt/{batch}/{job}/video", s.videoFile)
	m.HandleFunc("/", s.page(func(r *request) (view, error) {
		return view{}, notFound("there is no page %s", r.URL.Path)
	}))
	return m
}

// bucket lets a few things through in a while.
type bucket struct {
	most  int
	while time.Duration
	clock func() time.Time
	mu    sync.Mutex
	times []time.Time
}

func newBucket(most int, while time.Duration, clock func() time.Time) *bucket {
	return &bucket{most: most, while: while, clock: clock}
}

// full says that no more may come now.
func (b *bucket) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock()
	b.times = slices.DeleteFunc(b.times, func(t time.Time) bool { return now.Sub(t) >= b.while })
	return len(b.times) >= b.most
}

func (b *bucket) add() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.times = append(b.times, b.clock())
}

// known says that a host is one of those by which the dashboard may be called.
func (s *Server) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(strings.TrimSuffix(name, "."), "[]"))
	if name == "localhost" {
		return true
	}
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}
