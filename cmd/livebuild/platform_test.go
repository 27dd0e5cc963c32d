package main

import (
	"debug/pe"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
)

// Images for other platforms than this machine's.

// binfmt is where the kernel shows what it emulates.
const binfmt = "/proc/sys/fs/binfmt_misc"

// needEmulation skips a test of what can be built only where the kernel emulates
// aarch64. 'make test' registers the emulator, and says at its end if it could not.
func needEmulation(t testing.TB) {
	t.Helper()
	if entry, err := os.ReadFile(filepath.Join(binfmt, "qemu-aarch64")); err != nil || !strings.HasPrefix(string(entry), "enabled") {
		need.LeaveOut(t, "emulation of aarch64", fmt.Sprintf("the kernel emulates no aarch64 here (testdata/binfmt.sh registers it): %v", err))
	}
}

// TestBootAArch64 boots images for aarch64 that were built by emulation and packed by
// this machine's own programs: an ordinary one as a disc, and as a stick one that
// brings a device tree.
func TestBootAArch64(t *testing.T) {
	needEmulation(t)
	for mode, configuration := range map[string]string{"uefi-cd": "mini-arm", "uefi-usb": "mini-board"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := iso(t, configuration)
			if got := fmt.Sprint(r.System, r.Modes); got != "aarch64-linux[uefi-cd uefi-usb]" {
				t.Errorf("the image is for %s", got)
			}
			console := boot(t, r, mode)
			// The firmware has a device tree for ACPI's sake only, without a platform.
			if got := strings.Contains(console, "MINI-DEVICETREE linux,dummy-virt"); got != (configuration == "mini-board") {
				t.Errorf("the kernel was given a device tree: %t", got)
			}
		})
	}
}

// TestAArch64 looks at an image that was cross-compiled: nobody emulates for it.
func TestAArch64(t *testing.T) {
	t.Parallel()
	r := unregistered(t, nil).iso(t, "mini-cross")
	if got := fmt.Sprint(r.System, r.Modes); got != "aarch64-linux[uefi-cd uefi-usb]" {
		t.Errorf("the image is for %s", got)
	}
	if out := judge(t, "gdisk", "sgdisk", "--verify", r.File); !strings.Contains(out, "No problems found") {
		t.Errorf("sgdisk --verify says\n%s", out)
	}
	// nixpkgs' images for aarch64 have no partitions.
	table := judge(t, "fdisk", "fdisk", "--list", r.File)
	if !strings.Contains(table, "Disklabel type: gpt") || !strings.Contains(table, "EFI System") {
		t.Errorf("fdisk --list says\n%s", table)
	}
	medium := extracted(t, r.File)
	for _, name := range []string{"isolinux", "EFI/BOOT/BOOTX64.EFI", "boot/memtest.bin"} {
		if _, err := os.Stat(filepath.Join(medium, name)); err == nil {
			t.Errorf("the medium has %s, which is for PCs", name)
		}
	}
	checkLoader(t, medium, "EFI/BOOT/BOOTAA64.EFI", pe.IMAGE_FILE_MACHINE_ARM64)
	menu := filepath.Join(medium, "EFI/BOOT/grub.cfg")
	judge(t, "grub-common", "grub-script-check", menu)
	for text, want := range map[string]bool{"/Image ": true, "Serial console=ttyAMA0,115200n8": true, "devicetree": false} {
		if got := strings.Contains(string(readFile(t, menu)), text); got != want {
			t.Errorf("the menu has %q: %t, want %t", text, got, want)
		}
	}
}

