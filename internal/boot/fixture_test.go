package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nixos"
)

// theme is how nixpkgs' default begins.
const theme = "MENU TITLE NixOS\nMENU RESOLUTION 800 600\nMENU CLEAR\nMENU ROWS 6\n"

func ptr[T any](v T) *T { return &v }

// installer is an x86_64 installer whose boot programs are Debian's, laid out
// as packages of nixpkgs are.
func installer(t *testing.T) *nixos.System {
	t.Helper()
	dir := t.TempDir()
	put := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	link := func(name, target, debian string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(judge.File(t, debian, target), file); err != nil {
			t.Fatal(err)
		}
	}
	link("grub/bin/grub-mkimage", "/usr/bin/grub-mkimage", "grub-common")
	link("grub/lib/grub/x86_64-efi", "/usr/lib/grub/x86_64-efi", "grub-efi-amd64-bin")
	link("grub/share/grub/unicode.pf2", "/usr/share/grub/unicode.pf2", "grub-common")
	for _, name := range []string{"isolinux.bin", "isohdpfx.bin"} {
		link("syslinux/share/syslinux/"+name, "/usr/lib/ISOLINUX/"+name, "isolinux")
	}
	for _, name := range []string{"ldlinux.c32", "vesamenu.c32", "libcom32.c32", "libutil.c32"} {
		link("syslinux/share/syslinux/"+name, "/usr/lib/syslinux/modules/bios/"+name, "syslinux-common")
	}
	put("theme/theme.txt", "title-text: \"\"\n")
	put("theme/b/DejaVu Regular.pf2", "font")
	put("theme/a.PF2", "font")

	root := nixos.Configuration{
		Toplevel:   nixos.StorePath{Out: "/nix/store/0-nixos-system"},
		Kernel:     put("linux/bzImage", "kernel"),
		Initrd:     put("initrd/initrd", "initrd"),
		DistroName: "NixOS", Label: "24.05", AppendToMenuLabel: " Installer",
		KernelParams:      []string{"root=LABEL=nixos-minimal", "boot.shell_on_fail", "loglevel=4"},
		ShowConfiguration: true, VolumeID: "nixos-minimal",
	}
	return &nixos.System{
		Name: "iso", Platform: "x86_64-linux", BuildPlatform: "x86_64-linux", EFIArch: "x64", IsX86: true,
		Label: "24.05", VolumeID: "nixos-minimal",
		MakeBIOSBootable: true, MakeEFIBootable: true, MakeUSBBootable: true,
		Timeout: ptr(10), SyslinuxTheme: theme,
		SplashImage: put("bios-boot.png", "png"), EFISplashImage: put("efi-background.png", "png"),
		GRUBTheme:      filepath.Join(dir, "theme"),
		Syslinux:       filepath.Join(dir, "syslinux"),
		GRUB:           &nixos.GRUB{Package: filepath.Join(dir, "grub"), Target: "x86_64-efi", Builder: filepath.Join(dir, "grub")},
		Refind:         put("refind/refind_x64.efi", "refind"),
		Memtest:        &nixos.Memtest{File: put("memtest/memtest.bin", "memtest"), Params: []string{"console=ttyS0,115200"}, EFI: true},
		Configurations: []nixos.Configuration{root},
	}
}

// specialise adds a specialisation with a kernel of its own.
func specialise(t *testing.T, s *nixos.System, names ...string) *nixos.Configuration {
	t.Helper()
	c := s.Configurations[0]
	c.Path = names
	c.Toplevel.Out = "/nix/store/1-" + strings.Join(names, "-")
	s.Configurations = append(s.Configurations, c)
	return &s.Configurations[len(s.Configurations)-1]
}
