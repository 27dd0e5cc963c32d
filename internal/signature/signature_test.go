package signature

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livebuild/livebuild/internal/judge"
)

func TestMain(m *testing.M) { os.Exit(judge.Main(m)) }

// work is a folder with an image and keys of real programs.
type work struct {
	*testing.T
	folder string
	image  Image
}

func newWork(t *testing.T) work {
	t.Helper()
	w := work{t, t.TempDir(), Image{}}
	data := make([]byte, 3<<20+17)
	random := rand.New(rand.NewPCG(14, 5))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	w.put("my image.iso", string(data))
	w.image = Image{Bytes: bytes.NewReader(data), Size: int64(len(data)), Name: "/elsewhere/my image.iso"}
	return w
}

func (w work) path(name string) string { return filepath.Join(w.folder, name) }

func (w work) put(name, text string) {
	w.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w work) get(name string) []byte {
	w.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.Fatal(err)
	}
	return text
}

// run runs a program in the folder, with words on its standard input.
func (w work) run(input, program string, args ...string) error {
	w.Helper()
	cmd := exec.Command(judge.Path(w.T, packages[program], program), args...)
	cmd.Dir, cmd.Stdin = w.folder, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.New(err.Error() + ": " + string(out))
	}
	return nil
}

func (w work) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// packages of Debian have the programs.
var packages = map[string]string{"minisign": "minisign", "signify-openbsd": "signify-openbsd", "ssh-keygen": "openssh-client"}

// never is the passphrase of keys that have none.
func never(file string) (string, error) { return "", errors.New("a passphrase is asked for " + file) }

func word(text string) Passphrase { return func(string) (string, error) { return text, nil } }

// scheme is a program that signs and checks.
type scheme struct {
	kind     Kind
	suffix   string
	generate func(w work, passphrase string) error // key, key.pub
	sign     func(w work) error                    // of the image
	check    func(w work) error
}

var schemes = map[string]scheme{
	"minisign": {Minisign, ".minisig", func(w work, passphrase string) error {
		args := []string{"-G", "-f", "-p", "key.pub", "-s", "key"}
		if passphrase == "" {
			args = append(args, "-W")
		}
		return w.run(strings.Repeat(passphrase+"\n", 2), "minisign", args...)
	}, func(w work) error { return w.run("", "minisign", "-S", "-s", "key", "-m", "my image.iso") },
		func(w work) error { return w.run("", "minisign", "-V", "-p", "key.pub", "-m", "my image.iso") }},
	"minisign, not hashed": {Minisign, ".minisig", func(w work, passphrase string) error {
		return w.run("", "minisign", "-G", "-f", "-W", "-p", "key.pub", "-s", "key")
	}, func(w work) error { return w.run("", "minisign", "-S", "-l", "-s", "key", "-m", "my image.iso") },
		func(w work) error { return w.run("", "minisign", "-V", "-p", "key.pub", "-m", "my image.iso") }},
	"signify": {Signify, ".sig", func(w work, passphrase string) error {
		args := []string{"-G", "-p", "key.pub", "-s", "key.sec"}
		if passphrase == "" {
			args = append(args, "-n")
		}
		return errors.Join(w.run(strings.Repeat(passphrase+"\n", 2), "signify-openbsd", args...), os.Rename(w.path("key.sec"), w.path("key")))
	}, func(w work) error {
		w.put("key.sec", string(w.get("key"))) // it takes no other name
		return w.run("", "signify-openbsd", "-S", "-s", "key.sec", "-x", "my image.iso.sig", "-m", "my image.iso")
	}, func(w work) error {
		return w.run("", "signify-openbsd", "-V", "-p", "key.pub", "-x", "my image.iso.sig", "-m", "my image.iso")
	}},
	"ssh ed25519": sshScheme("ed25519"),
	"ssh rsa":     sshScheme("rsa"),
	"ssh ecdsa":   sshScheme("ecdsa"),
}

