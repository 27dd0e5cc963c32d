//go:build unix && !linux

package squashfs

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// own fills in what Unix has and io/fs has not.
func (d *hostDir) own(a *Attributes, info fs.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	a.UID, a.GID = st.Uid, st.Gid
	a.Device = DeviceNumber(unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	if st.Nlink > 1 && !a.Mode.IsDir() {
		a.Link = d.links.of(uint64(st.Dev), uint64(st.Ino))
	}
}
