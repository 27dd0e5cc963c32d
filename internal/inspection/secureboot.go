package inspection

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/livebuild/livebuild/internal/medium"
	"github.com/livebuild/livebuild/internal/secureboot"
)

// SecureBoot is what an image has for firmware with Secure Boot on.
type SecureBoot struct {
	Certificate *Certificate    `json:"certificate"` // that the image brings to be enrolled; null: none
	Programs    []SignedProgram `json:"programs"`    // that firmware starts
	Problem     string          `json:"problem"`     // why it could not be read; "" if it was
}

// SignedProgram is a program that firmware starts.
type SignedProgram struct {
	Path       string                 `json:"path"`
	Signatures []Signature            `json:"signatures"`
	SBAT       []secureboot.Component `json:"sbat"`
	Verifies   string                 `json:"verifies"` // fingerprint of the OpenPGP key by which a GRUB verifies what it reads; ""
	Problem    string                 `json:"problem"`  // why it could not be read; "" if it was
}

// Signature is one of a program.
type Signature struct {
	Signer Certificate `json:"signer"`
	Holds  bool        `json:"holds"` // the program is the one that was signed
}

// Certificate is one of X.509.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	SHA256   string    `json:"sha256"` // of its DER, in hexadecimal digits
	NotAfter time.Time `json:"not_after"`
}

// NewCertificate describes one.
func NewCertificate(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	return Certificate{secureboot.Name(c), c.Issuer.String(), hex.EncodeToString(sum[:]), c.NotAfter.UTC()}
}

// String says whose it is, and how long.
func (c Certificate) String() string {
	return fmt.Sprintf("%q, valid until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
}

// readSecureBoot reads it; an image without any of it has none.
func (i *Image) readSecureBoot(m *medium.Medium) error {
	chain, err := secureboot.ReadChain(m)
	if err != nil {
		i.SecureBoot = &SecureBoot{Programs: []SignedProgram{}, Problem: err.Error()}
		return nil
	}
	s := &SecureBoot{Programs: []SignedProgram{}}
	any := chain.Certificate != nil
	if any {
		c := NewCertificate(chain.Certificate)
		s.Certificate = &c
	}
	for _, p := range chain.Programs {
		program := SignedProgram{Path: p.Path, Signatures: []Signature{}, SBAT: append([]secureboot.Component{}, p.SBAT...)}
		if p.Err != nil {
			program.Problem = p.Err.Error()
		}
		if p.Key != nil {
			program.Verifies = p.Key.Fingerprint()
		}
		for _, signature := range p.Signatures {
			program.Signatures = append(program.Signatures, Signature{NewCertificate(signature.Signer), p.Check(signature) == nil})
		}
		any = any || len(program.Signatures) > 0 || p.Key != nil
		s.Programs = append(s.Programs, program)
	}
	if any {
		i.SecureBoot = s
	}
	return nil
}
