package report

import (
	"fmt"
	"io"

	"github.com/livebuild/livebuild/internal/image"
	"github.com/livebuild/livebuild/internal/inspection"
	"github.com/livebuild/livebuild/internal/secureboot"
)

// SecureBoot is how an image would start where Secure Boot is on.
type SecureBoot struct {
	Certificate inspection.Certificate `json:"certificate"` // of who signs
	Shim        bool                   `json:"shim"`        // a shim starts GRUB
	SBAT        []secureboot.Component `json:"sbat"`        // what GRUB says of itself to it
	Edit        bool                   `json:"edit"`        // the entries of the menu can be edited
}

// secureBoot says what firmware with Secure Boot on finds.
func (r Inspection) secureBoot(w io.Writer) {
	s := r.SecureBoot
	if s == nil {
		return
	}
	fmt.Fprintf(w, "\nSecure Boot\n")
	if s.Problem != "" {
		fmt.Fprintf(w, "  cannot be read\t%s\n", shown(s.Problem))
	}
	if s.Certificate != nil {
		fmt.Fprintf(w, "  to be enrolled\t%s\n", shown(s.Certificate.String()))
	}
	for _, p := range s.Programs {
		said := fmt.Sprintf("  %s\t", shown(p.Path))
		switch {
		case p.Problem != "":
			fmt.Fprintf(w, "%scannot be read: %s\n", said, shown(p.Problem))
		case len(p.Signatures) == 0:
			fmt.Fprintf(w, "%snot signed\n", said)
		}
		for _, signature := range p.Signatures {
			holds := "signed by "
			if !signature.Holds {
				holds = "CHANGED after it was signed by "
			}
			fmt.Fprintf(w, "%s%s\n", said, holds+shown(signature.Signer.String()))
		}
		if len(p.SBAT) > 0 {
			fmt.Fprintf(w, "    SBAT\t%s\n", shown(secureboot.SBAT(p.SBAT).String()))
		}
		if p.Verifies != "" {
			fmt.Fprintf(w, "    verifies files by\t%s\n", p.Verifies)
		}
	}
}

func plannedSecureBoot(p *image.Plan) *SecureBoot {
	seal := p.Medium().Seal
	if seal == nil {
		return nil
	}
	return &SecureBoot{
		Certificate: inspection.NewCertificate(seal.Keys().Certificate),
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
