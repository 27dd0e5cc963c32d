// Package sbom writes bills of materials: what software an image holds, a component for each store
// path, with the references between them. The formats are SPDX 2.3 (spdx.github.io/spdx-spec/v2.3)
// and CycloneDX 1.6 (cyclonedx.org/docs/1.6/json), both as JSON.
//
// Equal images have equal bills: the time is that of the image, identifiers follow from its
// manifest. Nothing is guessed: of a store path of which nixpkgs does not say what package it is
// there are name and version as in its name, and licence and the like are said to be unknown.
package sbom

import (
	"cmp"
	"crypto/sha256"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/livebuild/livebuild/internal/manifest"
	"github.com/livebuild/livebuild/internal/nixos"
	"github.com/livebuild/livebuild/internal/store"
)

// Image is what a bill is of.
type Image struct {
	Name     string // of the file
	Manifest *manifest.Manifest
	Text     []byte // of the manifest
	Closure  *store.Closure
	Packages map[string]nixos.Package // by base name, as far as they are known
}

// names are those of the configurations.
func (i Image) names() string {
	var names []string
	for _, c := range i.Manifest.Configurations() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// component is a store path as both formats have it.
type component struct {
	id       string // base name of the path, which is unique
	path     string
	narHash  string
	name     string
	version  string
	licence  string // SPDX expression, or empty
	homepage string
	cpe      string
	needs    []string // ids
}

// licenceRef is a licence that SPDX has no identifier for.
type licenceRef struct{ id, name, url string }

// bill is what both formats tell.
type bill struct {
	components []component
	refs       []licenceRef // sorted
	sum        [sha256.Size]byte
	created    time.Time
}

func newBill(image Image) bill {
	b := bill{sum: sha256.Sum256(image.Text), created: time.Unix(image.Manifest.Settings.Epoch, 0).UTC()}
	refs := map[string]licenceRef{}
	for _, p := range image.Closure.Paths {
		id := path.Base(p.Path)
		c := component{id: id, path: p.Path, narHash: manifest.FormatHash(p.NarHash)}
		c.name, c.version = store.PackageName(p.Path), versionOf(p.Path)
		if known, ok := image.Packages[id]; ok {
			c.name, c.version = cmp.Or(line(known.Name), c.name), cmp.Or(line(known.Version), c.version)
			c.licence = expression(known.Licences, refs)
			c.homepage, c.cpe = web(known.Homepage), cpe(known.CPE)
		}
		for _, ref := range p.References {
			if ref != p.Path {
				c.needs = append(c.needs, path.Base(ref))
			}
		}
		b.components = append(b.components, c)
	}
	for _, ref := range refs {
		b.refs = append(b.refs, ref)
	}
	slices.SortFunc(b.refs, func(a, b licenceRef) int { return cmp.Compare(a.id, b.id) })
	return b
}

// versionOf is the version in the name of a store path: what follows the name, if that begins with a
// digit (builtins.parseDrvName).
func versionOf(storePath string) string {
	_, name, _ := strings.Cut(path.Base(storePath), "-")
	rest, ok := strings.CutPrefix(name, store.PackageName(storePath)+"-")
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return ""
	}
	return rest
}

// spdxID is what an identifier of the SPDX licence list is made of (Annex D, idstring).
var spdxID = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// expression joins licences to an expression (SPDX 2.3, Annex D). Nixpkgs does not say whether a list
// means all or any of them; AND asks for more, and so promises nothing that is not so.
func expression(licences []nixos.Licence, refs map[string]licenceRef) string {
	var ids []string
	for _, l := range licences {
		id := l.SPDX
		if !spdxID.MatchString(id) {
			name := line(cmp.Or(l.Name, l.URL))
			if name == "" {
				return "" // one of them is not known, so the whole is not
			}
			id = "LicenseRef-nixpkgs-" + strings.Trim(notID.ReplaceAllString(name, "-"), "-")
			refs[id] = licenceRef{id, name, web(l.URL)}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " AND ")
}

var notID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// line is a text without what a line cannot have.
func line(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
}

// web is an address of the web, or empty.
func web(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

// cpeForm is that of a formatted string (NIST IR 7695 §6.2).
var cpeForm = regexp.MustCompile(`^cpe:2\.3:[aho*-](:([A-Za-z0-9._~%*?-]|\\[^A-Za-z0-9\s])+){10}$`)

func cpe(text string) string {
	if !cpeForm.MatchString(text) {
		return ""
	}
	return text
}
