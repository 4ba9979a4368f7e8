package dashboard

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/console"
	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// view is what a page shows: a template with its data, and the regions of it that may be replaced while it is open.
type view struct {
	name   string
	Title  string
	status int
	to     string // a step that went well leads here instead
	live   []string
	Data   any
}

// request is a request with what every page needs of it.
type request struct {
	*http.Request
	ctx   context.Context
	Who   access.Person
	prefs prefs
	now   time.Time
}

// prefs is how a person wants pages shown; it is kept in a cookie.
type prefs struct {
	Zone  string `json:"zone,omitempty"`  // IANA name; empty: the server's
	Clock bool   `json:"clock,omitempty"` // times as clock times instead of "4 h ago"
	Theme string `json:"theme,omitempty"` // light or dark; empty: the system's
	Keys  string `json:"keys,omitempty"`  // off: no shortcuts
}

func (s *Server) request(r *http.Request) *request {
	rq := &request{Request: r, ctx: r.Context(), Who: personOf(r.Context()), now: s.Clock()}
	if c, err := r.Cookie(cookieView); err == nil {
		if data, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil {
			_ = json.Unmarshal(data, &rq.prefs) // one that cannot be read is as good as none
		}
	}
	return rq
}

// setView keeps how a person wants pages shown, and leads back.
func (s *Server) setView(w http.ResponseWriter, r *http.Request) {
	p := s.request(r).prefs
	if r.PostFormValue("clock") != "" {
		p.Clock = r.PostFormValue("clock") == "on"
	}
	if theme, given := r.PostForm["theme"]; given && (theme[0] == "" || theme[0] == "light" || theme[0] == "dark") {
		p.Theme = theme[0]
	}
	if zone, given := r.PostForm["zone"]; given {
		if _, err := time.LoadLocation(zone[0]); err == nil && len(zone[0]) < 64 {
			p.Zone = zone[0]
		}
	}
	if keys, given := r.PostForm["keys"]; given {
		p.Keys = map[bool]string{true: "off"}[keys[0] == "off"]
	}
	data, err := json.Marshal(p)
	if err != nil {
		s.refuse(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	http.SetCookie(w, s.cookie(cookieView, base64.RawURLEncoding.EncodeToString(data), true))
	http.Redirect(w, r, inside(r.PostFormValue("to")), http.StatusSeeOther)
}

// shell is what a template gets: the page's own data with the frame around it.
type shell struct {
	view
	rq    *request
	Needs needs
	zone  *time.Location
}

// pageError is a refusal that a person reads: what they asked for cannot be shown or done.
type pageError struct {
	status int
	text   string
}

func (e *pageError) Error() string { return e.text }

func notFound(format string, args ...any) error {
	return &pageError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &pageError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// failing is the status and the words for an error.
func (s *Server) failing(r *request, err error) (status int, text string) {
	var known *pageError
	var file *ledger.FileError
	status, text = http.StatusInternalServerError, err.Error()
	switch {
	case errors.As(err, &known):
		status = known.status
	case errors.Is(err, reel.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, reel.ErrRefused):
		status = http.StatusConflict
	case errors.As(err, new(*http.MaxBytesError)):
		status, text = http.StatusRequestEntityTooLarge, "this is larger than anything a page sends; nothing was changed"
	case errors.As(err, &file):
		status, text = http.StatusServiceUnavailable, string(file.Kind)
	}
	if status >= http.StatusInternalServerError {
		s.Log.Error("a request failed", "path", r.URL.Path, "error", reel.Scrub(err.Error()))
	}
	return status, reel.Scrub(text)
}

// asPage is an error as the page that says so.
func (s *Server) asPage(r *request, err error) view {
	status, text := s.failing(r, err)
	out := view{name: "error", status: status, Title: "Not possible"}
	if status == http.StatusNotFound {
		out.Title = "Not found"
	}
	out.Data = struct{ Text, Up string }{text, path.Dir(r.URL.Path)}
	return out
}

type holderKey struct{}

// page makes a handler of a page. Where the stream of changes asks, it gets the view and not the page.
func (s *Server) page(f func(*request) (view, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rq := s.request(r)
		s.current(r.Context())
		v, err := f(rq)
		if err != nil {
			v = s.asPage(rq, err)
		}
		if holder, ok := r.Context().Value(holderKey{}).(*held); ok {
			holder.view, holder.rq = v, rq
			return
		}
		if v.to != "" {
			http.Redirect(w, r, v.to, http.StatusSeeOther)
			return
		}
		s.show(w, rq, v)
	}
}

// held is a view on its way to the stream.
type held struct {
	view view
	rq   *request
}

// show writes a page, whole or not at all.
func (s *Server) show(w http.ResponseWriter, r *request, v view) {
	sh := s.shell(r, v)
	var b bytes.Buffer
	if err := s.pages[v.name].page.ExecuteTemplate(&b, "base", sh); err != nil {
		s.refuse(w, r.Request, http.StatusInternalServerError, "this page cannot be made: "+reel.Scrub(err.Error()))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.status != 0 {
		w.WriteHeader(v.status)
	}
	_, _ = b.WriteTo(w) // whoever went away does not read it
}

func (s *Server) shell(r *request, v view) *shell {
	sh := &shell{view: v, rq: r, zone: s.Zone}
	if r.prefs.Zone != "" {
		if z, err := time.LoadLocation(r.prefs.Zone); err == nil {
			sh.zone = z
		}
	}
	if r.Who.Name != "" {
		var err error
		if sh.Needs, err = s.needs(r.ctx); err != nil {
			sh.Needs.Trouble = "What needs you is not known: the ledger cannot be read."
		}
	}
	return sh
}

// pageTemplate is one page with everything it uses.
type pageTemplate struct{ page *template.Template }

func loadPages() (map[string]*pageTemplate, error) {
	funcs := template.FuncMap{
		"icon": icon, "chip": chip, "word": stateWord, "num": num, "dur": shownDuration, "group": groupName, "file": path.Base, "words": words, "clean": clean,
		"account": accountName, "video": shownVideo, "shown": reel.ShownVideo, "q": url.QueryEscape, "p": url.PathEscape, "add": func(a, b int) int { return a + b }, "plural": plural,
		"category": func(c reel.Category) string { return string(c) },
	}
	base, err := template.New("").Funcs(funcs).ParseFS(files, "pages/base.html", "pages/parts.html")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		return nil, err
	}
	all := map[string]*pageTemplate{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "base" || name == "parts" {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, file)
		}
		if err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
		all[name] = &pageTemplate{t}
	}
	return all, nil
}

// What templates ask of the frame.

// Name is who looks.
func (sh *shell) Name() string { return sh.rq.Who.Name }

// Signed says that somebody is signed in.
func (sh *shell) Signed() bool { return sh.rq.Who.Name != "" }

// Steer says that whoever looks may change things.
func (sh *shell) Steer() bool { return sh.rq.Who.MaySteer() }

// Role is what whoever looks may do.
func (sh *shell) Role() string { return string(sh.rq.Who.Role) }

// Here is the address of the page, to lead back to.
func (sh *shell) Here() string { return sh.rq.URL.RequestURI() }

// At says that the page belongs to a part of the navigation.
func (sh *shell) At(part string) bool {
	p := sh.rq.URL.Path
	if part == "/" {
		return p == "/" || strings.HasPrefix(p, "/b/")
	}
	return strings.HasPrefix(p, part)
}

// Theme is light, dark or empty.
func (sh *shell) Theme() string { return sh.rq.prefs.Theme }

// ShowsClock says that times are shown as clock times.
func (sh *shell) ShowsClock() bool { return sh.rq.prefs.Clock }

// Keys says whether shortcuts are on.
func (sh *shell) Keys() bool { return sh.rq.prefs.Keys != "off" }

// PrefZone is the zone that the person chose, empty for the server's.
func (sh *shell) PrefZone() string { return sh.rq.prefs.Zone }

// Live says that the page is replaced while it is open.
func (sh *shell) Live() bool { return len(sh.live) > 0 }

// Zone names the zone of all times on the page.
func (sh *shell) Zone() string {
	at := sh.rq.now.In(sh.zone)
	_, offset := at.Zone()
	name := sh.zone.String()
	if name == "Local" {
		name, _ = at.Zone()
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	utc := "UTC"
	if offset != 0 {
		utc += fmt.Sprintf("%s%d", sign, offset/3600)
		if m := offset % 3600 / 60; m != 0 {
			utc += fmt.Sprintf(":%02d", m)
		}
	}
	if name == "UTC" {
		return utc
	}
	return strings.ReplaceAll(name, "_", " ") + " " + utc
}

// Now is the moment of the page.
func (sh *shell) Now() template.HTML { return sh.stamp(sh.rq.now, sh.clock(sh.rq.now, true)) }

// Ago shows a moment as a person reads it: how long ago, or the clock time where that was asked for or it is long past.
func (sh *shell) Ago(t time.Time) template.HTML {
	if t.IsZero() {
		return "-"
	}
	d := sh.rq.now.Sub(t)
	if sh.rq.prefs.Clock || d > 24*time.Hour || d < 0 {
		return sh.stamp(t, sh.clock(t, false))
	}
	return template.HTML(`<time class="ago" datetime="` + t.UTC().Format(time.RFC3339) + `" data-clock="` + template.HTMLEscapeString(sh.clock(t, false)) + `">` + shownDuration(d) + ` ago</time>`) //nolint:gosec // made of numbers alone
}

// Clock shows a moment with its seconds: the order of a night must be comparable.
func (sh *shell) Clock(t time.Time) template.HTML {
	if t.IsZero() {
		return "-"
	}
	return sh.stamp(t, sh.clock(t, true))
}

// In shows a moment to come: the clock time, and how long until then.
func (sh *shell) In(t time.Time) template.HTML {
	if t.IsZero() {
		return "-"
	}
	left := max(0, t.Sub(sh.rq.now))
	return sh.stamp(t, sh.clock(t, left < time.Hour)) + template.HTML(` <span class="down" data-until="`+t.UTC().Format(time.RFC3339)+`">(in `+shownDuration(left)+`)</span>`) //nolint:gosec // made of numbers alone
}

func (sh *shell) stamp(t time.Time, text string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(text) + `</time>`) //nolint:gosec // escaped
}

func (sh *shell) clock(t time.Time, seconds bool) string {
	at, now := t.In(sh.zone), sh.rq.now.In(sh.zone)
	form := "15:04"
	if seconds {
		form = "15:04:05"
	}
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
	case at.Year() == now.Year():
		form = "Mon 2 Jan " + form
	default:
		form = "2 Jan 2006 " + form
	}
	return at.Format(form)
}

// Tell is an event in a line, cut where it is long.
func (sh *shell) Tell(e reel.Event) string {
	e.Job, e.Account = "", ""
	text := console.Sentence(e, sh.zone)
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:199]) + "…"
	}
	return text
}
