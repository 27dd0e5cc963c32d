package squashfs

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// checkedBlock is a data or fragment block and what its files need of it.
type checkedBlock struct {
	size    uint32 // in the image, with dataStored
	length  int    // uncompressed, of a data block; 0: not a data block
	atLeast int    // uncompressed, of a fragment block
	file    uint32 // the inode number of one that needs it; 0: the fragment table does
}

// needFragments notes the blocks of the fragment table.
func (c *checker) needFragments() error {
	for i := range c.r.fragments.count {
		var e fragmentEntry
		if err := c.r.record(&c.r.fragments, i, &e); err != nil {
			return err
		}
		b, err := c.r.placedFragment(e)
		if err != nil {
			return fmt.Errorf("fragment %d: %w", i, err)
		}
		if err := c.needFragment(b, 1, 0); err != nil {
			return err
		}
	}
	return nil
}

// needFile notes the blocks of the file ino.
func (c *checker) needFile(ino Inode) error {
	l, err := c.r.layout(ino)
	if err != nil {
		return err
	}
	for i, b := range l.blocks {
		if b.size == 0 {
			continue
		}
		known := c.blocks[b.start]
		if known == nil {
			known = &checkedBlock{size: b.size, length: l.blockLength(i), file: ino.Number}
			c.blocks[b.start] = known
		}
		if known.size != b.size || known.length != 0 && known.length != l.blockLength(i) {
			return fmt.Errorf("block at %d is also one of %s, but of another length", b.start, c.owner(known))
		}
		known.length = l.blockLength(i)
	}
	if l.tail == 0 {
		return nil
	}
	b, err := c.r.placedFragment(l.fragment)
	if err != nil {
		return err
	}
	return c.needFragment(b, int(l.offset+l.tail), ino.Number)
}

func (c *checker) needFragment(b placedBlock, length int, file uint32) error {
	known := c.blocks[b.start]
	if known == nil {
		known = &checkedBlock{size: b.size, file: file}
		c.blocks[b.start] = known
	}
	if known.size != b.size {
		return fmt.Errorf("fragment block at %d is also one of %s, but of another length", b.start, c.owner(known))
	}
	known.atLeast = max(known.atLeast, length)
	return nil
}

// owner names what needs a block.
func (c *checker) owner(b *checkedBlock) string {
	if b.file == 0 {
		return "fragment table"
	}
	return strconv.Quote(c.path(b.file))
}

// decodeBlocks decodes every block once, several at a time, in the order of
// the image, in which no two may overlap.
func (c *checker) decodeBlocks() error {
	blocks := make([]placedBlock, 0, len(c.blocks))
	end := uint64(0)
	for _, start := range slices.Sorted(maps.Keys(c.blocks)) {
		b := placedBlock{start: start, size: c.blocks[start].size}
		if start < end {
			return fmt.Errorf("%s: block at %d overlaps the one before it", c.owner(c.blocks[start]), start)
		}
		end = start + b.length()
		blocks = append(blocks, b)
	}
	group, ctx := errgroup.WithContext(c.ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, b := range blocks {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return c.decodeBlock(b) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.ctx.Err()
}

func (c *checker) decodeBlock(b placedBlock) error {
	want := c.blocks[b.start]
	room := want.length
	if room == 0 {
		room = int(c.r.sb.BlockSize)
	}
	n, err := c.r.readBlock(make([]byte, room), b.start, b.length(), b.stored())
	if err != nil {
		return fmt.Errorf("%s: block at %d: %w", c.owner(want), b.start, err)
	}
	if want.length != 0 && n != want.length || n < want.atLeast {
		return fmt.Errorf("%s: block at %d holds %d bytes, %d are needed", c.owner(want), b.start, n, max(want.length, want.atLeast))
	}
	return nil
}
