package kexec

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/livebuild/livebuild/pkg/zstdfile"
)

// Compress writes an archive compressed, by several workers as far as the form allows it. Nearly all in it is compressed
// already, so that speed is all that matters.
func Compress(out io.WriterAt, tar io.Reader, by Compression, workers int) error {
	tar = struct{ io.Reader }{tar} // in pieces of our size
	buf := make([]byte, 1<<20)
	if by == Zstd {
		z, err := zstdfile.NewWriter(out, nil, workers)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(io.NewOffsetWriter(z, 0), tar, buf)
		_, end := z.Finish()
		return errors.Join(err, end)
	}
	z, err := gzip.NewWriterLevel(io.NewOffsetWriter(out, 0), gzip.BestSpeed)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(z, tar, buf)
	return errors.Join(err, z.Close())
}
