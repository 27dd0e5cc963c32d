package squashfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// DirEntry is a name in a directory.
type DirEntry struct {
	Name   string      // any bytes but slash and NUL, not only UTF-8
	Type   fs.FileMode // the type bits only
	Number uint32      // of the inode

	kind disk.InodeType
	ref  disk.InodeRef
}

// Entries reads the directory dir from front to back. Names come in the order
// of their bytes. An error ends the sequence.
func (r *Reader) Entries(dir Inode) iter.Seq2[DirEntry, error] {
	return func(yield func(DirEntry, error) bool) {
		l, err := r.openListing(dir)
		if err != nil {
			yield(DirEntry{}, err)
			return
		}
		defer func() { r.entriesRead.Add(l.read) }()
		for {
			e, err := l.next()
			if err == io.EOF {
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// ReadDir returns all entries of the directory dir.
func (r *Reader) ReadDir(dir Inode) ([]DirEntry, error) {
	var list []DirEntry
	for e, err := range r.Entries(dir) {
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// Lookup returns the inode at a path of names separated by slashes, counted
// from the root directory, which is "." or "", and cleaned as by [path.Clean].
// It does not follow symbolic links. A name that is not there is an
// [fs.ErrNotExist]. In a large directory its index leads to the name; an image
// without one has its listings read from the front.
func (r *Reader) Lookup(name string) (Inode, error) {
	ino, err := r.Root()
	if err != nil {
		return Inode{}, err
	}
	for rest := strings.Trim(path.Clean("/"+name), "/"); rest != ""; {
		var first string
		first, rest, _ = strings.Cut(rest, "/")
		if ino, err = r.child(ino, first); err != nil {
			return Inode{}, &fs.PathError{Op: "lookup", Path: name, Err: err}
		}
	}
	return ino, nil
}

// child returns the inode that dir's listing has under name.
func (r *Reader) child(dir Inode, name string) (Inode, error) {
	if !dir.Mode.IsDir() || len(name) >= disk.NameMax {
		return Inode{}, fs.ErrNotExist
	}
	l, err := r.openListing(dir)
	if err != nil {
		return Inode{}, err
	}
	if err := l.seek(dir, name); err != nil {
		return Inode{}, fmt.Errorf("reading index of directory %d: %w", dir.Number, err)
	}
	defer func() { r.entriesRead.Add(l.read) }()
	for {
		found, err := l.advance()
		if err == io.EOF || err == nil && string(found) > name {
			return Inode{}, fs.ErrNotExist
		}
		if err != nil {
			return Inode{}, err
		}
		if string(found) == name {
			e, err := l.entry(found)
			if err != nil {
				return Inode{}, err
			}
			return r.Inode(e)
		}
	}
}

// listing reads a directory's listing: headers, each with entries behind it.
type listing struct {
	c      *cursor // nil if the listing is empty
	size   uint64
	used   uint64 // of size
	read   int64  // entries
	header disk.DirHeader
	left   uint32 // entries behind header that were not read

	current disk.DirEntry
	last    []byte // name of the entry that next returned last
}

func (r *Reader) openListing(dir Inode) (*listing, error) {
	if !dir.Mode.IsDir() {
		return nil, fmt.Errorf("inode %d is not a directory", dir.Number)
	}
	l := &listing{size: dir.dir.size}
	if l.size == 0 {
		return l, nil
	}
	var err error
	if l.c, err = r.cursorAt(r.listings, dir.dir.start); err != nil {
		return nil, fmt.Errorf("reading directory %d: %w", dir.Number, err)
	}
	return l, nil
}

// seek passes over what cannot hold name, by the index that the directory may
// have: a record for each metadata block, with the first name behind a header
// in it (fs/squashfs/namei.c, get_dir_index_using_name).
func (l *listing) seek(dir Inode, name string) error {
	if l.c == nil || dir.dir.indexCount == 0 {
		return nil
	}
	r := l.c.r
	at, err := r.cursorAt(r.inodes, dir.dir.indexes)
	if err != nil {
		return err
	}
	var last disk.DirIndex
	found := false
	for range dir.dir.indexCount {
		x, first, err := at.index()
		if err != nil {
			return err
		}
		if string(first) > name {
			break
		}
		last, found = x, true
	}
	if !found {
		return nil
	}
	if uint64(last.Index) >= l.size {
		return fmt.Errorf("header at %d of a listing of %d bytes", last.Index, l.size)
	}
	l.used = uint64(last.Index)
	// All blocks but the last are full, so that the place in the listing tells
	// the place in the block.
	offset := (uint64(dir.dir.start.offset) + l.used) % disk.MetadataSize
	l.c, err = r.cursorAt(r.listings, position{r.listings.start + uint64(last.StartBlock), int(offset)})
	return err
}

// index reads a record of a directory index and the name that follows it.
func (c *cursor) index() (x disk.DirIndex, name []byte, err error) {
	p, err := c.next(disk.DirIndexSize)
	if err != nil {
		return x, nil, err
	}
	x = disk.DirIndex{
		Index:      binary.LittleEndian.Uint32(p),
		StartBlock: binary.LittleEndian.Uint32(p[4:]),
		NameSize:   binary.LittleEndian.Uint32(p[8:]),
	}
	if x.NameSize >= disk.NameMax-1 {
		return x, nil, fmt.Errorf("name of %d bytes, %d are possible", uint64(x.NameSize)+1, disk.NameMax-1)
	}
	name, err = c.next(int(x.NameSize) + 1)
	return x, name, err
}

// next returns the next entry, or io.EOF behind the last one.
func (l *listing) next() (DirEntry, error) {
	name, err := l.advance()
	if err == io.EOF {
		return DirEntry{}, err
	}
	var e DirEntry
	if err == nil {
		e, err = l.entry(name)
	}
	if err == nil && bytes.Compare(l.last, name) >= 0 {
		err = fmt.Errorf("%q is out of order", name)
	}
	if err != nil {
		return DirEntry{}, fmt.Errorf("reading directory entry after %q: %w", l.last, err)
	}
	l.last = name
	return e, nil
}

// advance makes the next entry the current one and returns its name, or io.EOF
// behind the last. It is quick: a look-up passes over many entries.
func (l *listing) advance() (name []byte, err error) {
	if l.left == 0 {
		if l.used == l.size {
			return nil, io.EOF
		}
		if err := l.readHeader(); err != nil {
			return nil, fmt.Errorf("directory header: %w", err)
		}
	}
	l.left--
	l.read++
	return l.readEntry()
}

// entry is the current entry, of that name.
func (l *listing) entry(name []byte) (DirEntry, error) {
	if string(name) == "." || string(name) == ".." || bytes.IndexByte(name, '/') >= 0 || bytes.IndexByte(name, 0) >= 0 {
		return DirEntry{}, fmt.Errorf("%q is not a file name", name)
	}
	typ, ok := fileType(l.current.Type)
	if !ok {
		return DirEntry{}, fmt.Errorf("%q is of unknown type %d", name, l.current.Type)
	}
	return DirEntry{
		Name:   string(name),
		Type:   typ,
		Number: l.header.Inode + uint32(int32(l.current.InodeDelta)),
		kind:   l.current.Type,
		ref:    disk.NewInodeRef(l.header.StartBlock, l.current.Offset),
	}, nil
}

func (l *listing) readHeader() error {
	if err := l.take(disk.DirHeaderSize); err != nil {
		return err
	}
	if err := l.c.decode(&l.header); err != nil {
		return err
	}
	if l.header.Count >= disk.DirCountMax {
		return fmt.Errorf("%d entries behind it, %d are possible", uint64(l.header.Count)+1, disk.DirCountMax)
	}
	l.left = l.header.Count + 1
	return nil
}

func (l *listing) readEntry() (name []byte, err error) {
	if err := l.take(disk.DirEntrySize); err != nil {
		return nil, err
	}
	p, err := l.c.next(disk.DirEntrySize)
	if err != nil {
		return nil, err
	}
	l.current = disk.DirEntry{ // not by reflection
		Offset:     binary.LittleEndian.Uint16(p),
		InodeDelta: int16(binary.LittleEndian.Uint16(p[2:])),
		Type:       disk.InodeType(binary.LittleEndian.Uint16(p[4:])),
		NameSize:   binary.LittleEndian.Uint16(p[6:]),
	}
	size := int(l.current.NameSize) + 1
	if size >= disk.NameMax {
		return nil, fmt.Errorf("name of %d bytes, %d are possible", size, disk.NameMax-1)
	}
	if err := l.take(size); err != nil {
		return nil, err
	}
	return l.c.next(size)
}

// take counts n bytes of the listing as read.
func (l *listing) take(n int) error {
	if l.size-l.used < uint64(n) {
		return errors.New("listing ends before it")
	}
	l.used += uint64(n)
	return nil
}
