package cli

import (
	"errors"
	"slices"

	"github.com/livebuild/livebuild/internal/device"
)

// diskHint is advice on disks, or empty.
func diskHint(err error) string {
	var (
		partition *device.PartitionError
		used      *device.InUseError
		failed    *device.IOError
		unstable  *device.UnstableNameError
		notStick  *device.NotStickError
		silent    *silentError
		rights    *rightsError

		unbootable *unbootableError
	)
	switch {
	case is[*device.MissingError](err), is[*device.NotDiskError](err):
		return "'livebuild devices' lists the disks"
	case errors.As(err, &partition):
		return "an image is a disk with partitions of its own: write it to " + partition.Disk
	case errors.As(err, &used):
		return useHint(used.Disk)
	case is[*device.ReadOnlyError](err):
		return "look for a switch on its side; a stick that is worn out stays read-only"
	case is[*device.NoMediumError](err):
		return "put one in"
	case is[*device.TooSmallError](err):
		return "take a larger one, or make a smaller image"
	case is[*device.ChangedError](err):
		return "'livebuild devices' lists what is there now"
	case is[*device.StalledError](err):
		return "plug it in again, in another port; one that does this again is broken. --stall-timeout gives it more time"
	case errors.As(err, &failed) && failed.Gone():
		return "it was pulled out, or lost its power: plug it in and write again; what it has already is kept"
	case errors.As(err, &failed):
		return "the disk is broken, or not as large as it claims: take another one"
	case is[*device.DifferenceError](err):
		return "write the image again; a disk that differs even then is broken, or not as large as it claims"
	case errors.As(err, &unstable):
		return "--yes asks nothing and needs a name that stays: if it is the right one, " + nameHint(unstable.Disk)
	case errors.As(err, &notStick):
		return "if it is the right one, " + nameHint(notStick.Disk)
	case is[*device.SerialError](err), is[*device.WrongSerialError](err):
		return "'livebuild devices' lists serial numbers"
	case is[*declinedError](err):
		return "type the name as it is shown; 'livebuild devices' lists the disks"
	case errors.As(err, &silent):
		return "to write without a question, say --yes and " + nameHint(silent.disk)
	case errors.As(err, &rights) && rights.command != "":
		return rights.command
	case errors.As(err, &rights), is[*device.NotOpenedError](err):
		return "in two steps: 'livebuild iso INSTALLABLE -o image.iso' as you are, and 'livebuild write image.iso DEVICE' as root"
	case is[*noModeError](err):
		return "set isoImage.makeEfiBootable = true, and for x86_64 isoImage.makeBiosBootable = true, in the configuration or in a --module"
	case errors.As(err, &unbootable):
		return unbootableHint(unbootable)
	case is[*changedImageError](err):
		return "wait until the file is complete, and write it again"
	}
	return ""
}

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

// nameHint says how to name a disk so that it can be no other.
func nameHint(d device.Disk) string {
	switch {
	case d.Serial != "":
		return "name it by --serial " + quote(d.Serial)
	case len(d.IDs) > 0:
		return "name it " + d.IDs[0]
	}
	return "name it by a link in /dev/disk/by-id; it has no serial number"
}
