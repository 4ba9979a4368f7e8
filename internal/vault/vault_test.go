package vault_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/vault"
)

const token = "IGAAsecret-hunter2"

func file(t *testing.T) *vault.File {
	t.Helper()
	dir := t.TempDir()
	return &vault.File{Path: filepath.Join(dir, "accounts.age"), Key: filepath.Join(dir, "keys", "accounts.key")}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is put in comes out, for whoever has the key; the file itself says nothing, and neither do errors.
func TestTheFile(t *testing.T) {
	f := file(t)
	if all, err := f.Entries(); err != nil || all != nil {
		t.Fatal(all, err)
	}
	e := vault.Entry{Name: "mira", ID: "17", Login: "instagram", Token: token, Expires: time.Unix(2_000_000_000, 0).UTC()}
	must(t, f.Put(vault.Entry{Name: "odo", Token: "x"}))
	must(t, f.Put(e))
	e.ID = "18"
	must(t, f.Put(e))
	e.From = f.Path
	all, err := f.Entries()
	if err != nil || len(all) != 2 || all[0] != e {
		t.Fatalf("%+v, %v", all, err)
	}
	data, _ := os.ReadFile(f.Path)
	if bytes.Contains(data, []byte("hunter2")) || bytes.Contains(data, []byte("mira")) {
		t.Error("the file can be read")
	}
	for _, path := range []string{f.Path, f.Key} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	other := &vault.File{Path: f.Path, Key: filepath.Join(t.TempDir(), "key")}
	if _, err := other.Entries(); err == nil {
		t.Error("opened without the key")
	}
	key, _ := os.ReadFile(f.Key)
	byText := &vault.File{Path: f.Path, KeyText: string(key)}
	if all, err := byText.Entries(); err != nil || len(all) != 2 {
		t.Error(all, err)
	}
	bad := &vault.File{Path: f.Path, KeyText: "AGE-SECRET-KEY-1HUNTER2"}
	if _, err := bad.Entries(); err == nil || strings.Contains(err.Error(), "HUNTER2") {
		t.Error(err)
	}
	if there, err := f.Remove("odo"); !there || err != nil {
		t.Error(there, err)
	}
	if there, err := f.Remove("odo"); there || err != nil {
		t.Error(there, err)
	}
	must(t, os.WriteFile(f.Path, data[:len(data)/2], 0o600))
	if _, err := f.Entries(); err == nil {
		t.Error("half a file is read")
	}
	if err := f.Put(e); err == nil {
		t.Error("a damaged file is written over")
	}
}

// Many who change it at once lose nothing.
func TestChangesAtOnce(t *testing.T) {
	f := file(t)
	must(t, f.Put(vault.Entry{Name: "first"}))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			one := &vault.File{Path: f.Path, Key: f.Key} // as another process has it
			if err := one.Put(vault.Entry{Name: string(rune('a' + i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := f.Entries(); err != nil || len(all) != 9 {
		t.Error(len(all), err)
	}
}

func TestWhereTokensComeFrom(t *testing.T) {
	f := file(t)
	must(t, f.Put(vault.Entry{Name: "mira.one", Token: "from file"}))
	must(t, f.Put(vault.Entry{Name: "odo", Token: "from file"}))
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "instagram-odo"), []byte("EAfrom systemd\n"), 0o600))
	k := &vault.Keeper{File: f, Credentials: dir, Clock: time.Now, Env: func(name string) string {
		if name == "INSTAGRAM_TOKEN_LINA_2" {
			return "IGfrom env"
		}
		return ""
	}}
	for name, want := range map[string]string{"mira.one": "from file", "odo": "EAfrom systemd", "lina.2": "IGfrom env"} {
		if e, err := k.Entry(t.Context(), name); err != nil || e.Token != want || e.From == "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if e, _ := k.Entry(t.Context(), "odo"); e.Login != "facebook" {
		t.Errorf("%+v", e)
	}
	_, err := k.Entry(t.Context(), "nobody")
	var none *vault.NoTokenError
	if !errors.As(err, &none) || none.Evidence("x").Code != "graph_no_token" {
		t.Error(err)
	}
}

// A token is renewed in its last days, once, and written before it is used. One that has lapsed is not.
func TestTokensAreRenewedInTime(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		login           string
		issued, expires time.Duration // from now
		fails           error
		renewed, over   bool
	}{
		"fresh":             {"instagram", -2 * day, 58 * day, nil, false, false},
		"about to lapse":    {"instagram", -55 * day, 5 * day, nil, true, false},
		"renewal fails":     {"instagram", -55 * day, 5 * day, errors.New("HTTP 503"), false, false},
		"given an hour ago": {"instagram", -time.Hour, 1 * day, nil, false, false},
		"of Facebook Login": {"facebook", -55 * day, 5 * day, nil, false, false},
		"lapsed":            {"instagram", -61 * day, -time.Hour, nil, false, true},
	} {
		f := file(t)
		must(t, f.Put(vault.Entry{Name: "mira", Login: c.login, Token: token, Issued: now.Add(c.issued), Expires: now.Add(c.expires)}))
		asked := 0
		var told error
		k := &vault.Keeper{
			File: f, Clock: func() time.Time { return now }, Told: func(_ string, err error) { told = err },
			Renew: func(_ context.Context, e vault.Entry) (string, time.Duration, error) {
				asked++
				return e.Token + "-new", 60 * day, c.fails
			},
		}
		for range 3 {
			e, err := k.Entry(t.Context(), "mira")
			if (err != nil) != c.over || !c.over && (e.Token == token+"-new") != c.renewed {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
		}
		if (told != nil) != (c.fails != nil) || asked > 1 || (asked == 1) != (c.renewed || c.fails != nil) {
			t.Errorf("%s: asked %d times, told %v", name, asked, told)
		}
		all, err := f.Entries()
		if err != nil || (all[0].Token == token+"-new") != c.renewed || c.renewed && !all[0].Expires.Equal(now.Add(60*day)) {
			t.Errorf("%s: in the file %+v, %v", name, all, err)
		}
	}
}
