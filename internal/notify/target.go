package notify

import (
	"context"
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"reelpass/internal/reel"
)

// Target is where messages go. Its address is a secret: a token stands in it, or whoever knows it may send to it.
type Target struct {
	shown   string
	secrets []string // every part of the address that an error might repeat
	carry   carrier
}

// carrier brings a message to one place. An error of it is not fit to be shown: see Target.blank.
type carrier interface {
	// send returns when the message has arrived, or ctx is over, or it cannot arrive. missed is how many messages before it did not.
	send(ctx context.Context, m Message, missed int) error
	// wait returns when nothing that send began goes on any more.
	wait()
}

// What is wrong with a target. None of these repeats anything of it.
var (
	errNoAddress = errors.New("is not an address: a webhook begins with https://, a service with its name, as telegram://")
	errPlain     = errors.New("is a webhook without TLS: it begins with https://, unless it is on this machine")
	errNoHost    = errors.New("names no host after ://")
	errFragment  = errors.New("has something after # that is not secret= and the secret of its signatures")
	errMasked    = errors.New("has *** where a secret was masked: take the address from where it was first written")
)

// ParseTarget reads the address of a webhook (https://HOST/PATH, with #secret=SECRET at its end where messages are to be signed), or of a
// service in shoutrrr's way (telegram://..., smtp://...). It asks nobody. The error holds nothing of the address.
func ParseTarget(text string) (*Target, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return nil, errNoAddress // err quotes the address
	}
	t := &Target{secrets: partsOf(text, u)}
	switch {
	case strings.Contains(text, "***"):
		return nil, errMasked
	case u.Scheme == "https" || u.Scheme == "http":
		t.shown = "https://***"
		t.carry, err = newWebhook(u)
		if err == nil {
			t.shown = u.Scheme + "://" + u.Host + "/***"
		}
	default:
		var s *service
		if s, err = newService(u.Scheme, text); err == nil {
			t.shown, t.carry = s.name+"://***", s
		}
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Redacted names the target without what is secret: the service, and of a webhook the host.
func (t *Target) Redacted() string { return t.shown }

// String is Redacted, so that no careless print shows the address.
func (t *Target) String() string { return t.shown }

// GoString is Redacted too.
func (t *Target) GoString() string { return t.shown }

func (t *Target) send(ctx context.Context, m Message, missed int) error {
	err := t.carry.send(ctx, m, missed)
	if err == nil {
		return nil
	}
	return errors.New(t.blank(err))
}

var addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.\-]*://[^\s"'<>]+`)

// blank is what a carrier's error says, without addresses and without any part of the target's own.
func (t *Target) blank(err error) string {
	var u *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &u):
		err = u.Err
	}
	text := addresses.ReplaceAllString(err.Error(), "***")
	return clean(reel.Scrub(text, t.secrets...), longText)
}

// partsOf is an address, and whatever of it might turn up by itself: user, password, host, pieces of path, query and fragment, as they are
// written and as they are meant.
func partsOf(text string, u *url.URL) []string {
	parts := []string{text}
	add := func(s string) {
		pieces := append([]string{s}, strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/:@,;&=?#+ ", r) })...)
		for _, p := range pieces {
			if len(p) >= 4 {
				parts = append(parts, p)
			}
		}
	}
	_, rest, _ := strings.Cut(text, "://")
	for _, s := range []string{rest, strings.Trim(u.Path, "/"), strings.Trim(u.EscapedPath(), "/"), u.RawQuery, u.Fragment, u.EscapedFragment()} {
		add(s)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		for _, s := range []string{u.User.String(), u.User.Username(), password} {
			add(s)
			add(url.QueryEscape(s))
			add(url.PathEscape(s))
		}
	}
	for name, values := range u.Query() {
		add(name)
		for _, v := range values {
			add(v)
		}
	}
	if u.Scheme == "http" || u.Scheme == "https" { // its host is shown
		parts = slices.DeleteFunc(parts, func(p string) bool { return strings.Contains(u.Host, p) })
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

// local says that a host is this machine.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
