// Package difference is what differs between two images, or between those that configurations would
// become: store paths by package and version, how they start, and what they are.
//
// Of a configuration that was only evaluated not everything is known; what is not is left out of
// the comparison, and named.
package difference

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/internal/human"
	"github.com/livebuild/livebuild/internal/inspection"
)

// Knowledge is how much is known of the store paths of a side.
type Knowledge int

// Kinds of knowledge.
const (
	Nothing  Knowledge = iota // no store
	Possible                  // all that there are can be among them: what it is built from
	Exact
)

// Side is one of two that are compared.
type Side struct {
	Name      string // what the user calls it
	Evaluated bool   // it is a configuration: there is no image
	Image     *inspection.Image
	Boot      map[string]inspection.BootFile // kernels and initrds by their paths; nil of a configuration
	Files     map[string]string              // of the medium, store image, kernels and initrds aside: what tells contents apart
	Paths     []Path
	Known     Knowledge
}

// Path is a store path.
type Path struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`     // bytes that it takes compressed; 0 of a configuration
	NarSize int64  `json:"nar_size"` // bytes; 0 if that is not known
}

// Difference is what differs between two sides.
type Difference struct {
	Fields     []Field     `json:"fields"` // the two values of what is another
	Entries    []Entry     `json:"entries"`
	Parameters []Parameter `json:"parameters"`
	Files      []File      `json:"files"`
	Packages   []Package   `json:"packages"`
	PathsA     int         `json:"-"`
	PathsB     int         `json:"-"`
	Unchanged  int         `json:"unchanged"` // store paths that both have
	Unknown    []string    `json:"unknown"`   // what was not compared, and why
}

// Field is something that is another.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Equal reports whether nothing differs.
func (d *Difference) Equal() bool {
	return len(d.Fields)+len(d.Entries)+len(d.Parameters)+len(d.Files)+len(d.Packages) == 0
}

// Field returns the values of a field that differs.
func (d *Difference) Field(name string) (before, after string, ok bool) {
	for _, f := range d.Fields {
		if f.Name == name {
			return f.Before, f.After, true
		}
	}
	return "", "", false
}

// Compare finds what differs between two sides.
func Compare(a, b *Side) *Difference {
	d := &Difference{Fields: []Field{}, Entries: []Entry{}, Parameters: []Parameter{}, Files: []File{}, Packages: []Package{}, Unknown: []string{}}
	d.compareFields(a, b)
	d.compareBoot(a, b)
	d.compareMenus(a.Image, b.Image)
	if a.Evaluated == b.Evaluated {
		d.compareFiles(a, b)
	} else {
		d.Unknown = append(d.Unknown, "which other files both have: of an image they are told apart by their sizes, of a configuration by where they come from")
	}
	d.comparePaths(a, b)
	for _, s := range []*Side{a, b} {
		d.Unknown = append(d.Unknown, s.unknown()...)
	}
	return d
}

// unknown is what evaluation does not tell.
func (s *Side) unknown() []string {
	if !s.Evaluated {
		return nil
	}
	list := []string{fmt.Sprintf("the size of %s as an image, its partitions, and what its kernels and initrds hold, as it is not built", s.Name)}
	if s.Known == Possible {
		list = append(list, fmt.Sprintf("which store paths %s has, as its system is not in the store: they were looked for among all that it is built from, "+
			"and packages that it has besides are not told", s.Name))
	}
	return list
}

// compareFields compares what both sides say of themselves.
func (d *Difference) compareFields(a, b *Side) {
	field := func(name string, value func(*inspection.Image) string) {
		before, after := value(a.Image), value(b.Image)
		if before != after {
			d.Fields = append(d.Fields, Field{name, before, after})
		}
	}
	both := !a.Evaluated && !b.Evaluated
	if both {
		field("size", func(i *inspection.Image) string { return human.Size(i.Size) })
	}
	field("volume ID", func(i *inspection.Image) string { return i.VolumeID })
	field("label", func(i *inspection.Image) string { return i.Label })
	field("platform", func(i *inspection.Image) string {
		if i.Firmware32 {
			return i.Arch + ", UEFI of 32 bits"
		}
		return i.Arch
	})
	field("boots as", func(i *inspection.Image) string {
		var names []string
		for _, m := range i.Modes {
			names = append(names, string(m))
		}
		return strings.Join(names, ", ")
	})
	field("compression", func(i *inspection.Image) string {
		var names []string
		for _, s := range i.FileSystems {
			if both {
				names = append(names, fmt.Sprintf("%s, blocks of %d KiB", s.Compression, s.BlockSize>>10))
			} else {
				names = append(names, s.Compression)
			}
		}
		return strings.Join(slices.Compact(names), "; ")
	})
	field("system", func(i *inspection.Image) string {
		if i.Store == nil {
			return ""
		}
		return i.Store.Toplevel
	})
	if both {
		field("partitions", func(i *inspection.Image) string {
			var names []string
			for _, p := range i.Partitions {
				names = append(names, p.Type)
			}
			return strings.Join(names, ", ")
		})
		field("MBR", func(i *inspection.Image) string {
			if i.BootCode {
				return "holds a boot loader"
			}
			return "holds none"
		})
	}
}

// File is one of the medium, beside the store, kernels and initrds, that is not the same.
type File struct {
	Path   string `json:"path"`
	Change Change `json:"change"` // Added, Removed or Changed
}

// compareFiles compares the other files of the media. The menus' own are told by what they say.
func (d *Difference) compareFiles(a, b *Side) {
	for path, was := range a.Files {
		if is, ok := b.Files[path]; !ok {
			d.Files = append(d.Files, File{path, Removed})
		} else if is != was {
			d.Files = append(d.Files, File{path, Changed})
		}
	}
	for path := range b.Files {
		if _, ok := a.Files[path]; !ok {
			d.Files = append(d.Files, File{path, Added})
		}
	}
	slices.SortFunc(d.Files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
}

// compareBoot compares kernels and initrds, by their contents if those are known of both.
func (d *Difference) compareBoot(a, b *Side) {
	ofA, ofB := bootPaths(a.Image), bootPaths(b.Image)
	for n, name := range []string{"kernel", "initrd"} {
		before, after := a.bootFiles(ofA[n], b), b.bootFiles(ofB[n], a)
		if before.identity != after.identity {
			if before.text == after.text {
				before.text += " (" + before.short + ")"
				after.text += " (" + after.short + ")"
			}
			d.Fields = append(d.Fields, Field{name, before.text, after.text})
		}
	}
}

// bootPaths are the kernels, and the initrds, that the entries of an image name, each once.
func bootPaths(i *inspection.Image) [2][]string {
	var kernels, initrds []string
	for _, e := range flat(i.Menus) {
		if k, _, _ := strings.Cut(e.line, " "); k != "" && !slices.Contains(kernels, k) {
			kernels = append(kernels, k)
		}
		for _, path := range e.initrds {
			if !slices.Contains(initrds, path) {
				initrds = append(initrds, path)
			}
		}
	}
	return [2][]string{kernels, initrds}
}

// described are files as they are compared, shown, and told apart if they look the same.
type described struct{ identity, text, short string }

// bootFiles describes files of a side that is compared with another one.
func (s *Side) bootFiles(paths []string, other *Side) described {
	var identities, texts, shorts []string
	for _, path := range paths {
		file, ok := s.Boot[path]
		_, version, _ := splitName(storePart(path))
		identity, text, short := path, cmp.Or(version, path), path
		if ok {
			text = cmp.Or(file.Version, human.Size(file.Size))
			short = "sha256 " + file.SHA256[:8]
			if other.Boot != nil {
				identity = file.SHA256
			}
		}
		identities, texts, shorts = append(identities, identity), append(texts, text), append(shorts, short)
	}
	join := func(list []string) string { return strings.Join(slices.Compact(list), ", ") }
	return described{join(identities), join(texts), join(shorts)}
}

// storePart is the element of a path that is the name of a store path, or nothing.
func storePart(path string) string {
	for element := range strings.SplitSeq(path, "/") {
		if hash.MatchString(element) {
			return element
		}
	}
	return ""
}
