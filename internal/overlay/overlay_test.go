package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/fat"
)

// fatImage returns a FAT file system of that kind, made by mkfs.vfat and mtools, with text in some files.
func fatImage(t testing.TB, bits, kib int, files map[string]string) []byte {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "fat.img")
	judge.Run(t, "dosfstools", "mkfs.vfat", "--invariant", "-F", fmt.Sprint(bits), "-C", path, fmt.Sprint(kib))
	for _, dir := range []string{"::/EFI", "::/EFI/BOOT", "::/a long name of a folder"} {
		judge.Run(t, "mtools", "mmd", "-i", path, dir)
	}
	for name, text := range files {
		source := filepath.Join(folder, "source")
		if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		judge.Run(t, "mtools", "mcopy", "-i", path, source, "::/"+name)
	}
	return readFile(t, path)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// find returns a file by its path, in whatever case.
func find(t testing.TB, tree *medium.Tree, path string) File {
	t.Helper()
	f, err := tree.Find(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return Of(tree, f)
}

// shown returns all that a disk shows.
func shown(t testing.TB, d *Disk) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFAT changes a file of each kind of FAT, and asks mtools and fsck about it.
func TestFAT(t *testing.T) {
	long := strings.Repeat("menu of some length\n", 500)
	texts := map[string]string{
		"EFI/BOOT/grub.cfg": long, "EFI/BOOT/OTHER.CFG": "other\n", "a long name of a folder/and of a file.text": "inside\n", "empty": "",
	}
	for bits, kib := range map[int]int{12: 1440, 16: 16 << 10, 32: 40 << 10} {
		t.Run(fmt.Sprint(bits), func(t *testing.T) {
			image := fatImage(t, bits, kib, texts)
			const base = 4096
			disk := append(make([]byte, base), image...)
			files, err := medium.OpenEFI(bytes.NewReader(disk), base, int64(len(disk)))
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range texts {
				if got, ok, err := files.Text(path); err != nil || !ok || got != want {
					t.Errorf("%s: %d bytes, %t, %v, want %d", path, len(got), ok, err, len(want))
				}
			}
			menu := find(t, files, "EFI/BOOT/grub.cfg")
			for name, content := range map[string]string{
				"shorter": "set timeout=1\n", "as long": strings.ToUpper(long), "longer": long + strings.Repeat("#", int(menu.Room())-len(long)),
			} {
				d := New(bytes.NewReader(disk), int64(len(disk)))
				if err := d.Replace(menu, []byte(content)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "changed.img")
				if err := os.WriteFile(path, shown(t, d)[base:], 0o600); err != nil {
					t.Fatal(err)
				}
				got := judge.Run(t, "mtools", "mtype", "-i", path, "::/EFI/BOOT/grub.cfg")
				if !strings.HasPrefix(got, content) || strings.TrimRight(got[len(content):], "\n") != "" || len(got) != max(len(content), len(long)) {
					t.Errorf("%s: mtools reads %d bytes", name, len(got))
				}
				if got := judge.Run(t, "mtools", "mtype", "-i", path, "::/EFI/BOOT/OTHER.CFG"); got != "other\n" {
					t.Errorf("%s: another file is %q", name, got)
				}
				judge.Run(t, "dosfstools", "fsck.vfat", "-n", path)
			}
			d := New(bytes.NewReader(disk), int64(len(disk)))
			var full *RoomError
			if err := d.Replace(menu, make([]byte, menu.Room()+1)); !errors.As(err, &full) || full.Limit != menu.Room() {
				t.Errorf("Replace by too much = %v, want a RoomError", err)
			}
			if !bytes.Equal(shown(t, d), disk) {
				t.Error("a refused change is shown")
			}
		})
	}
}

// isoImage returns a volume made by a program of others.
func isoImage(t testing.TB, debianPackage string, command ...string) []byte {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"menu.cfg": strings.Repeat("line\n", 400), "a/large": strings.Repeat("x", 5000), "a/empty": ""} {
		path := filepath.Join(folder, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(folder, "out.iso")
	judge.Run(t, debianPackage, command[0], append(command[1:], "-o", out, filepath.Join(folder, "tree"))...)
	return readFile(t, out)
}

// TestISO changes files, and asks xorriso about them.
func TestISO(t *testing.T) {
	for name, image := range map[string][]byte{
		"xorriso":     isoImage(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-r", "-J"),
		"genisoimage": isoImage(t, "genisoimage", "genisoimage", "-quiet", "-r"),
	} {
		t.Run(name, func(t *testing.T) {
			files, err := medium.OpenISO(bytes.NewReader(image), 0, int64(len(image)))
			if err != nil {
				t.Fatal(err)
			}
			d := New(bytes.NewReader(image), int64(len(image)))
			longer := strings.Repeat("LINE\n", 400) + "more\n"
			if err := d.Replace(find(t, files, "menu.cfg"), []byte(longer)); err != nil {
				t.Fatal(err)
			}
			if err := d.Replace(find(t, files, "a/large"), []byte("short\n")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "changed.iso")
			if err := os.WriteFile(path, shown(t, d), 0o600); err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			judge.Run(t, "xorriso", "xorriso", "-osirrox", "on", "-indev", path, "-extract", "/", filepath.Join(out, "tree"))
			if got := string(readFile(t, filepath.Join(out, "tree/menu.cfg"))); got != longer {
				t.Errorf("xorriso reads a menu of %d bytes, want %d", len(got), len(longer))
			}
			if got := string(readFile(t, filepath.Join(out, "tree/a/large"))); len(got) != 5000 || strings.TrimRight(got, "\n") != "short" {
				t.Errorf("xorriso reads a file of %d bytes, want 5000", len(got))
			}
		})
	}
}

// TestReadAt reads every part of a disk.
func TestReadAt(t *testing.T) {
	content := []byte(strings.Repeat("0123456789", 60))
	d := New(bytes.NewReader(content), int64(len(content)))
	extents := []medium.Extent{{Offset: 100, Size: 10}, {Offset: 300, Size: 10}}
	f := File{TreeFile: medium.TreeFile{Path: "f", Size: 15, Extents: extents}, extents: extents, sizes: []sizeField{{10, true}}}
	if err := d.Replace(f, []byte("ABCDEFGHIJKLMNOPQR")); err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(content), make([]byte, 1024-600)...)
	copy(want[100:], "ABCDEFGHIJ")
	copy(want[300:], "KLMNOPQR")
	copy(want[10:], "\x12\x00\x00\x00\x00\x00\x00\x12")
	if d.Size() != 1024 {
		t.Fatalf("Size = %d, want 1024", d.Size())
	}
	for offset := range want {
		for _, length := range []int{1, 7, 100, 1024} {
			length = min(length, len(want)-offset)
			got := make([]byte, length)
			if n, err := d.ReadAt(got, int64(offset)); n != length || err != nil || !bytes.Equal(got, want[offset:offset+length]) {
				t.Fatalf("ReadAt(%d, %d) = %d, %v, %q, want %q", offset, length, n, err, got, want[offset:offset+length])
			}
		}
	}
	if n, err := d.ReadAt(make([]byte, 10), 1020); n != 4 || err != io.EOF {
		t.Errorf("ReadAt across the end = %d, %v, want 4, EOF", n, err)
	}
	if at := f.At(12); at != 302 || f.At(20) != -1 {
		t.Errorf("At(12) = %d, At(20) = %d, want 302 and -1", at, f.At(20))
	}
}

// TestUntil has changes vanish, the reading that ends them included.
func TestUntil(t *testing.T) {
	content := make([]byte, 2048)
	d := New(bytes.NewReader(content), 2048)
	if err := d.Replace(File{TreeFile: medium.TreeFile{Size: 10}, extents: []medium.Extent{{Offset: 100, Size: 10}}}, []byte("changed")); err != nil {
		t.Fatal(err)
	}
	d.Until(1500)
	for _, offset := range []int64{0, 400, 1501} {
		if _, err := d.ReadAt(make([]byte, 500), offset); err != nil || d.Lifted() {
			t.Fatalf("reading at %d: %v, lifted: %t", offset, err, d.Lifted())
		}
	}
	if bytes.Equal(shown(t, New(bytes.NewReader(content), 2048)), shown(t, d)) && !d.Lifted() {
		t.Error("the change is not shown")
	}
	got := make([]byte, 2048)
	if _, err := d.ReadAt(got, 0); err != nil || !d.Lifted() || !bytes.Equal(got, content) {
		t.Errorf("after reading the byte: %v, lifted: %t, %d bytes as on the medium", err, d.Lifted(), bytes.Count(got, []byte{0}))
	}
	d.Restore()
	if _, err := d.ReadAt(got[:200], 0); err != nil || !bytes.Contains(got[:200], []byte("changed")) {
		t.Errorf("after Restore: %v, and the change is not shown", err)
	}
}

func TestNoFAT(t *testing.T) {
	whole := fatImage(t, 12, 1440, nil)
	for name, image := range map[string][]byte{
		"nothing":  nil,
		"zeros":    make([]byte, 1<<20),
		"0 FATs":   append(append(bytes.Clone(whole[:16]), 0), whole[17:]...),
		"no ISO's": []byte(strings.Repeat("CD001", 1000)),
	} {
		if _, err := medium.OpenEFI(bytes.NewReader(image), 0, int64(len(image))); !errors.Is(err, fat.ErrNotFAT) {
			t.Errorf("%s: OpenEFI = %v, want ErrNotFAT", name, err)
		}
	}
}
