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
	"sync/atomic"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

var never = regexp.MustCompile(`^this text does not appear$`)

func needQEMU(t *testing.T) {
	t.Helper()
	judge.QEMU(t)
	judge.Path(t, "qemu-system-arm", "qemu-system-aarch64")
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

// complete runs a machine with what it leaves open filled in.
func complete(ctx context.Context, m Machine, w Watch) (Verdict, error) {
	m, err := m.Complete(ctx)
	if err != nil {
		return Verdict{}, err
	}
	return Run(ctx, m, w)
}

// halt stops the processor for good; reset pulls the reset line of the keyboard controller.
var (
	halt  = []byte{0xfa, 0xf4, 0xeb, 0xfd}       // cli; 1: hlt; jmp 1b
	reset = []byte{0xb0, 0xfe, 0xe6, 0x64, 0xf4} // movb $0xfe, %al; outb %al, $0x64; hlt
)

func TestRunFindsNothingToBoot(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64}
	verdict, err := complete(context.Background(), m, Watch{Expect: never, Limit: 5 * time.Minute})
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
	for _, arch := range []Arch{X86_64, AArch64} {
		m, err := probeMachine(arch, filepath.Join(t.TempDir(), "probe.img"))
		if err != nil {
			t.Fatal(err)
		}
		m.Accel = TCG
		for _, medium := range []Medium{Disk, USB} {
			m.Medium = medium
			verdict, err := complete(context.Background(), m, Watch{Expect: probeText, Limit: 5 * time.Minute})
			if err != nil || !verdict.OK() {
				t.Errorf("%s from %v: %v, %v, want it to come up", arch, medium, verdict, err)
			}
		}
	}
}

// served is a disk in memory that counts what is read, and fails at its end if it is to.
type served struct {
	data  []byte
	fail  bool
	bytes atomic.Int64
}

var errServed = errors.New("the medium is gone")

func (s *served) Size() int64 { return int64(len(s.data)) }

func (s *served) ReadAt(b []byte, offset int64) (int, error) {
	if s.fail {
		return 0, errServed
	}
	s.bytes.Add(int64(len(b)))
	return copy(b, s.data[offset:]), nil
}

// TestServedMedium runs the probe's guest from media that this process serves, which takes no file.
func TestServedMedium(t *testing.T) {
	needQEMU(t)
	t.Setenv("TMPDIR", "/absent")
	for _, medium := range []Medium{Disk, USB} {
		disk := &served{data: probeImage()}
		m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: medium, Served: disk}
		verdict, err := complete(context.Background(), m, Watch{Expect: probeText, Limit: 5 * time.Minute})
		if err != nil || !verdict.OK() || disk.bytes.Load() == 0 {
			t.Errorf("from %v: %v, %v, with %d bytes read, want it to come up", medium, verdict, err, disk.bytes.Load())
		}
	}
	// An error of reading is one of the guest's medium.
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Served: &served{data: probeImage(), fail: true}}
	verdict, err := complete(context.Background(), m, Watch{Expect: never, Limit: 5 * time.Minute})
	if err != nil || verdict.Outcome != NoBootDevice {
		t.Errorf("from an unreadable medium: %v, %v, want NoBootDevice", verdict, err)
	}
}

