package codec

import "github.com/pierrec/lz4/v4"

// unlz4 decompresses lz4 blocks by a library of Go and assembly that is as fast as liblz4.
type unlz4 struct{}

func (unlz4) decompress(dst, src []byte) (int, error) {
	return lz4.UncompressBlock(src, dst)
}
