package qemu

import (
	"regexp"
	"testing"
)

// TestRefusal reads what firmware, shim and GRUB said in machines where TestSecureBoot of
// cmd/livebuild had each of them refuse something; of GRUB 2.12, what its text has.
func TestRefusal(t *testing.T) {
	for line, want := range map[string]string{
		`BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00011 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x5,0xFFFF,0x0): Access Denied`: "the firmware refused the boot loader",
		"Verification failed: (0x1A) Security Violation":                                            "the shim refused the boot loader",
		"error: shim_lock protocol not found.":                                                      "the boot loader wants a shim to verify the kernel",
		"error: verification requested but nobody cares: (cd0)/boot/nix/store/linux/bzImage.":       "the boot loader has nothing to verify the kernel with",
		"error: bad shim signature.":                                                                "the shim refused the kernel",
		"error: bad signature.":                                                                     "the boot loader refused a file that was changed",
		"error: public key 0451898f needed not found":                                               "",
		"error: public key b86719168f884504 not found.":                                             "the boot loader refused a file that another key signed",
		"error: file `/EFI/BOOT/unicode.pf2.sig' not found.":                                        "the boot loader refused a file without a signature",
		"The boot menu of this medium is missing, or was changed after it was signed.":              "the boot loader refused its menu",
		"error: cannot load image.":                                                                 "the firmware refused the kernel",
		`BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00011 " from PciRoot(0x0): Not Found`: "",
		"error: file `/boot/grub/grub.cfg' not found.":                                              "",
		"[    1.0] integrity: Loaded X.509 cert 'one'":                                              "",
		"[    1.0] PKCS#7 signature not signed with a trusted key":                                  "",
	} {
		if got := refusal(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		outcome, ok := Watch{Expect: regexp.MustCompile("login:")}.judge(line)
		if refused := ok && outcome == Refused; refused != (want != "") {
			t.Errorf("%s is %s", line, outcome)
		}
	}
}
