package simphone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"reelpass/internal/phone"
)

// server is the UiAutomator2 server of a phone while it runs: HTTP over the streams that are opened to its port. What it answers is
// what the driver accepts (appium-uiautomator2-driver 8.7.0).
type server struct {
	phone *Phone
	http  *http.Server
	in    chan net.Conn
	over  chan struct{} // closed at its end
	once  sync.Once
	wg    sync.WaitGroup

	mu      sync.Mutex
	session string
	found   []phone.Node // elements that were handed out; their number is their id
	hung    chan struct{}
}

// instrument runs the server until it ends, as "am instrument -w" does.
func (p *Phone) instrument(out io.Writer) int {
	s := &server{phone: p, in: make(chan net.Conn), over: make(chan struct{}), hung: make(chan struct{})}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: time.Minute}
	p.mu.Lock()
	old := p.server
	p.server = s
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	s.wg.Go(func() { _ = s.http.Serve(s) }) // ends with close
	var gone <-chan struct{} = s.over
	if st, ok := streamOf(out); ok {
		select {
		case <-gone:
		case <-st.over:
		case <-p.ctx.Done():
		}
	} else {
		<-gone
	}
	p.mu.Lock()
	if p.server == s {
		p.server = nil
	}
	p.mu.Unlock()
	s.close()
	s.wg.Wait()
	fmt.Fprintln(out, "INSTRUMENTATION_RESULT: shortMsg=Process crashed.")
	return 0
}

// attach gives a stream to the server; nil where its port refuses.
func (p *Phone) attach() func(*stream) {
	p.mu.Lock()
	s, refused := p.server, p.faults.refuse || p.faults.lame
	p.mu.Unlock()
	if s == nil || refused {
		return nil
	}
	return func(st *stream) {
		select {
		case s.in <- st:
			<-st.over
		case <-s.over:
			_ = st.Close()
		case <-st.over:
		}
	}
}

// Accept, Close and Addr make it a net.Listener for its own HTTP server.
func (s *server) Accept() (net.Conn, error) {
	select {
	case c := <-s.in:
		return c, nil
	case <-s.over:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (s *server) Close() error { s.end(); return nil }

// Addr is nobody's address.
func (s *server) Addr() net.Addr { return &net.TCPAddr{} }

func (s *server) end() { s.once.Do(func() { close(s.over) }) }

func (s *server) close() {
	s.end()
	s.goOn()
	_ = s.http.Close()
}

// goOn lets calls that hang go on.
func (s *server) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hung)
	s.hung = make(chan struct{})
}

// wireError is what a call fails with.
type wireError struct {
	status     int
	code, text string
}

func (e wireError) Error() string { return e.code + ": " + e.text }

func noElement(what string) error {
	return wireError{http.StatusNotFound, "no such element", "An element could not be located on the page using the given search parameters " + what}
}

// handler answers one call; in is its body.
type handler func(r *http.Request, in call) (any, error)

// call is what bodies of calls hold; each call uses what is its own.
type call struct {
	Strategy, Selector string
	Text               string
	Replace            bool
	Keycode            int
	Actions            []struct {
		Type    string
		Actions []struct {
			Type string
			X, Y float64
		}
	}
	Offset *struct{ X, Y int }
	Origin map[string]string
}

