package boottest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
)

// tree writes files to a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "tree")
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// kernel is large enough to be one.
var kernel = strings.Repeat("kernel, ", 3<<17)

// isolinuxISO is an image of genisoimage's with isolinux.
func isolinuxISO(t *testing.T, files map[string]string) string {
	t.Helper()
	files["isolinux/isolinux.bin"] = readFile(t, judge.File(t, "isolinux", "/usr/lib/ISOLINUX/isolinux.bin"))
	files["boot/vmlinuz"] = kernel
	out := filepath.Join(t.TempDir(), "isolinux.iso")
	judge.Run(t, "genisoimage", "genisoimage", "-quiet", "-r", "-J", "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
		"-boot-load-size", "4", "-boot-info-table", "-o", out, tree(t, files))
	return out
}

// grubISO is an image of grub-mkrescue's, whose GRUB looks for the medium and reads the menu from it.
func grubISO(t *testing.T, menu string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "grub.iso")
	judge.Run(t, "grub-common", "grub-mkrescue", "-d", judge.File(t, "grub-efi-amd64-bin", "/usr/lib/grub/x86_64-efi"), "-o", out,
		tree(t, map[string]string{"boot/grub/grub.cfg": menu, "boot/vmlinuz": kernel}))
	return out
}

// espISO is an image whose GRUB has its menu in the EFI system partition alone.
func espISO(t *testing.T, menu string) string {
	t.Helper()
	files := tree(t, map[string]string{"boot/vmlinuz": kernel, "grub.cfg": menu, "loader": "MZ"})
	esp := filepath.Join(files, "boot/efi.img")
	judge.Run(t, "dosfstools", "mkfs.vfat", "--invariant", "-C", esp, "1440")
	judge.Run(t, "mtools", "mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
	judge.Run(t, "mtools", "mcopy", "-i", esp, filepath.Join(files, "grub.cfg"), "::/EFI/BOOT/grub.cfg")
	judge.Run(t, "mtools", "mcopy", "-i", esp, filepath.Join(files, "loader"), "::/EFI/BOOT/BOOTX64.EFI")
	for _, name := range []string{"grub.cfg", "loader"} {
		if err := os.Remove(filepath.Join(files, name)); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "esp.iso")
	judge.Run(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-r", "-e", "boot/efi.img", "-no-emul-boot",
		"-append_partition", "2", "0xef", esp, "-o", out, files)
	return out
}

func TestPrepare(t *testing.T) {
	const isolinux = "UI menu.c32\nTIMEOUT 50\nLABEL a\nLINUX /boot/vmlinuz\nAPPEND x\n"
	const grub = "set timeout=5\nmenuentry a {\nlinux /boot/vmlinuz x\n}\n"
	speaking := func(menu string) string { return strings.Replace(menu, " x\n", " x console=ttyS0\n", 1) }
	full := func(menu string, size int) string {
		return strings.Replace(menu, " x\n", " "+strings.Repeat("x", size-len(menu)+1)+"\n", 1)
	}
	menus := func(text string) map[string]string { return map[string]string{"isolinux/isolinux.cfg": text} }
	for name, test := range map[string]struct {
		path   string
		modes  string
		serial Serial
		menus  string // files that are changed
		has    string // in what the medium shows
		reason string
	}{
		"isolinux":          {isolinuxISO(t, menus(isolinux)), "bios-cd", SerialAdded, "isolinux/isolinux.cfg", "APPEND x console=ttyS0,115200n8\n", ""},
		"isolinux speaks":   {isolinuxISO(t, menus(speaking(isolinux))), "bios-cd", SerialDefault, "", "", ""},
		"isolinux is full":  {isolinuxISO(t, menus(full(isolinux, 2048))), "bios-cd", SerialUnknown, "", "", "its boot menu has no room for another parameter"},
		"isolinux, no menu": {isolinuxISO(t, map[string]string{}), "bios-cd", SerialUnknown, "", "", "no boot menu was found"},
		"isolinux, no kernel": {
			isolinuxISO(t, menus("DEFAULT a\nLABEL a\nKERNEL x.c32\n")), "bios-cd", SerialUnknown, "", "", "no entry of its boot menu starts a kernel",
		},
		"isolinux, files": {
			isolinuxISO(t, map[string]string{"isolinux/isolinux.cfg": "INCLUDE more.cfg\n", "isolinux/more.cfg": isolinux}), "bios-cd", SerialAdded,
			"isolinux/isolinux.cfg isolinux/more.cfg", "APPEND x console=ttyS0,115200n8\n", "",
		},
		"GRUB": {grubISO(t, grub), "uefi-cd uefi-usb", SerialAdded, "boot/grub/grub.cfg", "linux /boot/vmlinuz x $serialconsole\n", ""},
		// grub-mkrescue's own search and configfile come before it.
		"GRUB speaks":    {grubISO(t, speaking(grub)), "uefi-cd", SerialDefault, "", "", ""},
		"GRUB waits":     {grubISO(t, strings.Replace(speaking(grub), "=5", "=-1", 1)), "uefi-usb", SerialAdded, "boot/grub/grub.cfg", "\nset timeout=1\n", ""},
		"GRUB's ESP":     {espISO(t, grub), "uefi-cd uefi-usb", SerialAdded, "EFI system partition: EFI/BOOT/grub.cfg", "linux /boot/vmlinuz x $serialconsole\n", ""},
		"another loader": {espISO(t, "timeout 3\n"), "uefi-usb", SerialUnknown, "", "", "no boot menu was found"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := medium.Open(t.Context(), test.path, medium.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			for _, mode := range strings.Fields(test.modes) {
				if !slices.Contains(m.Modes, medium.Mode(mode)) {
					t.Errorf("the image claims %v, not %s", m.Modes, mode)
				}
				s, err := Prepare(m, System{Arch: m.Arch, Firmware32: m.Firmware32}, medium.Mode(mode))
				if err != nil {
					t.Fatal(err)
				}
				if s.Serial != test.serial || strings.Join(s.Menus, " ") != test.menus || s.Reason != test.reason {
					t.Errorf("%s: Prepare = %s, %q, %q, want %s, %q, %q", mode, s.Serial, s.Menus, s.Reason, test.serial, test.menus, test.reason)
				}
				checkShown(t, s, test.has)
			}
		})
	}
}

// checkShown looks for a text on a medium, before and after its kernel is read.
func checkShown(t *testing.T, s *Start, text string) {
	t.Helper()
	if (s.disk != nil) != (text != "") {
		t.Fatalf("changed: %t, want %t", s.disk != nil, text != "")
	}
	if s.disk == nil {
		return
	}
	whole := readFile(t, s.path)
	kernelAt := int64(strings.Index(whole, kernel))
	before := make([]byte, kernelAt)
	if _, err := s.disk.ReadAt(before, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	rest := make([]byte, s.disk.Size()-kernelAt-int64(len(kernel)))
	if _, err := s.disk.ReadAt(rest, kernelAt+int64(len(kernel))); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if !bytes.Contains(before, []byte(text)) && !bytes.Contains(rest, []byte(text)) {
		t.Errorf("the medium does not show %q", text)
	}
	if _, err := s.disk.ReadAt(make([]byte, len(kernel)), kernelAt); err != nil || !s.disk.Lifted() {
		t.Errorf("the kernel is read: %v, and the changes are gone: %t", err, s.disk.Lifted())
	}
	if _, err := s.disk.ReadAt(before, 0); err != nil || string(before) != whole[:kernelAt] {
		t.Errorf("the medium is not what it is: %v", err)
	}
}
