package disk

import "github.com/livebuild/livebuild/pkg/squashfs/codec"

// Pool compresses blocks of metadata, several at once.
type Pool struct {
	codec *codec.Codec
	idle  chan *press // what is free; nil stands for one that was not needed yet
}

// press is what one goroutine compresses with.
type press struct {
	encoder *codec.Encoder
	room    []byte // for a compressed block
}

// NewPool returns a pool in which so many blocks, 1 or more, are compressed by c at once.
func NewPool(c *codec.Codec, atOnce int) *Pool {
	p := &Pool{codec: c, idle: make(chan *press, atOnce)}
	for range atOnce {
		p.idle <- nil
	}
	return p
}

// pressed is a block that is being compressed.
type pressed struct {
	done chan struct{} // closed when the others are set
	data []byte        // as it is in the image, with its header
	err  error
}

// compress has a block compressed, which is the pool's from now on. It waits until something is free.
func (p *Pool) compress(block []byte) *pressed {
	b := &pressed{done: make(chan struct{})}
	with := <-p.idle
	if with == nil {
		with = &press{encoder: p.codec.NewEncoder(), room: make([]byte, p.codec.Bound())}
	}
	go func() {
		b.data, b.err = with.metadataBlock(block)
		p.idle <- with
		close(b.done)
	}()
	return b
}
