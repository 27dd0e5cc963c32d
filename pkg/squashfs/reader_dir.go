package squashfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
)

// DirEntry is a name in a directory.
type DirEntry struct {
	Name   string      // any bytes but slash and NUL, not only UTF-8
	Type   fs.FileMode // the type bits only
	Number uint32      // of the inode

	kind inodeType
	ref  inodeRef
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
// [fs.ErrNotExist].
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
	if !dir.Mode.IsDir() {
		return Inode{}, fs.ErrNotExist
	}
	for e, err := range r.Entries(dir) {
		if err != nil {
			return Inode{}, err
		}
		if e.Name == name {
			return r.Inode(e)
		}
		if e.Name > name {
			break
		}
	}
	return Inode{}, fs.ErrNotExist
}

// listing reads a directory's listing: headers, each with entries behind it.
type listing struct {
	c      *cursor // nil if the listing is empty
	size   uint64
	used   uint64 // of size
	header dirHeader
	left   uint32 // entries behind header that were not read
	last   string // name
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

// next returns the next entry, or io.EOF behind the last one.
func (l *listing) next() (DirEntry, error) {
	if l.left == 0 {
		if l.used == l.size {
			return DirEntry{}, io.EOF
		}
		if err := l.readHeader(); err != nil {
			return DirEntry{}, fmt.Errorf("reading directory header: %w", err)
		}
	}
	e, err := l.readEntry()
	if err != nil {
		return DirEntry{}, fmt.Errorf("reading directory entry after %q: %w", l.last, err)
	}
	l.left--
	l.last = e.Name
	return e, nil
}

func (l *listing) readHeader() error {
	if err := l.take(dirHeaderSize); err != nil {
		return err
	}
	if err := l.c.decode(&l.header); err != nil {
		return err
	}
	if l.header.Count >= dirCountMax {
		return fmt.Errorf("%d entries behind it, %d are possible", uint64(l.header.Count)+1, dirCountMax)
	}
	l.left = l.header.Count + 1
	return nil
}

func (l *listing) readEntry() (DirEntry, error) {
	if err := l.take(dirEntrySize); err != nil {
		return DirEntry{}, err
	}
	var d dirEntry
	if err := l.c.decode(&d); err != nil {
		return DirEntry{}, err
	}
	size := uint32(d.NameSize) + 1
	if size >= nameMax {
		return DirEntry{}, fmt.Errorf("name of %d bytes, %d are possible", size, nameMax-1)
	}
	if err := l.take(int(size)); err != nil {
		return DirEntry{}, err
	}
	name, err := l.c.text(size)
	if err != nil {
		return DirEntry{}, err
	}
	if name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return DirEntry{}, fmt.Errorf("%q is not a file name", name)
	}
	if l.last >= name {
		return DirEntry{}, fmt.Errorf("%q is out of order", name)
	}
	typ, ok := fileType(d.Type)
	if !ok {
		return DirEntry{}, fmt.Errorf("%q is of unknown type %d", name, d.Type)
	}
	return DirEntry{
		Name:   name,
		Type:   typ,
		Number: l.header.Inode + uint32(int32(d.InodeDelta)),
		kind:   d.Type,
		ref:    newInodeRef(l.header.StartBlock, d.Offset),
	}, nil
}

// take counts n bytes of the listing as read.
func (l *listing) take(n int) error {
	if l.size-l.used < uint64(n) {
		return errors.New("listing ends before it")
	}
	l.used += uint64(n)
	return nil
}
