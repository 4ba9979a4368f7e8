package media_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/media"
	"reelpass/internal/reel"
)

// A video is laid into the bucket once, and can be fetched by anybody who has the address.
func TestOffer(t *testing.T) {
	s := newS3(t)
	file := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(file, []byte("a video"), 0o600); err != nil {
		t.Fatal(err)
	}
	bucket := reel.Address{Scheme: "s3", Host: "reels", Object: "offered"}
	for range 2 {
		address, err := media.Offer(t.Context(), s.Client(), bucket, file, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(address, "/reels/offered/") || !strings.Contains(address, "X-Amz-Signature=") {
			t.Error(address)
		}
		r, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if string(data) != "a video" {
			t.Errorf("%d %q", r.StatusCode, data)
		}
	}
	puts := 0
	for _, r := range s.asked {
		if r.Method == http.MethodPut {
			puts++
		}
	}
	if puts != 1 {
		t.Errorf("laid there %d times", puts)
	}
	for name, bucket := range map[string]reel.Address{"another kind": {Scheme: "azblob", Host: "reels"}, "no such bucket": {Scheme: "s3", Host: "none"}} {
		if _, err := media.Offer(t.Context(), s.Client(), bucket, file, time.Now); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same in Google's cloud. Its signature is held against the public key.
func TestOfferGoogle(t *testing.T) {
	g := newGoogle(t)
	file := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(file, []byte("a video"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: g}
	bucket := reel.Address{Scheme: "gs", Host: "reels", Object: "offered"}
	for range 2 {
		address, err := media.Offer(t.Context(), client, bucket, file, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(address, "https://storage.googleapis.com/reels/offered/") || strings.Contains(address, "hunter2") {
			t.Error(address)
		}
		for _, c := range []struct {
			address string
			status  int
		}{{address, 200}, {strings.Replace(address, "X-Goog-Expires=86400", "X-Goog-Expires=86401", 1), 403}} {
			r, err := client.Get(c.address)
			if err != nil {
				t.Fatal(err)
			}
			data, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if r.StatusCode != c.status || c.status == 200 && string(data) != "a video" {
				t.Errorf("%d %q", r.StatusCode, data)
			}
		}
	}
	if g.puts != 1 {
		t.Errorf("laid there %d times", g.puts)
	}
	g.deny = true
	if _, err := media.Offer(t.Context(), client, bucket, file, time.Now); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "no Google credentials") {
		t.Error(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	if _, err := media.Offer(t.Context(), client, bucket, file, time.Now); err == nil || !strings.Contains(err.Error(), "key of a service account") {
		t.Error(err)
	}
}
