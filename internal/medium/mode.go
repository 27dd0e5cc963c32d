package medium

import (
	"fmt"
	"slices"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// Mode is a way in which an image starts a machine.
type Mode string

// The modes, by firmware and by what the image is copied to.
const (
	BIOSCD  Mode = "bios-cd"
	BIOSUSB Mode = "bios-usb"
	UEFICD  Mode = "uefi-cd"
	UEFIUSB Mode = "uefi-usb"

	NetbootBIOS Mode = "netboot-bios" // what follows is fetched over the network, by iPXE
	NetbootUEFI Mode = "netboot-uefi"
	Kexec       Mode = "kexec" // another system starts it

	// Loopback is the image as a file on a disk with FAT, which a GRUB of someone else's starts by UEFI; and the
	// same on exFAT, on ext4, and by BIOS.
	Loopback      Mode = "loopback"
	LoopbackExFAT Mode = "loopback-exfat"
	LoopbackExt4  Mode = "loopback-ext4"
	LoopbackBIOS  Mode = "loopback-bios"
)

// LoopbackMenu is what such a GRUB reads (www.supergrubdisk.org/wiki/Loopback.cfg).
const LoopbackMenu = "boot/grub/loopback.cfg"

// WithFile adds to modes of an image those of one that is a file, if it has the menu for them.
func (m *Medium) WithFile(modes []Mode) []Mode {
	if _, err := m.Files().Find(LoopbackMenu); err != nil {
		return modes
	}
	return append(slices.Clone(modes), FileModes(m.Arch == "x86_64")...)
}

// FileModes are those of an image that is a file.
func FileModes(x86 bool) []Mode {
	if x86 {
		return []Mode{Loopback, LoopbackExFAT, LoopbackExt4, LoopbackBIOS}
	}
	return []Mode{Loopback, LoopbackExFAT, LoopbackExt4}
}

// AllModes returns every boot mode, those of a medium first.
func AllModes() []Mode {
	return slices.Concat(MediumModes(), NetworkModes(true), []Mode{Kexec}, FileModes(true))
}

// MediumModes returns every mode of an image that a machine reads from a medium.
func MediumModes() []Mode { return []Mode{BIOSCD, BIOSUSB, UEFICD, UEFIUSB} }

// NetworkModes are those of a system that starts without a medium, by iPXE.
func NetworkModes(x86 bool) []Mode {
	if x86 {
		return []Mode{NetbootBIOS, NetbootUEFI}
	}
	return []Mode{NetbootUEFI}
}

// UEFI reports whether UEFI firmware starts the image, otherwise a PC BIOS does.
func (m Mode) UEFI() bool {
	return m == UEFICD || m == UEFIUSB || m == NetbootUEFI || m.AsFile() && m != LoopbackBIOS
}

// AsFile reports whether the image is a file, which GRUB starts whatever the firmware is.
func (m Mode) AsFile() bool { return slices.Contains(FileModes(true), m) }

// Netboot reports whether what starts comes over the network.
func (m Mode) Netboot() bool { return m == NetbootBIOS || m == NetbootUEFI }

// USB reports whether the image is on a stick, as such or as a file, otherwise on a disc.
func (m Mode) USB() bool { return m == BIOSUSB || m == UEFIUSB || m.AsFile() }

// ModeError says that an image does not claim a boot mode.
type ModeError struct {
	Mode  Mode
	Modes []Mode // that it claims
}

func (e *ModeError) Error() string {
	if e.Mode.AsFile() && !slices.ContainsFunc(e.Modes, Mode.AsFile) {
		return "the image has no menu for starting it from a file, /" + LoopbackMenu
	}
	return fmt.Sprintf("the image does not start as %s", e.Mode)
}

// Check returns a *ModeError unless the mode is among those that an image claims.
func (m Mode) Check(claimed []Mode) error {
	if !slices.Contains(claimed, m) {
		return &ModeError{Mode: m, Modes: claimed}
	}
	return nil
}

// claimedModes are the modes that the tables of an image speak of. One whose MBR is lost once was a
// disk.
func claimedModes(v hybridiso.Volume) []Mode {
	b := v.BootModes()
	var m []Mode
	if b.BIOSDisc {
		m = append(m, BIOSCD)
	}
	if b.BIOSDisk || v.LostMBR && b.BIOSDisc {
		m = append(m, BIOSUSB)
	}
	if b.EFIDisc {
		m = append(m, UEFICD)
	}
	if b.EFIDisk || v.LostMBR && b.EFIDisc {
		m = append(m, UEFIUSB)
	}
	return m
}
