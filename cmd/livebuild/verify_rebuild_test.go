package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/squashfs"
)

// TestISOCheck has an image packed twice, which gives the bytes that packing once does.
func TestISOCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "checked.iso")
	o := livebuild(t, "iso", miniFlake(t)+"#mini", "-o", file, "--check", "--json")
	var r struct {
		SHA256  string `json:"sha256"`
		Checked bool   `json:"checked"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.status != 0 {
		t.Fatalf("status %d, %v\n%s%s", o.status, err, o.stdout, o.stderr)
	}
	if want := miniISO(t).SHA256; r.SHA256 != want || !r.Checked {
		t.Errorf("%+v, want the image %s", r, want)
	}
	if !strings.Contains(o.stderr, "packed again") {
		t.Errorf("it does not say that it packed again:\n%s", o.stderr)
	}
}

// damagedFile changes a byte of a copy of the test image that is in the first block of a file of its
// store with blocks of its own. It returns the copy, the place, and the file.
func damagedFile(t *testing.T) (file string, at int64, storePath, name string) {
	t.Helper()
	image := miniISO(t).File
	data := readFile(t, image)
	m, err := medium.ReadAny(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Store()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Walk(func(path string, ino squashfs.Inode) error {
		if !ino.Mode.IsRegular() || at != 0 {
			return nil
		}
		blocks, err := s.Blocks(ino)
		if err == nil && len(blocks.Data) > 0 && blocks.Data[0].Size > 0 {
			at = offsetOf(t, image, medium.StoreImage) + blocks.Data[0].Offset
			base, rest, _ := strings.Cut(path, "/")
			storePath, name = "/nix/store/"+base, rest
		}
		return err
	})
	if err != nil || at == 0 {
		t.Fatal("no file has blocks of its own", err)
	}
	data[at] ^= 0x10
	file = filepath.Join(t.TempDir(), "damaged.iso")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, at, storePath, name
}

// TestVerifyRebuild rebuilds the configuration of an image: as it was made, with a byte changed,
// and made otherwise.
func TestVerifyRebuild(t *testing.T) {
	t.Parallel()
	flake := miniFlake(t) + "#mini"
	image := miniISO(t)
	var good struct{ Good, Rebuilt bool }
	o := livebuild(t, "verify", "--json", "--rebuild", flake, image.File)
	if err := json.Unmarshal([]byte(o.stdout), &good); err != nil || o.status != 0 || !good.Rebuilt {
		t.Errorf("status %d, %+v, %v\n%s", o.status, good, err, o.stderr)
	}

	damaged, at, storePath, name := damagedFile(t)
	v := verifyOf(t, 4, "--rebuild", flake, damaged)
	found := false
	for _, f := range v.Findings {
		if strings.Contains(f.Error, "has other bytes from here on") {
			found = f.Offset == at && f.StorePath == storePath && f.File == name && f.Structure == "squashfs data block"
		}
	}
	if !found {
		t.Errorf("the byte at %d of %s/%s is not named: %+v", at, storePath, name, v.Findings)
	}

	// The same files, compressed in another way: the image is whole, and not that one, as its manifest
	// is the first to say.
	v = verifyOf(t, 4, "--rebuild", "--compression", "lz4", flake, image.File)
	if len(v.Findings) != 1 || !v.has("file", medium.Manifest+": "+flake+" has other bytes from here on") {
		t.Errorf("the other compression is not found: %+v", v.Findings)
	}

	// Made with another date and compression, which it says itself.
	other := filepath.Join(t.TempDir(), "other.iso")
	dated := call{env: []string{"SOURCE_DATE_EPOCH=1000000000"}}
	if o := dated.livebuild(t, "iso", flake, "-o", other, "--compression", "lz4"); o.status != 0 {
		t.Fatal(o.stderr)
	}
	verifyOf(t, 0, "--rebuild", flake, other)

	// Its flake is a folder, which nobody else has.
	o = livebuild(t, "verify", "--rebuild", image.File)
	if o.status != 1 || !strings.Contains(o.stderr, "its flake is had from a folder of one machine") || !strings.Contains(o.stderr, "hint: name the configuration") {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
}

// sealed is what 'livebuild verify --rebuild --json' says of signatures.
type sealed struct {
	Certificate struct{ Subject string }
	Programs    []string
	Files       []string
	SignedLater []string `json:"signed_later"`
	ShimSigners []string `json:"shim_signers"`
}

// TestVerifyRebuildSigned rebuilds signed images without their keys: signatures are taken from the image where they hold,
// and where they do not, or hold for something else than is built, the place is named.
func TestVerifyRebuildSigned(t *testing.T) {
	t.Parallel()
	k := newBootKeys(t)
	flake := miniFlake(t) + "#mini"
	rebuilt := func(image string) *sealed {
		t.Helper()
		var v struct {
			Rebuilt bool
			Sealed  *sealed
		}
		o := livebuild(t, "verify", "--json", "--rebuild", flake, image)
		if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || o.status != 0 || !v.Rebuilt || v.Sealed == nil {
			t.Fatalf("status %d, %v\n%s%s", o.status, err, o.stdout, o.stderr)
		}
		if v.Sealed.Certificate.Subject != "ours" || len(v.Sealed.Files) < 5 {
			t.Errorf("%+v", v.Sealed)
		}
		return v.Sealed
	}
	// By a key that nobody keeps, and started by a shim.
	shimmed := securedImage(t, "--secure-boot-key", k.key, "--secure-boot-cert", k.cert, "--secure-boot-shim", "/usr/lib/shim", "--sbat", k.sbat, "--secure-boot-edit")
	kernel := kernelPath(t, shimmed)
	v := rebuilt(shimmed)
	if !slices.Equal(v.Programs, []string{"EFI/BOOT/grubx64.efi", kernel}) || len(v.ShimSigners) == 0 || len(v.SignedLater) > 0 {
		t.Errorf("%+v", v)
	}
	o := livebuild(t, "verify", "--rebuild", flake, shimmed)
	for _, want := range []string{"is what its configuration builds, byte for byte", `signed by "ours"`, "the signatures of 2 programs", "not built: the shim, which is signed by"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, o.stdout)
		}
	}

	// By one that is kept, which signs again what is stamped.
	image := filepath.Join(t.TempDir(), "kept.iso")
	flake = plainHost(t)
	if o := livebuild(t, slices.Concat([]string{"iso", flake, "-o", image, "--media-check", "--stamp-params"}, fast, k.flags())...); o.status != 0 {
		t.Fatal(o.stderr)
	}
	kernel = kernelPath(t, image)
	if v := rebuilt(image); !slices.Equal(v.Programs, []string{"EFI/BOOT/BOOTX64.EFI", kernel}) || v.ShimSigners != nil {
		t.Errorf("%+v", v)
	}
	stamped := copyOf(t, image)
	if o := livebuild(t, "stamp", stamped, "--hostname", "kiosk", "--kernel-param", "quiet", "--signing-key", k.signing); o.status != 0 {
		t.Fatal(o.stderr)
	}
	if v := rebuilt(stamped); !slices.Equal(v.SignedLater, []string{medium.StampArea, medium.StampParams}) {
		t.Errorf("%+v", v)
	}

	signing, err := secureboot.ReadSigningKey(k.signing)
	if err != nil {
		t.Fatal(err)
	}
	// resigned is an image in which a file is another, and its signature that of the other.
	resigned := func(image, name string, change func([]byte) []byte) string {
		t.Helper()
		var signature []byte
		changed := changedFile(t, image, name, func(data []byte) []byte {
			data = change(data)
			if signature, err = signing.Sign(bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			return data
		})
		return changedFile(t, changed, name+medium.SignatureSuffix, func([]byte) []byte { return signature })
	}
	const menu = "EFI/BOOT/grub.cfg"
	for _, broken := range []struct{ name, file, image string }{
		{"a menu that the key signed again", menu, resigned(image, menu, flipMiddle)},
		{"a menu of the stamped image", menu, resigned(stamped, menu, flipMiddle)},
		{"a signature", menu + medium.SignatureSuffix, changedFile(t, image, menu+medium.SignatureSuffix, flipMiddle)},
		{"the signature of the stamp", medium.StampArea + medium.SignatureSuffix, changedFile(t, stamped, medium.StampArea+medium.SignatureSuffix, flipMiddle)},
		{"an unsigned kernel", kernel, changedFile(t, image, kernel, unsigned(t))},
	} {
		v, found := verifyOf(t, 4, "--rebuild", flake, broken.image), false
		for _, f := range v.Findings {
			found = found || strings.Contains(f.Error, "has other bytes from here on") && strings.Contains(f.File+f.Error, broken.file)
		}
		if !found {
			t.Errorf("%s: %+v", broken.name, v.Findings)
		}
	}
}

// TestVerifyAgainstFlake holds an image against its configuration, and against another one.
func TestVerifyAgainstFlake(t *testing.T) {
	t.Parallel()
	image := miniISO(t)
	v := verifyOf(t, 0, image.File, "--against", miniFlake(t)+"#mini")
	if v.StorePaths != image.StorePaths || len(v.NotChecked) != 0 {
		t.Errorf("%+v", v)
	}
	v = verifyOf(t, 4, image.File, "--against", miniFlake(t)+"#mini-special")
	if !v.has("store path", "the configuration has it, and it is not registered on the medium") || !v.has("store path", image.Toplevel) {
		t.Errorf("%+v", v.Findings)
	}
}
