package rehearsal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"reelpass/internal/reel"
)

// world is a file that plays the outside: one line for each effect that really happened, whoever crashed afterwards.
type world string

// post is one effect.
type post struct {
	JobID   reel.JobID `json:"job_id"`
	Account string     `json:"account"`
	At      time.Time  `json:"at"`
	Receipt string     `json:"receipt,omitempty"`
}

// open makes sure that the world can be written, before anything depends on it.
func (w world) open() (*os.File, error) {
	f, err := os.OpenFile(string(w), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("rehearsal world: %w", err)
	}
	return f, nil
}

// add appends one effect in a single write, so that many processes may do it at once. The data need not survive the
// machine, only the processes.
func (w world) add(p post) error {
	line, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("rehearsal world: %w", err)
	}
	f, err := w.open()
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// find looks for a job's effect. The time of it does not matter: a post of this job is a post of this job.
func (w world) find(a reel.Assignment) reel.Look {
	f, err := os.Open(string(w))
	if err != nil {
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf("rehearsal world: %v", err)}
	}
	defer func() { _ = f.Close() }()
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	unread := 0
	for n := 1; scan.Scan(); n++ {
		var p post
		if len(bytes.TrimSpace(scan.Bytes())) == 0 {
			continue
		}
		if json.Unmarshal(scan.Bytes(), &p) != nil {
			unread = n
			continue
		}
		if p.JobID == a.JobID && p.Account == a.Account {
			return reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: p.Receipt}}
		}
	}
	switch {
	case scan.Err() != nil:
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf("rehearsal world: %v", scan.Err())}
	case unread > 0:
		return reel.Look{Finding: reel.Unsure, Why: fmt.Sprintf("rehearsal world: line %d cannot be read", unread)}
	}
	return reel.Look{Finding: reel.Absent}
}
