package squashfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/internal/disk"
)

// blockHeader is where a metadata block lies and how.
type blockHeader struct {
	start  uint64 // of its bytes, behind the header
	size   uint64 // in the image
	stored bool   // not compressed
}

func (h blockHeader) end() uint64 { return h.start + h.size }

// metadataHeader reads the header of the metadata block at pos, which must
// end at limit or before.
func (r *Reader) metadataHeader(pos, limit uint64) (blockHeader, error) {
	if pos > limit || limit-pos < disk.MetadataHeaderSize {
		return blockHeader{}, fmt.Errorf("metadata block at %d, beyond the end of its table at %d", pos, limit)
	}
	var p [disk.MetadataHeaderSize]byte
	if err := r.readAt(p[:], pos); err != nil {
		return blockHeader{}, err
	}
	n := binary.LittleEndian.Uint16(p[:])
	h := blockHeader{
		start:  pos + disk.MetadataHeaderSize,
		size:   uint64(n &^ disk.MetadataStored),
		stored: n&disk.MetadataStored != 0,
	}
	if h.size == 0 || h.size > disk.MetadataSize || h.size > limit-h.start {
		return blockHeader{}, fmt.Errorf("metadata block at %d of %d bytes, its table ends at %d", pos, h.size, limit)
	}
	return h, nil
}

// metadataBlock returns the metadata block at pos, decoded.
func (r *Reader) metadataBlock(pos, limit uint64) (cachedBlock, error) {
	if b, ok := r.metadataBlocks.get(pos); ok && b.end <= limit {
		return b, nil
	}
	h, err := r.metadataHeader(pos, limit)
	if err != nil {
		return cachedBlock{}, err
	}
	p := make([]byte, disk.MetadataSize)
	n, err := r.readBlock(p, h.start, h.size, h.stored)
	if err != nil {
		return cachedBlock{}, fmt.Errorf("metadata block at %d: %w", pos, err)
	}
	b := cachedBlock{data: p[:n], end: h.end()}
	r.metadataBlocks.put(pos, b)
	return b, nil
}

// readBlock reads a block of size bytes at pos into p, decodes it unless it
// was stored as it is, and returns its length, which is never 0.
func (r *Reader) readBlock(p []byte, pos, size uint64, stored bool) (int, error) {
	if size > uint64(len(p)) {
		return 0, fmt.Errorf("%d bytes long, %d are possible", size, len(p))
	}
	if stored {
		return int(size), r.readAt(p[:size], pos)
	}
	d := r.decoders.get()
	defer r.decoders.put(d)
	src := d.buffer(int(size))
	if err := r.readAt(src, pos); err != nil {
		return 0, err
	}
	n, err := d.Decode(p, src)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("decompresses to nothing")
	}
	return n, nil
}

// blockCache keeps decoded blocks by their position in the image. The oldest
// goes first.
type blockCache struct {
	capacity int

	mu     sync.Mutex
	blocks map[uint64]cachedBlock
	order  []uint64
}

type cachedBlock struct {
	data []byte // not to be written to
	end  uint64 // of the block in the image
}

func (c *blockCache) get(pos uint64) (cachedBlock, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.blocks[pos]
	return b, ok
}

func (c *blockCache) put(pos uint64, b cachedBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.blocks[pos]; ok {
		return
	}
	if c.blocks == nil {
		c.blocks = make(map[uint64]cachedBlock, c.capacity)
	}
	if len(c.order) == c.capacity {
		delete(c.blocks, c.order[0])
		c.order = append(c.order[:0], c.order[1:]...)
	}
	c.blocks[pos] = b
	c.order = append(c.order, pos)
}
