package cli

import (
	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/cli/face"
)

// ownHints are advice on the errors of the command line itself.
var ownHints = []advice.Row{
	advice.On[*portError]("choose another port, or end what uses this one"),
	advice.On[*declinedError]("type the name as it is shown; 'livebuild devices' lists the disks"),
	advice.OnValue(func(e *silentError) string {
		return "to write without a question, say --yes and " + advice.DiskName(e.disk)
	}),
	advice.OnValue(func(e *face.RightsError) string {
		if e.Command != "" {
			return e.Command
		}
		return advice.TwoSteps
	}),
	advice.On[*noModeError]("set isoImage.makeEfiBootable = true, and for x86_64 isoImage.makeBiosBootable = true, in the configuration or in a --module"),
	advice.OnValue(unbootableHint),
	advice.On[*changedImageError]("wait until the file is complete, and write it again"),
	advice.On[*streamError]("-o FILE writes a file, which can go through a pipe then; -o ./- writes one of that name"),
	advice.On[*face.UsageError](advice.Usage),
}

// hintFor is the advice on an error.
func hintFor(err error) string { return advice.For(err, ownHints...) }

// unbootableHint says what makes a stick start.
func unbootableHint(e *unbootableError) string {
	if e.contents.Disc {
		return "of a NixOS configuration: set isoImage.makeUsbBootable = true and isoImage.makeEfiBootable = true, and build it again; " +
			"of another image made with isolinux: isohybrid --uefi FILE; installers of Windows need a program such as Ventoy"
	}
	return "a stick that starts has a disk image with a partition table and a boot loader"
}
