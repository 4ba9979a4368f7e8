package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"reelpass/internal/reel"
)

// ending is how a conversation with the process ended.
type ending struct {
	done  bool   // the handler has its answer
	code  string // else: one of reel's codes of the worker
	text  string
	fresh bool // the process went away politely before it said a word: it never took the assignment
}

// talk sends one request and gives each message to hear, until hear says that it has its answer or finds a fault. When it
// ends otherwise than done, the process is dead with all its group.
func (c *Client) talk(ctx context.Context, s *session, line []byte, hear func(answer) (done bool, fault string)) ending {
	stop := context.AfterFunc(ctx, s.child.Kill)
	e := c.converse(ctx, s, line, hear)
	if !stop() || !e.done {
		left := s.kill()
		c.ses = nil
		if !e.done && ctx.Err() != nil {
			e = c.afterwards(left, hear)
		} else if !e.done {
			c.deaths++
			if s.tooLong {
				e.code, e.text = reel.CodeWorkerProtocol, fmt.Sprintf("worker sent a line of more than %d bytes", maxLine)
			} else if e.code == reel.CodeWorkerLost {
				e.text = "worker ended: " + s.exit.Text
				e.fresh = s.exit.Code == 0
			}
			if tail := s.stderr.Last(stderrShown); tail != "" {
				e.text += "\n" + tail
			}
		}
	}
	return e
}

// afterwards looks whether a process killed because its run was stopped had its answer under way: a post that is known is
// better than a doubt.
func (c *Client) afterwards(left [][]byte, hear func(answer) (bool, string)) ending {
	for _, line := range left {
		m, ours, err := decodeAnswer(line)
		if !ours || err != nil || m.Type == typeStep || m.Type == typeShare || m.Type == typeKeep || m.Type == typeFailed {
			continue
		}
		if done, _ := hear(m); done {
			return ending{done: true}
		}
	}
	return ending{code: reel.CodeInterrupted, text: "interrupted; the worker was killed"}
}

func (c *Client) converse(ctx context.Context, s *session, line []byte, hear func(answer) (bool, string)) ending {
	lost := ending{code: reel.CodeWorkerLost}
	silent := ending{code: reel.CodeWorkerTimeout, text: fmt.Sprintf("no progress for %s; the worker was killed", c.opt.Timeout)}
	timer := time.NewTimer(c.opt.Timeout)
	defer timer.Stop()
	switch err := s.send(line, c.opt.Timeout); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return silent
	case err != nil:
		c.awaitEnd(ctx, s, timer.C)
		return lost
	}
	for {
		select {
		case <-ctx.Done():
			return ending{code: reel.CodeInterrupted}
		case <-timer.C:
			return silent
		case line, ok := <-s.lines:
			if !ok {
				c.awaitEnd(ctx, s, timer.C)
				return lost
			}
			m, ours, err := decodeAnswer(line)
			if !ours {
				c.noise(line)
				continue
			}
			if err != nil {
				// Its meaning is lost, but a broken "posted" may be a post: heard as one that fits no assignment.
				_, _ = hear(answer{Type: m.Type, Attempt: -1})
				return ending{code: reel.CodeWorkerProtocol, text: Clean(err.Error(), textKept, c.opt.Secrets...)}
			}
			done, fault := hear(m)
			if fault != "" {
				return ending{code: reel.CodeWorkerProtocol, text: fault}
			}
			if done {
				return ending{done: true}
			}
			timer.Reset(c.opt.Timeout)
		}
	}
}

// awaitEnd gives a process that closed its output a moment to end by itself, so that its own exit status is told and not
// that it was killed.
func (c *Client) awaitEnd(ctx context.Context, s *session, timeout <-chan time.Time) {
	grace := time.NewTimer(c.opt.Grace)
	defer grace.Stop()
	select {
	case <-s.gone:
	case <-grace.C:
	case <-timeout:
	case <-ctx.Done():
	}
}

