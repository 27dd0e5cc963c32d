// Package qemu boots an image in a virtual machine and judges, from what the guest
// writes to its serial console, whether it came up.
//
// A [Machine] describes the hardware; [Machine.Complete] fills in what the host has;
// [Machine.Args] turns it into QEMU's command line without looking at the host. [Run]
// starts it, watches its console and stops it; [Attend] leaves it to the user. Machines are x86_64 (q35; SeaBIOS or OVMF) and aarch64
// (virt; UEFI). The image is their medium, and is never written to.
//
// The guest has to use the serial console: one that shows itself on a screen alone runs
// into the time limit.
package qemu

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/livebuild/livebuild/internal/nbd"
)

// Arch is a processor architecture as QEMU names it.
type Arch string

// The architectures that a [Machine] can have.
const (
	X86_64  Arch = "x86_64" //lint:ignore ST1003 the name of the architecture
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

// Serial is what the first serial port of the guest is connected to.
type Serial int

// SerialWatched is standard output, together with the log of SeaBIOS, which says on no serial
// line that it found nothing to boot. SerialTerminal is standard input and output, shared with
// QEMU's monitor. SerialNone is nothing.
const (
	SerialWatched Serial = iota
	SerialTerminal
	SerialNone
)

// Machine describes a virtual machine.
type Machine struct {
	Arch       Arch
	Firmware   Firmware
	Firmware32 bool   // UEFI is of 32 bits, as on some computers with an x86_64 processor
	SecureBoot bool   // UEFI is one that keeps its variables from the guest, so that their keys decide what starts
	Image      string // absolute path of the raw image that the medium holds, never written to; "" for no medium
	Medium     Medium
	Served     nbd.Disk // what the medium holds instead of Image: this process answers each reading of it; nil for none

	// Kernel and Initrd are absolute paths of what QEMU itself puts into memory and starts, with CommandLine, and no
	// firmware in between; "" for what firmware finds.
	Kernel, Initrd, CommandLine string

	Netboot bool   // it starts what comes over the network, which it has then, by iPXE
	TFTP    string // absolute path of the folder in which iPXE finds Bootfile

	Processors int   // 0 for 1
	MemoryMiB  int   // 0 for 1024
	DiskBytes  int64 // size of an empty disk that is gone with the machine; 0 for none
	Disks      []DiskFile
	Network    bool   // the host's, behind QEMU's own router
	SSHPort    int    // port of 127.0.0.1 that leads to the guest's port 22; 0 for none
	Display    string // value of -display; "" for none
	Serial     Serial
	Extra      []string // further arguments, after all others

	// Even lets time pass in the guest by its instructions, as far as they are emulated,
	// instead of by the host's clock. Otherwise a busy host makes guests fail that wait for a
	// device in a loop: Linux finds that its timer does not tick. It takes up to twice the time.
	Even bool

	Program string // path of QEMU; Complete finds it if ""
	Accel   Accel  // "" for TCG in Args; Complete chooses
	Flash   Flash  // files of the UEFI firmware; Complete finds them if empty
}

// DiskFile is a disk that the guest writes to, and that stays.
type DiskFile struct {
	Path   string // absolute, of the raw image
	Serial string // by which the guest tells it, at most 20 letters
}

// ProgramName returns the name of the QEMU program for an architecture.
func ProgramName(arch Arch) string { return "qemu-system-" + string(arch) }

// Args returns the arguments that start the machine. Its variables of UEFI and its disk are
// kept in unnamed temporary files, so nothing has to be made before or removed after.
func (m Machine) Args() ([]string, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	args := []string{"-no-user-config"}
	args = append(args, m.platform()...)
	args = append(args, "-m", strconv.Itoa(m.memoryMiB()))
	if m.Processors > 1 {
		args = append(args, "-smp", strconv.Itoa(m.Processors))
	}
	args = append(args, m.display()...)
	args = append(args, m.network()...)
	args = append(args, m.console()...)
	args = append(args, m.pflash()...)
	args = append(args, m.disk()...)
	args = append(args, m.medium()...)
	if m.Kernel != "" {
		args = append(args, "-kernel", m.Kernel, "-initrd", m.Initrd, "-append", m.CommandLine)
	}
	return append(args, m.Extra...), nil
}

func (m Machine) check() error {
	switch {
	case m.Arch != X86_64 && m.Arch != AArch64:
		return fmt.Errorf("no machine for architecture %q", m.Arch)
	case m.Arch == AArch64 && m.Firmware == BIOS:
		return fmt.Errorf("%s machines have no BIOS", m.Arch)
	case m.Firmware32 && m.Arch != X86_64:
		return fmt.Errorf("%s machines have no firmware of 32 bits", m.Arch)
	case m.Firmware == UEFI && (m.Flash.Code == "" || m.Flash.Vars == ""):
		return fmt.Errorf("machine with UEFI lacks its firmware files")
	case m.SecureBoot && m.Firmware != UEFI:
		return fmt.Errorf("%s knows no Secure Boot", m.Firmware)
	case m.Netboot && m.Arch != X86_64:
		return &ROMError{Arch: m.Arch}
	case m.MemoryMiB < 0:
		return fmt.Errorf("memory of %d MiB", m.MemoryMiB)
	case m.Kernel != "" && (!filepath.IsAbs(m.Kernel) || !filepath.IsAbs(m.Initrd)):
		return fmt.Errorf("path of the kernel %q or of the initrd %q is not absolute", m.Kernel, m.Initrd)
	case m.Image != "" && !filepath.IsAbs(m.Image): // QEMU might take it for a protocol
		return fmt.Errorf("path of the image %q is not absolute", m.Image)
	case slices.ContainsFunc(m.Disks, func(d DiskFile) bool { return !filepath.IsAbs(d.Path) }):
		return fmt.Errorf("path of a disk is not absolute")
	case m.DiskBytes < 0 || m.DiskBytes%sectorSize != 0:
		return fmt.Errorf("disk of %d bytes, which is no multiple of %d", m.DiskBytes, sectorSize)
	case m.Firmware == UEFI && m.memoryMiB() < minimumUEFIMiB:
		return &FirmwareMemoryError{MiB: m.memoryMiB(), NeededMiB: minimumUEFIMiB}
	}
	return nil
}

func (m Machine) memoryMiB() int {
	if m.MemoryMiB == 0 {
		return defaultMemoryMiB
	}
	return m.MemoryMiB
}

// evenShift is the binary logarithm of the nanoseconds that an instruction takes where time is
// even: 250 million a second, of the order of what TCG does.
const evenShift = 2

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
	if m.SecureBoot && m.Arch == X86_64 {
		machine += ",smm=on"
	}
	args := []string{"-machine", machine, "-cpu", cpu, "-accel", string(accel)}
	if m.Even && accel == TCG {
		args = append(args, "-icount", fmt.Sprintf("shift=%d", evenShift))
	}
	return args
}

