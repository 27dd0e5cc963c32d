package qemu

import (
	"fmt"
	"regexp"
	"time"
)

// Outcome is how a boot ended.
type Outcome int

// The outcomes. All but Passed are failures of the guest.
const (
	TimedOut       Outcome = iota // nothing decided within the time limit
	Passed                        // the expected text appeared
	Rejected                      // the text that must not appear did
	KernelPanic                   // the kernel gave up
	EmergencyShell                // the first stage or systemd gave up and offers a shell
	LoaderPrompt                  // the boot loader gave up and waits for commands
	NoBootDevice                  // the firmware found nothing to boot
	PoweredOff                    // the machine went off before the expected text
	Silent                        // nothing was said after the firmware, within the time limit
	Refused                       // something was not started because no signature vouched for it
)

// String describes the outcome as the end of a sentence about the guest.
func (o Outcome) String() string {
	switch o {
	case Passed:
		return "came up"
	case Rejected:
		return "reported a failure"
	case KernelPanic:
		return "ended in a kernel panic"
	case EmergencyShell:
		return "ended in an emergency shell"
	case LoaderPrompt:
		return "stopped at the boot loader"
	case NoBootDevice:
		return "found no bootable device"
	case PoweredOff:
		return "powered off before the expected text"
	case Silent:
		return "said nothing on its serial console"
	case Refused:
		return "was refused by Secure Boot"
	default:
		return "did not come up in time"
	}
}

// Name returns a word for the outcome that programs can rely on.
func (o Outcome) Name() string {
	switch o {
	case Passed:
		return "passed"
	case Rejected:
		return "rejected"
	case KernelPanic:
		return "kernel-panic"
	case EmergencyShell:
		return "emergency-shell"
	case LoaderPrompt:
		return "loader-prompt"
	case NoBootDevice:
		return "no-boot-device"
	case PoweredOff:
		return "powered-off"
	case Silent:
		return "silent"
	case Refused:
		return "refused"
	default:
		return "timed-out"
	}
}

// Verdict is the result of a boot.
type Verdict struct {
	Outcome  Outcome
	Line     string        // the console's line that decided, "" if none did
	Link     string        // of the chain of Secure Boot that refused, as "the firmware refused the boot loader"; or ""
	Console  []string      // the console's last lines, as plain text
	Screen   []byte        // the display as PNG, of a guest that did not come up; nil if there is none
	Duration time.Duration // from the start of QEMU to the decision
}

// OK reports whether the guest came up.
func (v Verdict) OK() bool { return v.Outcome == Passed }

// String describes the verdict in one line.
func (v Verdict) String() string {
	switch {
	case v.Line == "":
		return v.Outcome.String()
	case v.Link != "":
		return fmt.Sprintf("%s, %s: %s", v.Outcome, v.Link, v.Line)
	}
	return fmt.Sprintf("%s: %s", v.Outcome, v.Line)
}

// failures are the texts that no working boot shows, by who writes them. Texts that some
// later step may still make good (SeaBIOS's "Boot failed", which it prints for each device) are not among them.
var failures = []struct {
	outcome Outcome
	pattern *regexp.Regexp
}{
	// Linux
	{KernelPanic, regexp.MustCompile(`Kernel panic - not syncing`)},
	// scripted first stage of NixOS
	{EmergencyShell, regexp.MustCompile(`An error occurred in stage 1 of the boot process`)},
	// loopback.nix of package nixos, after which systemd gives up
	{EmergencyShell, regexp.MustCompile(`livebuild: (no image .* Looked at: |there are two images |the volume .*take one of them away)`)},
	// systemd: emergency.service, rescue.service, sulogin
	{EmergencyShell, regexp.MustCompile(`You are in (emergency|rescue) mode`)},
	{EmergencyShell, regexp.MustCompile(`Cannot open access to console, the root account is locked`)},
	{EmergencyShell, regexp.MustCompile(`Give root password for maintenance|Press Enter for maintenance`)},
	// dracut, initramfs-tools
	{EmergencyShell, regexp.MustCompile(`^Entering emergency mode`)},
	{EmergencyShell, regexp.MustCompile(`^\(initramfs\)`)},
	// GRUB
	{LoaderPrompt, regexp.MustCompile(`^grub( rescue)?>`)},
	{LoaderPrompt, regexp.MustCompile(`^error: you need to load the kernel first`)},
	// SYSLINUX
	{LoaderPrompt, regexp.MustCompile(`^boot:$`)},
	{LoaderPrompt, regexp.MustCompile(`^Loading .*\.\.\. ?failed: `)},
	{LoaderPrompt, regexp.MustCompile(`Failed to load ldlinux\.c32`)},
	// SeaBIOS
	{NoBootDevice, regexp.MustCompile(`^No bootable device`)},
	// EDK2, whose shell is what it tries last
	{NoBootDevice, regexp.MustCompile(`^BdsDxe: No bootable option or device was found`)},
	{NoBootDevice, regexp.MustCompile(`^BdsDxe: starting Boot[0-9A-F]+ "EFI Internal Shell"`)},
	{NoBootDevice, regexp.MustCompile(`^Shell>`)},
}