// Publish executes one assignment and reports how it ended. A cancelled ctx kills the process group at once.
func (c *Client) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	line, err := JobLine(a)
	if err != nil {
		return failed(reel.CodeWorkerProtocol, Clean(err.Error(), textKept, c.opt.Secrets...))
	}
	for again := true; ; again = false {
		s, fault := c.ready(ctx)
		if fault != nil {
			return reel.Report{Evidence: *fault}
		}
		used := s.answered > 0
		if used {
			s.stderr.Reset()
		}
		if d.Started != nil {
			d.Started(s.child.Process())
		}
		p := publishing{client: c, ctx: ctx, ses: s, assignment: a, desk: d}
		e := c.talk(ctx, s, line, p.hear)
		// A worker may end itself after some jobs. The job that was on its way to it then was never taken.
		if e.fresh && again && used && !p.spoke {
			continue
		}
		rep := p.report(e)
		if e.done && rep.Evidence.ShareBegun {
			s.kill() // a doubt is looked up: nothing of the worker may act any more, also not what left its group
			if c.ses == s {
				c.ses = nil
			}
		}
		return rep
	}
}

// publishing is one assignment in a process's hands.
type publishing struct {
	client     *Client
	ctx        context.Context
	ses        *session
	assignment reel.Assignment
	desk       reel.Desk

	spoke   bool   // it said something about this assignment
	step    string // the last it told
	begun   bool   // the go was given, or the effect may have happened without
	stopped bool   // it was told to stop
	result  *reel.Report
}

// hear takes one message. fault is a breach of the protocol, in words.
func (p *publishing) hear(m answer) (done bool, fault string) {
	p.spoke = true
	if !m.fits(p.assignment) {
		p.begun = p.begun || m.Type == typePosted
		return false, fmt.Sprintf("worker said %s of another job", m.Type)
	}
	switch m.Type {
	case typeStep:
		p.step = Clean(m.Name, wordKept, p.client.opt.Secrets...)
		if p.desk.Step != nil {
			p.desk.Step(p.step)
		}
		return false, ""
	case typeShare:
		return false, p.share()
	case typeKeep:
		return false, p.client.keep(p.ctx, p.ses, m, p.desk)
	case typePosted:
		if !p.begun {
			p.begun = true
			return false, "worker said posted without a go"
		}
		r := reel.Report{Posted: true}
		if m.Receipt != nil {
			r.Receipt = p.client.receipt(*m.Receipt)
		}
		return p.answered(m, r), ""
	case typeFailed:
		return p.answered(m, p.failure(m)), ""
	}
	return false, "worker answered a job with " + m.Type
}

// keep has the desk remember something, and tells the process whether it is.
func (c *Client) keep(ctx context.Context, s *session, m answer, d reel.Desk) (fault string) {
	if fault := m.wrong(c.opt.Secrets); fault != "" {
		return fault
	}
	line := `{"type":"stop"}`
	if ctx.Err() == nil && d.Keep != nil && d.Keep(ctx, m.Name, m.Value) {
		line = `{"type":"kept"}`
	}
	_ = s.send([]byte(line+"\n"), c.opt.Timeout) // its death is seen as the end of its output
	return ""
}

// share asks the desk for the go and passes its answer on.
func (p *publishing) share() (fault string) {
	if p.begun {
		return "worker asked for a second go"
	}
	if !p.stopped && p.ctx.Err() == nil && p.desk.Share != nil && p.desk.Share(p.ctx) {
		if p.ctx.Err() != nil {
			return "" // killed while the go was being written: nothing was sent, nothing has begun
		}
		p.begun = true
		_ = p.ses.send([]byte(`{"type":"go"}`+"\n"), p.client.opt.Timeout) // its death is seen as the end of its output
		return ""
	}
	p.stopped = true
	_ = p.ses.send([]byte(`{"type":"stop"}`+"\n"), p.client.opt.Timeout)
	return ""
}

