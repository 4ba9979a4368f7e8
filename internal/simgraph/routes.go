package simgraph

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}

// ServeHTTP serves a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d := s.cfg.Latency; d > 0 && !strings.HasPrefix(r.URL.Path, "/_sim/") {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	// One server plays both hosts, each under a folder of its own.
	for _, host := range []struct {
		prefix string
		login  Login
	}{{"/ig", Instagram}, {"/fb", Facebook}} {
		if rest, ok := strings.CutPrefix(r.URL.Path, host.prefix+"/"); ok {
			r.URL.Path = "/" + rest
			r.Header.Set(hostHeader, string(host.login))
		}
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/ig-api-upload/"); ok && r.Method == http.MethodPost { // else the patterns would overlap
		s.upload(w, r, path.Base(rest))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// hostHeader carries inward which host was called.
const hostHeader = "X-Sim-Host"

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /refresh_access_token", s.refresh)
	m.HandleFunc("GET /access_token", s.exchange)
	m.HandleFunc("GET /{version}/me", s.authorised("me", s.me))
	m.HandleFunc("GET /{version}/debug_token", s.debug)
	m.HandleFunc("POST /{version}/{id}/media", s.authorised(AtCreate, s.create))
	m.HandleFunc("POST /{version}/{id}/media_publish", s.authorised(AtPublish, s.publishCall))
	m.HandleFunc("GET /{version}/{id}/media", s.authorised(AtList, s.list))
	m.HandleFunc("GET /{version}/{id}/content_publishing_limit", s.authorised(AtLimit, s.limit))
	m.HandleFunc("GET /{version}/{id}", s.authorised("", s.object))
	m.HandleFunc("GET /_sim/posts", func(w http.ResponseWriter, _ *http.Request) { write(w, 200, s.Posted()) })
	m.HandleFunc("GET /_sim/kinds", func(w http.ResponseWriter, _ *http.Request) { write(w, 200, Kinds()) })
	m.HandleFunc("POST /_sim/accounts/{name}/fault", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.Fail(r.PathValue("name"), f); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return m
}

// tokenOf is the token of a call: a parameter of the body or the address, or a header.
func tokenOf(r *http.Request) string {
	if t := r.Form.Get("access_token"); t != "" {
		return t
	}
	t, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return t
}

// whose finds the account of a token, or says why not. The lock is held.
func (s *Server) whose(token string) (*account, answer) {
	a := s.tokens[token]
	switch {
	case a == nil || a.Token != token && a.revoked:
		return nil, oauth(190, 0, "Invalid OAuth access token - Cannot parse access token")
	case !s.cfg.Clock().Before(a.Expires):
		return nil, oauth(190, 463, "Error validating access token: Session has expired")
	case a.revoked:
		return nil, oauth(190, 460, "Error validating access token: The session has been invalidated")
	}
	return a, answer{}
}

// authorised checks version, token and faults before a call.
func (s *Server) authorised(at string, do func(http.ResponseWriter, *http.Request, *account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		}
		if err := r.ParseForm(); err != nil {
			s.refuse(w, oauth(100, 0, "The request body cannot be read"))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		a, no := s.whose(tokenOf(r))
		if host := r.Header.Get(hostHeader); a != nil && host != "" && host != string(a.Login) {
			a, no = nil, oauth(190, 0, "Invalid OAuth access token - Cannot parse access token")
		}
		if a == nil {
			s.refuse(w, no)
			return
		}
		if !strings.HasPrefix(r.PathValue("version"), "v") {
			s.refuse(w, oauth(2500, 0, "An API version is needed"))
			return
		}
		id := r.PathValue("id")
		kind := at
		if kind == "" {
			kind = AtMedia
			if s.containers[id] != nil {
				kind = AtStatus
			}
		}
		s.calls[kind]++
		if at != "" && at != "me" && id != a.ID {
			s.refuse(w, oauth(100, 33, "Unsupported request. Object with ID '"+id+"' does not exist or cannot be loaded due to missing permissions"))
			return
		}
		if kind != AtPublish { // which has its own order of things
			if _, k, ok := s.strikes(a, kind); ok {
				s.fails(w, k)
				return
			}
		}
		do(w, r, a)
	}
}

// fails answers as a fault does. The lock is held.
func (s *Server) fails(w http.ResponseWriter, k kind) {
	if k.answer.status == 0 {
		panic(http.ErrAbortHandler) // the connection is cut
	}
	s.refuse(w, k.answer)
}

func (s *Server) me(w http.ResponseWriter, _ *http.Request, a *account) {
	write(w, 200, map[string]any{"user_id": a.ID, "username": a.Name, "id": "app-" + a.ID})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, a *account) {
	f := r.Form
	resumable := f.Get("upload_type") == "resumable"
	url := f.Get("video_url")
	switch {
	case f.Get("media_type") != "REELS":
		s.refuse(w, oauth(100, 2207023, "The media type is unknown"))
		return
	case resumable && a.NoUpload || !resumable && url == "":
		s.refuse(w, oauth(100, 0, "The parameter video_url is required"))
		return
	case !ascii(url):
		s.refuse(w, oauth(9004, 2207052, "The media could not be fetched from this URI"))
		return
	case len([]rune(f.Get("caption"))) > 2200:
		s.refuse(w, oauth(36004, 2207010, "The caption was too long"))
		return
	case a.Restricted:
		s.refuse(w, oauth(25, 2207050, "The Instagram account is restricted."))
		return
	}
	c := &container{
		id: s.id(), caption: f.Get("caption"), url: url, owner: a, created: s.cfg.Clock(), ready: s.cfg.Clock().Add(s.cfg.Process), resumable: resumable, status: "IN_PROGRESS",
	}
	s.containers[c.id] = c
	out := map[string]any{"id": c.id}
	if resumable {
		out["uri"] = s.base + "/ig-api-upload/" + r.PathValue("version") + "/" + c.id
	}
	write(w, 200, out)
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 || r < 33 }) < 0
}

