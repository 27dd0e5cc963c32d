package treemap

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// Map is what a page or a drawing shows.
type Map struct {
	Title string // of the image, such as the name of its file
	About string // it in a few words
	Room  *inspection.Room
}

// label is the name of a part for people.
func label(p *inspection.Part) string {
	switch p.Kind {
	case inspection.SmallerPart:
		return human.Count(p.Files, "smaller file")
	case inspection.StorePathPart, inspection.FolderPart:
		return withoutHash(p.Name)
	}
	return human.Printable(p.Name)
}

// hash is what the name of a store path begins with (Nix manual, "Store Path").
var hash = regexp.MustCompile(`^[0-9a-z]{32}-`)

// withoutHash is the name of a store path, or of a folder for what is in one, for people.
func withoutHash(name string) string { return human.Printable(hash.ReplaceAllString(name, "")) }

// Colours are classes of style.css: how small a compressed part has become, or what else it is.
var shades = []struct {
	below float64 // size by bytes
	class string
	name  string
}{
	{0.2, "r0", "compressed to less than 20 %"},
	{0.35, "r1", "20 to 35 %"},
	{0.5, "r2", "35 to 50 %"},
	{0.75, "r3", "50 to 75 %"},
	{2, "r4", "hardly compressed"},
}

const (
	plainClass, plainName   = "plain", "not compressed"
	tablesClass, tablesName = "tables", "no file"
)

// class is the colour of a part that is drawn as one.
func class(p *inspection.Part) string {
	switch {
	case p.Kind == inspection.TablesPart:
		return tablesClass
	case !p.Packed && p.Kind != inspection.FileSystemPart || p.Kind == inspection.FileSystemPart && p.Size >= p.Bytes:
		return plainClass
	}
	for _, s := range shades {
		if float64(p.Size) < s.below*float64(p.Bytes) {
			return s.class
		}
	}
	return shades[len(shades)-1].class
}

// share is a part of a whole in percent.
func share(part, whole int64) string {
	if whole <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", float64(part)*100/float64(whole))
}

// place is a part with those that it is in, the outermost first.
type place struct {
	part *inspection.Part
	in   []*inspection.Part
}

func (p place) child(part *inspection.Part) place {
	return place{part, append(slices.Clip(p.in), p.part)}
}

// path is where on the medium the part is, as other verbs take it; of several, where they are.
func (p place) path() string {
	at := ""
	for _, part := range append(slices.Clip(p.in), p.part)[1:] {
		switch part.Kind {
		case inspection.PackagePart, inspection.SmallerPart, inspection.TablesPart:
		case inspection.StorePathPart:
			at = storeFolder + part.Name
		default:
			at += "/" + part.Name
		}
	}
	return human.Printable(cmp.Or(at, "/"))
}

const storeFolder = "/nix/store/"

// need is the nearest store path that the part is, holds or is in, as an index of Room.Needs, or 0.
func (p place) need() int {
	if p.part.Need > 0 {
		return p.part.Need
	}
	if p.part.Kind == inspection.PackagePart {
		for _, path := range p.part.Parts {
			if path.Need > 0 {
				return path.Need
			}
		}
	}
	for _, part := range slices.Backward(p.in) {
		if part.Need > 0 {
			return part.Need
		}
	}
	return 0
}

// chain is who needs a store path, a root first, by their names.
func chain(needs []inspection.Need, n int) []string {
	var names []string
	for ; n > 0; n = needs[n].By {
		names = append(names, withoutHash(path.Base(needs[n].Path)))
	}
	slices.Reverse(names)
	return names
}

// isFolder says whether a part is shown by what it holds, rather than by itself.
func isFolder(p *inspection.Part) bool {
	return p.Kind == inspection.FolderPart || p.Kind == inspection.FileSystemPart
}

// largest returns the parts that tell best what takes the room, no more than most, the largest
// first: of what is large, what is in it, down to packages.
func largest(root *inspection.Part, most int) []place {
	list := []place{{part: root}}
	for {
		at := -1
		for n, p := range list {
			if isFolder(p.part) && len(p.part.Parts) > 0 && (at < 0 || p.part.Size > list[at].part.Size) {
				at = n
			}
		}
		if at < 0 || len(list) > 1 && list[at].part.Size*20 < root.Size {
			break
		}
		p := list[at]
		list = slices.Delete(list, at, at+1)
		for _, child := range p.part.Parts {
			list = append(list, p.child(child))
		}
	}
	slices.SortStableFunc(list, func(a, b place) int { return cmp.Compare(b.part.Size, a.part.Size) })
	return list[:min(most, len(list))]
}
