package secureboot

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/livebuild/livebuild/internal/judge"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// snakeoil is a key of Debian's package ovmf, whose passphrase everybody knows.
const snakeoil = "/usr/share/ovmf/PkKek-1-snakeoil"

// private copies a key to where its owner alone can read it.
func private(t *testing.T, from string) string {
	t.Helper()
	data, err := os.ReadFile(judge.File(t, "ovmf", from))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), filepath.Base(from))
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func say(text string) Passphrase { return func(string) (string, error) { return text, nil } }

// TestReadKeys reads keys as openssl writes them, protected in each of its ways.
func TestReadKeys(t *testing.T) {
	key := private(t, snakeoil+".key")
	if _, err := ReadKeys(key, snakeoil+".pem", say("wrong")); err == nil {
		t.Error("any passphrase will do")
	} else if _, ok := errors.AsType[*PassphraseError](err); !ok {
		t.Errorf("ReadKeys = %v", err)
	}
	keys, err := ReadKeys(key, snakeoil+".pem", say("snakeoil"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, cipher := range []string{"-aes128", "-aes192", "-aes256", "-des3"} {
		name := filepath.Join(dir, cipher+".key")
		judge.Run(t, "openssl", "openssl", "pkey", "-in", key, "-passin", "pass:snakeoil", cipher, "-passout", "pass:other", "-out", name)
		again, err := ReadKeys(name, snakeoil+".pem", say("other"))
		if err != nil || !reflect.DeepEqual(again.Key, keys.Key) {
			t.Errorf("%s: %v", cipher, err)
		}
	}
	db := filepath.Join(dir, "keys", "db")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	judge.Run(t, "openssl", "openssl", "pkey", "-in", key, "-passin", "pass:snakeoil", "-out", filepath.Join(db, "db.key"))
	judge.Run(t, "openssl", "openssl", "x509", "-in", snakeoil+".pem", "-out", filepath.Join(db, "db.pem"))
	for _, folder := range []string{db, filepath.Dir(db), dir} {
		again, err := ReadFolder(folder, nil)
		if err != nil || !reflect.DeepEqual(again.Key, keys.Key) {
			t.Errorf("%s: %v", folder, err)
		}
	}
	der := filepath.Join(dir, "cert.der")
	judge.Run(t, "openssl", "openssl", "x509", "-in", snakeoil+".pem", "-outform", "DER", "-out", der)
	if c, err := ReadCertificate(der); err != nil || !c.Equal(keys.Certificate) {
		t.Errorf("ReadCertificate = %v", err)
	}
}

// TestSigningKey has gpg judge keys, their signatures, and be the one that made the key.
func TestSigningKey(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "sign.asc")
	key, made, err := OpenSigningKey(name)
	if err != nil || !made {
		t.Fatalf("OpenSigningKey = %t, %v", made, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the key: %v, %v", info.Mode(), err)
	}
	again, made, err := OpenSigningKey(name)
	if err != nil || made || again.Fingerprint() != key.Fingerprint() {
		t.Fatalf("OpenSigningKey = %t, %v", made, err)
	}
	home := filepath.Join(dir, "gnupg")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	gpg := func(args ...string) string {
		return judge.Run(t, "gnupg", "gpg", append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	gpg("--import", name)
	gpg("--quick-generate-key", "me", "rsa2048", "sign", "never")
	foreign := filepath.Join(dir, "foreign.asc")
	gpg("--armor", "--output", foreign, "--export-secret-keys", "me")
	if err := os.Chmod(foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, err := ReadSigningKey(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*SigningKey{key, again, theirs} {
		public, err := k.Public()
		if err != nil {
			t.Fatal(err)
		}
		if len(public) > keyPlace.size {
			t.Errorf("the public key has %d bytes", len(public))
		}
		content := bytes.Repeat([]byte("content"), 100000)
		signature, err := k.Sign(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := k.Sign(bytes.NewReader(content)); err != nil || !bytes.Equal(signature, twice) {
			t.Errorf("it signs in another way each time: %v", err)
		}
		for file, data := range map[string][]byte{"content": content, "content.sig": signature, "key.gpg": public} {
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		judge.Run(t, "gpgv", "gpgv", "--keyring", filepath.Join(dir, "key.gpg"), filepath.Join(dir, "content.sig"), filepath.Join(dir, "content"))
		// GRUB looks for the key where it is not signed.
		if packets := gpg("--list-packets", filepath.Join(dir, "content.sig")); !strings.Contains(packets, "\n\tsubpkt 16 len 8 (issuer key ID") {
			t.Errorf("GRUB would not find the key:\n%s", packets)
		}
		for i := range 300 { // one of 256 has a number that is shorter
			other, err := k.Sign(bytes.NewReader([]byte{byte(i), byte(i >> 8)}))
			if err != nil || len(other) != len(signature) {
				t.Fatalf("a signature has %d bytes, another one %d: %v", len(other), len(signature), err)
			}
		}
		v, err := ParseVerifier(append(public, make([]byte, 100)...))
		if err != nil || v.Fingerprint() != k.Fingerprint() {
			t.Fatalf("ParseVerifier = %v", err)
		}
		if err := v.Check(bytes.NewReader(content), signature); err != nil {
			t.Error(err)
		}
		content[len(content)/2] ^= 1
		if err := v.Check(bytes.NewReader(content), signature); err == nil {
			t.Error("a changed file passes")
		}
	}
	public := filepath.Join(dir, "public.asc")
	gpg("--armor", "--output", public, "--export", "me")
	gpg("--passphrase", "secret", "--quick-generate-key", "locked", "rsa2048", "sign", "never")
	gpg("--quick-generate-key", "new", "ed25519", "sign", "never")
	for _, who := range []string{"locked", "new"} {
		gpg("--passphrase", map[string]string{"locked": "secret", "new": ""}[who], "--armor", "--output", filepath.Join(dir, who), "--export-secret-keys", who)
	}
	for file, reason := range map[string]string{"public.asc": "the public part", "locked": "has a passphrase", "new": "no RSA key of version 4", "content": "no OpenPGP key"} {
		file = filepath.Join(dir, file)
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSigningKey(file)
		if wrong, ok := errors.AsType[*KeyError](err); !ok || !strings.Contains(wrong.Reason, reason) {
			t.Errorf("ReadSigningKey(%s) = %v", filepath.Base(file), err)
		}
	}
}

func TestSBAT(t *testing.T) {
	for version, generation := range map[string]int{"2.06": 1, "2.11": 1, "2.12": 4, "2.12-rc1": 4, "2.13": 4, "2.14": 5, "3.0": 5} {
		s, err := GRUBSBAT(version)
		if err != nil || s.generation("grub") != generation || s.generation("sbat") != 1 {
			t.Errorf("GRUB %s says %v, %v", version, s, err)
		}
		if again, err := ParseSBAT(append(s.Text(), 0, 0, 0)); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("ParseSBAT = %v, %v", again, err)
		}
	}
	for _, version := range []string{"", "2", "2.04", "unstable"} {
		if _, err := GRUBSBAT(version); err == nil {
			t.Errorf("GRUB %q is known", version)
		} else if _, ok := errors.AsType[*UnknownVersionError](err); !ok {
			t.Errorf("the error is a %T", err)
		}
	}
	for _, text := range []string{"sbat", "sbat,x", "sbat,0", "sbat,-1", strings.Repeat("a,1\n", 300)} {
		if s, err := ParseSBAT([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
	i, err := authenticode.Parse(func() []byte {
		b, _ := os.ReadFile(judge.File(t, "shim-unsigned", "/usr/lib/shim/shimx64.efi"))
		return b
	}())
	if err != nil {
		t.Fatal(err)
	}
	own, err := ImageSBAT(i)
	if err != nil || own.generation("shim") < 4 {
		t.Errorf("the shim says of itself %v, %v", own, err)
	}
	demands, err := demanded(i)
	if err != nil || demands.generation("grub") < 5 || demands.generation("shim") < 4 {
		t.Errorf("the shim demands %v, %v", demands, err)
	}
}

// TestInsideGRUB finds the key in a GRUB that grub-mkimage made, and none in one without.
func TestInsideGRUB(t *testing.T) {
	judge.File(t, "grub-efi-amd64-bin", "/usr/lib/grub/x86_64-efi/kernel.img")
	key, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place := filepath.Join(dir, "place")
	if err := os.WriteFile(place, []byte(strings.Repeat(keyPlace.line, placeLines)), 0o600); err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []bool{true, false} {
		out := filepath.Join(dir, "grub.efi")
		args := []string{"--format=x86_64-efi", "--prefix=/EFI/BOOT", "--output=" + out, "pgp", "gcry_rsa", "gcry_sha512", "normal"}
		if with {
			args = append([]string{"--pubkey=" + place}, args...)
		}
		judge.Run(t, "grub-common", "grub-mkimage", args...)
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := keyPlace.fill(data, public); (err == nil) != with {
			t.Fatalf("fill = %v", err)
		}
		i, err := authenticode.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		v, err := insideGRUB(i)
		if err != nil || (v != nil) != with || with && v.Fingerprint() != key.Fingerprint() {
			t.Errorf("insideGRUB = %v, %v", v, err)
		}
	}
}

// TestKeysStayOut checks that errors about a key have nothing of it.
func TestKeysStayOut(t *testing.T) {
	key := filepath.Join(t.TempDir(), "db.key")
	judge.Run(t, "openssl", "openssl", "genrsa", "-out", key, "2048")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(text, text[100:110], []byte("AAAAAAAAAA"), 1)
	if err := os.WriteFile(key, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadKeys(key, snakeoil+".pem", nil)
	if err == nil || strings.Contains(err.Error(), string(text[200:220])) || len(err.Error()) > 300 {
		t.Errorf("ReadKeys = %v", err)
	}
}

func FuzzParseSBAT(f *testing.F) {
	f.Add([]byte("sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\ngrub,5,Free Software Foundation,grub,2.12,https://www.gnu.org/software/grub/\n\x00\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSBAT(text)
		if err != nil {
			return
		}
		again, err := ParseSBAT(s.Text())
		if err != nil || len(again) != len(s) {
			t.Fatalf("%v became %v, %v", s, again, err)
		}
	})
}

func FuzzVerifier(f *testing.F) {
	key, err := NewSigningKey()
	if err != nil {
		f.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		f.Fatal(err)
	}
	signature, err := key.Sign(strings.NewReader("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(public, signature)
	f.Fuzz(func(t *testing.T, public, signature []byte) {
		if v, err := ParseVerifier(public); err == nil {
			_ = v.Check(strings.NewReader("content"), signature)
		}
		_, _ = withIssuer(signature, 1, 384)
	})
}
