package advice

import (
	"fmt"
	"strings"

	"github.com/livebuild/livebuild/internal/qemu"
)

// qemuHints are advice on virtual machines.
var qemuHints = []Row{
	On[*qemu.ROMError]("install iPXE for QEMU, as Debian's package ipxe-qemu; it is there for x86_64 alone"),
	On[*qemu.ProgramError]("install QEMU (Debian: qemu-system-x86 or qemu-system-arm; Fedora, Arch: qemu; or run 'nix shell nixpkgs#qemu' first)"),
	OnValue(func(e *qemu.FirmwareError) string {
		if e.Bits32 {
			return "install UEFI firmware of 32 bits (Debian: ovmf-ia32; Fedora: edk2-ovmf-ia32; Arch: edk2-ovmf)"
		}
		return "install UEFI firmware (Debian: ovmf or qemu-efi-aarch64; Fedora: edk2-ovmf or edk2-aarch64; Arch: edk2-ovmf or edk2-aarch64)"
	}),
	On[*qemu.MemoryError]("give the guest less memory with --memory, or free some"),
	OnValue(func(e *qemu.FirmwareMemoryError) string { return fmt.Sprintf("--memory %d, or more", e.NeededMiB) }),
	OnValue(hostHint),
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