// links are what the links of the chain of Secure Boot say when they refuse the next one. The firmware
// says so of each boot option, and goes on to others: here there is no other that could do.
var links = []struct {
	link    string
	pattern *regexp.Regexp
}{
	// EDK2: EFI_ACCESS_DENIED of LoadImage
	{"the firmware refused the boot loader", regexp.MustCompile(`^BdsDxe: failed to (load|start) Boot.*: (Access Denied|Security Violation)`)},
	// shim: verify_image; a window, or a line
	{"the shim refused the boot loader", regexp.MustCompile(`Verification failed: .*Security Violation|Security Policy Violation|Failed to load image.*(Security Violation|Access Denied)|start_image\(\) returned (Security Violation|Access Denied)`)},
	// GRUB: kern/efi/sb.c, kern/verifiers.c
	{"the boot loader wants a shim to verify the kernel", regexp.MustCompile(`shim_lock protocol not found`)},
	{"the boot loader has nothing to verify the kernel with", regexp.MustCompile(`verification requested but nobody cares`)},
	{"the shim refused the kernel", regexp.MustCompile(`bad shim signature`)},
	// GRUB: commands/pgp.c
	{"the boot loader refused a file that was changed", regexp.MustCompile(`\bbad signature`)},
	{"the boot loader refused a file that another key signed", regexp.MustCompile(`public key [0-9a-f]+ not found`)},
	{"the boot loader refused a file without a signature", regexp.MustCompile(`^error: .*\.sig' not found`)},
	// secureboot.nix of package nixos: of its menu GRUB shows no reason
	{"the boot loader refused its menu", regexp.MustCompile(`^The boot menu of this medium is missing, or was changed after it was signed`)},
	// GRUB: loader/efi/linux.c
	{"the firmware refused the kernel", regexp.MustCompile(`^error: .*cannot load image`)},
}

// refusal is the link of the chain that a line of the console says has refused, or empty.
func refusal(line string) string {
	for _, l := range links {
		if l.pattern.MatchString(line) {
			return l.link
		}
	}
	return ""
}

// handOver matches what firmware says when it starts a boot loader.
var handOver = regexp.MustCompile(`^Booting from |^BdsDxe: (loading|starting) `)

// silent reports whether nothing on the console comes from anyone but the firmware.
func silent(console []string) bool {
	return len(console) == 0 || handOver.MatchString(console[len(console)-1])
}

// judge decides what a line of the console means; false if it decides nothing.
// What the caller looks for comes before what is known to be a failure.
func (w Watch) judge(line string) (Outcome, bool) {
	if w.Expect != nil && w.Expect.MatchString(line) {
		return Passed, true
	}
	if w.Reject != nil && w.Reject.MatchString(line) {
		return Rejected, true
	}
	if refusal(line) != "" {
		return Refused, true
	}
	for _, f := range failures {
		if f.pattern.MatchString(line) {
			return f.outcome, true
		}
	}
	return 0, false
}
