package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
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
		Certificate: inspection.NewCertificate(seal.Certificate()),
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

// Sealed is what only the keys make by which an image was signed. To build the same bytes without them it was taken from
// the image, where it holds for what was built.
type Sealed struct {
	Certificate inspection.Certificate `json:"certificate"`            // of who signed the programs
	Programs    []string               `json:"programs"`               // whose signatures its key made, sorted
	SigningKey  string                 `json:"signing_key"`            // fingerprint of the one that GRUB verifies files by
	Files       []string               `json:"files"`                  // whose signatures that key made, sorted
	Later       []string               `json:"signed_later"`           // those of them that were signed again when the image was stamped
	ShimSigners []string               `json:"shim_signers,omitempty"` // of a shim that starts GRUB, which is that of a distribution
}

// NewSealed describes what was taken.
func NewSealed(t *secureboot.Taken) *Sealed {
	s := &Sealed{
		Certificate: inspection.NewCertificate(t.Certificate), SigningKey: t.Key.Fingerprint(),
		Programs: slices.Sorted(maps.Keys(t.Programs)), Files: slices.Sorted(maps.Keys(t.Files)), Later: append([]string{}, t.Later...),
	}
	if t.Shim != nil {
		for _, signature := range t.Shim.Signatures {
			s.ShimSigners = append(s.ShimSigners, secureboot.Name(signature.Signer))
		}
	}
	return s
}

// text says what of an image its configuration cannot prove.
func (s *Sealed) text() string {
	if s == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "signed by %s: the signatures of %s, and those of %s by the key %s, were taken from the image, and hold for what was built\n",
		shown(s.Certificate.String()), human.Count(len(s.Programs), "program"), human.Count(len(s.Files), "file"), s.SigningKey)
	if len(s.Later) > 0 {
		fmt.Fprintf(&b, "not compared: how %s was signed before the stamp\n", strings.Join(s.Later, " and "))
	}
	if len(s.ShimSigners) > 0 {
		fmt.Fprintf(&b, "not built: the shim, which is signed by %s\n", shown(strings.Join(s.ShimSigners, " and ")))
	}
	return b.String()
}
