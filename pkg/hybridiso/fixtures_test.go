package hybridiso

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

var testTime = time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC)

// content returns size bytes that differ with the seed.
func content(seed byte, size int) []byte {
	b := make([]byte, size)
	state := uint32(seed) + 1
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}

// bootProgram is one for disks: it begins, reads the disk, and goes on with anything.
func bootProgram(seed byte) []byte {
	return append([]byte{0xFA, 0x31, 0xC0, 0xB4, 0x42, 0xCD, 0x13}, content(seed, maxBootCode-7)...)
}

// volumeOf reads the volume of an image; the file is open until the test ends.
func volumeOf(t testing.TB, image string) (*os.File, Volume) {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := ReadVolume(f)
	if err != nil {
		t.Fatal(err)
	}
	return f, v
}

// fatImage returns a FAT file system labelled EFIBOOT.
func fatImage(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "esp.img")
	judge.Run(t, "dosfstools", "mkfs.vfat", "--invariant", "-i", "12345678", "-n", "EFIBOOT", "-C", path, "1024")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opener returns a File's Open for b.
func opener(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// sampleStream is what the stream of the sample holds.
var sampleStream = content(9, 3<<20+777)

// sampleImage has every kind of file, boots in every mode, and has names and
// link targets that need continuations.
func sampleImage(t testing.TB) Image {
	t.Helper()
	isolinux := content(1, 24577)
	esp := fatImage(t)
	img := Image{
		VolumeID:     "nixos-minimal-24.05-x86_64-Linux",
		SystemID:     "LINUX",
		VolumeSetID:  "set",
		Publisher:    "publisher",
		DataPreparer: "data preparer",
		Application:  "application",
		Time:         testTime,
		Seed:         [16]byte{1, 2, 3},
		Files: []File{
			{Path: "isolinux/isolinux.bin", Open: opener(isolinux), Size: int64(len(isolinux))},
			{Path: "isolinux/isolinux.cfg", Data: []byte("SERIAL 0\n")},
			{Path: "boot/efi.img", Open: opener(esp), Size: int64(len(esp))},
			{Path: "nix-store.squashfs", Stream: true, MaxSize: 10 << 30},
			{Path: "EFI/marker"},
			{Path: "README", Data: content(2, 2047)},
			{Path: "readme", Data: content(3, 2048)},
			{Path: "README.", Data: content(4, 2049)},
			{Path: "script.sh", Data: []byte("#!/bin/sh\n"), Mode: 0o555},
			{Path: "empty/directory", Dir: true},
			{Path: "links/absolute", Link: "/nix/store/x"},
			{Path: "links/relative", Link: "../../a/./b"},
			{Path: "links/root", Link: "/"},
			{Path: "links/long", Link: strings.Repeat("directory-of-some-length/", 30) + strings.Repeat("z", 255)},
			{Path: "names/" + strings.Repeat("n", 255), Data: []byte("255")},
			{Path: "names/" + strings.Repeat("n", 254) + "m", Data: []byte("255m")},
			{Path: "names/Grüße €.txt", Data: []byte("utf-8")},
			{Path: "names/🦊.txt", Data: []byte("beyond the basic plane")},
			{Path: "names/\xff\xfe;*?", Data: []byte("bytes")},
			{Path: "names/...", Data: []byte("dots")},
			{Path: strings.Repeat("deep/", 40) + "file", Data: []byte("deep")},
		},
		Boot: Boot{
			BIOS:   &BIOSBoot{Path: "isolinux/isolinux.bin", MBR: bootProgram(5)},
			EFI:    &EFIBoot{Path: "boot/efi.img"},
			Hybrid: true,
		},
	}
	for i := range 200 {
		name := strings.Repeat("same-prefix-", 6) + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ".txt"
		img.Files = append(img.Files, File{Path: "many/" + name, Data: content(byte(i), i)})
	}
	return img
}

// streamOf writes b as the stream.
func streamOf(b []byte) StreamFunc {
	return func(_ context.Context, w io.WriterAt) (int64, error) {
		n, err := w.WriteAt(b, 0)
		return int64(n), err
	}
}

// writeImage writes img to a file and returns its path.
func writeImage(t testing.TB, img Image, stream StreamFunc) (string, Result) {
	t.Helper()
	layout, err := img.Layout()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "image.iso"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	result, err := layout.Write(t.Context(), f, stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name(), result
}