func (s *server) routes() http.Handler {
	m := http.NewServeMux()
	on := func(pattern string, h handler) {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, h) })
	}
	value := func(v any) handler { return func(*http.Request, call) (any, error) { return v, nil } }
	on("GET /sessions", func(*http.Request, call) (any, error) { return []any{}, nil })
	on("GET /status", value(map[string]any{"ready": true, "message": "UiAutomator2 Server is ready to accept commands"}))
	on("POST /session", func(*http.Request, call) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.session = fmt.Sprintf("sim-%d", time.Now().UnixNano())
		return map[string]any{"sessionId": s.session, "capabilities": map[string]any{}}, nil
	})
	const in = "/session/{session}"
	on("GET "+in, value(map[string]any{}))
	on("GET "+in+"/{$}", value(map[string]any{}))
	m.HandleFunc("DELETE "+in, func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, value(nil))
		s.phone.wg.Go(func() { // the server ends with its session, once it has answered
			<-r.Context().Done()
			s.phone.KillServer()
		})
	})
	on("GET "+in+"/appium/device/pixel_ratio", value(2))
	on("GET "+in+"/appium/device/system_bars", value(map[string]any{"statusBar": 48}))
	on("GET "+in+"/window/current/size", value(map[string]any{"width": Width, "height": Height}))
	on("GET "+in+"/window/{window}/size", value(map[string]any{"width": Width, "height": Height}))
	on("GET "+in+"/appium/device/info", value(map[string]any{
		"apiVersion": "31", "platformVersion": "12", "manufacturer": "sim", "model": "SimPhone",
		"realDisplaySize": fmt.Sprintf("%dx%d", Width, Height), "displayDensity": 320,
	}))
	on("GET "+in+"/appium/settings", value(map[string]any{}))
	on("POST "+in+"/appium/settings", value(nil))
	on("POST "+in+"/timeouts", value(nil))
	on("GET "+in+"/orientation", value("PORTRAIT"))
	on("GET "+in+"/source", func(*http.Request, call) (any, error) { return source(s.phone.Screen()), nil })
	on("GET "+in+"/screenshot", func(*http.Request, call) (any, error) {
		return base64.StdEncoding.EncodeToString(s.phone.Picture()), nil
	})
	on("POST "+in+"/element", s.find)
	on("POST "+in+"/elements", s.findAll)
	on("POST "+in+"/element/{element}/click", s.withElement(func(n phone.Node, _ call) (any, error) {
		s.phone.app(func(a App) { a.Tap(n.Bounds.Center()) })
		return nil, nil
	}))
	on("POST "+in+"/element/{element}/value", s.withElement(func(n phone.Node, c call) (any, error) {
		s.phone.app(func(a App) { a.Type(n.Bounds.Center(), c.Text, c.Replace) })
		return nil, nil
	}))
	on("POST "+in+"/element/{element}/clear", s.withElement(func(n phone.Node, _ call) (any, error) {
		s.phone.app(func(a App) { a.Type(n.Bounds.Center(), "", true) })
		return nil, nil
	}))
	on("GET "+in+"/element/{element}/text", s.withElement(func(n phone.Node, _ call) (any, error) { return n.Text, nil }))
	on("GET "+in+"/element/{element}/attribute/{name}", s.attribute)
	on("GET "+in+"/element/{element}/rect", s.withElement(func(n phone.Node, _ call) (any, error) {
		b := n.Bounds
		return map[string]int{"x": b.X1, "y": b.Y1, "width": b.X2 - b.X1, "height": b.Y2 - b.Y1}, nil
	}))
	on("POST "+in+"/actions", s.actions)
	on("POST "+in+"/back", func(*http.Request, call) (any, error) { s.phone.press("4"); return nil, nil })
	on("POST "+in+"/appium/device/press_keycode", func(_ *http.Request, c call) (any, error) {
		s.phone.press(strconv.Itoa(c.Keycode))
		return nil, nil
	})
	on("POST "+in+"/appium/gestures/click", func(_ *http.Request, c call) (any, error) {
		if c.Offset != nil {
			s.phone.app(func(a App) { a.Tap(phone.Point{X: c.Offset.X, Y: c.Offset.Y}) })
		}
		return nil, nil
	})
	on("/", func(r *http.Request, _ call) (any, error) {
		return nil, wireError{http.StatusNotFound, "unknown command", r.Method + " " + r.URL.Path}
	})
	return m
}

// press presses a key by its number or Android's name.
func (p *Phone) press(key string) {
	names := map[string]phone.Key{"KEYCODE_HOME": phone.KeyHome, "KEYCODE_BACK": phone.KeyBack, "KEYCODE_ENTER": phone.KeyEnter}
	k, ok := names[key]
	if n, err := strconv.Atoi(key); err == nil {
		k, ok = phone.Key(n), true
	}
	if !ok {
		return
	}
	p.app(func(a App) { a.Press(k) })
	if k == phone.KeyHome {
		p.mu.Lock()
		p.front = launcher
		p.mu.Unlock()
	}
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, h handler) {
	s.phone.mu.Lock()
	hang, late := s.phone.faults.hang, s.phone.cfg.Latency
	s.phone.mu.Unlock()
	if hang {
		s.mu.Lock()
		hung := s.hung
		s.mu.Unlock()
		select {
		case <-hung:
		case <-r.Context().Done():
			return
		}
	}
	if !s.phone.wait(late) {
		return
	}
	var in call
	body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	_ = json.Unmarshal(body, &in) // a call without what it needs fails by itself
	v, err := h(r, in)
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if err != nil {
		e, ok := err.(wireError) //nolint:errorlint // handlers return it as it is
		if !ok {
			e = wireError{http.StatusInternalServerError, "unknown error", err.Error()}
		}
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"sessionId": session, "value": map[string]string{"error": e.code, "message": e.text, "stacktrace": ""}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"sessionId": session, "value": v})
}

