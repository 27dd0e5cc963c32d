//go:build !cgo

package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// klauspostVersion is the version in go.mod, which a test compares.
const klauspostVersion = "v1.20.3"

// gzipBackend compresses and decompresses zlib streams in Go. libdeflate's levels above 9 become 9.
func gzipBackend(level int) backend {
	level = min(level, zlib.BestCompression)
	return backend{
		library:         fmt.Sprintf("klauspost/compress %s deflate %d", klauspostVersion, level),
		newCompressor:   func() compressor { return newDeflater(level) },
		newDecompressor: func() decompressor { return new(inflater) },
	}
}

type deflater struct {
	zlib *zlib.Writer
	out  fixedBuffer
}

func newDeflater(level int) *deflater {
	d := new(deflater)
	w, err := zlib.NewWriterLevel(&d.out, level)
	if err != nil {
		panic(fmt.Sprintf("codec: deflate level %d: %v", level, err))
	}
	d.zlib = w
	return d
}

func (d *deflater) compress(dst, src []byte) (int, error) {
	d.out = fixedBuffer{buf: dst}
	d.zlib.Reset(&d.out)
	_, err := d.zlib.Write(src)
	if err == nil {
		err = d.zlib.Close()
	}
	n := d.out.n
	d.out.buf = nil
	if errors.Is(err, io.ErrShortBuffer) {
		return 0, nil
	}
	return n, err
}

// fixedBuffer is a writer into buf that fails with io.ErrShortBuffer when buf is full.
type fixedBuffer struct {
	buf []byte
	n   int
}

func (b *fixedBuffer) Write(p []byte) (int, error) {
	n := copy(b.buf[b.n:], p)
	b.n += n
	if n < len(p) {
		return n, io.ErrShortBuffer
	}
	return n, nil
}

type inflater struct {
	in   bytes.Reader
	zlib io.ReadCloser // nil before the first block
	past [1]byte
}

func (i *inflater) decompress(dst, src []byte) (int, error) {
	i.in.Reset(src)
	if err := i.reset(); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(i.zlib, dst)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	// The checksum is verified where the stream ends, which only a further byte asked for reaches. It
	// also tells a complete stream that is shorter than dst from a truncated one.
	switch _, err := io.ReadFull(i.zlib, i.past[:]); err {
	case io.EOF:
	case nil:
		return 0, fmt.Errorf("more than %d bytes", len(dst))
	default:
		return 0, fmt.Errorf("damaged or truncated zlib stream: %w", err)
	}
	if i.in.Len() > 0 {
		return 0, fmt.Errorf("%d bytes after the end of the zlib stream", i.in.Len())
	}
	return n, nil
}

// reset begins reading the stream in i.in.
func (i *inflater) reset() (err error) {
	if i.zlib == nil {
		i.zlib, err = zlib.NewReader(&i.in)
		return err
	}
	return i.zlib.(zlib.Resetter).Reset(&i.in, nil)
}