func sshScheme(kind string) scheme {
	return scheme{SSH, ".sig", func(w work, passphrase string) error {
		return w.run("", "ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "me", "-f", "key")
	}, func(w work) error {
		return w.run("", "ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", "key", "my image.iso")
	},
		func(w work) error {
			w.put("allowed", "me@example.com namespaces=\"git,file\" "+string(w.get("key.pub")))
			return w.run(string(w.get("my image.iso")), "ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me@example.com", "-n", "file", "-s", "my image.iso.sig")
		}}
}

// TestSchemes has real programs check our signatures, and checks theirs.
func TestSchemes(t *testing.T) {
	for name, s := range schemes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWork(t)
			w.must(s.generate(w, ""))
			signer, err := ReadSigner(w.path("key"), never)
			w.must(err)
			if signer.Kind != s.kind {
				t.Errorf("the key is of %s", signer.Kind)
			}
			keys, err := ReadVerifier(w.path("key.pub"))
			w.must(err)

			ours, err := signer.Sign(t.Context(), w.image)
			w.must(err)
			w.put("my image.iso"+s.suffix, string(ours))
			if err := s.check(w); err != nil {
				t.Errorf("our signature is refused: %v\n%s", err, ours)
			}
			w.must(os.Remove(w.path("my image.iso" + s.suffix)))
			w.must(s.sign(w))
			theirs := w.get("my image.iso" + s.suffix)
			for whose, text := range map[string][]byte{"our": ours, "their": theirs} {
				if who, err := keys.Verify(t.Context(), w.image, text); err != nil || who == "" {
					t.Errorf("%s signature is refused: %q, %v", whose, who, err)
				}
				w.refusals(keys, text)
			}
			again, err := signer.Sign(t.Context(), w.image)
			if w.must(err); string(again) != string(ours) && !strings.Contains(name, "ecdsa") {
				t.Error("a second signature is another one")
			}
		})
	}
}

// refusals changes image and signature.
func (w work) refusals(keys *Verifier, text []byte) {
	w.Helper()
	data := bytes.Clone(w.get("my image.iso"))
	data[len(data)/2] ^= 1
	changed := w.image
	changed.Bytes = bytes.NewReader(data)
	var mismatch *MismatchError
	if _, err := keys.Verify(w.Context(), changed, text); !errors.As(err, &mismatch) {
		w.Errorf("a changed image: %v", err)
	}
	shorter := w.image
	shorter.Size--
	if _, err := keys.Verify(w.Context(), shorter, text); !errors.As(err, &mismatch) {
		w.Errorf("a shorter image: %v", err)
	}
	// Of a line in base 64 whichever character: it is another text, and never a good signature.
	for at := 60; at < len(text)-30; at += 37 {
		other := bytes.Clone(text)
		if other[at] = 'A'; text[at] == 'A' {
			other[at] = 'B'
		}
		var format *FormatError
		var key *OtherKeyError
		_, err := keys.Verify(w.Context(), w.image, other)
		if !errors.As(err, &mismatch) && !errors.As(err, &format) && !errors.As(err, &key) || strings.Contains(err.Error(), "\n") {
			w.Errorf("the signature changed at %d: %v\n%s", at, err, other)
		}
	}
	other := newWork(w.T)
	for _, name := range []string{"minisign", "ssh ed25519"} {
		w.must(schemes[name].generate(other, ""))
		strange, err := ReadVerifier(other.path("key.pub"))
		w.must(err)
		var key *OtherKeyError
		if _, err := strange.Verify(w.Context(), w.image, text); !errors.As(err, &key) {
			w.Errorf("another key: %v", err)
		}
		w.must(errors.Join(os.Remove(other.path("key")), os.Remove(other.path("key.pub"))))
	}

	ended, end := context.WithCancel(w.Context())
	end()
	if _, err := keys.Verify(ended, w.image, text); !errors.Is(err, context.Canceled) {
		w.Errorf("interrupted: %v", err)
	}
}

// TestPassphrases opens keys that real programs encrypted.
func TestPassphrases(t *testing.T) {
	for _, name := range []string{"minisign", "signify", "ssh ed25519", "ssh rsa"} {
		t.Run(name, func(t *testing.T) {
			s, w := schemes[name], newWork(t)
			w.must(s.generate(w, "correct horse"))
			asked := errors.New("asked")
			if _, err := ReadSigner(w.path("key"), func(string) (string, error) { return "", asked }); !errors.Is(err, asked) {
				t.Errorf("without a passphrase: %v", err)
			}
			var wrong *PassphraseError
			if _, err := ReadSigner(w.path("key"), word("battery staple")); !errors.As(err, &wrong) {
				t.Errorf("with a wrong passphrase: %v", err)
			}
			signer, err := ReadSigner(w.path("key"), word("correct horse"))
			w.must(err)
			text, err := signer.Sign(t.Context(), w.image)
			w.must(err)
			w.put("my image.iso"+s.suffix, string(text))
			if err := s.check(w); err != nil {
				t.Errorf("the signature is refused: %v", err)
			}
		})
	}
}

