package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// hub tells the open pages what changed. Each page is made once per tick for all who look at it in the same way.
type hub struct {
	s    *Server
	mu   sync.Mutex
	open map[string]*topic
	head int64     // the last event that was told
	at   time.Time // when
	done chan struct{}
	once sync.Once
}

// topic is a page as some people see it.
type topic struct {
	req     *http.Request
	viewers map[chan patch]bool
}

// patch is a page's regions at a moment.
type patch struct {
	Title   string            `json:"title"`
	Needs   int               `json:"needs"`
	Now     string            `json:"now"`
	Clock   string            `json:"clock"`
	Regions map[string]string `json:"regions"`
}

// Times of the stream.
const (
	keepAlive  = 15 * time.Second // a comment, so that nobody on the way takes the stream for dead
	refresh    = 5 * time.Second  // pages are made anew even if no event came: time itself changes them
	mostViewer = 200
)

func newHub(s *Server) *hub { return &hub{s: s, open: map[string]*topic{}, done: make(chan struct{})} }

func (h *hub) close() { h.once.Do(func() { close(h.done) }) }

// tell makes the open pages and hands them to their viewers. A viewer that is behind gets the newest only.
func (h *hub) tell(ctx context.Context) {
	h.s.mu.Lock()
	head := h.s.overview.Seq()
	h.s.mu.Unlock()
	now := h.s.Clock()
	h.mu.Lock()
	if head == h.head && now.Sub(h.at) < refresh {
		h.mu.Unlock()
		return
	}
	h.head, h.at = head, now
	topics := make([]*topic, 0, len(h.open))
	for _, t := range h.open {
		topics = append(topics, t)
	}
	h.mu.Unlock()
	for _, t := range topics {
		p, ok := h.make(ctx, t.req)
		if !ok {
			continue
		}
		h.mu.Lock()
		for c := range t.viewers {
			select {
			case <-c: // what it has not taken yet is old
			default:
			}
			c <- p
		}
		h.mu.Unlock()
	}
}

// make renders the regions of a page.
func (h *hub) make(ctx context.Context, req *http.Request) (patch, bool) {
	holder := new(held)
	req = req.Clone(context.WithValue(context.WithValue(ctx, personKey{}, personOf(req.Context())), holderKey{}, holder))
	h.s.inner.ServeHTTP(httptest.NewRecorder(), req)
	if holder.rq == nil || holder.view.status != 0 {
		return patch{}, false
	}
	sh := h.s.shell(holder.rq, holder.view)
	p := patch{Title: sh.PageTitle(), Needs: sh.Needs.Count(), Now: sh.rq.now.UTC().Format(time.RFC3339), Clock: sh.clock(sh.rq.now, true), Regions: map[string]string{}}
	for _, name := range holder.view.live {
		var b bytes.Buffer
		if err := h.s.pages[holder.view.name].page.ExecuteTemplate(&b, name, sh); err != nil {
			h.s.Log.Error("a region cannot be made", "page", holder.view.name, "region", name, "error", err)
			return patch{}, false
		}
		p.Regions[name] = b.String()
	}
	return p, true
}

// PageTitle begins with how much waits for a person.
func (sh *shell) PageTitle() string {
	title := sh.Title + " · reelpass"
	if n := sh.Needs.Count(); n > 0 {
		title = fmt.Sprintf("(%d) %s", n, title)
	}
	return title
}

// serve is the stream of one page.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	to := inside(r.URL.Query().Get("page"))
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, to, http.NoBody)
	if err != nil {
		h.s.refuse(w, r, http.StatusBadRequest, "this is no page")
		return
	}
	req.RequestURI = to
	for _, c := range r.Cookies() {
		req.AddCookie(c)
	}
	key := to + "\x00" + r.Header.Get("Cookie")
	c := make(chan patch, 1)
	if !h.join(key, req, c) {
		w.Header().Set("Retry-After", "30")
		h.s.refuse(w, r, http.StatusServiceUnavailable, "too many pages are open")
		return
	}
	defer h.leave(key, c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	if first, ok := h.make(r.Context(), req); ok {
		select {
		case c <- first:
		default:
		}
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	sent := map[string]uint64{}
	for {
		var text []byte
		select {
		case <-r.Context().Done():
			return
		case <-h.done:
			return
		case <-alive.C:
			text = []byte(":\n\n")
		case p := <-c:
			for name, html := range p.Regions {
				f := fnv.New64a()
				_, _ = f.Write([]byte(html)) // a hash takes everything
				if sent[name] == f.Sum64() {
					delete(p.Regions, name)
				}
				sent[name] = f.Sum64()
			}
			data, err := json.Marshal(p)
			if err != nil {
				return
			}
			text = append(append([]byte("event: patch\ndata: "), data...), '\n', '\n')
		}
		// The server's own deadline would make the stream deaf while it looks open.
		if err := out.SetWriteDeadline(time.Now().Add(keepAlive)); err != nil {
			return
		}
		if _, err := w.Write(text); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
}

func (h *hub) join(key string, req *http.Request, c chan patch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, t := range h.open {
		n += len(t.viewers)
	}
	if n >= mostViewer {
		return false
	}
	t := h.open[key]
	if t == nil {
		// The request outlives the viewer who came first.
		t = &topic{req: req.Clone(context.WithoutCancel(req.Context())), viewers: map[chan patch]bool{}}
		h.open[key] = t
	}
	t.viewers[c] = true
	return true
}

func (h *hub) leave(key string, c chan patch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.open[key]
	delete(t.viewers, c)
	if len(t.viewers) == 0 {
		delete(h.open, key)
	}
}
