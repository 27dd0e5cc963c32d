// Package qemu boots an image in a virtual machine and judges, from what the guest
// writes to its serial console, whether it came up.
//
// A [Machine] describes the hardware; [Machine.Args] turns it into QEMU's command line
// without looking at the host; [Run] starts it, watches and stops it. Machines are
// x86_64 (q35; SeaBIOS or OVMF) and aarch64 (virt; UEFI), with one processor, one
// read-only medium and neither network nor display.
//
// The guest has to use the serial console: an image that shows itself on a screen
// alone runs into the time limit.
package qemu

import (
	"fmt"
	"strconv"
	"strings"
)

// Arch is a processor architecture as QEMU names it.
type Arch string

// The architectures that a [Machine] can have.
const (
	X86_64  Arch = "x86_64"
	AArch64 Arch = "aarch64"
)

// Firmware is what starts the boot loader.
type Firmware int

// BIOS is SeaBIOS, which comes with QEMU; UEFI is OVMF or AAVMF.
const (
	BIOS Firmware = iota
	UEFI
)

// String returns the usual name of the firmware.
func (f Firmware) String() string {
	if f == UEFI {
		return "UEFI"
	}
	return "BIOS"
}

// Medium is the device that the guest finds the image on.
type Medium int

// CD is an optical drive, USB a stick on an xHCI port, Disk a virtio block device.
const (
	CD Medium = iota
	USB
	Disk
)

// String returns the usual name of the medium.
func (m Medium) String() string {
	switch m {
	case USB:
		return "USB"
	case Disk:
		return "disk"
	default:
		return "CD"
	}
}

// Accel is the way guest instructions are executed.
type Accel string

// TCG translates them, which works everywhere; KVM lets the processor run them.
const (
	TCG Accel = "tcg"
	KVM Accel = "kvm"
)

// Limits of memory in MiB. OVMF hangs with 256 and works with 512.
const (
	defaultMemoryMiB = 1024
	minimumUEFIMiB   = 512
)

// Machine describes a virtual machine.
type Machine struct {
	Arch     Arch
	Firmware Firmware
	Image    string // raw image that the medium holds, never written to; "" for no medium
	Medium   Medium

	MemoryMiB int   // 0 for 1024
	Accel     Accel // "" for TCG in Args; Run then chooses
	Flash     Flash // files of the UEFI firmware; Run fills them in if empty
}

// Program returns the name of the QEMU program for the machine.
func (m Machine) Program() string {
	return "qemu-system-" + string(m.Arch)
}

// Args returns the arguments that start the machine with its serial console on standard output.
// A BIOS machine has the log of SeaBIOS there too: SeaBIOS says on no serial line
// that it found nothing to boot.
func (m Machine) Args() ([]string, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	args := []string{"-no-user-config"}
	args = append(args, m.platform()...)
	args = append(args,
		"-m", strconv.Itoa(m.memoryMiB()),
		"-display", "none",
		"-monitor", "none",
		"-nic", "none",
		"-no-reboot",
	)
	args = append(args, m.console()...)
	args = append(args, m.pflash()...)
	return append(args, m.medium()...), nil
}

func (m Machine) check() error {
	switch {
	case m.Arch != X86_64 && m.Arch != AArch64:
		return fmt.Errorf("no machine for architecture %q", m.Arch)
	case m.Arch == AArch64 && m.Firmware == BIOS:
		return fmt.Errorf("%s machines have no BIOS", m.Arch)
	case m.Firmware == UEFI && (m.Flash.Code == "" || m.Flash.Vars == ""):
		return fmt.Errorf("machine with UEFI lacks its firmware files")
	case m.MemoryMiB < 0:
		return fmt.Errorf("memory of %d MiB", m.MemoryMiB)
	case m.Firmware == UEFI && m.memoryMiB() < minimumUEFIMiB:
		return fmt.Errorf("memory of %d MiB: UEFI firmware needs %d", m.memoryMiB(), minimumUEFIMiB)
	}
	return nil
}

func (m Machine) memoryMiB() int {
	if m.MemoryMiB == 0 {
		return defaultMemoryMiB
	}
	return m.MemoryMiB
}

// platform returns board, processor and accelerator. Under TCG richer processors are slower:
// x86 "max" takes up to twice the time of "qemu64", and aarch64 "max" computes pointer
// authentication in software, which multiplies it.
func (m Machine) platform() []string {
	machine, cpu := "q35", "qemu64"
	if m.Arch == AArch64 {
		machine, cpu = "virt", "cortex-a72"
	}
	accel := TCG
	if m.Accel == KVM {
		accel, cpu = KVM, "host"
		if m.Arch == AArch64 {
			machine = "virt,gic-version=host"
		}
	}
	return []string{"-machine", machine, "-cpu", cpu, "-accel", string(accel)}
}

// seaBIOSLogPort is the I/O port that SeaBIOS writes its log to (src/hw/serialio.c, DebugOutputPort).
const seaBIOSLogPort = 0x402

func (m Machine) console() []string {
	args := []string{
		"-chardev", "stdio,id=console,mux=on,signal=off",
		"-serial", "chardev:console",
	}
	if m.Firmware == BIOS {
		args = append(args, "-device", fmt.Sprintf("isa-debugcon,iobase=%#x,chardev=console", seaBIOSLogPort))
	}
	return args
}

func (m Machine) pflash() []string {
	if m.Firmware != UEFI {
		return nil
	}
	return []string{
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + escape(m.Flash.Code),
		"-drive", "if=pflash,format=raw,unit=1,file=" + escape(m.Flash.Vars),
	}
}

func (m Machine) medium() []string {
	if m.Image == "" {
		return nil
	}
	drive := "if=none,id=medium,format=raw,readonly=on,file=" + escape(m.Image)
	switch m.Medium {
	case USB:
		return []string{
			"-drive", drive,
			"-device", "qemu-xhci",
			"-device", "usb-storage,drive=medium,removable=on,bootindex=0",
		}
	case Disk:
		return []string{
			"-drive", drive,
			"-device", "virtio-blk-pci,drive=medium,bootindex=0",
		}
	}
	args := []string{"-drive", drive + ",media=cdrom"}
	if m.Arch == AArch64 { // virt has no IDE
		return append(args,
			"-device", "virtio-scsi-pci",
			"-device", "scsi-cd,drive=medium,bootindex=0")
	}
	return append(args, "-device", "ide-cd,drive=medium,bootindex=0")
}

// escape makes a path the value of a key in QEMU's option syntax, where a comma ends a value.
func escape(path string) string {
	return strings.ReplaceAll(path, ",", ",,")
}
