package simgraph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The calls at which a fault may strike.
const (
	AtCreate  = "create"
	AtUpload  = "upload"
	AtStatus  = "status"
	AtPublish = "publish"
	AtList    = "list"
	AtMedia   = "media"
	AtLimit   = "limit"
)

// Fault is something that goes wrong with a call of an account, once.
type Fault struct {
	Kind string  `json:"kind"`
	Part float64 `json:"part,omitempty"` // of an upload, where it is cut: 0.5 is half
}

// kind is what a fault does.
type kind struct {
	at      string
	about   string
	perform bool   // publish happens all the same
	answer  answer // zero: the connection is cut
	late    bool   // publish happens later
}

type answer struct {
	status        int
	code, subcode int
	message       string
	transient     bool
	header        string // name: value
	page          bool   // an HTML page
}

func oauth(code, subcode int, message string) answer {
	return answer{status: 400, code: code, subcode: subcode, message: message}
}

// kinds are all faults: the cases that the API's description and others' notes name.
func kinds() map[string]kind {
	return map[string]kind{
		"reply_lost":       {at: AtPublish, about: "it is published, and the connection is cut", perform: true},
		"cut_before":       {at: AtPublish, about: "the connection is cut, and nothing is published"},
		"spam_live":        {at: AtPublish, about: "it is published, and the answer says spam", perform: true, answer: oauth(4, 2207051, "Application request limit reached")},
		"spam":             {at: AtPublish, about: "the answer says spam, and nothing is published", answer: oauth(4, 2207051, "Application request limit reached")},
		"late":             {at: AtPublish, about: "the connection is cut, and it is published a while later", late: true},
		"unknown_live":     {at: AtPublish, about: "it is published, and the answer says unknown error", perform: true, answer: oauth(1, 0, "An unknown error has occurred.")},
		"unknown":          {at: AtPublish, about: "unknown error, nothing is published", answer: answer{status: 500, code: 1, message: "An unknown error has occurred.", transient: true}},
		"server_live":      {at: AtPublish, about: "it is published, and the answer says server error -1", perform: true, answer: oauth(-1, 2207001, "Instagram server error")},
		"outage_publish":   {at: AtPublish, about: "HTTP 503 with a page, nothing is published", answer: answer{status: 503, page: true}},
		"outage_live":      {at: AtPublish, about: "it is published, and the answer is HTTP 503 with a page", perform: true, answer: answer{status: 503, page: true}},
		"not_ready":        {at: AtPublish, about: "published too early", answer: oauth(9007, 2207027, "Media ID is not available")},
		"quota":            {at: AtPublish, about: "the daily limit is reached", answer: oauth(9, 2207042, "Application request limit reached")},
		"duplicate":        {at: AtPublish, about: "the answer says duplicate post", answer: oauth(506, 0, "Duplicate status message")},
		"restricted":       {at: AtPublish, about: "the account is restricted", answer: oauth(25, 2207050, "The Instagram account is restricted.")},
		"blocked":          {at: AtPublish, about: "the account is blocked for a policy's sake", answer: oauth(368, 0, "The action attempted has been deemed abusive or is otherwise disallowed")},
		"token_revoked":    {at: AtPublish, about: "the token is refused", answer: oauth(190, 460, "The session has been invalidated because the user changed the password")},
		"outage":           {at: AtCreate, about: "HTTP 503 with a page", answer: answer{status: 503, page: true}},
		"token_expired":    {at: AtCreate, about: "the token has expired", answer: oauth(190, 463, "Error validating access token: Session has expired")},
		"password_changed": {at: AtCreate, about: "the token is invalid since the password was changed", answer: oauth(190, 460, "The session has been invalidated because the user changed the password")},
		"permission":       {at: AtCreate, about: "the permission was removed", answer: answer{status: 403, code: 10, message: "(#10) Application does not have permission for this action"}},
		"app_limit":        {at: AtCreate, about: "the app calls too often", answer: answer{status: 400, code: 4, message: "(#4) Application request limit reached", header: `X-App-Usage: {"call_count":101,"total_time":40,"total_cputime":30}`}},
		"account_limit":    {at: AtCreate, about: "the account is called too often", answer: answer{status: 400, code: 80002, message: "There have been too many calls to this Instagram account.", header: `X-Business-Use-Case-Usage: {"1":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":7}]}`}},
		"no_resumable":     {at: AtCreate, about: "uploads are refused", answer: oauth(100, 0, "The parameter video_url is required")},
		"upload_odd":       {at: AtUpload, about: "the upload is said to have failed, and goes on"},
		"upload_cut":       {at: AtUpload, about: "the connection is cut in the upload"},
		"upload_fails":     {at: AtUpload, about: "the upload fails"},
		"media_format":     {at: AtUpload, about: "the container ends in an error: the format"},
		"media_processing": {at: AtUpload, about: "the container ends in an error: processing"},
		"status_outage":    {at: AtStatus, about: "HTTP 500 without a body", answer: answer{status: 500}},
		"status_missing":   {at: AtStatus, about: "the container is said to be missing", answer: oauth(100, 33, "Unsupported get request. Object with ID does not exist")},
		"permalink":        {at: AtMedia, about: "the medium is said to be missing", answer: oauth(100, 33, "Unsupported get request. Object with ID does not exist")},
		"list_outage":      {at: AtList, about: "HTTP 503 with a page", answer: answer{status: 503, page: true}},
	}
}

// Kinds lists the faults by name, each with what it does.
func Kinds() map[string]string {
	all := map[string]string{}
	for name, k := range kinds() {
		all[name] = k.about
	}
	return all
}

// Fail has a fault strike an account's next call of its kind. An error names a fault or an account that is not there.
func (s *Server) Fail(account string, f Fault) error {
	k, ok := kinds()[f.Kind]
	if !ok {
		return fmt.Errorf("there is no fault %q", f.Kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Name == account {
			a.faults[k.at] = append(a.faults[k.at], f)
			return nil
		}
	}
	return fmt.Errorf("there is no account %q", account)
}

// strikes takes the fault that strikes an account's call now. The lock is held.
func (s *Server) strikes(a *account, at string) (f Fault, k kind, ok bool) {
	list := a.faults[at]
	if len(list) == 0 {
		return f, k, false
	}
	f = list[0]
	a.faults[at] = slices.Clone(list[1:])
	s.faults = append(s.faults, a.Name+": "+f.Kind)
	return f, kinds()[f.Kind], true
}

// page is what a load balancer answers.
const page = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"

func (s *Server) refuse(w http.ResponseWriter, a answer) {
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		w.Header().Set(name, value)
	}
	switch {
	case a.page:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(page))
	case a.message == "":
		w.WriteHeader(a.status)
	default:
		e := map[string]any{"message": a.message, "type": "OAuthException", "code": a.code, "fbtrace_id": "A" + a.message[:1] + "x7"}
		if a.subcode != 0 {
			e["error_subcode"] = a.subcode
		}
		if a.transient {
			e["is_transient"] = true
		}
		write(w, a.status, map[string]any{"error": e})
	}
}
