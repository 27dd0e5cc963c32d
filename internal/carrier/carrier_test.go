package carrier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/layer"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// TestDisk has sfdisk, fsck of both file systems, mtools and GRUB read disks, of images of several sizes.
func TestDisk(t *testing.T) {
	for _, on := range []FileSystem{FAT, ExFAT, Ext4} {
		for _, size := range []int64{1, 5 << 20, 60<<20 + 2048, 130 << 20} {
			image := make([]byte, size)
			random := rand.NewChaCha8([32]byte{byte(size), byte(on)})
			if _, err := random.Read(image); err != nil {
				t.Fatal(err)
			}
			program := Program{UEFI: bytes.Repeat([]byte("GRUB"), 300_000), Name: "BOOTX64.EFI"}
			d, err := New(t.Context(), bytes.NewReader(image), size, on, program)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
			if err != nil {
				t.Fatal(err)
			}
			checkDisk(t, data, on, image, program)
			// In pieces of any size the same.
			for range 50 {
				offset := random.Uint64() % uint64(d.Size())
				piece := make([]byte, min(random.Uint64()%100_000, uint64(d.Size())-offset))
				if _, err := d.ReadAt(piece, int64(offset)); err != nil || !bytes.Equal(piece, data[offset:][:len(piece)]) {
					t.Fatalf("%d bytes at %d: %v", len(piece), offset, err)
				}
			}
			if n, err := d.ReadAt(make([]byte, 10), d.Size()-4); n != 4 || err != io.EOF {
				t.Errorf("%d, %v", n, err)
			}
		}
	}
}

// checkDisk holds a disk against what is to be on it.
func checkDisk(t *testing.T, data []byte, on FileSystem, image []byte, program Program) {
	t.Helper()
	folder := t.TempDir()
	disk := filepath.Join(folder, "disk")
	if err := os.WriteFile(disk, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := judge.Run(t, "fdisk", "sfdisk", "--verify", disk); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk: %s", out)
	}
	// volume is a copy of a partition.
	volume := func(n int) string {
		entry := data[446+16*n:]
		from, length := int64(binary.LittleEndian.Uint32(entry[8:]))*sector, int64(binary.LittleEndian.Uint32(entry[12:]))*sector
		path := filepath.Join(folder, "volume")
		if err := os.WriteFile(path, data[from:from+length], 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check(t, on, volume(0))
	if got := judge.Run(t, "grub-common", "grub-fstest", disk, "cat", "(loop0,msdos1)"+Path); got != string(image) {
		t.Errorf("to GRUB the image has %d bytes, and is not the one with %d", len(got), len(image))
	}
	esp := volume(1)
	judge.Run(t, "dosfstools", "fsck.vfat", "-vn", esp)
	for name, want := range map[string]string{"/EFI/BOOT/" + program.Name: string(program.UEFI), "/EFI/BOOT/grub.cfg": menu} {
		if got := judge.Run(t, "mtools", "mtype", "-i", esp, "::"+name); got != want {
			t.Errorf("%s has %d bytes, want %d", name, len(got), len(want))
		}
	}
}

// check has the file system's own program check one.
func check(t *testing.T, on FileSystem, volume string) {
	t.Helper()
	switch on {
	case FAT:
		judge.Run(t, "dosfstools", "fsck.vfat", "-vn", volume)
	case ExFAT:
		judge.Run(t, "exfatprogs", "fsck.exfat", "-n", volume)
	case Ext4:
		judge.Run(t, "e2fsprogs", "e2fsck", "-fn", volume)
	}
}

// TestLarge lays out images that are larger than a file of FAT can be.
func TestLarge(t *testing.T) {
	for size, kind := range map[int64]byte{largestOnFAT: typeFAT32, largestOnFAT + 1: typeExFAT, 100 << 30: typeExFAT} {
		d, err := New(t.Context(), layer.Zeros(size), size, FAT, Program{UEFI: []byte("x"), Name: "BOOTX64.EFI"})
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 512)
		if _, err := d.ReadAt(head, 0); err != nil || head[446+4] != kind || d.Size() < size {
			t.Errorf("an image of %d bytes is on a partition of the kind %d, %v", size, head[446+4], err)
		}
		if kind != typeExFAT {
			continue
		}
		// The file is as sparse as what it is made of.
		path := filepath.Join(t.TempDir(), "volume")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		volume, content, _ := exfat(size)
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(volume), f.Close()); err != nil {
			t.Fatal(err)
		}
		check(t, ExFAT, path)
	}
}

// TestLargeExt4 lays out images that have more extents than an inode has room for, and too many.
func TestLargeExt4(t *testing.T) {
	for _, size := range []int64{600 << 20, 45 << 30} {
		volume, head, at, err := ext4(size)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "volume")
		if err := os.WriteFile(path, head, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, volume); err != nil {
			t.Fatal(err)
		}
		check(t, Ext4, path)
		last := size/ext4Block - 1
		got := judge.Run(t, "e2fsprogs", "debugfs", "-R", fmt.Sprintf("bmap %s %d", Path, last), path)
		if !strings.HasSuffix(got, fmt.Sprintf("\n%d\n", at/ext4Block+last)) {
			t.Errorf("block %d of %d bytes lies in %s, want %d", last, size, got, at/ext4Block+last)
		}
	}
	if _, _, _, err := ext4(200 << 30); err == nil {
		t.Error("200 GiB")
	}
}

func TestRefuses(t *testing.T) {
	d, err := New(t.Context(), bytes.NewReader(make([]byte, 100)), 4096, FAT, Program{UEFI: []byte("x"), Name: "BOOTX64.EFI"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size())); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an image that became shorter: %v", err)
	}
	if _, err := New(t.Context(), bytes.NewReader(nil), 0, FAT, Program{BIOS: make([]byte, start)}); err == nil {
		t.Error("a program where there is no room for it")
	}
	for _, firmware := range []Firmware{UEFI, BIOS} {
		if _, err := FindGRUB("riscv64", firmware); err == nil {
			t.Error("a GRUB for riscv64")
		}
	}
}

// TestGRUB makes programs.
func TestGRUB(t *testing.T) {
	judge.Path(t, "grub-common", "grub-mkimage")
	make := func(firmware Firmware) Program {
		g, err := FindGRUB("x86_64", firmware)
		if err != nil {
			t.Fatal(err)
		}
		program, err := g.Make(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	if p := make(UEFI); p.Name != "BOOTX64.EFI" || !bytes.HasPrefix(p.UEFI, []byte("MZ")) || p.BIOS != nil {
		t.Errorf("%s with %d bytes", p.Name, len(p.UEFI))
	}
	judge.File(t, "grub-pc-bin", "/usr/lib/grub/i386-pc/boot.img")
	p := make(BIOS)
	disk, err := New(t.Context(), bytes.NewReader(nil), 0, FAT, p)
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.Repeat([]byte{1}, start)
	if _, err := disk.ReadAt(head, 0); err != nil || !bytes.Equal(head[:440], p.MBR[:]) || !bytes.HasPrefix(head[sector:], p.BIOS) || p.Name != "" {
		t.Errorf("%d bytes behind the sector, %v", len(p.BIOS), err)
	}
	t.Setenv("PATH", t.TempDir())
	var missing *LoaderError
	if _, err := FindGRUB("x86_64", UEFI); !errors.As(err, &missing) || missing.Format != "x86_64-efi" {
		t.Errorf("%v", err)
	}
}
