package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/advice"
	"github.com/livebuild/livebuild/internal/qemu"
)

// ownHints are advice on the errors of the command line itself.
var ownHints = []advice.Row{
	advice.OnValue(notBootedHint),
	advice.On[*portError]("choose another port, or end what uses this one"),
	advice.On[*declinedError]("type the name as it is shown; 'livebuild devices' lists the disks"),
	advice.OnValue(func(e *silentError) string {
		return "to write without a question, say --yes and " + advice.DiskName(e.disk)
	}),
	advice.OnValue(func(e *rightsError) string {
		if e.command != "" {
			return e.command
		}
		return advice.TwoSteps
	}),
	advice.On[*noModeError]("set isoImage.makeEfiBootable = true, and for x86_64 isoImage.makeBiosBootable = true, in the configuration or in a --module"),
	advice.OnValue(unbootableHint),
	advice.On[*changedImageError]("wait until the file is complete, and write it again"),
	advice.On[*streamError]("-o FILE writes a file, which can go through a pipe then; -o ./- writes one of that name"),
	advice.On[*usageError](advice.Usage),
}

// hintFor is the advice on an error.
func hintFor(err error) string { return advice.For(err, ownHints...) }

// is says whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// notBootedHint is advice on the first boot that failed.
func notBootedHint(e *notBootedError) string {
	r := e.failed[0]
	outcome := r.verdict.Outcome
	switch outcome {
	case qemu.Silent:
		return "what the firmware started never spoke: the boot loader may be damaged; see " + r.seen()
	case qemu.TimedOut:
		return "--expect takes another text than a login prompt, --test-timeout more time; see " + r.seen()
	case qemu.NoBootDevice:
		return "the firmware did not take the image for bootable: it may be damaged or cut off"
	case qemu.LoaderPrompt:
		return "the boot loader lacks its menu or a file that the menu names; see " + r.seen()
	case qemu.EmergencyShell:
		return "the first stage did not find, or could not mount, what it needs: check the volume ID and the store image; see " + r.seen()
	}
	return "see " + r.seen()
}

// seen is where a failed boot can be looked at.
func (r *bootResult) seen() string {
	files := slices.DeleteFunc([]string{r.Log, r.Screenshot}, func(f string) bool { return f == "" })
	if len(files) == 0 {
		return "the lines above"
	}
	return strings.Join(files, " and ")
}

// unbootableHint says what makes a stick start.
func unbootableHint(e *unbootableError) string {
	if e.contents.Disc {
		return "of a NixOS configuration: set isoImage.makeUsbBootable = true and isoImage.makeEfiBootable = true, and build it again; " +
			"of another image made with isolinux: isohybrid --uefi FILE; installers of Windows need a program such as Ventoy"
	}
	return "a stick that starts has a disk image with a partition table and a boot loader"
}
