package simphone

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one opened service of a connection. It is a net.Conn whose deadlines work only where they have passed: that is how an
// HTTP server ends a read.
type stream struct {
	conn          *conn
	local, remote uint32
	service       string
	ready         chan struct{} // holds one token when the other side takes a message
	over          chan struct{} // closed when the stream has ended
	once          sync.Once

	mu   sync.Mutex
	cond *sync.Cond
	in   [][]byte
	late bool // the read deadline has passed
	done bool
}

func newStream(c *conn, local, remote uint32, service string) *stream {
	s := &stream{conn: c, local: local, remote: remote, service: service, ready: make(chan struct{}, 1), over: make(chan struct{})}
	s.cond = sync.NewCond(&s.mu)
	s.ready <- struct{}{}
	return s
}

// push takes what the other side wrote.
func (s *stream) push(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = append(s.in, data)
	s.cond.Signal()
}

// accepted says that the other side took the last message.
func (s *stream) accepted() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// end is the stream's end, whoever wanted it.
func (s *stream) end() {
	s.once.Do(func() {
		s.mu.Lock()
		s.done = true
		s.cond.Broadcast()
		s.mu.Unlock()
		close(s.over)
		s.conn.mu.Lock()
		delete(s.conn.streams, s.local)
		s.conn.mu.Unlock()
	})
}

// Read reads what the other side wrote. Each message is answered when it has been read.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for len(s.in) == 0 && !s.done && !s.late {
		s.cond.Wait()
	}
	if late := s.late; late || len(s.in) == 0 {
		s.mu.Unlock()
		if late {
			return 0, os.ErrDeadlineExceeded
		}
		return 0, io.EOF
	}
	n := copy(p, s.in[0])
	s.in[0] = s.in[0][n:]
	taken := len(s.in[0]) == 0
	if taken {
		s.in = s.in[1:]
	}
	s.mu.Unlock()
	if taken {
		s.conn.send(message{cmdOkay, s.local, s.remote, nil})
	}
	return n, nil
}

// Write sends, a message at a time: the next one goes when the other side has taken the last.
func (s *stream) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		select {
		case <-s.ready:
		case <-s.over:
			return written, io.ErrClosedPipe
		case <-s.conn.gone:
			return written, io.ErrClosedPipe
		}
		n := min(len(p), maxData/4)
		s.conn.send(message{cmdWrite, s.local, s.remote, p[:n]})
		written += n
		p = p[n:]
	}
	return written, nil
}

// Close tells the other side that this is the end. What was written is taken first.
func (s *stream) Close() error {
	select {
	case <-s.over:
		return nil
	default:
	}
	s.conn.send(message{cmdClose, s.local, s.remote, nil})
	s.end()
	return nil
}

// LocalAddr is the phone's end.
func (s *stream) LocalAddr() net.Addr { return s.conn.net.LocalAddr() }

// RemoteAddr is the adb server's end.
func (s *stream) RemoteAddr() net.Addr { return s.conn.net.RemoteAddr() }

// SetDeadline sets the read deadline.
func (s *stream) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetReadDeadline ends a read that waits where the time has passed.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = !t.IsZero() && time.Until(t) <= 0
	s.cond.Broadcast()
	return nil
}

// SetWriteDeadline does nothing.
func (s *stream) SetWriteDeadline(time.Time) error { return nil }
