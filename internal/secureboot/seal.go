package secureboot

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/authenticode"
)

// Seal signs what a medium starts and what its GRUB reads.
type Seal struct {
	certificate *x509.Certificate
	by          signer
	shimmed     bool // a shim starts GRUB
	sbat        SBAT // nil: by the version of GRUB

	shims map[string]*Shim // by processor, after For
}

// signer makes what a medium has of keys: by the keys, or by what another medium has of them.
type signer interface {
	// public is the public part of the key that signs files, as GRUB reads it.
	public() ([]byte, error)
	// program returns a program, of that path, with a signature.
	program(path string, i *authenticode.Image) ([]byte, error)
	// file returns the signature to lie beside a file.
	file(path string, content io.Reader) ([]byte, error)
	// shim is that for a processor.
	shim(arch string) (*Shim, error)
}

// keyed signs by keys.
type keyed struct {
	keys    *Keys
	signing *SigningKey
	folder  string // of a shim
}

func (k *keyed) public() ([]byte, error) { return k.signing.Public() }

func (k *keyed) program(_ string, i *authenticode.Image) ([]byte, error) {
	return i.Sign(k.keys.Key, k.keys.Certificate)
}

func (k *keyed) file(_ string, content io.Reader) ([]byte, error) { return k.signing.Sign(content) }

func (k *keyed) shim(arch string) (*Shim, error) { return ReadShim(k.folder, arch) }

// NewSeal returns one. Without a signing key it makes one, of which the private part is gone with it.
// The folder is that of a shim, or empty; the SBAT what GRUB tells it, nil for what is known of its
// version.
func NewSeal(keys *Keys, signing *SigningKey, folder string, sbat SBAT) (*Seal, error) {
	if signing == nil {
		var err error
		if signing, err = NewSigningKey(); err != nil {
			return nil, err
		}
	}
	return &Seal{certificate: keys.Certificate, by: &keyed{keys, signing, folder}, shimmed: folder != "", sbat: sbat}, nil
}

// For returns the seal for media that start machines with these processors, "x64": with its shims, if
// there is a folder of some. The error is that of [ReadShim], or an [*UntakenError].
func (s *Seal) For(archs ...string) (*Seal, error) {
	with := *s
	with.shims = map[string]*Shim{}
	if !s.shimmed {
		return &with, nil
	}
	for _, arch := range archs {
		shim, err := s.by.shim(arch)
		if err != nil {
			return nil, err
		}
		with.shims[arch] = shim
	}
	return &with, nil
}

// Certificate is the one to enrol.
func (s *Seal) Certificate() *x509.Certificate { return s.certificate }

// Signing is the key that signs files; nil of a seal without keys.
func (s *Seal) Signing() *SigningKey {
	if k, ok := s.by.(*keyed); ok {
		return k.signing
	}
	return nil
}

// Shim is what firmware with that processor starts, instead of GRUB; nil if that is not so.
func (s *Seal) Shim(arch string) *Shim { return s.shims[arch] }

// SBAT is what a GRUB of that version says of itself to a shim; nil without one. The error is an
// [*UnknownVersionError] or a [*DemandError].
func (s *Seal) SBAT(version string) (SBAT, error) {
	if !s.shimmed {
		return nil, nil
	}
	sbat := s.sbat
	if sbat == nil {
		var err error
		if sbat, err = GRUBSBAT(version); err != nil {
			return nil, err
		}
	}
	for _, arch := range slices.Sorted(maps.Keys(s.shims)) {
		if err := s.shims[arch].check(sbat); err != nil {
			return nil, err
		}
	}
	return sbat, nil
}

// Program signs a program of that path that the firmware or a shim starts. What is none is an
// [*authenticode.FormatError].
func (s *Seal) Program(path string, program []byte) ([]byte, error) {
	i, err := authenticode.Parse(program)
	if err != nil {
		return nil, err
	}
	return s.by.program(path, i)
}

// GRUB puts the signing key into the program of GRUB, of that version, and what it says to a shim, and
// signs it.
func (s *Seal) GRUB(path string, program []byte, version string) ([]byte, error) {
	public, err := s.by.public()
	if err != nil {
		return nil, err
	}
	program = bytes.Clone(program)
	if err := keyPlace.fill(program, public); err != nil {
		return nil, err
	}
	sbat, err := s.SBAT(version)
	if err != nil {
		return nil, err
	}
	if sbat != nil {
		if err := sbatPlace.fill(program, sbat.Text()); err != nil {
			return nil, err
		}
	}
	return s.Program(path, program)
}

// File returns the signature to lie beside a file that GRUB reads.
func (s *Seal) File(path string, content io.Reader) ([]byte, error) { return s.by.file(path, content) }

// place is a part of GRUB's program that secureboot.nix of package nixos fills with a line, over and
// over.
type place struct {
	line string
	size int
}

const placeLines = 64

var (
	keyPlace  = newPlace("livebuild: here is the OpenPGP key that this GRUB believes.    \n")
	sbatPlace = newPlace("livebuild: here is what this GRUB says of itself to shim (SBAT).\n")
)

func newPlace(line string) place { return place{line, placeLines * len(line)} }

// fill replaces a place by a text, and zeros behind it, which GRUB and shim pass over.
func (p place) fill(program, text []byte) error {
	whole := strings.Repeat(p.line, placeLines)
	at := bytes.Index(program, []byte(whole))
	switch {
	case at < 0 || bytes.Contains(program[at+1:], []byte(whole)):
		return fmt.Errorf("the program of GRUB has no place for a text of livebuild's, or several: %q", p.line)
	case len(text) > p.size:
		return fmt.Errorf("%d bytes do not fit into the %d that the program of GRUB has for them", len(text), p.size)
	}
	copy(program[at:at+p.size], append(bytes.Clone(text), make([]byte, p.size-len(text))...))
	return nil
}
