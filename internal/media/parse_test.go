package media

import (
	"fmt"
	"strings"
	"testing"
)

// A range that a server claims to send is the one that its own words make, or none.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 5-9/10", "bytes 0-0/1", "bytes */10", "bytes 5-9/*", "bytes -5-9/10", "5-9/10", "bytes 9-5/6", "bytes 5-9/10/11", "items 5-9/10", "bytes 0-9223372036854775807/9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, total, ok := contentRange(text)
		if !ok {
			return
		}
		if first < 0 || first >= total {
			t.Fatalf("%q: from %d of %d", text, first, total)
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", first, total-1, total); text != want && strings.Trim(text, "bytes 0123456789-+/") != "" {
			t.Fatalf("%q is read as %q", text, want)
		}
	})
}
