package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// session is one long-lived process and the pipes to it.
type session struct {
	child  *Child
	mark   string // of its processes, also of those that left the group
	stdin  *os.File
	lines  chan []byte // lines of its stdout; closed at the end
	stderr *Tail

	gone    chan struct{} // closed when the process and its group are gone
	exit    Exit          // valid after gone
	tooLong bool          // valid after lines is closed: a line was longer than the protocol allows
	end     sync.WaitGroup

	answered int // jobs it has answered
}

// openSession starts the process. Its errors are those of the operating system.
func openSession(s Spec, stderr *Tail) (*session, error) {
	var pipes []*os.File
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			pipes = append(pipes, r, w)
		}
		return r, w, err
	}
	fail := func(err error) (*session, error) {
		for _, p := range pipes {
			_ = p.Close()
		}
		return nil, err
	}
	inR, inW, err := pipe()
	if err != nil {
		return fail(err)
	}
	outR, outW, err := pipe()
	if err != nil {
		return fail(err)
	}
	errR, errW, err := pipe()
	if err != nil {
		return fail(err)
	}
	s.Stdin, s.Stdout, s.Stderr = inR, outW, errW
	ses := &session{stdin: inW, lines: make(chan []byte, 16), stderr: stderr, gone: make(chan struct{})}
	running := make(chan error)
	ses.end.Go(func() {
		exit, err := Run(s, func(c *Child) {
			ses.child = c
			running <- nil
		})
		if err != nil {
			running <- err
			return
		}
		ses.exit = exit
		HurryUp(outR, errR, inW)
		close(ses.gone)
	})
	if err := <-running; err != nil {
		return fail(err)
	}
	for _, theirs := range []*os.File{inR, outW, errW} {
		_ = theirs.Close()
	}
	ses.end.Go(func() {
		defer func() { _ = errR.Close() }()
		Drain(stderr, errR)
		stderr.Close()
	})
	ses.end.Go(func() {
		defer func() { _ = outR.Close() }()
		ses.read(outR)
	})
	return ses, nil
}

// read passes lines on until the output ends. It is always read to its end: whoever closes the session takes what is left.
func (s *session) read(r io.Reader) {
	defer close(s.lines)
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 4096), maxLine)
	for scan.Scan() {
		s.lines <- append([]byte(nil), scan.Bytes()...)
	}
	if errors.Is(scan.Err(), bufio.ErrTooLong) {
		s.tooLong = true
		s.child.Kill()
		_, _ = io.Copy(io.Discard, r)
	}
}

// send writes to the process, for at most so long.
func (s *session) send(line []byte, patience time.Duration) error {
	_ = s.stdin.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.stdin.Write(line); err != nil {
		return fmt.Errorf("write to worker: %w", err)
	}
	return nil
}

// over says that the process has ended by itself.
func (s *session) over() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// kill ends the process and all that it started, waits for it, and gives the lines that were still unread. What left the
// group is looked for by its mark: it could still act for a job that is looked up next.
func (s *session) kill() [][]byte {
	left := s.collect()
	if s.mark != "" {
		_, _ = KillMarked(context.Background(), s.mark)
	}
	return left
}

func (s *session) collect() [][]byte {
	s.child.Kill()
	var left [][]byte
	for line := range s.lines {
		left = append(left, line)
	}
	s.end.Wait()
	_ = s.stdin.Close()
	return left
}

// leave ends the process kindly: its input ends, it has so long to go, then it is killed. It waits for it.
func (s *session) leave(grace time.Duration) {
	_ = s.stdin.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	lines := s.lines
	for {
		select {
		case <-s.gone:
			s.collect()
			return
		case <-timer.C:
			s.kill()
			return
		case _, ok := <-lines:
			if !ok {
				lines = nil // it may close its output long before it ends
			}
		}
	}
}
