package access_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/access"
)

type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func book(t *testing.T) (*access.Book, *clock, string) {
	c := &clock{time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)}
	path := filepath.Join(t.TempDir(), "sub", "access.json")
	return access.Open(path, c.time), c, path
}

func issue(t *testing.T, b *access.Book, k access.Kind, name string, r access.Role) string {
	t.Helper()
	s, err := b.Issue(k, name, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, access.ErrRefused) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestACodeOpensOneSession(t *testing.T) {
	b, c, path := book(t)
	code := issue(t, b, access.Code, "anna", access.Steer)
	other := access.Open(path, c.time) // a second process
	session, p, err := other.Spend(code)
	if err != nil || p.Name != "anna" || !p.MaySteer() {
		t.Fatalf("%+v %v", p, err)
	}
	_, _, err = b.Spend(code)
	refused(t, err)
	if p, err := b.Check(session, access.Session); err != nil || p.Name != "anna" {
		t.Errorf("%+v %v", p, err)
	}
	for _, wrong := range []string{code, "", session + "x"} {
		_, err := b.Check(wrong, access.Session)
		refused(t, err)
	}
	_, err = b.Check(session, access.Token) // a cookie is no bearer
	refused(t, err)
}

func TestWhatIsOldOpensNothing(t *testing.T) {
	b, c, _ := book(t)
	code, token := issue(t, b, access.Code, "a", access.Look), issue(t, b, access.Token, "script", access.Look)
	session, _, err := b.Spend(issue(t, b, access.Code, "a", access.Look))
	if err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(11 * time.Minute)
	_, _, err = b.Spend(code)
	refused(t, err)
	for range 5 { // used every twenty days it lives on
		c.now = c.now.Add(20 * 24 * time.Hour)
		if _, err := b.Check(session, access.Session); err != nil {
			t.Fatal(err)
		}
	}
	c.now = c.now.Add(31 * 24 * time.Hour)
	_, err = b.Check(session, access.Session)
	refused(t, err)
	p, err := b.Check(token, access.Token)
	if err != nil || p.MaySteer() {
		t.Errorf("%+v %v", p, err)
	}
	if there, err := b.Revoke(p.ID); !there || err != nil {
		t.Errorf("%v %v", there, err)
	}
	_, err = b.Check(token, access.Token)
	refused(t, err)
}

func TestNoSecretIsKept(t *testing.T) {
	b, _, path := book(t)
	token := issue(t, b, access.Token, "script", access.Steer)
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), token) {
		t.Errorf("%v %s", err, data)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	list, err := b.Grants()
	if err != nil || len(list) != 1 || list[0].Hash != "" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	b, c, path := book(t)
	code := issue(t, b, access.Code, "a", access.Look)
	var wg sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for range 8 {
		wg.Go(func() {
			if _, _, err := access.Open(path, c.time).Spend(code); err == nil {
				mu.Lock()
				opened++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if opened != 1 {
		t.Errorf("one code opened %d sessions", opened)
	}
}

func TestADamagedFileIsToldAndLetsNobodyIn(t *testing.T) {
	b, _, path := book(t)
	issue(t, b, access.Token, "a", access.Steer)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Check("x", access.Token); err == nil || errors.Is(err, access.ErrRefused) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

// A file that something damaged is told of or read as far as it makes sense: it never opens anything to a secret that was not given out, and it is
// written again by the next one that is.
func FuzzBook(f *testing.F) {
	f.Add(`{"grants":[{"id":"a","kind":"token","name":"n","role":"steer","hash":"","made":"2026-01-02T03:04:05Z"}]}`, "x")
	f.Add(`{"grants":null}`, "")
	f.Add(`{"grants":[{"kind":"session","hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","until":"9999-01-01T00:00:00Z"}]}`, "")
	f.Add(`[]`, "x")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, file, secret string) {
		b, _, path := book(t)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(file), 0o600)); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(secret))
		for _, kind := range []access.Kind{access.Code, access.Session, access.Token} {
			if p, err := b.Check(secret, kind); err == nil && !strings.Contains(file, hex.EncodeToString(sum[:])) {
				t.Fatalf("%q opens %q as %+v", secret, file, p)
			}
		}
		token, err := b.Issue(access.Token, "robot", access.Look)
		if err != nil {
			if token != "" {
				t.Fatalf("a token with %v", err)
			}
			return // damaged: it is said, and nothing is given out
		}
		if p, err := b.Check(token, access.Token); err != nil || p.MaySteer() || p.Name != "robot" {
			t.Fatalf("%+v, %v", p, err)
		}
	})
}
