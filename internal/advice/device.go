package advice

import (
	"slices"

	"github.com/livebuild/livebuild/internal/device"
	"github.com/livebuild/livebuild/internal/human"
)

// deviceHints are advice on disks.
var deviceHints = []Row{
	On[*device.MissingError](listDisks),
	On[*device.NotDiskError](listDisks),
	OnValue(func(e *device.PartitionError) string {
		return "an image is a disk with partitions of its own: name " + e.Disk
	}),
	OnValue(func(e *device.InUseError) string { return useHint(e.Disk) }),
	On[*device.ReadOnlyError]("look for a switch on its side; a stick that is worn out stays read-only"),
	On[*device.NoMediumError]("put one in"),
	On[*device.TooSmallError]("take a larger one, or make a smaller image"),
	On[*device.ChangedError]("'livebuild devices' lists what is there now"),
	On[*device.StalledError]("plug it in again, in another port; one that does this again is broken. --stall-timeout gives it more time"),
	OnValue(func(e *device.IOError) string {
		if e.Gone() {
			return "it was pulled out, or lost its power: plug it in and write again; what it has already is kept"
		}
		return "the disk is broken, or not as large as it claims: take another one"
	}),
	On[*device.DifferenceError]("write the image again; a disk that differs even then is broken, or not as large as it claims"),
	OnValue(func(e *device.UnstableNameError) string {
		return "--yes asks nothing and needs a name that stays: if it is the right one, " + DiskName(e.Disk)
	}),
	OnValue(func(e *device.NotStickError) string { return "if it is the right one, " + DiskName(e.Disk) }),
	On[*device.SerialError](listSerials),
	On[*device.WrongSerialError](listSerials),
	On[*device.TwiceError](Usage),
	On[*device.NotOpenedError](TwoSteps),
}

const (
	listDisks   = "'livebuild devices' lists the disks"
	listSerials = "'livebuild devices' lists serial numbers"
	// TwoSteps is for those who may not open disks while Nix may not run as root.
	TwoSteps = "in two steps: 'livebuild iso INSTALLABLE -o image.iso' as you are, and 'livebuild write image.iso DEVICE' as root"
)

// useHint is advice on a disk that something holds.
func useHint(d device.Disk) string {
	mounted := slices.ContainsFunc(d.Uses, func(u device.Use) bool { return u.Kind != device.Swap && u.System })
	if mounted {
		return "'livebuild devices' lists the disks that may be written"
	}
	for _, u := range d.Uses {
		switch u.Kind {
		case device.Swap:
			return "if it is the right disk: swapoff " + u.Path
		case device.Held:
			return "if it is the right disk, stop what uses it: 'vgchange --activate n' for LVM, 'mdadm --stop' for a RAID, 'cryptsetup close', 'dmsetup remove'"
		case device.Member:
			return "if nobody needs that any more: wipefs --all " + u.Path
		}
	}
	if len(d.Uses) > 0 {
		return "if it is the right disk, --unmount unmounts it"
	}
	return "another program has it open: close that first; a pool of ZFS with 'zpool export'"
}

// DiskName says how to name a disk so that it can be no other.
func DiskName(d device.Disk) string {
	switch {
	case d.Serial != "":
		return "name it by --serial " + human.Quote(d.Serial)
	case len(d.IDs) > 0:
		return "name it " + d.IDs[0]
	}
	return "name it by a link in /dev/disk/by-id; it has no serial number"
}
