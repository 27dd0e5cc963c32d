package squashfs

import (
	"fmt"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// position is a place in a table of metadata: a block, in bytes from the
// start of the image, and an offset in it once it is decoded.
type position struct {
	block  uint64
	offset int
}

// cursor reads records in a row from a table of metadata blocks. A record may
// begin in one block and end in another.
type cursor struct {
	r     *Reader
	table section
	pos   uint64 // of the current block
	block cachedBlock
	used  int // of the block's bytes
}

// cursorAt returns a cursor at p, which must be a byte of the table.
func (r *Reader) cursorAt(table section, p position) (*cursor, error) {
	c := &cursor{r: r, table: table}
	if p.block < table.start {
		return nil, fmt.Errorf("metadata block at %d, before the %s at %d", p.block, table.name, table.start)
	}
	if err := c.load(p.block); err != nil {
		return nil, err
	}
	if p.offset >= len(c.block.data) {
		return nil, fmt.Errorf("offset %d in a metadata block of %d bytes", p.offset, len(c.block.data))
	}
	c.used = p.offset
	return c, nil
}

func (c *cursor) load(pos uint64) error {
	b, err := c.r.metadataBlock(pos, c.table.end)
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.table.name, err)
	}
	c.pos, c.block, c.used = pos, b, 0
	return nil
}

// position is where the next record begins. Behind the last byte of a block
// that is the start of the next one, which may be the end of the table.
func (c *cursor) position() position {
	if c.used == len(c.block.data) {
		return position{block: c.block.end}
	}
	return position{block: c.pos, offset: c.used}
}

// read fills p.
func (c *cursor) read(p []byte) error {
	for {
		n := copy(p, c.block.data[c.used:])
		c.used += n
		p = p[n:]
		if len(p) == 0 {
			return nil
		}
		if err := c.load(c.block.end); err != nil {
			return err
		}
	}
}

// next returns the next n bytes, not to be written to.
func (c *cursor) next(n int) ([]byte, error) {
	if rest := c.block.data[c.used:]; n <= len(rest) {
		c.used += n
		return rest[:n:n], nil
	}
	p := make([]byte, n)
	return p, c.read(p)
}

// decode reads the record v, a pointer to a value of fixed size.
func (c *cursor) decode(v any) error {
	p, err := c.next(disk.Size(v))
	if err != nil {
		return err
	}
	return disk.Decode(p, v)
}

// text reads n bytes of a name or a symbolic link's target.
func (c *cursor) text(n uint32) (string, error) {
	p, err := c.next(int(n))
	return string(p), err
}
