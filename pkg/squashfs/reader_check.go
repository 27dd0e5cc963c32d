package squashfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Check reads all of the image and returns the first thing that is wrong:
// a block that cannot be decoded or has another length than its file needs,
// blocks that overlap, an inode, listing or directory index that contradicts
// another, a count that does not hold. The image holds no checksums, so
// damage that leaves everything in its place is not found.
func (r *Reader) Check(ctx context.Context) error {
	c := &checker{
		r:      r,
		ctx:    ctx,
		inodes: make(map[uint32]*checkedInode),
		blocks: make(map[uint64]*checkedBlock),
	}
	var err error
	if c.inodeBytes, err = c.table(r.inodes); err != nil {
		return err
	}
	listingBytes, err := c.table(r.listings)
	if err != nil {
		return err
	}
	if err := c.needFragments(); err != nil {
		return err
	}
	w := &walker{r: r, seen: make(map[inodeRef]bool), listingBytes: listingBytes, visit: c.visit}
	if err := w.walk(); err != nil {
		return err
	}
	if err := c.counts(); err != nil {
		return err
	}
	return c.decodeBlocks()
}

// checker is one run of Check.
type checker struct {
	r          *Reader
	ctx        context.Context
	inodeBytes uint64 // of the inode table that no inode has claimed
	inodes     map[uint32]*checkedInode
	blocks     map[uint64]*checkedBlock // by position
}

type checkedInode struct {
	ref    inodeRef
	parent uint32 // the directory in which it was met first, 0 for the root
	name   string // that it has there
	links  uint32 // that it claims to have; a directory has one name
	names  uint32 // that were found
}

// table decodes every metadata block of a table and returns how many bytes
// they hold. All but the last must be full: readers compute with that.
func (c *checker) table(s section) (uint64, error) {
	total, last := uint64(0), metadataSize
	for pos := s.start; pos < s.end; {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		b, err := c.r.metadataBlock(pos, s.end)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", s.name, err)
		}
		if last != metadataSize {
			return 0, fmt.Errorf("%s: the block before the one at %d holds only %d bytes", s.name, pos, last)
		}
		last = len(b.data)
		total += uint64(last)
		pos = b.end
	}
	return total, nil
}

func (c *checker) visit(path string, ino, parent Inode) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if known := c.inodes[ino.Number]; known != nil {
		if known.ref != ino.ref {
			return fmt.Errorf("%q and %q are different inodes of one number, %d", c.path(ino.Number), path, ino.Number)
		}
		known.names++
		return nil
	}
	known := &checkedInode{ref: ino.ref, parent: parent.Number, name: strings.Clone(path[strings.LastIndex(path, "/")+1:]), links: 1, names: 1}
	if !ino.Mode.IsDir() {
		known.links = ino.Links
	}
	c.inodes[ino.Number] = known
	if err := c.inode(ino); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	// What a root directory names as its parent differs from writer to writer.
	if ino.Mode.IsDir() && parent.Number != 0 && ino.dir.parent != parent.Number {
		return fmt.Errorf("%q: names inode %d as its parent, which is %d", path, ino.dir.parent, parent.Number)
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
func (c *checker) inode(ino Inode) error {
	size := uint64(inodeHeaderSize)
	switch {
	case ino.Mode.IsRegular():
		size += ino.file.blocks * blockSizeSize
	case ino.Mode.IsDir():
		size += uint64(ino.dir.indexCount) * uint64(dirIndexSize)
	}
	if size > c.inodeBytes {
		return errors.New("inodes overlap in the inode table")
	}
	c.inodeBytes -= size

	if c.r.exports.count > 0 {
		var ref inodeRef
		if err := c.r.record(&c.r.exports, uint64(ino.Number)-1, &ref); err != nil {
			return err
		}
		if ref != ino.ref {
			return fmt.Errorf("inode %d is at %#x, the export table says %#x", ino.Number, uint64(ino.ref), uint64(ref))
		}
	}
	switch {
	case ino.Mode.IsRegular():
		return c.needFile(ino)
	case ino.Mode.IsDir():
		return c.indexes(ino)
	}
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
	if len(c.inodes) != int(c.r.sb.Inodes) {
		return fmt.Errorf("%d inodes in the tree, the superblock says %d", len(c.inodes), c.r.sb.Inodes)
	}
	for _, number := range slices.Sorted(maps.Keys(c.inodes)) {
		if ino := c.inodes[number]; ino.links != ino.names {
			return fmt.Errorf("%q: %d names for it in the tree, its inode says %d", c.path(number), ino.names, ino.links)
		}
	}
	return nil
}
