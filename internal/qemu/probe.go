package qemu

import (
	"context"
	"os"
	"os/exec"
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

// probeImageSize is more than SeaBIOS wants of a disk: it boots none of a single sector.
const probeImageSize = 1 << 20

var kvm struct {
	sync.Mutex
	known, works bool
}

// ChooseAccel returns KVM if it runs guests of arch on this host, else TCG. That /dev/kvm
// exists and opens proves nothing: a KVM that itself lives in a virtual machine without
// nested virtualisation starts guests and then emulates, or refuses, much of what they do.
// So a small guest is run, once for the process.
//
// Only x86_64 has such a guest: on other hosts the answer is TCG.
func ChooseAccel(ctx context.Context, arch Arch) Accel {
	if arch != X86_64 || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return TCG
	}
	kvm.Lock()
	defer kvm.Unlock()
	if !kvm.known {
		works := probe(ctx, KVM)
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
func probe(ctx context.Context, accel Accel) bool {
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
	image := filepath.Join(dir, "probe.img")
	if err := os.WriteFile(image, probeImage(), 0o600); err != nil {
		return false
	}
	machine := Machine{Arch: X86_64, Firmware: BIOS, Image: image, Medium: Disk, MemoryMiB: 64, Accel: accel}
	program, err := exec.LookPath(machine.Program())
	if err != nil {
		return false
	}
	args, err := machine.Args()
	if err != nil {
		return false
	}
	verdict, err := run(ctx, program, args, Watch{Expect: probeText, Limit: probeLimit})
	return err == nil && verdict.OK()
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
