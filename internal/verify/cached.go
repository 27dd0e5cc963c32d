package verify

import (
	"container/list"
	"io"
	"sync"
)

// Sizes of a cache, in bytes: what is read at once, and all that is kept.
const (
	chunkSize  = 1 << 20
	cacheBytes = 64 << 20
)

// Cached reads from a disk of size bytes in large pieces and keeps the last of them, for sources
// that read past the cache of the kernel.
func Cached(r io.ReaderAt, size int64) io.ReaderAt {
	return &cache{r: r, size: size, chunks: map[int64]*list.Element{}}
}

type cache struct {
	r    io.ReaderAt
	size int64

	mu     sync.Mutex
	chunks map[int64]*list.Element // by their number
	order  list.List               // of *chunk, the last used first
}

// chunk is a piece of the disk.
type chunk struct {
	number int64
	once   sync.Once
	data   []byte
	err    error
}

func (c *cache) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		at := offset + int64(n)
		if at >= c.size {
			return n, io.EOF
		}
		piece := c.chunk(at / chunkSize)
		if piece.err != nil {
			// Only a part of the chunk may be what cannot be read.
			want := p[n:min(int64(len(p)), int64(n)+chunkSize-at%chunkSize)]
			m, err := c.r.ReadAt(want, at)
			n += m
			if m < len(want) {
				return n, err
			}
			continue
		}
		n += copy(p[n:], piece.data[at%chunkSize:])
	}
	return n, nil
}

// chunk returns a piece, which is read once however many want it.
func (c *cache) chunk(number int64) *chunk {
	c.mu.Lock()
	element, ok := c.chunks[number]
	if ok {
		c.order.MoveToFront(element)
	} else {
		element = c.order.PushFront(&chunk{number: number})
		c.chunks[number] = element
		if c.order.Len() > cacheBytes/chunkSize {
			last := c.order.Back()
			delete(c.chunks, last.Value.(*chunk).number)
			c.order.Remove(last)
		}
	}
	piece := element.Value.(*chunk)
	c.mu.Unlock()
	piece.once.Do(func() {
		data := make([]byte, min(chunkSize, c.size-number*chunkSize))
		n, err := c.r.ReadAt(data, number*chunkSize)
		if n < len(data) {
			piece.err = err
			if err == nil {
				piece.err = io.ErrUnexpectedEOF
			}
			return
		}
		piece.data = data
	})
	return piece
}
