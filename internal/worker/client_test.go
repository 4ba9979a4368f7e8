package worker_test

import (
	"os"
	"testing"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
	"reelpass/internal/worker/workertest"
)

func TestMain(m *testing.M) { workertest.Main(m) }

func newClient(s *workertest.Stage, argv ...string) *worker.Client {
	return worker.NewClient(worker.Options{
		Argv: argv, Env: s.Env(workertest.RoleServe), Timeout: s.Timeout, Log: s.Log, Mark: s.Mark,
		Secrets: []string{s.Secret},
	})
}

func TestClientKeepsTheWorkersPromises(t *testing.T) {
	workertest.TestWorker(t, workertest.Factory{
		Inside: true,
		Jobs: []reel.JobID{
			workertest.FailsAfter, workertest.DiesBefore, workertest.Crowds, workertest.Plods, workertest.Panics,
			workertest.Leaks, workertest.Puzzles,
		},
		New: func(_ *testing.T, s *workertest.Stage) workertest.Worker { return newClient(s, os.Args[0]) },
	})
}
