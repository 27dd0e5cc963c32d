package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/testdisk"
)

// verified is what 'livebuild verify --json' prints, as its documentation has it.
type verified struct {
	File     string
	Good     bool
	Findings []struct {
		Structure string
		Offset    int64
		StorePath string `json:"store_path"`
		File      string
		Error     string
	}
	StorePaths int      `json:"store_paths"`
	NarBytes   int64    `json:"nar_bytes"`
	Files      int      `json:"files"`
	Unverified []string `json:"unverified_files"`
	NotChecked []string `json:"not_checked"`
	SHA256     string   `json:"sha256"`
	SHA256From string   `json:"sha256_from"`
	SignedBy   string   `json:"signed_by"`
}

// verifyOf checks an image with the program, which must end with a status.
func verifyOf(t testing.TB, status int, args ...string) verified {
	t.Helper()
	o := livebuild(t, append([]string{"verify", "--json"}, args...)...)
	if o.status != status {
		t.Fatalf("livebuild verify %q: status %d, want %d\n%s%s", args, o.status, status, o.stdout, o.stderr)
	}
	var v verified
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		t.Fatalf("livebuild verify --json printed %q: %v", o.stdout, err)
	}
	if v.Good != (status == 0) || v.Good != (len(v.Findings) == 0) {
		t.Errorf("status %d, and the result is %+v", status, v)
	}
	return v
}

// has reports whether a finding of a structure has a text in it.
func (v verified) has(structure, text string) bool {
	for _, f := range v.Findings {
		if f.Structure == structure && strings.Contains(fmt.Sprintf("%s %s: %s", f.StorePath, f.File, f.Error), text) {
			return true
		}
	}
	return false
}

// damagedCopy is a copy of the test image that a function changes.
func damagedCopy(t testing.TB, change func(image []byte) []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "damaged.iso")
	if err := os.WriteFile(file, change(readFile(t, miniISO(t).File)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestVerifyGood(t *testing.T) {
	image := miniISO(t)
	v := verifyOf(t, 0, image.File)
	if v.StorePaths != image.StorePaths || v.NarBytes == 0 || v.Files < 4 || len(v.NotChecked) != 0 {
		t.Errorf("the result is %+v, the image has %d store paths", v, image.StorePaths)
	}
	for _, proved := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg"} {
		if slices.Contains(v.Unverified, proved) {
			t.Errorf("%s, of which there are two copies, is not verified", proved)
		}
	}
	compressed := filepath.Join(t.TempDir(), "mini.iso.zst")
	judge(t, "zstd", "zstd", "-q", "-1", "-o", compressed, image.File)
	if v := verifyOf(t, 0, compressed, "--sha256", image.SHA256, "--jobs", "1"); v.StorePaths != image.StorePaths {
		t.Errorf("compressed, the result is %+v", v)
	}
	if v := verifyOf(t, 0, image.File, "--against", "auto"); v.StorePaths != image.StorePaths {
		t.Errorf("against the store, the result is %+v", v)
	}
	if v := verifyOf(t, 4, image.File, "--sha256", strings.Repeat("0", 64)); !v.has("image", image.SHA256) {
		t.Errorf("with another sum, the result is %+v", v)
	}
}

// TestVerifyDamaged damages an image in ways that are not a flipped byte of contents.
func TestVerifyDamaged(t *testing.T) {
	image := miniISO(t).File
	store := offsetOf(t, image, medium.StoreImage)
	esp := offsetOf(t, image, "boot/efi.img")
	zero := func(at, n int64) func([]byte) []byte {
		return func(b []byte) []byte {
			clear(b[at : at+n])
			return b
		}
	}
	size := miniISO(t).Size
	kernel := func(b []byte) []byte {
		name := []byte("BZIMAGE.;1")
		alternate := []byte("bzImage")
		if !bytes.Contains(b[:store], alternate) {
			t.Fatal("no record of the kernel")
		}
		head := bytes.ReplaceAll(b[:store], alternate, []byte("bzImagf"))
		head = bytes.ReplaceAll(head, name, []byte("BZIMAGF.;1"))
		return append(head, b[store:]...)
	}
	for name, test := range map[string]struct {
		change          func([]byte) []byte
		structure, text string
	}{
		"truncated in the store": {func(b []byte) []byte { return b[:store+1<<20] }, "volume descriptor", "the image ends here"},
		"truncated by a sector":  {func(b []byte) []byte { return b[:len(b)-512] }, "volume descriptor", "the image ends here"},
		"backup GPT":             {zero(size-512, 512), "backup GPT", ""},
		"primary GPT":            {zero(512, 512), "primary GPT", ""},
		"MBR":                    {zero(0, 512), "MBR", "lost"},
		"boot catalog":           {damageCatalog, "volume", "validation entry is damaged"},
		"superblock":             {zero(store, 96), "squashfs superblock", ""},
		"FAT":                    {func(b []byte) []byte { b[esp+512+4] ^= 0xff; return b }, "FAT allocation table", ""},
		"kernel":                 {kernel, "boot menu", "bzImage, which is not there"},
		"Joliet":                 {damageJoliet, "ISO 9660 Joliet path table M", "record 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v := verifyOf(t, 4, damagedCopy(t, test.change)); !v.has(test.structure, test.text) {
				t.Errorf("no finding of %s with %q: %+v", test.structure, test.text, v.Findings)
			}
		})
	}
}

