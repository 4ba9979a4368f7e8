package simgraph

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Login is the product by which an account came: a token works on its own host only.
type Login string

// The logins.
const (
	Instagram Login = "instagram" // graph.instagram.com
	Facebook  Login = "facebook"  // graph.facebook.com
)

// Config says how a server behaves.
type Config struct {
	Clock   func() time.Time // time.Now where nil
	Polls   int              // how often a container is still in progress before it is finished
	Process time.Duration    // and how long it takes at least
	Latency time.Duration    // of each call
	ListLag time.Duration    // until a post stands in the list of media
	Late    time.Duration    // until a late publish happens; 30 s where zero
	Quota   int              // posts in 24 hours; 50 where zero
	// Strict answers a second publish of a container with an error, as one other fake does; the real behaviour is not known.
	Strict bool
}

// Account is one account on the server.
type Account struct {
	Name       string
	ID         string // drawn where empty
	Login      Login
	Token      string // drawn where empty
	Expires    time.Time
	Issued     time.Time
	NoUpload   bool // resumable uploads are refused, as some saw with Instagram Login
	StripsAt   bool // captions come back without their @
	Restricted bool
}

// Post is one publication: what the world sees.
type Post struct {
	Account   string    `json:"account"`
	Caption   string    `json:"caption"`
	Bytes     int64     `json:"bytes"`
	Container string    `json:"container"`
	Media     string    `json:"media"`
	At        time.Time `json:"at"`
}

// Server is a false server. Its routes are an http.Handler.
type Server struct {
	cfg Config
	mux *http.ServeMux

	mu         sync.Mutex
	next       int64
	accounts   map[string]*account // by id
	tokens     map[string]*account
	containers map[string]*container
	posts      []Post
	faults     []string
	calls      map[string]int
	late       []*time.Timer
	base       string // of upload addresses
}

type account struct {
	Account
	faults  map[string][]Fault // by the call at which they strike, in order
	media   []*medium          // the newest last
	revoked bool
	full    time.Time // until then no post is taken
}

type container struct {
	id, caption, url string
	owner            *account
	created          time.Time
	resumable        bool
	size, got        int64 // of the upload; size 0: not begun
	ready            time.Time
	polls            int
	status           string // IN_PROGRESS, FINISHED, ERROR, EXPIRED, PUBLISHED
	fault            string // text of an ERROR
	published        int
}

type medium struct {
	id, caption, code string
	at                time.Time
	kind              string // REELS, FEED
}

// New makes a server. Close ends what it does later.
func New(cfg Config) *Server {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Late == 0 {
		cfg.Late = 30 * time.Second
	}
	if cfg.Quota == 0 {
		cfg.Quota = 50
	}
	s := &Server{
		cfg: cfg, next: 17_900_000_000_000_000, accounts: map[string]*account{}, tokens: map[string]*account{}, containers: map[string]*container{}, calls: map[string]int{},
	}
	s.mux = s.routes()
	return s
}

// Close forgets what was to happen later.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.late {
		t.Stop()
	}
}

// At says under which address the server is reached, for the addresses of uploads.
func (s *Server) At(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = base
}

func (s *Server) id() string {
	s.next++
	return strconv.FormatInt(s.next, 10)
}

// Add adds an account, and gives it back with what was drawn.
func (s *Server) Add(a Account) Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.ID == "" {
		a.ID = s.id()
	}
	if a.Login == "" {
		a.Login = Instagram
	}
	if a.Token == "" {
		a.Token = "IGAA" + rand.Text()
	}
	if a.Issued.IsZero() {
		a.Issued = s.cfg.Clock().Add(-48 * time.Hour)
	}
	if a.Expires.IsZero() {
		a.Expires = a.Issued.Add(60 * 24 * time.Hour)
	}
	one := &account{Account: a, faults: map[string][]Fault{}}
	s.accounts[a.ID], s.tokens[a.Token] = one, one
	return a
}

// Posted lists what was published, in order.
func (s *Server) Posted() []Post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// Twice lists what was published more often than once: the same caption on the same account.
func (s *Server) Twice() (all []string) {
	n := map[[2]string]int{}
	for _, p := range s.Posted() {
		n[[2]string{p.Account, p.Caption}]++
	}
	for k, times := range n {
		if times > 1 {
			all = append(all, fmt.Sprintf("%s: %q %d times", k[0], k[1], times))
		}
	}
	slices.Sort(all)
	return all
}

// Calls counts the calls by kind.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Struck lists the faults that struck, in order.
func (s *Server) Struck() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// Neighbour posts something else on an account, as a person does.
func (s *Server) Neighbour(id, caption string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		a.media = append(a.media, &medium{id: s.id(), caption: caption, code: "N" + s.id(), at: s.cfg.Clock(), kind: "REELS"})
	}
}

// publish makes it so. The lock is held.
func (s *Server) publish(c *container) *medium {
	c.status, c.published = "PUBLISHED", c.published+1
	m := &medium{id: s.id(), caption: c.caption, code: "C" + s.id(), at: s.cfg.Clock(), kind: "REELS"}
	c.owner.media = append(c.owner.media, m)
	s.posts = append(s.posts, Post{Account: c.owner.Name, Caption: c.caption, Bytes: c.got, Container: c.id, Media: m.id, At: m.at})
	return m
}

// used is how many posts of the last 24 hours count. The lock is held.
func (s *Server) used(a *account) (n int) {
	since := s.cfg.Clock().Add(-24 * time.Hour)
	for _, m := range a.media {
		if m.at.After(since) {
			n++
		}
	}
	return n
}

// step lets time pass for a container. The lock is held.
func (s *Server) step(c *container, polled bool) {
	now := s.cfg.Clock()
	if c.status == "PUBLISHED" || c.status == "ERROR" {
		return
	}
	if now.Sub(c.created) > 24*time.Hour {
		c.status = "EXPIRED"
		return
	}
	if c.status != "IN_PROGRESS" || c.resumable && (c.size == 0 || c.got < c.size) {
		return
	}
	if polled {
		c.polls++
	}
	if c.polls > s.cfg.Polls && !now.Before(c.ready) {
		if c.status = "FINISHED"; c.fault != "" {
			c.status = "ERROR"
		}
	}
}
