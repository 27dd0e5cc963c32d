//go:build cgo

package codec

/*
#cgo LDFLAGS: -ldeflate
#include <libdeflate.h>

typedef struct { enum libdeflate_result code; size_t read, written; } inflated;

static inflated inflate_block(struct libdeflate_decompressor *d, const void *src, size_t n, void *dst, size_t room) {
	inflated r = {0};
	r.code = libdeflate_zlib_decompress_ex(d, src, n, dst, room, &r.read, &r.written);
	return r;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// gzipBackend compresses and decompresses zlib streams with libdeflate, at its own levels.
func gzipBackend(level int) backend {
	return backend{
		library:         "libdeflate " + C.LIBDEFLATE_VERSION_STRING,
		newCompressor:   func() compressor { return newDeflater(level) },
		newDecompressor: func() decompressor { return newInflater() },
		slow:            level >= slowDeflate,
	}
}

// slowDeflate is the first level that looks for the shortest of many ways to code a block
// (deflate_compress_near_optimal).
const slowDeflate = 10

type deflater struct {
	c *C.struct_libdeflate_compressor
}

func newDeflater(level int) *deflater {
	d := &deflater{C.libdeflate_alloc_compressor(C.int(level))}
	if d.c == nil {
		panic(fmt.Sprintf("codec: no memory for a libdeflate compressor of level %d", level))
	}
	runtime.AddCleanup(d, func(c *C.struct_libdeflate_compressor) { C.libdeflate_free_compressor(c) }, d.c)
	return d
}

func (d *deflater) compress(dst, src []byte) (int, error) {
	n := C.libdeflate_zlib_compress(d.c,
		unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src)),
		unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst)))
	runtime.KeepAlive(d)
	return int(n), nil
}

type inflater struct {
	d *C.struct_libdeflate_decompressor
}

func newInflater() *inflater {
	i := &inflater{C.libdeflate_alloc_decompressor()}
	if i.d == nil {
		panic("codec: no memory for a libdeflate decompressor")
	}
	runtime.AddCleanup(i, func(d *C.struct_libdeflate_decompressor) { C.libdeflate_free_decompressor(d) }, i.d)
	return i
}

func (i *inflater) decompress(dst, src []byte) (int, error) {
	r := C.inflate_block(i.d,
		unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src)),
		unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst)))
	runtime.KeepAlive(i)
	switch {
	case r.code == C.LIBDEFLATE_INSUFFICIENT_SPACE:
		return 0, fmt.Errorf("more than %d bytes", len(dst))
	case r.code != C.LIBDEFLATE_SUCCESS:
		return 0, errors.New("damaged or truncated zlib stream")
	case int(r.read) != len(src):
		return 0, fmt.Errorf("%d bytes after the end of the zlib stream", len(src)-int(r.read))
	}
	return int(r.written), nil
}
