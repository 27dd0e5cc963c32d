package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/qemu"
)

// hostArch is the architecture of this machine's processor.
func hostArch() qemu.Arch {
	if runtime.GOARCH == "arm64" {
		return qemu.AArch64
	}
	return qemu.X86_64
}

// checkMemory looks for what an evaluation takes. Of Nix 2.8 to 2.35 that of installation-cd-minimal
// took 0.6 to 1.3 GiB.
func (e *examination) checkMemory(ctx context.Context) {
	available, err := qemu.AvailableMiB()
	if err != nil {
		return // no Linux
	}
	const enough = 1500
	if available < enough {
		e.wrong(ctx, "memory", Warning, &MemoryError{available}, ISO, Run)
		return
	}
	e.good(ctx, "memory", human.Size(int64(available)<<20)+" are available", ISO, Run)
}

// guestMiB is the memory that 'livebuild test' gives a guest.
const guestMiB = 1024

// checkMachine looks for what starts images: QEMU, firmware, KVM, and room for a guest.
func (e *examination) checkMachine(ctx context.Context) {
	m := e.machine
	var err error
	if m.Program, err = qemu.FindProgram(m.Arch); err != nil {
		e.wrong(ctx, "qemu", Failed, err, Run, Test)
	} else {
		e.good(ctx, "qemu", m.Program, Run, Test)
	}
	// The firmware may be QEMU's own, and may be there without it.
	uefi := m
	uefi.Firmware, uefi.MemoryMiB = qemu.UEFI, guestMiB
	if uefi.Program == "" {
		uefi.Program = "/usr/bin/" + qemu.ProgramName(m.Arch)
	}
	uefi.Accel = qemu.TCG // KVM comes next
	if uefi, err = uefi.Complete(ctx); err != nil {
		e.wrong(ctx, "firmware", Failed, err, Run, Test)
	} else {
		e.good(ctx, "firmware", uefi.Flash.Code, Run, Test)
	}
	if m.Program != "" {
		e.checkKVM(ctx, m)
	}
	m.MemoryMiB = guestMiB
	if _, err := m.SideBySide(1, 1); err != nil {
		e.wrong(ctx, "guest", Failed, err, Run, Test)
	}
}

// checkKVM tries KVM, and says why it does not work.
func (e *examination) checkKVM(ctx context.Context, m qemu.Machine) {
	if m.Arch != hostArch() {
		e.good(ctx, "kvm", fmt.Sprintf("not for %s on this machine: boots are emulated", m.Arch), Run, Test)
		return
	}
	if qemu.ChooseAccel(ctx, m.Arch, m.Program) == qemu.KVM {
		e.good(ctx, "kvm", "works: a guest ran by it", Run, Test)
		return
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err == nil {
		device.Close()
	}
	e.wrong(ctx, "kvm", Warning, &KVMError{string(m.Arch), err}, Run, Test)
}

// checkDisks looks whether the sticks that are plugged in may be written.
func (e *examination) checkDisks(ctx context.Context) {
	disks, err := e.Host.Disks()
	if err != nil {
		e.wrong(ctx, "sticks", Failed, err, Write)
		return
	}
	found := 0
	for _, d := range disks {
		if !d.Stick() || d.System() {
			continue
		}
		found++
		if err := d.Check(); err != nil {
			e.wrong(ctx, "sticks", Warning, err, Write)
			continue
		}
		if err := d.CheckRights(true); err != nil {
			e.wrong(ctx, "sticks", Warning, err, Write)
			continue
		}
		e.good(ctx, "sticks", fmt.Sprintf("%s, %s, can be written", d.Path, human.Size(d.Size)), Write)
	}
	if found == 0 {
		e.good(ctx, "sticks", "none is plugged in", Write)
	}
	if os.Getuid() == 0 {
		return
	}
	for _, program := range []string{"sudo", "doas"} {
		if _, err := exec.LookPath(program); err == nil {
			e.good(ctx, "rights", "'livebuild iso --write' opens disks by "+program, Write)
			return
		}
	}
}
