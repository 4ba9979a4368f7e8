package geelark_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reelpass/internal/geelark"
	"reelpass/internal/reel"
)

// code is what a failure is called by whoever judges it.
func code(err error) string {
	var f *geelark.Failure
	var g *geelark.Finding
	switch {
	case errors.As(err, &f):
		return f.Evidence("x").Code
	case errors.As(err, &g):
		return g.Evidence("x").Code
	case err != nil:
		return err.Error()
	}
	return ""
}

func TestThePhoneOfAnAccount(t *testing.T) {
	v := newVendor(t)
	mine := v.add("mira.weaves", 2)
	v.add("mira.weaves.two", 0)
	v.add("lina", 2)
	v.add("lina", 2)
	c := v.client(t)
	p, err := c.Find(t.Context(), "mira.weaves")
	if err != nil || p != (geelark.Phone{ID: mine.id, Name: "mira.weaves", State: geelark.Off}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Find(t.Context(), "mira"); code(err) != geelark.CodeNotInGeeLark {
		t.Errorf("a beginning of a name: %v", err)
	}
	if _, err := c.Find(t.Context(), "lina"); code(err) != geelark.CodeTwoOfAName {
		t.Errorf("two of a name: %v", err)
	}
	for i := range 230 {
		v.add(fmt.Sprintf("many-%03d", i), 2)
	}
	last := v.add("many", 2)
	if p, err := c.Find(t.Context(), "many"); err != nil || p.ID != last.id {
		t.Errorf("on the third page: %+v, %v", p, err)
	}
}

func TestAPhoneIsStartedReachedAndStopped(t *testing.T) {
	v := newVendor(t)
	p := v.add("mira", 2)
	for name, c := range map[string]*geelark.Client{
		"token": v.client(t),
		"key":   v.client(t, func(c *geelark.Config) { c.Token, c.AppID, c.APIKey = "", appID, apiKey }),
	} {
		if err := c.Check(t.Context()); err != nil {
			t.Fatal(name, err)
		}
		if err := c.Start(t.Context(), p.id); err != nil {
			t.Fatal(name, err)
		}
		v.calls = nil
		a, err := c.OpenADB(t.Context(), p.id)
		if err != nil || a.Address != "10.0.0.7:21005" || a.Password != adbPwd {
			t.Fatal(name, a.Address, err)
		}
		if v.calls[0] != "/adb/setStatus" || v.calls[1] != "/adb/setStatus" {
			t.Errorf("%s: it is closed before it is opened: %v", name, v.calls)
		}
		if err := c.Start(t.Context(), p.id); code(err) != geelark.CodeInUse {
			t.Errorf("%s: one that runs: %v", name, err)
		}
		if err := c.Stop(t.Context(), p.id); err != nil || p.state != 2 {
			t.Errorf("%s: %v, state %d", name, err, p.state)
		}
		if err := c.Stop(t.Context(), p.id); err != nil {
			t.Errorf("%s: one that is off: %v", name, err)
		}
	}
	if err := v.client(t).Stop(t.Context(), "52842910000000099"); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

func TestAFileIsUploaded(t *testing.T) {
	v := newVendor(t)
	p := v.add("mira", 0)
	p.files = []string{"old.mp4", "a note.txt"}
	video := filepath.Join(t.TempDir(), "My Video.MP4")
	if err := os.WriteFile(video, []byte("the bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := v.client(t)
	name, err := c.Upload(t.Context(), p.id, video)
	if err != nil || name != "a1.mp4" {
		t.Fatal(name, err)
	}
	if got := string(v.stored["/oss/a1"]); got != "the bytes" {
		t.Errorf("stored %q", got)
	}
	if _, err := c.Upload(t.Context(), p.id, "x.mov"); code(err) != geelark.CodeFileType {
		t.Errorf("a type that the vendor does not take: %v", err)
	}
	if _, err := c.Upload(t.Context(), p.id, filepath.Join(t.TempDir(), "none.mp4")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Each refusal keeps its code, and says whether it concerns one phone or all.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(*vendor)
		act     func(*geelark.Client, string) error
		code    string
		all     bool
		waits   string
	}{
		{"a wrong token", nil, nil, "geelark:40003", true, ""},
		{"no money", codes("/phone/start", 41001), nil, "geelark:41001", true, ""},
		{"too many calls in a minute", codes("/phone/status", 40007), nil, "geelark:40007", false, "1m0s"},
		{"too many calls in an hour", codes("/phone/status", 40014), nil, "geelark:40014", false, "2h0m0s"},
		{"the same, as another page has it", codes("/phone/status", 47002), nil, "geelark:47002", false, "2h0m0s"},
		{"no room for one phone", outside("/phone/start", "47002"), nil, "geelark:47002", false, ""},
		{"expired", outside("/phone/start", "43004"), nil, "geelark:43004", false, ""},
		{"used by another", outside("/phone/start", "43007"), nil, "geelark:43007", false, ""},
		{"gone", outside("/phone/status", "42001"), nil, "geelark:42001", false, ""},
		{"all of a batch failed", codes("/phone/status", 40009), nil, "geelark:40009", false, ""},
		{"a server that fails", codes("/phone/status", 50000), nil, "geelark:50000", false, ""},
		{"no JSON", raw("/phone/status", "<html>502 Bad Gateway"), nil, "200", false, ""},
		{"nothing about the phone", raw("/phone/status", `{"code":0,"data":{}}`), nil, "", false, ""},
		{"another form", raw("/phone/status", `{"code":0,"data":[1]}`), nil, "", false, ""},
		{"a code as text", raw("/phone/status", `{"code":"40015","msg":"no"}`), nil, "geelark:40015", true, ""},
		{"never up", func(v *vendor) {
			v.raw["/phone/start"] = `{"code":0,"data":{"successDetails":[{"id":"` + v.first() + `"}]}}`
		}, nil, geelark.CodeStartTimeout, false, ""},
		{
			"ADB that never opens", func(v *vendor) { v.raw["/adb/setStatus"] = `{"code":0}`; v.phones[v.first()].state = 0 },
			func(c *geelark.Client, id string) error { _, err := c.OpenADB(t.Context(), id); return err }, geelark.CodeADBTimeout, false, "",
		},
		{
			"ADB that fails once", func(v *vendor) { v.codes["/adb/setStatus"] = []int{50000, 50000}; v.phones[v.first()].state = 0 },
			func(c *geelark.Client, id string) error { _, err := c.OpenADB(t.Context(), id); return err }, "", false, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVendor(t)
			p := v.add("mira", 2)
			client := v.client(t)
			if c.arrange != nil {
				c.arrange(v)
			} else {
				client = v.client(t, func(c *geelark.Config) { c.Token = "tok-wrong-SECRET" })
			}
			act := c.act
			if act == nil {
				act = func(c *geelark.Client, id string) error { return c.Start(t.Context(), id) }
			}
			err := act(client, p.id)
			if got := code(err); got != c.code {
				t.Fatalf("code %q, want %q: %v", got, c.code, err)
			}
			var f *geelark.Failure
			if errors.As(err, &f) {
				e := f.Evidence("start phone")
				waits := c.waits
				if c.all {
					waits = "24h0m0s"
				}
				if e.RetryAfter != waits || (e.Holds == reel.HoldsPublisher) != (waits != "") || e.Step != "start phone" {
					t.Errorf("evidence %+v", e)
				}
			}
			silent(t, fmt.Sprintf("%v %+v %#v %+v", err, err, err, client))
		})
	}
}

func codes(path string, list ...int) func(*vendor) {
	return func(v *vendor) { v.codes[path] = list }
}

func outside(path, code string) func(*vendor) {
	return func(v *vendor) { v.outside[path] = code }
}

func raw(path, answer string) func(*vendor) { return func(v *vendor) { v.raw[path] = answer } }

func (v *vendor) first() string {
	for id := range v.phones {
		return id
	}
	return ""
}

// silent fails where a secret is in a text.
func silent(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "SECRET") {
		t.Errorf("a secret is in %s", text)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	v := newVendor(t)
	p := v.add("mira", 0)
	c := v.client(t)
	a, err := c.OpenADB(t.Context(), p.id)
	if err != nil {
		t.Fatal(err)
	}
	silent(t, fmt.Sprintf("%v %+v %#v %s", a, a, a, a))
	silent(t, fmt.Sprintf("%v %+v %#v", c, c, c))
	v.Close()
	err = c.Check(t.Context())
	if code(err) != "" || err == nil {
		t.Errorf("a vendor that is not there: %v", err)
	}
	silent(t, fmt.Sprintf("%v %#v", err, err))
	video := filepath.Join(t.TempDir(), "v.mp4")
	_ = os.WriteFile(video, []byte("x"), 0o600)
	_, err = c.Upload(t.Context(), p.id, video)
	silent(t, fmt.Sprint(err))
}

func TestWhatNewRefuses(t *testing.T) {
	good := geelark.Config{Token: token, Limit: free{}}
	for name, change := range map[string]func(*geelark.Config){
		"plain http elsewhere": func(c *geelark.Config) { c.Base = "http://example.com" },
		"no address":           func(c *geelark.Config) { c.Base = "openapi" },
		"a user in it":         func(c *geelark.Config) { c.Base = "https://u:p@example.com" },
		"no credential":        func(c *geelark.Config) { c.Token = "" },
		"half a key":           func(c *geelark.Config) { c.Token, c.AppID = "", appID },
		"two credentials":      func(c *geelark.Config) { c.AppID, c.APIKey = appID, apiKey },
	} {
		cfg := good
		change(&cfg)
		_, err := geelark.New(cfg)
		if err == nil {
			t.Errorf("%s is taken", name)
		}
		silent(t, fmt.Sprint(err))
	}
	for _, base := range []string{"", "https://example.com/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"} {
		cfg := good
		cfg.Base = base
		if _, err := geelark.New(cfg); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// The order of calls is told so that a test of the limit can be read: each call asks for leave first.
func TestEachCallAsksForLeave(t *testing.T) {
	v := newVendor(t)
	p := v.add("mira", 2)
	l := &counting{}
	c := v.client(t, func(c *geelark.Config) { c.Limit = l })
	v.codes["/phone/status"] = []int{0, 40007}
	err := c.Start(t.Context(), p.id)
	if l.taken != len(v.calls) || !slices.Equal(l.closed, []string{"1m0s"}) {
		t.Errorf("%d leaves for %d calls, closed %v: %v", l.taken, len(v.calls), l.closed, err)
	}
}