// display returns what the user sees and types on. q35 has a VGA adapter and a PS/2 keyboard
// of its own; virt has neither.
func (m Machine) display() []string {
	display := m.Display
	if display == "" {
		display = "none"
	}
	args := []string{"-display", display}
	if m.Arch == AArch64 {
		args = append(args, "-device", "ramfb") // compiled in everywhere, unlike virtio-gpu
	}
	if m.needsUSB() {
		args = append(args, "-device", "qemu-xhci")
	}
	if m.Arch == AArch64 {
		args = append(args, "-device", "usb-kbd")
	}
	if display != "none" {
		args = append(args, "-device", "usb-tablet") // a pointer that need not be caught
	}
	return args
}

func (m Machine) needsUSB() bool {
	return m.Arch == AArch64 || m.Medium == USB && m.hasMedium() || m.Display != "" && m.Display != "none"
}

// Bootfile is the script for iPXE that a machine starts from the network.
const Bootfile = "boot.ipxe"

// HostAddress is that of this machine's 127.0.0.1 to a guest (QEMU, "Using the user mode network stack").
const HostAddress = "10.0.2.2"

func (m Machine) network() []string {
	if m.Netboot {
		user := "user,id=network,tftp=" + escape(m.TFTP) + ",bootfile=" + Bootfile
		if m.SSHPort != 0 {
			user += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:22", m.SSHPort)
		}
		// The adapter has its own ROM, of which QEMU adapts the numbers to the device: one that is named it
		// leaves alone, and no BIOS runs it then (hw/pci/pci.c, pci_add_option_rom).
		return []string{"-netdev", user, "-device", "virtio-net-pci,netdev=network,bootindex=1"}
	}
	if !m.Network {
		return []string{"-nic", "none"}
	}
	user := "user,id=network"
	if m.SSHPort != 0 {
		user += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:22", m.SSHPort)
	}
	// Without its ROM the adapter starts nothing, and needs no further package of the host.
	return []string{"-netdev", user, "-device", "virtio-net-pci,netdev=network,romfile="}
}

