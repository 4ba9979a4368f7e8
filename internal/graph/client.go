package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Login is the product by which an account came. A token works only on its own host.
type Login string

// The logins.
const (
	Instagram Login = "instagram" // graph.instagram.com, no Facebook Page needed
	Facebook  Login = "facebook"  // graph.facebook.com, through a linked Page
)

// Account is how one account is reached.
type Account struct {
	ID    string // of the Instagram user
	Login Login
	Token string
}

// Version is the API's version that this program was written for; it works until 2028-07-29 (Meta, changelog).
const Version = "v25.0"

// Times of calls.
const (
	callMost = 30 * time.Second
	bodyMost = 1 << 20 // of an answer
)

// Client calls the API. It is safe for use by many at once. No call is tried again.
type Client struct {
	Base    map[Login]string // addresses of the hosts; those of Meta where empty
	Version string           // Version where empty
	HTTP    *http.Client
}

// NewHTTP makes the HTTP client that a Client wants: it follows no redirect, which could carry a token away.
func NewHTTP(connections int) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost = connections, connections
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// hosts are Meta's.
var hosts = map[Login]string{Instagram: "https://graph.instagram.com", Facebook: "https://graph.facebook.com"}

func (c *Client) base(l Login) string {
	if b := c.Base[l]; b != "" {
		return strings.TrimRight(b, "/")
	}
	return hosts[l]
}

func (c *Client) version() string {
	if c.Version != "" {
		return c.Version
	}
	return Version
}

// CheckBase refuses an address that a token must not be sent to: plain http is for this machine alone.
func CheckBase(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return errors.New("is no address like https://graph.instagram.com")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("must begin with https://; plain http is for this machine alone")
}

// Failure says that the API refused a call, or that no clean answer came.
type Failure struct {
	Call      string // which call, in words
	Status    int    // of HTTP; 0: there was no answer
	Code      int    // the API's; may be negative
	Subcode   int
	Message   string
	Transient bool
	Trace     string // fbtrace_id
	Wait      time.Duration
	Holds     string // reel.HoldsPublisher where a limit is the app's
	Err       error  // without the address, which could hold a token
	Unsent    bool   // nothing was sent: the host was not reached
}

func (f *Failure) Error() string {
	text := "graph: " + f.Call + ": "
	switch {
	case f.Err != nil:
		return text + f.Err.Error()
	case f.Code == 0 && f.Message != "":
		return text + f.Message
	case f.Code == 0:
		return text + fmt.Sprintf("HTTP %d %s", f.Status, http.StatusText(f.Status))
	}
	text += f.Message + fmt.Sprintf(" (code %d", f.Code)
	if f.Subcode != 0 {
		text += fmt.Sprintf(", subcode %d", f.Subcode)
	}
	if f.Trace != "" {
		text += ", trace " + f.Trace
	}
	return text + ")"
}

// Unwrap gives what went wrong below.
func (f *Failure) Unwrap() error { return f.Err }

// Evidence tells the failure to whoever judges it.
func (f *Failure) Evidence(step string) reel.Evidence {
	e := reel.Evidence{Source: reel.SourceHTTP, Text: f.Error(), Step: step, Holds: f.Holds}
	switch {
	case f.Code != 0:
		e.Code = "graph:" + strconv.Itoa(f.Code)
		if f.Subcode != 0 {
			e.Code += "/" + strconv.Itoa(f.Subcode)
		}
	case f.Message != "": // an upload's own form of refusal
		e.Code = CodeUpload
	case f.Status != 0:
		e.Code = "http:" + strconv.Itoa(f.Status)
	default:
		e.Source = reel.SourceTool // nobody answered: what our own connection saw
	}
	if f.Wait > 0 {
		e.RetryAfter = f.Wait.String()
	}
	return e
}

// Uncertain says that the call may have been carried out all the same: no clean answer came, or one of those after which others found
// their post live. A refused connection, a host that is not found and a fault of TLS prove that nothing was sent.
func (f *Failure) Uncertain() bool {
	switch {
	case f.Unsent:
		return false
	case f.Code == 0:
		return f.Status == 0 || f.Status >= 500 || f.Status < 400
	case f.Transient || f.Status >= 500:
		return true
	}
	switch f.Code {
	case 1, 2, -1, -2, 506:
		return true
	case 4:
		return f.Subcode == 2207051 // suspected spam: seen with the post live
	}
	return false
}

