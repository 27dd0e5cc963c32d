package device

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Unmount unmounts everything of a disk, what was mounted last first, and looks
// at the disk again. What holds the disk otherwise stays.
func Unmount(h Host, d Disk) (Disk, error) {
	mounts := d.Mounts()
	for i := len(mounts) - 1; i >= 0; i-- {
		point := mounts[i].By
		if err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW); err != nil {
			return d, &fs.PathError{Op: "unmounting", Path: point, Err: err}
		}
	}
	now, err := h.Find(d.Path)
	if err != nil {
		return d, err
	}
	if !now.same(d) {
		return d, &ChangedError{d.Path}
	}
	return now, nil
}
