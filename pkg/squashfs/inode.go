package squashfs

import (
	"context"
	"fmt"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
)

// inodeWriter makes the tables of what is in a tree: inodes, directories, IDs and
// extended attributes.
type inodeWriter struct {
	tables  *disk.Inodes
	xattrs  *disk.Xattrs
	ids     idTable
	refs    []disk.InodeRef // by inode number less one
	packed  *pack.Result
	modTime uint32 // of inodes without one, or of all
	same    bool   // of all
}

func newInodeWriter(opts Options, inodes int, packed *pack.Result) (*inodeWriter, error) {
	modTime, err := seconds(opts.ModTime)
	return &inodeWriter{
		tables:  disk.NewInodes(opts.Codec),
		xattrs:  disk.NewXattrs(opts.Codec),
		ids:     idTable{indexes: make(map[uint32]uint16)},
		refs:    make([]disk.InodeRef, inodes),
		packed:  packed,
		modTime: modTime,
		same:    !opts.ModTime.IsZero(),
	}, err
}

// dir writes the inodes of the directory d, at path in the image, and of all
// below it. The number of its parent's inode is parent.
func (w *inodeWriter) dir(ctx context.Context, d *node, path string, parent uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	children := make([]disk.Child, len(d.children))
	for i := range d.children {
		c := &d.children[i]
		var err error
		switch {
		case c.kind == disk.TypeDir:
			err = w.dir(ctx, c, path+"/"+c.name, d.number)
		case c.first == nil:
			if err = w.leaf(c); err != nil {
				err = fmt.Errorf("%s/%s: %w", path, c.name, err)
			}
		}
		if err != nil {
			return err
		}
		children[i] = disk.Child{Name: c.name, Type: c.kind, Number: c.number, Ref: w.refs[c.number-1]}
	}
	ino, err := w.inode(d)
	if err == nil {
		w.refs[d.number-1], err = w.tables.Dir(ino, parent, children)
	}
	if err != nil {
		return fmt.Errorf("directory %s/: %w", path, err)
	}
	return nil
}

// leaf writes the inode of anything but a directory.
func (w *inodeWriter) leaf(n *node) error {
	ino, err := w.inode(n)
	if err != nil {
		return err
	}
	ref := &w.refs[n.number-1]
	switch n.kind {
	case disk.TypeFile:
		*ref, err = w.tables.File(ino, n.size, w.packed.Location(n.number))
	case disk.TypeSymlink:
		*ref, err = w.tables.Symlink(ino, n.target)
	case disk.TypeBlockDevice, disk.TypeCharDevice:
		*ref, err = w.tables.Device(ino, n.kind, n.attr.device)
	default:
		*ref, err = w.tables.IPC(ino, n.kind)
	}
	return err
}

// inode is what n has whatever its type.
func (w *inodeWriter) inode(n *node) (ino disk.Inode, err error) {
	ino = disk.Inode{Mode: n.perm, ModTime: w.modTime, Number: n.number, Links: 1, Xattr: disk.InvalidXattr}
	a := n.attr
	if a == nil {
		a = &attributes{modTime: w.modTime, links: 1}
	}
	ino.Links = a.links
	if !w.same {
		ino.ModTime = a.modTime
	}
	if ino.UID, err = w.ids.index(a.uid); err != nil {
		return ino, err
	}
	if ino.GID, err = w.ids.index(a.gid); err != nil {
		return ino, err
	}
	list := make([]disk.Xattr, len(a.xattrs))
	for i, x := range a.xattrs {
		list[i] = disk.Xattr(x)
	}
	ino.Xattr, err = w.xattrs.Add(list)
	return ino, err
}

// idTable numbers user and group IDs.
type idTable struct {
	list    []uint32
	indexes map[uint32]uint16
}

// idsMax is how many IDs the superblock can count.
const idsMax = 1<<16 - 1

func (t *idTable) index(id uint32) (uint16, error) {
	if i, ok := t.indexes[id]; ok {
		return i, nil
	}
	if len(t.list) == idsMax {
		return 0, fmt.Errorf("more than %d user and group IDs", idsMax)
	}
	i := uint16(len(t.list))
	t.list = append(t.list, id)
	t.indexes[id] = i
	return i, nil
}
