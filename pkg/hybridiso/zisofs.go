package hybridiso

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Zisofs reads a file that the extension ZF compresses: blocks of zlib, found by a list of pointers
// (Linux, fs/isofs/compress.c; the zisofs2 format description of libisofs, doc/zisofs_format.txt,
// version 1). It is safe for concurrent use. What the file claims is not trusted: a read takes as
// much memory as two blocks.
type Zisofs struct {
	src   io.ReaderAt
	size  int64 // of src
	start int64 // of the pointers
	log   uint  // of the block size
	full  int64 // uncompressed

	mu      sync.Mutex
	current int64 // the block that data holds, plus one
	data    []byte
}

// zisofsMagic begins a compressed file.
const zisofsMagic = "\x37\xe4\x53\x96\xc9\xdb\xd6\x07"

// zisofsHeader is the fixed part of a compressed file.
type zisofsHeader struct {
	Magic      [8]byte
	Size       uint32 // uncompressed, in bytes
	HeaderSize uint8  // in units of 4 bytes
	BlockLog   uint8
	_          uint16
}

const (
	zisofsHeaderSize  = 16
	zisofsPointerSize = 4
)

// Bounds of the block size, as a logarithm: the second is that of the format, the first Linux' page.
const (
	zisofsLogMin = 12
	zisofsLogMax = 17
)

// OpenZisofs opens the compressed file of size bytes that src has.
func OpenZisofs(src io.ReaderAt, size int64) (*Zisofs, error) {
	p := make([]byte, zisofsHeaderSize)
	if size < zisofsHeaderSize {
		return nil, errors.New("zisofs: the file is shorter than its header")
	}
	if err := readAt(src, p, 0); err != nil {
		return nil, fmt.Errorf("zisofs: %w", err)
	}
	var h zisofsHeader
	decode(p, &h)
	switch {
	case string(h.Magic[:]) != zisofsMagic:
		return nil, fmt.Errorf("zisofs: the file begins with % x", h.Magic)
	case h.BlockLog < zisofsLogMin || h.BlockLog > zisofsLogMax:
		return nil, fmt.Errorf("zisofs: blocks of 2^%d bytes", h.BlockLog)
	case h.HeaderSize < zisofsHeaderSize/4:
		return nil, fmt.Errorf("zisofs: header of %d bytes", int(h.HeaderSize)*4)
	}
	z := &Zisofs{src: src, size: size, start: int64(h.HeaderSize) * 4, log: uint(h.BlockLog), full: int64(h.Size)}
	if end := z.start + (z.blocks()+1)*zisofsPointerSize; end > size {
		return nil, fmt.Errorf("zisofs: pointers to %d blocks up to byte %d of a file of %d", z.blocks(), end, size)
	}
	return z, nil
}

// Size is that of the file as it is read, in bytes.
func (z *Zisofs) Size() int64 { return z.full }

func (z *Zisofs) blocks() int64 { return (z.full + 1<<z.log - 1) >> z.log }

// ReadAt implements [io.ReaderAt].
func (z *Zisofs) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("zisofs: negative offset %d", offset)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	for n < len(p) && offset+int64(n) < z.full {
		at := offset + int64(n)
		block := at >> z.log
		if z.current != block+1 {
			if err := z.load(block); err != nil {
				return n, fmt.Errorf("zisofs: block %d: %w", block, err)
			}
		}
		n += copy(p[n:], z.data[at-block<<z.log:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load decompresses a block.
func (z *Zisofs) load(block int64) error {
	z.current = 0
	var pointers [2 * zisofsPointerSize]byte
	if err := readAt(z.src, pointers[:], z.start+block*zisofsPointerSize); err != nil {
		return err
	}
	start, end := int64(binary.LittleEndian.Uint32(pointers[:])), int64(binary.LittleEndian.Uint32(pointers[zisofsPointerSize:]))
	length := min(int64(1)<<z.log, z.full-block<<z.log)
	// zlib makes no block much longer (deflateBound); what is behind that nobody reads.
	if start > end || end > z.size || end-start > 2<<z.log {
		return fmt.Errorf("from byte %d to %d of a file of %d", start, end, z.size)
	}
	if int64(cap(z.data)) < length {
		z.data = make([]byte, 1<<z.log)
	}
	z.data = z.data[:length]
	if start == end { // all zero
		clear(z.data)
		z.current = block + 1
		return nil
	}
	packed := make([]byte, end-start)
	if err := readAt(z.src, packed, start); err != nil {
		return err
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(r, z.data); err != nil {
		return err
	}
	switch more, err := r.Read(make([]byte, 1)); {
	case more > 0:
		return fmt.Errorf("more than %d bytes", length)
	case err != io.EOF: // its checksum is wrong
		return err
	}
	z.current = block + 1
	return nil
}
