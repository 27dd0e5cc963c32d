package squashfs

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
)

// Tree is what an image will hold: every name and what is known of the file there,
// but no contents yet. Writing it changes nothing in it.
type Tree struct {
	root    *node
	entries []entry // of root.children
	earlier *Earlier
	rules   *rules

	Inodes int   // files of all types, the root among them; hard links are one file
	Files  int   // regular files
	Bytes  int64 // their sizes added up, holes included
}

// entry is an entry of the root directory.
type entry struct {
	pack.Entry
	kin   string
	given bool // contents from memory, new in every image
}

// node is a name in the tree.
type node struct {
	name     string
	kind     disk.InodeType // a basic one
	perm     uint16
	number   uint32 // inode number; a directory's is above those of all below it
	children []node // of a directory, sorted by name

	target string // of a symbolic link

	size   uint64         // of a file
	sparse bool           // stored in fewer bytes than size: look for holes
	kept   *disk.Location // where the earlier image has the contents, nil if it has not

	fromEarlier bool // all of the node is as the earlier image has it

	attr  *attributes // nil: root's, of the image's time, with one name
	first *node       // the first name of the file, if it has one before this
}

// attributes are what files of a Nix store do not have.
type attributes struct {
	uid, gid uint32
	modTime  uint32 // seconds since 1970
	device   uint32
	xattrs   []Xattr
	link     uint64 // Attributes.Link
	links    uint32 // names
}

// count numbers the inodes: those below a directory before the directory itself, and so
// that what is in one directory has numbers near to each other.
func (t *Tree) count() {
	t.Inodes, t.Files, t.Bytes = 0, 0, 0
	t.countBelow(t.root, make(map[uint64]*node))
}

func (t *Tree) countBelow(n *node, linked map[uint64]*node) {
	for i := range n.children {
		t.countBelow(&n.children[i], linked)
	}
	n.first = nil
	if n.attr != nil {
		n.attr.links = 1
	}
	if n.attr != nil && n.attr.link != 0 && n.kind != disk.TypeDir {
		if first := linked[n.attr.link]; first != nil {
			first.attr.links++
			n.first, n.number = first, first.number
			return
		}
		linked[n.attr.link] = n
	}
	t.Inodes++
	n.number = uint32(t.Inodes)
	if n.kind == disk.TypeFile {
		t.Files++
		t.Bytes += int64(n.size)
	}
}

// visit calls f for every regular file that is not empty, once, in the order of
// the image.
func (n *node) visit(f func(*node)) {
	if n.kind == disk.TypeFile && n.size > 0 && n.first == nil {
		f(n)
	}
	for i := range n.children {
		n.children[i].visit(f)
	}
}

// sortChildren sorts what is in a directory by the bytes of the names, which is how
// readers search a listing, and checks the names.
func sortChildren(children []node) error {
	slices.SortFunc(children, func(a, b node) int { return strings.Compare(a.name, b.name) })
	for i := range children {
		name := children[i].name
		if err := checkName(name); err != nil {
			return err
		}
		if i > 0 && name == children[i-1].name {
			return fmt.Errorf("two entries named %q in one directory", name)
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is not a file name", name)
	case len(name) >= disk.NameMax:
		return fmt.Errorf("file name of %d bytes, %d are possible: %q", len(name), disk.NameMax-1, name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("slash or NUL in file name %q", name)
	}
	return nil
}

// scanner makes nodes of what sources say.
type scanner struct {
	ctx  context.Context
	perm Permissions // nil: owners, times and all else are taken, too
}

// node is what a source says of the file at path, without a directory's children.
func (s scanner) node(a Attributes, path string) (node, error) {
	kind, ok := kindOf(a.Mode)
	if !ok || s.perm != nil && kind != disk.TypeFile && kind != disk.TypeDir && kind != disk.TypeSymlink {
		return node{}, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("cannot store a file of type %s", a.Mode.Type())}
	}
	n := node{name: a.Name, kind: kind}
	mode := a.Mode & (fs.ModeDir | fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if s.perm != nil && kind != disk.TypeSymlink {
		mode = s.perm(mode)
	}
	n.perm = modeBits(mode)
	switch kind {
	case disk.TypeSymlink:
		const symlinkPerm = 0o777 // what Linux has for every symbolic link, symlink(7)
		n.perm, n.target = symlinkPerm, a.Target
		if len(n.target) == 0 || len(n.target) > disk.SymlinkMax {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("symbolic link to a name of %d bytes, 1 to %d are possible", len(n.target), disk.SymlinkMax)}
		}
	case disk.TypeFile:
		if a.Size < 0 {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("size %d", a.Size)}
		}
		n.size, n.sparse = uint64(a.Size), a.Sparse
	}
	if s.perm != nil {
		return n, nil
	}
	modTime, err := seconds(a.ModTime)
	if err != nil {
		return n, &fs.PathError{Op: "pack", Path: path, Err: err}
	}
	n.attr = &attributes{uid: a.UID, gid: a.GID, modTime: modTime, device: a.Device, link: a.Link, links: 1}
	n.attr.xattrs = slices.SortedFunc(slices.Values(a.Xattrs), func(a, b Xattr) int { return strings.Compare(a.Name, b.Name) })
	for i := range n.attr.xattrs {
		if name := n.attr.xattrs[i].Name; i > 0 && name == n.attr.xattrs[i-1].Name {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("extended attribute %q twice", name)}
		}
	}
	return n, nil
}

// dir returns the children of a directory.
func (s scanner) dir(src Source, path string) ([]node, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	list, err := src.ReadDir(path)
	if err != nil {
		return nil, err
	}
	children := make([]node, len(list))
	for i, a := range list {
		if children[i], err = s.node(a, join(path, a.Name)); err != nil {
			return nil, err
		}
	}
	if err := sortChildren(children); err != nil {
		return nil, &fs.PathError{Op: "pack", Path: path, Err: err}
	}
	for i := range children {
		if err := s.below(src, &children[i], join(path, children[i].name)); err != nil {
			return nil, err
		}
	}
	return children, nil
}

// below looks at what is in n, if it is a directory.
func (s scanner) below(src Source, n *node, path string) (err error) {
	if n.kind == disk.TypeDir {
		n.children, err = s.dir(src, path)
	}
	return err
}

// join is the path of a name in a directory of a Source.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// kindOf is the type of an inode by its mode, as fileType has it the other way.
func kindOf(mode fs.FileMode) (disk.InodeType, bool) {
	for kind := disk.TypeDir; kind <= disk.TypeSocket; kind++ {
		if typ, ok := fileType(kind); ok && typ == mode.Type() {
			return kind, true
		}
	}
	return 0, false
}

// modeBits are the twelve mode bits of chmod(2), which fs.FileMode keeps in
// other places.
func modeBits(mode fs.FileMode) uint16 {
	const setuid, setgid, sticky = 0o4000, 0o2000, 0o1000
	perm := uint16(mode.Perm())
	for _, bit := range []struct {
		goBit fs.FileMode
		unix  uint16
	}{{fs.ModeSetuid, setuid}, {fs.ModeSetgid, setgid}, {fs.ModeSticky, sticky}} {
		if mode&bit.goBit != 0 {
			perm |= bit.unix
		}
	}
	return perm
}
