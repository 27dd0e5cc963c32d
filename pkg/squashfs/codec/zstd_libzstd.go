//go:build cgo

package codec

/*
// What is used of zstd.h, the stable part of libzstd's interface. The library
// is in DataDog/zstd, which does not export these functions.
#include <stddef.h>

typedef struct ZSTD_CCtx_s ZSTD_CCtx;

enum { // ZSTD_cParameter
	ZSTD_c_compressionLevel = 100,
	ZSTD_c_hashLog = 102,
	ZSTD_c_chainLog = 103
};

const char *ZSTD_versionString(void);
ZSTD_CCtx *ZSTD_createCCtx(void);
size_t ZSTD_freeCCtx(ZSTD_CCtx *cctx);
size_t ZSTD_CCtx_setParameter(ZSTD_CCtx *cctx, int parameter, int value);
size_t ZSTD_compress2(ZSTD_CCtx *cctx, void *dst, size_t room, const void *src, size_t n);
unsigned ZSTD_isError(size_t code);
const char *ZSTD_getErrorName(size_t code);

enum { ZSTD_error_dstSize_tooSmall = 70 }; // zstd_errors.h
int ZSTD_getErrorCode(size_t code);
*/
import "C"

import (
	"errors"
	"fmt"
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

// Levels 3 and 4 look up matches in two hash tables (ZSTD_dfast) of 2^17 and 2^16 entries, too few
// for the positions of a block of 1 MiB. With these sizes a desktop's files get 0.4 % smaller in the
// same time.
const (
	doubleFastFrom, doubleFastTo = 3, 4
	doubleFastLog                = 18
)

type zstdCompressor struct {
	ctx *C.ZSTD_CCtx
}

func newZstdCompressor(level int) *zstdCompressor {
	z := &zstdCompressor{C.ZSTD_createCCtx()}
	if z.ctx == nil {
		panic("codec: no memory for a zstd compressor")
	}
	runtime.AddCleanup(z, func(ctx *C.ZSTD_CCtx) { C.ZSTD_freeCCtx(ctx) }, z.ctx)
	z.set(C.ZSTD_c_compressionLevel, level)
	if level >= doubleFastFrom && level <= doubleFastTo {
		z.set(C.ZSTD_c_hashLog, doubleFastLog)
		z.set(C.ZSTD_c_chainLog, doubleFastLog)
	}
	return z
}

// set sets a parameter to a value that is known to be possible.
func (z *zstdCompressor) set(parameter, value int) {
	if code := C.ZSTD_CCtx_setParameter(z.ctx, C.int(parameter), C.int(value)); C.ZSTD_isError(code) != 0 {
		panic(fmt.Sprintf("codec: zstd parameter %d = %d: %v", parameter, value, zstdError(code)))
	}
	runtime.KeepAlive(z)
}

func (z *zstdCompressor) compress(dst, src []byte) (int, error) {
	n := C.ZSTD_compress2(z.ctx,
		unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst)),
		unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src)))
	runtime.KeepAlive(z)
	switch {
	case C.ZSTD_isError(n) == 0:
		return int(n), nil
	case C.ZSTD_getErrorCode(n) == C.ZSTD_error_dstSize_tooSmall:
		return 0, nil
	}
	return 0, zstdError(n)
}

func zstdError(code C.size_t) error { return errors.New(C.GoString(C.ZSTD_getErrorName(code))) }
