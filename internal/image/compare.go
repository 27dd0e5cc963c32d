package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// DifferenceError says where an image that is packed again is not what it was.
type DifferenceError struct {
	Offset int64  // in the image, in bytes, of the first one that differs
	Place  string // that it belongs to: a structure, a store path; or empty
}

func (e *DifferenceError) Error() string {
	at := fmt.Sprintf("byte %d", e.Offset)
	if e.Place != "" {
		at += ", " + e.Place
	}
	return "packed again, the image has other bytes, first at " + at
}

// errUncompared says that not every byte was written, so that nothing is known of the rest.
var errUncompared = errors.New("the second packing left bytes out")

// comparer takes the bytes of an image a second time and holds them against the first, of which
// it keeps nothing.
type comparer struct {
	image io.ReaderAt
	size  int64

	mu      sync.Mutex
	written int64
	buffer  []byte
}

// compareChunk is how much is held against the image at once, in bytes.
const compareChunk = 256 << 10

// WriteAt returns a *DifferenceError at the first byte that is not that of the image, which ends the
// packing: what follows may be in other places only because of it.
func (c *comparer) WriteAt(p []byte, offset int64) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buffer == nil {
		c.buffer = make([]byte, compareChunk)
	}
	for n < len(p) {
		piece := p[n:min(len(p), n+compareChunk)]
		at := offset + int64(n)
		was := c.buffer[:len(piece)]
		read, err := c.image.ReadAt(was, at)
		if read < len(was) && err != nil && err != io.EOF {
			return n, err
		}
		if !bytes.Equal(was[:read], piece[:read]) {
			for i := range read {
				if was[i] != piece[i] {
					return n + i, &DifferenceError{Offset: at + int64(i)}
				}
			}
		}
		if read < len(piece) { // the image has ended
			return n + read, &DifferenceError{Offset: at + int64(read)}
		}
		n += len(piece)
		c.written += int64(len(piece))
	}
	return n, nil
}

// end checks that all of the image was compared, of which size bytes were packed again.
func (c *comparer) end(size int64) error {
	switch {
	case size != c.size:
		return &DifferenceError{Offset: min(size, c.size)}
	case c.written != size: // each byte is written once, see hybridiso.Layout.Write
		return errUncompared
	}
	return nil
}
