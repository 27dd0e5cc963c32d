// Package comparison holds an image that is made a second time against the first, of which no second copy is kept.
package comparison

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/livebuild/livebuild/internal/index"
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

// errIncomplete says that not every byte was written, so that nothing is known of the rest.
var errIncomplete = errors.New("the second packing left bytes out")

// Image is the one that the second is held against.
type Image struct {
	io.ReaderAt
	Size   int64         // bytes
	Except []index.Piece // places that may have other bytes
}

// Writer takes the bytes of the second. Who reads them back gets those of the first.
type Writer struct {
	Image

	mu      sync.Mutex
	written int64
	buffer  []byte
}

// compareChunk is how much is held against the image at once, in bytes.
const compareChunk = 256 << 10

// WriteAt returns a *DifferenceError at the first byte that is not that of the image, which ends the
// packing: what follows may be in other places only because of it.
func (c *Writer) WriteAt(p []byte, offset int64) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buffer == nil {
		c.buffer = make([]byte, compareChunk)
	}
	for n < len(p) {
		piece := p[n:min(len(p), n+compareChunk)]
		at := offset + int64(n)
		was := c.buffer[:len(piece)]
		read, err := c.ReadAt(was, at)
		if read < len(was) && err != nil && err != io.EOF {
			return n, err
		}
		if !bytes.Equal(was[:read], piece[:read]) {
			for i := range read {
				if was[i] != piece[i] && !c.excepts(at+int64(i)) {
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

// excepts tells whether a byte may be another.
func (c *Writer) excepts(at int64) bool {
	return slices.ContainsFunc(c.Except, func(p index.Piece) bool { return p.Offset <= at && at < p.End() })
}

// End checks that all of the image was compared, of which size bytes were packed again.
func (c *Writer) End(size int64) error {
	switch {
	case size != c.Size:
		return &DifferenceError{Offset: min(size, c.Size)}
	case c.written != size: // each byte is written once, see hybridiso.Layout.Write
		return errIncomplete
	}
	return nil
}
