package squashfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

type checkedInode struct {
	ref    disk.InodeRef
	parent uint32 // the directory in which it was met first, 0 for the root
	name   string // that it has there
	links  uint32 // that it claims to have; a directory has one name
	names  uint32 // that were found
}

// tree walks through all of it.
func (c *checker) tree() error {
	w := c.r.newWalker()
	w.listingBytes = c.listBytes
	w.visit = c.visit
	w.fail = func(structure string, offset uint64, path string, err error) error {
		c.torn = true
		return c.find(structure, offset, path, err)
	}
	return w.walk()
}

func (c *checker) visit(path string, ino, parent Inode) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if known := c.inodes[ino.Number]; known != nil {
		known.names++
		if known.ref != ino.ref {
			c.torn = true
			return c.find("inode", c.r.blockOf(ino), path, fmt.Errorf("of the same number, %d, as %q", ino.Number, c.path(ino.Number)))
		}
		return nil
	}
	known := &checkedInode{ref: ino.ref, parent: parent.Number, name: strings.Clone(path[strings.LastIndex(path, "/")+1:]), links: 1, names: 1}
	if !ino.Mode.IsDir() {
		known.links = ino.Links
	}
	c.inodes[ino.Number] = known
	if err := c.inode(path, ino); err != nil {
		return err
	}
	// What a root directory names as its parent differs from writer to writer.
	if ino.Mode.IsDir() && parent.Number != 0 && ino.dir.parent != parent.Number {
		return c.find("inode", c.r.blockOf(ino), path, fmt.Errorf("names inode %d as its parent, which is %d", ino.dir.parent, parent.Number))
	}
	return nil
}

// path is where the inode of a number was met first. Whole paths are not kept:
// they could be much longer than the listings.
func (c *checker) path(number uint32) string {
	ino := c.inodes[number]
	path := ino.name
	for ino.parent != 0 {
		if ino = c.inodes[ino.parent]; ino.parent != 0 {
			path = ino.name + "/" + path
		}
	}
	return path
}

// inode checks an inode that is met for the first time.
func (c *checker) inode(path string, ino Inode) error {
	if size := tableSize(ino); size <= c.inodeBytes {
		c.inodeBytes -= size
	} else {
		c.inodeBytes = math.MaxUint64 // once
		if err := c.find("inode", c.r.blockOf(ino), path, errors.New("inodes overlap in the inode table")); err != nil {
			return err
		}
	}
	if err := c.export(path, ino); err != nil {
		return err
	}
	if err := c.attributes(path, ino); err != nil {
		return err
	}
	switch {
	case ino.Mode.IsRegular():
		return c.needFile(path, ino)
	case ino.Mode.IsDir():
		if err := c.indexes(ino); err != nil {
			return c.find("directory", ino.dir.start.block, path, err)
		}
	}
	return nil
}

// tableSize is how many bytes of the inode table an inode takes at least.
func tableSize(ino Inode) uint64 {
	size := uint64(disk.InodeHeaderSize)
	switch {
	case ino.Mode.IsRegular():
		size += ino.file.blocks * disk.BlockSizeSize
	case ino.Mode.IsDir():
		size += uint64(ino.dir.indexCount) * uint64(disk.DirIndexSize)
	}
	return size
}

// export checks that the inode is where the export table says.
func (c *checker) export(path string, ino Inode) error {
	t := &c.r.exports
	if t.count == 0 {
		return nil
	}
	var ref disk.InodeRef
	i := uint64(ino.Number) - 1
	err := c.r.row(t, i, &ref)
	if err == nil && ref != ino.ref {
		err = fmt.Errorf("inode %d is at %#x, the export table says %#x", ino.Number, uint64(ino.ref), uint64(ref))
	}
	if err != nil {
		return c.find("export table", t.blockOf(i), path, err)
	}
	return nil
}

// attributes checks the extended attributes of an inode.
func (c *checker) attributes(path string, ino Inode) error {
	if ino.xattrs == disk.InvalidXattr || c.lists[ino.xattrs] {
		return nil
	}
	c.lists[ino.xattrs] = true
	elsewhere := func(at disk.InodeRef) ([]byte, error) {
		if c.values[at] {
			return nil, nil
		}
		c.values[at] = true
		value, err := c.r.xattrValue(at)
		return nil, errors.Join(err, claim(&c.valueBytes, len(value)))
	}
	for x, err := range c.r.xattrList(ino, elsewhere) {
		if err == nil {
			err = claim(&c.xattrBytes, xattrEntrySize+len(x.Value))
		}
		if err != nil {
			return c.find("extended attributes", c.r.xattrs.start, path, err)
		}
	}
	return nil
}

// claim takes n bytes of those that are left of a table.
func claim(left *uint64, n int) error {
	if uint64(n) > *left {
		return errors.New("extended attributes overlap")
	}
	*left -= uint64(n)
	return nil
}

// indexes checks that each index record of a directory leads to a header.
func (c *checker) indexes(dir Inode) error {
	if dir.dir.indexCount == 0 {
		return nil
	}
	headers, err := c.headers(dir)
	if err != nil {
		return err
	}
	at, err := c.r.cursorAt(c.r.inodes, dir.dir.indexes)
	if err != nil {
		return err
	}
	last := int64(-1)
	for i := range dir.dir.indexCount {
		x, name, err := at.index()
		if err != nil {
			return fmt.Errorf("directory index %d: %w", i, err)
		}
		if int64(x.Index) <= last {
			return fmt.Errorf("directory index %d is out of order", i)
		}
		last = int64(x.Index)
		if headers[uint64(x.Index)] != (headerPlace{block: uint64(x.StartBlock), name: string(name)}) {
			return fmt.Errorf("directory index %d: no header at %d in block %d before %q", i, x.Index, x.StartBlock, name)
		}
	}
	return nil
}

// headers returns the headers of a directory's listing by their places in it,
// in bytes from its start.
func (c *checker) headers(dir Inode) (map[uint64]headerPlace, error) {
	l, err := c.r.openListing(dir)
	if err != nil {
		return nil, err
	}
	if l.c == nil {
		return nil, nil
	}
	headers := make(map[uint64]headerPlace)
	for {
		first, index, place := l.left == 0, l.used, l.c.position()
		e, err := l.next()
		if err == io.EOF {
			return headers, nil
		}
		if err != nil {
			return nil, err
		}
		if first {
			headers[index] = headerPlace{block: place.block - c.r.listings.start, name: e.Name}
		}
	}
}

// headerPlace is the metadata block of a directory header, in bytes from the
// start of the directory table, and the name of its first entry.
type headerPlace struct {
	block uint64
	name  string
}

// counts checks what only the whole tree tells.
func (c *checker) counts() error {
	if c.torn {
		return nil
	}
	if len(c.inodes) != int(c.r.sb.Inodes) {
		err := fmt.Errorf("%d inodes in the tree, the superblock says %d", len(c.inodes), c.r.sb.Inodes)
		if err := c.find("superblock", 0, "", err); err != nil {
			return err
		}
	}
	for _, number := range slices.Sorted(maps.Keys(c.inodes)) {
		ino := c.inodes[number]
		if ino.links == ino.names {
			continue
		}
		err := fmt.Errorf("%d names for it in the tree, its inode says %d", ino.names, ino.links)
		if err := c.find("inode", c.r.inodes.start+ino.ref.Block(), c.path(number), err); err != nil {
			return err
		}
	}
	return nil
}