// Refused says that a publication was refused in plain words, so that nothing was published. It lists what Meta's tables name, and not what
// is left over: a code that nobody has explained proves nothing, neither do 100 and 24, which a published container may get as well.
func (f *Failure) Refused() bool {
	if f.Uncertain() || f.Status < 400 {
		return false
	}
	switch f.Code {
	case 3, 10, 102, 190: // permission and token
		return true
	case 25, 368: // the account is restricted or blocked
		return true
	case 4: // with another subcode it is suspected spam, or nobody knows
		return f.Subcode == 0
	case 9, 17, 32, 341, 613: // limits
		return true
	case 9007: // not ready
		return true
	}
	return f.Code >= 200 && f.Code < 300 || f.Code >= 80000 && f.Code < 80100
}

// call sends a request and decodes its answer. Parameters go into the body of a POST; the token goes into a header, and never into an
// address, a log or an error.
func (c *Client) call(ctx context.Context, a Account, what, method, path string, params url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callMost)
	defer cancel()
	address := c.base(a.Login) + "/" + c.version() + path
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else if len(params) > 0 {
		address += "?" + params.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return &Failure{Call: what, Err: errors.New("the address cannot be called"), Unsent: true}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Authorization", "Bearer "+a.Token)
	return c.send(r, what, into)
}

// send sends a request and reads its answer.
func (c *Client) send(r *http.Request, what string, into any) error {
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return broken(what, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, bodyMost))
	if err != nil {
		return broken(what, err)
	}
	if f := refusal(what, answer, data); f != nil {
		return f
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &Failure{Call: what, Status: answer.StatusCode, Err: errors.New("the answer is no JSON")}
	}
	return nil
}

// broken tells an error of the connection, without the address.
func broken(what string, err error) *Failure {
	f := &Failure{Call: what, Err: err}
	var u *url.Error
	if errors.As(err, &u) {
		f.Err = u.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	f.Unsent = errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || strings.Contains(f.Err.Error(), "tls: ") || strings.Contains(f.Err.Error(), "x509: ")
	return f
}

// refusal reads an answer that is none of success; nil for one that is. A page without JSON is told by its status alone.
func refusal(what string, answer *http.Response, data []byte) *Failure {
	var said struct {
		Error *struct {
			Message   string `json:"message"`
			Code      int    `json:"code"`
			Subcode   int    `json:"error_subcode"`
			Transient bool   `json:"is_transient"`
			Trace     string `json:"fbtrace_id"`
		} `json:"error"`
		Upload struct {
			Message string `json:"message"`
		} `json:"debug_info"`
	}
	_ = json.Unmarshal(data, &said)
	if said.Error == nil && answer.StatusCode < 300 {
		return nil
	}
	f := &Failure{Call: what, Status: answer.StatusCode, Message: said.Upload.Message}
	if e := said.Error; e != nil {
		f.Message, f.Code, f.Subcode, f.Transient, f.Trace = e.Message, e.Code, e.Subcode, e.Transient, e.Trace
	}
	f.limits(answer.Header)
	return f
}

// appPause and accountPause are how long a limit without a time is taken to last.
const (
	appPause   = time.Hour
	spamPause  = 6 * time.Hour
	quotaPause = time.Hour // then the live number is asked again
)

// limits says for how long and whom a refusal holds. Codes: Meta, rate limiting. The account's own limit tells its time in minutes in a
// header; the app's holds all accounts.
func (f *Failure) limits(h http.Header) {
	switch {
	case f.Code == 4 && f.Subcode == 0, f.Code == 341, f.Code == 613, f.Code == 32:
		f.Wait, f.Holds = appPause, reel.HoldsPublisher
	case f.Code == 17 || f.Code >= 80000 && f.Code < 80100:
		f.Wait = appPause
		if t := regain(h.Get("X-Business-Use-Case-Usage")); t > 0 {
			f.Wait = t
		}
	case f.Code == 9 && f.Subcode == 2207042:
		f.Wait = quotaPause
	case f.Code == 4 && f.Subcode == 2207051:
		f.Wait = spamPause
	}
}

// regain reads X-Business-Use-Case-Usage: the longest time that is named.
func regain(header string) (t time.Duration) {
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	if json.Unmarshal([]byte(header), &usage) != nil {
		return 0
	}
	for _, list := range usage {
		for _, u := range list {
			t = max(t, time.Duration(min(u.Minutes, 60*24*7))*time.Minute)
		}
	}
	return t
}
