package hybridiso

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits of the tree. Linux opens no longer names, paths or link targets.
const (
	maxName   = 255
	maxPath   = 4095
	maxTarget = 4095
)

// maxImage is the size that 32-bit block addresses reach, in bytes.
const maxImage = math.MaxUint32 * blockSize

// maxLate bounds a file that is made while the image is written, and held in memory, in
// bytes.
const maxLate = 16 << 20

type kind int

const (
	directoryNode kind = iota
	regularNode
	symlinkNode
)

// node is an entry of the tree as the caller described it.
type node struct {
	path     string
	name     string // last element of path
	kind     kind
	file     File
	children []*node // sorted by name
	links    uint32  // 1, for a directory 2 and one for each directory in it

	// extent is the content of an ordinary file. Those of the stream and of what
	// lies behind it depend on the stream's size: see geometry.
	extent extent
}

// size returns the length of a regular file's content, for the stream its bound.
func (n *node) size() int64 {
	switch {
	case n.file.Stream:
		return n.file.MaxSize
	case n.file.Open != nil, n.file.Late != nil:
		return n.file.Size
	default:
		return int64(len(n.file.Data))
	}
}

// tree is all nodes of an image.
type tree struct {
	root   *node
	byPath map[string]*node
}

// newTree checks files and joins them to a tree.
func newTree(files []File) (*tree, error) {
	root := &node{kind: directoryNode}
	t := &tree{root: root, byPath: map[string]*node{"": root}}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })

	var stream, late *File
	for i, f := range files {
		if err := checkFile(f); err != nil {
			return nil, fmt.Errorf("file %q: %w", f.Path, err)
		}
		if i > 0 && files[i-1].Path == f.Path {
			return nil, fmt.Errorf("file %q is given twice", f.Path)
		}
		if f.Stream {
			if stream != nil {
				return nil, fmt.Errorf("files %q and %q are both streams", stream.Path, f.Path)
			}
			stream = &files[i]
		}
		if f.Late != nil {
			late = &files[i]
		}
		if err := t.add(f); err != nil {
			return nil, err
		}
	}
	if late != nil && stream == nil {
		return nil, fmt.Errorf("file %q follows from a stream, and there is none", late.Path)
	}
	sortChildren(root)
	return t, nil
}

// checkFile checks what can be seen without the other files.
func checkFile(f File) error {
	if err := checkPath(f.Path); err != nil {
		return err
	}
	kinds := 0
	for _, set := range []bool{f.Data != nil, f.Open != nil, f.Late != nil, f.Link != "", f.Dir, f.Stream} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return fmt.Errorf("is of more than one kind")
	case f.Size < 0 || f.MaxSize < 0:
		return fmt.Errorf("has a negative size")
	case f.Size != 0 && f.Open == nil && f.Late == nil:
		return fmt.Errorf("has a size without Open")
	case f.MaxSize != 0 && !f.Stream:
		return fmt.Errorf("has a maximum size but is no stream")
	case f.Late != nil && f.Size > maxLate:
		return fmt.Errorf("has %d bytes that follow from the stream, more than %d", f.Size, maxLate)
	case max(f.Size, f.MaxSize) > maxImage:
		return fmt.Errorf("is larger than the %d bytes of the largest image", int64(maxImage))
	case len(f.Link) > maxTarget:
		return fmt.Errorf("link target has %d bytes, more than %d", len(f.Link), maxTarget)
	case strings.ContainsRune(f.Link, 0):
		return fmt.Errorf("link target holds a NUL byte")
	}
	return nil
}

func checkPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("path has %d bytes, more than %d", len(path), maxPath)
	}
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "" || name == "." || name == "..":
			return fmt.Errorf("path is not clean and relative")
		case len(name) > maxName:
			return fmt.Errorf("name has %d bytes, more than %d", len(name), maxName)
		case strings.ContainsRune(name, 0):
			return fmt.Errorf("name holds a NUL byte")
		}
	}
	return nil
}

// add inserts f and the parents it implies. A directory comes before what is
// in it in the order of paths, so nothing is at f's path yet.
func (t *tree) add(f File) error {
	parent, err := t.directory(parentOf(f.Path))
	if err != nil {
		return err
	}
	n := t.insert(parent, f.Path)
	n.file = f
	switch {
	case f.Dir:
		n.kind = directoryNode
	case f.Link != "":
		n.kind = symlinkNode
	default:
		n.kind = regularNode
	}
	return nil
}

// directory returns the node of an implied directory, made if need be.
func (t *tree) directory(path string) (*node, error) {
	if n := t.byPath[path]; n != nil {
		if n.kind != directoryNode {
			return nil, fmt.Errorf("file %q is also the directory of another", path)
		}
		return n, nil
	}
	parent, err := t.directory(parentOf(path))
	if err != nil {
		return nil, err
	}
	return t.insert(parent, path), nil
}

func (t *tree) insert(parent *node, path string) *node {
	n := &node{path: path, name: path[strings.LastIndexByte(path, '/')+1:], kind: directoryNode}
	parent.children = append(parent.children, n)
	t.byPath[path] = n
	return n
}

func parentOf(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }

// sortChildren sorts the children of n and all below, and counts the links.
func sortChildren(n *node) {
	n.links = 1
	if n.kind == directoryNode {
		n.links = 2
	}
	slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for _, child := range n.children {
		if child.kind == directoryNode {
			n.links++
		}
		sortChildren(child)
	}
}

// regular returns the regular files sorted by path.
func (t *tree) regular() []*node {
	var files []*node
	for _, n := range t.byPath {
		if n.kind == regularNode {
			files = append(files, n)
		}
	}
	slices.SortFunc(files, func(a, b *node) int { return strings.Compare(a.path, b.path) })
	return files
}

// bootFile returns the ordinary regular file at path.
func (t *tree) bootFile(path string) (*node, error) {
	n := t.byPath[path]
	switch {
	case n == nil:
		return nil, fmt.Errorf("boot file %q is not in the volume", path)
	case n.kind != regularNode:
		return nil, fmt.Errorf("boot file %q is not a regular file", path)
	case n.file.Stream:
		return nil, fmt.Errorf("boot file %q is the stream", path)
	case n.file.Late != nil:
		return nil, fmt.Errorf("boot file %q follows from the stream", path)
	}
	return n, nil
}
