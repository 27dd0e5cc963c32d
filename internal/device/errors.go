package device

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// MissingError says that there is nothing at a path.
type MissingError struct{ Path string }

func (e *MissingError) Error() string { return e.Path + " does not exist" }

// NotDiskError says that a path does not lead to a disk.
type NotDiskError struct {
	Path string
	What string // it is instead
}

func (e *NotDiskError) Error() string { return fmt.Sprintf("%s is %s, not a disk", e.Path, e.What) }

// PartitionError says that a path leads to a part of a disk.
type PartitionError struct {
	Path string
	Disk string // the path of the whole
}

func (e *PartitionError) Error() string {
	return fmt.Sprintf("%s is a partition of %s, not a whole disk", e.Path, e.Disk)
}

// InUseError says that something holds a disk.
type InUseError struct{ Disk Disk }

func (e *InUseError) Error() string {
	if len(e.Disk.Uses) == 0 { // the kernel alone knows
		return e.Disk.Path + " is in use"
	}
	uses := make([]string, len(e.Disk.Uses))
	for i, u := range e.Disk.Uses {
		uses[i] = u.String()
	}
	if e.Disk.System() {
		return fmt.Sprintf("%s holds the running system: %s", e.Disk.Path, strings.Join(uses, ", "))
	}
	return fmt.Sprintf("%s is in use: %s", e.Disk.Path, strings.Join(uses, ", "))
}

// ReadOnlyError says that a disk cannot be written.
type ReadOnlyError struct{ Path string }

func (e *ReadOnlyError) Error() string { return e.Path + " is read-only" }

// NoMediumError says that there is nothing in a drive.
type NoMediumError struct{ Path string }

func (e *NoMediumError) Error() string { return e.Path + " has no medium" }

// TooSmallError says that an image does not fit.
type TooSmallError struct {
	Path       string
	Size, Need int64 // in bytes
}

func (e *TooSmallError) Error() string {
	return fmt.Sprintf("%s has %d bytes, too small for an image of %d bytes", e.Path, e.Size, e.Need)
}

// ChangedError says that a disk is not the one any more that was looked at.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return e.Path + " is another disk now than a moment ago"
}

// StalledError says that a device has taken, or given, nothing for too long.
type StalledError struct {
	Path   string
	Offset int64
	After  string // how long it was given
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("%s does not answer: nothing happened for %s at byte %d", e.Path, e.After, e.Offset)
}

// IOError says where reading or writing failed.
type IOError struct {
	Op     string // "reading", "writing" or "syncing"
	Path   string
	Offset int64 // of the first block that failed; negative if none is known
	Err    error
	// Removed tells that the disk is not there any more, whatever Err says.
	Removed bool
}

func (e *IOError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err)
	}
	return fmt.Sprintf("%s %s at byte %d: %v", e.Op, e.Path, e.Offset, e.Err)
}

func (e *IOError) Unwrap() error { return e.Err }

// Gone reports whether the reason is that the device is not there any more.
func (e *IOError) Gone() bool { return e.Removed || gone(e.Err) }

// gone reports whether an error means that no further try can help.
func gone(err error) bool {
	for _, errno := range []unix.Errno{unix.ENODEV, unix.ENXIO, unix.ENOMEDIUM, unix.ESHUTDOWN} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// DifferenceError says that a device does not hold what it should.
type DifferenceError struct {
	Path   string
	Offset int64
	Length int64 // of what is known to hold the first difference; 1 if it is that byte
}

func (e *DifferenceError) Error() string {
	if e.Length == 1 {
		return fmt.Sprintf("%s differs from the image at byte %d", e.Path, e.Offset)
	}
	return fmt.Sprintf("%s differs from the image within %d bytes from byte %d on", e.Path, e.Length, e.Offset)
}
