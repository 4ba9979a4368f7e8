package media

import (
	"testing"
	"time"
)

// The text to be signed is that of Google's own conformance tests (storage/v1/v4_signatures.json, "Simple GET").
func TestToSign(t *testing.T) {
	at := time.Date(2019, 2, 1, 9, 0, 0, 0, time.UTC)
	query, text := toSign("test-iam-credentials@dummy-project-id.iam.gserviceaccount.com", "/test-bucket/test-object", 10*time.Second, at)
	const wantQuery = "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=test-iam-credentials%40dummy-project-id.iam.gserviceaccount.com%2F20190201%2Fauto" +
		"%2Fstorage%2Fgoog4_request&X-Goog-Date=20190201T090000Z&X-Goog-Expires=10&X-Goog-SignedHeaders=host"
	const wantText = "GOOG4-RSA-SHA256\n20190201T090000Z\n20190201/auto/storage/goog4_request\n00e2fb794ea93d7adb703edaebdd509821fcc7d4f1a79ac5c8d2b394df109320"
	if query != wantQuery || text != wantText {
		t.Errorf("%s\n%s", query, text)
	}
}
