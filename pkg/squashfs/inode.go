package squashfs

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// inodeWriter makes the inode table and the directory table. A directory's
// listing holds the places of its children's inodes and its own inode the
// place of the listing, so children go first.
type inodeWriter struct {
	inodes  *disk.Metadata
	dirs    *disk.Metadata
	modTime uint32
	record  []byte // room for one that is being made
}

// dir writes the inodes of the directory d, at path in the image, and of all
// below it. The number of its parent's inode is parent.
func (w *inodeWriter) dir(ctx context.Context, d *node, path string, parent uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	subdirs := uint32(0)
	for i := range d.children {
		c := &d.children[i]
		var err error
		switch c.kind {
		case disk.TypeDir:
			subdirs++
			err = w.dir(ctx, c, path+"/"+c.name, d.number)
		case disk.TypeFile:
			err = w.file(c)
		case disk.TypeSymlink:
			err = w.symlink(c)
		}
		if err != nil {
			return err
		}
	}
	if err := w.dirInode(d, parent, subdirs); err != nil {
		return fmt.Errorf("directory %s/: %w", path, err)
	}
	return nil
}

func (w *inodeWriter) file(n *node) error {
	c := location{fragment: disk.InvalidFragment}
	if n.content != nil {
		c = n.content.location
	}
	var body []byte
	var err error
	if c.start <= math.MaxUint32 && n.size <= math.MaxUint32 && c.sparse == 0 {
		body, err = w.begin(n, disk.TypeFile, disk.FileInode{
			StartBlock: uint32(c.start),
			Fragment:   c.fragment,
			Offset:     c.offset,
			FileSize:   uint32(n.size),
		})
	} else {
		body, err = w.begin(n, disk.TypeExtFile, disk.ExtFileInode{
			StartBlock: c.start,
			FileSize:   n.size,
			Sparse:     c.sparse,
			Nlink:      1,
			Fragment:   c.fragment,
			Offset:     c.offset,
			Xattr:      disk.InvalidXattr,
		})
	}
	if err != nil {
		return err
	}
	for _, size := range c.sizes {
		body = binary.LittleEndian.AppendUint32(body, size)
	}
	return w.inodes.Add(body)
}

func (w *inodeWriter) symlink(n *node) error {
	body, err := w.begin(n, disk.TypeSymlink, disk.SymlinkInode{Nlink: 1, TargetSize: uint32(len(n.target))})
	if err != nil {
		return err
	}
	return w.inodes.Add(append(body, n.target...))
}

func (w *inodeWriter) dirInode(d *node, parent, subdirs uint32) error {
	block, offset, err := w.dirs.Position()
	if err != nil {
		return err
	}
	before := w.dirs.Total()
	indexes, err := w.listing(d)
	if err != nil {
		return err
	}
	size := w.dirs.Total() - before + disk.DirSizeExtra
	nlink := 2 + subdirs // its name, its own ".", and the ".." of each directory in it
	if len(indexes) == 0 && size <= math.MaxUint16 {
		body, err := w.begin(d, disk.TypeDir, disk.DirInode{
			StartBlock: block,
			Nlink:      nlink,
			FileSize:   uint16(size),
			Offset:     offset,
			Parent:     parent,
		})
		if err != nil {
			return err
		}
		return w.inodes.Add(body)
	}
	if size > math.MaxUint32 || len(indexes) > math.MaxUint16 {
		return fmt.Errorf("%d entries are more than SquashFS can hold", len(d.children))
	}
	body, err := w.begin(d, disk.TypeExtDir, disk.ExtDirInode{
		Nlink:      nlink,
		FileSize:   uint32(size),
		StartBlock: block,
		Parent:     parent,
		IndexCount: uint16(len(indexes)),
		Offset:     offset,
		Xattr:      disk.InvalidXattr,
	})
	if err != nil {
		return err
	}
	for _, x := range indexes {
		if body, err = binary.Append(body, binary.LittleEndian, x.DirIndex); err != nil {
			return err
		}
		body = append(body, x.name...)
	}
	return w.inodes.Add(body)
}

// begin notes where n's inode will be and returns its fixed part, which is there
// until the next record is made.
func (w *inodeWriter) begin(n *node, typ disk.InodeType, fixed any) ([]byte, error) {
	block, offset, err := w.inodes.Position()
	if err != nil {
		return nil, err
	}
	n.ref = disk.NewInodeRef(block, offset)
	body, err := binary.Append(w.record[:0], binary.LittleEndian, disk.InodeHeader{
		Type:  typ,
		Mode:  n.perm,
		Mtime: w.modTime,
		Inode: n.number,
	})
	if err != nil {
		return nil, err
	}
	w.record, err = binary.Append(body, binary.LittleEndian, fixed)
	return w.record, err
}

// namedIndex is a dirIndex with the name that follows it.
type namedIndex struct {
	disk.DirIndex
	name string
}

// listing writes the listing of d. Each metadata block that it reaches into
// gets a directory header as soon as an entry begins there, and an index
// record for that header, so that a reader looking for a name can skip blocks
// (fs/squashfs/namei.c, get_dir_index_using_name).
func (w *inodeWriter) listing(d *node) ([]namedIndex, error) {
	var indexes []namedIndex
	begin := w.dirs.Total()
	known := begin / disk.MetadataSize // the block that a reader finds without a further index
	for rest := d.children; len(rest) > 0; {
		block, _, err := w.dirs.Position()
		if err != nil {
			return nil, err
		}
		if at := w.dirs.Total(); at/disk.MetadataSize != known {
			known = at / disk.MetadataSize
			indexes = append(indexes, namedIndex{
				DirIndex: disk.DirIndex{Index: uint32(at - begin), StartBlock: block, NameSize: uint32(len(rest[0].name) - 1)},
				name:     rest[0].name,
			})
		}
		n := headerRun(rest, w.dirs.Total())
		if err := w.headerAndEntries(rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return indexes, nil
}

// headerRun is the number of nodes, at least one, that can stand behind one
// directory header at position at of the directory table: their inodes begin
// in one metadata block, their numbers are near enough, and their entries
// begin in the header's own metadata block.
func headerRun(nodes []node, at int64) int {
	first := &nodes[0]
	end := at + int64(disk.DirHeaderSize)
	for i := range nodes {
		n := &nodes[i]
		delta := int64(n.number) - int64(first.number)
		if i > 0 && (i == disk.DirCountMax ||
			n.ref.Block() != first.ref.Block() ||
			delta < math.MinInt16 || delta > math.MaxInt16 ||
			end/disk.MetadataSize != at/disk.MetadataSize) {
			return i
		}
		end += int64(disk.DirEntrySize + len(n.name))
	}
	return len(nodes)
}

func (w *inodeWriter) headerAndEntries(nodes []node) error {
	first := &nodes[0]
	p, err := binary.Append(w.record[:0], binary.LittleEndian, disk.DirHeader{
		Count:      uint32(len(nodes) - 1),
		StartBlock: uint32(first.ref.Block()),
		Inode:      first.number,
	})
	if err != nil {
		return err
	}
	for i := range nodes {
		n := &nodes[i]
		p, err = binary.Append(p, binary.LittleEndian, disk.DirEntry{
			Offset:     n.ref.Offset(),
			InodeDelta: int16(int64(n.number) - int64(first.number)),
			Type:       n.kind,
			NameSize:   uint16(len(n.name) - 1),
		})
		if err != nil {
			return err
		}
		p = append(p, n.name...)
	}
	w.record = p
	return w.dirs.Add(p)
}
