package disk

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// Inodes is the inode table and the directory table that are being made. A
// directory's listing holds the places of its children's inodes and its own inode
// the place of the listing, so children go first.
type Inodes struct {
	Inodes *Metadata
	Dirs   *Metadata
	record []byte // room for one that is being made
}

// NewInodes returns empty tables.
func NewInodes(c *codec.Codec) *Inodes {
	return &Inodes{Inodes: NewMetadata(c), Dirs: NewMetadata(c)}
}

// Inode is what inodes of all types have.
type Inode struct {
	Mode     uint16 // permission bits
	UID, GID uint16 // indexes into the ID table
	ModTime  uint32 // seconds since 1970
	Number   uint32 // from 1
	Links    uint32 // names that it has; not of a directory
	Xattr    uint32 // index into the xattr table, or InvalidXattr
}

// File adds the inode of a file of size bytes that lies at l.
func (t *Inodes) File(i Inode, size uint64, l Location) (InodeRef, error) {
	if l.Start <= math.MaxUint32 && size <= math.MaxUint32 && l.Sparse == 0 && i.Links == 1 && i.Xattr == InvalidXattr {
		return t.add(TypeFile, i, FileInode{
			StartBlock: uint32(l.Start),
			Fragment:   l.Fragment,
			Offset:     l.Offset,
			FileSize:   uint32(size),
		}, sizeList(l.Sizes))
	}
	return t.add(TypeExtFile, i, ExtFileInode{
		StartBlock: l.Start,
		FileSize:   size,
		Sparse:     l.Sparse,
		Nlink:      i.Links,
		Fragment:   l.Fragment,
		Offset:     l.Offset,
		Xattr:      i.Xattr,
	}, sizeList(l.Sizes))
}

func sizeList(sizes []uint32) (p []byte) {
	for _, size := range sizes {
		p = binary.LittleEndian.AppendUint32(p, size)
	}
	return p
}

// Symlink adds the inode of a symbolic link.
func (t *Inodes) Symlink(i Inode, target string) (InodeRef, error) {
	return t.addEither(TypeSymlink, i, SymlinkInode{Nlink: i.Links, TargetSize: uint32(len(target))}, target)
}

// Device adds the inode of a block or character device.
func (t *Inodes) Device(i Inode, typ InodeType, device uint32) (InodeRef, error) {
	return t.addEither(typ, i, DeviceInode{Nlink: i.Links, Rdev: device}, "")
}

// IPC adds the inode of a named pipe or a socket.
func (t *Inodes) IPC(i Inode, typ InodeType) (InodeRef, error) {
	return t.addEither(typ, i, IPCInode{Nlink: i.Links}, "")
}

// addEither adds an inode whose extended form has an xattr index at its end.
func (t *Inodes) addEither(typ InodeType, i Inode, fixed any, rest string) (InodeRef, error) {
	p := []byte(rest)
	if i.Xattr != InvalidXattr {
		typ += Extended
		p = binary.LittleEndian.AppendUint32(p, i.Xattr)
	}
	return t.add(typ, i, fixed, p)
}

// add adds an inode: what all have, what those of its type have, and the rest.
func (t *Inodes) add(typ InodeType, i Inode, fixed any, rest []byte) (InodeRef, error) {
	block, offset, err := t.Inodes.Position()
	if err != nil {
		return 0, err
	}
	p, err := binary.Append(t.record[:0], binary.LittleEndian, InodeHeader{
		Type:  typ,
		Mode:  i.Mode,
		UID:   i.UID,
		GID:   i.GID,
		Mtime: i.ModTime,
		Inode: i.Number,
	})
	if err != nil {
		return 0, err
	}
	if p, err = binary.Append(p, binary.LittleEndian, fixed); err != nil {
		return 0, err
	}
	t.record = append(p, rest...)
	return NewInodeRef(block, offset), t.Inodes.Add(t.record)
}

// Child is a name in a directory.
type Child struct {
	Name   string
	Type   InodeType // a basic one
	Number uint32    // of the inode
	Ref    InodeRef
}

