package disk

import (
	"fmt"
	"math"
)

// Inodes is the inode table and the directory table that are being made. Inodes and
// listings are found by their places among compressed blocks, so that what holds such a
// place can only be added when the block is compressed that it leads to:
//
//   - the inodes of all that is no directory hold no places, and go first;
//   - the listings of directories, in any order, once the inodes of their children are there
//     and Settle was called for these;
//   - the inodes of these directories, once Settle was called for the listings.
//
// So the more is added between two Settles, the more is compressed at the same time.
// Whoever adds an inode gets its position among the others, of which Metadata.Ref makes a place.
type Inodes struct {
	Inodes *Metadata
	Dirs   *Metadata
	record []byte // room for one that is being made
}

// NewInodes returns empty tables. The inode table is written to out as it is made, the other one
// has to be written behind it.
func NewInodes(pool *Pool, out *Writer) *Inodes {
	return &Inodes{Inodes: newMetadata(pool, out), Dirs: NewMetadata(pool)}
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
func (t *Inodes) File(i Inode, size uint64, l Location) (at int64) {
	var p []byte
	if l.Start <= math.MaxUint32 && size <= math.MaxUint32 && l.Sparse == 0 && i.Links == 1 && i.Xattr == InvalidXattr {
		p = FileInode{
			StartBlock: uint32(l.Start),
			Fragment:   l.Fragment,
			Offset:     l.Offset,
			FileSize:   uint32(size),
		}.append(t.begin(TypeFile, i))
	} else {
		p = ExtFileInode{
			StartBlock: l.Start,
			FileSize:   size,
			Sparse:     l.Sparse,
			Nlink:      i.Links,
			Fragment:   l.Fragment,
			Offset:     l.Offset,
			Xattr:      i.Xattr,
		}.append(t.begin(TypeExtFile, i))
	}
	for _, size := range l.Sizes {
		p = le.AppendUint32(p, size)
	}
	return t.add(p)
}

// Symlink adds the inode of a symbolic link.
func (t *Inodes) Symlink(i Inode, target string) (at int64) {
	p := SymlinkInode{Nlink: i.Links, TargetSize: uint32(len(target))}.append(t.beginEither(TypeSymlink, i))
	return t.addEither(i, append(p, target...))
}

// Device adds the inode of a block or character device.
func (t *Inodes) Device(i Inode, typ InodeType, device uint32) (at int64) {
	return t.addEither(i, DeviceInode{Nlink: i.Links, Rdev: device}.append(t.beginEither(typ, i)))
}

// IPC adds the inode of a named pipe or a socket.
func (t *Inodes) IPC(i Inode, typ InodeType) (at int64) {
	return t.addEither(i, IPCInode{Nlink: i.Links}.append(t.beginEither(typ, i)))
}

// beginEither begins an inode whose extended form has an xattr index at its end, which
// addEither adds.
func (t *Inodes) beginEither(typ InodeType, i Inode) []byte {
	if i.Xattr != InvalidXattr {
		typ += Extended
	}
	return t.begin(typ, i)
}

func (t *Inodes) addEither(i Inode, p []byte) (at int64) {
	if i.Xattr != InvalidXattr {
		p = le.AppendUint32(p, i.Xattr)
	}
	return t.add(p)
}

// begin begins an inode with what all have.
func (t *Inodes) begin(typ InodeType, i Inode) []byte {
	return InodeHeader{
		Type:  typ,
		Mode:  i.Mode,
		UID:   i.UID,
		GID:   i.GID,
		Mtime: i.ModTime,
		Inode: i.Number,
	}.append(t.record[:0])
}

// add adds an inode and returns its position.
func (t *Inodes) add(p []byte) (at int64) {
	at = t.Inodes.Total()
	t.record = p
	t.Inodes.Add(p)
	return at
}

// Child is a name in a directory.
type Child struct {
	Name   string
	Type   InodeType // a basic one
	Number uint32    // of the inode
	Ref    InodeRef
}

// Listing is a listing that was added.
type Listing struct {
	at      int64 // in the directory table
	size    int64 // as it is recorded
	links   uint32
	indexes []index
}

// index is of a directory header and the name behind it.
type index struct {
	at   int64 // in the directory table
	name string
}

// Listing adds the listing of a directory, with children in the order of the bytes of
// their names.
func (t *Inodes) Listing(children []Child) (Listing, error) {
	l := Listing{at: t.Dirs.Total(), links: 2} // its name, and its own "."
	for _, c := range children {
		if c.Type == TypeDir {
			l.links++ // ".." there
		}
	}
	l.indexes = t.entries(children)
	l.size = t.Dirs.Total() - l.at + DirSizeExtra
	if l.size > math.MaxUint32 || len(l.indexes) > math.MaxUint16 {
		return l, fmt.Errorf("%d entries are more than SquashFS can hold", len(children))
	}
	return l, nil
}

// Dir adds the inode of a directory. The number of its parent's inode is parent.
func (t *Inodes) Dir(i Inode, parent uint32, l Listing) (at int64) {
	place := t.Dirs.Ref(l.at)
	if len(l.indexes) == 0 && l.size <= math.MaxUint16 && i.Xattr == InvalidXattr {
		return t.add(DirInode{
			StartBlock: uint32(place.Block()),
			Nlink:      l.links,
			FileSize:   uint16(l.size),
			Offset:     place.Offset(),
			Parent:     parent,
		}.append(t.begin(TypeDir, i)))
	}
	p := ExtDirInode{
		Nlink:      l.links,
		FileSize:   uint32(l.size),
		StartBlock: uint32(place.Block()),
		Parent:     parent,
		IndexCount: uint16(len(l.indexes)),
		Offset:     place.Offset(),
		Xattr:      i.Xattr,
	}.append(t.begin(TypeExtDir, i))
	for _, x := range l.indexes {
		p = DirIndex{
			Index:      uint32(x.at - l.at),
			StartBlock: uint32(t.Dirs.Ref(x.at).Block()),
			NameSize:   uint32(len(x.name) - 1),
		}.append(p)
		p = append(p, x.name...)
	}
	return t.add(p)
}

// entries adds the headers and entries of a listing. Each metadata block that it reaches
// into gets a directory header as soon as an entry begins there, and an index record for
// that header, so that a reader looking for a name can skip blocks
// (fs/squashfs/namei.c, get_dir_index_using_name).
func (t *Inodes) entries(rest []Child) (indexes []index) {
	indexed := t.Dirs.Total() / MetadataSize // the block that a reader finds without a further index
	for len(rest) > 0 {
		at := t.Dirs.Total()
		if at/MetadataSize != indexed {
			indexed = at / MetadataSize
			indexes = append(indexes, index{at: at, name: rest[0].Name})
		}
		n := headerRun(rest, at)
		t.headerAndEntries(rest[:n])
		rest = rest[n:]
	}
	return indexes
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

func (t *Inodes) headerAndEntries(children []Child) {
	first := &children[0]
	p := DirHeader{
		Count:      uint32(len(children) - 1),
		StartBlock: uint32(first.Ref.Block()),
		Inode:      first.Number,
	}.append(t.record[:0])
	for i := range children {
		c := &children[i]
		p = DirEntry{
			Offset:     c.Ref.Offset(),
			InodeDelta: int16(int64(c.Number) - int64(first.Number)),
			Type:       c.Type,
			NameSize:   uint16(len(c.Name) - 1),
		}.append(p)
		p = append(p, c.Name...)
	}
	t.record = p
	t.Dirs.Add(p)
}
