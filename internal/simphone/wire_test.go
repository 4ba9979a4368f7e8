package simphone

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"reelpass/internal/phone"
)

// What comes over the wire is either a message or refused, and a message is written as it was read.
func FuzzReadMessage(f *testing.F) {
	f.Add(message{cmdConnect, version, maxData, []byte(banner)}.encode())
	f.Add(message{cmdOpen, 7, 0, []byte("shell:id\x00")}.encode())
	f.Add([]byte("CNXN"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readMessage(bytes.NewReader(data))
		switch {
		case err == nil:
			again, err := readMessage(bytes.NewReader(m.encode()))
			if err != nil || again.command != m.command || !bytes.Equal(again.data, m.data) {
				t.Errorf("%+v became %+v: %v", m, again, err)
			}
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errProtocol):
		default:
			t.Error(err)
		}
	})
}

// Whatever an app writes on its screen, the driver's XML can be read again.
func FuzzSource(f *testing.F) {
	f.Add("a < b & \"c\" 'd'\n\t👋", "\x00\x1f\ufffe")
	f.Fuzz(func(t *testing.T, text, desc string) {
		in := phone.Screen{Nodes: []phone.Node{{ID: "a:id/b", Class: "android.view.View", Package: "a", Text: text, Desc: desc, Bounds: phone.Rect{X2: 1, Y2: 2}}}}
		out, err := phone.Parse(strings.NewReader(source(in)))
		if err != nil || len(out.Nodes) != 1 {
			t.Fatalf("%q: %v", source(in), err)
		}
		if clean(text) == text && out.Nodes[0].Text != text {
			t.Errorf("%q became %q", text, out.Nodes[0].Text)
		}
	})
}

// clean is a text without what XML cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffd || r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}

func TestPicture(t *testing.T) {
	p := Draw(phone.Screen{Nodes: []phone.Node{{Text: strings.Repeat("long words ", 50), Bounds: phone.Rect{X1: 5, Y1: 5, X2: 200, Y2: 60}}, {Desc: "tiny", Bounds: phone.Rect{X2: 1, Y2: 1}}}})
	if !bytes.HasPrefix(p, []byte("\x89PNG")) || len(p) < 300 {
		t.Errorf("%d bytes", len(p))
	}
}