// TestAArch64 runs a machine with all its devices into the end of its firmware.
func TestAArch64(t *testing.T) {
	needQEMU(t)
	image := filepath.Join(t.TempDir(), "empty.img")
	if err := os.WriteFile(image, make([]byte, probeImageSize), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, medium := range []Medium{CD, USB} {
		m := Machine{Arch: AArch64, Firmware: UEFI, Image: image, Medium: medium, Network: true, DiskBytes: 1 << 30}
		verdict, err := complete(context.Background(), m, Watch{Expect: never})
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Outcome != NoBootDevice || len(verdict.Screen) == 0 {
			t.Errorf("from %v: %v, with a screenshot of %d bytes, want NoBootDevice with one", medium, verdict, len(verdict.Screen))
		}
	}
}

func TestChooseAccelIsStable(t *testing.T) {
	needQEMU(t)
	first := ChooseAccel(context.Background(), X86_64, "qemu-system-x86_64")
	if first != TCG && first != KVM {
		t.Fatalf("ChooseAccel = %q", first)
	}
	if again := ChooseAccel(context.Background(), X86_64, "qemu-system-x86_64"); again != first {
		t.Errorf("ChooseAccel = %q, then %q", first, again)
	}
	if foreign := ChooseAccel(context.Background(), AArch64, "qemu-system-aarch64"); foreign != TCG {
		t.Errorf("ChooseAccel(aarch64) = %q, want tcg", foreign)
	}
}

func TestRunHearsNothing(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Image: bootDisk(t, halt)}
	verdict, err := complete(context.Background(), m, Watch{Expect: never, Limit: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != Silent || len(verdict.Screen) == 0 {
		t.Errorf("verdict = %v with a screenshot of %d bytes, want Silent with one", verdict, len(verdict.Screen))
	}
}

func TestRunPowersOff(t *testing.T) {
	needQEMU(t)
	m := Machine{Arch: X86_64, Accel: TCG, MemoryMiB: 64, Medium: Disk, Image: bootDisk(t, reset)}
	verdict, err := complete(context.Background(), m, Watch{Expect: never, Limit: 5 * time.Minute})
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
	_, err := complete(ctx, m, Watch{Expect: never, Limit: 5 * time.Minute, Copy: &signalling{call: func() { cancel(errStop) }}})
	if !errors.Is(err, errStop) {
		t.Errorf("Run error = %v, want the cause %v", err, errStop)
	}
}

// TestRunLeavesNothing boots with a firmware that writes its variables, and fails, which takes a screenshot.
func TestRunLeavesNothing(t *testing.T) {
	needQEMU(t)
	flash, err := Machine{Arch: X86_64}.findFirmware(isRegular)
	if err != nil {
		t.Fatalf("%v (Debian package ovmf)", err)
	}
	own := Flash{Code: flash.Code, Vars: filepath.Join(t.TempDir(), "VARS.fd")}
	before, err := os.ReadFile(flash.Vars)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own.Vars, before, 0o600); err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	m := Machine{Arch: X86_64, Firmware: UEFI, Accel: TCG, Flash: own, DiskBytes: 1 << 30}
	verdict, err := complete(context.Background(), m, Watch{Expect: never, Limit: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Outcome != NoBootDevice {
		t.Errorf("verdict = %v, want NoBootDevice", verdict)
	}
	if after, err := os.ReadFile(own.Vars); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the firmware wrote to the file of its variables (%v)", err)
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
		_, err := complete(ctx, Machine{Arch: X86_64}, Watch{})
		var missing *ProgramError
		if !errors.As(err, &missing) || missing.Program != "qemu-system-x86_64" || !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("error = %v, want a ProgramError", err)
		}
	})
	t.Run("image missing", func(t *testing.T) {
		_, err := complete(ctx, Machine{Arch: X86_64, Accel: TCG, Image: filepath.Join(dir, "absent.iso")}, Watch{})
		var host *HostError
		if !errors.As(err, &host) || !strings.Contains(host.Message, "absent.iso") {
			t.Errorf("error = %v, want a HostError that names absent.iso", err)
		}
	})
	t.Run("firmware vanished", func(t *testing.T) {
		m := Machine{Arch: X86_64, Firmware: UEFI, Accel: TCG, Flash: Flash{Code: "/absent/code", Vars: "/absent/vars"}}
		_, err := complete(ctx, m, Watch{})
		var host *HostError
		if !errors.As(err, &host) || !strings.Contains(host.Message, "/absent/code") {
			t.Errorf("error = %v, want a HostError that names the file", err)
		}
	})
	t.Run("image is a directory", func(t *testing.T) {
		_, err := complete(ctx, Machine{Arch: X86_64, Accel: TCG, Image: dir}, Watch{Limit: 5 * time.Minute})
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
	verdict, err := Machine{Program: script}.run(context.Background(), nil, Watch{Expect: regexp.MustCompile("ready"), Copy: &log, Limit: 5 * time.Minute})
	if err != nil || !verdict.OK() || log.String() != "ready\n" {
		t.Errorf("run = %v, %v, console %q", verdict, err, log.String())
	}
}