// TestStream holds signatures of streams against those of Go.
func TestStream(t *testing.T) {
	random := rand.New(rand.NewPCG(8032, 5))
	for n := range 200 {
		seed, message := make([]byte, ed25519.SeedSize), make([]byte, random.IntN(300))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		for i := range message {
			message[i] = byte(random.Uint32())
		}
		key := ed25519.NewKeyFromSeed(seed)
		open := func() io.Reader { return bytes.NewReader(message) }
		want := ed25519.Sign(key, message)
		got, err := signStream(key, open)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d: %x (%v), want %x", n, got, err, want)
		}
		changed := bytes.Clone(got)
		changed[random.IntN(len(changed))] ^= 1 << random.IntN(8)
		for _, s := range [][]byte{got, changed, nil} {
			public := key.Public().(ed25519.PublicKey)
			if good, err := verifyStream(public, open, s); err != nil || good != ed25519.Verify(public, message, s) {
				t.Errorf("%d: %x is good: %t (%v)", n, s, good, err)
			}
		}
	}
}

// TestKeys tries what is given for keys.
func TestKeys(t *testing.T) {
	w := newWork(t)
	w.must(schemes["ssh ed25519"].generate(w, ""))
	ssh, private := strings.TrimSpace(string(w.get("key.pub"))), string(w.get("key"))
	const edPublic = "RWTNnmGgZ+AByb/iJ4fCcfG3kp9NjUrjP23XSvxzkWmmyFTPgZdfOcC4"
	now := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]int{
		edPublic:                              1,
		commentLine + "x\n" + edPublic + "\n": 1,
		ssh:                                   1,
		"# mine\n\n" + ssh + "\n" + ssh:       2,
		"a@b,c@d " + ssh:                      1,
		`"a b" namespaces="git" ` + ssh:       0,
		`* namespaces="git,f*" ` + ssh:        1,
		`* namespaces="*,!file" ` + ssh:       0,
		`* valid-after="20300601" ` + ssh:     1,
		`* valid-after="20300602" ` + ssh:     0,
		`* valid-before="20300601" ` + ssh:    0,
		`* valid-before="203006011201Z",namespaces="file" ` + ssh: 1,
		`* cert-authority ` + ssh:                                 0,
		"":                                                        0,
	} {
		v, err := parseKeys(text, now)
		if err != nil || len(v.ed25519)+len(v.ssh) != want {
			t.Errorf("%q has %+v (%v), want %d keys", text, v, err, want)
		}
	}
	for _, text := range []string{"x", edPublic[1:], commentLine + "x\nAAAA", "* port-forwarding " + ssh, `* valid-after="today" ` + ssh, "ssh-ed25519 AAAA"} {
		if v, err := parseKeys(text, now); err == nil {
			t.Errorf("%q has %+v", text, v)
		}
	}
	w.put("large", strings.Repeat(" ", MaxText+1))
	w.put("text", "hello")
	var bad *KeyError
	for name, want := range map[string]string{"key": "is a private key", "text": "neither a public SSH key", "large": "too large"} {
		if _, err := ReadVerifier(w.path(name)); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s to check with: %v, want %q", name, err, want)
		}
	}
	w.put("half", private[:len(private)/2])
	for name, want := range map[string]string{"key.pub": "is a public key", "text": "no key of minisign, signify or SSH", "half": "no private SSH key"} {
		if _, err := ReadSigner(w.path(name), never); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), private[40:80]) {
			t.Errorf("%s to sign with: %v, want %q", name, err, want)
		}
	}
	w.must(os.Remove(w.path("key.pub")))
	w.must(schemes["signify"].generate(w, ""))
	if _, err := ReadVerifier(w.path("key")); !errors.As(err, &bad) || !strings.Contains(err.Error(), "is a secret key") {
		t.Errorf("a secret key of signify to check with: %v", err)
	}
	if _, err := ReadSigner(w.path("key.pub"), never); !errors.As(err, &bad) || !strings.Contains(err.Error(), "is a public key") {
		t.Errorf("a public key of signify to sign with: %v", err)
	}
}

// FuzzVerify gives signatures and keys of strangers.
func FuzzVerify(f *testing.F) {
	const edPublic = "RWTNnmGgZ+AByb/iJ4fCcfG3kp9NjUrjP23XSvxzkWmmyFTPgZdfOcC4"
	const ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC0mM1hmCVV4GwYGZrZP4S9FW1vTqf1dRd4Q4i9n2lKc me"
	f.Add(edPublic, commentLine+"x\n"+edPublic+"\n")
	f.Add("* namespaces=\"file\" "+ssh, "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")
	image := Image{Bytes: strings.NewReader("image"), Size: 5, Name: "a.iso"}
	f.Fuzz(func(t *testing.T, keys, text string) {
		v, err := parseKeys(keys, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		if _, err := v.Verify(t.Context(), image, []byte(text)); err == nil {
			t.Errorf("%q is a signature by %q", text, keys)
		} else if strings.ContainsAny(err.Error(), "\n\r\x1b") {
			t.Errorf("error of several lines: %q", err)
		}
	})
}
