package device

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// chunkSize is the unit of writing. Larger ones are not faster: the
	// kernel cuts them up for the bus.
	chunkSize = 4 << 20

	// chunksAhead bounds how far reading or packing is ahead of the slowest
	// device: 64 MiB.
	chunksAhead = 16
)

// chunk is an aligned piece of the image on its way to all devices.
type chunk struct {
	offset int64
	data   []byte // a multiple of blockSize; behind the image's end zeros
	spans  []span // of data, written so far; in order, not touching
	refs   atomic.Int32
}

type span struct{ start, end int }

// fill copies p to a place in the chunk and reports whether all of it is
// filled now.
func (c *chunk) fill(p []byte, at int) bool {
	copy(c.data[at:], p)
	s := span{at, at + len(p)}
	i, _ := slices.BinarySearchFunc(c.spans, s, func(a, b span) int { return a.end - b.start })
	j := i
	for j < len(c.spans) && c.spans[j].start <= s.end {
		s.start, s.end = min(s.start, c.spans[j].start), max(s.end, c.spans[j].end)
		j++
	}
	c.spans = slices.Replace(c.spans, i, j, s)
	return len(c.spans) == 1 && c.spans[0] == span{0, chunkSize}
}

// pad makes zeros of what was not filled.
func (c *chunk) pad() {
	at := 0
	for _, s := range c.spans {
		clear(c.data[at:s.start])
		at = s.end
	}
	clear(c.data[at:])
}

// pool has the memory of chunks.
type pool struct {
	mu   sync.Mutex
	free [][]byte
}

// get returns a chunk with anything in it.
func (p *pool) get(offset int64) (*chunk, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		data := p.free[n-1]
		p.free = p.free[:n-1]
		return &chunk{offset: offset, data: data}, nil
	}
	data, err := newBuffer(chunkSize)
	return &chunk{offset: offset, data: data}, err
}

func (p *pool) put(c *chunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c.data[:chunkSize])
	c.data = nil
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.free {
		freeBuffer(b)
	}
	p.free = nil
}

// sums are what the blocks of the image have to be when they are read back.
// The hash is keyed anew for each run, and of 64 bits: that a damaged block has
// the right one is less likely than that the comparison goes wrong.
type sums struct {
	seed   maphash.Seed
	mu     sync.Mutex
	blocks []uint64 // by block of the image
}

func (s *sums) add(c *chunk) {
	first := int(c.offset / blockSize)
	hashes := make([]uint64, len(c.data)/blockSize)
	for i := range hashes {
		hashes[i] = maphash.Bytes(s.seed, c.data[i*blockSize:(i+1)*blockSize])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := first + len(hashes); n > len(s.blocks) {
		s.blocks = append(s.blocks, make([]uint64, n-len(s.blocks))...)
	}
	copy(s.blocks[first:], hashes)
}

// firstDifference returns where the first block of data begins that is not what
// the image has there, or -1. A last block that the end of the device cuts
// short has only zeros behind that.
func (s *sums) firstDifference(offset int64, data []byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := 0; at < len(data); at += blockSize {
		block := data[at:min(at+blockSize, len(data))]
		if len(block) < blockSize {
			block = append(slices.Clone(block), make([]byte, blockSize-len(block))...)
		}
		if maphash.Bytes(s.seed, block) != s.blocks[(offset+int64(at))/blockSize] {
			return offset + int64(at)
		}
	}
	return -1
}
