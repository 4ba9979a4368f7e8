package ledger

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"reelpass/internal/reel"
)

// TestMain plays the other processes of the tests, too.
func TestMain(m *testing.M) {
	switch os.Getenv("LEDGER_TEST_ROLE") {
	case "":
		if err := flag.Set("rapid.checks", modelRuns); err != nil { // -rapid.checks on the command line goes over it
			panic(err)
		}
		os.Exit(m.Run())
	case "hold": // open the ledger, and wait for the kill
		s, err := Open(context.Background(), os.Getenv("LEDGER_TEST_PATH"), Options{})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		_, err = s.Import(context.Background(), "b", func(yield func(reel.Post, error) bool) {
			yield(reel.Post{Job: reel.Job{ID: "1", Account: "a", VideoPath: "/v"}}, nil)
		})
		fmt.Println("ready", err)
		select {}
	case "read": // look at a ledger as a user who may not write it
		if err := readAll(os.Getenv("LEDGER_TEST_PATH")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println("read")
	case "write": // post every job of a batch of one's own
		if err := writeAll(os.Getenv("LEDGER_TEST_PATH"), os.Getenv("LEDGER_TEST_NAME")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println("done")
	}
}

// readAll opens a ledger for reading and verifies it.
func readAll(path string) error {
	s, err := Open(context.Background(), path, Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Verify(context.Background(), func(f Finding) { fmt.Println(f) }, nil)
	if err == nil {
		_, err = s.Status(context.Background(), "b")
	}
	return err
}

// role starts this test binary in a role and returns it with its output.
func role(t *testing.T, role, path, name string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEDGER_TEST_ROLE="+role, "LEDGER_TEST_PATH="+path, "LEDGER_TEST_NAME="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewScanner(out)
}

const jobsOfAWriter = 60

// writeAll imports, leads and posts a batch, from several goroutines; accounts are shared with other writers.
func writeAll(path, name string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Enlist(reel.Supervisor{ID: name, Name: name}); err != nil {
		return err
	}
	if _, err := s.Import(ctx, name, func(yield func(reel.Post, error) bool) {
		for i := range jobsOfAWriter {
			n := strconv.Itoa(i)
			if !yield(reel.Post{Job: reel.Job{ID: reel.JobID(n), Account: "acc" + strconv.Itoa(i%20), VideoPath: "/" + name + n}}, nil) {
				return
			}
		}
	}); err != nil {
		return err
	}
	r, _, err := s.Lead(ctx, reel.Bid{Batch: name, Leader: reel.Supervisor{ID: name}, Limits: reel.DefaultLimits()})
	if err != nil {
		return err
	}
	if _, err := s.OpenPass(ctx, name, r.Term, 1); err != nil {
		return err
	}
	errs := make(chan error)
	for range 4 {
		go func() { errs <- postUntilDone(ctx, s, name) }()
	}
	for range 4 {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}
