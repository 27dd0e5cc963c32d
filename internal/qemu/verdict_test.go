package qemu

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var marker = Watch{
	Expect: regexp.MustCompile(`^MINI-RESULT PASS$|login:`),
	Reject: regexp.MustCompile(`^MINI-(RESULT FAIL|FAIL )`),
}

// feed sends text to the watch in pieces, as QEMU does, and leaves the console open.
func feed(t *testing.T, w Watch, text []byte, size int) Verdict {
	t.Helper()
	output := make(chan []byte)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for piece := range slices.Chunk(text, size) {
			select {
			case output <- piece:
			case <-done:
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	verdict, decided := w.watch(ctx, output, nil, func() {})
	if !decided {
		t.Fatalf("nothing decided; console ends in %q", verdict.Console)
	}
	return verdict
}

// TestRecordedConsoles judges what QEMU 7.2 wrote in real boots.
func TestRecordedConsoles(t *testing.T) {
	tests := []struct {
		file    string
		outcome Outcome
		line    string
	}{
		{"seabios-nothing", NoBootDevice, "No bootable device."},
		{"ovmf-nothing", NoBootDevice, `BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(7C04A583-9E3E-4F1C-AD65-E05268D0B4D1)`},
		{"isolinux-no-kernel", LoaderPrompt, "Loading /boot/absent... failed: No such file or directory"},
		{"grub-no-config", LoaderPrompt, "grub>"},
		{"linux-panic", KernelPanic, "[    2.008661] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"},
		{"mini-uefi-cd", Passed, "MINI-RESULT PASS"},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", test.file+".console"))
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 100, len(text)} {
				verdict := feed(t, marker, text, size)
				if verdict.Outcome != test.outcome || verdict.Line != test.line {
					t.Errorf("in pieces of %d: %v (%q), want %v (%q)", size, verdict.Outcome, verdict.Line, test.outcome, test.line)
				}
				if n := len(verdict.Console); n == 0 || n > keptLines || verdict.Console[n-1] != verdict.Line {
					t.Errorf("in pieces of %d: %d lines kept, want the deciding one last", size, n)
				}
			}
		})
	}
}

// TestFailureTexts judges lines as the sources of the programs named have them.
func TestFailureTexts(t *testing.T) {
	tests := []struct {
		source string
		line   string
		want   Outcome
	}{
		{"nixpkgs stage-1-init.sh", "An error occurred in stage 1 of the boot process, which must mount the", EmergencyShell},
		{"systemd emergency.service", "You are in emergency mode. After logging in, type \"journalctl -xb\" to view", EmergencyShell},
		{"systemd rescue.service", "You are in rescue mode. After logging in, type \"journalctl -xb\" to view", EmergencyShell},
		{"util-linux sulogin", "Cannot open access to console, the root account is locked.", EmergencyShell},
		{"util-linux sulogin", "Press Enter for maintenance", EmergencyShell},
		{"dracut", "Entering emergency mode. Exit the shell to continue.", EmergencyShell},
		{"initramfs-tools", "(initramfs)", EmergencyShell},
		{"GRUB", "grub rescue>", LoaderPrompt},
		{"GRUB", "error: you need to load the kernel first.", LoaderPrompt},
		{"SYSLINUX", "boot:", LoaderPrompt},
		{"EDK2", "BdsDxe: No bootable option or device was found.", NoBootDevice},
		{"mini", "MINI-FAIL stage-1: no medium labelled MINI_LIVE", Rejected},
		{"mini", "MINI-RESULT FAIL", Rejected},
		{"NixOS", "nixos login:", Passed},
	}
	for _, test := range tests {
		got, ok := marker.judge(test.line)
		if !ok || got != test.want {
			t.Errorf("judge(%q) = %v, %v, want %v (%s)", test.line, got, ok, test.want, test.source)
		}
	}
}

// TestHarmlessTexts has lines of boots that went well.
func TestHarmlessTexts(t *testing.T) {
	for _, line := range []string{
		"Boot failed: Could not read from CDROM (code 0003)",
		`BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x2,0xFFFF,0x0): Not Found`,
		"error: no suitable video mode found.",
		"[    0.000000] Command line: initrd=/boot/initrd boot.shell_on_fail panic=30",
		"boot: installer",
		"[  OK  ] Reached target Rescue Shell.",
		"Loading /boot/bzImage... ok",
	} {
		if outcome, ok := marker.judge(line); ok {
			t.Errorf("judge(%q) = %v, want no decision", line, outcome)
		}
	}
}

