package media_test

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3" // an S3 server in this process
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// s3 is a store that speaks S3, with what it was asked.
type s3 struct {
	*httptest.Server
	backend *s3mem.Backend
	mu      sync.Mutex
	asked   []*http.Request
	before  http.HandlerFunc // answers instead, where it writes anything
}

func newS3(t *testing.T) *s3 {
	t.Helper()
	s := &s3{backend: s3mem.New()}
	fake := gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		before := s.before
		s.mu.Unlock()
		if before != nil {
			rec := httptest.NewRecorder()
			before(rec, r)
			if rec.Code != http.StatusTeapot {
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes())
				return
			}
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	if err := s.backend.CreateBucket("reels"); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2",
		"AWS_SESSION_TOKEN": "hunter2-session", "AWS_EC2_METADATA_DISABLED": "true", "HOME": home, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "none"),
	} {
		t.Setenv(name, value)
	}
	return s
}

func (s *s3) put(t *testing.T, key string, data []byte) {
	t.Helper()
	if _, err := s.backend.PutObject("reels", key, nil, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		t.Fatal(err)
	}
}

func (s *s3) answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = h
}

func TestS3(t *testing.T) {
	s := newS3(t)
	r := newRoom(t, nil)
	video := random(400_000)
	const key = "2026/ä b%20c+d.mp4"
	s.put(t, key, video)
	r.fetch("s3://reels/"+key, video).Release()
	signed := s.asked[0].Header
	if got := signed.Get("Authorization"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(got, "/eu-west-1/s3/aws4_request") {
		t.Errorf("authorization %q", got)
	}
	if signed.Get("X-Amz-Security-Token") != "hunter2-session" {
		t.Error("the session's token is missing")
	}
	r.now = r.now.Add(time.Hour)
	s.asked = nil
	r.fetch("s3://reels/"+key, video).Release()
	if h := s.asked[0].Header; len(s.asked) != 1 || h.Get("If-None-Match") == "" || !strings.Contains(h.Get("Authorization"), "if-none-match") {
		t.Errorf("%d requests, %v", len(s.asked), h)
	}
	r.lacks("s3://reels/none.mp4", "fetch:404", "s3://reels/none.mp4: 404 Not Found: NoSuchKey")
	r.lacks("s3://other/v.mp4", "fetch:404", "NoSuchBucket")
}

func TestS3PartsAreSigned(t *testing.T) {
	s := newS3(t)
	r := newRoom(t, nil)
	video := random(1000)
	s.put(t, "v.mp4", video)
	sum := md5.Sum(video)
	s.answer(func(w http.ResponseWriter, _ *http.Request) { // a connection that ends early
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sum))
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(video[:400])
	})
	r.lacks("s3://reels/v.mp4", "fetch:network")
	s.answer(nil)
	s.asked = nil
	r.fetch("s3://reels/v.mp4", video).Release()
	if h := s.asked[0].Header; h.Get("Range") != "bytes=400-" || !strings.Contains(h.Get("Authorization"), ";range;") {
		t.Errorf("%v", h)
	}
}

func TestS3Refusals(t *testing.T) {
	s := newS3(t)
	video := random(1000)
	s.put(t, "v.mp4", video)
	refuse := func(code int, name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>said why</Message><StringToSign>hunter2</StringToSign></Error>", name)
		}
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/ap-south-1/") {
			w.WriteHeader(http.StatusTeapot) // the right one: on to the store
			return
		}
		w.Header().Set("X-Amz-Bucket-Region", "ap-south-1")
		w.WriteHeader(http.StatusMovedPermanently)
	}
	wrongSum := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		_, _ = w.Write(video)
	}
	ownKey := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Server-Side-Encryption", "aws:kms")
		wrongSum(w, r)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string // empty: it is fetched
		text   string
	}{
		"keys":         {refuse(403, "InvalidAccessKeyId"), "fetch:denied", "403 Forbidden: InvalidAccessKeyId said why"},
		"clock":        {refuse(403, "RequestTimeTooSkewed"), "fetch:denied", "RequestTimeTooSkewed"},
		"bad request":  {refuse(400, "ExpiredToken"), "fetch:denied", "ExpiredToken"},
		"slow down":    {refuse(503, "SlowDown"), "503", "SlowDown"},
		"other region": {elsewhere, "", ""},
		"in pieces": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef-3"`)
			_, _ = w.Write(video)
		}, "", ""},
		"a wrong sum":   {wrongSum, "fetch:damaged", "checksum"},
		"a key of ours": {ownKey, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.answer(c.answer)
			r := newRoom(t, nil)
			if c.code == "" {
				r.fetch("s3://reels/v.mp4", video).Release()
				return
			}
			r.lacks("s3://reels/v.mp4", c.code, c.text)
		})
	}
	s.answer(nil)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	s.asked = nil
	r := newRoom(t, nil)
	r.fetch("s3://reels/v.mp4", video).Release()
	if s.asked[0].Header.Get("Authorization") != "" {
		t.Error("signed with nothing")
	}
}

