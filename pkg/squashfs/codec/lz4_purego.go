//go:build !cgo

package codec

import (
	"fmt"

	"github.com/pierrec/lz4/v4"
)

// pierrecVersion is the version in go.mod, which a test compares.
const pierrecVersion = "v4.1.33"

// lz4Backend compresses in Go.
func lz4Backend(level int) backend {
	b := backend{
		library:         "pierrec/lz4 " + pierrecVersion,
		bound:           lz4.CompressBlockBound,
		newDecompressor: func() decompressor { return unlz4{} },
	}
	if level == methodOf(LZ4).level {
		b.newCompressor = func() compressor { return new(lz4Fast) }
		return b
	}
	levels := []lz4.CompressionLevel{lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5,
		lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9}
	level = min(level, highestLZ4)
	b.library += fmt.Sprintf(" high %d", level)
	b.newCompressor = func() compressor { return &lz4High{lz4.CompressorHC{Level: levels[level-1]}} }
	return b
}

type lz4Fast struct{ c lz4.Compressor }

func (f *lz4Fast) compress(dst, src []byte) (int, error) { return f.c.CompressBlock(src, dst) }

type lz4High struct{ c lz4.CompressorHC }

func (h *lz4High) compress(dst, src []byte) (int, error) { return h.c.CompressBlock(src, dst) }
