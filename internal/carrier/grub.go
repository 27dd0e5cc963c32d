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

// Firmware is what starts GRUB.
type Firmware int

// UEFI is that of the machine's own kind, UEFI32 one of 32 bits on a machine of 64.
const (
	UEFI Firmware = iota
	UEFI32
	BIOS
)

// formats are GRUB's names of machines with UEFI firmware, and the names of programs for them (UEFI 2.10
// §3.5.1.1), by architecture and bits.
var formats = map[string]struct{ format, file string }{
	"x86_64":    {"x86_64-efi", "BOOTX64.EFI"},
	"x86_64/32": {"i386-efi", "BOOTIA32.EFI"},
	"aarch64":   {"arm64-efi", "BOOTAA64.EFI"},
}

// formatBIOS is GRUB's name of PCs without UEFI.
const formatBIOS = "i386-pc"

// Program is a GRUB as a disk has it.
type Program struct {
	UEFI []byte // a program for UEFI firmware
	Name string // by which firmware looks for it, as "BOOTX64.EFI"; empty without one

	MBR  [440]byte // what a BIOS starts, and what lies behind that sector
	BIOS []byte
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
func FindGRUB(arch string, firmware Firmware) (*GRUB, error) {
	kind := arch
	if firmware == UEFI32 {
		kind += "/32"
	}
	known, ok := formats[kind]
	if firmware == BIOS {
		known.format, known.file, ok = formatBIOS, "", arch == "x86_64"
	}
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
	"part_msdos", "part_gpt", "biosdisk", "fat", "exfat", "ext2", "iso9660", "loopback", "search", "configfile", "normal", "linux", "test", "echo",
	"all_video", "gfxterm", "gfxmenu", "font", "png", "jpeg", "terminal", "serial", "regexp", "true", "reboot", "halt", "sleep", "keystatus", "minicmd",
}

// Make makes the program.
func (g *GRUB) Make(ctx context.Context) (p Program, err error) {
	folder, err := os.MkdirTemp("", "livebuild-grub-")
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	out := filepath.Join(folder, "program")
	prefix := "/EFI/BOOT"
	if g.format == formatBIOS {
		prefix = "(,msdos2)" + prefix // of the disk that it was started from
	}
	args := []string{"--format=" + g.format, "--directory=" + g.modules, "--prefix=" + prefix, "--output=" + out}
	for _, module := range modules { // builds differ in what they have
		if _, err := os.Stat(filepath.Join(g.modules, module+".mod")); err == nil {
			args = append(args, module)
		}
	}
	if text, err := exec.CommandContext(ctx, g.maker, args...).CombinedOutput(); err != nil {
		return p, fmt.Errorf("%s: %w: %s", g.maker, err, strings.TrimSpace(string(text)))
	}
	program, err := os.ReadFile(out)
	if err != nil {
		return p, err
	}
	if g.format != formatBIOS {
		return Program{UEFI: program, Name: g.file}, nil
	}
	// It reads what follows its sector (GRUB_BOOT_MACHINE_KERNEL_SECTOR in include/grub/i386/pc/boot.h).
	sector, err := os.ReadFile(filepath.Join(g.modules, "boot.img"))
	if err != nil {
		return p, err
	}
	p.BIOS = program
	copy(p.MBR[:], sector)
	return p, nil
}
