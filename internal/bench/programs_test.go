//go:build linux

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The start of a program is taken off by running few jobs and many.
const (
	fewPrograms  = 200
	manyPrograms = 2200
	fewParallel  = 100
	manyParallel = 1100
)

// benchPrograms is goal 3: a process for each job, 4 at once, with the full journal.
func benchPrograms(t *testing.T, y *yard) {
	dir := y.folder(t, "programs")
	settings := "publisher: command\nworkers: 4\ncommand:\n  run: [/bin/true]\n"
	if err := os.WriteFile(filepath.Join(dir, "reelpass.yaml"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	parallel, err := exec.LookPath("parallel")
	if err != nil {
		t.Log("GNU parallel is not here: that line is left out")
	}
	var ours, loop, peer, ourCPU, loopCPU, journal series
	for range repetitions {
		few, many := y.runPrograms(t, dir, fewPrograms), y.runPrograms(t, dir, manyPrograms)
		ours = append(ours, (many.wall-few.wall).Seconds()*1000/(manyPrograms-fewPrograms))
		ourCPU = append(ourCPU, (many.cpu-few.cpu).Seconds()*1000/(manyPrograms-fewPrograms))
		wall, cpu := bareLoop(t, manyPrograms-fewPrograms, 4)
		loop, loopCPU = append(loop, wall), append(loopCPU, cpu)
		journal = append(journal, 1000/storeSlots(t, y.copyOf(t, y.template(t, slotJobs, slotAccounts), "slots.db"), 4).rate)
		if parallel != "" {
			few, many := runParallel(t, dir, parallel, fewParallel), runParallel(t, dir, parallel, manyParallel)
			peer = append(peer, millis(many-few)/(manyParallel-fewParallel))
		}
	}
	tb := newTable("3. Publisher `command` with /bin/true, 4 at once, full journal: time per job without the program's start")
	defer tb.print()
	tb.show("bare Go loop around os/exec, 4 goroutines", loop, " ms a job", fmt.Sprintf("processor time %s ms a job: the fork and the program itself", loopCPU))
	tb.show("reelpass run --workers 4", ours, " ms a job", fmt.Sprintf("processor time %s ms a job", ourCPU))
	tb.show("the ledger alone, 4 slots", journal, " ms a job",
		fmt.Sprintf("with the loop's time after it and nothing beside each other: %sx of the loop's rate", loop.by(sum(loop, journal))))
	tb.atLeast("its rate : the bare loop's", loop.by(ours), 0.6, "x", "the aim is 0.75")
	tb.atLeast("its rate : GNU parallel -j4 --joblog", peer.by(ours), 5, "x", fmt.Sprintf("parallel takes %s ms a job", peer))
}

func sum(a, b series) series {
	c := make(series, min(len(a), len(b)))
	for i := range c {
		c[i] = a[i] + b[i]
	}
	return c
}

// runPrograms runs a fresh batch of so many jobs to its end.
func (y *yard) runPrograms(t *testing.T, dir string, jobs int) outcome {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, ".reelpass")); err != nil {
		t.Fatal(err)
	}
	got := y.execute(t, dir, call{args: []string{"run", y.postsFile(t, jobs, 100)}})
	if got.code != 0 {
		t.Fatalf("run: exit %d: %s", got.code, got.stderr)
	}
	return got
}

// bareLoop starts so many programs from so many goroutines: milliseconds of time and of processor time for each.
func bareLoop(t *testing.T, jobs, goroutines int) (wall, cpu float64) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failure error
	used := time.Duration(0)
	todo := make(chan struct{}, jobs)
	for range jobs {
		todo <- struct{}{}
	}
	close(todo)
	before := ownCPU()
	began := time.Now()
	for range goroutines {
		wg.Go(func() {
			for range todo {
				cmd := exec.CommandContext(t.Context(), "/bin/true")
				err := cmd.Run()
				mu.Lock()
				if err != nil {
					failure = err
				} else {
					used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	used += ownCPU() - before
	if failure != nil {
		t.Fatal(failure)
	}
	return millis(took) / float64(jobs), millis(used) / float64(jobs)
}

func runParallel(t *testing.T, dir, program string, jobs int) time.Duration {
	t.Helper()
	log := filepath.Join(dir, "joblog")
	args := []string{"--will-cite", "-j4", "--joblog", log, "/bin/true", ":::"}
	for i := range jobs {
		args = append(args, strconv.Itoa(i))
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir) // it keeps a folder of its own there
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("parallel: %v\n%s", err, out)
	}
	took := time.Since(began)
	if err := os.Remove(log); err != nil {
		t.Error(err)
	}
	return took
}
