package config

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize" // sizes as people write them
)

// Size is a number of bytes as people write it in settings and flags: 10GB, 500 MiB, 1000000. It is also a flag's value.
type Size int64

// Bytes is the size as a number.
func (s Size) Bytes() int64 { return int64(s) }

// String writes it so that Set reads the same.
func (s Size) String() string {
	n, unit := int64(s), ""
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if n == 0 || n%1000 != 0 {
			break
		}
		n, unit = n/1000, u
	}
	return fmt.Sprintf("%d%s", n, unit)
}

// Set reads it as a flag does.
func (s *Size) Set(text string) error {
	n, err := humanize.ParseBytes(strings.TrimSpace(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("want a size like 10GB, not %q", text)
	}
	*s = Size(n)
	return nil
}

// Type is the word that help prints for the value.
func (s *Size) Type() string { return "size" }