// seaBIOSLogPort is the I/O port that SeaBIOS writes its log to (src/hw/serialio.c, DebugOutputPort).
const seaBIOSLogPort = 0x402

func (m Machine) console() []string {
	switch m.Serial {
	case SerialTerminal:
		return []string{"-serial", "mon:stdio"}
	case SerialNone:
		return []string{"-serial", "none", "-monitor", "none"}
	}
	args := []string{
		"-monitor", "none",
		// A guest that goes off leaves a machine whose screen can still be read.
		"-no-reboot", "-no-shutdown",
		"-chardev", "stdio,id=console,mux=on,signal=off",
		"-serial", "chardev:console",
	}
	if m.Firmware == BIOS {
		args = append(args, "-device", fmt.Sprintf("isa-debugcon,iobase=%#x,chardev=console", seaBIOSLogPort))
	}
	return args
}

// pflash returns the firmware. Its variables are a snapshot: what the guest writes to
// them goes into a temporary file that only QEMU sees.
func (m Machine) pflash() []string {
	if m.Firmware != UEFI {
		return nil
	}
	var args []string
	if m.SecureBoot && m.Arch == X86_64 {
		// Its system management mode alone can write to them (OvmfPkg/README, "SMM_REQUIRE").
		args = []string{"-global", "driver=cfi.pflash01,property=secure,value=on"}
	}
	return append(args,
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file="+escape(m.Flash.Code),
		"-drive", "if=pflash,format=raw,unit=1,snapshot=on,file="+escape(m.Flash.Vars),
	)
}

const sectorSize = 512

// disk returns an empty disk: a snapshot of nothing. It comes before the medium in the boot
// order, so that a system installed onto it starts when the guest is restarted, while a
// firmware that finds it empty goes on to the medium.
func (m Machine) disk() []string {
	var files []string
	for n, d := range m.Disks {
		index := 0 // of the boot order: before the medium, which is 1, or behind it
		if n > 0 {
			index = n + 1
		}
		id := fmt.Sprintf("disk-%d", n)
		files = append(files, "-drive", "if=none,id="+id+",format=raw,discard=unmap,cache=unsafe,file="+escape(d.Path),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=%s,serial=%s,bootindex=%d", id, d.Serial, index))
	}
	if m.DiskBytes == 0 {
		return files
	}
	return []string{
		"-drive", fmt.Sprintf("if=none,id=disk,driver=null-co,size=%d,read-zeroes=on,snapshot=on", m.DiskBytes),
		"-device", "virtio-blk-pci,drive=disk,bootindex=0",
	}
}

func (m Machine) hasMedium() bool { return m.Image != "" || m.Served != nil }

// mediumID is what QEMU's monitor calls the medium.
const mediumID = "medium"

func (m Machine) medium() []string {
	if !m.hasMedium() {
		return nil
	}
	drive := "if=none,id=" + mediumID + ",format=raw,readonly=on,"
	if m.Served != nil {
		drive += fmt.Sprintf("file.driver=nbd,file.server.type=fd,file.server.str=%d", servedFD)
	} else {
		drive += "file=" + escape(m.Image)
	}
	device := "drive=" + mediumID + ",bootindex=1"
	switch m.Medium {
	case USB:
		return []string{"-drive", drive, "-device", "usb-storage,removable=on," + device}
	case Disk:
		return []string{"-drive", drive, "-device", "virtio-blk-pci," + device}
	}
	args := []string{"-drive", drive + ",media=cdrom"}
	if m.Arch == AArch64 { // virt has no IDE
		return append(args, "-device", "virtio-scsi-pci", "-device", "scsi-cd,"+device)
	}
	return append(args, "-device", "ide-cd,"+device)
}

// escape makes a path the value of a key in QEMU's option syntax, where a comma ends a value.
func escape(path string) string {
	return strings.ReplaceAll(path, ",", ",,")
}
