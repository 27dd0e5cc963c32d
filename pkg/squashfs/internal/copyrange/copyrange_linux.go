package copyrange

import (
	"os"

	"golang.org/x/sys/unix"
)

// copyFiles uses copy_file_range(2).
func copyFiles(dst *os.File, to int64, src *os.File, from, size int64) (done int64) {
	for done < size {
		to, from := to+done, from+done
		n, err := unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(size-done), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 { // not between these, or not now
			break
		}
		done += int64(n)
	}
	return done
}
