package fat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/livebuild/livebuild/internal/judge"
)

func open(t testing.TB, image []byte) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// theirs makes a file system of a type with dosfstools and mtools, which
// fragments files and leaves deleted entries, and returns it with its files.
func theirs(t testing.TB, bits, megabytes int, options ...string) (image []byte, files map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "fat.img")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(megabytes)<<20); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-F", fmt.Sprint(bits), "-n", "THEIRS", "-i", "12345678"}, options...)
	judge.Run(t, "dosfstools", "mkfs.vfat", append(args, path)...)
	files = map[string][]byte{
		"EFI/BOOT/BOOTX64.EFI": pattern(300_000),
		"EFI/BOOT/a name that is longer than thirteen characters.config": []byte("text"),
		"EFI/empty":           {},
		"lower.cfg":           []byte("by the case flags of Windows"),
		"Mixed Case.Text":     pattern(70_000),
		"EFI/after the hole":  pattern(200_000),
		"many/entry-to-spill": []byte("x"),
	}
	for i := range 70 {
		files[fmt.Sprintf("many/a file with number %d.text", i)] = []byte{byte(i)}
	}
	host := filepath.Join(dir, "file")
	put := func(name string, data []byte) {
		if err := os.WriteFile(host, data, 0o666); err != nil {
			t.Fatal(err)
		}
		judge.Run(t, "mtools", "mcopy", "-i", path, host, "::"+name)
	}
	judge.Run(t, "mtools", "mmd", "-i", path, "::EFI", "::EFI/BOOT", "::many", "::nothing")
	put("first", pattern(100_000))
	put("EFI/BOOT/BOOTX64.EFI", files["EFI/BOOT/BOOTX64.EFI"])
	judge.Run(t, "mtools", "mdel", "-i", path, "::first")
	for name, data := range files {
		if name != "EFI/BOOT/BOOTX64.EFI" {
			put(name, data)
		}
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image, files
}

func TestReadWhatOthersWrote(t *testing.T) {
	for _, test := range []struct {
		bits, megabytes int
		options         string
	}{
		{12, 4, ""}, {16, 40, ""}, {32, 80, ""}, {12, 8, "-s 8 -r 112 -f 1"}, {16, 64, "-S 2048"}, {32, 300, "-S 4096 -s 1"},
	} {
		t.Run(fmt.Sprintf("FAT%d %s", test.bits, test.options), func(t *testing.T) {
			image, files := theirs(t, test.bits, test.megabytes, strings.Fields(test.options)...)
			r := open(t, image)
			if i := r.Info(); i.Bits != test.bits || i.Label != "THEIRS" || i.Serial != 0x12345678 || i.Size != int64(test.megabytes)<<20 {
				t.Errorf("Info = %+v", i)
			}
			checkReader(t, r, files)
			for _, name := range []string{"efi/boot/bootx64.efi", "EFI/BOOT/ANAMET~1.CON", "LOWER.CFG"} {
				if _, err := fs.Stat(r.FS(), name); err != nil {
					t.Error(err)
				}
			}
			if _, err := fs.Stat(r.FS(), "EFI/first"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat of a file that was deleted = %v", err)
			}
		})
	}
}

// checkReader compares a file system with the files that it was made of.
func checkReader(t *testing.T, r *Reader, files map[string][]byte) {
	t.Helper()
	if err := r.Check(context.Background()); err != nil {
		t.Errorf("Check: %v", err)
	}
	var names []string
	for name, want := range files {
		names = append(names, name)
		if got, err := fs.ReadFile(r.FS(), name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes (%v), want %d", name, len(got), err, len(want))
		}
		e, err := r.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		extents, err := r.Extents(e)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, x := range extents {
			part, err := io.ReadAll(io.NewSectionReader(r.src, x.Offset, x.Size))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the extents %v of %s hold something else", extents, name)
		}
	}
	found := 0
	err := fs.WalkDir(r.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found++
			if _, ok := files[path]; !ok {
				t.Errorf("%s is in the file system only", path)
			}
		}
		return err
	})
	if err != nil || found != len(files) {
		t.Errorf("WalkDir finds %d files and returns %v, want %d", found, err, len(files))
	}
	if err := fstest.TestFS(r.FS(), names...); err != nil {
		t.Error(err)
	}
}

// TestReadOurs reads what this package writes.
func TestReadOurs(t *testing.T) {
	for _, size := range []int64{3 << 20, 40 << 20} {
		files := map[string][]byte{}
		for _, f := range odd() {
			if !f.Dir {
				files[f.Path] = f.Data
			}
		}
		r := open(t, build(t, Image{Size: size, Time: millennium, Label: "ODD TREES", Serial: 7, Files: odd()}))
		checkReader(t, r, files)
		info, err := fs.Stat(r.FS(), "deep/er")
		if err != nil || !info.ModTime().Equal(millennium) || !info.IsDir() {
			t.Errorf("Stat(deep/er) = %v, %v", info, err)
		}
		if i := r.Info(); i.Label != "ODD TREES" || i.Serial != 7 || i.Size != size {
			t.Errorf("Info = %+v", i)
		}
	}
}

// TestRescueESP reads the EFI system partition that grub-mkrescue makes, with
// mformat.
func TestRescueESP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "efi.img")
	judge.Run(t, "mtools", "mformat", "-C", "-f", "2880", "-L", "16", "-i", path, "::")
	judge.Run(t, "mtools", "mmd", "-i", path, "::/efi", "::/efi/boot")
	host := filepath.Join(t.TempDir(), "bootx64.efi")
	if err := os.WriteFile(host, pattern(123_456), 0o666); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "mtools", "mcopy", "-i", path, host, "::/efi/boot/bootx64.efi")
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkReader(t, open(t, image), map[string][]byte{"efi/boot/bootx64.efi": pattern(123_456)})
}