func TestPromptNeedsNoLineEnd(t *testing.T) {
	verdict := feed(t, marker, []byte("Mini (ttyS0)\r\n\r\nmini login: "), 5)
	if verdict.Outcome != Passed || verdict.Line != "mini login:" {
		t.Errorf("verdict = %+v, want Passed by the prompt", verdict)
	}
}

func TestLineIsJudgedWhole(t *testing.T) {
	w := Watch{Expect: regexp.MustCompile(`^ENTRIES \d+`)}
	verdict := feed(t, w, []byte("ENTRIES 12345\n"), 1)
	if verdict.Line != "ENTRIES 12345" {
		t.Errorf("line = %q, want all of it", verdict.Line)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Run("limit", func(t *testing.T) {
		w := Watch{Expect: regexp.MustCompile("never"), Limit: time.Millisecond}
		verdict := feed(t, w, []byte("half a"), 6)
		if verdict.Outcome != TimedOut || verdict.Line != "" {
			t.Errorf("verdict = %+v, want TimedOut", verdict)
		}
	})
	t.Run("console closed", func(t *testing.T) {
		output := make(chan []byte, 1)
		output <- []byte("last words")
		close(output)
		verdict, decided := Watch{}.watch(context.Background(), output, nil, func() {})
		if decided || !slices.Equal(verdict.Console, []string{"last words"}) {
			t.Errorf("watch = %+v, %v, want the last words and no decision", verdict, decided)
		}
	})
	t.Run("expected text without line end", func(t *testing.T) {
		output := make(chan []byte, 1)
		output <- []byte("MINI-RESULT PASS")
		close(output)
		verdict, decided := marker.watch(context.Background(), output, nil, func() {})
		if !decided || !verdict.OK() {
			t.Errorf("watch = %+v, %v, want Passed", verdict, decided)
		}
	})
	t.Run("last words of a guest that went off", func(t *testing.T) {
		// However late they are read: QEMU ends the console when it is asked to.
		output, off := make(chan []byte), make(chan struct{})
		close(off)
		verdict, decided := marker.watch(context.Background(), output, off, func() {
			output <- []byte("MINI-RESULT ")
			output <- []byte("PASS\n")
			close(output)
		})
		if !decided || !verdict.OK() {
			t.Errorf("watch = %+v, %v, want Passed", verdict, decided)
		}
	})
	t.Run("a guest that went off in silence", func(t *testing.T) {
		output, off := make(chan []byte), make(chan struct{})
		close(off)
		verdict, decided := marker.watch(context.Background(), output, off, func() { close(output) })
		if !decided || verdict.Outcome != PoweredOff {
			t.Errorf("watch = %+v, %v, want PoweredOff", verdict, decided)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if verdict, decided := (Watch{}).watch(ctx, nil, nil, func() {}); decided {
			t.Errorf("watch = %+v, want no decision", verdict)
		}
	})
}

func TestCopyAndKeptLines(t *testing.T) {
	var log bytes.Buffer
	w := Watch{Expect: regexp.MustCompile("^line 99$"), Copy: &log}
	var text strings.Builder
	for i := range 100 {
		text.WriteString("\x1b[1mline ")
		text.WriteString(string(rune('0'+i/10)) + string(rune('0'+i%10)) + "\r\n")
	}
	verdict := feed(t, w, []byte(text.String()), 7)
	if n := len(verdict.Console); n != keptLines || verdict.Console[0] != "line 60" {
		t.Errorf("%d lines kept from %q, want %d from %q", n, verdict.Console[0], keptLines, "line 60")
	}
	if got := strings.Count(log.String(), "\n"); got != 100 {
		t.Errorf("%d lines copied, want 100", got)
	}
}

func TestVerdictString(t *testing.T) {
	tests := []struct {
		verdict Verdict
		want    string
	}{
		{Verdict{}, "did not come up in time"},
		{Verdict{Outcome: Passed, Line: "login:"}, "came up: login:"},
		{Verdict{Outcome: NoBootDevice, Line: "No bootable device."}, "found no bootable device: No bootable device."},
	}
	for _, test := range tests {
		if got := test.verdict.String(); got != test.want {
			t.Errorf("String() = %q, want %q", got, test.want)
		}
	}
}