// google plays the storage and the token server of Google's cloud.
type google struct {
	*httptest.Server
	objects map[string][]byte
	key     *rsa.PrivateKey
	puts    int
	tokens  int
	deny    bool
	sums    string // in place of the right ones
	paths   []string
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	g := &google{objects: map[string][]byte{}}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	t.Setenv("HOME", t.TempDir())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g.key = key
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "reels@example.iam.gserviceaccount.com", "private_key_id": "1", "private_key": string(text),
		"token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	return g
}

// RoundTrip brings what is meant for Google's hosts here.
func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	here, err := url.Parse(g.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Host, r.URL.Host = r.URL.Host, here.Host
	return (&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}).RoundTrip(r)
}

func (g *google) serve(w http.ResponseWriter, r *http.Request) {
	g.paths = append(g.paths, r.Host+r.URL.EscapedPath())
	switch r.Host {
	case "oauth2.googleapis.com":
		if g.deny {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_grant","error_description":"hunter2"}`)
			return
		}
		g.tokens++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"hunter2","token_type":"Bearer","expires_in":3600}`)
	case "storage.googleapis.com":
		if got := r.Header.Get("Authorization"); got != "Bearer hunter2" && !g.signed(r) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message></Error>`)
			return
		}
		if r.Method == http.MethodPut {
			g.puts++
			g.objects[strings.TrimPrefix(r.URL.Path, "/")], _ = io.ReadAll(r.Body)
			return
		}
		data, ok := g.objects[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
			return
		}
		sum := md5.Sum(data)
		crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		w.Header().Set("X-Goog-Hash", "crc32c="+base64.StdEncoding.EncodeToString(crc)+",md5="+base64.StdEncoding.EncodeToString(sum[:]))
		if g.sums != "" {
			w.Header().Set("X-Goog-Hash", g.sums)
		}
		whole(w, r, data, fmt.Sprintf(`"%x"`, sum))
	default:
		w.WriteHeader(http.StatusBadGateway)
	}
}

// signed checks an address's signature, as Google describes it.
func (g *google) signed(r *http.Request) bool {
	query, hexed, ok := strings.Cut(r.URL.RawQuery, "&X-Goog-Signature=")
	signature, err := hex.DecodeString(hexed)
	q := r.URL.Query()
	_, scope, _ := strings.Cut(q.Get("X-Goog-Credential"), "/")
	if !ok || err != nil || r.Method != http.MethodGet || q.Get("X-Goog-SignedHeaders") != "host" {
		return false
	}
	canonical := sha256.Sum256(fmt.Appendf(nil, "GET\n%s\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD", r.URL.EscapedPath(), query, r.Host))
	text := sha256.Sum256(fmt.Appendf(nil, "GOOG4-RSA-SHA256\n%s\n%s\n%x", q.Get("X-Goog-Date"), scope, canonical))
	return rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, text[:], signature) == nil
}

func TestGoogle(t *testing.T) {
	g := newGoogle(t)
	r := newRoom(t, nil)
	r.cfg.Transport = g
	r.restart()
	video := random(100_000)
	g.objects["reels/2026/ä b%20c?.mp4"] = video
	g.objects["reels/2026/ä b%20c.mp4"] = video
	r.fetch("gs://reels/2026/ä b%20c.mp4", video).Release()
	if want := "storage.googleapis.com/reels/2026/%C3%A4%20b%2520c.mp4"; g.paths[1] != want {
		t.Errorf("asked for %s, want %s", g.paths[1], want)
	}
	r.now = r.now.Add(time.Hour)
	r.fetch("gs://reels/2026/ä b%20c.mp4", video).Release()
	r.lacks("gs://reels/none.mp4", "fetch:404", "NoSuchKey")
	if g.tokens != 1 {
		t.Errorf("%d tokens were fetched", g.tokens)
	}
	for _, sums := range []string{"md5=AAAA", "crc32c=AAAA==", "crc32c=AAAA==,md5=AAAA"} {
		g.sums = sums
		other := newRoom(t, nil)
		other.cfg.Transport = g
		other.restart()
		other.lacks("gs://reels/2026/ä b%20c.mp4", "fetch:damaged", "checksum")
	}
}

func TestGoogleCredentials(t *testing.T) {
	g := newGoogle(t)
	g.deny = true
	r := newRoom(t, nil)
	r.cfg.Transport = g
	r.restart()
	r.lacks("gs://reels/v.mp4", "fetch:denied", "no Google credentials: 401 Unauthorized")
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", bad)
	r.restart()
	r.lacks("gs://reels/v.mp4", "fetch:denied", "no Google credentials")
}
