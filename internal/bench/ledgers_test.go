//go:build linux

package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// batch is the name of every batch here.
const batch = "b"

// jobAt is row i of every posts file here. Accounts alternate, so that each insertion goes to another place of an index.
func jobAt(i, accounts int) reel.Job {
	return reel.Job{
		ID: reel.JobID(numbered("job-", i, "")), Account: numbered("acc-", i%accounts, ""),
		VideoPath: numbered("/videos/", i, ".mp4"), Caption: "A caption of the usual length, with #tags and some words more",
	}
}

// numbered is much cheaper than fmt: the bare import makes its rows while it is timed.
func numbered(before string, n int, after string) string {
	b := make([]byte, 0, 24)
	b = append(b, before...)
	for unit := 1_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return string(append(b, after...))
}

// template is a closed ledger with jobs that nobody has touched. Copies of it are what is measured.
func (y *yard) template(t *testing.T, jobs, accounts int) string {
	t.Helper()
	path := y.path(fmt.Sprintf("template-%d-%d.db", jobs, accounts))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	s, err := ledger.Open(t.Context(), path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Import(t.Context(), batch, func(yield func(reel.Post, error) bool) {
		for i := range jobs {
			if !yield(reel.Post{Line: i + 2, Job: jobAt(i, accounts)}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// million is a ledger of a million jobs, imported from a file by the program itself.
func (y *yard) million(t *testing.T) string {
	t.Helper()
	if y.huge != "" {
		return y.huge
	}
	dir := y.folder(t, "million")
	file := y.postsFile(t, 1_000_000, 10_000)
	got := y.execute(t, dir, call{args: []string{"import", file, "--batch", batch}})
	if got.code != 0 {
		t.Fatalf("import: exit %d: %s", got.code, got.stderr)
	}
	y.huge = dir + "/.reelpass/ledger.db"
	return y.huge
}

// postsFile is a posts file of so many rows.
func (y *yard) postsFile(t *testing.T, rows, accounts int) string {
	t.Helper()
	path := y.path(fmt.Sprintf("posts-%d-%d.csv", rows, accounts))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "job_id,account,video_path,caption")
	for i := range rows {
		j := jobAt(i, accounts)
		fmt.Fprintf(w, "%s,%s,%s,%q\n", j.ID, j.Account, j.VideoPath, j.Caption)
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyOf copies a closed ledger and waits until the copy is on the disk, so that its writing disturbs no measurement.
func (y *yard) copyOf(t *testing.T, ledgerFile, name string) string {
	t.Helper()
	path := y.path(name)
	for _, old := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	from, err := os.Open(ledgerFile)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Sync(); err != nil {
		t.Fatal(err)
	}
	return path
}

// chill takes a file out of the page cache, as after a start of the machine. What must be written is written before.
func chill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// syncTimes appends 4 KiB and syncs, n times: the median and the longest, in milliseconds.
func (y *yard) syncTimes(t *testing.T, n int) (p50, worst float64) {
	t.Helper()
	times := make(series, 0, n)
	y.append(t, func(write func()) {
		for range n {
			began := time.Now()
			write()
			times = append(times, millis(time.Since(began)))
		}
	})
	return times.median(), times.at(1)
}

// append hands out a write of 4 KiB that is on the disk when it returns.
func (y *yard) append(t *testing.T, use func(write func())) {
	t.Helper()
	f, err := os.CreateTemp(y.dir, "sync-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close(); _ = os.Remove(f.Name()) }()
	page := make([]byte, 4096)
	use(func() {
		if _, err := f.Write(page); err != nil {
			t.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	})
}

// syncFloor is how many cycles of three such writes fit into a second, where so many cycles share each write.
func (y *yard) syncFloor(t *testing.T, share int) float64 {
	t.Helper()
	cycles, began := 0, time.Now()
	y.append(t, func(write func()) {
		for time.Since(began) < stretch/2 {
			for range 3 {
				write()
			}
			cycles += share
		}
	})
	return float64(cycles) / time.Since(began).Seconds()
}
