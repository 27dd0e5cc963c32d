package boot

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/storefs"
)

// theme is how nixpkgs' default begins.
const theme = "MENU TITLE NixOS\nMENU RESOLUTION 800 600\nMENU CLEAR\nMENU ROWS 6\n"

func ptr[T any](v T) *T { return &v }

// lab is a store in a folder of its own.
type lab struct {
	*testing.T
	root  string          // of the machine that the store is on
	paths map[string]bool // store paths
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return &lab{t, t.TempDir(), map[string]bool{}}
}

// place makes room for a file of the store, and returns where it is.
func (l *lab) place(name string) string {
	l.Helper()
	storePath, _, _ := strings.Cut(name, "/")
	l.paths["/nix/store/"+storePath] = true
	file := filepath.Join(l.root, "nix/store", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		l.Fatal(err)
	}
	return file
}

// put writes a file of the store, and returns what the store calls it.
func (l *lab) put(name, content string) string {
	l.Helper()
	if err := os.WriteFile(l.place(name), []byte(content), 0o666); err != nil {
		l.Fatal(err)
	}
	return "/nix/store/" + name
}

// link makes a link in the store.
func (l *lab) link(name, target string) string {
	l.Helper()
	if err := os.Symlink(target, l.place(name)); err != nil {
		l.Fatal(err)
	}
	return "/nix/store/" + name
}

// debian puts a file of Debian into the store.
func (l *lab) debian(name, file, pkg string) {
	l.Helper()
	content, err := os.ReadFile(judge.File(l.T, pkg, file))
	if err != nil {
		l.Fatal(err)
	}
	l.put(name, string(content))
}

// files are those of all that was put there.
func (l *lab) files() *storefs.FS {
	l.Helper()
	files, err := storefs.New("/nix/store", filepath.Join(l.root, "nix/store"), slices.Collect(maps.Keys(l.paths)))
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { files.Close() })
	return files
}

// installer is that of a lab which nobody looks into.
func installer(t *testing.T) *nixos.System {
	t.Helper()
	return newLab(t).installer()
}

// installer is an x86_64 installer whose boot programs are Debian's, laid out
// as packages of nixpkgs are.
func (l *lab) installer() *nixos.System {
	l.Helper()
	l.debian("grub/share/grub/unicode.pf2", "/usr/share/grub/unicode.pf2", "grub-common")
	for _, name := range []string{"isolinux.bin", "isohdpfx.bin"} {
		l.debian("syslinux/share/syslinux/"+name, "/usr/lib/ISOLINUX/"+name, "isolinux")
	}
	for _, name := range []string{"ldlinux.c32", "vesamenu.c32", "libcom32.c32", "libutil.c32"} {
		l.debian("syslinux/share/syslinux/"+name, "/usr/lib/syslinux/modules/bios/"+name, "syslinux-common")
	}
	put := l.put
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
		GRUBTheme:      "/nix/store/theme",
		Syslinux:       "/nix/store/syslinux",
		GRUB:           &nixos.GRUB{Package: "/nix/store/grub", Target: "x86_64-efi", Core: put("grub-x86_64-efi.efi", "MZ, and so on")},
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

// newMenu is the menu of a medium with one system.
func newMenu(s *nixos.System) (*Menu, error) {
	all := choice{systems: []*nixos.System{s}}
	return all.platforms()[0].newMenu(all)
}
