package media

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"mime"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

const maxRedirects = 5

// transport is HTTP with a deadline for each step but the body, which is watched while it comes.
func transport() http.RoundTripper {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// One video is fetched over one connection; a connection that is kept saves a handshake for the next.
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		DisableCompression: true, // bytes are counted and hashed as they come
	}
}

// checkRedirect follows a few redirections, never from https to http, and tells no host the address it was sent from: that may
// hold a signature.
func checkRedirect(r *http.Request, via []*http.Request) error {
	r.Header.Del("Referer")
	if len(via) > maxRedirects {
		return lack{"page", fmt.Sprintf("it redirects more than %d times", maxRedirects)}
	}
	if r.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
		return lack{"page", "it redirects to what is not https"}
	}
	return nil
}

// ask asks an address for its video: for the rest where a part is there, for a newer one where a whole is there.
func (c *Cache) ask(ctx context.Context, a reel.Address, key string, p *part) (reel.Copy, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.cfg.Stall, func() { cancel(lack{"stalled", fmt.Sprintf("nothing came for %s", c.cfg.Stall)}) })
	defer watch.Stop()

	header := http.Header{}
	have, known := c.disk.origin(key)
	known = known && a.SHA256 == ""
	switch {
	case p.resumable():
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		header.Set("If-Range", firstOf(p.state.ETag, p.state.Modified))
	case known && have.ETag != "":
		header.Set("If-None-Match", have.ETag)
	case known && have.Modified != "":
		header.Set("If-Modified-Since", have.Modified)
	}
	resp, err := c.cloud.get(ctx, a, header)
	if err == nil && resp.StatusCode == http.StatusNotModified {
		made, ok, err := c.unchanged(ctx, key, have)
		if ok || err != nil {
			return made, errors.Join(err, resp.Body.Close())
		}
		_ = resp.Body.Close() // the whole was damaged: from its first byte
		resp, err = c.cloud.get(ctx, a, http.Header{})
		if err != nil {
			return made, ended(ctx, err)
		}
	}
	if err == nil && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && p.size > 0 {
		_ = resp.Body.Close() // the part is longer than what is there now
		resp, err = c.cloud.get(ctx, a, http.Header{})
	}
	if err != nil {
		return reel.Copy{}, ended(ctx, err)
	}
	defer resp.Body.Close()
	if err := answered(a, resp); err != nil {
		return reel.Copy{}, ended(ctx, err)
	}
	made, v, err := c.receive(ctx, a, p, resp, watch)
	if err != nil {
		return reel.Copy{}, ended(ctx, err)
	}
	o := origin{File: filepath.Base(made.Path), At: c.cfg.Clock(), validator: v}
	if err := c.disk.keepOrigin(ctx, key, o); err != nil {
		made.Release()
		return reel.Copy{}, err
	}
	return made, nil
}

// ended is why a request ended: what ended its context, where that did.
func ended(ctx context.Context, err error) error {
	var why lack
	if ctx.Err() != nil && !errors.As(err, &why) {
		return context.Cause(ctx)
	}
	return err
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// unchanged takes the video that its origin has just vouched for.
func (c *Cache) unchanged(ctx context.Context, key string, o origin) (reel.Copy, bool, error) {
	made, ok, err := c.take(ctx, o.File)
	if !ok || err != nil {
		return made, false, err
	}
	o.At = c.cfg.Clock()
	if err := c.disk.keepOrigin(ctx, key, o); err != nil {
		made.Release()
		return reel.Copy{}, false, err
	}
	return made, true, nil
}

// answered judges the head of an answer.
func answered(a reel.Address, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		l := lack{strconv.Itoa(resp.StatusCode), fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode))}
		if said := complaint(resp.Body); said != "" {
			l.text += ": " + said
		}
		if after := resp.Header.Get("Retry-After"); after != "" {
			l.text += " (Retry-After: " + cut(after, 40) + ")"
		}
		store := a.Scheme == "s3" || a.Scheme == "gs"
		if store && resp.StatusCode < 500 && l.code != "404" && l.code != "410" && !passing(l.code) {
			l.code = "denied" // a store asks for credentials, which are the machine's
		}
		return l
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		return lack{"page", "a web page is there, not a video"}
	}
	return nil
}

// complaint is what a store says in its XML: a code and a sentence. The rest of such an answer repeats the request, with
// its signature.
func complaint(body io.Reader) string {
	var said struct{ Code, Message string }
	if xml.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&said) != nil || said.Code == "" {
		return ""
	}
	return cut(strings.TrimSpace(said.Code+" "+said.Message), 300)
}

func cut(text string, runes int) string {
	if r := []rune(text); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return text
}

