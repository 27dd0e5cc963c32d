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
size_t ZSTD_compress2(ZSTD_CCtx *cctx, void *dst, size_t room, const void *src, size_t n);

typedef enum {
	ZSTD_c_compressionLevel = 100,
	ZSTD_c_hashLog = 102,
	ZSTD_c_chainLog = 103,
	ZSTD_c_searchLog = 104,
	ZSTD_c_minMatch = 105,
	ZSTD_c_targetLength = 106,
	ZSTD_c_strategy = 107,
	ZSTD_c_splitAfterSequences = 1010, // ZSTD_c_experimentalParam13
} ZSTD_cParameter;
enum { ZSTD_ps_enable = 1, ZSTD_ps_disable = 2 };
size_t ZSTD_CCtx_setParameter(ZSTD_CCtx *cctx, ZSTD_cParameter param, int value);
unsigned ZSTD_isError(size_t code);
const char *ZSTD_getErrorName(size_t code);

enum { ZSTD_error_dstSize_tooSmall = 70 };
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
		library:         fmt.Sprintf("libzstd %s, presets %d", C.GoString(C.ZSTD_versionString()), zstdPresetGeneration),
		bound:           zstd.CompressBound,
		newCompressor:   func() compressor { return newZstdCompressor(level) },
		newDecompressor: func() decompressor { return newUnzstd() },
		slow:            level >= slowZstd,
	}
}

// slowZstd is the first level that takes ten times as long as the probe.
const slowZstd = 13

// newProbe returns the fastest compressor that finds matches and codes single bytes.
func newProbe() compressor { return newZstdCompressor(1) }

type zstdCompressor struct {
	ctx        *C.ZSTD_CCtx
	level      C.int
	tableLevel C.int // of blocks of tables
	preset     bool  // the context has one, for blocks above zstdPresetMin
}

func newZstdCompressor(level int) *zstdCompressor {
	z := &zstdCompressor{ctx: C.ZSTD_createCCtx(), level: C.int(level), tableLevel: C.int(min(level, zstdTableLevel))}
	if z.ctx == nil {
		panic("codec: no memory for a zstd compressor")
	}
	runtime.AddCleanup(z, func(ctx *C.ZSTD_CCtx) { C.ZSTD_freeCCtx(ctx) }, z.ctx)
	var p zstdPreset
	if p, z.preset = zstdPresets[level]; z.preset {
		z.setPreset(p)
	}
	return z
}

// setPreset sets parameters that ZSTD_compress2 heeds and ZSTD_compressCCtx does not.
func (z *zstdCompressor) setPreset(p zstdPreset) {
	split := C.int(C.ZSTD_ps_disable)
	if p.split {
		split = C.ZSTD_ps_enable
	}
	for _, s := range []struct {
		parameter C.ZSTD_cParameter
		value     C.int
	}{
		{C.ZSTD_c_compressionLevel, z.level},
		{C.ZSTD_c_strategy, C.int(p.strategy)},
		{C.ZSTD_c_hashLog, C.int(p.hashLog)},
		{C.ZSTD_c_chainLog, C.int(p.chainLog)},
		{C.ZSTD_c_searchLog, C.int(p.searchLog)},
		{C.ZSTD_c_minMatch, C.int(p.minMatch)},
		{C.ZSTD_c_targetLength, C.int(p.targetLength)},
		{C.ZSTD_c_splitAfterSequences, split},
	} {
		if code := C.ZSTD_CCtx_setParameter(z.ctx, s.parameter, s.value); C.ZSTD_isError(code) != 0 {
			panic("codec: parameter of the zstd compressor: " + C.GoString(C.ZSTD_getErrorName(code)))
		}
	}
}

func (z *zstdCompressor) compress(dst, src []byte) (int, error) {
	to, room := unsafe.Pointer(unsafe.SliceData(dst)), C.size_t(len(dst))
	from, size := unsafe.Pointer(unsafe.SliceData(src)), C.size_t(len(src))
	var n C.size_t
	switch {
	case z.preset && len(src) > zstdPresetMin:
		n = C.ZSTD_compress2(z.ctx, to, room, from, size)
	case len(src) <= metadataSize:
		n = C.ZSTD_compressCCtx(z.ctx, to, room, from, size, z.tableLevel)
	default:
		n = C.ZSTD_compressCCtx(z.ctx, to, room, from, size, z.level)
	}
	runtime.KeepAlive(z)
	switch {
	case C.ZSTD_isError(n) == 0:
		return int(n), nil
	case C.ZSTD_getErrorCode(n) == C.ZSTD_error_dstSize_tooSmall:
		return 0, nil
	}
	return 0, errors.New(C.GoString(C.ZSTD_getErrorName(n)))
}
