//go:build !cgo

package codec

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// zstdBackend compresses in Go, with the nearest of four levels: libzstd's levels from 10 up, which
// NixOS' default of 19 is among, all become the best one, of about the ratio of libzstd's 6.
func zstdBackend(level, blockSize int) backend {
	nearest := zstd.EncoderLevelFromZstd(level)
	return backend{
		library:         fmt.Sprintf("klauspost/compress %s zstd %s", klauspostVersion, nearest),
		bound:           zstdBound,
		newCompressor:   func() compressor { return newZstdCompressor(nearest, blockSize) },
		newDecompressor: func() decompressor { return newUnzstd() },
	}
}

// zstdBound is ZSTD_COMPRESSBOUND, generous for one frame with raw blocks of 128 KiB.
func zstdBound(n int) int {
	const block, header = 128 << 10, 64
	return n + n>>8 + max(block-n, 0)>>11 + header
}

type zstdCompressor struct {
	e *zstd.Encoder
}

func newZstdCompressor(level zstd.EncoderLevel, blockSize int) *zstdCompressor {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(1),
		// Linux reads no window larger than a block (fs/squashfs/zstd_wrapper.c).
		zstd.WithWindowSize(max(blockSize, metadataSize)),
		zstd.WithEncoderCRC(false))
	if err != nil {
		panic(fmt.Sprintf("codec: options of the zstd encoder: %v", err))
	}
	return &zstdCompressor{e}
}

func (z *zstdCompressor) compress(dst, src []byte) (int, error) {
	return len(z.e.EncodeAll(src, dst[:0])), nil
}

// newProbe is for the slow compressors, of which there are none without cgo.
func newProbe() compressor { return nil }
