package ledger

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// fuseMagic marks every file system that a program serves; which one it is stands in the list of mounts.
const fuseMagic = 0x65735546

// fileSystem names the file system of a path, or is empty for one that is certainly local or not known.
func fileSystem(path string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "", err
	}
	magic := int64(fs.Type) //nolint:unconvert // 32 bits on some machines
	if magic != fuseMagic {
		return magicName(magic), nil
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	dev := uint64(st.Dev) //nolint:unconvert // 32 bits on some machines
	return mountType(mounts, fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)))
}

// magicName names the file systems of statfs(2) that networkFileSystems lists.
func magicName(magic int64) string {
	switch uint32(magic) {
	case 0x6969:
		return "nfs"
	case 0x517B:
		return "smb"
	case 0xFF534D42:
		return "cifs"
	case 0xFE534D42:
		return "smb2"
	case 0x01021997:
		return "9p"
	case 0x5346414F, 0x6B414653:
		return "afs"
	case 0x73757245:
		return "coda"
	case 0x564C:
		return "ncp"
	case 0x00C36400:
		return "ceph"
	case 0x0BD00BD0:
		return "lustre"
	case 0x7461636F:
		return "ocfs2"
	case 0x01161970:
		return "gfs2"
	case 0x786F4256:
		return "vboxsf"
	}
	return ""
}

// mountType finds the type of the mount with a device number, as "major:minor", in the kernel's list of mounts (proc(5)).
func mountType(mounts io.Reader, device string) (string, error) {
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		front, back, ok := strings.Cut(lines.Text(), " - ")
		if f := strings.Fields(front); !ok || len(f) < 3 || f[2] != device {
			continue
		}
		name, _, _ := strings.Cut(back, " ")
		return name, nil
	}
	return "", lines.Err()
}
