package boot

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/authenticode"
	"github.com/livebuild/livebuild/pkg/fat"
)

const (
	debianGRUB   = "/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"
	debianKernel = "/usr/lib/grub/x86_64-efi/monolithic/gcdx64.efi" // a program as a kernel is one
	keyLine      = "livebuild: here is the OpenPGP key that this GRUB believes.    \n"
	sbatLine     = "livebuild: here is what this GRUB says of itself to shim (SBAT).\n"
)

// secured is an installer for Secure Boot, with programs that can be signed, and its seal.
func (l *lab) secured(how nixos.SecureBoot, shim string, sbat secureboot.SBAT) (*nixos.System, *secureboot.Seal) {
	l.Helper()
	s := l.installer()
	s.SecureBoot = &how
	s.GRUB.Version = "2.14"
	grub, err := os.ReadFile(judge.File(l.T, "grub-efi-amd64-bin", debianGRUB))
	if err != nil {
		l.Fatal(err)
	}
	// Into the last section, where there is room for what grub-mkimage would put there.
	image, err := authenticode.Parse(grub)
	if err != nil {
		l.Fatal(err)
	}
	mods := image.Section("mods")
	at := bytes.Index(grub, mods[:256])
	copy(grub[at+4096:], strings.Repeat(keyLine, 64))
	copy(grub[at+4096+64*len(keyLine):], strings.Repeat(sbatLine, 64))
	s.GRUB.Core = l.put("core/grub.efi", string(grub))
	l.debian("linux/bzImage", debianKernel, "grub-efi-amd64-bin")
	l.debian("refind/refind_x64.efi", debianKernel, "grub-efi-amd64-bin")
	s.Refind = "/nix/store/refind/refind_x64.efi"
	s.Memtest = nil

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		l.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "one"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		l.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		l.Fatal(err)
	}
	seal, err := secureboot.NewSeal(&secureboot.Keys{Key: key, Certificate: certificate}, nil, shim, sbat)
	if err == nil {
		seal, err = seal.For("x64")
	}
	if err != nil {
		l.Fatal(err)
	}
	return s, seal
}

func (l *lab) completeSealed(s *nixos.System, seal *secureboot.Seal) []File {
	l.Helper()
	tree, err := NewTree(0, s)
	if err != nil {
		l.Fatal(err)
	}
	files, err := tree.Complete(l.Context(), l.files(), Options{Manifest: []byte("{}\n"), Seal: seal})
	if err != nil {
		l.Fatal(err)
	}
	return files
}

// read returns what a file of the medium has.
func (l *lab) read(f File) []byte {
	l.Helper()
	if f.Source == "" {
		return f.Data
	}
	data, err := l.files().ReadFile(f.Source, programMax)
	if err != nil {
		l.Fatal(err)
	}
	return data
}

// TestSecureBoot has sbverify judge every program, and gpgv every file that GRUB reads, on the
// medium and in the EFI system partition; a shim and MokManager stay as they are.
func TestSecureBoot(t *testing.T) {
	for _, shim := range []string{"", "/usr/lib/shim"} {
		l := newLab(t)
		if shim != "" {
			judge.File(t, "shim-signed", shim+"/shimx64.efi.signed")
		}
		s, seal := l.secured(nixos.SecureBoot{Shim: shim != ""}, shim, nil)
		files := l.completeSealed(s, seal)
		dir := t.TempDir()
		write := func(name string, data []byte) string {
			name = filepath.Join(dir, name)
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}
		cert := write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: seal.Certificate().Raw}))
		public, err := seal.Signing().Public()
		if err != nil {
			t.Fatal(err)
		}
		keyring := write("key.gpg", public)
		grub := "EFI/BOOT/BOOTX64.EFI"
		if shim != "" {
			grub = "EFI/BOOT/grubx64.efi"
		}
		for _, name := range []string{grub, "EFI/BOOT/refind_x64.efi", "boot/nix/store/linux/bzImage"} {
			program := l.read(*find(files, name))
			judge.Run(t, "sbsigntool", "sbverify", "--cert", cert, write("program", program))
			if bytes.Contains(program, []byte("livebuild: here is the OpenPGP key")) || name == grub && !bytes.Contains(program, public) {
				t.Errorf("%s does not have the key", name)
			}
		}
		if shim != "" {
			for name, want := range map[string][]byte{"EFI/BOOT/BOOTX64.EFI": seal.Shim("x64").Program, "EFI/BOOT/mmx64.efi": seal.Shim("x64").MokManager} {
				if !bytes.Equal(find(files, name).Data, want) {
					t.Errorf("%s is not that of the folder", name)
				}
			}
		}
		var unsigned []string
		for _, f := range files {
			if f.Dir || strings.HasSuffix(f.Path, ".sig") {
				continue
			}
			signature := find(files, f.Path+".sig")
			if signature == nil {
				unsigned = append(unsigned, f.Path)
				continue
			}
			judge.Run(t, "gpgv", "gpgv", "--keyring", keyring, write("signature", signature.Data), write("file", l.read(f)))
		}
		want := []string{"EFI/BOOT/BOOTX64.EFI"}
		if shim != "" {
			want = append(want, "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi")
		}
		want = append(want, "boot/efi.img")
		unsigned = slices.DeleteFunc(unsigned, func(name string) bool { return !strings.HasPrefix(name, "EFI/") && !strings.HasPrefix(name, "boot/") })
		if !slices.Equal(unsigned, want) {
			t.Errorf("not signed are %q, want %q", unsigned, want)
		}
		l.sameOnESP(files, append(want[:len(want)-1:len(want)-1], grubConfig, grubConfig+".sig", "EFI/BOOT/refind_x64.efi", "EFI/BOOT/refind_x64.efi.sig", medium.Certificate))
		if again := l.completeSealed(s, seal); !slices.EqualFunc(files, again, func(a, b File) bool { return a.Path == b.Path && bytes.Equal(a.Data, b.Data) }) {
			t.Error("what is signed twice by the same keys differs")
		}
	}
}

