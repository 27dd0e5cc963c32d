package squashfs

import (
	"fmt"
	"slices"
	"sync"

	"github.com/livebuild/livebuild/pkg/squashfs/codec"
)

// decoders are kept for reuse: each belongs to one goroutine at a time.
type decoders struct {
	codec *codec.Codec
	pool  sync.Pool // of *decoder
}

// decoder is a codec's decoder with a buffer for what it decodes.
type decoder struct {
	*codec.Decoder
	src []byte
}

func newDecoders(id uint16, options []byte, blockSize uint32) (*decoders, error) {
	c, err := codec.Open(id, options, int(blockSize))
	if err != nil {
		return nil, fmt.Errorf("opening compressor %d: %w", id, err)
	}
	return &decoders{codec: c}, nil
}

func (d *decoders) get() *decoder {
	if free, ok := d.pool.Get().(*decoder); ok {
		return free
	}
	return &decoder{Decoder: d.codec.NewDecoder()}
}

func (d *decoders) put(free *decoder) { d.pool.Put(free) }

// buffer returns n bytes, to be used until the next call.
func (d *decoder) buffer(n int) []byte {
	d.src = slices.Grow(d.src[:0], n)[:n]
	return d.src
}
