package worker

import (
	"fmt"
	"os"

	"reelpass/internal/reel"
)

// Kill ends one process, if it is still exactly this one on this host, and returns when it is gone. It fails with
// reel.ErrRefused for the caller's own process and with ErrStillAlive after 10 s.
func Kill(p reel.Process) error {
	if p.PID == 1 || p.PID == os.Getpid() {
		return fmt.Errorf("kill process %d: %w", p.PID, reel.ErrRefused)
	}
	for patience := newPoll(killPatience); Alive(p); {
		signalIf(p.PID, func() bool { return Alive(p) })
		if !patience.again() {
			return fmt.Errorf("kill process %d: %w", p.PID, ErrStillAlive)
		}
	}
	return nil
}
