package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// SignatureHeader holds "sha256=" and the hex of the body's HMAC-SHA256 under the webhook's secret.
const SignatureHeader = "Reelpass-Signature"

// Sign is the value of SignatureHeader for a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// webhook posts messages as JSON.
type webhook struct {
	to     string
	secret string
	client *http.Client
}

func newWebhook(u *url.URL) (*webhook, error) {
	secret, signed := strings.CutPrefix(u.Fragment, "secret=")
	switch {
	case u.Hostname() == "":
		return nil, errNoHost
	case u.Scheme == "http" && !local(u.Hostname()):
		return nil, errPlain
	case u.Fragment != "" && (!signed || secret == ""):
		return nil, errFragment
	}
	to := *u
	to.Fragment, to.RawFragment = "", "" // no client would send it
	return &webhook{to: to.String(), secret: secret, client: &http.Client{
		// Whoever answers for the address must not pass messages on to where nobody wanted them.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// payload is the message as a webhook gets it.
func payload(m Message, missed int) ([]byte, error) {
	return json.Marshal(struct {
		Message
		Missed int `json:"missed,omitempty"` // messages before this one that did not arrive here
	}{m, missed})
}

// send posts the message.
func (w *webhook) send(ctx context.Context, m Message, missed int) error {
	body, err := payload(m, missed)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.to, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address cannot be asked") // err quotes it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "reelpass")
	if w.secret != "" {
		req.Header.Set(SignatureHeader, Sign(w.secret, body))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // the connection can be used again
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return fmt.Errorf("it answered %d, and messages follow no redirect", resp.StatusCode)
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}

// wait has nothing to wait for: a request ends with its context.
func (w *webhook) wait() {}
