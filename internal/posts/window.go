package posts

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// maxValue bounds one job of a scheduler_state.json. json.Decoder itself has no limit.
const maxValue = 1 << 20

var errTooLong = errors.New("one value is longer than 1 MiB")

// window stands between a json.Decoder and its file. It keeps what the decoder has read but not yet turned into values, so
// that a fault can be named by line and column, and so that one value cannot take all memory.
type window struct {
	src  io.Reader
	kept []byte // what begins at offset base
	base int64
	line int   // lines that ended before base
	bol  int64 // offset at which the line of base begins
}

// Read implements io.Reader. It never fills more than it may keep.
func (w *window) Read(p []byte) (int, error) {
	if len(w.kept) > maxValue {
		return 0, errTooLong
	}
	if len(p) > readSize {
		p = p[:readSize]
	}
	n, err := w.src.Read(p)
	w.kept = append(w.kept, p[:n]...)
	return n, err
}

// forget lets go of everything before offset, which must lie between two values. false means that it was not UTF-8.
func (w *window) forget(offset int64) bool {
	n := w.within(offset)
	gone := w.kept[:n]
	sound := utf8.Valid(gone)
	if sound {
		w.line += bytes.Count(gone, []byte("\n"))
		if i := bytes.LastIndexByte(gone, '\n'); i >= 0 {
			w.bol = w.base + int64(i) + 1
		}
		w.kept = append(w.kept[:0], w.kept[n:]...)
		w.base = offset
	}
	return sound
}

// since is what is kept from offset on.
func (w *window) since(offset int64) []byte { return w.kept[w.within(offset):] }

func (w *window) within(offset int64) int {
	return int(min(max(offset-w.base, 0), int64(len(w.kept))))
}

// place is the 1-based line and column (in bytes) of an offset that is still kept.
func (w *window) place(offset int64) (line, column int) {
	before := w.kept[:w.within(offset)]
	bol := w.bol
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		bol = w.base + int64(i) + 1
	}
	return w.line + bytes.Count(before, []byte("\n")) + 1, int(w.base+int64(len(before))-bol) + 1
}

// badText is the offset of the first byte from base on that is not UTF-8.
func (w *window) badText() int64 { return w.base + int64(badByte(w.kept)) }

// solid is the first offset from offset on that is neither white space nor a comma: where the next value begins.
func (w *window) solid(offset int64) int64 {
	rest := w.since(offset)
	return offset + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n,:")))
}
