//go:build cgo

package codec

/*
// What is used of zstd.h and zstd_errors.h. The library is in DataDog/zstd, whose own functions take
// a destination that is too short for a reason to allocate a longer one.
#include <stddef.h>

typedef struct ZSTD_CCtx_s ZSTD_CCtx;

const char *ZSTD_versionString(void);
ZSTD_CCtx *ZSTD_createCCtx(void);
size_t ZSTD_freeCCtx(ZSTD_CCtx *cctx);
size_t ZSTD_compressCCtx(ZSTD_CCtx *cctx, void *dst, size_t room, const void *src, size_t n, int level);
unsigned ZSTD_isError(size_t code);
const char *ZSTD_getErrorName(size_t code);

enum { ZSTD_error_dstSize_tooSmall = 70 };
int ZSTD_getErrorCode(size_t code);
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"

	"github.com/DataDog/zstd"
)

// zstdBackend compresses with libzstd, a block in one call, so that the frame records its content
// size and has neither a checksum nor a window larger than the block.
func zstdBackend(level, _ int) backend {
	return backend{
		library:         "libzstd " + C.GoString(C.ZSTD_versionString()),
		bound:           zstd.CompressBound,
		newCompressor:   func() compressor { return newZstdCompressor(level) },
		newDecompressor: func() decompressor { return newUnzstd() },
		slow:            level >= slowZstd,
	}
}

// slowZstd is the first level that finds matches in binary trees (ZSTD_btlazy2).
const slowZstd = 13

// newProbe returns the fastest compressor that finds matches and codes single bytes.
func newProbe() compressor { return newZstdCompressor(1) }

type zstdCompressor struct {
	ctx   *C.ZSTD_CCtx
	level C.int
}

func newZstdCompressor(level int) *zstdCompressor {
	z := &zstdCompressor{C.ZSTD_createCCtx(), C.int(level)}
	if z.ctx == nil {
		panic("codec: no memory for a zstd compressor")
	}
	runtime.AddCleanup(z, func(ctx *C.ZSTD_CCtx) { C.ZSTD_freeCCtx(ctx) }, z.ctx)
	return z
}

func (z *zstdCompressor) compress(dst, src []byte) (int, error) {
	n := C.ZSTD_compressCCtx(z.ctx,
		unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst)),
		unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src)), z.level)
	runtime.KeepAlive(z)
	switch {
	case C.ZSTD_isError(n) == 0:
		return int(n), nil
	case C.ZSTD_getErrorCode(n) == C.ZSTD_error_dstSize_tooSmall:
		return 0, nil
	}
	return 0, errors.New(C.GoString(C.ZSTD_getErrorName(n)))
}
