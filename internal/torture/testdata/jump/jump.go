// Package jump is a wall clock that somebody sets while a program runs. The torture lays it under the program when it builds
// it: each time.Now and time.Since becomes one of these. The monotonic clock goes on as it does when a real clock is set.
package jump

import (
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Now is time.Now with its wall clock set by as many seconds as stand in the file that TORTURE_CLOCK names.
func Now() time.Time {
	t := time.Now()
	text, err := os.ReadFile(os.Getenv("TORTURE_CLOCK"))
	if err != nil {
		return t
	}
	seconds, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	// The wall clock's seconds stand above 30 bits of nanoseconds in the first word, where there is a monotonic reading, as
	// time.Now always gives. The room's test holds this.
	*(*uint64)(unsafe.Pointer(&t)) += uint64(seconds) << 30
	return t
}

// Since is time.Since by that clock.
func Since(t time.Time) time.Duration { return Now().Sub(t) }