// matches says whether an element is looked for. XPath and UiSelector are not spoken here.
func matches(n phone.Node, c call) (bool, error) {
	switch c.Strategy {
	case "id":
		return n.ID == c.Selector || strings.HasSuffix(n.ID, ":id/"+c.Selector), nil
	case "accessibility id":
		return n.Desc == c.Selector, nil
	case "class name":
		return n.Class == c.Selector, nil
	}
	return false, wireError{http.StatusBadRequest, "invalid selector", "the strategy " + c.Strategy + " is not simulated"}
}

func (s *server) hand(n phone.Node) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, n)
	id := "e-" + strconv.Itoa(len(s.found)-1)
	return map[string]string{"ELEMENT": id, "element-6066-11e4-a52e-4f735466cecf": id}
}

func (s *server) find(_ *http.Request, c call) (any, error) {
	for _, n := range s.phone.Screen().Nodes {
		ok, err := matches(n, c)
		if err != nil {
			return nil, err
		}
		if ok {
			return s.hand(n), nil
		}
	}
	return nil, noElement(c.Selector)
}

func (s *server) findAll(_ *http.Request, c call) (any, error) {
	list := []any{}
	for _, n := range s.phone.Screen().Nodes {
		ok, err := matches(n, c)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, s.hand(n))
		}
	}
	return list, nil
}

// element is what was handed out under an id, as it is now.
func (s *server) element(id string) (phone.Node, error) {
	s.mu.Lock()
	n, err := strconv.Atoi(strings.TrimPrefix(id, "e-"))
	if err != nil || n < 0 || n >= len(s.found) {
		s.mu.Unlock()
		return phone.Node{}, noElement(id)
	}
	was := s.found[n]
	s.mu.Unlock()
	for _, now := range s.phone.Screen().Nodes {
		if now.ID == was.ID && now.Class == was.Class && now.Bounds == was.Bounds {
			return now, nil
		}
	}
	return phone.Node{}, wireError{http.StatusNotFound, "stale element reference", "The element '" + id + "' is not linked to the same object in DOM anymore"}
}

func (s *server) withElement(do func(phone.Node, call) (any, error)) handler {
	return func(r *http.Request, c call) (any, error) {
		n, err := s.element(r.PathValue("element"))
		if err != nil {
			return nil, err
		}
		return do(n, c)
	}
}

func (s *server) attribute(r *http.Request, _ call) (any, error) {
	n, err := s.element(r.PathValue("element"))
	if err != nil {
		return nil, err
	}
	switch r.PathValue("name") {
	case "text":
		return n.Text, nil
	case "content-desc", "contentDescription":
		return n.Desc, nil
	case "resource-id", "resourceId":
		return n.ID, nil
	case "clickable":
		return strconv.FormatBool(n.Clickable), nil
	}
	return nil, nil
}

// actions is a finger: where it goes down is what it taps.
func (s *server) actions(_ *http.Request, c call) (any, error) {
	for _, source := range c.Actions {
		var at phone.Point
		for _, a := range source.Actions {
			switch a.Type {
			case "pointerMove":
				at = phone.Point{X: int(a.X), Y: int(a.Y)}
			case "pointerDown":
				s.phone.app(func(app App) { app.Tap(at) })
			}
		}
	}
	return nil, nil
}

// source writes a screen as the UiAutomator2 server does: elements are named after their class.
func source(screen phone.Screen) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy index="0" class="hierarchy" rotation="0" width="%d" height="%d">`, Width, Height)
	for i, n := range screen.Nodes {
		class := n.Class
		if class == "" {
			class = "android.view.View"
		}
		fmt.Fprintf(&b, `<%s index="%d" package="%s" class="%s" text="%s" content-desc="%s" resource-id="%s" clickable="%t" enabled="true" focused="%t" password="%t" scrollable="%t" selected="%t" bounds="%s" displayed="true"/>`,
			class, i, escape(n.Package), class, escape(n.Text), escape(n.Desc), escape(n.ID), n.Clickable, n.Focused, n.Private, n.Scrollable, n.Selected, n.Bounds)
	}
	b.WriteString("</hierarchy>")
	return b.String()
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;").Replace(strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r == 0xfffe || r == 0xffff {
			return -1 // XML has no way to write it
		}
		return r
	}, s))
}

// Serving says whether the UiAutomator2 server runs.
func (p *Phone) Serving() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server != nil
}

// AwaitServing waits until it does, or not.
func (p *Phone) AwaitServing(ctx context.Context, serving bool) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for p.Serving() != serving {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
