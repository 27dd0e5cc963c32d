package secureboot

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/pkg/authenticode"
)

// Chain is what a medium has for Secure Boot, whoever made it.
type Chain struct {
	// Certificate is what firmware or MokManager is to be shown; nil if the medium has none.
	Certificate *x509.Certificate
	// Programs are those that firmware starts, in the order of their paths.
	Programs []Program
}

// Program is one for firmware.
type Program struct {
	Path       string
	Tree       *medium.Tree
	File       medium.TreeFile
	Signatures []*authenticode.Signature
	SBAT       SBAT
	Key        *Verifier // of a GRUB that verifies what it reads; or nil
	Err        error     // why it could not be read: an [*authenticode.FormatError] for one

	image *authenticode.Image
}

// Check finds out whether a signature of the program holds.
func (p *Program) Check(s *authenticode.Signature) error { return p.image.Check(s) }

// maxPrograms bounds the programs of a medium that are looked at, maxLooked the size of one in
// bytes: some have kernel and initrd inside.
const (
	maxPrograms = 64
	maxLooked   = 256 << 20
)

// ReadChain reads the chain of a medium. What is damaged in it is said there.
func ReadChain(m *medium.Medium) (*Chain, error) {
	c := &Chain{}
	for _, t := range m.Trees() {
		if c.Certificate == nil {
			data, err := readTree(t, medium.Certificate, maxFile)
			if err == nil {
				c.Certificate, err = x509.ParseCertificate(data)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s in the %s: %w", medium.Certificate, t.Name, err)
			}
		}
		if t.EFI {
			c.addPrograms(t)
		}
	}
	if len(c.Programs) == 0 { // without an EFI system partition that can be read
		for _, t := range m.Trees() {
			c.addPrograms(t)
		}
	}
	return c, nil
}

// addPrograms adds those of a file system.
func (c *Chain) addPrograms(t *medium.Tree) {
	_ = fs.WalkDir(t.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || len(c.Programs) == maxPrograms {
			return fs.SkipDir // which reading the file system finds
		}
		if d.IsDir() {
			if name != "." && !strings.EqualFold(strings.Split(name, "/")[0], "EFI") {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && strings.EqualFold(path.Ext(name), ".efi") {
			c.Programs = append(c.Programs, readProgram(t, name))
		}
		return nil
	})
}

func readProgram(t *medium.Tree, name string) Program {
	p := Program{Path: name, Tree: t}
	data, err := readTree(t, name, maxLooked)
	if err == nil {
		p.File, err = t.Find(name)
	}
	if err == nil {
		p.image, err = authenticode.Parse(data)
	}
	if err == nil {
		p.Signatures, err = p.image.Signatures()
	}
	if err == nil {
		p.SBAT, err = ImageSBAT(p.image)
	}
	if err == nil {
		p.Key, err = insideGRUB(p.image)
	}
	p.Err = err
	return p
}

// readTree reads a file of at most so many bytes.
func readTree(t *medium.Tree, name string, most int64) ([]byte, error) {
	f, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	if f.Size > most {
		return nil, fmt.Errorf("%s has %d bytes, which is more than is looked at", name, f.Size)
	}
	data := make([]byte, f.Size)
	_, err = io.ReadFull(t.Open(f), data)
	return data, err
}

// Loader is the program that firmware starts, as UEFI 2.10 §3.5.1.1 has it; nil if there is none.
func (c *Chain) Loader() *Program {
	for i := range c.Programs {
		if dir, name := path.Split(strings.ToUpper(c.Programs[i].Path)); dir == "EFI/BOOT/" && strings.HasPrefix(name, "BOOT") {
			return &c.Programs[i]
		}
	}
	return nil
}

// GRUB is the program that verifies what it reads; nil if there is none.
func (c *Chain) GRUB() *Program {
	n := slices.IndexFunc(c.Programs, func(p Program) bool { return p.Key != nil })
	if n < 0 {
		return nil
	}
	return &c.Programs[n]
}

// Trusted are the certificates that a machine which starts the medium trusts: those of its firmware,
// and those that were enrolled for a shim. What the medium's own certificate does not vouch for, as a
// shim of others, firmware is taken to know.
func (c *Chain) Trusted() (database, mok []*x509.Certificate) {
	l := c.Loader()
	if l == nil {
		return nil, nil
	}
	for _, s := range l.Signatures {
		if c.Certificate != nil && s.IssuedBy(c.Certificate) {
			return []*x509.Certificate{c.Certificate}, nil
		}
		database = append(database, s.Root())
	}
	if c.Certificate == nil {
		return database, nil
	}
	if len(database) == 0 {
		return []*x509.Certificate{c.Certificate}, nil // which vouches for nothing
	}
	return database, []*x509.Certificate{c.Certificate}
}
