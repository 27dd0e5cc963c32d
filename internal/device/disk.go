// Package device lists the disks of a machine, says which of them must not be
// written, and writes an image to those that may be.
//
// A [Host] reads /sys and /proc and yields [Disk] values; [Disk.Check] and
// [Disk.CheckSize] refuse with an error that has a type of its own. [Open] takes
// a disk for this process alone. A [Transfer] writes one image to several
// [Device] values at once, past the page cache, its head last, and reads it
// back. Devices are told apart by their numbers, never by their names, which
// change when a stick is plugged in again.
//
// It writes whole block devices of Linux alone: no partitions, no files.
package device

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/livebuild/livebuild/internal/magic"
)

// Number is the number of a block device (makedev(3)).
type Number struct{ Major, Minor uint32 }

// String returns the form of /sys/dev/block and mountinfo.
func (n Number) String() string { return fmt.Sprintf("%d:%d", n.Major, n.Minor) }

func numberOf(rdev uint64) Number { return Number{unix.Major(rdev), unix.Minor(rdev)} }

// parseNumber reads what String returns.
func parseNumber(s string) (n Number, err error) {
	_, err = fmt.Sscanf(strings.TrimSpace(s), "%d:%d", &n.Major, &n.Minor)
	return n, err
}

// Bus is how a disk is connected.
type Bus string

// The buses that are told apart; any other disk has the empty one.
const (
	USB    Bus = "usb"
	MMC    Bus = "mmc"
	ATA    Bus = "ata"
	SCSI   Bus = "scsi"
	NVMe   Bus = "nvme"
	Virtio Bus = "virtio"
	Loop   Bus = "loop" // no hardware, but a file
)

// Disk is a whole disk as it was when it was looked at.
type Disk struct {
	Name       string // the kernel's, such as sdb
	Path       string // /dev/sdb
	Number     Number
	Sequence   uint64 // of the disk in this drive since the machine started; 0 if the kernel does not count
	Size       int64  // in bytes; 0 without a medium
	SectorSize int    // logical, in bytes
	Vendor     string
	Model      string // of a loop device the file behind it
	Serial     string
	Bus        Bus
	Removable  bool
	ReadOnly   bool
	IDs        []string      // names in /dev/disk/by-id, sorted
	Content    magic.Content // of the disk as a whole
	Partitions []Partition
	Uses       []Use // what holds the disk or a part of it
}

// Partition is a part of a disk, as the kernel knows it.
type Partition struct {
	Name    string
	Path    string
	Number  Number
	Offset  int64 // in bytes
	Size    int64 // in bytes
	Content magic.Content
	Label   string // in the partition table (PARTLABEL); empty if it has none
}

// UseKind is a way of holding a disk.
type UseKind string

// The ways of holding a disk. A member belongs to something that is not at
// work: nothing stops writing it, but its loss would be a surprise.
const (
	Mounted UseKind = "mounted"
	Swap    UseKind = "swap"
	Held    UseKind = "held"   // by another block device: LVM, md, dm, bcache
	Member  UseKind = "member" // by its signature: of LVM, md, ZFS, bcache
)

// Use is one thing that holds a disk or a part of it.
type Use struct {
	Path   string // of the disk or the partition
	Kind   UseKind
	By     string // mount point, name of the device above, kind of set
	System bool   // the running system needs it
}

// String says it in words.
func (u Use) String() string {
	switch u.Kind {
	case Mounted:
		return fmt.Sprintf("%s is mounted at %s", u.Path, u.By)
	case Swap:
		return u.Path + " is swap space at work"
	case Held:
		return fmt.Sprintf("%s is part of %s", u.Path, u.By)
	}
	return fmt.Sprintf("%s is a member of %s", u.Path, u.By)
}

// largestStick is what a disk may have to pass for a stick: beyond that a disk
// on USB is more likely somebody's backup.
const largestStick = 256_000_000_000

// Stick reports whether the disk is what people write images to: it can be
// taken out, and is not large. A loop device is as good as one, since it has to
// be made on purpose.
func (d Disk) Stick() bool {
	return (d.Removable || d.Bus == USB || d.Bus == MMC || d.Bus == Loop) && d.Size <= largestStick
}

// System reports whether the running system needs the disk.
func (d Disk) System() bool {
	return slices.ContainsFunc(d.Uses, func(u Use) bool { return u.System })
}

// Mounts are the uses that unmounting ends.
func (d Disk) Mounts() []Use {
	var mounts []Use
	for _, u := range d.Uses {
		if u.Kind == Mounted {
			mounts = append(mounts, u)
		}
	}
	return mounts
}

// same reports whether two looks were at the same disk.
func (d Disk) same(other Disk) bool {
	return d.Number == other.Number && d.Sequence == other.Sequence && d.Size == other.Size &&
		d.Model == other.Model && d.Serial == other.Serial
}
