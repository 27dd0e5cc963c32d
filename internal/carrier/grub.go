package carrier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GRUB makes programs of a distribution's GRUB for one kind of machine.
type GRUB struct {
	maker   string // grub-mkimage
	modules string // folder
	format  string // "x86_64-efi"
	file    string // name that firmware looks for
}

// formats are GRUB's names of machines with UEFI firmware, and the names of programs for them (UEFI 2.10
// §3.5.1.1), by architecture and bits.
var formats = map[string]struct{ format, file string }{
	"x86_64":    {"x86_64-efi", "BOOTX64.EFI"},
	"x86_64/32": {"i386-efi", "BOOTIA32.EFI"},
	"aarch64":   {"arm64-efi", "BOOTAA64.EFI"},
}

// Where distributions have the program and its modules.
var (
	makers  = []string{"grub-mkimage", "grub2-mkimage"}
	folders = []string{"/usr/lib/grub", "/usr/share/grub2", "/usr/share/grub"}
)

// LoaderError says that this host has no GRUB for a machine.
type LoaderError struct {
	Format string   // "x86_64-efi"
	Tried  []string // programs, or folders
}

func (e *LoaderError) Error() string {
	return fmt.Sprintf("a disk with the image as a file needs a boot loader, and this machine has no GRUB for %s: there is no %s", e.Format, strings.Join(e.Tried, " and no "))
}

// FindGRUB looks for GRUB on this host. The error is a *LoaderError if there is none for those machines.
func FindGRUB(arch string, firmware32 bool) (*GRUB, error) {
	kind := arch
	if firmware32 {
		kind += "/32"
	}
	known, ok := formats[kind]
	if !ok {
		return nil, fmt.Errorf("no GRUB is known for %s", arch)
	}
	g := &GRUB{format: known.format, file: known.file}
	for _, name := range makers {
		path, err := exec.LookPath(name)
		if err == nil {
			g.maker = path
			break
		}
	}
	if g.maker == "" {
		return nil, &LoaderError{g.format, makers}
	}
	// What Nix installs has its modules beside the program.
	all := append([]string{filepath.Join(filepath.Dir(filepath.Dir(g.maker)), "lib/grub")}, folders...)
	for n, folder := range all {
		all[n] = filepath.Join(folder, g.format)
		if _, err := os.Stat(filepath.Join(all[n], "loopback.mod")); err == nil {
			g.modules = all[n]
			return g, nil
		}
	}
	return nil, &LoaderError{g.format, all}
}

// modules are those that the menu needs, and menus of images.
var modules = []string{
	"part_msdos", "part_gpt", "fat", "iso9660", "loopback", "search", "configfile", "normal", "linux", "test", "echo",
	"all_video", "gfxterm", "gfxmenu", "font", "png", "jpeg", "terminal", "serial", "regexp", "true", "reboot", "halt", "sleep", "keystatus", "minicmd",
}

// Make makes the program, and says under which name firmware starts it.
func (g *GRUB) Make(ctx context.Context) (program []byte, name string, err error) {
	folder, err := os.MkdirTemp("", "livebuild-grub-")
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	out := filepath.Join(folder, g.file)
	args := []string{"--format=" + g.format, "--directory=" + g.modules, "--prefix=/EFI/BOOT", "--output=" + out}
	for _, module := range modules { // builds differ in what they have
		if _, err := os.Stat(filepath.Join(g.modules, module+".mod")); err == nil {
			args = append(args, module)
		}
	}
	if text, err := exec.CommandContext(ctx, g.maker, args...).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("%s: %w: %s", g.maker, err, strings.TrimSpace(string(text)))
	}
	program, err = os.ReadFile(out)
	return program, g.file, err
}
