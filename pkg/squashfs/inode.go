package squashfs

import (
	"context"
	"fmt"
	"slices"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/pack"
	"github.com/livebuild/livebuild/pkg/squashfs/internal/tree"
)

// inodeWriter makes the tables of what is in a tree: inodes, directories, IDs and
// extended attributes.
type inodeWriter struct {
	tree    *Tree
	tables  *disk.Inodes
	xattrs  *disk.Xattrs
	ids     *disk.IDs
	refs    []disk.InodeRef // by inode number less one; positions among the inodes until they are placed
	packed  *pack.Result
	modTime uint32 // of inodes without one, or of all
	same    bool   // of all

	levels [][]directory // directories by how many levels are below them, but for the root
}

// directory is a directory on its way into the tables.
type directory struct {
	entry  uint32 // of the root directory, which it is or is below
	number uint32 // in the entry's branch
	perm   uint16
	attr   *tree.Attributes
}

func newInodeWriter(t *Tree, out *disk.Writer, opts Options, pool *disk.Pool, packed *pack.Result) (*inodeWriter, error) {
	modTime, err := seconds(opts.ModTime)
	return &inodeWriter{
		tree:    t,
		tables:  disk.NewInodes(pool, out),
		xattrs:  disk.NewXattrs(pool),
		ids:     disk.NewIDs(),
		refs:    make([]disk.InodeRef, t.Inodes),
		packed:  packed,
		modTime: modTime,
		same:    !opts.ModTime.IsZero(),
	}, err
}

// write makes the tables, the deepest directories first: those of one level hold places of
// what is below alone. The root's inode is the last.
func (w *inodeWriter) write(ctx context.Context) error {
	for i := range w.tree.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(uint32(i)); err != nil {
			return err
		}
	}
	if err := w.tables.Inodes.Settle(); err != nil {
		return err
	}
	for i := range w.refs {
		w.place(uint32(i) + 1) // of a directory it is 0 yet, which is a place, too
	}
	for _, level := range w.levels {
		for rest := range slices.Chunk(level, settledAtOnce) {
			if err := w.level(ctx, rest); err != nil {
				return err
			}
		}
	}
	return w.root()
}

// settledAtOnce is how many directories of a level are between two Settles: enough for many
// workers, and too few to fill the memory.
const settledAtOnce = 8192

// place makes a place of the position of an inode.
func (w *inodeWriter) place(number uint32) {
	ref := &w.refs[number-1]
	*ref = w.tables.Inodes.Ref(int64(*ref))
}

// entry adds the inodes of all that is no directory in an entry of the root directory, and
// puts the directories into their levels.
func (w *inodeWriter) entry(i uint32) error {
	e := &w.tree.entries[i]
	levels := make([]uint32, e.branch.Directories())
	for dir := len(levels) - 1; dir > 0; dir-- {
		parent := e.branch.Parent(uint32(dir))
		levels[parent] = max(levels[parent], levels[dir]+1)
	}
	for n := range e.branch.All(w.tree.links) {
		switch {
		case n.Kind == disk.TypeDir:
			level := int(levels[n.Dir])
			for len(w.levels) <= level {
				w.levels = append(w.levels, nil)
			}
			d := directory{entry: i, number: n.Dir, perm: n.Perm}
			if n.Attr != nil {
				attr := *n.Attr
				d.attr = &attr
			}
			w.levels[level] = append(w.levels[level], d)
		case !n.Again:
			if err := w.leaf(n); err != nil {
				return fmt.Errorf("/%s%s: %w", e.Name, n.Below(), err)
			}
		}
	}
	return nil
}

