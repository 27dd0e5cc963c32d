// Package blockcache keeps the decoded blocks of an image that were used last. However many want
// a block that is not there, one of them decodes it and the others wait. The memory of a block
// that has to go serves the next one: blocks come and go much faster than a garbage collector.
package blockcache

import (
	"container/list"
	"sync"
)

// Key is a block as it lies in an image.
type Key struct {
	Start uint64 // in bytes
	Size  uint32 // as the image has it, with its flags
}

// Cache keeps blocks. It is safe for concurrent use.
type Cache struct {
	length int // of a block, decoded, at most

	mu       sync.Mutex
	capacity int
	blocks   map[Key]*list.Element
	order    list.List // of *Block, the last used first
	free     [][]byte  // memory of blocks that went
}

// Block is a block that was decoded, until it is released.
type Block struct {
	key   Key
	users int  // that have not released it
	gone  bool // the cache has it no more
	room  []byte

	once sync.Once
	data []byte
	err  error
}

// New returns a cache of so many blocks of at most length bytes. It takes their memory as they
// come.
func New(capacity, length int) *Cache {
	return &Cache{length: length, capacity: max(1, capacity), blocks: map[Key]*list.Element{}}
}

// SetCapacity changes how many blocks are kept, from the next one on.
func (c *Cache) SetCapacity(blocks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capacity = max(1, blocks)
}

// Use calls use with the block of the key, not to be written to and not to be kept. A block
// that is not there is decoded into the buffer that decode is given, which returns how many bytes
// it has. That it cannot be decoded is remembered as long as a block would be.
func (c *Cache) Use(key Key, decode func(buffer []byte) (int, error), use func(data []byte) error) error {
	b := c.take(key)
	defer c.release(b)
	b.once.Do(func() {
		n, err := decode(b.room)
		if err != nil {
			b.err = err
			return
		}
		b.data = b.room[:n]
	})
	if b.err != nil {
		return b.err
	}
	return use(b.data)
}

// take returns the block of the key, decoded or not, for a user more.
func (c *Cache) take(key Key) *Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.blocks[key]; ok {
		c.order.MoveToFront(element)
		b := element.Value.(*Block)
		b.users++
		return b
	}
	for c.order.Len() >= c.capacity {
		last := c.order.Back()
		b := c.order.Remove(last).(*Block)
		delete(c.blocks, b.key)
		b.gone = true
		c.reclaim(b)
	}
	b := &Block{key: key, users: 1, room: c.room()}
	c.blocks[key] = c.order.PushFront(b)
	return b
}

func (c *Cache) release(b *Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.users--
	c.reclaim(b)
}

// reclaim takes the memory of a block that nobody has. As new memory is only made when there is
// none of these, all of it is never more than the capacity and a block for each user.
func (c *Cache) reclaim(b *Block) {
	if b.gone && b.users == 0 {
		c.free = append(c.free, b.room)
	}
}

// room returns memory for a block.
func (c *Cache) room() []byte {
	if n := len(c.free); n > 0 {
		room := c.free[n-1]
		c.free = c.free[:n-1]
		return room
	}
	return make([]byte, c.length)
}