// damageCatalog damages the boot catalog, which the boot record in block 17 names (El Torito 1.0,
// figure 7).
func damageCatalog(b []byte) []byte {
	const block, pointer = 2048, 0x47
	at := int(b[17*block+pointer]) | int(b[17*block+pointer+1])<<8
	b[at*block+28] ^= 1 // its checksum
	return b
}

// damageJoliet damages the path table M of Joliet, which its descriptor in block 18 names (ECMA-119
// §8.5.14).
func damageJoliet(b []byte) []byte {
	const block, pointer = 2048, 148
	at := int(binary.BigEndian.Uint32(b[18*block+pointer:]))
	b[at*block+5] ^= 1 // where the root directory is
	return b
}

// TestVerifyDisk checks an image on a disk that is larger, and one that is damaged there.
func TestVerifyDisk(t *testing.T) {
	image := miniISO(t)
	data := readFile(t, image.File)
	file := testdisk.Sparse(t, image.Size+8<<20)
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	disk := testdisk.Loop(t, file, "--read-only")
	if v := verifyOf(t, 0, disk, "--sha256", image.SHA256); v.StorePaths != image.StorePaths {
		t.Errorf("the result is %+v", v)
	}
	at := offsetOf(t, image.File, medium.StoreImage) + 1<<20
	if _, err := f.WriteAt([]byte{data[at] ^ 0x40}, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	// The device still has the old byte in its cache, which is not what is asked for.
	if v := verifyOf(t, 4, disk); len(v.Findings) == 0 {
		t.Error("the damage on the disk is not found")
	}
}

// TestVerifyForeign checks an image of another maker, without a store, as far as it can be.
func TestVerifyForeign(t *testing.T) {
	folder := extracted(t, miniISO(t).File)
	if err := os.Remove(filepath.Join(folder, medium.StoreImage)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "foreign.iso")
	judge(t, "xorriso", "xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", file, "-V", "FOREIGN",
		"-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
		"-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat", folder)
	v := verifyOf(t, 0, file)
	if v.StorePaths != 0 || len(v.NotChecked) == 0 || !strings.Contains(v.NotChecked[0], medium.StoreImage) {
		t.Errorf("the result is %+v", v)
	}
	b := readFile(t, file)
	at := offsetOf(t, file, "isolinux/isolinux.bin")
	b[at+1000] ^= 1
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if v := verifyOf(t, 4, file); !v.has("El Torito", "checksum") {
		t.Errorf("with a damaged boot image, the result is %+v", v)
	}
}
