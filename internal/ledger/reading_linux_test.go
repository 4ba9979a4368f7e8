package ledger

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"reelpass/internal/reel"
)

// Another user, who may only read, sees the ledger while nobody has it open and while somebody has, and leaves nothing beside it
// that would be in the owner's way.
func TestReadersMayOnlyRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can play another user")
	}
	dir, err := os.MkdirTemp("", "ledger-read-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "program") // the test's own folder is closed to others
	self, err := os.ReadFile(os.Args[0])
	if err := errors.Join(err, os.WriteFile(program, self, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "l.db")
	s := mustOpen(t, path)
	seed(t, s, "b", 20, 5)
	read := func(when string) {
		t.Helper()
		cmd := exec.Command(program)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LEDGER_TEST_ROLE=read", "LEDGER_TEST_PATH="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "read\n" {
			t.Errorf("%s: %v: %s", when, err, out)
		}
	}
	read("while it is open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	read("while nobody has it open")
	if after := tree(t, dir); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	if err := mustOpen(t, path).Enlist(reel.Supervisor{ID: "later"}); err != nil {
		t.Error("the owner afterwards:", err)
	}
}

// Whoever opened a ledger for reading changes nothing, and a ledger that is not there is not made.
func TestReadOnlyRefusesChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	if _, err := Open(context.Background(), path, Options{ReadOnly: true}); troubleOf(t, path, err) != Missing {
		t.Error(err)
	}
	seed(t, mustOpen(t, path), "b", 3, 3)
	s, err := Open(context.Background(), path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Enlist(reel.Supervisor{ID: "x"}); !errors.Is(err, errReadOnly) {
		t.Error(err)
	}
	if err := s.Pause(context.Background(), "b", true, "ana"); !errors.Is(err, errReadOnly) {
		t.Error(err)
	}
	s.Started(reel.Lease{}, reel.Process{})
}
