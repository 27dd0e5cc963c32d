package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	need "github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/overlay"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

var allChains = flag.Bool("chains", false, "boot all chains of Secure Boot, and every way in which they break")

// bootKeys are keys with certificates, and one that signs files.
type bootKeys struct{ dir, key, cert, other, otherCert, signing, sbat string }

func newBootKeys(t testing.TB) bootKeys {
	t.Helper()
	need.Root(t) // as who builds the images that they sign
	dir := t.TempDir()
	k := bootKeys{dir: dir}
	make := func(name string) (key, cert string) {
		key, cert = filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pem")
		judge(t, "openssl", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "9", "-subj", "/CN="+name,
			"-set_serial", "0x1122") // all certificates have one length, and all signatures
		return key, cert
	}
	k.key, k.cert = make("ours")
	k.other, k.otherCert = make("them")
	k.signing = filepath.Join(dir, "sign.asc")
	k.sbat = filepath.Join(dir, "sbat.csv")
	writeFile(t, k.sbat, []byte("sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\ngrub,5,Free Software Foundation,grub,2.06,https://www.gnu.org/software/grub/\n"))
	return k
}

// flags are those of an image that is signed by the first key.
func (k bootKeys) flags(more ...string) []string {
	return append([]string{"--secure-boot-key", k.key, "--secure-boot-cert", k.cert, "--keep-signing-key", k.signing}, more...)
}

func (k bootKeys) shim(t testing.TB) []string {
	return k.flags("--secure-boot-shim", "/usr/lib/shim", "--sbat", k.sbat)
}