// failure is a failed message as a report.
func (p *publishing) failure(m answer) reel.Report {
	var e reel.Evidence
	if m.Evidence != nil {
		e = p.client.evidence(*m.Evidence)
	}
	if e.Source == "" {
		e.Source = reel.SourceTool // it is what a program said
	}
	if e.Step == "" {
		e.Step = p.step
	}
	if p.stopped {
		e = reel.Evidence{
			Source: reel.SourceWorker, Code: reel.CodeLeaseLost, Text: lostText, Step: e.Step, Note: e.Text,
			ShareBegun: e.ShareBegun,
		}
	}
	e.ShareBegun = e.ShareBegun || p.begun
	return reel.Report{Evidence: e}
}

const lostText = "told to stop before the share: the job is no longer ours"

func (p *publishing) answered(m answer, r reel.Report) bool {
	p.result = &r
	p.ses.answered++
	p.client.deaths = 0
	if m.Exiting && p.client.ses == p.ses {
		p.ses.leave(p.client.opt.Grace)
		p.client.ses = nil
	}
	return true
}

// report is what became of the assignment.
func (p *publishing) report(e ending) reel.Report {
	if e.done {
		return *p.result
	}
	r := failed(e.code, e.text)
	r.Evidence.Step, r.Evidence.ShareBegun = p.step, p.begun
	return r
}

func failed(code, text string) reel.Report {
	return reel.Report{Evidence: reel.Evidence{Source: reel.SourceWorker, Code: code, Text: text}}
}

// evidence makes what a worker sent fit to be kept.
func (c *Client) evidence(e reel.Evidence) reel.Evidence {
	if !slices.Contains(reel.Sources(), e.Source) {
		e.Source = ""
	}
	if e.Source == reel.SourceWorker {
		e.Code = "" // those codes are the supervisor's own observations
	}
	secrets := c.opt.Secrets
	e.Code = Clean(e.Code, wordKept, secrets...)
	e.Text = Clean(e.Text, textKept, secrets...)
	e.Step = Clean(e.Step, wordKept, secrets...)
	e.RetryAfter = Clean(e.RetryAfter, wordKept, secrets...)
	if e.Holds != reel.HoldsAccount && e.Holds != reel.HoldsPublisher {
		e.Holds = ""
	}
	e.Note = Clean(e.Note, textKept, secrets...)
	return e
}

func (c *Client) receipt(r reel.Receipt) reel.Receipt {
	return reel.Receipt{
		ID:  Clean(r.ID, wordKept, c.opt.Secrets...),
		URL: Clean(r.URL, wordKept, c.opt.Secrets...),
	}
}

// Find asks the process whether the assignment's post, made at or after since, is there. Whatever goes wrong means that
// nobody can tell.
func (c *Client) Find(ctx context.Context, a reel.Assignment, since time.Time, d reel.Desk) reel.Look {
	line, err := FindLine(a, since)
	if err != nil {
		return unsure(Clean(err.Error(), textKept, c.opt.Secrets...))
	}
	s, fault := c.ready(ctx)
	if fault != nil {
		return unsure(fault.Text)
	}
	var look reel.Look
	e := c.talk(ctx, s, line, func(m answer) (bool, string) {
		if !m.fits(a) {
			return false, fmt.Sprintf("worker said %s of another job", m.Type)
		}
		switch m.Type {
		case typeStep:
			if d.Step != nil {
				d.Step(Clean(m.Name, wordKept, c.opt.Secrets...))
			}
			return false, ""
		case typeKeep:
			return false, c.keep(ctx, s, m, d)
		case typeFound:
			look = reel.Look{Finding: reel.Found}
			if m.Receipt != nil {
				look.Receipt = c.receipt(*m.Receipt)
			}
		case typeAbsent:
			look = reel.Look{Finding: reel.Absent}
		case typeUnsure:
			look = unsure(Clean(m.Why, textKept, c.opt.Secrets...))
		default:
			return false, "worker answered a look with " + m.Type
		}
		s.answered++
		c.deaths = 0
		return true, ""
	})
	if !e.done {
		return unsure(e.text)
	}
	return look
}

func unsure(why string) reel.Look {
	if why == "" {
		why = "the worker gave no reason"
	}
	return reel.Look{Finding: reel.Unsure, Why: why}
}
