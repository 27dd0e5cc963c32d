package squashfs

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// checkedBlock is a data or fragment block and what its files need of it.
type checkedBlock struct {
	size    uint32 // in the image, with dataStored
	length  int    // uncompressed, of a data block; 0: not a data block
	atLeast int    // uncompressed, of a fragment block
	file    uint32 // the inode number of the first that needs it; 0: only the fragment table does
	others  int    // further files that need it
}

// needFragments notes the blocks of the fragment table.
func (c *checker) needFragments() error {
	t := &c.r.fragments
	for i := range t.count {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var e disk.FragmentEntry
		err := c.r.row(t, i, &e)
		if err == nil {
			var b placedBlock
			if b, err = c.r.placedFragment(e); err == nil {
				err = c.needFragment(b, 1, 0)
			}
		}
		if err == nil {
			continue
		}
		if err := c.find("fragment table", t.blockOf(i), "", fmt.Errorf("fragment %d: %w", i, err)); err != nil {
			return err
		}
	}
	return nil
}

// needFile notes the blocks of the file ino.
func (c *checker) needFile(path string, ino Inode) error {
	l, err := c.r.parts(ino)
	if err != nil {
		return c.find("inode", c.r.blockOf(ino), path, err)
	}
	for i, b := range l.blocks {
		if b.size == 0 {
			continue
		}
		known := c.need(b, ino.Number)
		if known.size != b.size || known.length != 0 && known.length != l.blockLength(i) {
			err := fmt.Errorf("block is also one of %s, but of another length", c.owner(known))
			if err := c.find("data block", b.start, path, err); err != nil {
				return err
			}
			continue
		}
		known.length = l.blockLength(i)
	}
	if l.tail == 0 {
		return nil
	}
	b, err := c.r.placedFragment(l.fragment)
	if err == nil {
		err = c.needFragment(b, int(l.offset+l.tail), ino.Number)
	}
	if err != nil {
		return c.find("fragment block", l.fragment.StartBlock, path, err)
	}
	return nil
}

func (c *checker) needFragment(b placedBlock, length int, file uint32) error {
	known := c.need(b, file)
	if known.size != b.size {
		return fmt.Errorf("block is also one of %s, but of another length", c.owner(known))
	}
	known.atLeast = max(known.atLeast, length)
	return nil
}

// need notes that a file, or 0 for the fragment table, needs a block.
func (c *checker) need(b placedBlock, file uint32) *checkedBlock {
	known := c.blocks[b.start]
	switch {
	case known == nil:
		known = &checkedBlock{size: b.size, file: file}
		c.blocks[b.start] = known
	case known.file == 0:
		known.file = file
	case known.file != file:
		known.others++
	}
	return known
}

// owner names what needs a block.
func (c *checker) owner(b *checkedBlock) string {
	if b.file == 0 {
		return "the fragment table"
	}
	return strconv.Quote(c.path(b.file))
}

// decodeBlocks decodes every block once, several at a time, in the order of
// the image, in which no two may overlap. Of two that do, only one is decoded:
// a small image could name any number.
func (c *checker) decodeBlocks() error {
	blocks := make([]placedBlock, 0, len(c.blocks))
	end := uint64(0)
	for _, start := range slices.Sorted(maps.Keys(c.blocks)) {
		b := placedBlock{start: start, size: c.blocks[start].size}
		if start < end {
			if err := c.findBlock(b, errors.New("block overlaps the one before it")); err != nil {
				return err
			}
			continue
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
		group.Go(func() error {
			if err := c.decodeBlock(b); err != nil {
				return c.findBlock(b, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (c *checker) findBlock(b placedBlock, err error) error {
	known := c.blocks[b.start]
	f := Finding{Structure: "fragment block", Offset: int64(b.start), Others: known.others, Err: err}
	if known.length != 0 {
		f.Structure = "data block"
	}
	if known.file != 0 {
		f.Path = c.path(known.file)
	}
	return c.report(f)
}

func (c *checker) decodeBlock(b placedBlock) error {
	want := c.blocks[b.start]
	room := want.length
	if room == 0 {
		room = int(c.r.sb.BlockSize)
	}
	n, err := c.r.readBlock(make([]byte, room), b.start, b.length(), b.stored())
	if err != nil {
		return err
	}
	if want.length != 0 && n != want.length || n < want.atLeast {
		return fmt.Errorf("block holds %d bytes, %d are needed", n, max(want.length, want.atLeast))
	}
	return nil
}
