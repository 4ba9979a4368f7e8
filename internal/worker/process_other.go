//go:build !linux

package worker

import (
	"context"
	"errors"
	"os"

	"reelpass/internal/reel"
)

// Outside Linux start times, process groups and environments of other processes are not read: nothing is ever taken for
// alive, and nothing is killed by its record or its mark. One supervisor a machine at a time is then the user's care.

// Host names this machine.
func Host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "?"
	}
	return name + "/?/?"
}

func startTime(int) (int64, error) { return 0, errors.ErrUnsupported }

// Alive says false.
func Alive(reel.Process) bool { return false }

// KillGroup does nothing.
func KillGroup(reel.Process, ...string) error { return nil }

// KillMarked does nothing.
func KillMarked(context.Context, string) (int, error) { return 0, nil }