// receive takes the body in, checks it, and makes it a video of the cache.
func (c *Cache) receive(ctx context.Context, a reel.Address, p *part, resp *http.Response, watch *time.Timer) (made reel.Copy, v validator, err error) {
	defer func() {
		var why lack
		if errors.As(err, &why) && p.f != nil {
			p.drop() // what cannot be kept, or is not what is wanted, must not take room
		}
	}()
	v = validatorOf(resp)
	if resp.StatusCode == http.StatusPartialContent {
		if first, total, ok := contentRange(resp.Header.Get("Content-Range")); !ok || first != p.size || p.state.Total >= 0 && total != p.state.Total || v.ETag != p.state.ETag {
			return made, v, lack{"damaged", "what came is not the rest of what is here: the video was changed meanwhile"}
		}
		v = p.state.validator
		err = p.reserve(ctx, max(p.state.Total, p.size))
	} else {
		err = p.begin(ctx, v, resp.ContentLength)
	}
	if err != nil {
		return made, v, err
	}
	s := newSums()
	if err := p.fill(ctx, watched{resp.Body, func() { watch.Reset(c.cfg.Stall) }}, s); err != nil {
		return made, v, err
	}
	switch {
	case p.size == 0:
		return made, v, errEmpty
	case p.state.Total >= 0 && p.size != p.state.Total:
		return made, v, lack{"damaged", fmt.Sprintf("%d bytes came, and %d were announced", p.size, p.state.Total)}
	case !s.fit(a, resp):
		return made, v, lack{"damaged", "the bytes do not fit the checksum that came with them"}
	}
	sum := hex.EncodeToString(s.sha.Sum(nil))
	if err := compare(a, sum); err != nil {
		return made, v, err
	}
	made, err = c.adopt(ctx, p, sum, sum+extension(a))
	return made, v, err
}

// adopt makes a whole part a video, or takes the same video that another address has brought.
func (c *Cache) adopt(ctx context.Context, p *part, sum, name string) (reel.Copy, error) {
	made, ok, err := c.take(ctx, name)
	if err != nil {
		return made, err
	}
	if ok {
		p.drop()
		return made, nil
	}
	f, err := p.finish(ctx, name)
	if err != nil {
		return made, err
	}
	return reel.Copy{Path: filepath.Join(c.cfg.Dir, videos, name), SHA256: sum, Release: func() { _ = f.Close() }}, nil
}

// watched is a body whose silence is noticed.
type watched struct {
	body io.Reader
	live func()
}

// Read implements io.Reader.
func (w watched) Read(p []byte) (int, error) {
	w.live()
	return w.body.Read(p)
}

// validatorOf is by what a server knows the version that it sends. A date is as good as a strong tag once the second that it
// names is over.
func validatorOf(resp *http.Response) validator {
	v := validator{ETag: resp.Header.Get("ETag"), Modified: resp.Header.Get("Last-Modified")}
	if v.ETag != "" {
		v.Strong = strings.HasPrefix(v.ETag, `"`)
		return v
	}
	modified, err := http.ParseTime(v.Modified)
	sent, err2 := http.ParseTime(resp.Header.Get("Date"))
	v.Strong = err == nil && err2 == nil && sent.Sub(modified) >= 2*time.Second
	return v
}

// contentRange reads "bytes 5-9/10".
func contentRange(text string) (first, total int64, ok bool) {
	text, inBytes := strings.CutPrefix(text, "bytes ")
	span, whole, ok := strings.Cut(text, "/")
	from, to, ok2 := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	total, err3 := strconv.ParseInt(whole, 10, 64)
	return first, total, inBytes && ok && ok2 && err == nil && err2 == nil && err3 == nil && 0 <= first && first <= last && last == total-1
}

// sums are the checksums that servers give, beside the one that names a video.
type sums struct{ sha, md5, crc hash.Hash }

func newSums() sums {
	return sums{sha256.New(), md5.New(), crc32.New(crc32.MakeTable(crc32.Castagnoli))}
}

// Write implements io.Writer.
func (s sums) Write(p []byte) (int, error) {
	for _, h := range []hash.Hash{s.sha, s.md5, s.crc} {
		_, _ = h.Write(p) // never fails
	}
	return len(p), nil
}

// fit compares with whatever checksum of the whole the answer carries.
func (s sums) fit(a reel.Address, resp *http.Response) bool {
	md5 := s.md5.Sum(nil)
	same := func(want, have string) bool { return want == "" || want == have }
	b64 := base64.StdEncoding.EncodeToString
	switch a.Scheme {
	case "s3":
		// The tag of an object that was sent in one piece, and is not encrypted with a key of its own, is its MD5.
		tag := strings.Trim(resp.Header.Get("ETag"), `"`)
		sealed := resp.Header.Get("X-Amz-Server-Side-Encryption")
		if len(tag) != 32 || strings.Trim(tag, "0123456789abcdef") != "" || sealed != "" && sealed != "AES256" || resp.Header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" {
			return true
		}
		return tag == hex.EncodeToString(md5)
	case "gs":
		if resp.Header.Get("X-Goog-Stored-Content-Encoding") == "gzip" {
			return true // it was unpacked on its way
		}
		crc := b64(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(s.crc.Sum(nil))))
		for _, line := range resp.Header.Values("X-Goog-Hash") {
			for one := range strings.SplitSeq(line, ",") {
				kind, want, _ := strings.Cut(strings.TrimSpace(one), "=")
				if kind == "md5" && !same(want, b64(md5)) || kind == "crc32c" && !same(want, crc) {
					return false
				}
			}
		}
		return true
	}
	if resp.StatusCode == http.StatusOK {
		return same(resp.Header.Get("Content-MD5"), b64(md5))
	}
	return true
}
