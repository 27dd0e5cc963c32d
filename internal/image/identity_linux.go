package image

import (
	"fmt"
	"io/fs"
	"syscall"
)

// identityOf tells whether a file is still what it was: which one it is, how long, and when its contents
// or anything else of it changed last, which no program can set (st_ctim, inode(7)). It is empty where
// that is not known.
func identityOf(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d.%09d", s.Dev, s.Ino, s.Size, s.Ctim.Sec, s.Ctim.Nsec)
}