// upload takes bytes. They are counted and dropped.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, id string) {
	failed := func(status int, why string) {
		write(w, status, map[string]any{"debug_info": map[string]any{"retriable": status >= 500, "type": "ProcessingFailedError", "message": why}})
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	s.mu.Lock()
	s.calls[AtUpload]++
	a, no := s.whose(token)
	c := s.containers[id]
	offset, errOffset := strconv.ParseInt(r.Header.Get("offset"), 10, 64)
	size, errSize := strconv.ParseInt(r.Header.Get("file_size"), 10, 64)
	if !ok || a == nil || c == nil || c.owner != a || errOffset != nil || errSize != nil || size <= 0 || offset != c.got || c.size != 0 && c.size != size {
		s.mu.Unlock()
		if a == nil {
			s.refuse(w, no)
			return
		}
		failed(400, "Request processing failed")
		return
	}
	c.size = size
	f, _, strikes := s.strikes(a, AtUpload)
	s.mu.Unlock()
	most := size - offset
	if strikes && f.Kind == "upload_cut" {
		most = int64(float64(size)*f.Part) - offset
	}
	if strikes && f.Kind == "upload_fails" {
		most = 0
	}
	n, err := io.CopyN(io.Discard, r.Body, max(most, 0))
	s.mu.Lock()
	c.got += n
	whole := c.got == c.size
	if whole {
		c.ready = s.cfg.Clock().Add(s.cfg.Process)
		switch f.Kind {
		case "media_format":
			c.fault = "Error: Media upload has failed with error code 2207026"
		case "media_processing":
			c.fault = "Error: Media upload has failed with error code 2207085"
		}
	}
	s.mu.Unlock()
	switch {
	case strikes && f.Kind == "upload_cut":
		panic(http.ErrAbortHandler)
	case strikes && (f.Kind == "upload_fails" || f.Kind == "upload_odd"):
		failed(400, "Request processing failed")
	case err != nil || !whole:
		failed(400, "Request processing failed")
	default:
		write(w, 200, map[string]any{"success": true, "message": "Upload successful."})
	}
}

