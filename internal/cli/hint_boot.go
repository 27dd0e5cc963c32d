package cli

import (
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/qemu"
)

// notBootedHint is advice on the first boot that failed.
func notBootedHint(e *notBootedError) string {
	r := e.failed[0]
	outcome := r.verdict.Outcome
	switch outcome {
	case qemu.Silent:
		return "what the firmware started never spoke: the boot loader may be damaged; see " + r.seen()
	case qemu.TimedOut:
		return "--expect takes another text than a login prompt, --timeout more time; see " + r.seen()
	case qemu.NoBootDevice:
		return "the firmware did not take the image for bootable: it may be damaged or cut off"
	case qemu.LoaderPrompt:
		return "the boot loader lacks its menu or a file that the menu names; see " + r.seen()
	case qemu.EmergencyShell:
		return "the first stage did not find, or could not mount, what it needs: check the volume ID and the store image; see " + r.seen()
	}
	return "see " + r.seen()
}

// unheardHint is advice on a boot that said nothing.
const unheardHint = "give the kernel console=ttyS0,115200n8 (console=ttyAMA0,115200n8 on aarch64); --expect takes what the system says itself"

// seen is where a failed boot can be looked at.
func (r *bootResult) seen() string {
	files := slices.DeleteFunc([]string{r.Log, r.Screenshot}, func(f string) bool { return f == "" })
	if len(files) == 0 {
		return "the lines above"
	}
	return strings.Join(files, " and ")
}

// hostHint is advice on what QEMU says about itself.
func hostHint(e *qemu.HostError) string {
	switch {
	case strings.Contains(e.Message, "Cannot allocate memory"):
		return "give the guest less memory with --memory, or free some"
	case strings.Contains(e.Message, "gtk"):
		return "this QEMU has no window here (Debian: qemu-system-gui): --display vnc, or --display none --console"
	case strings.Contains(e.Message, "KVM"):
		return "KVM fails on this machine: keep QEMU from it by taking the permission to open /dev/kvm away"
	}
	return "the message is QEMU's own; --print of 'livebuild run' shows its command line"
}
