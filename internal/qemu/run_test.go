package qemu

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var never = regexp.MustCompile(`^this text does not appear$`)

func needQEMU(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Fatalf("%v (Debian package qemu-system-x86)", err)
	}
}

// bootDisk writes a disk whose boot sector is code.
func bootDisk(t *testing.T, code []byte) string {
	t.Helper()
	image := probeImage()
	clear(image[:510])
	copy(image, code)
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// halt stops the processor for good; reset pulls the reset line of the keyboard controller.
var (
	halt  = []byte{0xfa, 0xf4, 0xeb, 0xfd}       // cli; 1: hlt; jmp 1b
	reset = []byte{0xb0, 0xfe, 0xe6, 0x64, 0xf4} // movb $0xfe, %al; outb %al, $0x64; hlt
)

func TestRunFindsNothingToBoot(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64}
	verdict, err := Run(context.Background(), m, Watch{Expect: never, Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != NoBootDevice || verdict.Duration <= 0 {
		t.Errorf("verdict = %+v, want NoBootDevice", verdict)
	}
}

// TestProbeGuest proves that the guest KVM is judged by does run where the processor works.
func TestProbeGuest(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk}
	m.Image = filepath.Join(t.TempDir(), "probe.img")
	if err := os.WriteFile(m.Image, probeImage(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, medium := range []Medium{Disk, USB} {
		m.Medium = medium
		verdict, err := Run(context.Background(), m, Watch{Expect: probeText, Limit: time.Minute})
		if err != nil || !verdict.OK() {
			t.Errorf("from %v: %v, %v, want it to come up", medium, verdict, err)
		}
	}
}

func TestChooseAccelIsStable(t *testing.T) {
	needQEMU(t)
	first := ChooseAccel(context.Background(), X86_64)
	if first != TCG && first != KVM {
		t.Fatalf("ChooseAccel = %q", first)
	}
	if again := ChooseAccel(context.Background(), X86_64); again != first {
		t.Errorf("ChooseAccel = %q, then %q", first, again)
	}
	if foreign := ChooseAccel(context.Background(), AArch64); foreign != TCG {
		t.Errorf("ChooseAccel(aarch64) = %q, want tcg", foreign)
	}
}

func TestRunTimesOut(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Image: bootDisk(t, halt)}
	verdict, err := Run(context.Background(), m, Watch{Expect: never, Limit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != TimedOut {
		t.Errorf("verdict = %v, want TimedOut", verdict)
	}
}

func TestRunPowersOff(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Image: bootDisk(t, reset)}
	verdict, err := Run(context.Background(), m, Watch{Expect: never, Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != PoweredOff {
		t.Errorf("verdict = %v, want PoweredOff", verdict)
	}
}

// signalling calls once when it is first written to.
type signalling struct {
	once sync.Once
	call func()
}

func (s *signalling) Write(p []byte) (int, error) {
	s.once.Do(s.call)
	return len(p), nil
}

func TestRunCancelled(t *testing.T) {
	needQEMU(t)
	errStop := errors.New("enough of it")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Image: bootDisk(t, halt)}
	_, err := Run(ctx, m, Watch{Expect: never, Limit: time.Minute, Copy: &signalling{call: func() { cancel(errStop) }}})
	if !errors.Is(err, errStop) {
		t.Errorf("Run error = %v, want the cause %v", err, errStop)
	}
}

func TestRunRemovesVariables(t *testing.T) {
	needQEMU(t)
	if _, err := FindFirmware(X86_64, ""); err != nil {
		t.Fatalf("%v (Debian package ovmf)", err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	m := Machine{Arch: X86_64, Firmware: UEFI, Accel: TCG}
	verdict, err := Run(context.Background(), m, Watch{Expect: never, Limit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != TimedOut && verdict.Outcome != NoBootDevice {
		t.Errorf("verdict = %v", verdict)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunErrors(t *testing.T) {
	needQEMU(t)
	ctx := context.Background()
	dir := t.TempDir()

	t.Run("program missing", func(t *testing.T) {
		t.Setenv("PATH", dir)
		_, err := Run(ctx, Machine{Arch: X86_64}, Watch{})
		var missing *ProgramError
		if !errors.As(err, &missing) || missing.Program != "qemu-system-x86_64" || !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("error = %v, want a ProgramError", err)
		}
	})
	t.Run("image missing", func(t *testing.T) {
		_, err := Run(ctx, Machine{Arch: X86_64, Image: filepath.Join(dir, "absent.iso")}, Watch{})
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "absent.iso") {
			t.Errorf("error = %v, want one that names absent.iso", err)
		}
	})
	t.Run("firmware vanished", func(t *testing.T) {
		m := Machine{Arch: X86_64, Firmware: UEFI, Accel: TCG, Flash: Flash{Code: "/absent/code", Vars: "/absent/vars"}}
		if _, err := Run(ctx, m, Watch{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v, want one that names the file", err)
		}
	})
	t.Run("image is a directory", func(t *testing.T) {
		_, err := Run(ctx, Machine{Arch: X86_64, Accel: TCG, Image: dir}, Watch{Limit: time.Minute})
		var host *HostError
		if !errors.As(err, &host) || !strings.Contains(host.Message, dir) {
			t.Errorf("error = %v, want a HostError with QEMU's words", err)
		}
	})
}

// TestStubbornProgram runs a stand-in for a QEMU that does not end when asked to.
func TestStubbornProgram(t *testing.T) {
	script := filepath.Join(t.TempDir(), "qemu-system-x86_64")
	text := "#!/bin/sh\ntrap '' INT\necho ready\nwhile :; do sleep 0.1; done\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	verdict, err := run(context.Background(), script, nil, Watch{Expect: regexp.MustCompile("ready"), Copy: &log, Limit: time.Minute})
	if err != nil || !verdict.OK() || log.String() != "ready\n" {
		t.Errorf("run = %v, %v, console %q", verdict, err, log.String())
	}
}
