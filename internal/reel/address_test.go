package reel_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/reel"
)

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestAddressesAreRead(t *testing.T) {
	for text, want := range map[string]reel.Address{
		"https://h.example/v.mp4":                        {Scheme: "https", Host: "h.example", Object: "/v.mp4", URL: "https://h.example/v.mp4"},
		"HTTPS://u:p@h.example:8443/a%20b?x=1":           {Scheme: "https", Host: "h.example:8443", Object: "/a b", URL: "HTTPS://u:p@h.example:8443/a%20b?x=1"},
		"https://h/v.mp4#sha256=" + strings.ToUpper(sum): {Scheme: "https", Host: "h", Object: "/v.mp4", URL: "https://h/v.mp4", SHA256: sum},
		"s3://reels/2026/a%20b #1.mp4":                   {Scheme: "s3", Host: "reels", Object: "2026/a%20b #1.mp4", URL: "s3://reels/2026/a%20b #1.mp4"},
		"gs://my_bucket.example.com/x.mp4#sha256=" + sum: {Scheme: "gs", Host: "my_bucket.example.com", Object: "x.mp4", URL: "gs://my_bucket.example.com/x.mp4", SHA256: sum},
		"file:///v/a%20b.mp4":                            {Scheme: "file", Object: "/v/a b.mp4", URL: "file:///v/a%20b.mp4"},
		"file://localhost/v/1.mp4":                       {Scheme: "file", Host: "localhost", Object: "/v/1.mp4", URL: "file://localhost/v/1.mp4"},
	} {
		if !reel.IsAddress(text) {
			t.Errorf("%q is no address", text)
		}
		got, err := reel.ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func TestAddressesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"http://h/hunter2.mp4":           "cannot be fetched: http:// is not one of https, s3, gs and file",
		"ftp://u:hunter2@h/v.mp4":        "cannot be fetched: ftp:// is not one of https, s3, gs and file",
		"https:///hunter2.mp4":           "names no host after https://",
		"https://u:hunter2/x@h/v.mp4":    "is not a well-formed address",
		"https://h/%zz?token=hunter2":    "is not a well-formed address",
		"https://h/v.mp4#t=hunter2":      "has a fragment: after # only sha256= is understood; write %23 where # belongs to the address",
		"https://h/v.mp4#sha256=hunter2": "does not end in 64 hex digits after #sha256=",
		"https://h/v.mp4?***":            "has *** where a secret was masked: take the address from where it was first written",
		"https://***@h/v.mp4":            "has *** where a secret was masked: take the address from where it was first written",
		"s3:///hunter2.mp4":              "names no bucket after s3://",
		"s3://u:hunter2@b/v.mp4":         "names no bucket after s3://",
		"s3://bucket":                    "names no object after its bucket",
		"gs://bucket/folder/":            "names no object after its bucket",
		"gs://bucket/v?k=hunter2":        "has a question mark: gs:// takes no query",
		"file://host/hunter2.mp4":        "is not like file:///folder/video.mp4",
		"file://hunter2.mp4":             "is not like file:///folder/video.mp4",
		"file:///folder/":                "is not like file:///folder/video.mp4",
	} {
		_, err := reel.ParseAddress(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestPathsAreNoAddresses(t *testing.T) {
	for _, path := range []string{"v.mp4", "/v/1.mp4", `C:\v\1.mp4`, "a:b.mp4", "https:/h/v.mp4", "//h/v.mp4", "://x", "a b://x", ""} {
		if reel.IsAddress(path) {
			t.Errorf("%q is taken for an address", path)
		}
		if got := reel.ShownVideo(path); got != path {
			t.Errorf("%q is shown as %q", path, got)
		}
	}
}

func TestShownVideoHidesUserAndQuery(t *testing.T) {
	for text, want := range map[string]string{
		"https://h/v.mp4": "https://h/v.mp4",
		"https://u:hunter2@h/v.mp4?sig=hunter2&se=1": "https://***@h/v.mp4?***",
		"https://h/v.mp4?k=hunter2#sha256=" + sum:    "https://h/v.mp4?***#sha256=" + sum,
		"s3://bucket/a@b.mp4":                        "s3://bucket/a@b.mp4",
		"ftp://u:hunter2@h/v?hunter2#sha256=hunter2": "ftp://***@h/v?***#sha256=hunter2",
	} {
		if got := reel.ShownVideo(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9%&=_+/:-]{8,20}`).Draw(t, "secret")
		for _, text := range []string{"https://h/v.mp4?" + secret, "https://h/v.mp4?a=b&c=" + secret + "#sha256=" + sum} {
			if got := reel.ShownVideo(text); strings.Contains(got, secret) || got != reel.ShownVideo(got) {
				t.Fatalf("%q is shown as %q", text, got)
			}
		}
	})
}

// However an address is written: what is shown of it is shown the same again, and neither that nor an error holds its user or its query.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"https://u:hunter2@h.example/v.mp4?sig=x#sha256=" + sum, "s3://b/a?b", "gs://b/", "file:///v/1.mp4", "file://h/x", "https://[::1]:80/x", "https://h/%zz", "ftp://hunter2@h/x",
		"https://h/v.mp4#sha256=" + sum + "#sha256=" + sum, "https://h/#a", "://x", "HTTPS://@h?", "https://u@h/x@y?z@w",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := reel.ShownVideo(text)
		if again := reel.ShownVideo(shown); again != shown {
			t.Fatalf("%q is shown as %q, and that as %q", text, shown, again)
		}
		if !reel.IsAddress(text) {
			if shown != text {
				t.Fatalf("the path %q is shown as %q", text, shown)
			}
			return
		}
		a, err := reel.ParseAddress(text)
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 200 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if a.Object == "" && a.Scheme != "https" || a.Host == "" && a.Scheme != "file" || a.SHA256 != "" && len(a.SHA256) != 64 {
			t.Fatalf("%q is read as %+v", text, a)
		}
		if u, err := url.Parse(a.URL); err == nil && a.Scheme == "https" {
			if secret := u.User.String(); len(secret) > 3 && !strings.HasPrefix(secret, "***") && strings.Contains(shown, secret+"@") {
				t.Fatalf("%q is shown as %q", text, shown)
			}
			if len(u.RawQuery) > 3 && strings.Contains(shown, "?"+u.RawQuery) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
		}
	})
}
