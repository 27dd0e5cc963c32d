package qemu

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"
)

// probeLimit is far above what the probe takes under a working KVM (half a second,
// most of it SeaBIOS) and far below what it takes under one that emulates (minutes).
const probeLimit = 5 * time.Second

// probeText is what the probe's guest prints at its end.
var probeText = regexp.MustCompile(`64-bit guest runs`)

// The sizes of the files that hold the probe's guest in bytes: SeaBIOS boots no disk of a single sector,
// and virt takes flash of this size alone (hw/arm/virt.c, VIRT_FLASH).
const (
	probeImageSize = 1 << 20
	probeFlashSize = 64 << 20
)

var kvm struct {
	sync.Mutex
	known, works bool
}

// hostArchs are the architectures of guests that the processor can run.
var hostArchs = map[string]Arch{"amd64": X86_64, "arm64": AArch64}

// ChooseAccel returns KVM if program, a QEMU, runs guests of arch by it on this host, else TCG. That
// /dev/kvm exists and opens proves nothing: a KVM that itself lives in a virtual machine without
// nested virtualisation starts guests and then emulates, or refuses, much of what they do.
// So a small guest is run, once for the process.
func ChooseAccel(ctx context.Context, arch Arch, program string) Accel {
	if runtime.GOOS != "linux" || hostArchs[runtime.GOARCH] != arch {
		return TCG
	}
	kvm.Lock()
	defer kvm.Unlock()
	if !kvm.known {
		works := probe(ctx, arch, program, KVM)
		if ctx.Err() != nil {
			return TCG
		}
		kvm.known, kvm.works = true, works
	}
	if kvm.works {
		return KVM
	}
	return TCG
}

// probe reports whether the probe's guest reaches its end in time.
func probe(ctx context.Context, arch Arch, program string, accel Accel) bool {
	if accel == KVM {
		device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err != nil {
			return false
		}
		device.Close()
	}
	dir, err := os.MkdirTemp("", "livebuild-probe-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	machine, err := probeMachine(arch, filepath.Join(dir, "probe.img"))
	if err != nil {
		return false
	}
	machine.Accel, machine.Program = accel, program
	args, err := machine.Args()
	if err != nil {
		return false
	}
	verdict, err := machine.run(ctx, args, Watch{Expect: probeText, Limit: probeLimit})
	return err == nil && verdict.OK()
}

// probeMachine writes the probe's guest to a file, and returns the machine that runs it: from a
// disk on x86_64, as its firmware on aarch64.
func probeMachine(arch Arch, file string) (Machine, error) {
	if arch == X86_64 {
		return Machine{Arch: arch, Image: file, Medium: Disk, MemoryMiB: 64}, os.WriteFile(file, probeImage(), 0o600)
	}
	err := os.WriteFile(file, probeFlash(), 0o600)
	if err == nil {
		err = os.Truncate(file, probeFlashSize)
	}
	return Machine{Arch: arch, Firmware: UEFI, Flash: Flash{Code: file, Vars: file}, MemoryMiB: minimumUEFIMiB}, err
}

// probeFlash returns the beginning of a flash, where an aarch64 processor starts: like probeImage, it
// counts and prints probeText, on the serial port of virt.
func probeFlash() []byte {
	code := []byte{}
	for _, instruction := range []uint32{
		0xD2A12000, // movz x0, #0x0900, lsl #16 (hw/arm/virt.c, VIRT_UART)
		0xD2A0BEA1, // movz x1, #0x05F5, lsl #16
		0xF1000421, // 1: subs x1, x1, #1
		0x54FFFFE1, // b.ne 1b
		0x100000E2, // adr x2, text
		0x38401443, // 2: ldrb w3, [x2], #1
		0x34000063, // cbz w3, 3f
		0xB9000003, // str w3, [x0]
		0x17FFFFFD, // b 2b
		0xD503207F, // 3: wfi
		0x17FFFFFF, // b 3b
	} {
		code = binary.LittleEndian.AppendUint32(code, instruction)
	}
	return append(code, "64-bit guest runs\n\x00"...) // text
}

// probeImage returns a disk whose boot sector is the probe's guest: it switches the processor
// to 64-bit mode with paging, counts down from 100 million, and prints probeText on the first
// serial port. KVM counts in 50 ms; a KVM that emulates instruction by instruction would
// need minutes.
func probeImage() []byte {
	code := []byte{
		// Real mode, loaded at 0x7c00.
		0xfa,       // cli
		0x31, 0xc0, // xorw %ax, %ax
		0x8e, 0xd8, // movw %ax, %ds
		0x8e, 0xc0, // movw %ax, %es
		0x8e, 0xd0, // movw %ax, %ss
		0xbc, 0x00, 0x7c, // movw $0x7c00, %sp
		0xfc, // cld

		// Page tables at 0x1000, 0x2000 and 0x3000 map the first 2 MiB.
		0x66, 0xbf, 0x00, 0x10, 0x00, 0x00, // movl $0x1000, %edi
		0x0f, 0x22, 0xdf, // movl %edi, %cr3
		0x66, 0x31, 0xc0, // xorl %eax, %eax
		0x66, 0xb9, 0x00, 0x0c, 0x00, 0x00, // movl $3072, %ecx
		0x67, 0x66, 0xf3, 0xab, // rep stosl %eax, %es:(%edi)
		0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, // movw $0x2003, 0x1000
		0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, // movw $0x3003, 0x2000
		0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, // movw $0x0083, 0x3000

		// CR4.PAE, EFER.LME, CR0.PE and CR0.PG: long mode.
		0x66, 0xb8, 0x20, 0x00, 0x00, 0x00, // movl $0x20, %eax
		0x0f, 0x22, 0xe0, // movl %eax, %cr4
		0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, // movl $0xc0000080, %ecx
		0x0f, 0x32, // rdmsr
		0x0d, 0x00, 0x01, // orw $0x100, %ax
		0x0f, 0x30, // wrmsr
		0x66, 0x0f, 0x01, 0x16, 0x8f, 0x7c, // lgdtl 0x7c8f
		0x66, 0xb8, 0x11, 0x00, 0x00, 0x80, // movl $0x80000011, %eax
		0x0f, 0x22, 0xc0, // movl %eax, %cr0
		0x66, 0xea, 0x62, 0x7c, 0x00, 0x00, 0x08, 0x00, // ljmpl $8, $0x7c62

		// 0x7c62: count, then print.
		0xb9, 0x00, 0xe1, 0xf5, 0x05, // movl $100000000, %ecx
		0xff, 0xc9, // 1: decl %ecx
		0x75, 0xfc, // jnz 1b
		0xbe, 0x95, 0x7c, 0x00, 0x00, // movl $0x7c95, %esi
		0x66, 0xba, 0xf8, 0x03, // movw $0x3f8, %dx
		0xac,       // 2: lodsb
		0x84, 0xc0, // testb %al, %al
		0x74, 0x03, // jz 3f
		0xee,       // outb %al, %dx
		0xeb, 0xf8, // jmp 2b
		0xf4,       // 3: hlt
		0xeb, 0xfd, // jmp 3b

		// 0x7c7f: descriptors (null, 64-bit code) and, at 0x7c8f, where they are.
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00,
		0x0f, 0x00, 0x7f, 0x7c, 0x00, 0x00,
	}
	code = append(code, "64-bit guest runs\n\x00"...) // 0x7c95

	image := make([]byte, probeImageSize)
	copy(image, code)
	image[510], image[511] = 0x55, 0xaa // boot signature
	return image
}
