package authenticode

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// grub and shims are real programs, which Debian's packages grub-efi-amd64-bin,
// shim-unsigned and shim-signed have.
const (
	grub       = "/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"
	grubKernel = "/usr/lib/grub/x86_64-efi/kernel.img"
	shim       = "/usr/lib/shim/shimx64.efi"
	shimSigned = "/usr/lib/shim/shimx64.efi.signed"
	mokManager = "/usr/lib/shim/mmx64.efi.signed"
)

var packages = map[string]string{
	grub: "grub-efi-amd64-bin", grubKernel: "grub-efi-amd64-bin",
	shim: "shim-unsigned", shimSigned: "shim-signed", mokManager: "shim-helpers-amd64-signed",
}

// program is a real one.
func program(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(judge.File(t, packages[path], path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte) *Image {
	t.Helper()
	i, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// newKey makes a key with a certificate of its own.
func newKey(t testing.TB, name string) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

func sign(t testing.TB, data []byte, key crypto.Signer, certificate *x509.Certificate) []byte {
	t.Helper()
	signed, err := parse(t, data).Sign(key, certificate)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestMicrosoft reads what others signed: the shim by Microsoft, by two keys, MokManager by
// Debian. Their digests are ours.
func TestMicrosoft(t *testing.T) {
	for path, roots := range map[string][]string{
		shimSigned: {"Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"},
		mokManager: {"Debian Secure Boot CA"},
	} {
		i := parse(t, program(t, path))
		all, err := i.Signatures()
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(roots) {
			t.Fatalf("%s has %d signatures, want %d", path, len(all), len(roots))
		}
		for n, s := range all {
			if err := i.Check(s); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if got := s.Signer.Issuer.CommonName; !strings.Contains(got, roots[n]) {
				t.Errorf("%s is signed by %q, want one of %q", path, got, roots[n])
			}
		}
		if machine := i.Machine; machine != AMD64 {
			t.Errorf("%s is for %#x", path, machine)
		}
		if sbat := i.Section(".sbat"); path == shimSigned && !bytes.HasPrefix(sbat, []byte("sbat,1,")) {
			t.Errorf("its section .sbat begins with %q", sbat[:min(len(sbat), 20)])
		}
		// A name that its entry has no room for.
		if path == shimSigned && i.Section(".sbatlevel") == nil {
			t.Error("it has no section .sbatlevel")
		}
	}
}

// TestSign has sbverify judge what is signed, alone and beside a signature of another.
func TestSign(t *testing.T) {
	sbverify := judge.Path(t, "sbsigntool", "sbverify")
	key, certificate := newKey(t, "one")
	otherKey, other := newKey(t, "two")
	dir := t.TempDir()
	pemFile := func(name string, c *x509.Certificate) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one, two := pemFile("one.pem", certificate), pemFile("two.pem", other)
	accepts := func(data []byte, cert string) bool {
		path := filepath.Join(dir, "program.efi")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sbverify, "--cert", cert, path).CombinedOutput()
		t.Logf("sbverify: %s", out)
		return err == nil
	}
	for _, path := range []string{grub, shim} {
		unsigned := program(t, path)
		signed := sign(t, unsigned, key, certificate)
		if !bytes.Equal(signed, sign(t, unsigned, key, certificate)) {
			t.Error("equal programs are signed differently")
		}
		i := parse(t, signed)
		if !bytes.Equal(i.Digest(crypto.SHA256), parse(t, unsigned).Digest(crypto.SHA256)) {
			t.Error("a signature changes the digest")
		}
		all, err := i.Signatures()
		if err != nil {
			t.Fatal(err)
		}
		last := all[len(all)-1]
		if err := i.Check(last); err != nil || !last.IssuedBy(certificate) || last.IssuedBy(other) || !last.Root().Equal(certificate) {
			t.Errorf("the signature of %s: %v, issued %t and %t", path, err, last.IssuedBy(certificate), last.IssuedBy(other))
		}
		if again, err := parse(t, unsigned).With(last); err != nil || !bytes.Equal(again, signed) {
			t.Errorf("with the signature of the signed one it is another: %v", err)
		}
		both := sign(t, signed, otherKey, other)
		changed := bytes.Clone(signed)
		changed[len(i.data)/2] ^= 1
		if all, err := parse(t, changed).Signatures(); err != nil {
			t.Error(err)
		} else if err := parse(t, changed).Check(all[len(all)-1]); err == nil {
			t.Error("a changed program passes")
		} else if _, ok := errors.AsType[*SignatureError](err); !ok {
			t.Errorf("the error is a %T", err)
		} else if _, err := parse(t, changed).With(last); !errors.As(err, new(*SignatureError)) {
			t.Errorf("a signature is put on what it is none of: %v", err)
		}
		if !accepts(signed, one) || accepts(signed, two) || !accepts(both, one) || !accepts(both, two) || accepts(changed, one) {
			t.Errorf("sbverify does not take %s for what it is", path)
		}
	}
}

// TestUnsigned has sbattach remove what was signed.
func TestUnsigned(t *testing.T) {
	sbattach := judge.Path(t, "sbsigntool", "sbattach")
	key, certificate := newKey(t, "one")
	data := program(t, grub)
	path := filepath.Join(t.TempDir(), "program.efi")
	signed := sign(t, data, key, certificate)
	if err := os.WriteFile(path, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(sbattach, "--remove", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	removed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours := parse(t, signed).Unsigned()
	// sbattach writes a checksum.
	copy(ours[parse(t, signed).checksum:], removed[parse(t, signed).checksum:][:4])
	if !bytes.Equal(ours, removed) {
		t.Error("without its signature it is not what sbattach leaves")
	}
}

// TestRefused checks what is no program.
func TestRefused(t *testing.T) {
	good := program(t, grub)
	i := parse(t, good)
	key, certificate := newKey(t, "one")
	signed := sign(t, good, key, certificate)
	for name, data := range map[string][]byte{
		"nothing":         nil,
		"text":            []byte(strings.Repeat("text", 100)),
		"MZ alone":        append([]byte("MZ"), make([]byte, 100)...),
		"half":            good[:i.security+4],
		"sections cut":    good[:len(good)/2],
		"table cut":       signed[:len(signed)-16],
		"something after": append(bytes.Clone(signed), "more"...),
	} {
		if _, err := Parse(data); err == nil {
			t.Errorf("%s is taken for a program", name)
		} else if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Errorf("%s: the error is a %T", name, err)
		}
	}
	if _, err := parse(t, good).Sign(key, func() *x509.Certificate { _, c := newKey(t, "two"); return c }()); err == nil {
		t.Error("a certificate of another key is taken")
	}
}

func FuzzParse(f *testing.F) {
	key, certificate := newKey(f, "one")
	small := program(f, grubKernel)
	for _, path := range []string{grub, shimSigned, mokManager} {
		data := program(f, path)
		f.Add(data)
		f.Add(sign(f, data, key, certificate))
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := Parse(data)
		if err != nil {
			return
		}
		before := i.Digest(crypto.SHA256)
		if all, err := i.Signatures(); err == nil {
			for _, s := range all {
				_ = i.Check(s)
				s.Root()
			}
		}
		signed, err := i.Sign(key, certificate)
		if err != nil {
			return
		}
		again, err := Parse(signed)
		if err != nil {
			t.Fatalf("what was signed is no program: %v", err)
		}
		if !bytes.Equal(again.Digest(crypto.SHA256), before) {
			t.Fatal("a signature changes the digest")
		}
		all, err := again.Signatures()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Check(all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
	})
}
