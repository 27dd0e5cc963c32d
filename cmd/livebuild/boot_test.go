package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/qemu"
)

var machines = map[string]qemu.Machine{
	"bios-cd":  {Arch: qemu.X86_64, Firmware: qemu.BIOS, Medium: qemu.CD},
	"bios-usb": {Arch: qemu.X86_64, Firmware: qemu.BIOS, Medium: qemu.USB},
	"uefi-cd":  {Arch: qemu.X86_64, Firmware: qemu.UEFI, Medium: qemu.CD},
	"uefi-usb": {Arch: qemu.X86_64, Firmware: qemu.UEFI, Medium: qemu.USB},
}

// TestBoot boots an image in every way that it claims.
func TestBoot(t *testing.T) {
	r := miniISO(t)
	if got := strings.Join(r.Modes, " "); got != "bios-cd bios-usb uefi-cd uefi-usb" {
		t.Errorf("the image claims to boot as %s", got)
	}
	for _, mode := range r.Modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			boot(t, r, mode)
		})
	}
}

// TestBootSparse boots an image whose store has files of 4 GiB and more.
func TestBootSparse(t *testing.T) {
	t.Parallel()
	boot(t, iso(t, "mini-sparse", "--compression", "lz4"), "bios-cd")
}

// boot boots an image. The live system compares every file of its store with a
// list made when it was built, checks the registration, and says so on the
// serial console, which is returned.
func boot(t *testing.T, r result, mode string) string {
	t.Helper()
	machine := machines[mode]
	machine.Image = r.File
	var console bytes.Buffer
	verdict, err := qemu.Run(t.Context(), machine, qemu.Watch{
		Expect: regexp.MustCompile(`^MINI-RESULT PASS`),
		Reject: regexp.MustCompile(`^MINI-RESULT FAIL|^MINI-FAIL`),
		Limit:  5 * time.Minute,
		Copy:   &console,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !verdict.OK() {
		t.Fatalf("the guest %s\n%s", verdict, console.String())
	}
	firmware := "bios"
	if machine.Firmware == qemu.UEFI {
		firmware = "efi"
	}
	medium := "/dev/sr0"
	if machine.Medium == qemu.USB {
		medium = "/dev/sda"
	}
	paths := len(closureOf(t, r.Toplevel))
	for _, want := range []string{
		"MINI-FIRMWARE " + firmware,
		"MINI-MEDIUM " + medium,
		fmt.Sprintf("MINI-REGISTRATION %d records", paths),
		fmt.Sprintf("MINI-STORE-ENTRIES %d", paths),
		"MINI-CHECK ok manifest",
	} {
		if !strings.Contains(console.String(), want) {
			t.Errorf("the guest did not say %q", want)
		}
	}
	t.Logf("%s: %s after %.0f s", mode, verdict.Outcome, verdict.Duration.Seconds())
	return console.String()
}