// level adds some directories of a level.
func (w *inodeWriter) level(ctx context.Context, directories []directory) (err error) {
	listings := make([]disk.Listing, len(directories))
	var children []disk.Child
	for i, d := range directories {
		if err := ctx.Err(); err != nil {
			return err
		}
		children = children[:0]
		for n := range w.tree.entries[d.entry].branch.Children(d.number, w.tree.links) {
			children = append(children, w.child(n))
		}
		if listings[i], err = w.tables.Listing(children); err != nil {
			return w.failed(d, err)
		}
	}
	if err := w.tables.Dirs.Settle(); err != nil {
		return err
	}
	for i, d := range directories {
		branch := w.tree.entries[d.entry].branch
		parent := w.tree.root.Number
		if in := branch.Parent(d.number); in > 0 {
			parent = branch.Number(in)
		}
		if err := w.dir(branch.Number(d.number), d.perm, d.attr, parent, listings[i]); err != nil {
			return w.failed(d, err)
		}
	}
	if err := w.tables.Inodes.Settle(); err != nil {
		return err
	}
	for _, d := range directories {
		w.place(w.tree.entries[d.entry].branch.Number(d.number))
	}
	return nil
}

// root adds the root directory.
func (w *inodeWriter) root() error {
	children := make([]disk.Child, len(w.tree.entries))
	for i, e := range w.tree.entries {
		children[i] = w.child(e.branch.Top(w.tree.links))
	}
	listing, err := w.tables.Listing(children)
	if err != nil {
		return fmt.Errorf("directory /: %w", err)
	}
	if err := w.tables.Dirs.Settle(); err != nil {
		return err
	}
	root := &w.tree.root
	parent := uint32(len(w.refs)) + 1 // one more than any inode, as mksquashfs has it
	if err := w.dir(root.Number, root.Perm, root.Attr, parent, listing); err != nil {
		return fmt.Errorf("directory /: %w", err)
	}
	if err := w.tables.Inodes.Settle(); err != nil {
		return err
	}
	w.place(root.Number)
	return nil
}

func (w *inodeWriter) child(n *tree.Node) disk.Child {
	return disk.Child{Name: n.Name, Type: n.Kind, Number: n.Number, Ref: w.refs[n.Number-1]}
}

// dir adds the inode of a directory.
func (w *inodeWriter) dir(number uint32, perm uint16, attr *tree.Attributes, parent uint32, listing disk.Listing) error {
	ino, err := w.inode(&tree.Node{Number: number, Perm: perm, Attr: attr, Names: 1})
	if err != nil {
		return err
	}
	w.refs[number-1] = disk.InodeRef(w.tables.Dir(ino, parent, listing))
	return nil
}

// failed says where a directory is that something failed for.
func (w *inodeWriter) failed(d directory, err error) error {
	e := &w.tree.entries[d.entry]
	for n := range e.branch.All(w.tree.links) {
		if n.Kind == disk.TypeDir && n.Dir == d.number {
			return fmt.Errorf("directory /%s%s/: %w", e.Name, n.Below(), err)
		}
	}
	return err
}

// leaf adds the inode of anything but a directory.
func (w *inodeWriter) leaf(n *tree.Node) error {
	ino, err := w.inode(n)
	if err != nil {
		return err
	}
	var at int64
	switch n.Kind {
	case disk.TypeFile:
		at = w.tables.File(ino, n.Size, w.packed.Location(n.Number))
	case disk.TypeSymlink:
		at = w.tables.Symlink(ino, n.Target)
	case disk.TypeBlockDevice, disk.TypeCharDevice:
		at = w.tables.Device(ino, n.Kind, n.Attr.Device)
	default:
		at = w.tables.IPC(ino, n.Kind)
	}
	w.refs[n.Number-1] = disk.InodeRef(at)
	return nil
}

// inode is what n has whatever its type.
func (w *inodeWriter) inode(n *tree.Node) (ino disk.Inode, err error) {
	ino = disk.Inode{Mode: n.Perm, ModTime: w.modTime, Number: n.Number, Links: n.Names, Xattr: disk.InvalidXattr}
	var a tree.Attributes
	if n.Attr != nil {
		a = *n.Attr
		if !w.same {
			ino.ModTime = a.ModTime
		}
	}
	if ino.UID, err = w.ids.Index(a.UID); err != nil {
		return ino, err
	}
	if ino.GID, err = w.ids.Index(a.GID); err != nil {
		return ino, err
	}
	ino.Xattr, err = w.xattrs.Add(a.Xattrs)
	return ino, err
}