// object reads a container or a medium.
func (s *Server) object(w http.ResponseWriter, r *http.Request, a *account) {
	id := r.PathValue("id")
	if c := s.containers[id]; c != nil && c.owner == a {
		s.step(c, true)
		out := map[string]any{"id": id}
		for field := range strings.SplitSeq(r.Form.Get("fields"), ",") {
			switch field {
			case "status_code":
				out[field] = c.status
			case "status":
				out[field] = statusText(c)
			case "video_status":
				phase := "not_started"
				if c.got > 0 {
					phase = "in_progress"
				}
				if c.size > 0 && c.got == c.size {
					phase = "complete"
				}
				out[field] = map[string]any{"uploading_phase": map[string]any{"status": phase, "bytes_transferred": c.got}}
			case "id", "copyright_check_status", "":
			default:
				s.refuse(w, oauth(100, 0, "Tried accessing nonexisting field ("+field+")"))
				return
			}
		}
		write(w, 200, out)
		return
	}
	for _, m := range a.media {
		if m.id == id {
			if out, ok := s.fields(w, r.Form.Get("fields"), m, a); ok {
				write(w, 200, out)
			}
			return
		}
	}
	s.refuse(w, oauth(100, 33, "Unsupported get request. Object with ID '"+id+"' does not exist"))
}

func statusText(c *container) string {
	switch c.status {
	case "FINISHED":
		return "Finished: Media has been uploaded and it is ready to be published."
	case "PUBLISHED":
		return "Published: Media has been published."
	case "EXPIRED":
		return "Expired: The container was not published within 24 hours."
	case "ERROR":
		return c.fault
	}
	return "In Progress: Media is still being processed."
}

func (s *Server) fields(w http.ResponseWriter, names string, m *medium, a *account) (map[string]any, bool) {
	caption := m.caption
	if a.StripsAt {
		caption = strings.ReplaceAll(caption, "@", "")
	}
	all := map[string]any{
		"id": m.id, "caption": caption, "media_type": "VIDEO", "media_product_type": m.kind, "shortcode": m.code, "permalink": "https://www.instagram.com/reel/" + m.code + "/",
		"timestamp": m.at.UTC().Format("2006-01-02T15:04:05+0000"), "username": a.Name,
	}
	out := map[string]any{"id": m.id}
	for field := range strings.SplitSeq(names, ",") {
		v, ok := all[field]
		if !ok {
			s.refuse(w, oauth(100, 0, "Tried accessing nonexisting field ("+field+")"))
			return nil, false
		}
		out[field] = v
	}
	return out, true
}

