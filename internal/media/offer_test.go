package media_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		address, err := media.Offer(t.Context(), s.Client(), bucket, file)
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
	for name, bucket := range map[string]reel.Address{"another kind": {Scheme: "gs", Host: "reels"}, "no such bucket": {Scheme: "s3", Host: "none"}} {
		if _, err := media.Offer(t.Context(), s.Client(), bucket, file); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
