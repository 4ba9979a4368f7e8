//go:build !linux

package command

import (
	"io"
	"os"

	"reelpass/internal/worker"
)

func newPipe() (r, w *os.File, err error) { return os.Pipe() }

func watched(f *os.File) *os.File { return f }

func drain(w io.Writer, r *os.File) {
	worker.HurryUp(r)
	worker.Drain(w, r)
}