// Dir adds a directory: its listing, with children in the order of the bytes of
// their names, and its inode. The number of its parent's inode is parent.
func (t *Inodes) Dir(i Inode, parent uint32, children []Child) (InodeRef, error) {
	block, offset, err := t.Dirs.Position()
	if err != nil {
		return 0, err
	}
	before := t.Dirs.Total()
	indexes, err := t.listing(children)
	if err != nil {
		return 0, err
	}
	size := t.Dirs.Total() - before + DirSizeExtra
	links := uint32(2) // its name, and its own "."
	for _, c := range children {
		if c.Type == TypeDir {
			links++ // ".." there
		}
	}
	if len(indexes) == 0 && size <= math.MaxUint16 && i.Xattr == InvalidXattr {
		return t.add(TypeDir, i, DirInode{
			StartBlock: block,
			Nlink:      links,
			FileSize:   uint16(size),
			Offset:     offset,
			Parent:     parent,
		}, nil)
	}
	if size > math.MaxUint32 || len(indexes) > math.MaxUint16 {
		return 0, fmt.Errorf("%d entries are more than SquashFS can hold", len(children))
	}
	var list []byte
	for _, x := range indexes {
		if list, err = binary.Append(list, binary.LittleEndian, x.dirIndex); err != nil {
			return 0, err
		}
		list = append(list, x.name...)
	}
	return t.add(TypeExtDir, i, ExtDirInode{
		Nlink:      links,
		FileSize:   uint32(size),
		StartBlock: block,
		Parent:     parent,
		IndexCount: uint16(len(indexes)),
		Offset:     offset,
		Xattr:      i.Xattr,
	}, list)
}

// namedIndex is a DirIndex with the name that follows it.
type namedIndex struct {
	dirIndex DirIndex
	name     string
}

// listing adds a listing. Each metadata block that it reaches into gets a
// directory header as soon as an entry begins there, and an index record for
// that header, so that a reader looking for a name can skip blocks
// (fs/squashfs/namei.c, get_dir_index_using_name).
func (t *Inodes) listing(rest []Child) ([]namedIndex, error) {
	var indexes []namedIndex
	begin := t.Dirs.Total()
	indexed := begin / MetadataSize // the block that a reader finds without a further index
	for len(rest) > 0 {
		block, _, err := t.Dirs.Position()
		if err != nil {
			return nil, err
		}
		if at := t.Dirs.Total(); at/MetadataSize != indexed {
			indexed = at / MetadataSize
			indexes = append(indexes, namedIndex{
				dirIndex: DirIndex{Index: uint32(at - begin), StartBlock: block, NameSize: uint32(len(rest[0].Name) - 1)},
				name:     rest[0].Name,
			})
		}
		n := headerRun(rest, t.Dirs.Total())
		if err := t.headerAndEntries(rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return indexes, nil
}

// headerRun is the number of children, at least one, that can stand behind one
// directory header at position at of the directory table: their inodes begin
// in one metadata block, their numbers are near enough, and their entries
// begin in the header's own metadata block.
func headerRun(children []Child, at int64) int {
	first := &children[0]
	end := at + int64(DirHeaderSize)
	for i := range children {
		c := &children[i]
		delta := int64(c.Number) - int64(first.Number)
		if i > 0 && (i == DirCountMax ||
			c.Ref.Block() != first.Ref.Block() ||
			delta < math.MinInt16 || delta > math.MaxInt16 ||
			end/MetadataSize != at/MetadataSize) {
			return i
		}
		end += int64(DirEntrySize + len(c.Name))
	}
	return len(children)
}

// ListingSize is how many bytes a listing takes that begins at position at of
// the directory table.
func ListingSize(children []Child, at int64) (size int64) {
	for len(children) > 0 {
		n := headerRun(children, at+size)
		size += int64(DirHeaderSize)
		for _, c := range children[:n] {
			size += int64(DirEntrySize + len(c.Name))
		}
		children = children[n:]
	}
	return size
}

func (t *Inodes) headerAndEntries(children []Child) error {
	first := &children[0]
	p, err := binary.Append(t.record[:0], binary.LittleEndian, DirHeader{
		Count:      uint32(len(children) - 1),
		StartBlock: uint32(first.Ref.Block()),
		Inode:      first.Number,
	})
	if err != nil {
		return err
	}
	for i := range children {
		c := &children[i]
		p, err = binary.Append(p, binary.LittleEndian, DirEntry{
			Offset:     c.Ref.Offset(),
			InodeDelta: int16(int64(c.Number) - int64(first.Number)),
			Type:       c.Type,
			NameSize:   uint16(len(c.Name) - 1),
		})
		if err != nil {
			return err
		}
		p = append(p, c.Name...)
	}
	t.record = p
	return t.Dirs.Add(p)
}
