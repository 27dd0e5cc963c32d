package report

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/secureboot"
)

// SecureBoot is how an image would start where Secure Boot is on.
type SecureBoot struct {
	Certificate Certificate            `json:"certificate"` // of who signs
	Shim        bool                   `json:"shim"`        // a shim starts GRUB
	SBAT        []secureboot.Component `json:"sbat"`        // what GRUB says of itself to it
	Edit        bool                   `json:"edit"`        // the entries of the menu can be edited
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

func (c Certificate) String() string {
	return fmt.Sprintf("%q, valid until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
}

func plannedSecureBoot(p *image.Plan) *SecureBoot {
	seal := p.Medium().Seal
	if seal == nil {
		return nil
	}
	return &SecureBoot{
		Certificate: NewCertificate(seal.Keys().Certificate),
		Shim:        seal.Shim(p.System().EFIArch) != nil,
		SBAT:        append([]secureboot.Component{}, p.Medium().SBAT...),
		Edit:        p.System().SecureBoot.Edit,
	}
}

// lines say so.
func (s *SecureBoot) lines() []string {
	if s == nil {
		return nil
	}
	lines := []string{"signed by " + s.Certificate.String()}
	if s.Shim {
		lines = append(lines, "a shim starts GRUB, which says of itself "+secureboot.SBAT(s.SBAT).String())
	}
	if s.Edit {
		return append(lines, "GRUB verifies what it reads, until somebody at the menu says otherwise")
	}
	return append(lines, "GRUB verifies all that it reads; nobody edits its entries")
}
