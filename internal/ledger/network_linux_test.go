package ledger

import (
	"slices"
	"strings"
	"testing"
)

func TestMagicNames(t *testing.T) {
	for magic, want := range map[int64]string{
		0x6969: "nfs", 0x517B: "smb", 0xFF534D42: "cifs", -0xACB2BE: "cifs", 0xFE534D42: "smb2", 0x01021997: "9p", 0x5346414F: "afs", 0x6B414653: "afs",
		0xEF53: "", 0x01021994: "", 0x9123683E: "", 0x58465342: "", 0x794C7630: "", // ext4, tmpfs, btrfs, xfs, overlay
	} {
		if got := magicName(magic); got != want {
			t.Errorf("%#x: %q, want %q", magic, got, want)
		} else if got != "" && !slices.Contains(networkFileSystems(), got) {
			t.Errorf("%q is not refused", got)
		}
	}
}

func TestMountType(t *testing.T) {
	const mounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:45 / /mnt/far\040away rw,nosuid shared:7 master:1 - fuse.sshfs me@host:/ rw,user_id=0
31 22 0:46 / /mnt/near rw - fuse.mergerfs a:b rw
bad line
`
	for device, want := range map[string]string{"254:0": "ext4", "0:45": "fuse.sshfs", "0:46": "fuse.mergerfs", "9:9": ""} {
		if got, err := mountType(strings.NewReader(mounts), device); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", device, got, want, err)
		}
	}
}
