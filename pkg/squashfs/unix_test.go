//go:build unix

package squashfs

import (
	"io/fs"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func mkfifo(t testing.TB, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o640); err != nil {
		t.Fatal(err)
	}
}

// unixInode is what stat(2) says and io/fs does not.
type unixInode struct {
	uid, gid      uint32
	number, links uint64
	major, minor  uint32 // of the device that it is
}

func statOf(info fs.FileInfo) unixInode {
	st := info.Sys().(*syscall.Stat_t)
	return unixInode{uid: st.Uid, gid: st.Gid, number: uint64(st.Ino), links: uint64(st.Nlink), major: unix.Major(uint64(st.Rdev)), minor: unix.Minor(uint64(st.Rdev))}
}