// securedImage makes an image of the configuration mini.
func securedImage(t testing.TB, flags ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signed.iso")
	o := livebuild(t, slices.Concat([]string{"iso", miniFlake(t) + "#mini", "-o", file}, fast, flags)...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	return file
}

// read opens an image.
func readMedium(t testing.TB, data []byte) *medium.Medium {
	t.Helper()
	m, err := medium.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// changedFile is a copy of an image in which a file is another, of at most the same size, wherever it is.
func changedFile(t testing.TB, image, name string, change func([]byte) []byte) string {
	t.Helper()
	data := readFile(t, image)
	m := readMedium(t, data)
	disk := overlay.New(bytes.NewReader(data), int64(len(data)))
	changed := 0
	for _, tree := range m.Trees() {
		f, err := tree.Find(name)
		if err != nil {
			continue
		}
		content := make([]byte, f.Size)
		if _, err := io.ReadFull(tree.Open(f), content); err != nil {
			t.Fatal(err)
		}
		new := change(content)
		if err := disk.Replace(overlay.Of(tree, f), new); err != nil {
			t.Fatal(err)
		}
		changed++
	}
	if changed == 0 {
		t.Fatalf("there is no %s", name)
	}
	out := make([]byte, len(data))
	if _, err := disk.ReadAt(out, 0); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "changed.iso")
	writeFile(t, copied, out)
	return copied
}

func flipMiddle(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

// unsigned takes the signatures of a program away.
func unsigned(t testing.TB) func([]byte) []byte {
	return func(data []byte) []byte {
		i, err := authenticode.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		return i.Unsigned()
	}
}

// TestSecureBootVerify has verify prove signed images, and say what broke of changed ones: without a boot.
func TestSecureBootVerify(t *testing.T) {
	t.Parallel()
	k := newBootKeys(t)
	image := securedImage(t, k.flags()...)
	if v := verifyOf(t, 0, image); slices.ContainsFunc(v.Unverified, func(name string) bool {
		return strings.HasPrefix(name, "boot/") || strings.HasPrefix(name, "EFI/") || name == medium.Certificate
	}) {
		t.Errorf("not proved are %q", v.Unverified)
	}
	again := securedImage(t, k.flags()...)
	judge(t, "diffutils", "cmp", image, again)
	for _, file := range []string{k.key, k.signing} {
		secret := readFile(t, file)
		if data := readFile(t, image); bytes.Contains(data, secret[100:164]) {
			t.Errorf("the image has a part of %s", filepath.Base(file))
		}
	}
	o := livebuild(t, "inspect", image)
	for _, want := range []string{`to be enrolled +"ours", valid until 20`, `EFI/BOOT/BOOTX64.EFI +signed by "ours", valid until 20`, `verifies files by +[0-9a-f]{40}\n`} {
		if !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Errorf("inspect lacks %s:\n%s", want, o.stdout)
		}
	}
	kernel := kernelPath(t, image)
	for _, broken := range []struct {
		name   string
		file   string
		change func([]byte) []byte
		want   string
	}{
		{"menu", "EFI/BOOT/grub.cfg", func(b []byte) []byte { return bytes.Replace(b, []byte("timeout=1"), []byte("timeout=2"), 1) }, "GRUB would refuse the file"},
		{"initrd", initrdPath(t, image), flipMiddle, "GRUB would refuse the file"},
		{"stamp area", medium.StampArea, flipMiddle, "GRUB would refuse the file"},
		{"GRUB", "EFI/BOOT/BOOTX64.EFI", flipMiddle, "the program was changed after it was signed"},
		{"unsigned GRUB", "EFI/BOOT/BOOTX64.EFI", unsigned(t), "firmware would not start it"},
		{"kernel", kernel, flipMiddle, "vouches for this kernel"},
		{"signature", "EFI/BOOT/grub.cfg.sig", flipMiddle, "GRUB would refuse the file"},
	} {
		v := verifyOf(t, 4, changedFile(t, image, broken.file, broken.change))
		found := false
		for _, f := range v.Findings {
			found = found || f.Structure == "signature" && strings.Contains(f.Error, broken.want)
		}
		if !found {
			t.Errorf("%s: verify finds %+v", broken.name, v.Findings)
		}
	}
}

// TestSecureBootStamp stamps an image that is signed: by the key that was kept, and by no other.
func TestSecureBootStamp(t *testing.T) {
	t.Parallel()
	k := newBootKeys(t)
	image := securedImage(t, k.flags()...)
	pristine := readFile(t, image)
	refused := func(text string, args ...string) {
		t.Helper()
		o := livebuild(t, append([]string{"stamp", image}, args...)...)
		if o.status == 0 || !strings.Contains(o.stderr, text) || !bytes.Equal(readFile(t, image), pristine) {
			t.Errorf("stamp %q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	refused("is signed for Secure Boot", "--hostname", "kiosk")
	refused("is signed for Secure Boot", "--reset")
	refused("it has no OpenPGP key", "--hostname", "kiosk", "--signing-key", k.key)
	other := filepath.Join(k.dir, "other.asc")
	key, _, err := secureboot.OpenSigningKey(other)
	if err != nil || key == nil {
		t.Fatal(err)
	}
	refused("is not the key by which the boot loader", "--hostname", "kiosk", "--signing-key", other)
	stamped := filepath.Join(t.TempDir(), "stamped.iso")
	for _, args := range [][]string{
		{image, "--hostname", "kiosk", "--signing-key", k.signing, "-o", stamped},
		{image, "--hostname", "kiosk", "--signing-key", k.signing},
	} {
		if o := livebuild(t, append([]string{"stamp"}, args...)...); o.status != 0 {
			t.Fatalf("stamp %q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	judge(t, "diffutils", "cmp", image, stamped)
	verifyOf(t, 0, image)
	if o := livebuild(t, "stamp", image, "--reset", "--signing-key", k.signing); o.status != 0 {
		t.Fatalf("stamp --reset: status %d\n%s", o.status, o.stderr)
	}
	if !bytes.Equal(readFile(t, image), pristine) {
		t.Error("--reset does not give back the image as it was built")
	}
	plain := miniISO(t).File
	if o := livebuild(t, "stamp", plain, "--hostname", "kiosk", "--signing-key", k.signing, "-o", filepath.Join(t.TempDir(), "x.iso")); o.status != 2 || !strings.Contains(o.stderr, "is not signed for Secure Boot") {
		t.Errorf("status %d\n%s", o.status, o.stderr)
	}
}

// TestSecureBootStick stamps sticks with an image that is signed: by the key that was kept, in place and
// while they are written, and by none not.
func TestSecureBootStick(t *testing.T) {
	k := newBootKeys(t)
	image := securedImage(t, k.flags()...)
	pristine := readFile(t, image)
	s := newStick(t, 256*mib)
	refused := func(text string, args ...string) {
		t.Helper()
		before := sha256Of(readFile(t, s.file))
		o := livebuild(t, args...)
		if o.status == 0 || !strings.Contains(o.stderr, text) || !strings.Contains(o.stderr, "hint: ") || sha256Of(readFile(t, s.file)) != before {
			t.Errorf("%q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	refused("is signed for Secure Boot", "write", image, s.name, "--yes", "--hostname", "kiosk")
	refused("--signing-key signs what is stamped", "write", image, s.name, "--yes", "--signing-key", k.signing)
	do := func(args ...string) {
		t.Helper()
		if o := livebuild(t, args...); o.status != 0 {
			t.Errorf("%q: status %d\n%s", args, o.status, o.stderr)
		}
	}
	// As on the file of an image.
	same := func(args ...string) {
		t.Helper()
		file := copyOf(t, image)
		do(append([]string{"stamp", file, "--signing-key", k.signing}, args...)...)
		if !bytes.Equal(readFile(t, s.file)[:len(pristine)], readFile(t, file)) {
			t.Errorf("%q: the stick has other bytes than the file", args)
		}
		verifyOf(t, 0, s.path)
	}
	do("write", image, s.name, "--yes", "--hostname", "kiosk", "--signing-key", k.signing)
	same("--hostname", "kiosk")
	do("write", image, s.name, "--verify-only")
	refused("is signed for Secure Boot", "stamp", s.path, "--hostname", "other")
	refused("is signed for Secure Boot", "stamp", s.path, "--reset")
	do("stamp", s.path, "--hostname", "other", "--signing-key", k.signing)
	same("--hostname", "other")
	do("stamp", s.path, "--reset", "--signing-key", k.signing)
	s.check(t, pristine)

	// By a key that nobody keeps, which signs while there is one.
	o := livebuild(t, "iso", miniFlake(t)+"#mini", "--write", s.name, "--yes", "--hostname", "direct", "--secure-boot-key", k.key, "--secure-boot-cert", k.cert)
	if o.status != 0 || !strings.Contains(o.stderr, "stamped with host name") {
		t.Errorf("iso --write: status %d\n%s", o.status, o.stderr)
	}
	verifyOf(t, 0, s.path)
	refused("is not the key by which the boot loader", "stamp", s.path, "--hostname", "other", "--signing-key", k.signing)

	// A signature of something else is no stamp that --verify-only could leave out.
	do("write", image, s.name, "--yes", "--hostname", "kiosk", "--signing-key", k.signing)
	f, err := readMedium(t, pristine).Files().Find(medium.StampArea + medium.SignatureSuffix)
	if err != nil {
		t.Fatal(err)
	}
	disk, err := os.OpenFile(s.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.WriteAt([]byte{0xff}, f.At(f.Size/2)); err != nil {
		t.Fatal(err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	if o := livebuild(t, "write", image, s.name, "--verify-only"); o.status == 0 {
		t.Error("--verify-only passes over a signature that is none")
	}
}

func kernelPath(t testing.TB, image string) string { return menuFile(t, image, "linux ") }
func initrdPath(t testing.TB, image string) string { return menuFile(t, image, "initrd ") }

// menuFile is the first file that a command of grub.cfg names.
func menuFile(t testing.TB, image, command string) string {
	t.Helper()
	text, ok, err := readMedium(t, readFile(t, image)).Files().Text("EFI/BOOT/grub.cfg")
	if err != nil || !ok {
		t.Fatalf("grub.cfg: %t, %v", ok, err)
	}
	_, after, found := strings.Cut(text, "\n  "+command)
	if !found {
		t.Fatalf("no command %q in\n%s", command, text)
	}
	return strings.TrimPrefix(strings.Fields(after)[0], "/")
}

// TestSecureBoot boots chains where Secure Boot is on: good ones come up, and of those that are broken
// the link is named that refused. (With -chains, all of them.)
func TestSecureBoot(t *testing.T) {
	t.Parallel()
	k := newBootKeys(t)
	own := securedImage(t, k.flags()...)
	kernel, initrd := kernelPath(t, own), initrdPath(t, own)
	plain := miniISO(t).File
	var shim string
	withShim := func() string {
		if shim == "" {
			shim = securedImage(t, k.shim(t)...)
		}
		return shim
	}
	ownSBAT := func(generation string) []string {
		file := filepath.Join(k.dir, "sbat"+generation+".csv")
		writeFile(t, file, bytes.Replace(readFile(t, k.sbat), []byte("grub,5"), []byte("grub,"+generation), 1))
		return []string{file}
	}
	for _, row := range []struct {
		name  string
		long  bool
		image func() string
		trust string
		want  string // outcome
		link  string
	}{
		{"own key", false, func() string { return own }, "", "passed", ""},
		{"changed initrd", false, func() string { return changedFile(t, own, initrd, flipMiddle) }, "", "refused", "the boot loader refused a file that was changed"},
		{"another key in the firmware", true, func() string { return own }, k.otherCert, "refused", "the firmware refused the boot loader"},
		{"unsigned GRUB", true, func() string { return plain }, k.cert, "refused", "the firmware refused the boot loader"},
		{"GRUB without anything, signed", true, func() string { return signedPlain(t, k, plain) }, k.cert, "refused", "the boot loader wants a shim to verify the kernel"},
		{"changed menu", true, func() string {
			return changedFile(t, own, "EFI/BOOT/grub.cfg", func(b []byte) []byte { return bytes.Replace(b, []byte("timeout=1"), []byte("timeout=2"), 1) })
		}, "", "refused", "the boot loader refused its menu"},
		{"changed kernel", true, func() string { return changedFile(t, own, kernel, flipMiddle) }, "", "refused", "the boot loader refused a file that was changed"},
		{"changed stamp area", true, func() string { return changedFile(t, own, medium.StampArea, flipMiddle) }, "", "refused", "the boot loader refused a file that was changed"},
		{"shim", true, withShim, "", "passed", ""},
		{"shim, kernel of another", true, func() string {
			return resigned(t, k, withShim(), kernel)
		}, "", "refused", "the shim refused the kernel"},
		{"shim, SBAT too old", true, func() string {
			return olderSBAT(t, k, withShim(), ownSBAT("3"))
		}, "", "refused", "the shim refused the boot loader"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.long && !*allChains {
				t.Skip("takes a boot; -chains")
			}
			args := []string{"--secure-boot", "--modes", "uefi-cd", "--expect", "MINI-RESULT PASS", "--logs", t.TempDir()}
			if row.trust != "" {
				args = append(args, "--trust", row.trust)
			}
			status := 3
			if row.want == "passed" {
				status = 0
			}
			b, _ := testImage(t, status, row.image(), args...)
			if len(b.Boots) != 1 || b.Boots[0].Outcome != row.want || b.Boots[0].Link != row.link {
				t.Errorf("%+v", b.Boots)
			}
		})
	}
}

// TestSecureBootAArch64 has sbverify judge what an image for aarch64 starts. With -chains it is booted, too: by its key,
// and with an initrd that was changed.
func TestSecureBootAArch64(t *testing.T) {
	needEmulation(t)
	k := newBootKeys(t)
	image := filepath.Join(t.TempDir(), "arm.iso")
	o := livebuild(t, slices.Concat([]string{"iso", miniFlake(t) + "#mini-arm", "-o", image}, fast, k.flags())...)
	if o.status != 0 {
		t.Fatalf("livebuild iso: status %d\n%s", o.status, o.stderr)
	}
	verifyOf(t, 0, image)
	root := extracted(t, image)
	for _, program := range []string{"EFI/BOOT/BOOTAA64.EFI", kernelPath(t, image)} {
		judge(t, "sbsigntool", "sbverify", "--cert", k.cert, filepath.Join(root, program))
		if out, err := exec.Command(need.Path(t, "sbsigntool", "sbverify"), "--cert", k.otherCert, filepath.Join(root, program)).CombinedOutput(); err == nil {
			t.Errorf("%s: sbverify takes another certificate: %s", program, out)
		}
	}
	if !*allChains {
		return
	}
	for _, row := range []struct {
		name, image, trust string
		status             int
		outcome, link      string
	}{
		{"own key", image, "", 0, "passed", ""},
		{"another key in the firmware", image, k.otherCert, 3, "refused", "the firmware refused the boot loader"},
		{"changed initrd", changedFile(t, image, initrdPath(t, image), flipMiddle), "", 3, "refused", "the boot loader refused a file that was changed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := []string{"--secure-boot", "--modes", "uefi-cd", "--expect", "MINI-RESULT PASS", "--logs", t.TempDir()}
			if row.trust != "" {
				args = append(args, "--trust", row.trust)
			}
			if b, _ := testImage(t, row.status, row.image, args...); len(b.Boots) != 1 || b.Boots[0].Outcome != row.outcome || b.Boots[0].Link != row.link {
				t.Errorf("%+v", b.Boots)
			}
		})
	}
}

// signer is the first of the keys.
func signer(t testing.TB, k bootKeys) *secureboot.Keys {
	t.Helper()
	keys, err := secureboot.ReadKeys(k.key, k.cert, nil)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// signedPlain is an image that was not made for Secure Boot, with its boot loader signed. There is
// room for that behind the file on the medium, in its last block.
func signedPlain(t testing.TB, k bootKeys, plain string) string {
	t.Helper()
	keys := signer(t, k)
	root := extracted(t, plain)
	esp := filepath.Join(root, "boot/efi.img")
	program := filepath.Join(t.TempDir(), "BOOTX64.EFI")
	i, err := authenticode.Parse(readFile(t, filepath.Join(root, "EFI/BOOT/BOOTX64.EFI")))
	if err != nil {
		t.Fatal(err)
	}
	data, err := i.Sign(keys.Key, keys.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, program, data)
	copied := filepath.Join(t.TempDir(), "efi.img")
	writeFile(t, copied, readFile(t, esp))
	judge(t, "mtools", "mcopy", "-o", "-i", copied, program, "::/EFI/BOOT/BOOTX64.EFI")
	return changedFile(t, plain, "boot/efi.img", func([]byte) []byte { return readFile(t, copied) })
}

// resigned is an image whose kernel another key signed, and files by the right one.
func resigned(t testing.TB, k bootKeys, image, kernel string) string {
	t.Helper()
	theirs, err := secureboot.ReadKeys(k.other, k.otherCert, nil)
	if err != nil {
		t.Fatal(err)
	}
	signing, err := secureboot.ReadSigningKey(k.signing)
	if err != nil {
		t.Fatal(err)
	}
	var signature []byte
	changed := changedFile(t, image, kernel, func(data []byte) []byte {
		size := len(data)
		i, err := authenticode.Parse(unsigned(t)(data))
		if err == nil {
			data, err = i.Sign(theirs.Key, theirs.Certificate)
		}
		data = append(data, make([]byte, max(0, size-len(data)))...) // the distribution's is gone, too
		if err == nil {
			signature, err = signing.Sign(bytes.NewReader(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
	return changedFile(t, changed, kernel+medium.SignatureSuffix, func([]byte) []byte { return signature })
}

// olderSBAT is an image whose GRUB says that it has mended less.
func olderSBAT(t testing.TB, k bootKeys, image string, sbat []string) string {
	t.Helper()
	keys := signer(t, k)
	text := readFile(t, sbat[0])
	return changedFile(t, image, "EFI/BOOT/grubx64.efi", func(data []byte) []byte {
		bare := bytes.Replace(unsigned(t)(data), readFile(t, k.sbat), text, 1)
		i, err := authenticode.Parse(bare)
		if err == nil {
			data, err = i.Sign(keys.Key, keys.Certificate)
		}
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
}
