package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// refuseNetwork refuses a ledger on a file system of another machine: WAL needs memory that all processes share, which ends
// at the machine, and two machines would destroy the file. of names the file system of an existing path, and is empty
// where that cannot be told.
func refuseNetwork(path string, of func(string) (string, error)) error {
	here := filepath.Dir(path)
	for {
		if _, err := os.Stat(here); err == nil {
			break
		}
		up := filepath.Dir(here)
		if up == here {
			return nil // nothing of it exists: whoever makes the folder will say what is wrong
		}
		here = up
	}
	name, err := of(here)
	if err != nil || !slices.Contains(networkFileSystems(), name) {
		return nil // not knowing is no reason to refuse
	}
	return &FileError{Path: path, Kind: Network, Err: fmt.Errorf("%s; it must be on a disk of this machine", name)}
}

// networkFileSystems lists what the files of another machine come through, by the names that fileSystem gives.
func networkFileSystems() []string {
	return []string{
		"nfs", "smb", "cifs", "smb2", "9p", "afs", "coda", "ncp", "ceph", "lustre", "ocfs2", "gfs2", "vboxsf",
		"fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.ceph", "fuse.davfs2", "fuse.smbnetfs",
	}
}
