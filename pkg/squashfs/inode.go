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
	refs    []disk.InodeRef // by inode number less one; positions among the inodes until they are placed
	packed  *pack.Result
	modTime uint32 // of inodes without one, or of all
	same    bool   // of all

	levels [][]*directory // directories by how many levels are below them
}

// directory is a directory on its way into the tables.
type directory struct {
	*node
	parent  *directory // nil of the root
	listing disk.Listing
}

// path is where a directory is in the image, with a slash behind it.
func (d *directory) path() string {
	if d.parent == nil {
		return "/"
	}
	return d.parent.path() + d.name + "/"
}

func newInodeWriter(opts Options, pool *disk.Pool, inodes int, packed *pack.Result) (*inodeWriter, error) {
	modTime, err := seconds(opts.ModTime)
	return &inodeWriter{
		tables:  disk.NewInodes(pool),
		xattrs:  disk.NewXattrs(pool),
		ids:     idTable{indexes: make(map[uint32]uint16)},
		refs:    make([]disk.InodeRef, inodes),
		packed:  packed,
		modTime: modTime,
		same:    !opts.ModTime.IsZero(),
	}, err
}

// write makes the tables of a tree, the deepest directories first: those of one level hold
// places of what is below alone. The root's inode is the last.
func (w *inodeWriter) write(ctx context.Context, root *node) error {
	if _, err := w.below(ctx, &directory{node: root}); err != nil {
		return err
	}
	if err := w.tables.Inodes.Settle(); err != nil {
		return err
	}
	for i := range w.refs {
		w.place(uint32(i) + 1) // of a directory it is 0 yet, which is a place, too
	}
	for _, level := range w.levels {
		if err := w.level(ctx, level); err != nil {
			return err
		}
	}
	return nil
}

// place makes a place of the position of an inode.
func (w *inodeWriter) place(number uint32) {
	ref := &w.refs[number-1]
	*ref = w.tables.Inodes.Ref(int64(*ref))
}

// below adds the inodes of all that is no directory below d, and puts the directories, d
// among them, into their levels. It returns that of d.
func (w *inodeWriter) below(ctx context.Context, d *directory) (level int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for i := range d.children {
		c := &d.children[i]
		switch {
		case c.kind == disk.TypeDir:
			var deepest int
			if deepest, err = w.below(ctx, &directory{node: c, parent: d}); err != nil {
				return 0, err
			}
			level = max(level, deepest+1)
		case c.first == nil:
			if err := w.leaf(c); err != nil {
				return 0, fmt.Errorf("%s%s: %w", d.path(), c.name, err)
			}
		}
	}
	for len(w.levels) <= level {
		w.levels = append(w.levels, nil)
	}
	w.levels[level] = append(w.levels[level], d)
	return level, nil
}

// level adds the directories of a level.
func (w *inodeWriter) level(ctx context.Context, directories []*directory) (err error) {
	var children []disk.Child
	for _, d := range directories {
		if err := ctx.Err(); err != nil {
			return err
		}
		children = children[:0]
		for i := range d.children {
			c := &d.children[i]
			children = append(children, disk.Child{Name: c.name, Type: c.kind, Number: c.number, Ref: w.refs[c.number-1]})
		}
		if d.listing, err = w.tables.Listing(children); err != nil {
			return fmt.Errorf("directory %s: %w", d.path(), err)
		}
	}
	if err := w.tables.Dirs.Settle(); err != nil {
		return err
	}
	for _, d := range directories {
		ino, err := w.inode(d.node)
		if err != nil {
			return fmt.Errorf("directory %s: %w", d.path(), err)
		}
		parent := uint32(len(w.refs)) + 1 // the root's is one more than any inode, as mksquashfs has it
		if d.parent != nil {
			parent = d.parent.number
		}
		w.refs[d.number-1] = disk.InodeRef(w.tables.Dir(ino, parent, d.listing))
	}
	if err := w.tables.Inodes.Settle(); err != nil {
		return err
	}
	for _, d := range directories {
		w.place(d.number)
	}
	return nil
}

// leaf adds the inode of anything but a directory.
func (w *inodeWriter) leaf(n *node) error {
	ino, err := w.inode(n)
	if err != nil {
		return err
	}
	var at int64
	switch n.kind {
	case disk.TypeFile:
		at = w.tables.File(ino, n.size, w.packed.Location(n.number))
	case disk.TypeSymlink:
		at = w.tables.Symlink(ino, n.target)
	case disk.TypeBlockDevice, disk.TypeCharDevice:
		at = w.tables.Device(ino, n.kind, n.attr.device)
	default:
		at = w.tables.IPC(ino, n.kind)
	}
	w.refs[n.number-1] = disk.InodeRef(at)
	return nil
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
