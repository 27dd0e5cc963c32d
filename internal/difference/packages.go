package difference

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Change is what became of a package.
type Change string

// The changes of packages.
const (
	Updated    Change = "updated"    // to a later version
	Downgraded Change = "downgraded" // to an earlier one
	Changed    Change = "changed"    // versions came, went, or both
	Added      Change = "added"
	Removed    Change = "removed"
	Rebuilt    Change = "rebuilt" // the versions are the same, the store paths are not
)

// Changes are all of them, in the order in which they matter.
var Changes = []Change{Updated, Downgraded, Changed, Added, Removed, Rebuilt}

// Package is one of which not all store paths are the same.
type Package struct {
	Name    string   `json:"name"`
	Change  Change   `json:"change"`
	Before  []string `json:"before"` // versions, the earliest first; "" is one that has none in its name
	After   []string `json:"after"`
	Removed []Path   `json:"removed"`
	Added   []Path   `json:"added"`
	Size    *int64   `json:"size"`     // bytes that it takes more, compressed; less if negative; nil: not known
	NarSize *int64   `json:"nar_size"` // likewise, unpacked
}

// comparePaths compares store paths by package and version.
func (d *Difference) comparePaths(a, b *Side) {
	d.PathsA, d.PathsB = len(a.Paths), len(b.Paths)
	if a.Known == Nothing && b.Known == Nothing {
		return
	}
	before, after := group(a.Paths), group(b.Paths)
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for name := range names {
		was, is := before[name], after[name]
		removed, added, same := split(was, is)
		d.Unchanged += same
		switch {
		case len(removed)+len(added) == 0:
			continue
		// Of a side of which it is only known what it can hold, what the other has not got may
		// be a tool that it is built with; and what is the same is taken to be there.
		case b.Known == Possible && (len(was) == 0 || len(removed) == 0):
			continue
		case a.Known == Possible && (len(is) == 0 || len(added) == 0):
			continue
		}
		p := Package{Name: name, Before: versions(was), After: versions(is), Removed: removed, Added: added}
		if a.Known == Exact && b.Known == Exact {
			size, nar := sums(added)
			lessSize, lessNar := sums(removed)
			size, nar = size-lessSize, nar-lessNar
			if p.NarSize = &nar; !a.Evaluated && !b.Evaluated {
				p.Size = &size
			}
		}
		p.Change = change(p.Before, p.After)
		d.Packages = append(d.Packages, p)
	}
	slices.SortFunc(d.Packages, func(x, y Package) int {
		return cmp.Or(cmp.Compare(slices.Index(Changes, x.Change), slices.Index(Changes, y.Change)), strings.Compare(x.Name, y.Name))
	})
}

// sums are the sizes of store paths.
func sums(paths []Path) (size, nar int64) {
	for _, p := range paths {
		size, nar = size+p.Size, nar+p.NarSize
	}
	return size, nar
}

// group sorts store paths by the names of their packages.
func group(paths []Path) map[string][]Path {
	groups := map[string][]Path{}
	for _, p := range paths {
		name, _, _ := splitName(p.Path)
		groups[name] = append(groups[name], p)
	}
	return groups
}

// split tells what one list has from what the other has, and counts what both have.
func split(was, is []Path) (removed, added []Path, same int) {
	base := func(p Path) string { return path.Base(p.Path) }
	has := func(list []Path) map[string]bool {
		names := map[string]bool{}
		for _, p := range list {
			names[base(p)] = true
		}
		return names
	}
	before, after := has(was), has(is)
	removed, added = []Path{}, []Path{}
	for _, p := range was {
		if after[base(p)] {
			same++
		} else {
			removed = append(removed, p)
		}
	}
	for _, p := range is {
		if !before[base(p)] {
			added = append(added, p)
		}
	}
	for _, list := range [][]Path{removed, added} {
		slices.SortFunc(list, func(x, y Path) int { return strings.Compare(x.Path, y.Path) })
	}
	return removed, added, same
}

// versions are those of store paths, each once, the earliest first.
func versions(paths []Path) []string {
	list := []string{}
	for _, p := range paths {
		_, version, _ := splitName(p.Path)
		list = append(list, version)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(CompareVersions(a, b), strings.Compare(a, b)) })
	return slices.Compact(list)
}

// change says what became of a package that has these versions.
func change(before, after []string) Change {
	switch {
	case len(before) == 0:
		return Added
	case len(after) == 0:
		return Removed
	case slices.Equal(before, after):
		return Rebuilt
	case len(before) == 1 && len(after) == 1:
		if CompareVersions(before[0], after[0]) > 0 {
			return Downgraded
		}
		return Updated
	}
	return Changed
}