func (s *Server) publishCall(w http.ResponseWriter, r *http.Request, a *account) {
	c := s.containers[r.Form.Get("creation_id")]
	if c == nil || c.owner != a {
		s.refuse(w, oauth(24, 2207008, "The media builder with this creation ID does not exist or is expired"))
		return
	}
	s.step(c, false)
	if f, k, ok := s.strikes(a, AtPublish); ok {
		if f.Kind == "quota" {
			a.full = s.cfg.Clock().Add(time.Hour / 2)
		}
		if k.perform {
			s.publish(c)
		}
		if k.late {
			s.late = append(s.late, time.AfterFunc(s.cfg.Late, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.publish(c)
			}))
		}
		s.fails(w, k)
		return
	}
	switch {
	case c.status == "EXPIRED":
		s.refuse(w, oauth(24, 2207008, "The media builder with this creation ID does not exist or is expired"))
	case c.status == "PUBLISHED" && s.cfg.Strict:
		s.refuse(w, oauth(100, 0, "The container has already been published"))
	case c.status != "FINISHED" && c.status != "PUBLISHED":
		s.refuse(w, oauth(9007, 2207027, "Media ID is not available"))
	case s.used(a) >= s.cfg.Quota:
		s.refuse(w, oauth(9, 2207042, "Application request limit reached"))
	default:
		write(w, 200, map[string]any{"id": s.publish(c).id})
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, a *account) {
	size := 25
	if n, err := strconv.Atoi(r.Form.Get("limit")); err == nil && n > 0 {
		size = min(n, 100)
	}
	bound := func(name string, unset int64) int64 {
		if n, err := strconv.ParseInt(r.Form.Get(name), 10, 64); err == nil {
			return n
		}
		return unset
	}
	since, until := bound("since", 0), bound("until", 1<<62)
	var data []map[string]any
	after, found := r.Form.Get("after"), r.Form.Get("after") == ""
	cursor, more := "", false
	for _, m := range slices.Backward(a.media) {
		at := m.at.Unix()
		if s.cfg.Clock().Sub(m.at) < s.cfg.ListLag || at < since || at > until {
			continue
		}
		if !found {
			found = m.id == after
			continue
		}
		if len(data) == size {
			more = true
			break
		}
		one, ok := s.fields(w, r.Form.Get("fields"), m, a)
		if !ok {
			return
		}
		data, cursor = append(data, one), m.id
	}
	out := map[string]any{"data": data}
	if data == nil {
		out["data"] = []any{}
	}
	if cursor != "" {
		paging := map[string]any{"cursors": map[string]any{"before": data[0]["id"], "after": cursor}}
		if more {
			paging["next"] = s.base + r.URL.Path + "?after=" + cursor
		}
		out["paging"] = paging
	}
	write(w, 200, out)
}

func (s *Server) limit(w http.ResponseWriter, _ *http.Request, a *account) {
	used := s.used(a)
	if s.cfg.Clock().Before(a.full) {
		used = s.cfg.Quota
	}
	write(w, 200, map[string]any{"data": []any{map[string]any{"quota_usage": used, "config": map[string]any{"quota_total": s.cfg.Quota, "quota_duration": 86400}}}})
}

// refresh gives a new token for one that is a day old and not over; the old one goes on.
func (s *Server) refresh(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, no := s.whose(tokenOf(r))
	switch {
	case a == nil:
		s.refuse(w, no)
	case r.Form.Get("grant_type") != "ig_refresh_token" || a.Login != Instagram:
		s.refuse(w, oauth(100, 0, "Unsupported grant type"))
	case s.cfg.Clock().Sub(a.Issued) < 24*time.Hour:
		s.refuse(w, oauth(10, 0, "The access token is not old enough to be refreshed"))
	default:
		a.Issued = s.cfg.Clock()
		a.Expires = a.Issued.Add(60 * 24 * time.Hour)
		a.Token += "r"
		s.tokens[a.Token] = a
		write(w, 200, map[string]any{"access_token": a.Token, "token_type": "bearer", "expires_in": 5184000})
	}
}

func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, no := s.whose(tokenOf(r))
	switch {
	case a == nil:
		s.refuse(w, no)
	case r.Form.Get("grant_type") != "ig_exchange_token" || r.Form.Get("client_secret") == "":
		s.refuse(w, oauth(100, 0, "Missing client_secret parameter"))
	default:
		a.Issued = s.cfg.Clock()
		a.Expires = a.Issued.Add(60 * 24 * time.Hour)
		a.Token += "L" // the short-lived one goes on until its hour is over
		s.tokens[a.Token] = a
		write(w, 200, map[string]any{"access_token": a.Token, "token_type": "bearer", "expires_in": 5184000})
	}
}

func (s *Server) debug(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.tokens[r.Form.Get("input_token")]
	valid := a != nil && s.cfg.Clock().Before(a.Expires) && !a.revoked
	write(w, 200, map[string]any{"data": map[string]any{"is_valid": valid}})
}

// Revoke makes an account's token invalid, as a changed password does.
func (s *Server) Revoke(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		a.revoked = true
	}
}
