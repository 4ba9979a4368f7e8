package geelark

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Base is where the vendor's API is.
const Base = "https://openapi.geelark.com"

// Bounds of one call.
const (
	callTimeout = 30 * time.Second
	maxAnswer   = 8 << 20 // a page of 100 phones is about 100 KB
)

// Config says how the API is reached. Either Token, or AppID with APIKey.
type Config struct {
	Base   string // Base where empty; plain http only on this machine
	Token  string
	AppID  string
	APIKey string
	// Limit is asked before each call. All who use the same credential must share it.
	Limit Limit
	HTTP  *http.Client
	Clock func() time.Time
	// Pause waits between two questions about something that takes time.
	Pause func(context.Context, time.Duration) error
}

// Limit keeps the calls of one credential within the vendor's limits.
type Limit interface {
	// Take waits until a call may be made.
	Take(ctx context.Context) error
	// Close lets no call through for a while, because the vendor said so.
	Close(ctx context.Context, d time.Duration) error
}

// Client calls the API. It is safe for use by many at once.
type Client struct {
	cfg  Config
	base *url.URL
}

// New checks how the API is to be reached. It calls nothing.
func New(cfg Config) (*Client, error) {
	if cfg.Base == "" {
		cfg.Base = Base
	}
	base, err := url.Parse(strings.TrimRight(cfg.Base, "/"))
	switch {
	case err != nil || base.Host == "" || base.User != nil:
		return nil, errors.New("geelark: the API's address must be https://HOST")
	case base.Scheme == "https" || base.Scheme == "http" && loopback(base.Hostname()):
	default:
		return nil, fmt.Errorf("geelark: the API's address must be https (http only on this machine), not %s://%s", base.Scheme, base.Host)
	}
	switch {
	case cfg.Token == "" && (cfg.AppID == "" || cfg.APIKey == ""):
		return nil, errors.New("geelark: no credential: give a token, or an app id with its API key")
	case cfg.Token != "" && (cfg.AppID != "" || cfg.APIKey != ""):
		return nil, errors.New("geelark: two credentials: give a token, or an app id with its API key, not both")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Pause == nil {
		cfg.Pause = pause
	}
	return &Client{cfg: cfg, base: base}, nil
}

// String names the client without its credential; %v and %+v print nothing else of it.
func (c *Client) String() string { return "geelark at " + c.base.Host }

// GoString is String, so that %#v does not print the credential.
func (c *Client) GoString() string { return c.String() }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// envelope is what every answer is wrapped in. msg is in the vendor's language of the day: only the code counts.
type envelope struct {
	Code number          `json:"code"`
	Msg  string          `json:"msg"`
	Data json.RawMessage `json:"data"`
}

// call asks one question and reads its answer's data into out, which may be nil. The error is a *Failure where the API refused.
// Where only a part failed, the data is read and there is no error: look into it.
func (c *Client) call(ctx context.Context, path string, in, out any) error {
	if err := c.cfg.Limit.Take(ctx); err != nil {
		return c.failed(path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	c.sign(req)
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return c.failed(path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c.failed(path, err)
	case len(data) > maxAnswer:
		return &Failure{Endpoint: path, HTTP: resp.StatusCode, Msg: "an answer that is too long"}
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil || resp.StatusCode != http.StatusOK && e.Code == 0 {
		return &Failure{Endpoint: path, HTTP: resp.StatusCode, Msg: firstLine(data)}
	}
	if wait := closesFor(int(e.Code)); wait > 0 {
		_ = c.cfg.Limit.Close(ctx, wait) // whoever cannot note it finds out by himself
	}
	switch e.Code {
	case 0, codePartFailed, codeAllFailed:
	default:
		return &Failure{Endpoint: path, Code: int(e.Code), Msg: e.Msg}
	}
	if out == nil || len(e.Data) == 0 || string(e.Data) == "null" {
		if e.Code != 0 {
			return &Failure{Endpoint: path, Code: int(e.Code), Msg: e.Msg}
		}
		return nil
	}
	if err := json.Unmarshal(e.Data, out); err != nil {
		return &Failure{Endpoint: path, Msg: "an answer of another form: " + err.Error()}
	}
	return nil
}

// failed makes a failure of an error on the way. It never holds an address' query or a header.
func (c *Client) failed(path string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &Failure{Endpoint: path, Err: err}
}

// Codes that the client itself decides by; all others are judged in fault.
const (
	codeToken      = 40003
	codePartFailed = 40006 // of a call about many phones; its data tells which
	codeAllFailed  = 40009
	codeMinute     = 40007 // more than 200 calls in a minute
	codeHour       = 40014 // more than 24,000 calls in an hour: nothing for two hours
	codeHourToo    = 47002 // the same by another page of the documentation, where it is the answer's own code
	codeGone       = 42001
	codeNotRunning = 42002
	codeBusy       = 43005 // runs a task
	codeControlled = 43006 // somebody is connected
	codeOccupied   = 43007 // used by another user
	codeADBOff     = 49001
	codeServer     = 50000
)

// closesFor says for how long the vendor lets nothing through after a code.
func closesFor(code int) time.Duration {
	switch code {
	case codeMinute:
		return time.Minute
	case codeHour, codeHourToo:
		return 2 * time.Hour
	}
	return 0
}

func firstLine(data []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	const most = 200
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// traceID is what the vendor's own program sends: a random UUID, version 4.
func traceID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
