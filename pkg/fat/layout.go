package fat

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// node is a file or a directory.
type node struct {
	path     string
	name     string
	dir      bool
	file     File
	children []*node          // sorted by name once all are there
	folded   map[string]*node // the same by name in upper case

	short [11]byte

	size     int64 // of the content; directories record 0, but use this much
	first    int64 // cluster, 0 if the content is empty or the fixed root
	clusters int64
	parent   *node
}

// Layout is an image of which every byte but file contents is decided.
type Layout struct {
	geometry
	label  [11]byte
	named  bool // has a label
	serial uint32
	stamp  stamp
	size   int64
	root   *node
	order  []*node // nodes with clusters, in the order of these
}

// Size returns the length of the image in bytes.
func (l *Layout) Size() int64 { return l.size }

// Clusters returns the number of clusters, of which the type is a consequence:
// FAT12 up to 4084, FAT16 from there to 65524, else FAT32.
func (l *Layout) Clusters() int64 { return l.geometry.clusters }

// Layout decides where everything goes.
func (img Image) Layout() (*Layout, error) {
	g, err := newGeometry(img.Size, img.ClusterSize)
	if err != nil {
		return nil, err
	}
	l := &Layout{geometry: g, serial: img.Serial, size: img.Size, named: img.Label != "", root: &node{dir: true}}
	text := img.Label
	if text == "" {
		text = noLabel
	}
	if l.label, err = label(text); err != nil {
		return nil, err
	}
	if l.stamp, err = newStamp(img.Time); err != nil {
		return nil, err
	}
	for _, f := range img.Files {
		if err := l.root.add(f); err != nil {
			return nil, fmt.Errorf("file %q: %w", f.Path, err)
		}
	}
	if err := l.measure(l.root); err != nil {
		return nil, err
	}
	if n := l.root.size / entrySize; n > rootEntryCount && l.bits != 32 {
		return nil, fmt.Errorf("root directory needs %d entries and has %d", n, rootEntryCount)
	}
	next := int64(firstCluster)
	if l.bits == 32 {
		l.root.first, l.root.clusters = next, max(1, l.clustersFor(l.root.size))
		l.order = append(l.order, l.root)
		next += l.root.clusters
	}
	l.allocate(l.root, &next)
	if used := next - firstCluster; used > l.clusters {
		return nil, fmt.Errorf("contents need %d clusters of %d bytes, and %d bytes have %d",
			used, l.clusterSize(), img.Size, l.clusters)
	}
	return l, nil
}

// Offset returns where the content of a file begins, from the beginning of the file system, in bytes; it
// lies there in one piece. It is false for what is no file, or empty.
func (l *Layout) Offset(path string) (offset int64, ok bool) {
	for _, n := range l.order {
		if n.path == path && !n.dir {
			return l.dataSector()*sectorSize + (n.first-firstCluster)*l.clusterSize(), true
		}
	}
	return 0, false
}

// add inserts a file below the root, with its parents.
func (n *node) add(f File) error {
	path := ""
	for element := range strings.SplitSeq(f.Path, "/") {
		if err := checkName(element); err != nil {
			return err
		}
		if !n.dir {
			return fmt.Errorf("%q is a file", n.path)
		}
		path = strings.TrimPrefix(path+"/"+element, "/")
		child, err := n.child(element, path)
		if err != nil {
			return err
		}
		n = child
	}
	switch {
	case f.Dir && n.dir:
		n.file = f
	case n.file.Path != "" || len(n.children) > 0:
		return fmt.Errorf("it is given twice")
	default:
		n.file, n.dir = f, f.Dir
		n.size = int64(len(f.Data))
		if f.Open != nil {
			n.size = f.Size
		}
		if n.size < 0 || n.size > math.MaxUint32 {
			return fmt.Errorf("size %d does not fit 32 bits", n.size)
		}
	}
	return nil
}

// child returns the entry of that name, a new directory if there is none.
func (n *node) child(name, path string) (*node, error) {
	folded := strings.ToUpper(name)
	if c := n.folded[folded]; c != nil {
		if c.name != name {
			return nil, fmt.Errorf("%q differs from %q in case only", path, c.path)
		}
		return c, nil
	}
	c := &node{path: path, name: name, dir: true, parent: n}
	if n.folded == nil {
		n.folded = map[string]*node{}
	}
	n.folded[folded] = c
	n.children = append(n.children, c)
	return c, nil
}

// maxDirectory is the size of a directory that drivers agree on: entries are
// numbered with 16 bits.
const maxDirectory = 1 << 16 * entrySize

// measure names the contents of a directory and computes the sizes of it and
// all below it.
func (l *Layout) measure(dir *node) error {
	slices.SortFunc(dir.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	if err := nameThem(dir.children); err != nil {
		return fmt.Errorf("directory %q: %w", dir.path, err)
	}
	entries := 2 // "." and ".."
	if dir == l.root {
		entries = 0
		if l.named {
			entries = 1
		}
	}
	for _, c := range dir.children {
		units := len(c.longUnits())
		entries += (units+unitsPerLongEntry-1)/unitsPerLongEntry + 1
		if c.dir {
			if err := l.measure(c); err != nil {
				return err
			}
		}
	}
	dir.size = int64(entries) * entrySize
	if dir.size > maxDirectory {
		return fmt.Errorf("directory %q needs %d entries", dir.path, entries)
	}
	return nil
}

// allocate gives clusters to what is below a directory, in the order of paths.
func (l *Layout) allocate(dir *node, next *int64) {
	for _, c := range dir.children {
		c.clusters = l.clustersFor(c.size)
		if c.clusters > 0 {
			c.first = *next
			l.order = append(l.order, c)
		}
		*next += c.clusters
		if c.dir {
			l.allocate(c, next)
		}
	}
}
