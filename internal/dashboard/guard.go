package dashboard

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"reelpass/internal/access"
)

// policy lets a page load nothing but what the dashboard itself serves, and run nothing that stands in the page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Names of cookies. The prefix keeps other hosts of the same domain from setting them; browsers want https for it.
const (
	cookieSession = "reelpass"
	cookieView    = "reelpass_view"
)

// most is the largest body that is read. A choice of a hundred thousand jobs has its place in it.
const mostBody = 8 << 20

type personKey struct{}

func personOf(ctx context.Context) access.Person {
	p, _ := ctx.Value(personKey{}).(access.Person)
	return p
}

// guard lets only those in who may come in.
func (s *Server) guard(inside http.Handler) http.Handler {
	outside := http.NewServeMux()
	outside.HandleFunc("GET /sign-in", s.signInPage)
	outside.HandleFunc("POST /sign-in", s.signIn)
	outside.Handle("GET /static/", s.static())
	outside.HandleFunc("GET /healthz", s.healthz)
	outside.Handle("/", s.signedIn(inside))
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusForbidden, "this came from another site; nothing was changed")
	}))
	checked := cross.Handler(outside)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !s.known(r.Host) {
			s.refuse(w, r, http.StatusMisdirectedRequest, "this dashboard is not called "+r.Host+"; name it with --host where it should be")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		checked.ServeHTTP(w, r)
	})
}

// refuse answers plainly and notes it. What a stranger sent is not repeated in the log beyond its path.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	s.Log.Warn("refused", "status", status, "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr, "why", why)
	if isAPI(r) {
		writeProblem(w, status, why)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why + "\n")) // whoever went away does not read it
}

// signedIn asks for a session, or a script's token.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p access.Person
		err := access.ErrRefused
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			if !s.slow.full() {
				if p, err = s.Access.Check(bearer, access.Token); err != nil {
					s.slow.add()
				}
			}
		} else if c, errCookie := r.Cookie(cookieSession); errCookie == nil {
			p, err = s.Access.Check(c.Value, access.Session)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
		case !errors.Is(err, access.ErrRefused):
			s.refuse(w, r, http.StatusInternalServerError, err.Error())
		case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, "/sign-in?to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="reelpass"`)
			s.refuse(w, r, http.StatusUnauthorized, "a token is needed: 'reelpass serve --token' makes one")
		}
	})
}

// steering lets only those through who may change things.
func (s *Server) steering(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := personOf(r.Context()); !p.MaySteer() {
			s.refuse(w, r, http.StatusForbidden, p.Name+" may look, but not steer; nothing was changed")
			return
		}
		if err := r.ParseForm(); errors.As(err, new(*http.MaxBytesError)) {
			s.refuse(w, r, http.StatusRequestEntityTooLarge, "this is larger than anything a page sends; nothing was changed")
			return
		} else if err != nil {
			s.refuse(w, r, http.StatusBadRequest, "this form cannot be read; nothing was changed")
			return
		}
		s.forget() // for the page that answers
		defer s.forget()
		next(w, r)
	}
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	s.showSignIn(w, r, http.StatusOK, r.URL.Query().Get("code"), r.URL.Query().Get("to"), "")
}

func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, status int, code, to, wrong string) {
	rq := s.request(r)
	s.show(w, rq, view{name: "sign-in", Title: "Sign in", status: status, Data: struct{ Code, To, Wrong string }{code, inside(to), wrong}})
}

// signIn spends a code. A link that is only looked at, by a chat's preview or a scanner, spends nothing: that is why it takes a button.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	code, to := strings.TrimSpace(r.PostFormValue("code")), inside(r.PostFormValue("to"))
	if s.slow.full() {
		w.Header().Set("Retry-After", "60")
		s.showSignIn(w, r, http.StatusTooManyRequests, "", to, "Too many wrong codes. Wait a minute.")
		return
	}
	session, p, err := s.Access.Spend(code)
	switch {
	case errors.Is(err, access.ErrRefused):
		s.slow.add()
		s.Log.Warn("a code was refused", "from", r.RemoteAddr)
		s.showSignIn(w, r, http.StatusForbidden, "", to, "This code is wrong, spent, or older than ten minutes.")
		return
	case err != nil:
		s.refuse(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	s.Log.Info("signed in", "name", p.Name, "role", p.Role, "from", r.RemoteAddr)
	http.SetCookie(w, s.cookie(cookieSession, session, true))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// cookie is one of ours. Lax: a link in an alert must find the person signed in.
func (s *Server) cookie(name, value string, hidden bool) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: hidden, Secure: s.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int((30 * 24 * time.Hour).Seconds()),
	}
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if _, err := s.Access.Revoke(personOf(r.Context()).ID); err != nil {
		s.refuse(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	gone := s.cookie(cookieSession, "", true)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// inside is a path of this dashboard; anything else becomes the first page, so that a sign-in leads to no other place. The path is looked
// at as it was read, too: written anew, %2f may have become a slash, and two of them begin the name of another host.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return "/"
	}
	return u.RequestURI()
}

func (s *Server) static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		http.ServeFileFS(w, r, files, path.Clean(r.URL.Path)[1:])
	})
}

// healthz says whether the ledger can be read.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if _, err := s.Ledger.Head(r.Context()); err != nil {
		s.refuse(w, r, http.StatusServiceUnavailable, "the ledger cannot be read")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // whoever went away does not read it
}

// evidenceFile serves one file that was kept of an attempt. The root keeps it inside its folder, whatever the names are.
func (s *Server) evidenceFile(w http.ResponseWriter, r *http.Request) {
	name := path.Join(r.PathValue("dir"), r.PathValue("file"))
	if s.evidence == nil || !fs.ValidPath(name) || strings.Contains(name, `\`) {
		s.refuse(w, r, http.StatusNotFound, "there is no such evidence")
		return
	}
	f, err := s.evidence.Open(name)
	if err != nil {
		s.refuse(w, r, http.StatusNotFound, "there is no such evidence")
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		s.refuse(w, r, http.StatusNotFound, "there is no such evidence")
		return
	}
	// A phone's screen or log is data, whatever it says of itself.
	kind := "text/plain; charset=utf-8"
	if strings.HasSuffix(name, ".png") {
		kind = "image/png"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=3600")
	http.ServeContent(w, r, "", info.ModTime(), f)
}
