package carrier

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/gpt"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// TestDisk has sfdisk, fsck.vfat and mtools read a disk, of images of several sizes.
func TestDisk(t *testing.T) {
	for _, size := range []int64{1, 5 << 20, 60<<20 + 2048} {
		image := make([]byte, size)
		random := rand.NewChaCha8([32]byte{byte(size)})
		if _, err := random.Read(image); err != nil {
			t.Fatal(err)
		}
		program := bytes.Repeat([]byte("GRUB"), 300_000)
		d, err := New(t.Context(), bytes.NewReader(image), size, program, "BOOTX64.EFI")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "disk")
		data, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out := judge.Run(t, "fdisk", "sfdisk", "--verify", path); !strings.Contains(out, "No errors detected") {
			t.Errorf("sfdisk: %s", out)
		}
		disk, err := gpt.Read(bytes.NewReader(data), d.Size())
		if err != nil {
			t.Fatal(err)
		}
		for n, files := range []map[string]string{
			{Path: string(image)},
			{"/EFI/BOOT/BOOTX64.EFI": string(program), "/EFI/BOOT/grub.cfg": menu},
		} {
			volume := filepath.Join(t.TempDir(), "volume")
			part := disk.MBR.Partitions[n]
			if err := os.WriteFile(volume, data[int64(part.Start)*sector:][:int64(part.Sectors)*sector], 0o600); err != nil {
				t.Fatal(err)
			}
			judge.Run(t, "dosfstools", "fsck.vfat", "-vn", volume)
			for name, want := range files {
				if got := judge.Run(t, "mtools", "mtype", "-i", volume, "::"+name); got != want {
					t.Errorf("%s has %d bytes, want %d", name, len(got), len(want))
				}
			}
		}
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

func TestRefuses(t *testing.T) {
	var large *TooLargeError
	if _, err := New(t.Context(), nil, 4<<30, nil, "x"); !errors.As(err, &large) {
		t.Errorf("4 GiB: %v", err)
	}
	// One that is as large as can be takes no memory for it.
	if _, err := New(t.Context(), bytes.NewReader(nil), MaxImage, []byte("x"), "BOOTX64.EFI"); err != nil {
		t.Error(err)
	}
	d, err := New(t.Context(), bytes.NewReader(make([]byte, 100)), 4096, []byte("x"), "BOOTX64.EFI")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size())); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an image that became shorter: %v", err)
	}
	if _, err := FindGRUB("riscv64", false); err == nil {
		t.Error("a GRUB for riscv64")
	}
}

// TestGRUB makes programs.
func TestGRUB(t *testing.T) {
	judge.Path(t, "grub-common", "grub-mkimage")
	g, err := FindGRUB("x86_64", false)
	if err != nil {
		t.Fatal(err)
	}
	program, name, err := g.Make(t.Context())
	if err != nil || name != "BOOTX64.EFI" || !bytes.HasPrefix(program, []byte("MZ")) {
		t.Errorf("%s with %d bytes, %v", name, len(program), err)
	}
	t.Setenv("PATH", t.TempDir())
	var missing *LoaderError
	if _, err := FindGRUB("x86_64", false); !errors.As(err, &missing) || missing.Format != "x86_64-efi" {
		t.Errorf("%v", err)
	}
}
