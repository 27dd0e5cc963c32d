package kernel

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/xi2/xz"
)

// compressions are those of kernels, by their first bytes (Linux,
// lib/decompress.c). The kernel's build appends the size to some of them
// (scripts/Makefile.lib, size_append): what follows the end is not an error.
var compressions = []struct {
	magic string
	open  func(io.Reader) (io.Reader, error)
}{
	{"\x1f\x8b", func(r io.Reader) (io.Reader, error) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return z, nil
	}},
	{"\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) {
		z, err := xz.NewReader(r, dictionaryMax)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return z, nil
	}},
	{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(dictionaryMax))
	}},
	{"\x02\x21\x4c\x18", func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }}, // the legacy format
	{"BZh", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{"\x5d\x00\x00", unsupported("lzma")},
	{"\x89LZO\x00\r\n\x1a\n", unsupported("lzo")},
}

// dictionaryMax is the largest window of a compressed kernel, in bytes
// (scripts/xz_wrap.sh and zstd -22).
const dictionaryMax = 128 << 20

func unsupported(name string) func(io.Reader) (io.Reader, error) {
	return func(io.Reader) (io.Reader, error) { return nil, errors.New("it is compressed with " + name) }
}

// decompress returns what is in a compressed kernel, or the kernel itself if
// it is not compressed.
func decompress(packed *io.SectionReader) (io.Reader, error) {
	head := make([]byte, 16)
	n, err := packed.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, c := range compressions {
		if bytes.HasPrefix(head[:n], []byte(c.magic)) {
			return c.open(packed)
		}
	}
	return packed, nil
}
