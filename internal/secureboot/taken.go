package secureboot

import (
	"crypto/x509"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

// Taken is what only keys make, as a medium has it that was signed by them: to make its bytes again
// without them. A signature is taken only if it holds for what it is to be put on, so that
// nothing is believed that the medium's certificate, and the key inside its GRUB, do not vouch for.
type Taken struct {
	// Certificate is the medium's own.
	Certificate *x509.Certificate
	// Key is the one inside its GRUB.
	Key *Verifier
	// Shim is the program that starts GRUB; nil if the firmware does. It comes from a distribution, and
	// is taken as it is.
	Shim *Program
	// Programs and Files are those whose signatures were taken, so far.
	Programs, Files map[string]bool
	// Later are files that were changed, and signed again, when the medium was made: signatures of what they
	// hold now, while those of what they held at first are gone.
	Later []string

	medium *medium.Medium
	sbat   SBAT
}

// UntakenError says that a medium lacks something by which its signatures could be told to be good.
type UntakenError struct{ Reason string }

func (e *UntakenError) Error() string { return "its signatures cannot be proved: " + e.Reason }

// Take reads what a medium has of keys. Later names the files that were changed when it was made. The error is an
// [*UntakenError] if certificate or key are missing.
func Take(m *medium.Medium, later []string) (*Taken, error) {
	chain, err := ReadChain(m)
	if err != nil {
		return nil, &UntakenError{err.Error()}
	}
	grub := chain.GRUB()
	switch {
	case chain.Certificate == nil:
		return nil, &UntakenError{"it has no " + medium.Certificate}
	case grub == nil:
		return nil, &UntakenError{"no GRUB of it has a key inside"}
	}
	t := &Taken{Certificate: chain.Certificate, Key: grub.Key, Programs: map[string]bool{}, Files: map[string]bool{}, Later: later, medium: m, sbat: grub.SBAT}
	if l := chain.Loader(); l != nil && l.Path != grub.Path {
		t.Shim = l
	}
	return t, nil
}

// Seal is one that signs by what was taken.
func (t *Taken) Seal() *Seal {
	return &Seal{certificate: t.Certificate, by: t, shimmed: t.Shim != nil, sbat: t.sbat}
}

// public is the public part of the key inside GRUB.
func (t *Taken) public() ([]byte, error) { return t.Key.public, nil }

// program puts the signature of the medium's program on one that has the same digest. One that it is none of gets
// zeros of that size, which differ from it where it lies.
func (t *Taken) program(path string, i *authenticode.Image) ([]byte, error) {
	size := 0
	for data := range t.all(path, maxLooked) {
		theirs, err := authenticode.Parse(data)
		if err != nil {
			continue // which is another program
		}
		signatures, err := theirs.Signatures()
		if err != nil {
			continue
		}
		size = max(size, len(data))
		for _, s := range slices.Backward(signatures) { // the key's is the last
			if !s.IssuedBy(t.Certificate) {
				continue
			}
			if signed, err := i.With(s); err == nil {
				t.Programs[path] = true
				return signed, nil
			}
		}
	}
	bare := i.Unsigned()
	return append(bare, make([]byte, max(0, size-len(bare)))...), nil
}

// MaxDetached is more than a signature has that lies beside a file, in bytes.
const MaxDetached = 64 << 10

// file is the signature that the medium has of a file, if it holds; else zeros.
func (t *Taken) file(path string, content io.Reader) ([]byte, error) {
	signature, ok := t.first(path+medium.SignatureSuffix, MaxDetached)
	if !ok {
		return nil, nil // and the volume is another
	}
	if slices.Contains(t.Later, path) {
		f, err := t.medium.Files().Find(path)
		if err != nil {
			return nil, err
		}
		content = t.medium.Files().Open(f)
	}
	if err := t.Key.Check(content, signature); err != nil {
		return make([]byte, len(signature)), nil
	}
	t.Files[path] = true
	return signature, nil
}

// all are the contents of a file, of at most so many bytes, in each file system of the medium that has it.
func (t *Taken) all(path string, most int64) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, tree := range t.medium.Trees() {
			if data, err := readTree(tree, path, most); err == nil && !yield(data) {
				return
			}
		}
	}
}

// first is one of them. All are the same on a medium that livebuild made: where they are not, comparing says so.
func (t *Taken) first(path string, most int64) (data []byte, ok bool) {
	for data = range t.all(path, most) {
		return data, true
	}
	return nil, false
}

// shim are the programs of a shim for a processor, as they are on the medium.
func (t *Taken) shim(arch string) (*Shim, error) {
	s := &Shim{}
	for _, program := range []struct {
		path string
		into *[]byte
	}{
		{"EFI/BOOT/BOOT" + strings.ToUpper(arch) + ".EFI", &s.Program}, // UEFI 2.10 §3.5.1.1
		{"EFI/BOOT/mm" + arch + ".efi", &s.MokManager},                 // MOKManager in shim's Makefile
	} {
		data, ok := t.first(program.path, maxProgram)
		if !ok {
			return nil, &UntakenError{"a shim starts it, and it has no " + program.path}
		}
		*program.into = data
	}
	return s, nil
}
