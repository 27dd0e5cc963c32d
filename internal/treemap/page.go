package treemap

import (
	"crypto/sha256"
	_ "embed" // for what follows
	"encoding/base64"
	"html/template"
	"io"
	"path"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	script string

	page = template.Must(template.New("page").Parse(pageText))
)

// row is a line of the list of a page.
type row struct {
	Name, Path, Class, Size, Share, Bytes string
	Percent                               float64 // of the largest
	Why                                   []string
}

// listed is how many parts a page lists in words.
const listed = 100

// WriteHTML writes the page. What it holds, it holds itself: a policy keeps it from loading or
// running anything else, whatever should get into it.
func (m Map) WriteHTML(w io.Writer) error {
	root := m.Room.Root
	var rows []row
	parts := largest(root, listed)
	for _, p := range parts {
		r := row{
			Name: label(p.part), Path: p.path(), Class: class(p.part), Size: human.Size(p.part.Size), Share: share(p.part.Size, root.Size),
			Bytes: human.Size(p.part.Bytes),
		}
		if p.part.Size > 0 {
			r.Percent = float64(p.part.Size) * 100 / float64(parts[0].part.Size)
		}
		if names := chain(m.Room.Needs, p.need()); len(names) > 1 {
			r.Why = names[:len(names)-1]
		}
		rows = append(rows, r)
	}
	css := style + pageStyle
	return page.Execute(w, map[string]any{
		"Title":  human.Printable(m.Title),
		"About":  human.Printable(m.About),
		"Size":   human.Size(root.Size),
		"Bytes":  human.Size(root.Bytes),
		"Style":  template.CSS(css),
		"Script": template.JS(script),
		"Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; style-src '" + digest(css) + "'; script-src '" + digest(script) + "'",
		"Legend": legend(),
		"Rows":   rows,
		"Data":   m.data(),
	})
}

// digest names a text for a policy (Content Security Policy Level 3 §2.3.1).
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// hue is a colour and what it says.
type hue struct{ Class, Name string }

func legend() []hue {
	var list []hue
	for _, s := range shades {
		list = append(list, hue{s.class, s.name})
	}
	return append(list, hue{plainClass, plainName}, hue{tablesClass, tablesName})
}

// data is what the script reads.
type data struct {
	Root  node   `json:"root"`
	Needs []need `json:"needs"`
}

// node is a part, as an array for brevity: label, kind, size, bytes, files, class, need, its name if
// that is another, parts.
type node []any

// need is a store path with the place of the one that needs it in the list, 0 for none.
type need struct {
	Name string `json:"n"`
	By   int    `json:"b"`
}

// kinds are letters that the script tells parts by.
var kinds = map[inspection.PartKind]string{
	inspection.FolderPart: "d", inspection.FilePart: "f", inspection.FileSystemPart: "i", inspection.PackagePart: "g",
	inspection.StorePathPart: "p", inspection.TablesPart: "t", inspection.SmallerPart: "s",
}

func (m Map) data() data {
	d := data{Root: nodeOf(m.Room.Root), Needs: []need{}}
	for _, n := range m.Room.Needs {
		d.Needs = append(d.Needs, need{withoutHash(path.Base(n.Path)), n.By})
	}
	return d
}

func nodeOf(p *inspection.Part) node {
	n := node{label(p), kinds[p.Kind], p.Size, p.Bytes, p.Files, class(p), p.Need, ""}
	if p.Kind == inspection.StorePathPart || p.Kind == inspection.FolderPart && n[0] != p.Name {
		n[7] = human.Printable(p.Name)
	}
	if len(p.Parts) == 0 {
		return n
	}
	parts := make([]node, len(p.Parts))
	for i, part := range p.Parts {
		parts[i] = nodeOf(part)
	}
	return append(n, parts)
}
