//go:build cgo

package codec

// const char *ZSTD_versionString(void); // of the libzstd that DataDog/zstd brings or links
import "C"

import (
	"runtime"

	"github.com/DataDog/zstd"
)

// zstdBackend compresses with libzstd, a block in one call, so that the frame records its content
// size and has neither a checksum nor a window larger than the block.
func zstdBackend(level, _ int) backend {
	return backend{
		library:         "libzstd " + C.GoString(C.ZSTD_versionString()),
		bound:           zstd.CompressBound,
		newCompressor:   func() compressor { return &zstdCompressor{zstd.NewCtx(), level} },
		newDecompressor: func() decompressor { return newUnzstd() },
	}
}

type zstdCompressor struct {
	ctx   zstd.Ctx
	level int
}

func (z *zstdCompressor) compress(dst, src []byte) (int, error) {
	// The context allocates a buffer of its own if dst is shorter than the bound.
	out, err := z.ctx.CompressLevel(dst, src, z.level)
	runtime.KeepAlive(z) // its finalizer frees the C context, which it does not keep alive during the call
	return len(out), err
}
