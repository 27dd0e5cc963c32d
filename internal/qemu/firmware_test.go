package qemu

import (
	"errors"
	"strings"
	"testing"
)

func TestFindFirmware(t *testing.T) {
	tests := []struct {
		name    string
		arch    Arch
		bits32  bool
		program string
		files   []string
		want    Flash // zero for an error
	}{
		{
			"Debian has both builds", X86_64, false, "/usr/bin/qemu-system-x86_64",
			[]string{
				"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd",
				"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd",
			},
			Flash{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
		},
		{
			"Fedora", X86_64, false, "/usr/bin/qemu-system-x86_64",
			[]string{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
			Flash{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
		},
		{
			"QEMU's own", X86_64, false, "/nix/store/x-qemu/bin/qemu-system-x86_64",
			[]string{"/nix/store/x-qemu/share/qemu/edk2-x86_64-code.fd", "/nix/store/x-qemu/share/qemu/edk2-i386-vars.fd"},
			Flash{"/nix/store/x-qemu/share/qemu/edk2-x86_64-code.fd", "/nix/store/x-qemu/share/qemu/edk2-i386-vars.fd"},
		},
		{
			"aarch64 on Debian", AArch64, false, "/usr/bin/qemu-system-aarch64",
			[]string{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
			Flash{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
		},
		{
			"half a pair", X86_64, false, "/usr/bin/qemu-system-x86_64",
			[]string{"/usr/share/OVMF/OVMF_CODE_4M.fd"}, Flash{},
		},
		{"none", AArch64, false, "/usr/bin/qemu-system-aarch64", nil, Flash{}},
		{
			"32 bits on Debian", X86_64, true, "/usr/bin/qemu-system-x86_64",
			[]string{
				"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd",
				"/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF32_VARS_4M.fd",
			},
			Flash{"/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF32_VARS_4M.fd"},
		},
		{
			"32 bits of QEMU's own", X86_64, true, "/opt/bin/qemu-system-x86_64",
			[]string{"/opt/share/qemu/edk2-i386-code.fd", "/opt/share/qemu/edk2-i386-vars.fd"},
			Flash{"/opt/share/qemu/edk2-i386-code.fd", "/opt/share/qemu/edk2-i386-vars.fd"},
		},
		{
			"64 bits alone", X86_64, true, "/usr/bin/qemu-system-x86_64",
			[]string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"}, Flash{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			exists := func(path string) bool {
				for _, f := range test.files {
					if f == path {
						return true
					}
				}
				return false
			}
			m := Machine{Arch: test.arch, Firmware32: test.bits32, Program: test.program}
			got, err := m.findFirmware(exists)
			if got != test.want {
				t.Errorf("findFirmware = %v, want %v", got, test.want)
			}
			if test.want != (Flash{}) {
				return
			}
			var missing *FirmwareError
			if !errors.As(err, &missing) || missing.Arch != test.arch || missing.Bits32 != test.bits32 {
				t.Fatalf("findFirmware error = %v, want a FirmwareError for %s", err, test.arch)
			}
			which := "for "
			if test.bits32 {
				which = "of 32 bits for "
			}
			if !strings.HasPrefix(err.Error(), "no UEFI firmware "+which+string(test.arch)+" in /usr/share/") {
				t.Errorf("error = %q does not say where it looked", err)
			}
		})
	}
}
