package simphone

import (
	"encoding/binary"
	"io"
	"strings"
)

// serverPort is where the UiAutomator2 server listens on a phone, as the driver opens it.
const serverPort = "tcp:6790"

// service finds what serves an opened stream; nil where the phone refuses.
func (p *Phone) service(name string) func(*stream) {
	switch {
	case name == serverPort:
		return p.attach()
	case name == "sync:":
		return p.sync
	case strings.HasPrefix(name, "exec:"):
		return func(s *stream) {
			p.shell(strings.TrimPrefix(name, "exec:"), s, s, s)
		}
	case strings.HasPrefix(name, "shell"):
		options, command, _ := strings.Cut(name, ":")
		if !strings.Contains(options, ",v2") {
			return func(s *stream) { p.shell(command, s, s, s) }
		}
		return func(s *stream) {
			out, errs := framed{s, 1}, framed{s, 2}
			code := p.shell(command, s, out, errs)
			_, _ = framed{s, 3}.Write([]byte{byte(code)})
		}
	}
	return nil
}

// framed writes in the frames of shell protocol 2: which stream, how many bytes, the bytes.
type framed struct {
	to io.Writer
	id byte
}

func (f framed) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b := make([]byte, 5, 5+len(p))
	b[0] = f.id
	binary.LittleEndian.PutUint32(b[1:], uint32(len(p)))
	if _, err := f.to.Write(append(b, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
