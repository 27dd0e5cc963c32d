package sbom

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/livebuild/livebuild/internal/manifest"
)

const (
	noAssertion = "NOASSERTION" // not known, and nothing is meant by that (SPDX 2.3 §7.13)
	imageID     = "Image"
)

// SPDX returns the bill of an image in the format of that name.
func SPDX(image Image) ([]byte, error) {
	b := newBill(image)
	m := image.Manifest
	doc := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      image.Name,
		DocumentNamespace: fmt.Sprintf("https://github.com/livebuild/livebuild/spdx/%x", b.sum),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: m.Tool.Name + "-" + m.Tool.Version}},
			Created:  b.created.Format("2006-01-02T15:04:05Z"),
		},
		Packages: []*spdx.Package{{
			PackageName:             image.names(),
			PackageSPDXIdentifier:   imageID,
			PackageVersion:          m.Label,
			PackageFileName:         image.Name,
			PackageDownloadLocation: noAssertion,
			PackageLicenseConcluded: noAssertion,
			PackageLicenseDeclared:  noAssertion,
			PackageCopyrightText:    noAssertion,
			PrimaryPackagePurpose:   "OPERATING_SYSTEM",
			PackageComment:          comment(m),
		}},
		Relationships: []*spdx.Relationship{relation("DOCUMENT", "DESCRIBES", imageID)},
	}
	for _, ref := range b.refs {
		other := &spdx.OtherLicense{LicenseIdentifier: ref.id, LicenseName: ref.name,
			ExtractedText: "not here; nixpkgs names the licence " + ref.name}
		if ref.url != "" {
			other.LicenseCrossReferences = []string{ref.url}
		}
		doc.OtherLicenses = append(doc.OtherLicenses, other)
	}
	for _, c := range b.components {
		doc.Packages = append(doc.Packages, c.spdx())
		doc.Relationships = append(doc.Relationships, relation(imageID, "CONTAINS", c.spdxID()))
		for _, need := range c.needs {
			doc.Relationships = append(doc.Relationships, relation(c.spdxID(), "DEPENDS_ON", component{id: need}.spdxID()))
		}
	}
	var text bytes.Buffer
	err := spdxjson.Write(doc, &text, spdxjson.Indent("  "), spdxjson.EscapeHTML(false))
	return text.Bytes(), err
}

// spdxID is the identifier of a component: what of a store path's name may be in one (§3.2 allows letters,
// digits, dots and dashes). The hash in front keeps them apart.
func (c component) spdxID() common.ElementID {
	return common.ElementID(notID.ReplaceAllString(c.id, "-"))
}

func (c component) spdx() *spdx.Package {
	p := &spdx.Package{
		PackageName:             c.name,
		PackageSPDXIdentifier:   c.spdxID(),
		PackageVersion:          c.version,
		PackageDownloadLocation: noAssertion,
		PackageHomePage:         c.homepage,
		PackageLicenseConcluded: noAssertion,
		PackageLicenseDeclared:  cmp.Or(c.licence, noAssertion),
		PackageCopyrightText:    noAssertion,
		PackageComment:          fmt.Sprintf("Nix store path %s, NAR hash %s", c.path, c.narHash),
	}
	if c.cpe != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{Category: "SECURITY", RefType: "cpe23Type", Locator: c.cpe}}
	}
	return p
}

func relation(a common.ElementID, kind string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.MakeDocElementID("", string(a)), RefB: common.MakeDocElementID("", string(b)), Relationship: kind}
}

// comment says what systems the image starts.
func comment(m *manifest.Manifest) string {
	var systems []string
	for _, c := range m.Configurations() {
		system := fmt.Sprintf("%s, system %s", c.Platform, c.Toplevel)
		if len(m.Others) > 0 {
			system = c.Name + " for " + system
		}
		systems = append(systems, system)
	}
	if len(systems) == 1 {
		return "live image for " + systems[0]
	}
	return "live image of " + strings.Join(systems, "; ")
}
