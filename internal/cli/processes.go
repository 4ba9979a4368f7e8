package cli

import (
	"context"
	"errors"

	"reelpass/internal/reel"
	"reelpass/internal/runner"
	"reelpass/internal/worker"
)

var _ runner.Processes = processes{}

// processes is the operating system as runner sees it.
type processes struct{}

func (processes) Here(p reel.Process) bool      { return worker.Here(p) }
func (processes) OtherBoot(p reel.Process) bool { return worker.OtherBoot(p) }
func (processes) Alive(p reel.Process) bool     { return worker.Alive(p) }
func (processes) Kill(p reel.Process) error     { return worker.Kill(p) }
func (processes) KillOrphans(ctx context.Context, supervisor string, w reel.Process) error {
	_, err := worker.KillMarked(ctx, supervisor)
	if w.PID == 0 {
		return err
	}
	return errors.Join(err, worker.KillGroup(w, supervisor))
}
