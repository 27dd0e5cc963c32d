package qemu

import (
	"slices"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	flash := Flash{Code: "/fw/code.fd", Vars: "/tmp/vars.fd"}
	tests := []struct {
		name    string
		machine Machine
		want    string
	}{
		{
			"BIOS CD", Machine{Arch: X86_64, Image: "/a.iso"},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -nic none -monitor none -no-reboot -no-shutdown " +
				"-chardev stdio,id=console,mux=on,signal=off -serial chardev:console -device isa-debugcon,iobase=0x402,chardev=console " +
				"-drive if=none,id=medium,format=raw,readonly=on,file=/a.iso,media=cdrom -device ide-cd,drive=medium,bootindex=1",
		},
		{
			"BIOS USB with KVM", Machine{Arch: X86_64, Image: "/a.iso", Medium: USB, MemoryMiB: 256, Accel: KVM},
			"-no-user-config -machine q35 -cpu host -accel kvm -m 256 -display none -device qemu-xhci -nic none -monitor none -no-reboot -no-shutdown " +
				"-chardev stdio,id=console,mux=on,signal=off -serial chardev:console -device isa-debugcon,iobase=0x402,chardev=console " +
				"-drive if=none,id=medium,format=raw,readonly=on,file=/a.iso -device usb-storage,removable=on,drive=medium,bootindex=1",
		},
		{
			"UEFI disk", Machine{Arch: X86_64, Firmware: UEFI, Image: "/a.iso", Medium: Disk, Flash: flash},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -nic none -monitor none -no-reboot -no-shutdown " +
				"-chardev stdio,id=console,mux=on,signal=off -serial chardev:console " +
				"-drive if=pflash,format=raw,unit=0,readonly=on,file=/fw/code.fd -drive if=pflash,format=raw,unit=1,snapshot=on,file=/tmp/vars.fd " +
				"-drive if=none,id=medium,format=raw,readonly=on,file=/a.iso -device virtio-blk-pci,drive=medium,bootindex=1",
		},
		{
			"aarch64 CD", Machine{Arch: AArch64, Firmware: UEFI, Image: "/a.iso", Flash: flash},
			"-no-user-config -machine virt -cpu cortex-a72 -accel tcg -m 1024 -display none -device ramfb -device qemu-xhci -device usb-kbd -nic none -monitor none -no-reboot -no-shutdown " +
				"-chardev stdio,id=console,mux=on,signal=off -serial chardev:console " +
				"-drive if=pflash,format=raw,unit=0,readonly=on,file=/fw/code.fd -drive if=pflash,format=raw,unit=1,snapshot=on,file=/tmp/vars.fd " +
				"-drive if=none,id=medium,format=raw,readonly=on,file=/a.iso,media=cdrom -device virtio-scsi-pci -device scsi-cd,drive=medium,bootindex=1",
		},
		{
			"for the user", Machine{
				Arch: X86_64, Image: "/a.iso", Display: "gtk", Serial: SerialNone, Processors: 4, Accel: KVM,
				Network: true, SSHPort: 2222, DiskBytes: 8 << 30, Extra: []string{"-audio", "none"},
			},
			"-no-user-config -machine q35 -cpu host -accel kvm -m 1024 -smp 4 -display gtk -device qemu-xhci -device usb-tablet " +
				"-netdev user,id=network,hostfwd=tcp:127.0.0.1:2222-:22 -device virtio-net-pci,netdev=network,romfile= -serial none -monitor none " +
				"-drive if=none,id=disk,driver=null-co,size=8589934592,read-zeroes=on,snapshot=on -device virtio-blk-pci,drive=disk,bootindex=0 " +
				"-drive if=none,id=medium,format=raw,readonly=on,file=/a.iso,media=cdrom -device ide-cd,drive=medium,bootindex=1 -audio none",
		},
		{
			"in a terminal", Machine{Arch: X86_64, Serial: SerialTerminal, Network: true},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -netdev user,id=network -device virtio-net-pci,netdev=network,romfile= -serial mon:stdio",
		},
		{
			"even time", Machine{Arch: X86_64, Even: true, Serial: SerialNone},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -icount shift=2 -m 1024 -display none -nic none -serial none -monitor none",
		},
		{
			"even time with KVM", Machine{Arch: X86_64, Even: true, Accel: KVM, Serial: SerialNone},
			"-no-user-config -machine q35 -cpu host -accel kvm -m 1024 -display none -nic none -serial none -monitor none",
		},
		{
			"served", Machine{Arch: X86_64, Served: &served{}, Medium: USB, Serial: SerialNone},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -device qemu-xhci -nic none -serial none -monitor none " +
				"-drive if=none,id=medium,format=raw,readonly=on,file.driver=nbd,file.server.type=fd,file.server.str=4 " +
				"-device usb-storage,removable=on,drive=medium,bootindex=1",
		},
		{
			"no medium", Machine{Arch: X86_64},
			"-no-user-config -machine q35 -cpu qemu64 -accel tcg -m 1024 -display none -nic none -monitor none -no-reboot -no-shutdown " +
				"-chardev stdio,id=console,mux=on,signal=off -serial chardev:console -device isa-debugcon,iobase=0x402,chardev=console",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args, err := test.machine.Args()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(args, " "); got != test.want {
				t.Errorf("Args() =\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestArgsEscapesCommas(t *testing.T) {
	args, err := Machine{Arch: X86_64, Image: "/a,b.iso"}.Args()
	if err != nil {
		t.Fatal(err)
	}
	want := "if=none,id=medium,format=raw,readonly=on,file=/a,,b.iso,media=cdrom"
	if !slices.Contains(args, want) {
		t.Errorf("Args() = %q, want %q among them", args, want)
	}
}

func TestArgsErrors(t *testing.T) {
	flash := Flash{Code: "c", Vars: "v"}
	tests := []struct {
		machine Machine
		want    string
	}{
		{Machine{}, `no machine for architecture ""`},
		{Machine{Arch: "riscv64"}, `no machine for architecture "riscv64"`},
		{Machine{Arch: AArch64}, "aarch64 machines have no BIOS"},
		{Machine{Arch: X86_64, Firmware: UEFI}, "machine with UEFI lacks its firmware files"},
		{Machine{Arch: X86_64, Firmware: UEFI, Flash: flash, MemoryMiB: 256}, "memory of 256 MiB: UEFI firmware needs 512"},
		{Machine{Arch: X86_64, MemoryMiB: -1}, "memory of -1 MiB"},
		{Machine{Arch: X86_64, Image: "nbd:a.iso"}, `path of the image "nbd:a.iso" is not absolute`},
		{Machine{Arch: X86_64, DiskBytes: 1000}, "disk of 1000 bytes, which is no multiple of 512"},
	}
	for _, test := range tests {
		if _, err := test.machine.Args(); err == nil || err.Error() != test.want {
			t.Errorf("Args(%+v) error = %v, want %s", test.machine, err, test.want)
		}
	}
}
