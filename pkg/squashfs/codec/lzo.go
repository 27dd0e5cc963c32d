package codec

import (
	"github.com/anchore/go-lzo"
)

// lzoBackend decompresses LZO1X, which Linux reads, too.
func lzoBackend() backend {
	return backend{
		refusal:         &UnsupportedError{Name: LZO, Reason: "is only read"},
		newDecompressor: func() decompressor { return unlzo{} },
	}
}

type unlzo struct{}

func (unlzo) decompress(dst, src []byte) (int, error) { return lzo.Decompress(src, dst) }
