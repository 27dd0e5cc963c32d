package squashfs

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// checkedBlock is a data or fragment block and what its files need of it.
type checkedBlock struct {
	size    uint32 // in the image, with dataStored
	length  int    // uncompressed, of a data block; 0: not a data block
	atLeast int    // uncompressed, of a fragment block
	path    string // of a file that needs it
}

// needFragments notes the blocks of the fragment table.
func (c *checker) needFragments() error {
	for i := range c.r.fragments.count {
		var e fragmentEntry
		if err := c.r.lookup(&c.r.fragments, i, &e); err != nil {
			return err
		}
		b, err := c.r.placedFragment(e)
		if err != nil {
			return fmt.Errorf("fragment %d: %w", i, err)
		}
		if err := c.needFragment(b, 1, fmt.Sprintf("fragment %d", i)); err != nil {
			return err
		}
	}
	return nil
}

// needFile notes the blocks of the file ino.
func (c *checker) needFile(path string, ino Inode) error {
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
			known = &checkedBlock{size: b.size, length: l.blockLength(i), path: path}
			c.blocks[b.start] = known
		}
		if known.size != b.size || known.length != 0 && known.length != l.blockLength(i) {
			return fmt.Errorf("has its block at %d in common with %s, but reads it in another way", b.start, known.path)
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
	return c.needFragment(b, int(l.offset+l.tail), path)
}

func (c *checker) needFragment(b placedBlock, length int, path string) error {
	known := c.blocks[b.start]
	if known == nil {
		known = &checkedBlock{size: b.size, path: path}
		c.blocks[b.start] = known
	}
	if known.size != b.size {
		return fmt.Errorf("%s and %s have a block at %d in common, but read it in different ways", known.path, path, b.start)
	}
	known.atLeast = max(known.atLeast, length)
	return nil
}

// decodeBlocks decodes every block once, several at a time, in the order of
// the image, in which no two may overlap.
func (c *checker) decodeBlocks() error {
	blocks := make([]placedBlock, 0, len(c.blocks))
	end := uint64(0)
	for _, start := range slices.Sorted(maps.Keys(c.blocks)) {
		b := placedBlock{start: start, size: c.blocks[start].size}
		if start < end {
			return fmt.Errorf("%s: block at %d overlaps the one before it", c.blocks[start].path, start)
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
		return fmt.Errorf("%s: block at %d: %w", want.path, b.start, err)
	}
	if want.length != 0 && n != want.length || n < want.atLeast {
		return fmt.Errorf("%s: block at %d holds %d bytes, %d are needed", want.path, b.start, n, max(want.length, want.atLeast))
	}
	return nil
}
