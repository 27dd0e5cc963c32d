package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/pkg/hybridiso"
)

// changedMini is a copy of the shared image with something changed.
func changedMini(t testing.TB, change func([]byte) []byte) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "changed.iso")
	if err := os.WriteFile(image, change(readFile(t, miniISO(t).File)), 0o666); err != nil {
		t.Fatal(err)
	}
	return image
}

// replace puts one text in the place of another of the same length, wherever it is.
func replace(t testing.TB, data []byte, old, new string) []byte {
	t.Helper()
	if len(old) != len(new) || !bytes.Contains(data, []byte(old)) {
		t.Fatalf("the image has no %q to be replaced by %q", old, new)
	}
	return bytes.ReplaceAll(data, []byte(old), []byte(new))
}

// inside returns the bytes of a file of an image.
func inside(t testing.TB, data []byte, path string) []byte {
	t.Helper()
	entries, err := hybridiso.ReadTree(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Path == path {
			return data[e.Extents[0].Offset:][:e.Size]
		}
	}
	t.Fatalf("the image has no %s", path)
	return nil
}

// rename gives a file of the medium another name of the same length, in its Rock Ridge entry
// (RRIP 1.12 §4.1.4, NM), by which Linux and boot loaders know it.
func rename(t testing.TB, data []byte, old, new string) []byte {
	t.Helper()
	name := func(name string) string { return "NM" + string([]byte{byte(5 + len(name)), 1, 0}) + name }
	return replace(t, data, name(old), name(new))
}

// TestBrokenImages breaks an image in ways that a boot must end with, each by the right
// verdict and before the time is over.
func TestBrokenImages(t *testing.T) {
	tests := []struct {
		name    string
		change  func(data []byte) []byte
		mode    string
		outcome string
		line    string // contained in the one that decides
		says    string
		timeout string
	}{
		{
			"no kernel for BIOS", func(data []byte) []byte { return rename(t, data, "bzImage", "absent-") },
			"bios-cd", "loader-prompt", "No such file or directory", "bios-cd stopped at the boot loader", "5m",
		},
		{
			"no kernel for UEFI", func(data []byte) []byte { return rename(t, data, "bzImage", "absent-") },
			"uefi-usb", "loader-prompt", "you need to load the kernel first", "uefi-usb stopped at the boot loader", "5m",
		},
		{
			"wrong label", func(data []byte) []byte { return replace(t, data, "root=LABEL=MINI_LIVE", "root=LABEL=MINI_LOST") },
			"bios-usb", "rejected", "no medium labelled MINI_LOST", "bios-usb reported a failure", "5m",
		},
		{
			"squashfs cut off", func(data []byte) []byte {
				store := inside(t, data, "nix-store.squashfs")
				clear(store[len(store)/2:])
				return data
			},
			"bios-cd", "rejected", "mounting /mnt-root/iso/nix-store.squashfs", "bios-cd reported a failure", "5m",
		},
		{
			"boot sector of zeros", func(data []byte) []byte {
				clear(data[:512])
				return data
			},
			"bios-usb", "no-boot-device", "No bootable device", "bios-usb found no bootable device", "5m",
		},
		{
			"boot loader of zeros", func(data []byte) []byte {
				clear(inside(t, data, "isolinux/isolinux.bin"))
				return data
			},
			"bios-cd", "silent", "", "bios-cd said nothing on its serial console", "1m",
		},
		{
			"GRUB without its configuration", func(data []byte) []byte { return rename(t, data, "grub.cfg", "absent-g") },
			"uefi-cd", "loader-prompt", "grub>", "uefi-cd stopped at the boot loader", "5m",
		},
		{
			"no EFI system partition", func(data []byte) []byte {
				clear(inside(t, data, "boot/efi.img"))
				return data
			},
			"uefi-cd", "no-boot-device", "BdsDxe: ", "uefi-cd found no bootable device", "5m",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			logs := t.TempDir()
			junit := filepath.Join(logs, "report.xml")
			image := changedMini(t, test.change)
			b, o := testImage(t, 3, image, "--modes", test.mode, "--logs", logs, "--junit", junit, "--test-timeout", test.timeout)
			boot := b.Boots[0]
			if boot.Outcome != test.outcome || boot.Passed || !strings.Contains(boot.Line, test.line) {
				t.Errorf("%s: %s: %q, want %s: %q", boot.Mode, boot.Outcome, boot.Line, test.outcome, test.line)
			}
			if len(boot.Console) == 0 || !bytes.Contains(readFile(t, boot.Log), []byte(boot.Line)) {
				t.Errorf("the console that is kept lacks %q: %q", boot.Line, boot.Console)
			}
			if _, err := png.Decode(bytes.NewReader(readFile(t, boot.Screenshot))); err != nil {
				t.Errorf("the screenshot is no picture: %v", err)
			}
			checkRefusal(t, outcome{o.status, "", o.stderr}, 3, "error: the image did not boot: "+test.says)
			failed := readReport(t, junit).Suites[0].Cases[0].Failure
			if failed == nil || failed.Type != test.outcome || failed.Text != strings.Join(boot.Console, "\n") {
				t.Errorf("the report has %+v", failed)
			}
		})
	}
}
