package verify

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/loader"
	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

// secureBoot checks the chain of Secure Boot: that the programs which firmware starts are those that
// were signed, by whom the medium says, and that beside each file which GRUB verifies lies a
// signature of it.
func (v *verifier) secureBoot() error {
	v.sealed = map[string]bool{}
	chain, err := secureboot.ReadChain(v.medium)
	if err != nil {
		return v.wrong("certificate", -1, medium.Certificate, "%w", err)
	}
	for i := range chain.Programs {
		if err := v.program(chain, &chain.Programs[i]); err != nil {
			return err
		}
	}
	if chain.Certificate != nil {
		v.sealed[medium.Certificate] = true
		if err := v.signedHere(chain); err != nil {
			return err
		}
	}
	grub := chain.GRUB()
	if grub == nil {
		return nil
	}
	seen := map[int64]bool{} // files, by where they lie: a partition can be one with the volume
	for _, t := range v.medium.Trees() {
		if err := v.signatures(t, grub.Key, seen); err != nil {
			return err
		}
	}
	return v.read(chain)
}

// program checks the signatures of a program.
func (v *verifier) program(chain *secureboot.Chain, p *secureboot.Program) error {
	if p.Err != nil {
		if v.medium.MadeHere() && chain.Certificate != nil {
			return v.wrong("signature", p.File.At(0), p.Path, "%w", p.Err)
		}
		v.gap("signature of %s: %v", p.Path, p.Err)
		return nil
	}
	for _, s := range p.Signatures {
		if err := p.Check(s); err != nil {
			if err := v.wrong("signature", p.File.At(0), p.Path, "%w (by %s)", err, secureboot.Name(s.Signer)); err != nil {
				return err
			}
			continue
		}
		v.sealed[p.Path] = true
	}
	return nil
}

// signedHere checks that what the medium's own certificate has to vouch for is signed by its key:
// GRUB, which the firmware starts or a shim.
func (v *verifier) signedHere(chain *secureboot.Chain) error {
	p := chain.GRUB()
	if p == nil {
		p = chain.Loader()
	}
	if p == nil || p.Err != nil {
		return v.wrong("signature", -1, "", "there is no boot loader for UEFI that %s could vouch for", medium.Certificate)
	}
	for _, s := range p.Signatures {
		if s.IssuedBy(chain.Certificate) {
			return nil
		}
	}
	return v.wrong("signature", p.File.At(0), p.Path, "it is not signed by the key of %s, %s: firmware would not start it", medium.Certificate, secureboot.Name(chain.Certificate))
}

// signatures holds the files of a file system against the signatures beside them.
func (v *verifier) signatures(t *medium.Tree, key *secureboot.Verifier, seen map[int64]bool) error {
	return fs.WalkDir(t.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if v.ctx.Err() != nil {
			return v.ctx.Err()
		}
		signed, isSignature := strings.CutSuffix(name, medium.SignatureSuffix)
		if err != nil || d.IsDir() || !isSignature {
			return nil // what cannot be read is a finding already
		}
		f, err := t.Find(signed)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		s, findErr := t.Find(name)
		if findErr == nil && seen[s.At(0)] {
			return nil
		}
		seen[s.At(0)] = true
		if err != nil || findErr != nil || s.Size > secureboot.MaxDetached {
			return v.wrong("signature", -1, name, "it cannot be read")
		}
		signature, err := io.ReadAll(t.Open(s))
		if err == nil {
			err = key.Check(t.Open(f), signature)
		}
		if err != nil {
			return v.wrong("signature", f.At(0), signed, "GRUB would refuse the file in the %s, which was changed after it was signed, or signed by another key: %w", t.Name, err)
		}
		if !t.EFI {
			v.sealed[signed], v.sealed[name] = true, true
		}
		return nil
	})
}

// read checks that the files which GRUB is told to read have a signature at all, and that kernels are
// signed as programs.
func (v *verifier) read(chain *secureboot.Chain) error {
	files, seen := v.medium.Files(), map[string]bool{}
	for _, t := range v.medium.Trees() {
		all, err := loader.Find(t, loader.GRUB)
		if err != nil {
			continue // menus says so
		}
		for _, menus := range all {
			for _, f := range menus.Files {
				if err := v.hasSignature(t, files, f.Path); err != nil {
					return err
				}
			}
			for _, name := range menus.Needed() {
				if seen[name] {
					continue
				}
				seen[name] = true
				if err := v.hasSignature(t, files, name); err != nil {
					return err
				}
				if !slices.Contains(menus.Kernels(), name) {
					continue
				}
				if err := v.kernel(chain, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hasSignature checks that a file, of whichever file system, has one beside it.
func (v *verifier) hasSignature(t, files *medium.Tree, name string) error {
	for _, in := range []*medium.Tree{t, files} {
		f, err := in.Find(name)
		if err != nil {
			continue
		}
		if _, err := in.Find(name + medium.SignatureSuffix); errors.Is(err, fs.ErrNotExist) {
			return v.wrong("signature", f.At(0), f.Path, "there is none beside the file: GRUB would refuse it")
		}
		return nil
	}
	return nil // that it is not there, menus finds
}

// kernel checks that a kernel is signed.
func (v *verifier) kernel(chain *secureboot.Chain, name string) error {
	f, err := v.medium.Files().Find(name)
	if err != nil || chain.Certificate == nil {
		return nil
	}
	image, err := v.parse(f)
	if err != nil {
		return v.wrong("signature", f.At(0), f.Path, "%w", err)
	}
	all, err := image.Signatures()
	if err != nil {
		return v.wrong("signature", f.At(0), f.Path, "%w", err)
	}
	for _, s := range all {
		if s.IssuedBy(chain.Certificate) && image.Check(s) == nil {
			v.sealed[f.Path] = true
			return nil
		}
	}
	return v.wrong("signature", f.At(0), f.Path, "no signature by the key of %s vouches for this kernel: firmware or a shim would refuse it", medium.Certificate)
}

// maxKernel bounds a kernel that is read whole, in bytes.
const maxKernel = 256 << 20

func (v *verifier) parse(f medium.TreeFile) (*authenticode.Image, error) {
	if f.Size > maxKernel {
		return nil, fmt.Errorf("it has %d bytes, which is more than is looked at", f.Size)
	}
	data, err := io.ReadAll(v.medium.Files().Open(f))
	if err != nil {
		return nil, err
	}
	return authenticode.Parse(data)
}

// signedCopy tells whether a file of the volume is that of a store path, but for signatures.
func (v *verifier) signedCopy(e entry, of io.Reader, size int64) bool {
	if !v.sealed[e.Path] || size > maxKernel || e.Size > maxKernel || !strings.HasPrefix(path.Clean(e.Path), bootStore) {
		return false
	}
	data, err := io.ReadAll(v.contents(e))
	if err != nil {
		return false
	}
	original, err := io.ReadAll(of)
	if err != nil {
		return false
	}
	a, errA := authenticode.Parse(data)
	b, errB := authenticode.Parse(original)
	return errA == nil && errB == nil && bytes.Equal(a.Digest(crypto.SHA256), b.Digest(crypto.SHA256))
}
