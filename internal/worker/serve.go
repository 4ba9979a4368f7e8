package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"reelpass/internal/reel"
)

// Publisher is what a worker process does with the assignments it is given. Whatever happens is in the report.
type Publisher interface {
	// Publish executes one assignment. It must call the desk's Share before the irreversible step, and not take that
	// step unless the answer is true. When ctx ends it must return soon.
	Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report
	// Find looks whether the assignment's post, made at or after since, is there. The desk has no Share.
	Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look
}

// ErrPanicked is what Serve ends with after a publisher's panic: the process should end, so that the next job finds a
// fresh one.
var ErrPanicked = errors.New("publisher panicked")

// Serve is the child's end: it executes jobs and looks from in, one after another, and answers on out, until in ends.
// The end of in means that the supervisor is gone: the context of a running job is cancelled, and no share begins any
// more. Serve fails with ErrPanicked, with ctx's error, with what is wrong with a request, or when out cannot be written.
func Serve(ctx context.Context, in io.Reader, out io.Writer, p Publisher) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &server{out: out, publisher: p, cancel: cancel, more: make(chan struct{}, 1), ended: make(chan struct{})}
	// The reader is not waited for: it ends with in, which the caller owns, and a read of standard input cannot be cut short.
	go s.read(in)
	for {
		r, ok := s.next(ctx)
		if !ok {
			return s.why(ctx)
		}
		if err := s.serve(ctx, r); err != nil {
			return err
		}
	}
}

// errSupervisorGone ends a job's context when the supervisor's end of the pipe is closed.
var errSupervisorGone = errors.New("supervisor is gone")

type server struct {
	publisher Publisher
	cancel    context.CancelCauseFunc
	more      chan struct{} // something is in waiting
	ended     chan struct{} // in has ended

	mu      sync.Mutex
	waiting []ask
	reply   chan bool // set while somebody waits for an answer
	yes     string    // the answer that grants it
	bad     error     // what was wrong with in

	write sync.Mutex
	out   io.Writer
}

// ask is a request with its time read.
type ask struct {
	request
	since time.Time
}

func (s *server) read(in io.Reader) {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 0, 4096), maxLine)
	var bad error
	for bad == nil && scan.Scan() {
		r, since, ok, err := decodeRequest(scan.Bytes())
		switch {
		case err != nil:
			bad = err
		case !ok:
		case r.Type == typeGo || r.Type == typeStop || r.Type == typeKept:
			s.mu.Lock()
			if s.reply != nil { // an answer that nobody waits for must not answer a later question
				s.reply <- r.Type == s.yes
				s.reply = nil
			}
			s.mu.Unlock()
		default:
			s.mu.Lock()
			s.waiting = append(s.waiting, ask{r, since})
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
		}
	}
	if bad == nil {
		bad = scan.Err()
	}
	s.mu.Lock()
	s.bad = bad
	s.mu.Unlock()
	close(s.ended)
	s.cancel(errSupervisorGone)
}

// next takes the next request. After the end of in none is begun any more, also not one that came before it.
func (s *server) next(ctx context.Context) (ask, bool) {
	for {
		if ctx.Err() != nil {
			return ask{}, false
		}
		s.mu.Lock()
		if len(s.waiting) > 0 {
			r := s.waiting[0]
			s.waiting = s.waiting[1:]
			s.mu.Unlock()
			return r, true
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return ask{}, false
		case <-s.more:
		}
	}
}

// why is the error that Serve ends with when there is nothing more to do.
func (s *server) why(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad != nil {
		return fmt.Errorf("supervisor's messages: %w", s.bad)
	}
	if errors.Is(context.Cause(ctx), errSupervisorGone) {
		return nil
	}
	return ctx.Err()
}

func (s *server) serve(ctx context.Context, r ask) error {
	m := answer{JobID: r.JobID, Attempt: r.Attempt}
	panicked := s.guarded(func() {
		if r.Type == typeFind {
			d := s.desk(r.Assignment)
			d.Share = nil
			m.look(s.publisher.Find(ctx, r.Assignment, r.since, d))
			return
		}
		m.report(s.publisher.Publish(ctx, r.Assignment, s.desk(r.Assignment)))
	})
	if panicked != "" {
		m.Exiting = true
		if r.Type == typeFind {
			m.look(reel.Look{Finding: reel.Unsure, Why: panicked})
		} else {
			m.report(reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Text: panicked}})
		}
	}
	if err := s.say(m); err != nil {
		return err
	}
	if panicked != "" {
		return ErrPanicked
	}
	return nil
}

// guarded runs f and gives its panic in words; the stack goes to stderr, where the supervisor's log takes it.
func (s *server) guarded(f func()) (panicked string) {
	defer func() {
		if r := recover(); r != nil {
			panicked = fmt.Sprintf("panic: %v", r)
			fmt.Fprintf(os.Stderr, "%s\n%s", panicked, debug.Stack())
		}
	}()
	f()
	return ""
}

func (m *answer) report(r reel.Report) {
	if r.Posted {
		m.Type, m.Receipt = typePosted, &r.Receipt
		return
	}
	r.Evidence.Text = Clean(r.Evidence.Text, 2*textKept) // more than a line's length would end the conversation
	r.Evidence.Note = Clean(r.Evidence.Note, 2*textKept)
	m.Type, m.Evidence = typeFailed, &r.Evidence
}

func (m *answer) look(l reel.Look) {
	switch l.Finding {
	case reel.Found:
		m.Type, m.Receipt = typeFound, &l.Receipt
	case reel.Absent:
		m.Type = typeAbsent
	case reel.Unsure:
		m.Type, m.Why = typeUnsure, l.Why
	default:
		m.Type, m.Why = typeUnsure, fmt.Sprintf("the publisher found %q", l.Finding)
	}
}

// desk is the supervisor as the publisher meets it.
func (s *server) desk(a reel.Assignment) reel.Desk {
	asked := false
	return reel.Desk{
		Started: func(reel.Process) {}, // the supervisor knows its own child
		Step: func(name string) {
			// A supervisor that cannot be told is gone, and its end of the pipe says so.
			_ = s.say(answer{Type: typeStep, Name: name, JobID: a.JobID, Attempt: a.Attempt})
		},
		Share: func(ctx context.Context) bool {
			if asked {
				return false // one go is one post
			}
			asked = true
			return s.ask(ctx, answer{Type: typeShare, JobID: a.JobID, Attempt: a.Attempt}, typeGo)
		},
		Keep: func(ctx context.Context, name, value string) bool {
			return s.ask(ctx, answer{Type: typeKeep, Name: name, Value: value, JobID: a.JobID, Attempt: a.Attempt}, typeKept)
		},
	}
}

// ask asks the supervisor something, and says whether it answered yes. Any other answer is a no.
func (s *server) ask(ctx context.Context, question answer, yes string) bool {
	reply := make(chan bool, 1)
	s.mu.Lock()
	s.reply, s.yes = reply, yes
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reply = nil
		s.mu.Unlock()
	}()
	if s.say(question) != nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	case <-ctx.Done():
		return false
	case yes := <-reply:
		select {
		case <-s.ended: // nobody is left to tell
			return false
		default:
			return yes && ctx.Err() == nil
		}
	}
}

func (s *server) say(m answer) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	if _, err := s.out.Write(line); err != nil {
		return fmt.Errorf("write to supervisor: %w", err)
	}
	return nil
}
