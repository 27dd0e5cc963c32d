package squashfs

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/tree"
)

// Tree is what an image will hold: every name and what is known of the file there,
// but no contents yet. Writing it changes nothing in it.
type Tree struct {
	root    tree.Node // without what is in it: entries
	entries []entry   // in the order of their names
	links   tree.Links
	earlier *Earlier
	rules   *rules

	Inodes int   // files of all types, the root among them; hard links are one file
	Files  int   // regular files
	Bytes  int64 // their sizes added up, holes included
}

// entry is an entry of the root directory.
type entry struct {
	pack.Entry
	branch *tree.Branch
	kin    string
	given  bool // contents from memory, new in every image
}

// count numbers the inodes: those below a directory before the directory itself, and so
// that what is in one directory has numbers near to each other.
func (t *Tree) count() {
	t.Inodes, t.Files, t.Bytes, t.links = 0, 0, 0, tree.Links{}
	for _, e := range t.entries {
		for n := range e.branch.Count(uint32(t.Inodes), t.links) {
			if n.Again {
				continue
			}
			t.Inodes++
			if n.Kind == disk.TypeFile {
				t.Files++
				t.Bytes += int64(n.Size)
			}
		}
	}
	t.Inodes++
	t.root.Number = uint32(t.Inodes)
}

// stored says whether a node is a regular file that is not empty, by its first name: what
// groups of files consist of.
func stored(n *tree.Node) bool { return n.Kind == disk.TypeFile && n.Size > 0 && !n.Again }

// all yields what is below the root, in the order of the image.
func (t *Tree) all() iter.Seq[*tree.Node] {
	return func(yield func(*tree.Node) bool) {
		for _, e := range t.entries {
			for n := range e.branch.All(t.links) {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// scanner makes nodes of what sources say.
type scanner struct {
	ctx  context.Context
	perm Permissions // nil: owners, times and all else are taken, too
}

// node is what a source says of the file at path.
func (s scanner) node(a Attributes, path string) (tree.Node, error) {
	kind, ok := kindOf(a.Mode)
	if !ok || s.perm != nil && kind != disk.TypeFile && kind != disk.TypeDir && kind != disk.TypeSymlink {
		return tree.Node{}, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("cannot store a file of type %s", a.Mode.Type())}
	}
	n := tree.Node{Name: a.Name, Kind: kind}
	mode := a.Mode & (fs.ModeDir | fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if s.perm != nil && kind != disk.TypeSymlink {
		mode = s.perm(mode)
	}
	n.Perm = modeBits(mode)
	switch kind {
	case disk.TypeSymlink:
		const symlinkPerm = 0o777 // what Linux has for every symbolic link, symlink(7)
		n.Perm, n.Target = symlinkPerm, a.Target
		if len(n.Target) == 0 || len(n.Target) > disk.SymlinkMax {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("symbolic link to a name of %d bytes, 1 to %d are possible", len(n.Target), disk.SymlinkMax)}
		}
	case disk.TypeFile:
		if a.Size < 0 {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("size %d", a.Size)}
		}
		n.Size, n.Sparse = uint64(a.Size), a.Sparse
	}
	if s.perm != nil {
		return n, nil
	}
	modTime, err := seconds(a.ModTime)
	if err != nil {
		return n, &fs.PathError{Op: "pack", Path: path, Err: err}
	}
	n.Attr = &tree.Attributes{UID: a.UID, GID: a.GID, ModTime: modTime, Device: a.Device, Link: a.Link}
	for _, x := range a.Xattrs {
		n.Attr.Xattrs = append(n.Attr.Xattrs, disk.Xattr(x))
	}
	slices.SortFunc(n.Attr.Xattrs, func(a, b disk.Xattr) int { return strings.Compare(a.Name, b.Name) })
	for i, x := range n.Attr.Xattrs {
		if i > 0 && x.Name == n.Attr.Xattrs[i-1].Name {
			return n, &fs.PathError{Op: "pack", Path: path, Err: fmt.Errorf("extended attribute %q twice", x.Name)}
		}
	}
	return n, nil
}

// list returns what is in a directory of a source, in order.
func (s scanner) list(src Source, path string) ([]tree.Node, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	list, err := src.ReadDir(path)
	if err != nil {
		return nil, err
	}
	children := make([]tree.Node, len(list))
	for i, a := range list {
		if children[i], err = s.node(a, join(path, a.Name)); err != nil {
			return nil, err
		}
	}
	if err := tree.Sort(children); err != nil {
		return nil, &fs.PathError{Op: "pack", Path: path, Err: err}
	}
	return children, nil
}

// branch makes a branch of n, which a source has at path, and of all below it.
func (s scanner) branch(src Source, n tree.Node, path string) (*tree.Branch, error) {
	b := tree.NewBuilder()
	if top := b.Add(0, []tree.Node{n}); n.Kind == disk.TypeDir {
		if err := s.below(b, top, src, path); err != nil {
			return nil, err
		}
	}
	return b.Branch(), nil
}

// below adds what is in a directory and below it.
func (s scanner) below(b *tree.Builder, dir uint32, src Source, path string) error {
	children, err := s.list(src, path)
	if err != nil {
		return err
	}
	dir = b.Add(dir, children)
	for _, name := range tree.Folders(children) {
		if err := s.below(b, dir, src, join(path, name)); err != nil {
			return err
		}
		dir++
	}
	return nil
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
