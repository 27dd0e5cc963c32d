// Package disk is the verbs that write images to disks, and what else does so.
package disk

import (
	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// verbs are those of one run.
type verbs struct{ *face.App }

// Hints are advice on the errors of these verbs.
var Hints = []advice.Row{
	advice.On[*declinedError]("type the name as it is shown; 'livebuild devices' lists the disks"),
	advice.OnValue(func(e *silentError) string {
		return "to write without a question, say --yes and " + advice.DiskName(e.disk)
	}),
	advice.OnValue(unbootableHint),
	advice.OnValue(func(e *ForgetfulError) string {
		if e.LUKS {
			return "build it again with 'livebuild iso --persistent=luks', or write it without --persist-luks"
		}
		return "build it again with 'livebuild iso --persistent', or write it without --persist"
	}),
	advice.On[*changedImageError]("wait until the file is complete, and write it again"),
}

// unbootableHint says what makes a stick start.
func unbootableHint(e *unbootableError) string {
	if e.contents.Disc {
		return "of a NixOS configuration: set isoImage.makeUsbBootable = true and isoImage.makeEfiBootable = true, and build it again; " +
			"of another image made with isolinux: isohybrid --uefi FILE; installers of Windows need a program such as Ventoy"
	}
	return "a stick that starts has a disk image with a partition table and a boot loader"
}
