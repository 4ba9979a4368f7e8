package ledger

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

func TestNetworkFileSystemsAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "not", "yet", "there", "l.db")
	for _, name := range networkFileSystems() {
		asked := ""
		err := refuseNetwork(path, func(p string) (string, error) { asked = p; return name, nil })
		if troubleOf(t, path, err) != Network || asked != dir {
			t.Errorf("%s: %v, asked of %s", name, err, asked)
		}
	}
	for _, local := range []string{"", "ext4", "fuse.mergerfs"} {
		if err := refuseNetwork(path, func(string) (string, error) { return local, nil }); err != nil {
			t.Error(err)
		}
	}
	if err := refuseNetwork(path, func(string) (string, error) { return "nfs", errors.New("unknown") }); err != nil {
		t.Error("not knowing is no reason to refuse: ", err)
	}
	if name, err := fileSystem(dir); err != nil || slices.Contains(networkFileSystems(), name) {
		t.Errorf("here: %q, %v", name, err)
	}
}
