package fat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat12"
	"github.com/diskfs/go-diskfs/filesystem/fat16"
	"github.com/diskfs/go-diskfs/filesystem/fat32"

	"github.com/livebuild/livebuild/internal/judge"
)

var millennium = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// esp is a small EFI system partition.
func esp() Image {
	return Image{
		Label: "EFIBOOT", Serial: 0x12345678, Time: millennium, Size: 3 << 20,
		Files: []File{
			{Path: "EFI/BOOT/grub.cfg", Data: []byte("set timeout=10\n")},
			{Path: "EFI/BOOT/BOOTX64.EFI", Data: pattern(1_100_000)},
			{Path: "EFI/BOOT/refind_x64.efi", Data: pattern(300_001)},
		},
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestStructureSizes(t *testing.T) {
	for _, test := range []struct {
		structure any
		want      int
	}{
		{bootSector{}, 512}, {dirEntry{}, 32}, {longEntry{}, 32},
	} {
		if got := binary.Size(test.structure); got != test.want {
			t.Errorf("binary.Size(%T) = %d, want %d", test.structure, got, test.want)
		}
	}
}

func TestClusterCounts(t *testing.T) {
	// Sectors before the clusters: 1 boot sector, 2 tables, 32 of the root.
	for _, test := range []struct {
		name     string
		sectors  int64
		size     int
		clusters int64
		bits     int
	}{
		{"last FAT12", 1 + 2*12 + 32 + 4084, 512, 4084, 12},
		{"one sector more, too few for FAT16", 1 + 2*12 + 32 + 4085, 512, 4084, 12},
		{"first FAT16", 1 + 2*16 + 32 + 4085, 512, 4085, 16},
		{"last FAT16", 1 + 2*256 + 32 + 65524, 512, 65524, 16},
		{"one cluster", 1 + 2 + 32 + 1, 512, 1, 12},
		{"the default is 2 KiB", 3 << 11, 0, (6144 - 1 - 2*5 - 32) / 4, 12},
		{"the last size with 2 KiB", 1 + 2*256 + 32 + 4*65524, 0, 65524, 16},
		{"more than fit 2 KiB", 1 + 2*256 + 32 + 4*65525, 0, (1 + 2*256 + 32 + 4*65525 - 1 - 2*129 - 32) / 8, 16},
		{"the largest of FAT16", 1 + 2*256 + 32 + 64*65524, 0, 65524, 16},
		{"one sector more, too few for FAT32", 1 + 2*256 + 32 + 65525, 512, 65524, 16},
		{"first FAT32", 32 + 2*512 + 65525, 512, 65525, 32},
		{"FAT32 by its size", 4 << 21, 0, (4<<21 - 32 - 2*8177) / 8, 32},
	} {
		l, err := Image{Size: test.sectors * 512, ClusterSize: test.size, Time: millennium}.Layout()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if l.Clusters() != test.clusters || l.bits != test.bits {
			t.Errorf("%s: %d clusters of FAT%d, want %d of FAT%d", test.name, l.Clusters(), l.bits, test.clusters, test.bits)
		}
		if test.sectors < 1<<20 {
			check(t, Image{Size: test.sectors * 512, ClusterSize: test.size, Time: millennium})
		}
	}
}

func TestRefused(t *testing.T) {
	small := func(files ...File) Image { return Image{Size: 1 << 20, Time: millennium, Files: files} }
	full := small()
	for i := range 171 { // three entries each, and 512 in all
		full.Files = append(full.Files, File{Path: fmt.Sprintf("a name with 14 %03d", i)})
	}
	late, label, odd := small(), small(), small()
	late.Time = time.Date(2108, 1, 1, 0, 0, 0, 0, time.UTC)
	label.Label = "efiboot"
	odd.Size++
	for _, test := range []struct {
		image Image
		want  string
	}{
		{Image{Size: 1 << 41, Time: millennium}, "more sectors than 32 bits count"},
		{Image{Size: 1 << 38, ClusterSize: 512, Time: millennium}, "more than 268435444 clusters"},
		{Image{Size: 512 * 35, Time: millennium}, "no room for a cluster"},
		{Image{Size: 1 << 20, ClusterSize: 3000}, "power of two"},
		{odd, "no multiple of 512"},
		{late, "year 2108"},
		{label, `label "efiboot" has 'e' in it`},
		{full, "root directory needs 513 entries and has 512"},
		{small(File{Path: "big", Data: make([]byte, 1<<20)}), "contents need"},
		{small(File{Path: "a:b"}), `name "a:b" has ':' in it`},
		{small(File{Path: "a\xff"}), "not UTF-8"},
		{small(File{Path: "end."}), "ends with a dot"},
		{small(File{Path: "/a"}), `"" is no name`},
		{small(File{Path: "a/../b"}), `".." is no name`},
		{small(File{Path: strings.Repeat("n", 256)}), "longer than 255"},
		{small(File{Path: "EFI/a"}, File{Path: "efi/b"}), "differs from"},
		{small(File{Path: "a"}, File{Path: "a"}), "given twice"},
		{small(File{Path: "a"}, File{Path: "a/b"}), `"a" is a file`},
		{small(File{Path: "a/b"}, File{Path: "a"}), "given twice"},
		{small(File{Path: "a", Size: 1 << 32, Open: func() (io.ReadCloser, error) { return nil, nil }}), "32 bits"},
	} {
		if _, err := test.image.Layout(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Layout() = %v, want an error with %q", err, test.want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	wrong := errors.New("disk full")
	open := func(content string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
	}
	for _, test := range []struct {
		file File
		to   io.Writer
		want string
	}{
		{File{Path: "a", Size: 3, Open: open("four")}, io.Discard, `file "a": content is not 3 bytes long`},
		{File{Path: "a", Size: 5, Open: open("four")}, io.Discard, `file "a": content is not 5 bytes long`},
		{File{Path: "a", Open: func() (io.ReadCloser, error) { return nil, wrong }}, io.Discard, "disk full"},
		{File{Path: "a"}, failingWriter{wrong}, "disk full"},
	} {
		if test.file.Size == 0 {
			test.file.Size = 1
		}
		if test.file.Open == nil {
			test.file.Data = []byte("x")
		}
		l, err := Image{Size: 1 << 20, Time: millennium, Files: []File{test.file}}.Layout()
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Write(context.Background(), test.to); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Write = %v, want an error with %q", err, test.want)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestSameBytes(t *testing.T) {
	first := build(t, esp())
	image := esp()
	slices.Reverse(image.Files)
	if !bytes.Equal(first, build(t, image)) {
		t.Error("the order of the files changes the image")
	}
}

func TestESPWithMtools(t *testing.T) {
	path := check(t, esp())
	if got := judge.Run(t, "mtools", "minfo", "-i", path, "::"); !strings.Contains(got, "serial number: 12345678") {
		t.Errorf("minfo has no serial number 12345678:\n%s", got)
	}
	listing := judge.Run(t, "mtools", "mdir", "-/", "-i", path, "::")
	for _, want := range []string{"Volume in drive : is EFIBOOT", "Volume Serial Number is 1234-5678",
		"BOOTX64  EFI   1100000 2000-01-01   0:00", "refind_x64.efi", "grub.cfg"} {
		if !strings.Contains(listing, want) {
			t.Errorf("mdir has no %q:\n%s", want, listing)
		}
	}
	for _, f := range esp().Files {
		if got := judge.Run(t, "mtools", "mtype", "-i", path, "::"+f.Path); got != string(f.Data) {
			t.Errorf("mtype %s differs from what was written", f.Path)
		}
	}
}

// odd returns files with everything that a name or a size can trip over.
func odd() []File {
	files := []File{
		{Path: "EMPTY"}, {Path: "void", Dir: true}, {Path: "deep/er/and/deeper/file", Data: []byte("deep")},
		{Path: "exact", Data: pattern(2048)}, {Path: "more", Data: pattern(2049)},
		{Path: "REFIND~1.EFI", Data: []byte("a real one")},
		{Path: "refind_x64.efi"}, {Path: "refind_x32.efi"}, {Path: "refind_aa64.efi"},
		{Path: "thirteen.text", Data: []byte("13")}, {Path: "twenty-six-characters.text", Data: []byte("26")},
		{Path: "fourteen.texts"}, {Path: ".hidden"}, {Path: "two.dots.here"}, {Path: "no ext"}, {Path: "a+b=c;d,[e]", Data: []byte("odd")},
		{Path: "größe.txt"}, {Path: "日本語"}, {Path: "𝄞 clef"}, {Path: strings.Repeat("x", 255)},
		{Path: "mixedCase.Ext"}, {Path: "ab.cdefg"}, {Path: "AB.CDE"},
	}
	for i := range 300 {
		files = append(files, File{Path: fmt.Sprintf("many/a long name number %d.text", i), Data: []byte{byte(i)}})
	}
	return files
}

func TestOddTrees(t *testing.T) {
	for bits, unit := range map[int]int{12: 0, 16: 0, 32: 512} {
		size := map[int]int64{12: 3 << 20, 16: 40 << 20, 32: 36 << 20}[bits]
		files := odd()
		if bits == 32 { // whose root has no end
			for i := range 600 {
				files = append(files, File{Path: fmt.Sprintf("a long name in the root %d.text", i)})
			}
		}
		image := Image{Size: size, ClusterSize: unit, Time: millennium, Label: "ODD TREES", Files: files}
		if l, err := image.Layout(); err != nil || l.bits != bits {
			t.Fatalf("FAT%d, %v", bits, err)
		}
		path := check(t, image)
		ourselves(t, path, files)
		for _, f := range odd() {
			switch {
			case f.Dir, f.Path > "z", strings.Contains(f.Path, "["):
				continue // mtools' code page is Latin, and it takes [ for a pattern
			case strings.HasPrefix(f.Path, "many/") && !strings.HasSuffix(f.Path, "7.text"):
				continue // a sample is enough
			}
			if got := judge.Run(t, "mtools", "mtype", "-i", path, "::"+f.Path); got != string(f.Data) {
				t.Errorf("mtype %s = %d bytes, want %d", f.Path, len(got), len(f.Data))
			}
		}
		readBack(t, path, odd())
	}
}

// ourselves reads an image by this package, which finds nothing wrong, and each file where its layout has it.
func ourselves(t *testing.T, path string, files []File) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		err = r.Check(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := Image{Size: int64(len(data)), ClusterSize: r.Info().ClusterSize, Time: millennium, Label: "ODD TREES", Files: files}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		at, ok := l.Offset(f.Path)
		if ok != (len(f.Data) > 0) || ok && !bytes.HasPrefix(data[at:], f.Data) {
			t.Errorf("%s is not at %d", f.Path, at)
		}
	}
}

// readBack compares an image with what go-diskfs finds in it.
func readBack(t *testing.T, path string, files []File) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var fsys interface {
		ReadFile(string) ([]byte, error)
	}
	if info.Size() == 36<<20 {
		fsys, err = fat32.Read(file.New(f, true), info.Size(), 0, sectorSize)
	} else if info.Size() < 8<<20 {
		fsys, err = fat12.Read(file.New(f, true), info.Size(), 0, sectorSize)
	} else {
		fsys, err = fat16.Read(file.New(f, true), info.Size(), 0, sectorSize)
	}
	if err != nil {
		t.Fatalf("go-diskfs: %v", err)
	}
	for _, want := range files {
		if want.Dir || len(want.Data) == 0 {
			continue
		}
		if got, err := fsys.ReadFile(want.Path); err != nil || !bytes.Equal(got, want.Data) {
			t.Errorf("go-diskfs: %s has %d bytes (%v), want %d", want.Path, len(got), err, len(want.Data))
		}
	}
}

func build(t testing.TB, image Image) []byte {
	t.Helper()
	l, err := image.Layout()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != image.Size {
		t.Fatalf("image of %d bytes, want %d", b.Len(), image.Size)
	}
	return b.Bytes()
}

// check writes the image to a file and lets fsck.vfat judge it.
func check(t testing.TB, image Image) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fat.img")
	if err := os.WriteFile(path, build(t, image), 0o666); err != nil {
		t.Fatal(err)
	}
	if out := judge.Run(t, "dosfstools", "fsck.vfat", "-vn", path); strings.Contains(out, "Unused") {
		t.Errorf("fsck.vfat complains:\n%s", out)
	}
	return path
}
