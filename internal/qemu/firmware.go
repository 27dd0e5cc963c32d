package qemu

import (
	"os"
	"path/filepath"
)

// Flash names the two files of a UEFI firmware: the program, and the store of its
// variables, which the firmware writes to.
type Flash struct {
	Code string
	Vars string
}

// firmwareFiles lists where the UEFI firmware of an architecture lies, the best first:
// 4 MiB builds before 2 MiB ones, distributions' own before those that come with QEMU.
// Builds that insist on Secure Boot are not among them, but for 32 bits, where there are
// hardly any others: without keys it is off.
var firmwareFiles = map[Arch][]Flash{
	X86_64: {
		// Debian, Ubuntu
		{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		// Fedora
		{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
		// Arch, now and before 2024
		{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
		{"/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},
		// openSUSE
		{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"},
		// NixOS with libvirt
		{"/run/libvirt/nix-ovmf/OVMF_CODE.fd", "/run/libvirt/nix-ovmf/OVMF_VARS.fd"},
	},
	AArch64: {
		// Debian, Ubuntu
		{"/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
		{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
		// Fedora
		{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
		// Arch
		{"/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"},
		// openSUSE
		{"/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"},
		// NixOS with libvirt
		{"/run/libvirt/nix-ovmf/AAVMF_CODE.fd", "/run/libvirt/nix-ovmf/AAVMF_VARS.fd"},
	},
}

// firmwareFiles32 is the same of x86_64 machines with firmware of 32 bits.
var firmwareFiles32 = []Flash{
	// Debian, Ubuntu
	{"/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF32_VARS_4M.fd"},
	// Fedora
	{"/usr/share/edk2/ovmf-ia32/OVMF_CODE.fd", "/usr/share/edk2/ovmf-ia32/OVMF_VARS.fd"},
	// Arch, now and before 2024
	{"/usr/share/edk2/ia32/OVMF_CODE.4m.fd", "/usr/share/edk2/ia32/OVMF_VARS.4m.fd"},
	{"/usr/share/edk2-ovmf/ia32/OVMF_CODE.fd", "/usr/share/edk2-ovmf/ia32/OVMF_VARS.fd"},
}

// secureFirmwareFiles are those that insist on Secure Boot if they have keys, with variables that have
// none. That of 32 bits is among firmwareFiles32.
var secureFirmwareFiles = map[Arch][]Flash{
	X86_64: {
		// Debian, Ubuntu
		{"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		{"/usr/share/OVMF/OVMF_CODE.secboot.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		// Fedora
		{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
		// Arch
		{"/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
		// openSUSE
		{"/usr/share/qemu/ovmf-x86_64-smm-code.bin", "/usr/share/qemu/ovmf-x86_64-smm-vars.bin"},
	},
	AArch64: {
		// Debian from 13 on, Ubuntu
		{"/usr/share/AAVMF/AAVMF_CODE.secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
		// Debian 12: its one build, under the name that it has with variables of Microsoft's keys
		{"/usr/share/AAVMF/AAVMF_CODE.ms.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
	},
}

// bundledSecureFirmware is that of QEMU itself.
var bundledSecureFirmware = map[Arch]Flash{
	X86_64: {"edk2-x86_64-secure-code.fd", "edk2-i386-vars.fd"},
}

// bundledFirmware names the firmware that QEMU installs itself, in share/qemu beside its bin:
// on NixOS, and wherever QEMU was built from its sources.
var bundledFirmware = map[Arch]Flash{
	X86_64:  {"edk2-x86_64-code.fd", "edk2-i386-vars.fd"},
	AArch64: {"edk2-aarch64-code.fd", "edk2-arm-vars.fd"},
}

var bundledFirmware32 = Flash{"edk2-i386-code.fd", "edk2-i386-vars.fd"}

// findFirmware returns the UEFI firmware for the machine that this host has. The machine's program
// may bring its own. The error is a [FirmwareError] if there is none.
func (m Machine) findFirmware(exists func(string) bool) (Flash, error) {
	candidates, bundled := firmwareFiles[m.Arch], bundledFirmware[m.Arch]
	switch {
	case m.Firmware32 && m.SecureBoot:
		candidates, bundled = firmwareFiles32[:1], Flash{Code: "edk2-i386-secure-code.fd", Vars: "edk2-i386-vars.fd"}
	case m.Firmware32:
		candidates, bundled = firmwareFiles32, bundledFirmware32
	case m.SecureBoot:
		candidates, bundled = secureFirmwareFiles[m.Arch], bundledSecureFirmware[m.Arch]
	}
	if m.Program != "" && bundled != (Flash{}) {
		share := filepath.Join(filepath.Dir(filepath.Dir(m.Program)), "share", "qemu")
		candidates = append(candidates[:len(candidates):len(candidates)], Flash{
			Code: filepath.Join(share, bundled.Code),
			Vars: filepath.Join(share, bundled.Vars),
		})
	}
	for _, f := range candidates {
		if exists(f.Code) && exists(f.Vars) {
			return f, nil
		}
	}
	return Flash{}, &FirmwareError{Arch: m.Arch, Bits32: m.Firmware32, Secure: m.SecureBoot, Tried: candidates}
}

// romFiles are where iPXE for the network adapter lies: one file with a program for a BIOS, and one for UEFI.
var romFiles = []string{
	"/usr/lib/ipxe/qemu/efi-virtio.rom",   // Debian, Ubuntu
	"/usr/share/ipxe/qemu/efi-virtio.rom", // Fedora
	"/usr/share/qemu/efi-virtio.rom",      // Arch, openSUSE
}

// checkROM finds out whether QEMU will find one of the files, which it looks for itself. The machine's program may
// bring its own. The error is a [ROMError].
func (m Machine) checkROM(exists func(string) bool) error {
	candidates := romFiles
	if m.Program != "" {
		share := filepath.Join(filepath.Dir(filepath.Dir(m.Program)), "share", "qemu")
		candidates = append(candidates[:len(candidates):len(candidates)], filepath.Join(share, "efi-virtio.rom"))
	}
	for _, file := range candidates {
		if exists(file) {
			return nil
		}
	}
	return &ROMError{Arch: m.Arch, Tried: candidates}
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