// sameOnESP checks that the EFI system partition has these files, and no others, as the volume.
func (l *lab) sameOnESP(files []File, names []string) {
	l.Helper()
	esp := find(files, espPath).Data
	r, err := fat.Open(bytes.NewReader(esp), int64(len(esp)))
	if err != nil {
		l.Fatal(err)
	}
	for _, name := range names {
		e, err := r.Lookup(name)
		if err != nil {
			l.Errorf("the EFI system partition: %s: %v", name, err)
			continue
		}
		if f := find(files, name); f.Source == "" && e.Size != int64(len(f.Data)) {
			l.Errorf("%s has %d bytes in the EFI system partition, %d on the volume", name, e.Size, len(f.Data))
		}
	}
}

// TestClosedMenu checks which entries everybody may start, and that the check of a medium leaves
// GRUB out, which would have to verify the whole store image.
func TestClosedMenu(t *testing.T) {
	for _, edit := range []bool{false, true} {
		l := newLab(t)
		s, seal := l.secured(nixos.SecureBoot{Edit: edit}, "", nil)
		s.MediaCheck = true
		files := l.completeSealed(s, seal)
		config := string(find(files, grubConfig).Data)
		for line := range strings.Lines(config) {
			command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if command != "menuentry" && command != "submenu" && command != "hiddenentry" {
				continue
			}
			if strings.Contains(line, " --unrestricted {") == edit {
				t.Errorf("with edit %t there is %s", edit, line)
			}
		}
		if strings.Contains(config, "hashsum") || !strings.Contains(config, checkWord) {
			t.Error("GRUB checks the medium itself")
		}
		l.put("check/grub.cfg", config)
		judge.Run(t, "grub-common", "grub-script-check", l.place("check/grub.cfg"))
	}
}

// TestSecureBootRefused checks what cannot be signed.
func TestSecureBootRefused(t *testing.T) {
	l := newLab(t)
	s, seal := l.secured(nixos.SecureBoot{}, "", nil)
	failure := func() error {
		tree, err := NewTree(0, s)
		if err == nil {
			_, err = tree.Complete(t.Context(), l.files(), Options{Seal: seal})
		}
		return err
	}
	l.put("linux/bzImage", "text")
	if unsignable, ok := errors.AsType[*UnsignableError](failure()); !ok || unsignable.What != "the kernel" {
		t.Errorf("Complete = %v", failure())
	}
	l.debian("linux/bzImage", debianKernel, "grub-efi-amd64-bin")
	l.put("docs/grub.cfg.sig", "mine")
	s.Contents = []nixos.Content{{Source: "/nix/store/docs/grub.cfg.sig", Target: "/EFI/BOOT/grub.cfg.sig"}}
	if _, ok := errors.AsType[*CollisionError](failure()); !ok {
		t.Errorf("Complete = %v", failure())
	}
	s.Contents, s.SecureBoot = nil, nil
	if err := failure(); err == nil {
		t.Error("a seal is taken for a system that is not for Secure Boot")
	}
	s.SecureBoot, s.MakeEFIBootable = &nixos.SecureBoot{}, false
	if _, ok := errors.AsType[*SecureBootError](failure()); !ok {
		t.Errorf("Complete = %v", failure())
	}
	s.MakeEFIBootable, s.GRUB.Core = true, l.put("core/without.efi", string(l.read(File{Source: "/nix/store/linux/bzImage"})))
	if unsignable, ok := errors.AsType[*UnsignableError](failure()); !ok || !strings.Contains(unsignable.Error(), "no place") {
		t.Errorf("Complete = %v", failure())
	}
}