// checkLoader checks that a program for firmware is for a processor, and lies in the
// EFI partition, too.
func checkLoader(t *testing.T, medium, name string, machine uint16) {
	t.Helper()
	file := filepath.Join(medium, name)
	program, err := pe.Open(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer program.Close()
	if program.Machine != machine {
		t.Errorf("%s is for the machine %#x, want %#x", name, program.Machine, machine)
	}
	copied := filepath.Join(t.TempDir(), "loader")
	judge(t, "mtools", "mcopy", "-i", filepath.Join(medium, "boot/efi.img"), "::/"+name, copied)
	if !slices.Equal(readFile(t, copied), readFile(t, file)) {
		t.Errorf("%s of the EFI partition is another one", name)
	}
}

// TestFirmware32 boots an image on a 64-bit processor with 32-bit firmware.
func TestFirmware32(t *testing.T) {
	t.Parallel()
	r := iso(t, "mini-ia32", "--compression", "lz4")
	if got := strings.Join(r.Modes, " "); got != "bios-cd bios-usb uefi-cd uefi-usb" {
		t.Errorf("the image claims to boot as %s", got)
	}
	medium := extracted(t, r.File)
	checkLoader(t, medium, "EFI/BOOT/BOOTIA32.EFI", pe.IMAGE_FILE_MACHINE_I386)
	if _, err := os.Stat(filepath.Join(medium, "EFI/BOOT/BOOTX64.EFI")); err == nil {
		t.Error("there is a loader for 64-bit firmware, too")
	}

	boot(t, r, "uefi-usb")
	o := livebuild(t, "run", r.File, "--uefi", "--print")
	if o.status != 0 || !strings.Contains(o.stdout, "/OVMF32_CODE") {
		t.Errorf("run: status %d, %q\n%s", o.status, o.stdout, o.stderr)
	}
	without := call{with: hiding(t, "/usr/share/OVMF", "/usr/share/qemu")}
	for _, args := range [][]string{{"test", r.File, "--modes", "uefi-cd"}, {"iso", miniFlake(t) + "#mini-ia32", "--test"}} {
		checkRefusal(t, without.livebuild(t, args...), 1, "no UEFI firmware of 32 bits for x86_64 in /usr/share/OVMF/", "ovmf-ia32")
	}
}

// TestDeviceTrees looks at an image with a choice of device trees, and with one that
// is chosen.
func TestDeviceTrees(t *testing.T) {
	t.Parallel()
	needEmulation(t)
	r := iso(t, "mini-boards", "--compression", "lz4")
	medium := extracted(t, r.File)
	menu := filepath.Join(medium, "EFI/BOOT/grub.cfg")
	judge(t, "grub-common", "grub-script-check", menu)
	text := string(readFile(t, menu))
	p := plan(t, miniFlake(t)+"#mini-boards")
	folder, chosen := p.Entries[0].DeviceTree, p.Entries[1].DeviceTree
	for _, name := range []string{"broadcom/bcm2711-rpi-4-b.dtb", "freescale/fsl-lx2160a-honeycomb.dtb", "rockchip/rk3399-rockpro64.dtb"} {
		if !strings.Contains(text, "set dtb="+name) {
			t.Errorf("%s is not to be chosen", name)
		}
		// They begin with a magic number (Devicetree Specification 0.4 §5.2).
		if dtb := readFile(t, filepath.Join(medium, folder, name)); !strings.HasPrefix(string(dtb), "\xd0\x0d\xfe\xed") {
			t.Errorf("%s is no device tree", name)
		}
	}
	if want := folder + "/rockchip/rk3399-rockpro64.dtb"; chosen != want {
		t.Errorf("the specialisation has the device tree %s, want %s", chosen, want)
	}
	if !strings.Contains(text, "  devicetree "+chosen+"\n") || !strings.Contains(text, "  devicetree "+folder+`/"${dtb}"`+"\n") {
		t.Error("the entries lack their device trees")
	}

	o := livebuild(t, "iso", miniFlake(t)+"#no-dtb")
	checkRefusal(t, o, 1, "the device tree", "absent.dtb does not exist")
}

// unregistered is a call of the program for which the kernel shows nothing but the
// given entries of binfmt_misc. What it does is another matter: builds that are
// started all the same find what is really registered.
func unregistered(t *testing.T, entries map[string]string) call {
	t.Helper()
	need.Root(t)
	folder := t.TempDir()
	if entries != nil {
		entries["status"] = "enabled\n"
	}
	for name, text := range entries {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return call{with: []string{"unshare", "--mount", "sh", "-euc",
		`[ -d ` + binfmt + ` ] || exec "$@"; mount --bind "$0" ` + binfmt + `; exec "$@"`, folder}}
}

// fresh is a file with a configuration of which something is not built, here nor on
// any other machine.
func fresh(t *testing.T, system string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fresh.nix")
	text := fmt.Sprintf(`import %s/config.nix { system = %q; settings.networking.hostName = %q; }`,
		miniFlake(t), system, "fresh"+strings.ReplaceAll(filepath.Dir(file), "/", "-"))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestForeignPlatform tries to build for aarch64 on machines that are set up wrongly.
func TestForeignPlatform(t *testing.T) {
	const entry = "enabled\ninterpreter /absent/qemu\nflags: OCF\noffset 0\n" +
		"magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	noF := strings.Replace(entry, "OCF", "P", 1)
	onNixOS := `boot.binfmt.emulatedSystems = [ "aarch64-linux" ];`
	file := fresh(t, "aarch64-linux")
	for name, test := range map[string]struct {
		entries map[string]string
		args    []string
		texts   []string
	}{
		"not mounted":     {nil, nil, []string{"binfmt_misc is not mounted", onNixOS, "mount -t binfmt_misc"}},
		"not registered":  {map[string]string{}, nil, []string{"no emulator is registered", onNixOS, "qemu-user-static", `"extra-platforms = aarch64-linux" in /etc/nix/nix.conf`}},
		"only declared":   {map[string]string{}, []string{"--option", "extra-platforms", "aarch64-linux"}, []string{"no emulator is registered", onNixOS}},
		"disabled":        {map[string]string{"arm": strings.Replace(entry, "enabled", "disabled", 1)}, nil, []string{"disabled in " + binfmt + "/arm", "echo 1 > " + binfmt + "/arm"}},
		"missing program": {map[string]string{"arm": noF}, nil, []string{"/absent/qemu, which does not exist", onNixOS, "--reinstall qemu-user-static"}},
		"without F": {map[string]string{"arm": strings.Replace(noF, "/absent/qemu", "/bin/busybox", 1)}, nil,
			[]string{"/bin/busybox is registered without the flag F", onNixOS, "extra-sandbox-paths = /bin/busybox"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := unregistered(t, test.entries).livebuild(t, append([]string{"iso", "-f", file}, test.args...)...)
			checkRefusal(t, o, 1, append(test.texts, "cannot be built for aarch64-linux")...)
		})
	}
	t.Run("nobody", func(t *testing.T) {
		o := livebuild(t, "iso", miniFlake(t)+"#mini-nobody")
		checkRefusal(t, o, 1, "cannot be built for m88k-linux", "no machine builds for it", "--builders")
	})
}

// TestEmulation builds for aarch64 with a Nix that was told nothing of it, and what is
// built already without any emulation.
func TestEmulation(t *testing.T) {
	needEmulation(t)
	file, folder := fresh(t, "aarch64-linux"), t.TempDir()
	const told = "is told: --option extra-platforms"
	o := livebuild(t, "iso", "-f", file, "-o", folder)
	if o.status != 0 || !strings.Contains(o.stderr, told) {
		t.Fatalf("status %d, want 0 and that Nix %s\n%s", o.status, told, o.stderr)
	}
	o = unregistered(t, nil).livebuild(t, "iso", "-f", file, "-o", folder)
	if o.status != 0 || strings.Contains(o.stderr, told) {
		t.Errorf("status %d for what is built already\n%s", o.status, o.stderr)
	}
}
